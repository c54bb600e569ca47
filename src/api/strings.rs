//! Escaping, encoding and digests.

use std::borrow::Cow;

use super::{check_count, flatten};
use crate::lua::value::build;
use crate::lua::{Call, Function, Kind, Outcome, Value, function};
use crate::text::base64::{self, Alphabet, Padding};
use crate::text::uri::{self, Escape};
use crate::text::{hash, sql};

pub const FUNCTIONS: &[Function] = &[
    function("escape_uri", escape_uri),
    function("unescape_uri", |call| one(call, uri::unescape_uri)),
    function("encode_base64", encode_base64),
    function("decode_base64", |call| decode_base64(call, Alphabet::Standard)),
    function("encode_base64url", |call| {
        one(call, |s, out| base64::encode(s, Alphabet::UrlSafe, Padding::Unpadded, out))
    }),
    function("decode_base64url", |call| decode_base64(call, Alphabet::UrlSafe)),
    function("md5", |call| one(call, |s, out| hash::append_hex(&hash::md5(s), out))),
    function("md5_bin", |call| one(call, |s, out| out.extend_from_slice(&hash::md5(s)))),
    function("sha1_bin", |call| {
        one(call, |s, out| out.extend_from_slice(&hash::sha1(s)))
    }),
    function("crc32_short", crc32),
    function("crc32_long", crc32),
    function("hmac_sha1", hmac_sha1),
    function("quote_sql_str", quote_sql_str),
];

/// Argument `i` as bytes; nil counts as the empty string.
fn bytes_or_nil(call: &Call, i: usize) -> Result<Cow<'_, [u8]>, Outcome> {
    match call.text(i) {
        Some(bytes) => Ok(bytes),
        None if call.kind(i) == Kind::Nil => Ok(Cow::Borrowed(b"")),
        None => Err(not_a_string(call, i)),
    }
}

#[cold]
fn not_a_string(call: &Call, i: usize) -> Outcome {
    Outcome::bad_argument(i, format_args!("string expected, got {}", call.kind(i).name()))
}

/// A function of one string.
fn one(call: &Call, f: impl FnOnce(&[u8], &mut Vec<u8>)) -> Outcome {
    flatten((|| {
        check_count(call, 1, "expecting one argument")?;
        let bytes = bytes_or_nil(call, 1)?;
        Ok(Outcome::one(build(|out| f(&bytes, out))))
    })())
}

fn escape_uri(call: &Call) -> Outcome {
    flatten((|| {
        if call.len() != 1 && call.len() != 2 {
            return Err(Outcome::raise(format_args!("expecting one or two arguments")));
        }
        let bytes = bytes_or_nil(call, 1)?;
        let how = match (call.kind(2), call.number(2)) {
            (Kind::None | Kind::Nil, _) => Escape::default(),
            (_, Some(n)) => Escape::from_type(n as i64).ok_or_else(|| {
                Outcome::bad_argument(2, format_args!("\"type\" {n} out of range"))
            })?,
            (kind, None) => {
                return Err(Outcome::bad_argument(
                    2,
                    format_args!("number expected, got {}", kind.name()),
                ));
            }
        };
        Ok(Outcome::one(build(|out| uri::escape_uri(&bytes, how, out))))
    })())
}

fn encode_base64(call: &Call) -> Outcome {
    flatten((|| {
        if call.len() != 1 && call.len() != 2 {
            return Err(Outcome::raise(format_args!("expecting one or two arguments")));
        }
        let bytes = bytes_or_nil(call, 1)?;
        let padding = match (call.kind(2), call.boolean(2)) {
            (_, Some(true)) => Padding::Unpadded,
            (Kind::None | Kind::Nil, _) | (_, Some(false)) => Padding::Padded,
            (kind, None) => {
                return Err(Outcome::bad_argument(
                    2,
                    format_args!("boolean expected, got {}", kind.name()),
                ));
            }
        };
        Ok(Outcome::one(build(|out| {
            base64::encode(&bytes, Alphabet::Standard, padding, out)
        })))
    })())
}

fn decode_base64(call: &Call, alphabet: Alphabet) -> Outcome {
    flatten((|| {
        check_count(call, 1, "expecting one argument")?;
        let Some(bytes) = call.bytes(1) else {
            return Err(Outcome::bad_argument(1, format_args!("string argument only")));
        };
        let mut good = true;
        let value = build(|out| good = base64::decode(bytes, alphabet, out).is_ok());
        Ok(Outcome::one(if good { value } else { Value::Nil }))
    })())
}

fn crc32(call: &Call) -> Outcome {
    flatten((|| {
        if call.len() != 1 {
            return Err(Outcome::raise(format_args!(
                "expecting one argument, but got {}",
                call.len()
            )));
        }
        let bytes = bytes_or_nil(call, 1)?;
        Ok(Outcome::one(Value::Number(f64::from(hash::crc32(&bytes)))))
    })())
}

fn hmac_sha1(call: &Call) -> Outcome {
    flatten((|| {
        if call.len() != 2 {
            return Err(Outcome::raise(format_args!(
                "expecting 2 arguments, but got {}",
                call.len()
            )));
        }
        let (key, bytes) = (bytes_or_nil(call, 1)?, bytes_or_nil(call, 2)?);
        Ok(Outcome::one(build(|out| {
            out.extend_from_slice(&hash::hmac_sha1(&key, &bytes))
        })))
    })())
}

fn quote_sql_str(call: &Call) -> Outcome {
    flatten((|| {
        check_count(call, 1, "expecting one argument")?;
        let bytes = call.text(1).ok_or_else(|| not_a_string(call, 1))?;
        Ok(Outcome::one(build(|out| sql::quote_sql_str(&bytes, out))))
    })())
}
