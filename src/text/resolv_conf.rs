//! `/etc/resolv.conf`: the system's name servers, as resolv.conf(5) describes it.
//!
//! `tcp/names.rs` reads the file for the servers that name no resolver.

use std::net::IpAddr;

/// As many as the system asks: MAXNS of resolv.h.
const MAX_NAME_SERVERS: usize = 3;

/// The name servers in the order of the file, without those whose address nginx
/// does not know: with a zone (`fe80::1%eth0`).
pub fn name_servers(text: &[u8]) -> Vec<IpAddr> {
    text.split(|&b| b == b'\n').filter_map(name_server).take(MAX_NAME_SERVERS).collect()
}

/// The keyword begins the line; after the address anything may follow.
fn name_server(line: &[u8]) -> Option<IpAddr> {
    let rest = line.strip_prefix(b"nameserver")?;
    if !rest.first()?.is_ascii_whitespace() {
        return None;
    }
    let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    std::str::from_utf8(words.next()?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_of_a_file() {
        for (text, servers) in [
            ("", ""),
            ("nameserver 127.0.0.1", "127.0.0.1"),
            ("nameserver\t\t127.0.0.1\t# one\r\n", "127.0.0.1"),
            ("nameserver 127.0.0.1;two\nnameserver ::1;\nnameserver ::2", "::2"),
            ("search a b\nnameserver ::1\noptions ndots:2\n", "::1"),
            ("#nameserver 1.1.1.1\n;nameserver 1.1.1.2\nnameserver 1.1.1.3", "1.1.1.3"),
            (" nameserver 1.1.1.1", ""),
            ("nameservers 1.1.1.1", ""),
            ("nameserver1.1.1.1", ""),
            ("nameserver", ""),
            ("nameserver ", ""),
            ("nameserver dns.test", ""),
            ("nameserver 1.1.1\nnameserver 1.1.1.300", ""),
            ("nameserver fe80::1%eth0\nnameserver fe80::1", "fe80::1"),
            ("nameserver [::1]:53\nnameserver 1.1.1.1:53", ""),
            ("nameserver \u{0}1.1.1.1\nnameserver \u{ff}", ""),
            (
                "nameserver 1.1.1.1\nnameserver x\nnameserver 1.1.1.2\n\
                 nameserver ::3\nnameserver 1.1.1.4\n",
                "1.1.1.1 1.1.1.2 ::3",
            ),
        ] {
            let found = name_servers(text.as_bytes());
            let found: Vec<_> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found.join(" "), servers, "{text}");
        }
        assert!(name_servers(&[0xff; 10_000]).is_empty());
    }
}
