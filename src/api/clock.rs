//! Time, from nginx's cached clock.

use super::{check_count, flatten, in_session};
use crate::lua::value::build;
use crate::lua::{Call, Function, Outcome, Value, function};
use crate::nginx::time;
use crate::text::http_date::parse_http_time;
use crate::text::time::{
    append_cookie_time, append_date, append_datetime, append_http_time,
};

pub const FUNCTIONS: &[Function] = &[
    function("time", |_| Outcome::one(Value::Number(time::now().0 as f64))),
    function("now", |_| Outcome::one(seconds(time::now()))),
    function("today", |_| Outcome::one(build(|out| append_date(local(), out)))),
    function("localtime", |_| Outcome::one(build(|out| append_datetime(local(), out)))),
    function("utctime", |_| {
        Outcome::one(build(|out| append_datetime(time::now().0, out)))
    }),
    function("update_time", |_| {
        time::update();
        Outcome::NONE
    }),
    function("tcp_time", |call| format(call, append_http_time)),
    function("http_time", |call| format(call, append_http_time)),
    function("cookie_time", |call| format(call, append_cookie_time)),
    function("parse_tcp_time", parse),
    function("parse_http_time", parse),
    function("start_time", |_| {
        in_session(|session| Outcome::one(seconds(session.start_time())))
    }),
];

fn seconds((sec, msec): (i64, u32)) -> Value {
    Value::Number(sec as f64 + f64::from(msec) / 1000.0)
}

/// Seconds since the epoch as if local time were UTC.
fn local() -> i64 {
    time::now().0 + time::gmtoff_minutes() * 60
}

fn format(call: &Call, append: fn(i64, &mut Vec<u8>)) -> Outcome {
    flatten((|| {
        check_count(call, 1, "expecting one argument")?;
        match call.number(1) {
            Some(n) => Ok(Outcome::one(build(|out| append(n as i64, out)))),
            None => Err(Outcome::bad_argument(
                1,
                format_args!("number expected, got {}", call.kind(1).name()),
            )),
        }
    })())
}

fn parse(call: &Call) -> Outcome {
    flatten((|| {
        check_count(call, 1, "expecting one argument")?;
        match call.text(1) {
            Some(text) => Ok(Outcome::one(match parse_http_time(&text) {
                Some(sec) => Value::Number(sec as f64),
                None => Value::Nil,
            })),
            None => Err(Outcome::bad_argument(
                1,
                format_args!("string expected, got {}", call.kind(1).name()),
            )),
        }
    })())
}
