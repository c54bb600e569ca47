//! `/etc/hosts`: names and their addresses, as hosts(5) describes it.
//!
//! `tcp/names.rs` reads the file. Whatever is no entry is passed over, so that
//! every file gives a table; its size is bounded by that of the file.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// More addresses of one name are not kept.
const MAX_ADDRESSES: usize = 64;

/// The addresses of names, which are in lower case, in the order of the names.
pub struct Hosts(Vec<(Box<[u8]>, Vec<IpAddr>)>);

impl Hosts {
    /// The table of a file. `localhost` is in it, whatever the file says.
    pub fn parse(text: &[u8]) -> Hosts {
        let mut names = BTreeMap::new();
        for line in text.split(|&b| b == b'\n') {
            let entry = line.split(|&b| b == b'#').next().unwrap_or_default();
            let mut words =
                entry.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            let Some(ip) = words.next().and_then(ip) else { continue };
            for name in words {
                add(names.entry(name.to_ascii_lowercase().into()).or_default(), ip);
            }
        }
        let localhost = names.entry(Box::from(*b"localhost")).or_default();
        if !localhost.iter().any(IpAddr::is_ipv4) {
            localhost.push(Ipv4Addr::LOCALHOST.into());
        }
        // IPv4 first, as nginx's resolver answers; else as in the file.
        for addresses in names.values_mut() {
            addresses.sort_by_key(IpAddr::is_ipv6);
        }
        Hosts(names.into_iter().collect())
    }

    /// The addresses of a name, which may end in a dot and be in any case.
    pub fn find(&self, name: &[u8]) -> &[IpAddr] {
        let name = name.strip_suffix(b".").unwrap_or(name);
        let lower = || name.iter().map(u8::to_ascii_lowercase);
        match self.0.binary_search_by(|(entry, _)| entry.iter().copied().cmp(lower())) {
            Ok(i) => &self.0[i].1,
            Err(_) => &[],
        }
    }
}

fn add(addresses: &mut Vec<IpAddr>, ip: IpAddr) {
    if addresses.len() < MAX_ADDRESSES && !addresses.contains(&ip) {
        addresses.push(ip);
    }
}

fn ip(word: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &[u8], name: &str) -> String {
        let hosts = Hosts::parse(text);
        let found = hosts.find(name.as_bytes()).iter().map(ToString::to_string);
        found.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn names_of_a_file() {
        let text = b"\
# 127.0.0.9 commented\n\
127.0.0.1\tlocalhost  Localhost.LocalDomain\t loop # and more\n\
::1 localhost ip6-localhost\r\n\
  10.0.0.1 one two\n\
10.0.0.2 TWO#three\n\
fe80::1 two\n\
10.0.0.1 two two\n\
10.0.0.3 last";
        for (name, addresses) in [
            ("localhost", "127.0.0.1 ::1"),
            ("LOCALHOST.", "127.0.0.1 ::1"),
            ("localhost..", ""),
            ("localhost.localdomain", "127.0.0.1"),
            ("loop", "127.0.0.1"),
            ("ip6-localhost", "::1"),
            ("one", "10.0.0.1"),
            ("two", "10.0.0.1 10.0.0.2 fe80::1"),
            ("Two", "10.0.0.1 10.0.0.2 fe80::1"),
            ("last", "10.0.0.3"),
            ("three", ""),
            ("#three", ""),
            ("more", ""),
            ("commented", ""),
            ("10.0.0.1", ""),
            ("", ""),
        ] {
            assert_eq!(find(text, name), addresses, "{name}");
        }
    }

    #[test]
    fn localhost_is_always_there() {
        for (text, addresses) in [
            ("", "127.0.0.1"),
            ("127.0.0.2 localhost", "127.0.0.2"),
            ("::1 localhost", "127.0.0.1 ::1"),
            ("::1 localhost\n127.0.0.1 localhost", "127.0.0.1 ::1"),
            ("127.0.0.1 other", "127.0.0.1"),
        ] {
            assert_eq!(find(text.as_bytes(), "localhost"), addresses, "{text}");
        }
    }

    #[test]
    fn lines_that_are_no_entries() {
        for line in [
            "name",
            "name 127.0.0.5",
            "127.0.0.300 name",
            "127.1 name",
            "1.2.3.4.5 name",
            "[::2] name",
            "fe80::1%eth0 name",
            "\0 127.0.0.5 name",
            "127.0.0.5\0 name",
            "127.0.0.5name",
            "\u{ff} name",
            "#127.0.0.5 name",
            "127.0.0.5 #name",
            "127.0.0.5",
        ] {
            let text = format!("{line}\n127.0.0.6 other\n");
            assert_eq!(find(text.as_bytes(), "name"), "", "{line}");
            assert_eq!(find(text.as_bytes(), "other"), "127.0.0.6", "{line}");
        }
        assert_eq!(find(b"127.0.0.5 \xff\xfe a\n", "a"), "127.0.0.5");
        assert_eq!(find(&[0xff; 10_000], "a"), "");
    }

    #[test]
    fn a_name_with_many_addresses() {
        let lines: String =
            (0..1000).map(|n| format!("10.0.{}.{} many\n", n / 250, n % 250)).collect();
        let found = find(lines.as_bytes(), "many");
        assert_eq!(found.split(' ').count(), MAX_ADDRESSES);
        assert!(found.starts_with("10.0.0.0 10.0.0.1 "));
    }
}
