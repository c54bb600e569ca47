//! Base64: `ngx.encode_base64`, `ngx.decode_base64` and the `ngx.base64`
//! functions for the URL-safe alphabet.
//!
//! Called by `api`. Encoding and decoding are the `base64` crate's; what this
//! file adds is the tolerance of nginx's decoder, `ngx_decode_base64()` in
//! src/core/ngx_string.c.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::memchr;

/// Which 64 characters: `+` and `/`, or `-` and `_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    Standard,
    UrlSafe,
}

/// Whether the encoded text is filled up with `=` to a multiple of four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    Padded,
    Unpadded,
}

/// nginx ignores the bits of the last character that make no whole byte, and
/// wants no padding.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);

const BARE: GeneralPurposeConfig = LENIENT.with_encode_padding(false);

static STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
static STANDARD_BARE: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, BARE);
static URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
static URL_SAFE_BARE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, BARE);

/// The input of `decode` is not base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// Appends `src` in base64 to `out`.
///
/// `ngx.encode_base64(s)` is `Standard, Padded`; `encode_base64url(s)` is
/// `UrlSafe, Unpadded`.
pub fn encode(src: &[u8], alphabet: Alphabet, padding: Padding, out: &mut Vec<u8>) {
    let padded = padding == Padding::Padded;
    let Some(len) = base64::encoded_len(src.len(), padded) else {
        return; // no slice is that long
    };

    let start = out.len();
    out.resize(start + len, 0);
    let written = engine(alphabet, padding).encode_slice(src, &mut out[start..]);
    debug_assert_eq!(written, Ok(len));
}

/// Appends the bytes that `src` stands for to `out`; on error `out` is as
/// before.
///
/// As nginx: the first `=` ends the text and whatever follows it is ignored,
/// padding may be missing, bits left over are ignored. White space, or one
/// character alone in the last group, is an error.
pub fn decode(src: &[u8], alphabet: Alphabet, out: &mut Vec<u8>) -> Result<(), Invalid> {
    let text = &src[..memchr(b'=', src).unwrap_or(src.len())];
    let start = out.len();

    engine(alphabet, Padding::Unpadded).decode_vec(text, out).map_err(|_| {
        out.truncate(start);
        Invalid
    })
}

fn engine(alphabet: Alphabet, padding: Padding) -> &'static GeneralPurpose {
    match (alphabet, padding) {
        (Alphabet::Standard, Padding::Padded) => &STANDARD,
        (Alphabet::Standard, Padding::Unpadded) => &STANDARD_BARE,
        (Alphabet::UrlSafe, Padding::Padded) => &URL_SAFE,
        (Alphabet::UrlSafe, Padding::Unpadded) => &URL_SAFE_BARE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Alphabet::{Standard, UrlSafe};
    use Padding::{Padded, Unpadded};

    fn encoded(src: &[u8], alphabet: Alphabet, padding: Padding) -> String {
        let mut out = Vec::new();
        encode(src, alphabet, padding, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn decoded(src: &str, alphabet: Alphabet) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(src.as_bytes(), alphabet, &mut out).ok().map(|()| out)
    }

    /// RFC 4648 section 10, and the two characters that differ.
    #[test]
    fn encode_table() {
        let cases: [(&[u8], &str, &str); 8] = [
            (b"", "", ""),
            (b"f", "Zg==", "Zg"),
            (b"fo", "Zm8=", "Zm8"),
            (b"foo", "Zm9v", "Zm9v"),
            (b"foob", "Zm9vYg==", "Zm9vYg"),
            (b"fooba", "Zm9vYmE=", "Zm9vYmE"),
            (b"foobar", "Zm9vYmFy", "Zm9vYmFy"),
            (b"\xfb\xff", "+/8=", "+/8"),
        ];
        for (src, padded, bare) in cases {
            assert_eq!(encoded(src, Standard, Padded), padded);
            assert_eq!(encoded(src, Standard, Unpadded), bare);
        }
        assert_eq!(encoded(b"\xfb\xff", UrlSafe, Padded), "-_8=");
        assert_eq!(encoded(b"\xfb\xff", UrlSafe, Unpadded), "-_8");
    }

    /// What lua-nginx-module 0.10.23 answers for the same strings.
    #[test]
    fn decode_table() {
        let cases: [(&str, Option<&[u8]>); 16] = [
            ("", Some(b"")),
            ("YQ==", Some(b"a")),
            ("YQ", Some(b"a")),
            ("YR==", Some(b"a")),
            ("YQ=x", Some(b"a")),
            ("YQ=!!", Some(b"a")),
            ("YWI=", Some(b"ab")),
            ("YWI", Some(b"ab")),
            ("YWJ", Some(b"ab")),
            ("====", Some(b"")),
            ("=YQ", Some(b"")),
            ("Y", None),
            ("YWJjY", None),
            ("YQ\n==", None),
            ("YWJj YQ", None),
            ("-_8=", None),
        ];
        for (src, want) in cases {
            assert_eq!(decoded(src, Standard).as_deref(), want, "{src:?}");
        }
        assert_eq!(decoded("-_8", UrlSafe).as_deref(), Some(b"\xfb\xff".as_slice()));
        assert_eq!(decoded("+/8", UrlSafe), None);
    }

    #[test]
    fn decode_undoes_encode() {
        let all: Vec<u8> = (0..=255).collect();
        for len in 0..all.len() {
            for alphabet in [Standard, UrlSafe] {
                for padding in [Padded, Unpadded] {
                    let text = encoded(&all[..len], alphabet, padding);
                    assert_eq!(decoded(&text, alphabet).as_deref(), Some(&all[..len]));
                }
            }
        }
    }

    #[test]
    fn out_keeps_what_it_held() {
        let mut out = b"x".to_vec();
        encode(b"f", Standard, Padded, &mut out);
        assert_eq!(out, b"xZg==");
        assert_eq!(decode(b"Zm9v?", Standard, &mut out), Err(Invalid));
        assert_eq!(out, b"xZg==");
        assert_eq!(decode(b"Zm9v", Standard, &mut out), Ok(()));
        assert_eq!(out, b"xZg==foo");
    }
}
