//! The strings of `log_format`: what in them is text and what is a variable, and
//! the escapes of the variables' values. `tcp::access_log` calls it.

use std::fmt;

/// A part of a format.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    Text(&'a [u8]),
    /// The name of a variable, `$name` or `${name}`.
    Variable(&'a [u8]),
}

/// Why a string is no format; the text is nginx's.
#[derive(Debug, PartialEq, Eq)]
pub enum FormatError<'a> {
    /// A `$` without a name: what comes from there on.
    Invalid(&'a [u8]),
    /// `${name` without its `}`: the name.
    NotClosed(&'a [u8]),
}

/// How the bytes of values are written that could break a line apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// `\xHH`
    Default,
    /// As in a string of JSON.
    Json,
    None,
}

/// For each byte the bits of the escapes that write it in another way.
const CONCERNED: [u8; 256] = {
    let (mut bits, mut b) = ([0; 256], 0);
    while b < 256 {
        bits[b] = match b as u8 {
            0..0x20 | b'"' | b'\\' => 3,
            0x7f.. => 1,
            _ => 0,
        };
        b += 1;
    }
    bits
};

/// The parts of one string.
pub fn parse(mut rest: &[u8]) -> Result<Vec<Piece<'_>>, FormatError<'_>> {
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let text = memchr::memchr(b'$', rest).unwrap_or(rest.len());
        if text > 0 {
            pieces.push(Piece::Text(&rest[..text]));
            rest = &rest[text..];
            continue;
        }
        let open = rest.get(1) == Some(&b'{');
        let name = &rest[if open { 2 } else { 1 }..];
        let is_part = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        let end = name.iter().position(|b| !is_part(b)).unwrap_or(name.len());
        let (name, after) = name.split_at(end);
        let after = match (open, after) {
            (false, after) => after,
            (true, [b'}', after @ ..]) => after,
            (true, []) if name.is_empty() => return Err(FormatError::Invalid(rest)),
            (true, _) => return Err(FormatError::NotClosed(name)),
        };
        if name.is_empty() {
            return Err(FormatError::Invalid(rest));
        }
        pieces.push(Piece::Variable(name));
        rest = after;
    }
    Ok(pieces)
}

impl fmt::Display for FormatError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormatError::Invalid(rest) => {
                write!(f, "invalid parameter \"{}\"", String::from_utf8_lossy(rest))
            }
            FormatError::NotClosed(name) => {
                let name = String::from_utf8_lossy(name);
                write!(f, "the closing bracket in \"{name}\" variable is missing")
            }
        }
    }
}

impl Escape {
    /// The escape of that name, as `log_format` takes it.
    pub fn from_name(name: &[u8]) -> Option<Escape> {
        match name {
            b"default" => Some(Escape::Default),
            b"json" => Some(Escape::Json),
            b"none" => Some(Escape::None),
            _ => None,
        }
    }

    /// Escapes what is in `out` from `start` on.
    #[inline]
    pub fn apply(self, out: &mut Vec<u8>, start: usize) {
        let value = out.get(start..).unwrap_or_default();
        let known = self.bit();
        // Most values have none: so all bytes are looked at, without a branch for each.
        let found = value.iter().fold(0, |found, &b| found | CONCERNED[usize::from(b)]);
        if found & known != 0 {
            self.apply_from(out, start);
        }
    }

    fn bit(self) -> u8 {
        match self {
            Escape::Default => 1,
            Escape::Json => 2,
            Escape::None => 0,
        }
    }

    fn concerns(self, b: u8) -> bool {
        CONCERNED[usize::from(b)] & self.bit() != 0
    }

    #[cold]
    fn apply_from(self, out: &mut Vec<u8>, start: usize) {
        const HEX: &[u8; 16] = b"0123456789ABCDEF";
        let value = out.split_off(start);
        for &b in &value {
            let hex = [HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]];
            match (self, b) {
                (_, b) if !self.concerns(b) => out.push(b),
                (Escape::Json, b'"' | b'\\') => out.extend([b'\\', b]),
                (Escape::Json, b'\n') => out.extend(b"\\n"),
                (Escape::Json, b'\r') => out.extend(b"\\r"),
                (Escape::Json, b'\t') => out.extend(b"\\t"),
                (Escape::Json, 0x08) => out.extend(b"\\b"),
                (Escape::Json, 0x0c) => out.extend(b"\\f"),
                (Escape::Json, _) => {
                    out.extend(b"\\u00");
                    out.extend(hex);
                }
                _ => {
                    out.extend(b"\\x");
                    out.extend(hex);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_variables() {
        use Piece::{Text, Variable};
        let cases: &[(&str, &[Piece])] = &[
            ("", &[]),
            ("a b", &[Text(b"a b")]),
            ("$a", &[Variable(b"a")]),
            ("${a}", &[Variable(b"a")]),
            ("$a$b_1", &[Variable(b"a"), Variable(b"b_1")]),
            (
                "<$a>{$b}",
                &[Text(b"<"), Variable(b"a"), Text(b">{"), Variable(b"b"), Text(b"}")],
            ),
            ("${a}b", &[Variable(b"a"), Text(b"b")]),
            ("$a-b", &[Variable(b"a"), Text(b"-b")]),
        ];
        for (format, expected) in cases {
            assert_eq!(parse(format.as_bytes()).as_deref(), Ok(*expected), "{format}");
        }
    }

    #[test]
    fn what_is_no_format() {
        for (format, text) in [
            ("$", "invalid parameter \"$\""),
            ("a$", "invalid parameter \"$\""),
            ("$a $ b", "invalid parameter \"$ b\""),
            ("$$a", "invalid parameter \"$$a\""),
            ("${", "invalid parameter \"${\""),
            ("${}", "invalid parameter \"${}\""),
            ("${a", "the closing bracket in \"a\" variable is missing"),
            ("${a b}", "the closing bracket in \"a\" variable is missing"),
        ] {
            let error = parse(format.as_bytes()).expect_err(format);
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn escapes() {
        let value = b"a\"\\\n\t\x08\x0c\x00\x1f \x7f~\xff";
        for (escape, expected) in [
            (
                Escape::Default,
                &b"<a\\x22\\x5C\\x0A\\x09\\x08\\x0C\\x00\\x1F \\x7F~\\xFF"[..],
            ),
            (Escape::Json, b"<a\\\"\\\\\\n\\t\\b\\f\\u0000\\u001F \x7f~\xff"),
            (Escape::None, b"<a\"\\\n\t\x08\x0c\x00\x1f \x7f~\xff"),
        ] {
            let mut out = b"<".to_vec();
            out.extend_from_slice(value);
            escape.apply(&mut out, 1);
            assert_eq!(out, expected, "{escape:?}");
        }
    }
}
