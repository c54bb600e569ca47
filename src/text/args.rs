//! Query strings, `a=1&b&c=x%20y`: `ngx.encode_args` and `ngx.decode_args`.
//!
//! Called by `api`, which walks the Lua table and pushes pairs into an
//! `Encoder`, or builds one from what a `Decoder` yields. Names and values are
//! escaped as parts of a URI. A name that comes twice is yielded twice: it is
//! the caller who makes an array of it.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::uri::{Escape, escape_uri, unescaped};

/// How many pairs `ngx.decode_args` reads when not told.
pub const DEFAULT_MAX: usize = 100;

/// The value of one pair to encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Lua `true`: the name alone, without `=`.
    True,
    /// `name=value`.
    Str(&'a [u8]),
}

/// Appends pairs to a buffer with `&` between them.
///
/// A Lua `false`, and an empty array as a value, push nothing.
///
/// ```
/// # use ngx_tcp_lua_module::text::args::{Encoder, Value};
/// let mut out = Vec::new();
/// let mut args = Encoder::new(&mut out);
/// args.push(b"a b", Value::Str(b"1"));
/// args.push(b"c", Value::True);
/// assert_eq!(out, b"a%20b=1&c");
/// ```
pub struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    separator: &'static [u8],
}

impl<'a> Encoder<'a> {
    /// An encoder whose first pair goes to the end of `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, separator: b"" }
    }

    /// Appends one pair.
    pub fn push(&mut self, name: &[u8], value: Value<'_>) {
        self.out.extend_from_slice(self.separator);
        self.separator = b"&";

        escape_uri(name, Escape::Component, self.out);
        if let Value::Str(value) = value {
            self.out.push(b'=');
            escape_uri(value, Escape::Component, self.out);
        }
    }
}

/// One decoded pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    pub name: Cow<'a, [u8]>,
    /// `None` for a name without `=`: Lua `true`.
    pub value: Option<Cow<'a, [u8]>>,
}

/// Yields the pairs of a query string in order; see `decode_args`.
pub struct Decoder<'a> {
    rest: &'a [u8],
    left: Limit,
}

enum Limit {
    None,
    Pairs(usize),
    Reached,
}

/// Splits `src` into at most `max` pairs (0: any number) and decodes `%XX` and
/// `+` in them.
///
/// As OpenResty: pairs without a name are left out but count; only the first
/// `=` divides; the limit is looked at where an `&` follows.
pub fn decode_args(src: &[u8], max: usize) -> Decoder<'_> {
    let left = if max == 0 { Limit::None } else { Limit::Pairs(max) };
    Decoder { rest: src, left }
}

impl Decoder<'_> {
    /// Whether the limit ended the iteration before the end of the string: the
    /// second result `"truncated"` of `ngx.decode_args`.
    pub fn truncated(&self) -> bool {
        matches!(self.left, Limit::Reached)
    }

    fn count_one(&mut self) {
        if let Limit::Pairs(n) = &mut self.left {
            *n -= 1;
            if *n == 0 {
                self.left = Limit::Reached;
                self.rest = b"";
            }
        }
    }
}

impl<'a> Iterator for Decoder<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        while !self.rest.is_empty() {
            let src = self.rest;
            let name_end = memchr2(b'=', b'&', src).unwrap_or(src.len());
            let (name, after) = src.split_at(name_end);

            let (value, after) = match after.strip_prefix(b"=") {
                Some(v) => {
                    let (v, after) = v.split_at(memchr(b'&', v).unwrap_or(v.len()));
                    (Some(v), after)
                }
                None => (None, after),
            };

            self.rest = after;
            if let Some(after) = after.strip_prefix(b"&") {
                self.rest = after;
                self.count_one();
            }

            if !name.is_empty() {
                return Some(Pair { name: unescaped(name), value: value.map(unescaped) });
            }
        }

        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(pairs: &[(&str, Value<'_>)]) -> String {
        let mut out = Vec::new();
        let mut args = Encoder::new(&mut out);
        for (name, value) in pairs {
            args.push(name.as_bytes(), *value);
        }
        String::from_utf8(out).unwrap()
    }

    /// Decodes into "name:value" words; `name!` is a name that is true.
    fn decode(src: &str, max: usize) -> (String, bool) {
        let mut args = decode_args(src.as_bytes(), max);
        let mut words = Vec::new();
        for pair in args.by_ref() {
            let name = String::from_utf8_lossy(&pair.name).into_owned();
            words.push(match pair.value {
                Some(v) => format!("{name}:{}", String::from_utf8_lossy(&v)),
                None => format!("{name}!"),
            });
        }
        (words.join(" "), args.truncated())
    }

    #[test]
    fn encode_table() {
        use Value::{Str, True};

        assert_eq!(encode(&[]), "");
        assert_eq!(encode(&[("a", True)]), "a");
        assert_eq!(encode(&[("a", Str(b""))]), "a=");
        assert_eq!(encode(&[("a b", Str(b"1")), ("a b", True)]), "a%20b=1&a%20b");
        assert_eq!(encode(&[("", True), ("", Str(b"z"))]), "&=z");
        assert_eq!(encode(&[("k&=", Str(b"v&="))]), "k%26%3D=v%26%3D");
    }

    /// What lua-nginx-module 0.10.23 answers for the same strings.
    #[test]
    fn decode_table() {
        let cases = [
            ("", ""),
            ("a", "a!"),
            ("a=", "a:"),
            ("=b", ""),
            ("=", ""),
            ("&", ""),
            ("a&&b", "a! b!"),
            ("a=1&a=2", "a:1 a:2"),
            ("a=b=c", "a:b=c"),
            ("a%3d=b%26", "a=:b&"),
            ("a;b", "a;b!"),
            ("a=1&", "a:1"),
            ("a+b=c+d", "a b:c d"),
            ("&=&a=1", "a:1"),
            ("%zz=%", "%zz:%"),
        ];
        for (src, want) in cases {
            assert_eq!(decode(src, 0), (want.to_string(), false), "{src}");
        }
    }

    #[test]
    fn decode_limit() {
        let cases = [
            ("a=1&b=2&c=3", 2, "a:1 b:2", true),
            ("=&&b=2&c=3", 2, "", true),
            ("a=1&b=2", 2, "a:1 b:2", false),
            ("a&b", 1, "a!", true),
            ("a&", 1, "a!", true),
            ("a", 1, "a!", false),
            ("", 1, "", false),
        ];
        for (src, max, want, truncated) in cases {
            assert_eq!(decode(src, max), (want.to_string(), truncated), "{src} {max}");
        }
    }

    #[test]
    fn decode_copies_only_what_was_escaped() {
        let pair = decode_args(b"plain=a%20b", 0).next().unwrap();
        assert!(matches!(pair.name, Cow::Borrowed(_)));
        assert!(matches!(pair.value, Some(Cow::Owned(_))));
    }
}
