//! Whose turn it is: threads that can go on, and times that come.
//!
//! Threads that were woken run *soon*: after the one that woke them, in the same
//! turn of the event loop, as long as that does not get long. Those that gave
//! their turn away run *later*: in the next turn, after the events of the
//! others. All times of the scheduler are in one wheel; nginx has one timer,
//! for the earliest.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::thread::{self, Thread};
use super::wheel::Wheel;
use super::{ids, queue};
use crate::nginx::Msec;
use crate::nginx::event::LoopEvent;
use crate::nginx::guard::guard;
use crate::nginx::local::Local;
use crate::nginx::time::current_msec;

pub use super::wheel::Key;

/// How many threads are resumed before the event loop is asked for events.
const SOON: usize = 256;

/// What comes at its time.
pub enum Alarm {
    /// A timeout or a deadline of what the thread waits for; or its turn.
    Thread(Rc<Thread>),
    /// A function: ngx.timer.
    Call(Rc<dyn Due>),
}

/// What is called at its time.
pub trait Due: 'static {
    /// The time has come, or (premature) will not.
    fn on_due(self: Rc<Self>, premature: bool);
}

static WHEEL: Local<RefCell<Wheel<Alarm>>> = Local::new(RefCell::new(Wheel::new()));
static SOON_QUEUE: Local<RefCell<VecDeque<Rc<Thread>>>> =
    Local::new(RefCell::new(VecDeque::new()));
/// How many alarms in the wheel nobody waits for.
static LEFT: Local<Cell<usize>> = Local::new(Cell::new(0));
static LATER_QUEUE: Local<RefCell<VecDeque<Alarm>>> =
    Local::new(RefCell::new(VecDeque::new()));
static RUNNING: Local<Cell<bool>> = Local::new(Cell::new(false));
static EVENT: Local<LoopEvent> = Local::new(LoopEvent::new(on_event));

/// Runs the thread after what runs now.
#[inline(always)]
pub(super) fn soon(thread: Rc<Thread>) {
    SOON_QUEUE.borrow_mut().push_back(thread);
    // Whoever runs a thread calls run() after it.
    if !RUNNING.get() && !thread::is_running() {
        EVENT.post();
    }
}

/// Runs it in the next turn of the event loop.
pub fn later(alarm: Alarm) {
    LATER_QUEUE.borrow_mut().push_back(alarm);
    EVENT.post();
}

/// Runs it when nginx's clock shows `at`.
#[inline(always)]
pub fn at(at: Msec, alarm: Alarm) -> Key {
    let key = WHEEL.borrow_mut().insert(current_msec() as u64, at as u64, alarm);
    EVENT.arm(at);
    key
}

/// Takes an alarm back.
pub fn cancel(key: Key) {
    let alarm = WHEEL.borrow_mut().cancel(key);
    nothing_may_be_left();
    // Last: it may own anything.
    drop(alarm);
}

/// Nobody waits for an alarm any more, which stays where it is: most often the
/// next wait takes it, and nothing has to be moved.
#[inline]
pub(super) fn leave() {
    LEFT.set(LEFT.get() + 1);
    nothing_may_be_left();
}

/// Whether the alarm goes off by `at`.
#[inline(always)]
pub(super) fn is_by(key: Key, at: Msec) -> bool {
    WHEEL.borrow().time_of(key).is_some_and(|time| time as Msec <= at)
}

/// An alarm that was left goes off by `at`, for a wait that begins; false if it
/// does not.
#[inline]
pub(super) fn take(key: Key, at: Msec) -> bool {
    let time = WHEEL.borrow().time_of(key).map(|time| time as Msec);
    let Some(time) = time.filter(|&time| time <= at) else { return false };
    LEFT.set(LEFT.get() - 1);
    EVENT.arm(time);
    true
}

/// An alarm that was left has gone off, or is about to be cancelled.
pub(super) fn forget() {
    LEFT.set(LEFT.get() - 1);
}

/// Resumes what is ready, some of it: to be called last by whoever may have
/// made threads ready, with no Lua code running.
#[inline(always)]
pub fn run() {
    if !SOON_QUEUE.borrow().is_empty() && !RUNNING.get() {
        run_soon();
    }
}

