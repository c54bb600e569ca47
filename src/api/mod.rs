//! The `ngx.*` functions: a table a group, a file a group.
//!
//! To add one: its row and function here, a block in `t/`, an entry in
//! `docs/api.md`; `tests/docs.rs` fails while one of them is missing.
#![forbid(unsafe_code)]

mod args;
mod clock;
mod constants;
mod frame;
mod log;
mod session;
mod strings;
mod worker;

use crate::lua::vm::Group;
use crate::lua::{Call, Outcome};
use crate::tcp::current::{self, Phase};
use crate::tcp::session::Session;
use mlua::{Lua, Table};
use std::rc::Rc;

pub use frame::FUNCTIONS as PRIVATE;

/// Every group that scripts see.
pub const GROUPS: &[Group] = &[
    Group { path: "", functions: session::FUNCTIONS },
    Group { path: "", functions: log::FUNCTIONS },
    Group { path: "", functions: clock::FUNCTIONS },
    Group { path: "", functions: strings::FUNCTIONS },
    Group { path: "", functions: worker::TOP_FUNCTIONS },
    Group { path: "worker", functions: worker::FUNCTIONS },
    Group { path: "config", functions: worker::CONFIG_FUNCTIONS },
];

/// Adds what is not a plain native: constants, and what the prelude wraps.
pub fn install(lua: &Lua, ngx: &Table, native: &Table) -> mlua::Result<()> {
    constants::install(ngx)?;
    args::install(lua, native)
}

/// Calls `f` with the session whose script is running; elsewhere raises.
#[inline]
fn in_session(f: impl FnOnce(&Rc<Session>) -> Outcome) -> Outcome {
    current::with_session(|session| match session {
        Some(session) => f(session),
        None => no_session(),
    })
}

#[cold]
fn no_session() -> Outcome {
    Outcome::raise(format_args!("{}", no_session_text()))
}

fn no_session_text() -> String {
    match current::phase() {
        // The original's words, which its scripts may know.
        Phase::Init => "no session found".to_owned(),
        phase => format!("API disabled in the context of {}", phase.directive()),
    }
}

/// Raises unless the coroutine can be suspended from where it is called.
fn check_can_wait(call: &Call) -> Result<(), Outcome> {
    if call.can_wait() {
        Ok(())
    } else {
        Err(Outcome::raise(format_args!("attempt to yield across C-call boundary")))
    }
}

/// Raises unless exactly `n` arguments came.
fn check_count(call: &Call, n: usize, text: &str) -> Result<(), Outcome> {
    if call.len() == n { Ok(()) } else { Err(Outcome::raise(format_args!("{text}"))) }
}

/// For functions whose body uses `?` to raise.
fn flatten(result: Result<Outcome, Outcome>) -> Outcome {
    result.unwrap_or_else(|raised| raised)
}
