//! One thread: a coroutine that Rust resumes, and what it waits for.

mod end;
mod wait;

use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::c_void;
use std::rc::{Rc, Weak};

use super::group::Host;
use super::ids::IdMap;
use super::wheel::Key;
use crate::lua::{Coroutine, Resumed, Value, Values};
use crate::nginx::Msec;
use crate::nginx::local::{Local, Scoped};

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Nothing: it runs, or has ended.
    Nothing,
    /// Something of its host's: the client's connection.
    Host,
    /// Something of what `source` is: a socket of a script's.
    Source,
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

/// Something to wait for that is none of the scheduler's own and no host's: a
/// socket, a name that is looked up.
pub trait Source: 'static {
    /// A thread no longer waits for it.
    fn release(&self, thread: &Thread);
    /// The deadline of a thread that waits for it is over: runs it on.
    fn interrupt(self: Rc<Self>, thread: &Rc<Thread>);
}

/// What a thread needs that waits for several things or has children.
struct Extra {
    /// Where what it waits for may come from.
    queues: RefCell<Vec<u64>>,
    threads: RefCell<Vec<Rc<Thread>>>,
    sources: RefCell<Vec<Rc<dyn Source>>>,
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
    /// A number.
    Sent(usize),
    /// True.
    True,
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
    source: Cell<Option<Rc<dyn Source>>>,
    woken: Cell<Woken>,
    ended: Cell<Ended>,
    /// Counts the waits it has left; see `queue`.
    wait_number: Cell<u64>,
    /// In the wheel, also between two waits: see `until`.
    alarm: Cell<Option<Key>>,
    /// When the wait is over, or NEVER: nobody waits for the alarm.
    until: Cell<Msec>,
    /// When every wait is over: the innermost ngx.deadline(), or NEVER.
    deadline: Cell<Msec>,
    /// Its parent, while that waits for it: and as which of several.
    waiter: RefCell<Option<(Rc<Thread>, usize)>>,
    /// What few threads need.
    extra: OnceCell<Box<Extra>>,
    /// Its place in the list that holds it: the group's, or `zombies`.
    place: Cell<usize>,
}

/// The light threads that scripts can name, by their coroutine.
static HANDLES: Local<RefCell<IdMap<Rc<Thread>>>> =
    Local::new(RefCell::new(IdMap::new()));

/// The thread that runs.
static CURRENT: Local<Scoped<Rc<Thread>>> = Local::new(Scoped::new());

/// Calls `f` with the thread that runs, if one does.
#[inline(always)]
pub fn with_thread<R>(f: impl FnOnce(Option<&Rc<Thread>>) -> R) -> R {
    CURRENT.with(f)
}

/// Whether a thread runs.
pub(super) fn is_running() -> bool {
    CURRENT.with(|thread| thread.is_some())
}

/// Runs `f`, which resumes `thread`.
#[inline(always)]
pub fn enter<R>(thread: &Rc<Thread>, f: impl FnOnce() -> R) -> R {
    CURRENT.enter(thread, f)
}

/// As enter(), while another thread runs, which is suspended for it.
pub(super) fn enter_nested<R>(thread: &Rc<Thread>, f: impl FnOnce() -> R) -> R {
    CURRENT.enter_nested(thread, f)
}

/// The light thread with this coroutine, unless it is dead.
pub fn find(coroutine: *const c_void) -> Option<Rc<Thread>> {
    HANDLES.borrow().get(coroutine.addr() as u64).cloned()
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
            deadline: Cell::new(parent.map_or(NEVER, |parent| parent.deadline.get())),
            parent: parent.map(Rc::downgrade),
            coroutine: RefCell::new(Some(coroutine)),
            wait: Cell::new(Wait::Nothing),
            queue: Cell::new(0),
            source: Cell::new(None),
            woken: Cell::new(Woken::Nothing),
            ended: Cell::new(Ended::No),
            wait_number: Cell::new(0),
            alarm: Cell::new(None),
            until: Cell::new(NEVER),
            waiter: RefCell::new(None),
            extra: OnceCell::new(),
            place: Cell::new(usize::MAX),
        })
    }

    /// A light thread of `parent`, which scripts can name.
    pub(super) fn spawned(parent: &Rc<Thread>, coroutine: Coroutine) -> Rc<Thread> {
        let address = coroutine.identity().addr() as u64;
        let thread = Thread::new(parent.host.clone(), Some(parent), coroutine);
        thread.host.group().count();
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
                sources: RefCell::default(),
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

    /// Marks that it is about to be resumed, whatever it waited for.
    #[inline(always)]
    pub fn begin_run(&self) {
        if self.wait.replace(Wait::Nothing) == Wait::Source {
            self.source.take();
        }
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
            Woken::Sent(n) => coroutine.resume(Values::one(Value::Number(n as f64))),
            Woken::True | Woken::Granted(_, true) => {
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
            Some(Resumed::Failed(failure)) => self.fail(&failure),
            None => self.end(false),
        }
    }
}

/// A time that does not come.
const NEVER: Msec = Msec::MAX;

/// What a wait returns whose deadline is over.
pub const DEADLINE: &str = "deadline";
/// What asking for the results of a dead thread returns.
pub const DEAD: &str = "already waited or killed";

/// So many children may have ended before somebody looks for those that were
/// collected.
const MIN_SWEEP: usize = 64;
