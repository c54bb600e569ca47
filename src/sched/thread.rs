//! One thread: a coroutine that Rust resumes, and what it waits for.

use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::c_void;
use std::rc::{Rc, Weak};

use super::group::{Host, take_from};
use super::ids::{self, IdMap};
use super::queue;
use super::turn::{self, Alarm};
use super::wheel::Key;
use crate::lua::{Coroutine, Results, Resumed, Value, Values};
use crate::nginx::Msec;
use crate::nginx::local::Local;
use crate::nginx::time::current_msec;

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Nothing: it runs, or has ended.
    Nothing,
    /// Something of its host's: the client's connection.
    Host,
    /// A time.
    Sleep,
    /// That the queue in `queue` grants it something.
    Grant,
    /// The first grant by a queue, or end of a thread, in `extra`.
    First,
    /// The end of one of the threads in `extra`.
    Threads,
    /// Nothing ever: ngx.exit() was called.
    Exit,
    /// Its turn; `woken` says what its call returns then.
    Ready,
}

/// What a thread needs that waits for several things or has children.
struct Extra {
    /// Where what it waits for may come from.
    queues: RefCell<Vec<u64>>,
    threads: RefCell<Vec<Rc<Thread>>>,
    /// Children that have ended and wait to be asked.
    zombies: RefCell<Vec<Rc<Thread>>>,
    /// How many of those there are when it is time to look for the ones that no
    /// script holds any more.
    sweep_at: Cell<usize>,
}

/// What the call that waited returns.
#[derive(Default)]
pub enum Woken {
    /// Nothing.
    #[default]
    Nothing,
    /// `nil, err`.
    Failed(&'static str),
    /// A number, and nil.
    Printed(usize),
    /// A grant by the queue with this number, `nil, "closed"` if it was closed.
    Granted(u64, bool),
    /// The same to a wait for several: the number of what came first.
    First(usize, Option<u64>, bool),
    /// The results of a light thread.
    Ended(Rc<Thread>),
    /// It has not started yet, and starts with so many arguments.
    Start(usize),
}

/// Whether a thread has ended, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    No,
    /// Well or by an error; nobody has asked for its results yet.
    Zombie(bool),
    /// Its results are taken, or will never be.
    Dead,
}

/// A thread.
pub struct Thread {
    host: Rc<dyn Host>,
    /// Who spawned it; None for an entry thread.
    parent: Option<Weak<Thread>>,
    coroutine: RefCell<Option<Coroutine>>,
    wait: Cell<Wait>,
    queue: Cell<u64>,
    woken: Cell<Woken>,
    ended: Cell<Ended>,
    /// Counts the waits it has left; see `queue`.
    wait_number: Cell<u64>,
    alarm: Cell<Option<Key>>,
    /// When every wait is over: the innermost ngx.deadline().
    deadline: Cell<Option<Msec>>,
    /// Its parent, while that waits for it: and as which of several.
    waiter: RefCell<Option<(Rc<Thread>, usize)>>,
    /// What few threads need.
    extra: OnceCell<Box<Extra>>,
    /// Its place in the list that holds it: the group's, or `zombies`.
    place: Cell<usize>,
}

/// The light threads that scripts can name, by their coroutine.
static HANDLES: Local<RefCell<IdMap<usize, Rc<Thread>>>> =
    Local::new(RefCell::new(ids::map()));

/// The thread that runs.
static CURRENT: Local<RefCell<Option<Rc<Thread>>>> = Local::new(RefCell::new(None));

/// Calls `f` with the thread that runs, if one does.
#[inline(always)]
pub fn with_thread<R>(f: impl FnOnce(Option<&Rc<Thread>>) -> R) -> R {
    f(CURRENT.borrow().as_ref())
}

/// Whether a thread runs.
pub(super) fn is_running() -> bool {
    CURRENT.borrow().is_some()
}

/// Runs `f`, which resumes `thread`.
#[inline(always)]
pub fn enter<R>(thread: &Rc<Thread>, f: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            drop(set_current(None));
        }
    }
    set_current(Some(thread.clone()));
    let _leave = Leave;
    f()
}

#[inline(always)]
pub(super) fn set_current(thread: Option<Rc<Thread>>) -> Option<Rc<Thread>> {
    CURRENT.replace(thread)
}

