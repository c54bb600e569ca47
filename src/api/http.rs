//! What the library http asks for: the lines of a head that are as most are.

use crate::lua::{Call, Function, Outcome, Value, Values, function};
use crate::text::http_head::{header, status};

pub const PRIVATE: &[Function] = &[
    // `http_headers(text, at, limit)`: where the line behind them begins, name and
    // value of the header at `at`, and of the next one. Nothing, or but one of them,
    // if a line is not whole, or unusual, or they are longer than `limit`.
    function("http_headers", |call| {
        let (text, at, limit) = arguments(call);
        let Some(first) = header(text).filter(|first| first.len <= limit) else {
            return Outcome::NONE;
        };
        let [name, value] = [first.name, first.value].map(Value::bytes);
        let next = |len: usize| Value::Number((at + len) as f64);
        let left = limit - first.len;
        Outcome::Return(match header(&text[first.len..]) {
            Some(second) if second.len <= left => Values::list(&[
                next(first.len + second.len),
                name,
                value,
                Value::bytes(second.name),
                Value::bytes(second.value),
            ]),
            _ => Values::three(next(first.len), name, value),
        })
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
