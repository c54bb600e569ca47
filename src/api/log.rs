//! `ngx.log` and the global `print`.

use super::flatten;
use crate::lua::{Call, Function, Kind, Outcome, function};
use crate::nginx::log::{Level, Log};
use crate::tcp::current::{self, Phase, TIMER_CONTEXT};
use crate::text::number::append_number;

pub const FUNCTIONS: &[Function] = &[function("log", log)];

/// What replaces Lua's `print`: `ngx.log` at level notice.
pub const PRINT: Function = function("print", print);

fn log(call: &Call) -> Outcome {
    flatten((|| {
        let Some(number) = call.number(1) else {
            return Err(Outcome::bad_argument(
                1,
                format_args!("number expected, got {}", call.kind(1).name()),
            ));
        };
        let Some(level) = Level::from_number(number as i64) else {
            return Err(Outcome::bad_argument(
                1,
                format_args!("bad log level: {number}"),
            ));
        };
        write(call, level, 2)
    })())
}

fn print(call: &Call) -> Outcome {
    flatten(write(call, Level::Notice, 1))
}

/// Writes the arguments from `first` on. A level that is filtered out costs
/// no look at them.
fn write(call: &Call, level: Level, first: usize) -> Result<Outcome, Outcome> {
    let in_log = |f: &mut dyn FnMut(Log)| {
        current::with_session(|session| match session {
            Some(session) => f(session.connection().log()),
            None => f(Log::cycle()),
        });
    };
    let mut enabled = false;
    in_log(&mut |log| enabled = log.enabled(level));
    if !enabled {
        return Ok(Outcome::NONE);
    }

    let mut line = b"[lua] ".to_vec();
    if let Some(position) = call.position(1) {
        line.extend_from_slice(position.source.as_bytes());
        line.extend_from_slice(format!(":{}: ", position.line).as_bytes());
        if let Some(name) = position.name {
            line.extend_from_slice(name.as_bytes());
            line.extend_from_slice(b"(): ");
        }
    }
    for i in first..=call.len() {
        match call.kind(i) {
            Kind::String => line.extend_from_slice(call.bytes(i).unwrap_or_default()),
            Kind::Number => append_number(call.number(i).unwrap_or_default(), &mut line),
            Kind::Nil => line.extend_from_slice(b"nil"),
            Kind::Boolean => {
                let text: &[u8] =
                    if call.boolean(i) == Some(true) { b"true" } else { b"false" };
                line.extend_from_slice(text);
            }
            _ if call.is_null(i) => line.extend_from_slice(b"null"),
            kind => {
                return Err(Outcome::bad_argument(
                    i,
                    format_args!(
                        "string, number, boolean, or nil expected, got {}",
                        kind.name()
                    ),
                ));
            }
        }
    }
    if current::phase() == Phase::Timer {
        line.extend_from_slice(TIMER_CONTEXT);
    }
    in_log(&mut |log| log.write_bytes(level, 0, &line));
    Ok(Outcome::NONE)
}