/// The light thread with this coroutine, unless it is dead.
pub fn find(coroutine: *const c_void) -> Option<Rc<Thread>> {
    HANDLES.borrow().get(&coroutine.addr()).cloned()
}

/// Frees the table, when the process has done with the VM.
pub(super) fn free_handles() {
    HANDLES.take();
}

impl Thread {
    pub(super) fn new(
        host: Rc<dyn Host>,
        parent: Option<&Rc<Thread>>,
        coroutine: Coroutine,
    ) -> Rc<Thread> {
        Rc::new(Thread {
            host,
            deadline: Cell::new(parent.and_then(|parent| parent.deadline.get())),
            parent: parent.map(Rc::downgrade),
            coroutine: RefCell::new(Some(coroutine)),
            wait: Cell::new(Wait::Nothing),
            queue: Cell::new(0),
            woken: Cell::new(Woken::Nothing),
            ended: Cell::new(Ended::No),
            wait_number: Cell::new(0),
            alarm: Cell::new(None),
            waiter: RefCell::new(None),
            extra: OnceCell::new(),
            place: Cell::new(0),
        })
    }

    /// A light thread of `parent`, which scripts can name.
    pub(super) fn spawned(parent: &Rc<Thread>, coroutine: Coroutine) -> Rc<Thread> {
        let address = coroutine.identity().addr();
        let thread = Thread::new(parent.host.clone(), Some(parent), coroutine);
        thread.host.group().add(&thread);
        let old = HANDLES.borrow_mut().insert(address, thread.clone());
        if let Some(old) = old {
            // A zombie whose coroutine was collected, and its memory used again.
            old.forget();
        }
        thread
    }

    fn extra(&self) -> &Extra {
        self.extra.get_or_init(|| {
            Box::new(Extra {
                queues: RefCell::default(),
                threads: RefCell::default(),
                zombies: RefCell::default(),
                sweep_at: Cell::new(MIN_SWEEP),
            })
        })
    }

    /// What it runs for.
    pub fn host(&self) -> &Rc<dyn Host> {
        &self.host
    }

    /// Whether it is the one that its host began with.
    pub fn is_entry(&self) -> bool {
        self.parent.is_none()
    }

    /// Whether `parent` has spawned it.
    pub fn is_child_of(&self, parent: &Rc<Thread>) -> bool {
        self.parent.as_ref().is_some_and(|own| own.as_ptr() == Rc::as_ptr(parent))
    }

    /// Whether it has ended.
    pub fn ended(&self) -> Ended {
        self.ended.get()
    }

    /// Whether its coroutine may have been collected.
    pub fn is_let_go(&self) -> bool {
        self.with_coroutine(|coroutine| coroutine.is_let_go()) == Some(true)
    }

    /// Whether it waits.
    pub fn is_waiting(&self) -> bool {
        self.wait.get() != Wait::Nothing
    }

    /// What it waits for.
    pub(super) fn wait(&self) -> Wait {
        self.wait.get()
    }

    pub(super) fn wait_number(&self) -> u64 {
        self.wait_number.get()
    }

    /// Calls `f` with its coroutine; None when it has none any more.
    #[inline(always)]
    pub fn with_coroutine<R>(&self, f: impl FnOnce(&Coroutine) -> R) -> Option<R> {
        self.coroutine.borrow().as_ref().map(f)
    }

    pub(super) fn place(&self) -> usize {
        self.place.get()
    }

    pub(super) fn set_place(&self, place: usize) {
        self.place.set(place);
    }

    // Waiting.

    /// Registers that it waits for something of its host's.
    #[inline(always)]
    pub fn wait_for_host(self: &Rc<Self>) {
        self.wait.set(Wait::Host);
        if let Some(deadline) = self.deadline.get() {
            self.set_alarm(deadline);
        }
    }

    /// Registers that it sleeps.
    #[inline(always)]
    pub fn sleep(self: &Rc<Self>, msec: Msec) {
        self.wait.set(Wait::Sleep);
        self.arm(Some(msec));
    }

    /// Registers that it waits for a grant by this queue.
    #[inline]
    pub fn wait_for_grant(self: &Rc<Self>, id: u64, timeout: Option<Msec>) {
        queue::join(self, id, 0);
        self.queue.set(id);
        self.wait.set(Wait::Grant);
        self.arm(timeout);
    }

