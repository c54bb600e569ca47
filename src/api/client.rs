//! `ngx.req.socket`: the client's connection as an object with the methods of a
//! socket; see `lua/socket.lua`.
//!
//! [1] of the object is minus the number of its connection: no other script's
//! can be reached with it.

use std::rc::Rc;

use super::session::{receive_pattern, written};
use super::socket::{
    READ_TIMEOUT, address, bad_data, get_option, set_option, size_argument, wants_nothing,
};
use super::{check_can_wait, check_count, flatten, in_session};
use crate::lua::append::AppendError;
use crate::lua::{Call, Function, Kind, Outcome, Value, function, table_function};
use crate::sched::{Thread, with_thread};
use crate::tcp::current::with_session;
use crate::tcp::session::Session;
use crate::text::pattern::{Pattern, Scanner};

pub const PRIVATE: &[Function] = &[
    // The number for the object of the running session's client.
    function("req_number", |_| {
        in_session(|session| Outcome::one(Value::Number(number_of(session))))
            .raised_above()
    }),
    function("req_receive", receive),
    function("req_receiveany", |call| {
        flatten((|| {
            check_count(call, 2, "expecting 2 arguments (including the object)")?;
            let max = size_argument(call)?;
            read(call, Scanner::new(Pattern::AtLeast { min: 1, max }))
        })())
    }),
    function("req_peek", |call| {
        flatten((|| {
            check_count(call, 2, "expecting 2 arguments (including the object)")?;
            read(call, Scanner::peek(Pattern::exact(size_argument(call)?)))
        })())
    }),
    function("req_receive_until", |call| {
        let delimiter = call.bytes(2).unwrap_or_default();
        let size = call.number(4).map_or(usize::MAX, |size| size as usize);
        let scanner = Scanner::until(delimiter, call.boolean(3) == Some(true), size);
        flatten(read(call, scanner)).raised_above()
    }),
    table_function("req_send", send),
    // The time in milliseconds, or nil for what is configured.
    function("req_send_timeout", |call| {
        with_client(call, |session| {
            session.set_send_timeout(call.number(2).map(|msec| msec as usize));
            Outcome::NONE
        })
    }),
    function("req_shutdown", |call| {
        with_client(call, |session| {
            flatten((|| {
                check_can_wait(call)?;
                if session.eof_sent() {
                    return Ok(Outcome::error(Value::Str("closed")));
                }
                Ok(written(session.send_eof()))
            })())
        })
        .raised_above()
    }),
    function("req_fd", |call| {
        with_client(call, |session| {
            Outcome::one(Value::Number(f64::from(session.connection().fd())))
        })
    }),
    function("req_address", |call| {
        with_client(call, |session| {
            address(session.connection(), call.boolean(2) == Some(true))
        })
    }),
    function("req_get_option", |call| {
        with_client(call, |session| get_option(session.connection(), call))
    }),
    function("req_set_option", |call| {
        with_client(call, |session| set_option(session.connection(), call))
    }),
];

fn number_of(session: &Session) -> f64 {
    -(session.connection().number() as f64)
}

/// Calls `f` with the running session, if the object that is argument 1 is of
/// its client.
fn with_client(call: &Call, f: impl FnOnce(&Rc<Session>) -> Outcome) -> Outcome {
    let own = call.object_number(1);
    with_session(|session| match session {
        Some(session) if own == Some(number_of(session)) => {
            session.touch();
            f(session)
        }
        _ => Outcome::error(Value::Str("closed")),
    })
}

/// For ngx.select(): see `socket::select`.
pub(super) fn select(id: f64, thread: &Rc<Thread>, item: usize) {
    with_session(|session| {
        if let Some(session) = session
            && id == number_of(session)
        {
            session.touch();
            session.select(thread, item);
        }
    });
}

/// Whether a receive would not wait, or nil and why one cannot ask.
pub(super) fn can_read(id: f64) -> Outcome {
    with_session(|session| match session {
        Some(session) if id == number_of(session) => {
            session.touch();
            if session.is_reading() {
                return Outcome::error(Value::Str("socket busy reading"));
            }
            Outcome::one(Value::Boolean(session.can_read()))
        }
        // Closed: a receive says so at once.
        _ => Outcome::one(Value::Boolean(true)),
    })
}

fn receive(call: &Call) -> Outcome {
    flatten((|| {
        if call.is_empty() || call.len() > 3 {
            return Err(Outcome::raise(format_args!(
                "expecting 1 to 3 arguments (including the object), but got {}",
                call.len()
            )));
        }
        match receive_pattern(call, 2) {
            Ok(pattern) => read(call, Scanner::new(pattern)),
            Err(_) if wants_nothing(call) => Ok(with_client(call, |session| {
                if session.is_reading() {
                    return Outcome::error(Value::Str("socket busy reading"));
                }
                Outcome::one(Value::Str(""))
            })),
            Err(raised) => Err(raised),
        }
    })())
}

fn read(call: &Call, scanner: Scanner) -> Result<Outcome, Outcome> {
    let mut result = Ok(Outcome::NONE);
    let outcome = with_client(call, |session| {
        let mut scanner = scanner.limited(|| session.conf.receive_max_size());
        if let Some(values) = session.receive_now(&mut scanner) {
            return Outcome::Return(values);
        }
        if let Err(raised) = check_can_wait(call) {
            result = Err(raised);
            return Outcome::NONE;
        }
        let timeout = match call.object_number(READ_TIMEOUT) {
            Some(msec) if msec >= 1.0 => (msec as usize).min(super::MAX_MSEC),
            _ => session.conf.read_timeout(),
        };
        with_thread(|thread| {
            let Some(thread) = thread else { return super::no_thread() };
            match session.receive_later(thread, scanner, timeout) {
                Some(values) => Outcome::Return(values),
                None => Outcome::Wait,
            }
        })
    });
    result.map(|_| outcome)
}

fn send(call: &Call) -> Outcome {
    if call.len() != 2 {
        return Outcome::raise(format_args!(
            "expecting 2 arguments (including the object), but got {}",
            call.len()
        ));
    }
    let kind = call.kind(2);
    if !matches!(kind, Kind::String | Kind::Number | Kind::Table) {
        return bad_data(AppendError::BadArgument(kind));
    }
    with_client(call, |session| {
        if session.eof_sent() {
            return Outcome::error(Value::Str("closed"));
        }
        if let Some(bytes) = call.bytes(2) {
            return written(session.print(bytes, || call.can_wait()));
        }
        match session.socket.write_with(|out| call.append_data(2, out)) {
            Ok(len) => written(session.print_queued(len, || call.can_wait())),
            Err(error) => bad_data(error),
        }
    })
}
