//! `ngx.thread`: light threads.

use std::rc::Rc;

use super::{check_wait, disabled_text, flatten, in_thread, no_thread};
use crate::lua::anchor::Anchors;
use crate::lua::spawn::{Spawn, Spawned, spawn_function};
use crate::lua::value::kept;
use crate::lua::{Call, Function, Outcome, Unowned, Value, function};
use crate::sched::{DEAD, Ended, Thread, find, spawn, with_thread};

pub const FUNCTIONS: &[Function] =
    &[spawn_function::<Spawner>("spawn"), function("wait", wait), function("kill", kill)];

pub const PRIVATE: &[Function] = &[
    // Whether a coroutine is a light thread: scripts may not resume it.
    function("is_light", |call| {
        let light = find_thread(call, 1).is_some() || call.is_ended_thread(1);
        Outcome::one(Value::Boolean(light))
    }),
    // What coroutine.status() says of a light thread; nil of others.
    function("thread_status", |call| {
        let status = match find_thread(call, 1) {
            Some(thread) => match thread.ended() {
                Ended::No if thread.is_waiting() => "suspended",
                Ended::No => "running",
                Ended::Zombie(_) => "zombie",
                Ended::Dead => "dead",
            },
            None if call.is_ended_thread(1) => "dead",
            None => return Outcome::one(Value::Nil),
        };
        Outcome::one(Value::Str(status))
    }),
    // "alive", "ended" or "dead", for a thread of one's own; nil and what to
    // raise for what cannot be waited for.
    function("thread_state", |call| {
        with_thread(|parent| {
            let Some(parent) = parent else {
                return Outcome::error(kept(disabled_text()));
            };
            Outcome::one(Value::Str(match child_of(call, 1, parent) {
                Ok(Some(child)) if child.ended() == Ended::No => "alive",
                Ok(Some(_)) => "ended",
                Ok(None) => "dead",
                Err(text) => return Outcome::error(Value::Str(text)),
            }))
        })
    }),
];

/// Threads are spawned wherever one runs.
struct Spawner;

impl Spawn for Spawner {
    fn check() -> Result<Anchors, Outcome> {
        with_thread(|thread| {
            thread
                .and_then(|thread| thread.with_coroutine(|own| own.vm().anchors()))
                .ok_or_else(no_thread)
        })
    }

    fn run(
        coroutine: Unowned,
        arguments: usize,
        resume: impl FnOnce() -> i32,
    ) -> Spawned {
        spawn::run(coroutine, arguments, resume)
    }

    fn exit() {
        with_thread(|thread| {
            if let Some(thread) = thread {
                thread.exit();
            }
        });
    }
}

/// Argument `i` as a light thread that is not dead. One that has ended may have
/// been collected, and a coroutine of the script's have its memory.
fn find_thread(call: &Call, i: usize) -> Option<Rc<Thread>> {
    let thread = find(call.thread(i)?)?;
    (!thread.is_let_go() || call.is_zombie(i)).then_some(thread)
}

/// Argument `i` as a light thread that `parent` has spawned; None if it is dead.
/// Else what is wrong with it.
fn child_of(
    call: &Call,
    i: usize,
    parent: &Rc<Thread>,
) -> Result<Option<Rc<Thread>>, &'static str> {
    match find_thread(call, i) {
        Some(child) if child.is_child_of(parent) => Ok(Some(child)),
        Some(_) => Err("only the parent coroutine can wait on the thread"),
        None if call.is_ended_thread(i) => Ok(None),
        None => Err("attempt to wait on a coroutine that is not a user thread"),
    }
}

fn wait(call: &Call) -> Outcome {
    in_thread(|parent| {
        flatten((|| {
            if call.is_empty() {
                return Err(Outcome::raise(format_args!(
                    "at least one coroutine should be specified"
                )));
            }
            let mut alive = 0;
            for i in 1..=call.len() {
                let child = match child_of(call, i, parent) {
                    Ok(Some(child)) => child,
                    Ok(None) => continue,
                    Err(text) => {
                        check_thread(call, i)?;
                        return Err(Outcome::raise(format_args!("{text}")));
                    }
                };
                if child.ended() == Ended::No {
                    alive += 1;
                } else if let Some(results) = child.take_results() {
                    return Ok(Outcome::Results(results));
                }
            }
            if alive == 0 {
                return Ok(Outcome::error(Value::Str(DEAD)));
            }
            check_wait(call, parent)?;
            for i in 1..=call.len() {
                if let Some(child) = find_thread(call, i) {
                    parent.wait_for_thread(child);
                }
            }
            Ok(Outcome::Wait)
        })())
    })
}

fn kill(call: &Call) -> Outcome {
    in_thread(|parent| {
        flatten((|| {
            check_thread(call, 1)?;
            let Some(thread) = find_thread(call, 1) else {
                let text = if call.is_ended_thread(1) { DEAD } else { "not user thread" };
                return Ok(Outcome::error(Value::Str(text)));
            };
            if !thread.is_child_of(parent) {
                return Ok(Outcome::error(Value::Str("killer not parent")));
            }
            let ended = thread.ended() != Ended::No;
            thread.kill();
            Ok(if ended {
                Outcome::error(Value::Str("already terminated"))
            } else {
                Outcome::one(Value::Number(1.0))
            })
        })())
    })
}

fn check_thread(call: &Call, i: usize) -> Result<(), Outcome> {
    if call.thread(i).is_some() {
        Ok(())
    } else {
        Err(Outcome::bad_argument(i, format_args!("lua thread expected")))
    }
}
