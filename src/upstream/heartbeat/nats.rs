//! NATS: a server sends PING every now and then, and closes a connection that
//! does not answer with PONG.

use super::super::pool::Heartbeat;
use crate::text::nats::{Frame, Parsed, Parser, is_leaving};

/// What the server has sent.
#[derive(Default)]
pub struct Nats {
    parser: Parser,
    /// The beginning of a frame.
    rest: Vec<u8>,
    info: Option<Vec<u8>>,
}

impl Heartbeat for Nats {
    fn feed(&mut self, bytes: &[u8], reply: &mut Vec<u8>) -> bool {
        if self.rest.is_empty() {
            let taken = self.answer(bytes, reply);
            self.rest.extend_from_slice(&bytes[taken.unwrap_or(bytes.len())..]);
            return taken.is_some();
        }
        let mut rest = std::mem::take(&mut self.rest);
        rest.extend_from_slice(bytes);
        let taken = self.answer(&rest, reply);
        rest.drain(..taken.unwrap_or(rest.len()));
        self.rest = rest;
        taken.is_some()
    }

    fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest)
    }

    fn info(&mut self) -> Option<Vec<u8>> {
        self.info.take()
    }
}

impl Nats {
    /// Answers the frames at the beginning: how long they are. None: the connection
    /// is of no use after them. A message has no place here, as nobody has
    /// subscribed to anything.
    fn answer(&mut self, bytes: &[u8], reply: &mut Vec<u8>) -> Option<usize> {
        let mut at = 0;
        loop {
            let n = match self.parser.parse(&bytes[at..]) {
                Parsed::Frame(Frame::Ping, n) => {
                    reply.extend_from_slice(b"PONG\r\n");
                    n
                }
                Parsed::Frame(Frame::Pong | Frame::Ok, n) => n,
                // A server in lame duck mode is about to leave.
                Parsed::Frame(Frame::Info(info), n) if !is_leaving(info) => {
                    self.info = Some(info.to_vec());
                    n
                }
                Parsed::Missing(_) if !self.parser.is_in_message() => return Some(at),
                _ => return None,
            };
            at += n;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds pieces; what is answered, or None if the connection is given up.
    fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<String> {
        let (mut nats, mut reply) = (Nats::default(), Vec::new());
        for piece in pieces {
            if !nats.feed(piece, &mut reply) {
                return None;
            }
        }
        Some(String::from_utf8(reply).unwrap())
    }

    #[test]
    fn what_a_server_sends() {
        for (bytes, expected) in [
            ("", Some("")),
            ("PING\r\n", Some("PONG\r\n")),
            ("ping\nPING\r\n", Some("PONG\r\nPONG\r\n")),
            ("+OK\r\nPONG\r\n", Some("")),
            ("INFO {\"a\":1} \r\nPING\r\n", Some("PONG\r\n")),
            ("INFO {\"ldm\":true}\r\n", None),
            ("INFO {\"ldm\": true }\r\n", None),
            ("INFO {\"ldm\":false}\r\nPING\r\n", Some("PONG\r\n")),
            ("PING\r\nMSG a 1 2\r\nhi\r\n", None),
            ("PING\r\nMSG a 1 2\r\nh", None),
            ("HMSG a 1 12 14\r\n", None),
            ("-ERR 'Stale Connection'\r\n", None),
            ("\r\n", None),
            ("PINGS\r\n", None),
        ] {
            let whole = feed([bytes.as_bytes()]);
            assert_eq!(whole.as_deref(), expected, "{bytes:?}");
            let cut = feed(bytes.as_bytes().chunks(1));
            assert_eq!(cut.as_deref(), expected, "{bytes:?} cut");
        }
    }

    #[test]
    fn a_line_without_end() {
        assert_eq!(feed([vec![b'x'; 64 * 1024 + 1].as_slice()]), None);
        let info = [b"INFO ".as_slice(), &vec![b'x'; 1024 * 1024]].concat();
        assert_eq!(feed(info.chunks(4096)), None);
    }

    #[test]
    fn what_is_left_for_the_next_user() {
        let (mut nats, mut reply) = (Nats::default(), Vec::new());
        assert!(nats.feed(b"PING\r\nINFO {1}\r\nINFO {2}\r\nPI", &mut reply));
        assert_eq!(nats.rest(), b"PI");
        assert_eq!(nats.rest(), b"");
        assert_eq!(nats.info().as_deref(), Some(b"{2}".as_slice()));
        assert_eq!(nats.info(), None);
    }
}
