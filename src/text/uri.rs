//! `%XX` escapes: `ngx.escape_uri` and `ngx.unescape_uri`.
//!
//! Called by `api` and by `args`. The sets of bytes are those of
//! lua-nginx-module's `ngx.escape_uri(str, type)`, which differ from nginx's
//! own `ngx_escape_uri()`.

use std::borrow::Cow;

use memchr::memchr2;

/// What the escaped text is for: the `type` of `ngx.escape_uri(str, type)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escape {
    /// 0: a whole URI; only what no URI may hold is escaped.
    Uri,
    /// 1: a query string as a whole.
    Args,
    /// 2, the default: one part of a URI, as JavaScript's `encodeURIComponent`.
    /// Letters, digits and `- . _ ~ ! ' ( ) *` stay.
    ///
    /// Five more bytes are escaped than by the original tcp-lua module, which
    /// left `$`, `,`, `@`, `` ` `` and `|` as they were.
    #[default]
    Component,
    /// 3: a URI inside an HTML attribute.
    Html,
    /// 4: a URI inside a Refresh header.
    Refresh,
    /// 5 and 6: a memcached key, a mail auth header; bytes above 0x7e stay.
    Memcached,
}

/// Which bytes are to be escaped.
type ByteSet = [bool; 256];

const CONTROLS: ByteSet = with_range(with(&[false; 256], b" "), 0x00, 0x1f);
const CONTROLS_HIGH: ByteSet = with_range(CONTROLS, 0x7f, 0xff);

static URI: ByteSet = with(&CONTROLS_HIGH, b"#%?");
static ARGS: ByteSet = with(&CONTROLS_HIGH, b"#%+?");
static COMPONENT: ByteSet = with(&CONTROLS_HIGH, b"\"#$%&+,/:;<=>?@[\\]^`{|}");
static HTML: ByteSet = with(&CONTROLS_HIGH, b"\"#%'");
static REFRESH: ByteSet = with(&CONTROLS_HIGH, b"\"%'");
static MEMCACHED: ByteSet = with(&CONTROLS, b"%");

impl Escape {
    /// The kind with this number, 0 to 6.
    pub fn from_type(n: i64) -> Option<Self> {
        Some(match n {
            0 => Self::Uri,
            1 => Self::Args,
            2 => Self::Component,
            3 => Self::Html,
            4 => Self::Refresh,
            5 | 6 => Self::Memcached,
            _ => return None,
        })
    }

    fn set(self) -> &'static ByteSet {
        match self {
            Self::Uri => &URI,
            Self::Args => &ARGS,
            Self::Component => &COMPONENT,
            Self::Html => &HTML,
            Self::Refresh => &REFRESH,
            Self::Memcached => &MEMCACHED,
        }
    }
}

/// Whether escaping `src` would change it; if not, the caller keeps its string.
pub fn needs_escape(src: &[u8], how: Escape) -> bool {
    let set = how.set();
    src.iter().any(|&c| set[usize::from(c)])
}

/// Appends `src` to `out` with `%XX`, upper case, for what `how` does not allow.
///
/// ```
/// # use ngx_tcp_lua_module::text::uri::{Escape, escape_uri};
/// let mut out = Vec::new();
/// escape_uri(b"a b&c", Escape::Component, &mut out);
/// assert_eq!(out, b"a%20b%26c");
/// ```
pub fn escape_uri(src: &[u8], how: Escape, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";

    let set = how.set();
    let mut copied = 0;
    out.reserve(src.len());

    for (i, &c) in src.iter().enumerate() {
        if set[usize::from(c)] {
            out.extend_from_slice(&src[copied..i]);
            out.extend([b'%', HEX[usize::from(c >> 4)], HEX[usize::from(c & 15)]]);
            copied = i + 1;
        }
    }

    out.extend_from_slice(&src[copied..]);
}

/// Appends `src` to `out` with `%XX` decoded and `+` read as a space; a `%`
/// without two hex digits behind it stays.
pub fn unescape_uri(src: &[u8], out: &mut Vec<u8>) {
    let mut rest = src;
    out.reserve(src.len());

    while let Some(i) = memchr2(b'%', b'+', rest) {
        out.extend_from_slice(&rest[..i]);

        let (byte, used) = match &rest[i..] {
            [b'+', ..] => (b' ', 1),
            [_, a, b, ..] => match (hex_value(*a), hex_value(*b)) {
                (Some(a), Some(b)) => (a << 4 | b, 3),
                _ => (b'%', 1),
            },
            _ => (b'%', 1),
        };

        out.push(byte);
        rest = &rest[i + used..];
    }

    out.extend_from_slice(rest);
}

