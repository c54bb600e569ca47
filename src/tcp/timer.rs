//! ngx.timer: functions that run by themselves at their time.
//!
//! A pending timer is an entry of the scheduler's wheel and a reference to its
//! function, with its arguments if it has some. The coroutine is made when its
//! time has come.

use std::cell::Cell;
use std::rc::{Rc, Weak};

use super::conf::ServerConf;
use super::current::{self, Phase};
use super::job::Job;
use super::worker;
use crate::lua::registry::Ref;
use crate::lua::{Coroutine, Vm};
use crate::nginx::cycle;
use crate::nginx::guard::guard;
use crate::nginx::local::Local;
use crate::nginx::log::{Level, Log};
use crate::nginx::time::current_msec;
use crate::nginx::watcher;
use crate::sched::turn::{self, Alarm, Due};

static PENDING: Local<Cell<usize>> = Local::new(Cell::new(0));
static RUNNING: Local<Cell<usize>> = Local::new(Cell::new(0));

/// How many wait for their time.
pub fn pending() -> usize {
    PENDING.get()
}

/// How many run now.
pub fn running() -> usize {
    RUNNING.get()
}

/// A function whose time has not come.
struct Pending {
    vm: Weak<Vm>,
    job: Cell<Option<Ref>>,
    /// That of whoever made it.
    conf: Option<&'static ServerConf>,
    /// It is one of those that `pending` counts.
    counted: Cell<bool>,
    /// Milliseconds from one run to the next; None for one that runs once.
    period: Option<usize>,
}

/// Why no timer can be added that is due in `delay` milliseconds.
pub fn refusal(delay: usize) -> Option<&'static str> {
    if cycle::exiting() && delay > 0 {
        Some("process exiting")
    } else if pending() >= worker::limits().pending {
        Some("too many pending timers")
    } else if !watch_exit() {
        Some("worker_connections are not enough")
    } else {
        None
    }
}

/// Adds a timer that is due in `delay` milliseconds, and again after each
/// `delay` if it is to run every time.
pub fn add(vm: &Rc<Vm>, job: Ref, delay: usize, every: bool) {
    PENDING.set(pending() + 1);
    let timer = Pending {
        vm: Rc::downgrade(vm),
        job: Cell::new(Some(job)),
        conf: current::conf(),
        counted: Cell::new(true),
        period: every.then_some(delay),
    };
    wait(Rc::new(timer), delay);
}

fn wait(timer: Rc<Pending>, delay: usize) {
    if delay == 0 {
        turn::later(Alarm::Call(timer));
    } else {
        turn::at(current_msec() + delay, Alarm::Call(timer));
    }
}

impl Due for Pending {
    fn on_due(self: Rc<Self>, premature: bool) {
        self.run(premature);
    }
}

impl Pending {
    fn run(self: Rc<Self>, premature: bool) {
        let Some(vm) = self.vm.upgrade() else { return };
        let Some(job) = self.job.get() else { return };
        // Though the worker may have been told to quit: it does not exit before it
        // has called run_all().
        let again = self.period.filter(|_| !premature);
        match again {
            Some(period) => wait(self.clone(), period),
            None => self.uncount(),
        }
        let max = worker::limits().running;
        if running() >= max {
            Log::cycle().write(
                Level::Alert,
                0,
                format_args!("{max} lua_max_running_timers are not enough"),
            );
        } else {
            start(&vm, job, self.conf, premature);
        }
        if again.is_none() {
            // What it was is on the coroutine's stack, if it runs.
            self.job.set(None);
            vm.release(job);
        }
    }
}

impl Pending {
    fn uncount(&self) {
        if self.counted.replace(false) {
            PENDING.set(pending().saturating_sub(1));
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.uncount();
        if let (Some(job), Some(vm)) = (self.job.take(), self.vm.upgrade()) {
            vm.release(job);
        }
    }
}

fn start(vm: &Rc<Vm>, job: Ref, conf: Option<&'static ServerConf>, premature: bool) {
    match Coroutine::for_timer(vm, job, premature) {
        Ok(coroutine) => {
            RUNNING.set(running() + 1);
            Job::start(Phase::Timer, conf, coroutine, None, || {
                RUNNING.set(running().saturating_sub(1));
            });
        }
        Err(text) => Log::cycle().write_bytes(Level::Err, 0, &text),
    }
}

/// Sees to it that all pending functions run when the worker begins to exit.
/// False: nginx has no free connection for that.
pub fn watch_exit() -> bool {
    watcher::watch_exit(run_all)
}

/// The worker is about to exit: all run now.
fn run_all() {
    for due in turn::take_calls() {
        guard("a timer", (), || due.on_due(true));
    }
    turn::rest();
}
