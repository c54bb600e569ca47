//! The threads of one host.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::resources::{Resource, Resources};
use super::thread::{Thread, Woken};
use crate::lua::registry::Ref;
use crate::lua::{Coroutine, Values, Vm};

/// What threads run for.
pub trait Host: 'static {
    /// Its threads.
    fn group(&self) -> &Group;
    /// Runs one of its threads on, and does what follows from that.
    fn wake(self: Rc<Self>, thread: &Rc<Thread>, woken: Woken);
    /// Runs one of its threads on, whose call returns `values`: for event handlers.
    fn wake_with(self: Rc<Self>, thread: &Rc<Thread>, values: Values);
    /// A thread no longer waits for what is the host's own (`Wait::Host`).
    fn release(&self, thread: &Thread);
    /// The deadline of a thread that waits for what is the host's own is over.
    fn interrupt(self: Rc<Self>, thread: &Rc<Thread>);
    /// Logs an uncaught error.
    fn log_error(&self, line: &[u8]);
    /// Running one of its threads panicked.
    fn on_panic(self: Rc<Self>);
}

/// The threads of a host, and what they share.
pub struct Group {
    entry: RefCell<Option<Rc<Thread>>>,
    /// Light threads that have run and not ended; each knows its place.
    light: RefCell<Vec<Rc<Thread>>>,
    /// How many threads have not ended.
    live: Cell<usize>,
    /// ngx.exit() was called, or the entry thread failed.
    over: Cell<bool>,
    /// The table behind ngx.ctx, once a script has used it.
    context: Cell<Option<Ref>>,
    /// The sockets of its scripts.
    resources: Resources,
}

impl Group {
    /// No threads yet.
    pub const fn new() -> Group {
        Group {
            entry: RefCell::new(None),
            light: RefCell::new(Vec::new()),
            live: Cell::new(0),
            over: Cell::new(false),
            context: Cell::new(None),
            resources: Resources::new(),
        }
    }

    /// Makes the entry thread of `host`, whose group this is.
    pub fn begin(&self, host: Rc<dyn Host>, coroutine: Coroutine) -> Rc<Thread> {
        let thread = Thread::new(host, None, coroutine);
        self.entry.replace(Some(thread.clone()));
        self.live.set(self.live.get() + 1);
        thread
    }

    /// The thread that the host began with, until the host ends.
    pub fn entry(&self) -> Option<Rc<Thread>> {
        self.entry.borrow().clone()
    }

    /// How many threads have not ended.
    pub fn live(&self) -> usize {
        self.live.get()
    }

    /// Whether the host has to end: nothing of it runs or waits any more, or
    /// one of its threads said so.
    pub fn is_over(&self) -> bool {
        self.over.get() || self.live.get() == 0
    }

    /// Ends the host, or not, when the thread that runs has given control back.
    pub(super) fn set_over(&self, over: bool) {
        self.over.set(over);
    }

    /// The table behind ngx.ctx.
    pub fn context(&self) -> &Cell<Option<Ref>> {
        &self.context
    }

    /// Ends all threads, whatever they wait for. To be called with none of them
    /// running.
    pub fn clear(&self, vm: Option<&Vm>) {
        self.over.set(true);
        self.live.set(0);
        // Each is let go of with no borrow held.
        loop {
            let thread = self.light.borrow_mut().pop();
            let Some(thread) = thread else { break };
            thread.discard();
        }
        let entry = self.entry.borrow_mut().take();
        if let Some(entry) = entry {
            entry.discard();
        }
        if let (Some(context), Some(vm)) = (self.context.take(), vm) {
            vm.release(context);
        }
        self.resources.end_all();
    }

    /// Keeps something that ends with the host. False: that is over.
    #[inline]
    pub fn own(&self, resource: Rc<dyn Resource>) -> bool {
        if self.over.get() {
            return false;
        }
        self.resources.own(resource);
        true
    }

    /// Forgets something that it keeps.
    #[inline]
    pub fn disown(&self, resource: &dyn Resource) {
        self.resources.disown(resource);
    }

    /// A light thread begins.
    pub(super) fn count(&self) {
        self.live.set(self.live.get() + 1);
    }

    /// A light thread is alive after its first run.
    pub(super) fn add(&self, thread: &Rc<Thread>) {
        let mut light = self.light.borrow_mut();
        thread.set_place(light.len());
        light.push(thread.clone());
    }

    /// A thread has ended.
    pub(super) fn remove(&self, thread: &Thread) {
        self.live.set(self.live.get().saturating_sub(1));
        if !thread.is_entry() {
            take_from(&mut self.light.borrow_mut(), thread);
        }
    }
}

impl Default for Group {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes a thread from the list that it is in, in constant time.
pub(super) fn take_from(list: &mut Vec<Rc<Thread>>, thread: &Thread) {
    let place = thread.place();
    if list.get(place).is_some_and(|found| std::ptr::eq(&raw const **found, thread)) {
        list.swap_remove(place);
        if let Some(moved) = list.get(place) {
            moved.set_place(place);
        }
    }
}
