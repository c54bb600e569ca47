//! The session whose script is running, for the natives that it calls.

use std::cell::Cell;
use std::rc::Rc;

use super::conf::ServerConf;
use super::session::Session;
use crate::nginx::local::{Local, Scoped};

/// What a timer's lines in the log end in.
pub const TIMER_CONTEXT: &[u8] = b", context: ngx.timer";

/// What Lua code runs for; `ngx.get_phase()` gives its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Init,
    InitWorker,
    ExitWorker,
    Content,
    Timer,
}

impl Phase {
    /// The name that `ngx.get_phase()` returns.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Init => "init",
            Phase::InitWorker => "init_worker",
            Phase::ExitWorker => "exit_worker",
            Phase::Content => "content",
            Phase::Timer => "timer",
        }
    }

    /// The directive family, as error messages name it.
    pub fn directive(self) -> &'static str {
        match self {
            Phase::Init => "init_by_lua*",
            Phase::InitWorker => "init_worker_by_lua*",
            Phase::ExitWorker => "exit_worker_by_lua*",
            Phase::Content => "process_by_lua*",
            Phase::Timer => "ngx.timer",
        }
    }
}

static SESSION: Local<Scoped<Rc<Session>>> = Local::new(Scoped::new());
static CONF: Local<Cell<Option<&'static ServerConf>>> = Local::new(Cell::new(None));
static PHASE: Local<Cell<Phase>> = Local::new(Cell::new(Phase::Init));

/// Calls `f` with the running session, if a session's script is running.
#[inline(always)]
pub fn with_session<R>(f: impl FnOnce(Option<&Rc<Session>>) -> R) -> R {
    SESSION.with(f)
}

/// What the configuration says for the Lua code that is running.
pub fn conf() -> Option<&'static ServerConf> {
    with_session(|session| match session {
        Some(session) => Some(session.conf),
        None => CONF.get(),
    })
}

/// The phase of the Lua code that is running.
pub fn phase() -> Phase {
    PHASE.get()
}

/// Runs `f`, which runs Lua code for `session`.
#[inline(always)]
pub fn enter_session<R>(session: &Rc<Session>, f: impl FnOnce() -> R) -> R {
    PHASE.set(Phase::Content);
    SESSION.enter(session, f)
}

/// Runs `f`, which runs Lua code of a phase without session.
pub fn enter_phase<R>(
    phase: Phase,
    conf: Option<&'static ServerConf>,
    f: impl FnOnce() -> R,
) -> R {
    PHASE.set(phase);
    CONF.set(conf);
    f()
}