    /// Registers that it waits for a grant by one of `queues`, or for the end of
    /// one of `threads`. Each comes with its number in the call.
    pub fn wait_for_first(
        self: &Rc<Self>,
        queues: &[(u64, usize)],
        threads: &[(Rc<Thread>, usize)],
        timeout: Option<Msec>,
    ) {
        let extra = self.extra();
        for &(id, item) in queues {
            queue::join(self, id, item);
            extra.queues.borrow_mut().push(id);
        }
        for (thread, item) in threads {
            thread.waiter.replace(Some((self.clone(), *item)));
            extra.threads.borrow_mut().push(thread.clone());
        }
        self.wait.set(Wait::First);
        self.arm(timeout);
    }

    /// Registers that it waits for the end of this light thread of its own, too:
    /// for one of those that it is called with.
    pub fn wait_for_thread(self: &Rc<Self>, thread: Rc<Thread>) {
        thread.waiter.replace(Some((self.clone(), 0)));
        self.extra().threads.borrow_mut().push(thread);
        if self.wait.replace(Wait::Threads) != Wait::Threads {
            self.arm(None);
        }
    }

    /// Registers that its host is to end.
    pub fn exit(&self) {
        self.host.group().set_over(true);
        self.wait.set(Wait::Exit);
    }

    /// Registers that it goes on in the next turn of the event loop.
    pub fn wait_for_turn(self: &Rc<Self>, woken: Woken) {
        self.woken.set(woken);
        self.wait.set(Wait::Ready);
        turn::later(Alarm::Thread(self.clone()));
    }

    #[inline(always)]
    fn arm(self: &Rc<Self>, timeout: Option<Msec>) {
        match (timeout.map(|msec| current_msec() + msec), self.deadline.get()) {
            (None, None) => {}
            (Some(at), None) | (None, Some(at)) => self.set_alarm(at),
            (Some(until), Some(deadline)) => self.set_alarm(until.min(deadline)),
        }
    }

    #[inline(always)]
    fn set_alarm(self: &Rc<Self>, at: Msec) {
        self.alarm.set(Some(turn::at(at, Alarm::Thread(self.clone()))));
    }

    #[inline(always)]
    fn cancel_alarm(&self) {
        if let Some(key) = self.alarm.take() {
            turn::cancel(key);
        }
    }

    /// Its alarm went off: the timeout of the wait, or the deadline, is over.
    #[inline]
    pub(super) fn on_alarm(self: &Rc<Self>) {
        self.alarm.set(None);
        if self.is_past_deadline() {
            return self.end_wait_by_deadline();
        }
        let woken = match self.wait.get() {
            Wait::Sleep => Woken::Nothing,
            Wait::Grant | Wait::First => {
                self.leave_wait();
                Woken::Failed("timeout")
            }
            _ => return,
        };
        self.host.clone().wake(self, woken);
    }

    #[cold]
    fn end_wait_by_deadline(self: &Rc<Self>) {
        if self.wait.get() == Wait::Host {
            return self.host.clone().interrupt(self);
        }
        self.leave_wait();
        self.host.clone().wake(self, Woken::Failed(DEADLINE));
    }

    /// Makes it run soon; it has left what it waited for.
    pub(super) fn make_ready(self: &Rc<Self>, woken: Woken) {
        self.woken.set(woken);
        self.wait.set(Wait::Ready);
        turn::soon(self.clone());
    }

    /// Its turn has come. It may have been killed meanwhile.
    pub(super) fn take_turn(self: &Rc<Self>) {
        if self.wait.get() == Wait::Ready {
            let woken = self.woken.take();
            self.host.clone().wake(self, woken);
        }
    }

    /// Takes back whatever it waits for.
    #[inline]
    pub fn leave_wait(&self) {
        let wait = self.wait.replace(Wait::Nothing);
        if wait != Wait::Nothing {
            self.leave(wait);
        }
    }

