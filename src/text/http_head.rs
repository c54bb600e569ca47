//! Lines of the head of an HTTP response, as most are: for the library http,
//! whose own reader takes whatever this does not know.

use memchr::memchr;

/// A line `NAME: VALUE`.
#[derive(Debug, PartialEq, Eq)]
pub struct Header<'a> {
    pub name: &'a [u8],
    /// Without the blanks around it.
    pub value: &'a [u8],
    /// Bytes of the whole line.
    pub len: usize,
}

/// The first line of a response.
#[derive(Debug, PartialEq, Eq)]
pub struct Status<'a> {
    pub minor: u8,
    pub code: u16,
    /// The code, and the reason if there is one.
    pub info: &'a [u8],
    /// Bytes of the whole line.
    pub len: usize,
}

/// The header at the beginning of `text`: its name is of letters, digits, `-` and
/// `_`, its value without control characters but tabs.
pub fn header(text: &[u8]) -> Option<Header<'_>> {
    let (line, len) = line(text)?;
    let colon = line.iter().position(|&b| !is_name(b))?;
    if colon == 0 || line[colon] != b':' {
        return None;
    }
    let value = trimmed(&line[colon + 1..]);
    Some(Header { name: &line[..colon], value, len })
}

/// The status line at the beginning of `text`.
pub fn status(text: &[u8]) -> Option<Status<'_>> {
    let (line, len) = line(text)?;
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let (&[minor, blank, a, b, c], reason) = rest.split_first_chunk::<5>()?;
    let is_code = matches!(a, b'1'..=b'9') && b.is_ascii_digit() && c.is_ascii_digit();
    if !minor.is_ascii_digit() || blank != b' ' || !is_code {
        return None;
    }
    let info = match reason {
        [] | [b' '] => &rest[2..5],
        [b' ', ..] => &rest[2..],
        _ => return None,
    };
    let digit = |b: u8| u16::from(b - b'0');
    let code = digit(a) * 100 + digit(b) * 10 + digit(c);
    Some(Status { minor: minor - b'0', code, info, len })
}

/// The first line without its end, LF or CR LF, and how long it is with that;
/// None if it is not whole, or there is a control character in it.
fn line(text: &[u8]) -> Option<(&[u8], usize)> {
    let end = memchr(b'\n', text)?;
    let line = &text[..end];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // Without a way out: the compiler looks at many bytes at once.
    let is_control = |b: u8| (b < b' ' && b != b'\t') || b == 0x7f;
    let dirty = line.iter().fold(false, |dirty, &b| dirty | is_control(b));
    (!dirty).then_some((line, end + 1))
}

fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'-' || b == b'_'
}

fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        for (text, expected) in [
            ("A: b\r\nC: d\r\n", Some(("A", "b", 6))),
            ("Content-Length:12\n", Some(("Content-Length", "12", 18))),
            ("X_1: \t a\tb c \t\r\n", Some(("X_1", "a\tb c", 16))),
            ("A:\r\n", Some(("A", "", 4))),
            ("A:: b:\n", Some(("A", ": b:", 7))),
            ("A: \u{fc}\n", Some(("A", "\u{fc}", 6))),
            ("A: b\r", None),
            ("A: b", None),
            ("A: b\rc\r\n", None),
            ("A: b\0\r\n", None),
            ("A: b\x7f\r\n", None),
            ("A : b\r\n", None),
            (" A: b\r\n", None),
            (": b\r\n", None),
            ("A\r\n", None),
            ("A\n", None),
            ("\r\n", None),
            ("\n", None),
            ("", None),
            ("A.B: c\r\n", None),
        ] {
            let found = header(text.as_bytes());
            let found = found.as_ref().map(|header| {
                let text = |bytes| std::str::from_utf8(bytes).unwrap();
                (text(header.name), text(header.value), header.len)
            });
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn status_lines() {
        for (text, expected) in [
            ("HTTP/1.1 200 OK\r\nA", Some((1, 200, "200 OK", 17))),
            ("HTTP/1.0 404 Not  Found \n", Some((0, 404, "404 Not  Found ", 25))),
            ("HTTP/1.1 204 \r\n", Some((1, 204, "204", 15))),
            ("HTTP/1.1 204\r\n", Some((1, 204, "204", 14))),
            ("HTTP/1.1 2045\r\n", None),
            ("HTTP/1.1 20\r\n", None),
            ("HTTP/1.1 099 X\r\n", None),
            ("HTTP/1.1  200 OK\r\n", None),
            ("HTTP/1.x 200 OK\r\n", None),
            ("HTTP/2.0 200 OK\r\n", None),
            ("HTTP/1.1 200 O\0K\r\n", None),
            ("HTTP/1.1 200 OK", None),
            ("", None),
        ] {
            let found = status(text.as_bytes());
            let found = found.as_ref().map(|status| {
                let info = std::str::from_utf8(status.info).unwrap();
                (status.minor, status.code, info, status.len)
            });
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
