//! Who may connect: the rules of `allow` and `deny` that hold for a server.

use std::net::IpAddr;
use std::ops::BitAnd;

use crate::nginx::address::Address;
use crate::nginx::conf::cidr::Cidr;
use crate::nginx::conf::{Conf, ConfResult};

/// What a rule says of the clients it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allow,
    Deny,
}

/// The rules of a level in their order, a list a family as clients see them: the
/// first one that is for a client decides, and without one it may connect.
#[derive(Clone, Default)]
pub struct Rules {
    v4: Vec<Rule<u32>>,
    v6: Vec<Rule<u128>>,
    unix: Vec<Verdict>,
}

/// A rule for a network.
#[derive(Clone, Copy)]
struct Rule<Bits> {
    addr: Bits,
    mask: Bits,
    verdict: Verdict,
}

/// What a rule may be for.
#[derive(Clone, Copy)]
enum Subject {
    All,
    Unix,
    Network(Cidr),
}

impl Rules {
    /// Adds the rule of the directive being read: `allow subject;`.
    pub fn add(&mut self, cf: &Conf, verdict: Verdict) -> ConfResult {
        let subject = match cf.arg(1) {
            b"all" => Subject::All,
            b"unix:" => Subject::Unix,
            _ => Subject::Network(cf.cidr(1)?),
        };
        self.push(subject, verdict);
        Ok(())
    }

    /// Whether the client may connect.
    pub fn admit(&self, client: &Address) -> bool {
        let verdict = match client.ip_addr() {
            Some(IpAddr::V4(ip)) => find(&self.v4, ip.into()),
            Some(IpAddr::V6(ip)) => match ip.to_ipv4_mapped() {
                // An IPv4 client of an IPv6 socket. As in nginx: only where
                // nothing is said of IPv4 it is one of IPv6.
                Some(ip) if !self.v4.is_empty() => find(&self.v4, ip.into()),
                _ => find(&self.v6, ip.into()),
            },
            None => self.unix.first().copied(),
        };
        verdict != Some(Verdict::Deny)
    }

    fn push(&mut self, subject: Subject, verdict: Verdict) {
        match subject {
            Subject::All => {
                self.v4.push(Rule { addr: 0, mask: 0, verdict });
                self.v6.push(Rule { addr: 0, mask: 0, verdict });
                self.unix.push(verdict);
            }
            Subject::Unix => self.unix.push(verdict),
            Subject::Network(Cidr::V4 { addr, mask }) => {
                self.v4.push(Rule { addr, mask, verdict });
            }
            Subject::Network(Cidr::V6 { addr, mask }) => {
                self.v6.push(Rule { addr, mask, verdict });
            }
        }
    }
}

fn find<Bits>(rules: &[Rule<Bits>], client: Bits) -> Option<Verdict>
where
    Bits: Copy + PartialEq + BitAnd<Output = Bits>,
{
    let rule = rules.iter().find(|rule| client & rule.mask == rule.addr)?;
    Some(rule.verdict)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    /// The rules of `+network -all`: `+` allows, `-` denies.
    fn rules(text: &str) -> Rules {
        let mut rules = Rules::default();
        for word in text.split_whitespace() {
            let (sign, subject) = word.split_at(1);
            let verdict = if sign == "+" { Verdict::Allow } else { Verdict::Deny };
            rules.push(subject_of(subject), verdict);
        }
        rules
    }

    fn subject_of(text: &str) -> Subject {
        let (addr, len) = match text {
            "all" => return Subject::All,
            "unix:" => return Subject::Unix,
            _ => text.split_once('/').expect("a network"),
        };
        let len: u32 = len.parse().expect("a length");
        Subject::Network(if addr.contains(':') {
            let mask = u128::MAX.checked_shl(128 - len).unwrap_or(0);
            let addr: Ipv6Addr = addr.parse().expect("an address");
            Cidr::V6 { addr: addr.into(), mask }
        } else {
            let mask = u32::MAX.checked_shl(32 - len).unwrap_or(0);
            let addr: Ipv4Addr = addr.parse().expect("an address");
            Cidr::V4 { addr: addr.into(), mask }
        })
    }

    fn client(text: &str) -> Address {
        match text.strip_prefix("unix:") {
            Some(path) => Address::unix(path.as_bytes()).expect("a path"),
            None => Address::ip(text.parse().expect("an address"), 1),
        }
    }

    #[test]
    fn the_first_rule_that_is_for_a_client_decides() {
        #[rustfmt::skip]
        let cases: &[(&str, &str, &str)] = &[
            // rules, who may connect, who may not
            ("", "10.0.0.1 ::1 unix:/s ::ffff:10.0.0.1", ""),
            ("-all", "", "10.0.0.1 ::1 unix:/s ::ffff:10.0.0.1"),
            ("+all -all", "10.0.0.1 ::1 unix:/s ::ffff:10.0.0.1", ""),
            ("-10.1.0.0/16", "10.0.255.255 10.2.0.0 ::1 unix:/s", "10.1.0.0 10.1.255.255"),
            ("+10.1.2.3/32 -10.0.0.0/8", "10.1.2.3 11.0.0.0", "10.1.2.2 10.1.2.4 10.255.255.255"),
            ("-10.0.0.0/8 +10.1.2.3/32", "9.255.255.255", "10.1.2.3"),
            ("+10.0.0.0/8 -0.0.0.0/0", "10.9.8.7 ::1 unix:/s", "11.0.0.0 ::ffff:11.0.0.0"),
            ("+10.0.0.0/8 -all", "10.9.8.7 ::ffff:10.9.8.7", "11.0.0.0 ::1 unix:/s"),
            ("-fd00::/8", "fc00::1 fe80::1 10.0.0.1 unix:/s", "fd00:: fdff:ffff::1"),
            ("+::1/128 -::/0", "::1 10.0.0.1 unix:/s", "::2 fd00::1 ::ffff:10.0.0.1"),
            ("+unix: -all", "unix:/s", "10.0.0.1 ::1"),
            ("-unix:", "10.0.0.1 ::1", "unix:/s unix:@s"),
            ("-unix: +unix:", "", "unix:/s"),
            // An IPv4 client of an IPv6 socket.
            ("-::ffff:10.0.0.0/104", "::ffff:11.0.0.1 10.0.0.1", "::ffff:10.0.0.1"),
            ("-::ffff:10.0.0.0/104 -12.0.0.0/8", "::ffff:10.0.0.1", "::ffff:12.0.0.1"),
        ];
        for (text, admitted, refused) in cases {
            let rules = rules(text);
            for who in admitted.split_whitespace() {
                assert!(rules.admit(&client(who)), "{text}: {who}");
            }
            for who in refused.split_whitespace() {
                assert!(!rules.admit(&client(who)), "{text}: {who}");
            }
        }
    }
}
