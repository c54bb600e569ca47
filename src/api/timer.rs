//! `ngx.timer`; `at` and `every` themselves are in the prelude.

use super::{disabled_text, msec};
use crate::lua::registry::Ref;
use crate::lua::value::kept;
use crate::lua::{Function, Outcome, Value, function};
use crate::sched::with_thread;
use crate::tcp::current::{self, Phase};
use crate::tcp::timer;

pub const FUNCTIONS: &[Function] = &[
    function("running_count", |_| Outcome::one(Value::Number(timer::running() as f64))),
    function("pending_count", |_| Outcome::one(Value::Number(timer::pending() as f64))),
];

pub const PRIVATE: &[Function] = &[
    function("is_c_function", |call| Outcome::one(Value::Boolean(call.is_c_function(1)))),
    // Why no timer can be made: what it returns, or nil and what it raises.
    function("refuse_timer", |call| {
        let no_thread = with_thread(|thread| thread.is_none());
        if no_thread || current::phase() == Phase::ExitWorker {
            return Outcome::error(kept(disabled_text()));
        }
        let delay = msec(call.number(1).unwrap_or_default());
        Outcome::one(timer::refusal(delay).map_or(Value::Nil, Value::Str))
    }),
    // `make_timer(job, seconds, every, function)`: job is a number of the
    // registry. Nil if refuse_timer() or the prelude has a reason.
    function("make_timer", |call| {
        let delay = msec(call.number(2).unwrap_or_default());
        let made = with_thread(|thread| {
            let thread = thread.filter(|_| current::phase() != Phase::ExitWorker)?;
            if call.is_c_function(4) || timer::refusal(delay).is_some() {
                return None;
            }
            let job = Ref::from_number(call.number(1)?);
            let every = call.boolean(3) == Some(true);
            thread.with_coroutine(|coroutine| {
                timer::add(coroutine.vm(), job, delay, every);
            })
        });
        Outcome::one(made.map_or(Value::Nil, |()| Value::Number(1.0)))
    }),
];
