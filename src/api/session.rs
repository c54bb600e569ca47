//! Talking to the client: `ngx.print`, `ngx.receive` and their like.

use super::{
    MAX_MSEC, check_can_wait, check_count, check_wait, flatten, in_original_thread,
    in_session, in_thread,
};
use crate::lua::append::AppendError;
use crate::lua::{Call, Function, Kind, Outcome, Value, function, table_function};
use crate::sched::with_thread;
use crate::tcp::session::Session;
use crate::tcp::session::park::NextRequest;
use crate::tcp::session::write::Writing;
use crate::text::pattern::{Pattern, Scanner};
use std::rc::Rc;

pub const FUNCTIONS: &[Function] = &[
    table_function("print", print),
    table_function("say", say),
    function("flush", flush),
    function("eof", eof),
    function("receive", receive),
    function("wait_next_request", wait_next_request),
    function("exit", exit),
    function("sleep", sleep),
];

/// ngx.ERROR, which `ngx.exit` logs.
pub(super) const NGX_ERROR: f64 = -1.0;

fn print(call: &Call) -> Outcome {
    in_session(|session| write(call, session, false))
}

fn say(call: &Call) -> Outcome {
    in_session(|session| write(call, session, true))
}

#[inline(always)]
fn write(call: &Call, session: &Rc<Session>, newline: bool) -> Outcome {
    if session.eof_sent() {
        return Outcome::error(Value::Str("seen eof"));
    }
    // The usual argument.
    let string = if call.len() == 1 { call.bytes(1) } else { None };
    if let Some(bytes) = string {
        if newline {
            return written(session.print_line(bytes, || call.can_wait()));
        }
        if bytes.is_empty() {
            return Outcome::error(Value::Str("will send nothing"));
        }
        // No copy but the kernel's if it is long.
        return written(session.print(bytes, || call.can_wait()));
    }
    write_all(call, session, newline)
}

/// As write(), of any arguments.
#[inline(never)]
fn write_all(call: &Call, session: &Rc<Session>, newline: bool) -> Outcome {
    let queued = session.socket.write_with(|out| {
        for i in 1..=call.len() {
            match call.bytes(i) {
                Some(bytes) => out.extend_from_slice(bytes),
                None => call.append(i, out).map_err(|error| (i, error))?,
            }
        }
        if newline {
            out.push(b'\n');
        }
        Ok(())
    });
    match queued {
        Ok(0) => Outcome::error(Value::Str("will send nothing")),
        Ok(len) => written(session.print_queued(len, || call.can_wait())),
        Err((i, error)) => bad_print_argument(i, error),
    }
}

#[cold]
fn bad_print_argument(i: usize, error: AppendError) -> Outcome {
    match error {
        AppendError::BadArgument(kind) => Outcome::bad_argument(
            i,
            format_args!(
                "string, number, boolean, nil, ngx.null, or array table expected, but got {}",
                kind.name()
            ),
        ),
        AppendError::NotAnArray => {
            Outcome::bad_argument(i, format_args!("non-array table found"))
        }
        AppendError::BadElement(kind) => {
            Outcome::bad_argument(i, format_args!("bad data type {} found", kind.name()))
        }
        AppendError::TooDeep => {
            Outcome::bad_argument(i, format_args!("table is nested too deep"))
        }
    }
}

#[inline(always)]
pub(super) fn written(writing: Writing) -> Outcome {
    match writing {
        Writing::Sent(n) => Outcome::sent(n),
        Writing::Done(values) => Outcome::Return(values),
        Writing::Waits => Outcome::Wait,
    }
}

fn flush(call: &Call) -> Outcome {
    in_session(|session| {
        flatten((|| {
            if call.len() > 1 {
                return Err(Outcome::raise(format_args!(
                    "expecting 0 or 1 arguments, but got {}",
                    call.len()
                )));
            }
            let wait = match (call.is_empty(), call.boolean(1)) {
                (true, _) => false,
                (false, Some(wait)) => wait,
                (false, None) => {
                    return Err(Outcome::bad_argument(
                        1,
                        format_args!("boolean expected, got {}", call.kind(1).name()),
                    ));
                }
            };
            if wait {
                check_can_wait(call)?;
            }
            Ok(written(session.flush_now(wait)))
        })())
    })
}

