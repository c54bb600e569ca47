//! Functions that only the prelude calls.

use super::{in_thread, no_session_text};
use crate::lua::registry::Ref;
use crate::lua::value::kept;
use crate::lua::{Function, Outcome, Value, forget_wait, function};
use crate::nginx::log::{Level, Log};
use crate::sched::with_thread;

pub const FUNCTIONS: &[Function] = &[
    super::log::PRINT,
    // Is the running coroutine the entry coroutine of its host?
    function("is_entry", |call| {
        let entry = with_thread(|thread| {
            thread.filter(|thread| thread.is_entry()).and_then(|thread| {
                thread.with_coroutine(|coroutine| {
                    let is = coroutine.is(call.coroutine());
                    if is {
                        coroutine.mark_escaped();
                    }
                    is
                })
            })
        });
        Outcome::one(Value::Boolean(entry == Some(true)))
    }),
    // Takes back the wait of a coroutine that could not be suspended.
    function("abandon", |_| {
        in_thread(|thread| {
            thread.abandon_wait();
            forget_wait();
            Outcome::NONE
        })
    }),
    // Logs an error that no script can be told of.
    function("log_error", |call| {
        let text = call.bytes(1).unwrap_or_default();
        with_thread(|thread| match thread {
            Some(thread) => thread.host().log_error(text),
            None => Log::cycle().write_bytes(Level::Err, 0, text),
        });
        Outcome::NONE
    }),
    // The number of the table behind ngx.ctx, if there is one; where nothing is
    // served nil and the text to raise at the script's line.
    function("context", |_| {
        with_thread(|thread| match thread {
            Some(thread) => Outcome::one(match thread.host().group().context().get() {
                Some(context) => Value::Number(context.number()),
                None => Value::Nil,
            }),
            None => Outcome::error(kept(no_session_text())),
        })
    }),
    function("set_context", |call| {
        in_thread(|thread| {
            let context = call.number(1).map(Ref::from_number);
            thread.host().group().context().set(context);
            Outcome::NONE
        })
    }),
];
