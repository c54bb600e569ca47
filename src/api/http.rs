//! What the library http asks for: the lines of a head that are as most are.

use crate::lua::{Call, Function, Outcome, Value, Values, function};
use crate::text::http_head::{header, status};

pub const PRIVATE: &[Function] = &[
    // `http_header(text, at, limit)`: name, value, and where the next line begins;
    // nothing if the line at `at` is not whole, longer than `limit`, or unusual.
    function("http_header", |call| {
        let (text, at, limit) = arguments(call);
        match header(text) {
            Some(header) if header.len <= limit => Outcome::Return(Values::three(
                Value::bytes(header.name),
                Value::bytes(header.value),
                Value::Number((at + header.len) as f64),
            )),
            _ => Outcome::NONE,
        }
    }),
    // `http_status(text, at, limit)`: the code, its text, and where the next line
    // begins; nothing as above.
    function("http_status", |call| {
        let (text, at, limit) = arguments(call);
        match status(text) {
            Some(status) if status.len <= limit => Outcome::Return(Values::three(
                Value::Number(f64::from(status.code)),
                Value::bytes(status.info),
                Value::Number((at + status.len) as f64),
            )),
            _ => Outcome::NONE,
        }
    }),
];

/// The text from the place `at`, which counts from 1; `at` and `limit`.
fn arguments(call: &Call) -> (&[u8], usize, usize) {
    let text = call.bytes(1).unwrap_or_default();
    let at = call.number(2).unwrap_or_default() as usize;
    let limit = call.number(3).unwrap_or_default() as usize;
    (text.get(at.saturating_sub(1)..).unwrap_or_default(), at, limit)
}