fn eof(call: &Call) -> Outcome {
    in_session(|session| {
        flatten((|| {
            check_count(call, 0, "expecting 0 arguments")?;
            check_can_wait(call)?;
            if session.eof_sent() {
                return Ok(Outcome::error(Value::Str("seen eof")));
            }
            Ok(written(session.send_eof()))
        })())
    })
}

#[inline(always)]
fn receive(call: &Call) -> Outcome {
    in_session(|session| {
        flatten((|| {
            if call.len() > 2 {
                return Err(Outcome::raise(format_args!("expecting 1 or 2 arguments ")));
            }
            let mut scanner = Scanner::new(receive_pattern(call, 1)?)
                .limited(|| session.conf.receive_max_size());
            if let Some(values) = session.receive_now(&mut scanner) {
                return Ok(Outcome::Return(values));
            }
            check_can_wait(call)?;
            Ok(with_thread(|thread| {
                match thread.and_then(|thread| {
                    session.receive_later(thread, scanner, session.conf.read_timeout())
                }) {
                    Some(values) => Outcome::Return(values),
                    None => Outcome::Wait,
                }
            }))
        })())
    })
}

/// `receive([pattern])`, `receive(total [, at_least])`, whose first argument is
/// `at`.
#[inline(always)]
pub(super) fn receive_pattern(call: &Call, at: usize) -> Result<Pattern, Outcome> {
    // First, as it costs less than to find that "*l" is not a number.
    if let Some(pattern) = call.bytes(at).and_then(Pattern::from_name) {
        return Ok(pattern);
    }
    let Some(total) = call.number(at) else {
        return match call.kind(at) {
            Kind::None => Ok(Pattern::LINE),
            Kind::Nil if call.len() == at => Ok(Pattern::LINE),
            _ => Err(Outcome::bad_argument(
                at,
                format_args!("expecting number parameter!"),
            )),
        };
    };
    // Fractions are cut off; what does not fit is as good as infinite. NaN
    // becomes 0.
    let max = total as i64;
    if max <= 0 {
        return Err(Outcome::bad_argument(at, format_args!("bad argument <= 0")));
    }
    // What is no number (nil, a table) means "all of it".
    let min = call.number(at + 1).map_or(max, |min| min as i64);
    if min < 1 || min > max {
        return Err(Outcome::bad_argument(
            at + 1,
            format_args!("bad pattern argument beyond [1,$2]"),
        ));
    }
    Ok(Pattern::AtLeast { min: min as usize, max: max as usize })
}

fn wait_next_request(call: &Call) -> Outcome {
    in_session(|session| {
        flatten((|| {
            check_count(call, 0, "expecting 0 arguments")?;
            check_can_wait(call)?;
            Ok(in_thread(|thread| match session.next_request(thread) {
                NextRequest::Begun => Outcome::NONE,
                NextRequest::Failed(text) => Outcome::error(Value::Str(text)),
                NextRequest::Waits => Outcome::Wait,
            }))
        })())
    })
}

fn exit(call: &Call) -> Outcome {
    in_original_thread(|thread| {
        flatten((|| {
            if call.len() > 1 {
                return Err(Outcome::raise(format_args!(
                    "expecting 0 or 1 arguments, but got {}",
                    call.len()
                )));
            }
            if call.len() == 1 && call.kind(1) != Kind::Nil {
                let Some(status) = call.number(1) else {
                    return Err(Outcome::bad_argument(
                        1,
                        format_args!("number expected, got {}", call.kind(1).name()),
                    ));
                };
                if status == NGX_ERROR {
                    thread.host().log_error(b"lua script exited with ngx.ERROR");
                }
            }
            check_can_wait(call)?;
            thread.exit();
            Ok(Outcome::Wait)
        })())
    })
}

#[inline(always)]
fn sleep(call: &Call) -> Outcome {
    in_original_thread(|thread| {
        flatten((|| {
            check_count(call, 1, "expecting 1 arguments")?;
            let Some(seconds) = call.number(1) else {
                return Err(Outcome::bad_argument(
                    1,
                    format_args!("number expected, got {}", call.kind(1).name()),
                ));
            };
            // A cast makes 0 of NaN and of what is negative.
            let msec = (seconds * 1000.0) as u32;
            if msec < 1 {
                return Err(Outcome::bad_argument(1, format_args!("bad argument <= 0")));
            }
            check_wait(call, thread)?;
            thread.sleep((msec as usize).min(MAX_MSEC));
            Ok(Outcome::Wait)
        })())
    })
}