#[inline(never)]
fn run_soon() {
    RUNNING.set(true);
    for _ in 0..SOON {
        let thread = SOON_QUEUE.borrow_mut().pop_front();
        let Some(thread) = thread else { break };
        guarded(&thread, || thread.take_turn());
    }
    RUNNING.set(false);
    let mut left = SOON_QUEUE.borrow_mut();
    if !left.is_empty() {
        return EVENT.post();
    }
    if left.capacity() > ids::KEPT {
        *left = VecDeque::new();
    }
    drop(left);
    // Those that ran may have taken back the last alarm while others were ready.
    nothing_may_be_left();
}

/// nginx's timer for the earliest time, or the next turn.
fn on_event() {
    // What is added meanwhile has its turn after this one.
    let n = LATER_QUEUE.borrow().len();
    for _ in 0..n {
        let next = LATER_QUEUE.borrow_mut().pop_front();
        match next {
            Some(Alarm::Thread(thread)) => guarded(&thread, || thread.take_turn()),
            Some(Alarm::Call(due)) => guard("a timer", (), || due.on_due(false)),
            None => break,
        }
    }
    tick();
}

/// Wakes those whose time has come, and all that are ready.
fn tick() {
    let now = current_msec() as u64;
    loop {
        let due = WHEEL.borrow_mut().pop(now);
        match due {
            Some(Alarm::Thread(thread)) => guarded(&thread, || thread.on_alarm()),
            Some(Alarm::Call(due)) => guard("a timer", (), || due.on_due(false)),
            None => break,
        }
    }
    rest();
}

/// Runs what is ready, and then sees to the next turn: for what comes next, or
/// for none, so that an exiting worker does not wait for it.
pub fn rest() {
    run();
    let wheel = WHEEL.borrow();
    match wheel.next() {
        Some(next) if wheel.len() > LEFT.get() => EVENT.arm(next as Msec),
        _ => nothing_may_be_left(),
    }
}

/// If no time is waited for and nobody is ready, an exiting worker need not wait.
#[inline]
fn nothing_may_be_left() {
    if WHEEL.borrow().len() == LEFT.get()
        && LATER_QUEUE.borrow().is_empty()
        && SOON_QUEUE.borrow().is_empty()
    {
        EVENT.let_worker_exit();
    }
}

/// Takes all functions out of the wheel and the queue, the earliest first.
pub fn take_calls() -> Vec<Rc<dyn Due>> {
    let mut calls = Vec::new();
    LATER_QUEUE.borrow_mut().retain(|alarm| match alarm {
        Alarm::Call(due) => {
            calls.push(due.clone());
            false
        }
        Alarm::Thread(_) => true,
    });
    let mut wheel = WHEEL.borrow_mut();
    let found = wheel.take_if(|alarm| matches!(alarm, Alarm::Call(_)));
    for alarm in found {
        if let Alarm::Call(due) = alarm {
            calls.push(due);
        }
    }
    calls
}

/// Runs the scheduler until `done` or `until`, with `wait` in place of nginx's
/// loop, which has ended.
pub fn run_until(until: Msec, wait: impl Fn(Msec), done: impl Fn() -> bool) -> bool {
    loop {
        on_event();
        if done() {
            return true;
        }
        let now = current_msec();
        if until.wrapping_sub(now) as isize <= 0 {
            return false;
        }
        let busy = !SOON_QUEUE.borrow().is_empty() || !LATER_QUEUE.borrow().is_empty();
        let next = WHEEL.borrow().next().map_or(until, |next| until.min(next as Msec));
        let next = if busy { now } else { next };
        EVENT.arm(next);
        wait(next.saturating_sub(now));
    }
}

/// Drops all that is left, when the process has done with the VM.
pub fn free_all() {
    EVENT.disarm();
    let alarms = WHEEL.take().take_if(|_| true);
    for alarm in &alarms {
        if let Alarm::Thread(thread) = alarm {
            thread.lose_alarm();
        }
    }
    drop(alarms);
    LEFT.set(0);
    drop(SOON_QUEUE.take());
    drop(LATER_QUEUE.take());
    queue::free();
    thread::free_handles();
}

/// A panic ends the thread's host, and nothing else.
fn guarded(thread: &Rc<Thread>, f: impl FnOnce()) {
    let done = guard("the scheduler", false, || {
        f();
        true
    });
    if !done {
        guard("a panic handler", (), || thread.host().clone().on_panic());
    }
}
