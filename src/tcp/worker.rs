//! What a worker runs when it starts and when it exits: init_worker_by_lua and
//! exit_worker_by_lua, which may wait.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::conf::MainConf;
use super::current::Phase;
use super::engine::Engine;
use super::job::{self, Job};
use super::listen::Sessions;
use super::script::Script;
use super::timer;
use crate::lua::Coroutine;
use crate::nginx::local::Local;
use crate::nginx::log::{Level, Log};
use crate::nginx::time::{self, current_msec};
use crate::nginx::{Msec, cycle, event, listening};
use crate::sched::turn::{self, Alarm, Due, Key};

/// After so long the log says what the worker waits for.
const PATIENCE: Msec = 5_000;

/// What the configuration says of timers.
#[derive(Clone, Copy)]
pub struct Limits {
    pub pending: usize,
    pub running: usize,
}

static LIMITS: Local<Cell<Limits>> =
    Local::new(Cell::new(Limits { pending: 0, running: 0 }));
static START: Local<RefCell<Option<Rc<Start>>>> = Local::new(RefCell::new(None));

/// The limits of this worker's timers.
pub fn limits() -> Limits {
    LIMITS.get()
}

/// init_worker_by_lua that has not ended: the worker accepts nothing.
struct Start {
    job: Rc<Job>,
    /// Milliseconds after which it accepts all the same.
    timeout: Msec,
    began: Msec,
    alarm: Cell<Option<Key>>,
}

/// The worker has started.
pub fn started(main: &MainConf) {
    LIMITS.set(Limits {
        pending: main.max_pending_timers(),
        running: main.max_running_timers(),
    });
    let Some((script, engine)) = runnable(main, main.init_worker()) else {
        return event::set_looping(true);
    };
    let job = run(main, script, &engine, Phase::InitWorker, accept);
    event::set_looping(true);
    let Some(job) = job.filter(|job| !job.is_over()) else { return };
    listening::pause_accepting::<Sessions>();
    let start = Rc::new(Start {
        job,
        timeout: main.init_worker_timeout(),
        began: current_msec(),
        alarm: Cell::new(None),
    });
    start.wait(start.timeout.min(PATIENCE));
    START.replace(Some(start));
    // Else the alarm finds out.
    timer::watch_exit();
}

/// init_worker_by_lua has ended, or takes too long.
fn accept() {
    let start = START.take();
    let Some(start) = start else { return };
    if let Some(key) = start.alarm.take() {
        turn::cancel(key);
    }
    if !cycle::exiting() {
        listening::resume_accepting::<Sessions>();
    }
}

impl Start {
    fn wait(self: &Rc<Self>, msec: Msec) {
        let key = turn::at(current_msec() + msec, Alarm::Call(self.clone()));
        self.alarm.set(Some(key));
    }
}

impl Due for Start {
    fn on_due(self: Rc<Self>, premature: bool) {
        self.alarm.set(None);
        if premature || cycle::exiting() {
            // It was told to quit before it was ready.
            return self.job.finish();
        }
        let left = self.timeout.saturating_sub(current_msec().wrapping_sub(self.began));
        if left > 0 {
            Log::cycle().write(
                Level::Warn,
                0,
                format_args!(
                    "init_worker_by_lua* has been running for {} s, and the worker \
                     accepts no connections",
                    PATIENCE / 1000
                ),
            );
            return self.wait(left);
        }
        Log::cycle().write(
            Level::Err,
            0,
            format_args!(
                "init_worker_by_lua* has not finished in {} ms: the worker accepts \
                 connections now",
                self.timeout
            ),
        );
        accept();
    }
}

/// The worker is about to exit, and nginx's event loop has ended: its sessions
/// will not go on.
pub fn exiting(main: &MainConf) {
    event::set_looping(false);
    START.take();
    // Timers of a worker that was told to exit at once, and init_worker_by_lua.
    job::end_all();
    turn::free_all();
    let Some((script, engine)) = runnable(main, main.exit_worker()) else { return };
    let Some(job) = run(main, script, &engine, Phase::ExitWorker, || {}) else { return };
    let timeout = main.exit_worker_timeout();
    let until = current_msec() + timeout;
    // A worker that was told to exit at once has connections of others still, that
    // nobody expects to go on.
    let wait = |msec| match cycle::exiting_gracefully() {
        true => cycle::process_events(),
        false => time::sleep(msec),
    };
    if !turn::run_until(until, wait, || job.is_over()) {
        Log::cycle().write(
            Level::Err,
            0,
            format_args!(
                "exit_worker_by_lua* has not finished in {timeout} ms: the worker \
                 exits now"
            ),
        );
    }
    job::end_all();
}

fn runnable<'a>(
    main: &MainConf,
    script: Option<&'a Script>,
) -> Option<(&'a Script, Rc<Engine>)> {
    Some((script?, main.engine()?))
}

fn run(
    main: &MainConf,
    script: &Script,
    engine: &Engine,
    phase: Phase,
    on_end: fn(),
) -> Option<Rc<Job>> {
    let title = format!("{} error: ", script.directive);
    let made = match engine.compile(script) {
        Ok(chunk) => Coroutine::for_phase(engine.vm(), chunk.factory()),
        Err(error) => Err(error.message),
    };
    match made {
        Ok(coroutine) => {
            Some(Job::start(phase, Some(main.base()), coroutine, Some(title), on_end))
        }
        Err(text) => {
            let line = [title.as_bytes(), &text].concat();
            Log::cycle().write_bytes(Level::Err, 0, &line);
            None
        }
    }
}
