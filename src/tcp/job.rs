//! A job: threads without a connection, for a timer's callback and for what a
//! worker does when it starts and when it exits.

use std::cell::Cell;
use std::rc::{Rc, Weak};

use super::conf::ServerConf;
use super::current::{self, Phase, TIMER_CONTEXT};
use crate::lua::{Coroutine, Resumed, Values, Vm};
use crate::nginx::local::Local;
use crate::nginx::log::{Level, Log};
use crate::sched::{self, Group, Host, Resource, Resources, Thread, Woken, budget, turn};

/// A job; whoever started it is told when it ends.
pub struct Job {
    phase: Phase,
    conf: Option<&'static ServerConf>,
    group: Group,
    vm: Weak<Vm>,
    /// What begins a line about an uncaught error of the entry thread, where
    /// that is not a thread's usual line.
    title: Option<String>,
    on_end: Cell<Option<Box<dyn FnOnce()>>>,
    place: Cell<usize>,
}

/// Those that have not ended.
static JOBS: Local<Resources> = Local::new(Resources::new());

/// Ends all, whatever they wait for: the worker is about to exit.
pub fn end_all() {
    JOBS.end_all();
}

impl Job {
    /// Runs a coroutine until it first waits. `on_end` comes when it and its
    /// light threads have ended, maybe before this returns.
    pub fn start(
        phase: Phase,
        conf: Option<&'static ServerConf>,
        coroutine: Coroutine,
        title: Option<String>,
        on_end: impl FnOnce() + 'static,
    ) -> Rc<Job> {
        let job = Rc::new(Job {
            phase,
            conf,
            group: Group::new(),
            vm: Rc::downgrade(coroutine.vm()),
            title,
            on_end: Cell::new(Some(Box::new(on_end))),
            place: Cell::new(0),
        });
        JOBS.own(job.clone());
        let thread = job.group.begin(job.clone(), coroutine);
        job.run(&thread, |thread| thread.with_coroutine(|coroutine| coroutine.start()));
        job
    }

    /// Whether all has ended.
    pub fn is_over(&self) -> bool {
        self.group.is_over()
    }

    /// Ends it, whatever it waits for.
    pub fn finish(&self) {
        JOBS.disown(self);
        let vm = self.vm.upgrade();
        self.group.clear(vm.as_deref());
        if let Some(on_end) = self.on_end.take() {
            on_end();
        }
    }

    fn run(
        self: &Rc<Self>,
        thread: &Rc<Thread>,
        run: impl FnOnce(&Thread) -> Option<Resumed>,
    ) {
        budget::begin();
        current::enter_phase(self.phase, self.conf, || {
            let resumed = sched::enter(thread, || run(thread));
            thread.settle(resumed);
        });
        if self.group.is_over() {
            self.finish();
        }
        turn::run();
    }
}

impl Resource for Job {
    fn end(self: Rc<Self>) {
        self.finish();
    }

    fn place(&self) -> &Cell<usize> {
        &self.place
    }
}

impl Host for Job {
    fn group(&self) -> &Group {
        &self.group
    }

    fn wake(self: Rc<Self>, thread: &Rc<Thread>, woken: Woken) {
        thread.begin_run();
        self.run(thread, |thread| thread.resume(woken));
    }

    fn wake_with(self: Rc<Self>, thread: &Rc<Thread>, values: Values) {
        thread.begin_run();
        self.run(thread, |thread| {
            thread.with_coroutine(|coroutine| coroutine.resume(values))
        });
    }

    fn release(&self, _: &Thread) {}

    fn interrupt(self: Rc<Self>, thread: &Rc<Thread>) {
        self.wake_with(thread, Values::NONE);
    }

    fn log_error(&self, line: &[u8]) {
        let context = match self.phase {
            Phase::Timer => TIMER_CONTEXT,
            _ => b"",
        };
        let prefix = b"lua entry thread aborted: runtime error: ";
        let line = match (&self.title, line.strip_prefix(prefix)) {
            (Some(title), Some(message)) => [title.as_bytes(), message].concat(),
            _ => line.to_vec(),
        };
        Log::cycle().write_bytes(Level::Err, 0, &[line.as_slice(), context].concat());
    }

    fn on_panic(self: Rc<Self>) {
        self.finish();
    }
}
