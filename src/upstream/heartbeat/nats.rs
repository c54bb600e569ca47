//! NATS: a server sends PING every now and then, and closes a connection that
//! does not answer with PONG.

use super::super::pool::Heartbeat;

/// A line of the protocol is no longer than this; INFO of a large cluster is the
/// longest.
const MAX_LINE: usize = 64 * 1024;

/// What the server has sent of a line that is not complete.
#[derive(Default)]
pub struct Nats {
    line: Vec<u8>,
}

impl Heartbeat for Nats {
    fn feed(&mut self, bytes: &[u8], reply: &mut Vec<u8>) -> bool {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let good = if self.line.is_empty() {
                answer(&rest[..end], reply)
            } else {
                self.line.extend_from_slice(&rest[..end]);
                answer(&std::mem::take(&mut self.line), reply)
            };
            if !good {
                return false;
            }
            rest = &rest[end + 1..];
        }
        self.line.extend_from_slice(rest);
        self.line.len() <= MAX_LINE
    }

    fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.line)
    }
}

/// Answers a line; false if the connection is of no use after it. A message has
/// no place here, as nobody has subscribed to anything.
fn answer(line: &[u8], reply: &mut Vec<u8>) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let word = line.split(|&b| b == b' ' || b == b'\t').next().unwrap_or_default();
    if word.eq_ignore_ascii_case(b"PING") {
        reply.extend_from_slice(b"PONG\r\n");
        return true;
    }
    if word.eq_ignore_ascii_case(b"PONG") || word.eq_ignore_ascii_case(b"+OK") {
        return true;
    }
    // A server in lame duck mode is about to leave.
    word.eq_ignore_ascii_case(b"INFO")
        && memchr::memmem::find(line, b"\"ldm\":true").is_none()
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
            ("ping\r\nPING\r\n", Some("PONG\r\nPONG\r\n")),
            ("+OK\r\nPONG\r\n", Some("")),
            ("INFO {\"a\":1}\r\nPING\r\n", Some("PONG\r\n")),
            ("INFO {\"ldm\":true}\r\n", None),
            ("PING\r\nMSG a 1 2\r\nhi\r\n", None),
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
        let long = vec![b'x'; MAX_LINE + 1];
        assert_eq!(feed([long.as_slice()]), None);
    }

    #[test]
    fn what_is_left_for_the_next_user() {
        let (mut nats, mut reply) = (Nats::default(), Vec::new());
        assert!(nats.feed(b"PING\r\nPI", &mut reply));
        assert_eq!(nats.rest(), b"PI");
        assert_eq!(nats.rest(), b"");
    }
}
