//! The `ngx.*` functions: a table a group, a file a group.
//!
//! To add one: its row and function here, a block in `t/`, an entry in
//! `docs/api.md`; `tests/docs.rs` fails while one of them is missing.
#![forbid(unsafe_code)]

mod args;
mod client;
mod client_ssl;
mod clients;
mod clock;
mod constants;
mod frame;
mod http;
mod json;
mod log;
mod nats;
mod nlog;
mod regex;
pub mod regex_cache;
mod session;
mod shared;
mod socket;
mod ssl;
mod strings;
mod sync;
mod thread;
mod timer;
mod udp;
mod var;
mod worker;

use crate::lua::vm::Group;
use crate::lua::{Call, Function, Outcome, Value};
use crate::nginx::cycle;
use crate::sched::{self, Thread};
use crate::tcp::current::{self, Phase};
use crate::tcp::session::Session;
use crate::tcp::shared_dict::SharedDict;
use mlua::{Lua, Table};
use std::rc::Rc;

/// Every group that scripts see.
pub const GROUPS: &[Group] = &[
    Group { path: "", functions: session::FUNCTIONS },
    Group { path: "", functions: log::FUNCTIONS },
    Group { path: "", functions: clock::FUNCTIONS },
    Group { path: "", functions: strings::FUNCTIONS },
    Group { path: "", functions: worker::TOP_FUNCTIONS },
    Group { path: "clients", functions: clients::FUNCTIONS },
    Group { path: "worker", functions: worker::FUNCTIONS },
    Group { path: "config", functions: worker::CONFIG_FUNCTIONS },
    Group { path: "thread", functions: thread::FUNCTIONS },
    Group { path: "timer", functions: timer::FUNCTIONS },
];

/// What only the prelude calls.
pub const PRIVATE: &[&[Function]] = &[
    client::PRIVATE,
    client_ssl::PRIVATE,
    clients::PRIVATE,
    frame::FUNCTIONS,
    http::PRIVATE,
    nats::FUNCTIONS,
    regex::FUNCTIONS,
    socket::PRIVATE,
    ssl::PRIVATE,
    sync::PRIVATE,
    thread::PRIVATE,
    timer::PRIVATE,
    udp::PRIVATE,
    var::PRIVATE,
];

/// Adds what is not a plain native: constants, what the prelude wraps, and the
/// configuration's shared dictionaries.
pub fn install(
    lua: &Lua,
    ngx: &Table,
    native: &Table,
    dicts: &[&'static SharedDict],
) -> mlua::Result<()> {
    constants::install(ngx)?;
    args::install(lua, native)?;
    json::install(lua, native)?;
    nats::install(lua, native)?;
    nlog::install(lua, native)?;
    sync::install(native)?;
    shared::install(lua, native, dicts)
}

/// Calls `f` with the session whose script is running; elsewhere raises.
#[inline]
fn in_session(f: impl FnOnce(&Rc<Session>) -> Outcome) -> Outcome {
    current::with_session(|session| match session {
        Some(session) => {
            session.touch();
            f(session)
        }
        None => no_session(),
    })
}

/// Calls `f` with the thread that runs, whatever it is of; elsewhere raises.
#[inline(always)]
fn in_thread(f: impl FnOnce(&Rc<Thread>) -> Outcome) -> Outcome {
    sched::with_thread(|thread| match thread {
        Some(thread) => f(thread),
        None => no_thread(),
    })
}

/// As in_thread(), for functions that the original has.
#[inline]
fn in_original_thread(f: impl FnOnce(&Rc<Thread>) -> Outcome) -> Outcome {
    sched::with_thread(|thread| match thread {
        Some(thread) => f(thread),
        None => no_session(),
    })
}

#[cold]
fn no_thread() -> Outcome {
    Outcome::raise(format_args!("{}", disabled_text()))
}

fn disabled_text() -> String {
    format!("API disabled in the context of {}", current::phase().directive())
}

#[cold]
fn no_session() -> Outcome {
    Outcome::raise(format_args!("{}", no_session_text()))
}

fn no_session_text() -> String {
    match current::phase() {
        // The original's words, which its scripts may know.
        Phase::Init => "no session found".to_owned(),
        _ => disabled_text(),
    }
}

/// `nil, err` where no events of sockets come: in a worker that exits at once.
fn check_events() -> Result<(), Outcome> {
    if current::phase() == Phase::ExitWorker && !cycle::exiting_gracefully() {
        return Err(Outcome::error(Value::Str("process exiting")));
    }
    Ok(())
}

/// Raises unless the coroutine can be suspended from where it is called.
fn check_can_wait(call: &Call) -> Result<(), Outcome> {
    if call.can_wait() {
        Ok(())
    } else {
        Err(raise_text("attempt to yield across C-call boundary"))
    }
}

/// As check_can_wait(), for a call that is about to wait; and `nil, "deadline"`
/// if it may not any more: now, or in the thread's next turn.
fn check_wait(call: &Call, thread: &Rc<Thread>) -> Result<(), Outcome> {
    check_can_wait(call)?;
    thread.check_deadline().map_err(|v| v.map_or(Outcome::Wait, Outcome::Return))
}

/// Seconds as milliseconds, rounded up, as far as nginx's timers can count.
#[inline(always)]
fn msec(seconds: f64) -> usize {
    let msec = seconds * 1000.0;
    if msec >= 0.0 && msec < MAX_MSEC as f64 {
        // The sum has the nearest whole number in its low bits: for less than a cast.
        let nearest = (msec + (1_u64 << 52) as f64).to_bits() as u32;
        nearest as usize + usize::from(f64::from(nearest) < msec)
    } else if msec > 0.0 {
        MAX_MSEC
    } else {
        0
    }
}

const MAX_MSEC: usize = i32::MAX as usize;

/// Raises unless exactly `n` arguments came.
fn check_count(call: &Call, n: usize, text: &str) -> Result<(), Outcome> {
    if call.len() == n { Ok(()) } else { Err(raise_text(text)) }
}

#[cold]
fn raise_text(text: &str) -> Outcome {
    Outcome::raise(format_args!("{text}"))
}

/// For functions whose body uses `?` to raise.
fn flatten(result: Result<Outcome, Outcome>) -> Outcome {
    result.unwrap_or_else(|raised| raised)
}