    fn leave(&self, wait: Wait) {
        self.cancel_alarm();
        match wait {
            Wait::Nothing | Wait::Sleep | Wait::Exit => {}
            Wait::Host => self.host.release(self),
            Wait::Grant => {
                self.wait_number.set(self.wait_number.get() + 1);
                queue::leave(self.queue.get());
            }
            Wait::First | Wait::Threads => {
                self.wait_number.set(self.wait_number.get() + 1);
                let extra = self.extra();
                extra.queues.borrow_mut().drain(..).for_each(queue::leave);
                for thread in extra.threads.borrow_mut().drain(..) {
                    thread.waiter.take();
                }
            }
            Wait::Ready => match self.woken.take() {
                // What it was granted and has not seen goes to the next.
                Woken::Granted(id, true) | Woken::First(_, Some(id), true) => {
                    queue::pass_on(id);
                }
                _ => {}
            },
        }
    }

    /// Takes back a wait that could not be begun: the coroutine goes on.
    pub fn abandon_wait(&self) {
        if self.wait.get() == Wait::Exit {
            self.host.group().set_over(false);
        }
        self.leave_wait();
    }

    // Deadlines.

    /// The time at which every wait ends.
    pub fn deadline(&self) -> Option<Msec> {
        self.deadline.get()
    }

    pub fn set_deadline(&self, deadline: Option<Msec>) {
        self.deadline.set(deadline);
    }

    /// Whether a call that would have to wait fails at once.
    #[inline(always)]
    pub fn is_past_deadline(&self) -> bool {
        self.deadline
            .get()
            .is_some_and(|at| at.wrapping_sub(current_msec()) as isize <= 0)
    }

    // Running.

    /// Marks that it is about to be resumed, whatever it waited for.
    #[inline(always)]
    pub fn begin_run(&self) {
        self.cancel_alarm();
        self.wait.set(Wait::Nothing);
    }

    /// Resumes its coroutine.
    pub fn resume(&self, woken: Woken) -> Option<Resumed> {
        let coroutine = self.coroutine.borrow();
        let coroutine = coroutine.as_ref()?;
        Some(match woken {
            Woken::Nothing => coroutine.resume(Values::NONE),
            Woken::Failed(text) => coroutine.resume(Values::error(Value::Str(text))),
            Woken::Printed(n) => {
                coroutine.resume(Values::two(Value::Number(n as f64), Value::Nil))
            }
            Woken::Granted(_, true) => {
                coroutine.resume(Values::one(Value::Boolean(true)))
            }
            Woken::Granted(_, false) => {
                coroutine.resume(Values::error(Value::Str("closed")))
            }
            Woken::First(number, _, granted) => coroutine.resume(Values::two(
                Value::Number(number as f64),
                Value::Boolean(granted),
            )),
            Woken::Ended(child) => match child.take_results() {
                Some(results) => coroutine.resume_with(results),
                None => coroutine.resume(Values::error(Value::Str(DEAD))),
            },
            Woken::Start(n) => coroutine.start_light(n),
        })
    }

    /// It has been resumed and gives control back: it waits, or has ended.
    #[inline(always)]
    pub fn settle(self: &Rc<Self>, resumed: Option<Resumed>) {
        match resumed {
            Some(Resumed::Waiting) if self.is_waiting() => {}
            Some(Resumed::Waiting | Resumed::Yielded) => {
                self.wait_for_turn(Woken::Nothing);
            }
            Some(Resumed::Finished) => self.end(true),
            Some(Resumed::Failed(kind, text)) => self.fail(kind, &text),
            None => self.end(false),
        }
    }

    #[cold]
    fn fail(self: &Rc<Self>, kind: &str, text: &[u8]) {
        let who: &[u8] = if self.is_entry() { b"entry" } else { b"user" };
        let line =
            [b"lua ", who, b" thread aborted: ", kind.as_bytes(), b": ", text].concat();
        self.host.log_error(&line);
        if self.is_entry() {
            self.host.group().set_over(true);
        }
        self.end(false);
    }

