//! What `lua/sync.lua` and the prelude ask of the scheduler: queues and
//! deadlines.

use mlua::{LightUserData, Table};

use super::{check_can_wait, check_wait, disabled_text, flatten, in_thread, msec};
use crate::lua::compiled_sync::{self, Queues};
use crate::lua::value::kept;
use crate::lua::{Call, Function, Kind, Outcome, Value, Values, function};
use crate::nginx::time::current_msec;
use crate::sched::{self, Grant, find, with_thread};

pub const PRIVATE: &[Function] = &[
    function("park", park),
    function("park_below", |call| park(call).raised_above()),
    function("unpark", |call| {
        let n = call.number(2).map_or(1, |n| n as usize);
        let (woken, more) = sched::unpark(queue_of(call, 1), n, Grant::Given);
        let woken = Value::Number(woken as f64);
        Outcome::Return(Values::two(woken, Value::Boolean(more)))
    }),
    function("close_queue", |call| {
        sched::unpark(queue_of(call, 1), usize::MAX, Grant::Closed);
        Outcome::NONE
    }),
    function("queued", |call| {
        Outcome::one(Value::Number(sched::queued(queue_of(call, 1)) as f64))
    }),
    // The next queue after this one that has something for nobody.
    function("next_refund", |call| {
        let next = sched::next_refund(queue_of(call, 1));
        Outcome::one(next.map_or(Value::Nil, |id| Value::Number(id as f64)))
    }),
    // Drops what a queue has for nobody.
    function("refund", |call| {
        sched::refund(queue_of(call, 1), usize::MAX);
        Outcome::NONE
    }),
    function("refundable", |call| {
        Outcome::one(Value::Number(sched::refundable(queue_of(call, 1)) as f64))
    }),
    function("first", |call| first(call).raised_above()),
    // The time at which the running thread's waits end, if there is one.
    function("deadline", |_| {
        let deadline = with_thread(|thread| thread.and_then(|thread| thread.deadline()));
        Outcome::one(number_or_nil(deadline))
    }),
    // Nothing to do where no thread runs, as in a __gc.
    function("set_deadline", |call| {
        with_thread(|thread| {
            if let Some(thread) = thread {
                thread.set_deadline(call.number(1).map(|at| at as usize));
            }
        });
        Outcome::NONE
    }),
    // The time in so many seconds. Where no thread runs, nil and what to raise.
    function("deadline_in", |call| {
        if with_thread(|thread| thread.is_none()) {
            return Outcome::error(kept(disabled_text()));
        }
        let at = current_msec() + msec(call.number(1).unwrap_or_default());
        Outcome::one(Value::Number(at as f64))
    }),
];

/// The function that lua/sync.lua calls by FFI.
pub fn install(native: &Table) -> mlua::Result<()> {
    native.set("unpark_shortly", LightUserData(compiled_sync::function::<Waiting>()))
}

/// Those that wait.
struct Waiting;

impl Queues for Waiting {
    #[inline(always)]
    fn unpark(id: u64) -> Option<bool> {
        sched::unpark_shortly(id)
    }
}

fn number_or_nil(n: Option<usize>) -> Value {
    n.map_or(Value::Nil, |n| Value::Number(n as f64))
}

/// A queue's number.
fn queue_of(call: &Call, i: usize) -> u64 {
    // A cast of anything that is no such number gives one that is nobody's; this
    // one costs less than to unsigned.
    call.number(i).unwrap_or_default() as i64 as u64
}

/// A timeout in seconds; none if it is nil, and so are times beyond all timers.
fn timeout_of(call: &Call, i: usize) -> Option<usize> {
    call.number(i).filter(|seconds| seconds.is_finite()).map(msec)
}

/// `park(queue, seconds)`: true when the queue grants what one waits for.
#[inline(always)]
fn park(call: &Call) -> Outcome {
    let id = queue_of(call, 1);
    if sched::refund(id, 1) == 1 {
        return Outcome::one(Value::Boolean(true));
    }
    let timeout = timeout_of(call, 2);
    if timeout == Some(0) {
        return Outcome::error(Value::Str("timeout"));
    }
    in_thread(|thread| {
        flatten(check_wait(call, thread).map(|()| {
            thread.wait_for_grant(id, timeout);
            Outcome::Wait
        }))
    })
}

/// `first(seconds, ...)`: waits in several queues, none of which has anything to
/// take, for several threads of one's own, and for sockets: those of TCP are
/// objects, those of UDP negative numbers. Returns the number of what came first,
/// and whether it is a grant.
fn first(call: &Call) -> Outcome {
    let (mut queues, mut threads) = (Vec::new(), Vec::new());
    let (mut sockets, mut datagrams) = (Vec::new(), Vec::new());
    for i in 2..=call.len() {
        if let Some(id) = call.number(i).filter(|&id| id < 0.0) {
            datagrams.push((-id, i - 1));
        } else if call.kind(i) == Kind::Number {
            queues.push((queue_of(call, i), i - 1));
        } else if call.kind(i) == Kind::Table {
            sockets.push((i, i - 1));
        } else if let Some(thread) = call.thread(i).and_then(find) {
            threads.push((thread, i - 1));
        }
    }
    let timeout = timeout_of(call, 1);
    if timeout == Some(0) {
        return Outcome::error(Value::Str("timeout"));
    }
    in_thread(|thread| {
        flatten((|| {
            check_can_wait(call)?;
            check_wait(call, thread)?;
            for &(i, item) in &sockets {
                super::socket::select(call, i, thread, item);
            }
            for &(id, item) in &datagrams {
                super::udp::select(id, thread, item);
            }
            thread.wait_for_first(&queues, &threads, timeout);
            Ok(Outcome::Wait)
        })())
    })
}
