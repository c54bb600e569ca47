//! The parameters of the `listen` directive.

use crate::nginx::conf::lossy;
use crate::nginx::listening::{KeepAlive, ListenOptions};
use crate::tcp::number;

/// What follows the address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub socket: ListenOptions,
    /// The address gets a socket of its own even where `*:port` has one.
    pub bind: bool,
    /// Clients speak TLS.
    pub ssl: bool,
}

impl Options {
    /// Takes one parameter. As in nginx's stream module, all that changes the
    /// socket implies `bind`.
    pub fn set(&mut self, word: &[u8]) -> Result<(), String> {
        let (name, value) = match memchr::memchr(b'=', word) {
            Some(at) => (&word[..at], Some(&word[at + 1..])),
            None => (word, None),
        };
        let invalid = |what: &str| format!("invalid {what} \"{}\"", lossy(word));
        let socket = &mut self.socket;
        match (name, value) {
            (b"bind", None) => {}
            (b"deferred", None) => socket.deferred = true,
            (b"reuseport", None) => socket.reuseport = true,
            (b"backlog", Some(n)) => {
                let n = number::integer(n).filter(|&n| n > 0);
                socket.backlog = n.ok_or_else(|| invalid("backlog"))?;
            }
            (b"fastopen", Some(n)) => {
                socket.fastopen =
                    number::integer(n).ok_or_else(|| invalid("fastopen"))?;
            }
            (b"rcvbuf", Some(size)) => {
                socket.rcvbuf = number::size(size).ok_or_else(|| invalid("rcvbuf"))?;
            }
            (b"sndbuf", Some(size)) => {
                socket.sndbuf = number::size(size).ok_or_else(|| invalid("sndbuf"))?;
            }
            (b"ipv6only", Some(flag)) => {
                socket.ipv6only = match flag {
                    b"on" => true,
                    b"off" => false,
                    _ => {
                        return Err(format!(
                            "invalid ipv6only flags \"{}\"",
                            lossy(flag)
                        ));
                    }
                };
            }
            (b"so_keepalive", Some(value)) => {
                socket.keepalive = keepalive(value).ok_or_else(|| {
                    format!("invalid so_keepalive value: \"{}\"", lossy(value))
                })?;
            }
            (b"ssl", None) => {
                // Nothing of the socket.
                self.ssl = true;
                return Ok(());
            }
            _ => return Err(format!("the invalid \"{}\" parameter", lossy(word))),
        }
        self.bind = true;
        Ok(())
    }
}

/// `on`, `off` or `[idle]:[interval]:[count]`, of which one must be there.
fn keepalive(value: &[u8]) -> Option<KeepAlive> {
    match value {
        b"on" => return Some(KeepAlive::On { idle: 0, interval: 0, count: 0 }),
        b"off" => return Some(KeepAlive::Off),
        _ => {}
    }
    let mut parts = value.splitn(3, |&b| b == b':');
    let mut next = |parse: fn(&[u8]) -> Option<i32>| match parts.next() {
        None | Some(b"") => Some(0),
        Some(part) => parse(part),
    };
    let idle = next(number::seconds)?;
    let interval = next(number::seconds)?;
    let count = next(number::integer)?;
    let is_empty = idle == 0 && interval == 0 && count == 0;
    (!is_empty).then_some(KeepAlive::On { idle, interval, count })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> Result<Options, String> {
        let mut options = Options::default();
        words.iter().try_for_each(|word| options.set(word.as_bytes()))?;
        Ok(options)
    }

    #[test]
    fn parameters_imply_bind() {
        let options = options(&["backlog=5", "deferred", "ipv6only=off", "fastopen=3"]);
        let options = options.expect("valid");
        assert!(options.bind && options.socket.deferred && !options.socket.ipv6only);
        assert_eq!((options.socket.backlog, options.socket.fastopen), (5, 3));
        assert!(!Options::default().bind);
    }

    #[test]
    fn tls_is_nothing_of_the_socket() {
        let options = options(&["ssl"]).expect("valid");
        assert!(options.ssl && !options.bind);
    }

    #[test]
    fn keepalive_values() {
        let on = |idle, interval, count| Some(KeepAlive::On { idle, interval, count });
        for (value, expected) in [
            ("on", on(0, 0, 0)),
            ("off", Some(KeepAlive::Off)),
            ("30s:10:3", on(30, 10, 3)),
            ("30m::10", on(1800, 0, 10)),
            ("5", on(5, 0, 0)),
            (":5", on(0, 5, 0)),
            ("::5", on(0, 0, 5)),
            ("0:0:0", None),
            ("1:x:1", None),
        ] {
            assert_eq!(keepalive(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn bad_parameters() {
        for (word, expected) in [
            ("backlog=0", "invalid backlog \"backlog=0\""),
            ("backlog=", "invalid backlog \"backlog=\""),
            ("backlog=-1", "invalid backlog \"backlog=-1\""),
            ("backlog=99999999999", "invalid backlog \"backlog=99999999999\""),
            ("backlog", "the invalid \"backlog\" parameter"),
            ("fastopen=x", "invalid fastopen \"fastopen=x\""),
            ("ipv6only=o", "invalid ipv6only flags \"o\""),
            ("so_keepalive=", "invalid so_keepalive value: \"\""),
            ("so_keepalive=::", "invalid so_keepalive value: \"::\""),
            ("so_keepalive=::x", "invalid so_keepalive value: \"::x\""),
            ("so_keepalive=::1:2", "invalid so_keepalive value: \"::1:2\""),
            ("bind=1", "the invalid \"bind=1\" parameter"),
            ("setfib=1", "the invalid \"setfib=1\" parameter"),
            ("foo", "the invalid \"foo\" parameter"),
        ] {
            assert_eq!(options(&[word]), Err(expected.to_owned()), "{word}");
        }
    }
}