    fn end(self: &Rc<Self>, well: bool) {
        if self.ended.get() == Ended::Dead {
            // Killed by the __tostring of the very error that it dies of.
            return drop(self.retire());
        }
        // A script that ends itself may have left a wait behind.
        self.leave_wait();
        self.host.group().remove(self);
        self.bury_zombies();
        let parent = self.parent.as_ref().and_then(Weak::upgrade);
        let Some(parent) = parent.filter(|parent| parent.ended.get() == Ended::No) else {
            // Nobody can ask.
            return self.discard();
        };
        self.ended.set(Ended::Zombie(well));
        let count = {
            let mut zombies = parent.extra().zombies.borrow_mut();
            self.set_place(zombies.len());
            zombies.push(self.clone());
            zombies.len()
        };
        let waiter = self.waiter.take();
        if let Some((waiter, number)) = waiter {
            let woken = match waiter.wait.get() {
                Wait::First => Woken::First(number, None, true),
                _ => Woken::Ended(self.clone()),
            };
            waiter.leave_wait();
            waiter.make_ready(woken);
        } else if count >= parent.extra().sweep_at.get() {
            parent.sweep_zombies();
        }
    }

    /// Forgets the ended children that were collected: nobody can ask for them.
    /// The others are let go of.
    #[cold]
    fn sweep_zombies(&self) {
        let extra = self.extra();
        let all = extra.zombies.take();
        let (gone, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|zombie| {
            zombie.with_coroutine(|coroutine| {
                if !coroutine.is_let_go() {
                    coroutine.let_go();
                }
                coroutine.is_collected()
            }) != Some(false)
        });
        for (place, zombie) in kept.iter().enumerate() {
            zombie.set_place(place);
        }
        extra.sweep_at.set(MIN_SWEEP.max(2 * kept.len()));
        extra.zombies.replace(kept);
        for zombie in gone {
            zombie.discard();
        }
    }

    /// Its coroutine is somebody else's now.
    fn forget(self: &Rc<Self>) {
        let parent = self.parent.as_ref().and_then(Weak::upgrade);
        if let Some(parent) = parent {
            take_from(&mut parent.extra().zombies.borrow_mut(), self);
        }
        self.ended.set(Ended::Dead);
        self.coroutine.take();
    }

    /// Its children that have ended can be asked by nobody any more.
    fn bury_zombies(&self) {
        if let Some(extra) = self.extra.get() {
            for zombie in extra.zombies.take() {
                zombie.discard();
            }
        }
    }

    /// What a light thread that has ended returns; it is dead then.
    pub fn take_results(self: &Rc<Self>) -> Option<Results> {
        let Ended::Zombie(well) = self.ended.get() else { return None };
        self.retire()?.into_results(well)
    }

    /// Ends it, whatever it waits for: nobody asks for its results.
    pub fn kill(self: &Rc<Self>) {
        if self.ended.get() == Ended::No {
            self.leave_wait();
            self.host.group().remove(self);
            self.bury_zombies();
        }
        drop(self.retire());
    }

    /// Takes it off every list; gives its coroutine.
    fn retire(self: &Rc<Self>) -> Option<Coroutine> {
        if let Ended::Zombie(_) = self.ended.get()
            && let Some(parent) = self.parent.as_ref().and_then(Weak::upgrade)
        {
            take_from(&mut parent.extra().zombies.borrow_mut(), self);
        }
        self.ended.set(Ended::Dead);
        // One that panicked its way out may still be borrowed.
        let coroutine = self.coroutine.try_borrow_mut().ok().and_then(|mut c| c.take());
        if !self.is_entry()
            && let Some(coroutine) = &coroutine
        {
            let address = coroutine.identity().addr();
            let mut handles = HANDLES.borrow_mut();
            match handles.remove(&address) {
                // Its memory is another's by now.
                Some(other) if !Rc::ptr_eq(&other, self) => {
                    handles.insert(address, other);
                }
                own => {
                    if handles.is_empty() && handles.capacity() > ids::KEPT {
                        *handles = ids::map();
                    }
                    drop(handles);
                    drop(own);
                }
            }
        }
        coroutine
    }

    /// Ends it with its host, or after its parent.
    pub(super) fn discard(self: &Rc<Self>) {
        if self.ended.get() == Ended::Dead {
            return;
        }
        self.leave_wait();
        self.waiter.take();
        self.bury_zombies();
        drop(self.retire());
    }
}

/// So many children may have ended before somebody looks for those that were
/// collected.
const MIN_SWEEP: usize = 64;

/// What a wait returns whose deadline is over.
pub const DEADLINE: &str = "deadline";
/// What asking for the results of a dead thread returns.
pub const DEAD: &str = "already waited or killed";
