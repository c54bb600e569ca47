//! Functions that only the prelude calls.

use super::{in_session, no_session_text};
use crate::lua::registry::Ref;
use crate::lua::value::kept;
use crate::lua::{Function, Outcome, Value, forget_wait, function};
use crate::nginx::log::{Level, Log};
use crate::tcp::current;

pub const FUNCTIONS: &[Function] = &[
    super::log::PRINT,
    // Is the running coroutine the session's entry coroutine?
    function("is_entry", |call| {
        let entry = current::with_session(|session| {
            session.is_some_and(|session| session.is_entry(call.coroutine()))
        });
        Outcome::one(Value::Boolean(entry))
    }),
    // Takes back the wait of a coroutine that could not be suspended.
    function("abandon", |_| {
        in_session(|session| {
            session.abandon_wait();
            forget_wait();
            Outcome::NONE
        })
    }),
    // Logs an error that no script can be told of.
    function("log_error", |call| {
        let text = call.bytes(1).unwrap_or_default();
        current::with_session(|session| match session {
            Some(session) => session.connection().log().write_bytes(Level::Err, 0, text),
            None => Log::cycle().write_bytes(Level::Err, 0, text),
        });
        Outcome::NONE
    }),
    // The number of the table behind ngx.ctx, if there is one; without a
    // session nil and the text to raise at the script's line.
    function("context", |_| {
        current::with_session(|session| match session {
            Some(session) => Outcome::one(match session.context().get() {
                Some(context) => Value::Number(context.number()),
                None => Value::Nil,
            }),
            None => Outcome::error(kept(no_session_text())),
        })
    }),
    function("set_context", |call| {
        in_session(|session| {
            session.context().set(call.number(1).map(Ref::from_number));
            Outcome::NONE
        })
    }),
];