/// `unescape_uri` that copies only where there is something to decode.
pub fn unescaped(src: &[u8]) -> Cow<'_, [u8]> {
    if memchr2(b'%', b'+', src).is_none() {
        return Cow::Borrowed(src);
    }

    let mut out = Vec::new();
    unescape_uri(src, &mut out);
    Cow::Owned(out)
}

fn hex_value(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        b'A'..=b'F' => Some(c - b'A' + 10),
        _ => None,
    }
}

const fn with(set: &ByteSet, bytes: &[u8]) -> ByteSet {
    let mut set = *set;
    let mut i = 0;
    while i < bytes.len() {
        set[bytes[i] as usize] = true;
        i += 1;
    }
    set
}

const fn with_range(mut set: ByteSet, first: usize, last: usize) -> ByteSet {
    let mut i = first;
    while i <= last {
        set[i] = true;
        i += 1;
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escape(src: &[u8], how: Escape) -> Vec<u8> {
        let mut out = Vec::new();
        escape_uri(src, how, &mut out);
        out
    }

    fn unescape(src: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        unescape_uri(src, &mut out);
        out
    }

    /// What stays of the printable bytes, as lua-nginx-module 0.10.23 answers.
    #[test]
    fn printable_bytes_that_stay() {
        let punctuation = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
        let cases: [(i64, &str); 7] = [
            (0, "!\"$&'()*+,-./:;<=>@[\\]^_`{|}~"),
            (1, "!\"$&'()*,-./:;<=>@[\\]^_`{|}~"),
            (2, "!'()*-._~"),
            (3, "!$&()*+,-./:;<=>?@[\\]^_`{|}~"),
            (4, "!#$&()*+,-./:;<=>?@[\\]^_`{|}~"),
            (5, "!\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"),
            (6, "!\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"),
        ];

        for (n, stays) in cases {
            let how = Escape::from_type(n).unwrap();
            let kept: Vec<u8> = punctuation
                .iter()
                .copied()
                .filter(|&c| !needs_escape(&[c], how))
                .collect();
            assert_eq!(String::from_utf8(kept).unwrap(), stays, "type {n}");
        }
    }

    #[test]
    fn letters_stay_and_controls_do_not() {
        for n in 0..=6 {
            let how = Escape::from_type(n).unwrap();
            for c in 0..=255u8 {
                let plain = c.is_ascii_alphanumeric() || (n >= 5 && c >= 0x7f);
                if plain {
                    assert_eq!(escape(&[c], how), [c], "type {n} byte {c}");
                } else if !c.is_ascii_graphic() {
                    let want = format!("%{c:02X}");
                    assert_eq!(escape(&[c], how), want.as_bytes(), "type {n} byte {c}");
                }
            }
        }
    }

    #[test]
    fn type_out_of_range() {
        assert_eq!(Escape::from_type(-1), None);
        assert_eq!(Escape::from_type(7), None);
        assert_eq!(Escape::from_type(2), Some(Escape::default()));
    }

    #[test]
    fn escape_appends() {
        let cases: [(&str, &str); 5] = [
            ("", ""),
            ("abc", "abc"),
            ("a b", "a%20b"),
            ("%", "%25"),
            ("a 你", "a%20%E4%BD%A0"),
        ];
        for (src, want) in cases {
            let mut out = b"x=".to_vec();
            escape_uri(src.as_bytes(), Escape::Component, &mut out);
            assert_eq!(out, format!("x={want}").as_bytes());
        }
    }

    #[test]
    fn unescape_table() {
        let cases: [(&[u8], &[u8]); 15] = [
            (b"", b""),
            (b"plain", b"plain"),
            (b"%", b"%"),
            (b"%4", b"%4"),
            (b"%4g", b"%4g"),
            (b"%g4", b"%g4"),
            (b"%zz", b"%zz"),
            (b"a%41b", b"aAb"),
            (b"%%41", b"%A"),
            (b"%4%41", b"%4A"),
            (b"+%2b", b" +"),
            (b"%2B%", b"+%"),
            (b"%fF%00", b"\xff\0"),
            (b"a+b?c", b"a b?c"),
            (b"%25%32%35", b"%25"),
        ];
        for (src, want) in cases {
            assert_eq!(unescape(src), want, "{}", src.escape_ascii());
            assert_eq!(unescaped(src), want);
        }
        assert!(matches!(unescaped(b"plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn unescape_undoes_escape() {
        let all: Vec<u8> = (0..=255).collect();
        for how in [Escape::Args, Escape::Component] {
            assert_eq!(unescape(&escape(&all, how)), all);
        }
    }
}
