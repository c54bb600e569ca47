//! Pools: connections between two uses, by name. The last that came is the
//! first that goes, and where there is no room the oldest makes it.
//!
//! A pool that was made with a backlog limits how many connections there are at
//! all: who wants one more waits until another is given back or closed.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use super::dial::Dial;
use super::{Stage, Upstream, lookup};
use crate::nginx::io::Io;
use crate::nginx::local::Local;
use crate::nginx::time::{current_msec, left_until};
use crate::nginx::{Msec, cycle};
use crate::socket::output::Sent;

/// Answers what the other side sends while a connection is in a pool.
pub trait Heartbeat: 'static {
    /// Gets what has come, and adds to `reply`. False: the connection is of no
    /// use any more.
    fn feed(&mut self, bytes: &[u8], reply: &mut Vec<u8>) -> bool;
    /// Takes what has come of something that is not complete: it is for whoever
    /// uses the connection next.
    fn rest(&mut self) -> Vec<u8>;
    /// Takes what the other side has told last of itself, likewise.
    fn info(&mut self) -> Option<Vec<u8>>;
}

/// The connections of one name.
pub struct Pool {
    name: Box<[u8]>,
    size: usize,
    /// How many may wait; None: any number of connections may be open.
    backlog: Option<usize>,
    /// The oldest first.
    idle: RefCell<VecDeque<Rc<Upstream>>>,
    /// How many connections of it are in use or being made, where it counts.
    active: Cell<usize>,
    waiting: RefCell<VecDeque<Rc<Dial>>>,
}

/// FNV-1a: names are short, and scripts' own.
#[derive(Clone)]
struct NameHasher(u64);

impl Default for NameHasher {
    fn default() -> Self {
        NameHasher(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn write_u8(&mut self, _: u8) {}

    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

type Pools = HashMap<Box<[u8]>, Rc<Pool>, BuildHasherDefault<NameHasher>>;

static POOLS: Local<RefCell<Option<Pools>>> = Local::new(RefCell::new(None));

/// The pool with this name.
#[inline]
pub(super) fn find(name: &[u8]) -> Option<Rc<Pool>> {
    POOLS.borrow().as_ref()?.get(name).cloned()
}

/// The pool with this name, made if there is none.
pub(super) fn find_or_make(name: &[u8], size: usize, backlog: Option<usize>) -> Rc<Pool> {
    if let Some(pool) = find(name) {
        return pool;
    }
    let pool = Rc::new(Pool {
        name: name.into(),
        size,
        backlog,
        idle: RefCell::default(),
        active: Cell::new(0),
        waiting: RefCell::default(),
    });
    let mut pools = POOLS.borrow_mut();
    pools.get_or_insert_with(Pools::default).insert(name.into(), pool.clone());
    pool
}

/// Frees the table. Its connections are closed already.
pub(super) fn free() {
    drop(POOLS.take());
}

impl Pool {
    /// A connection that is as good as new; those that are not are closed.
    #[inline]
    pub(super) fn take(&self) -> Option<Rc<Upstream>> {
        loop {
            let upstream = self.idle.borrow_mut().pop_back()?;
            if upstream.leave_pool() {
                return Some(upstream);
            }
            upstream.close();
        }
    }

    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Counts a connection in, if there may be one more.
    pub(super) fn enter(&self) -> bool {
        let open = self.active.get() + self.idle.borrow().len();
        if self.backlog.is_some() && open >= self.size {
            return false;
        }
        self.count_in();
        true
    }

    fn count_in(&self) {
        self.active.set(self.active.get() + 1);
    }

    /// Counts one out: it was closed or never came to be. The next that waits
    /// makes its own.
    pub(super) fn leave(&self) {
        self.active.set(self.active.get().saturating_sub(1));
        let next = self.waiting.borrow_mut().pop_front();
        match next {
            Some(dial) => {
                self.count_in();
                dial.go_on();
            }
            None => self.drop_if_unused(),
        }
    }

    /// Queues one who wants a connection. False: too many do.
    pub(super) fn queue(&self, dial: &Rc<Dial>) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= self.backlog.unwrap_or(0) {
            return false;
        }
        waiting.push_back(dial.clone());
        true
    }

    /// Queues one that has had its turn, for nothing.
    pub(super) fn queue_first(&self, dial: &Rc<Dial>) {
        self.waiting.borrow_mut().push_front(dial.clone());
    }

    /// One that was queued waits no longer.
    pub(super) fn unqueue(&self, dial: &Dial) {
        self.waiting.borrow_mut().retain(|other| !std::ptr::eq(Rc::as_ptr(other), dial));
    }

    /// A connection of it was closed.
    pub(super) fn lost(&self, upstream: &Upstream, was: Stage) {
        if was == Stage::Idle {
            let mut idle = self.idle.borrow_mut();
            let place =
                idle.iter().position(|own| std::ptr::eq(&raw const **own, upstream));
            let gone = place.and_then(|place| idle.remove(place));
            drop(idle);
            drop(gone);
            // One may be made in its place.
            if self.backlog.is_some() && !self.waiting.borrow().is_empty() {
                self.count_in();
                self.leave();
                return;
            }
            self.drop_if_unused();
        } else {
            self.leave();
        }
    }

    fn drop_if_unused(&self) {
        let unused = self.active.get() == 0
            && self.idle.borrow().is_empty()
            && self.waiting.borrow().is_empty();
        if unused && let Some(pools) = &mut *POOLS.borrow_mut() {
            let own = pools.get(&self.name);
            if own.is_some_and(|own| std::ptr::eq(&raw const **own, self)) {
                pools.remove(&self.name);
                lookup::forget(self);
            }
        }
    }
}

impl Upstream {
    /// Whether it can be given back, and why not. What is unread does not matter
    /// to one that will answer it.
    pub fn unkeepable(&self, answers: bool) -> Option<&'static str> {
        if self.is_over() {
            return Some("closed");
        }
        if self.is_reading() {
            return Some("socket busy reading");
        }
        if !self.writers.borrow().is_empty() {
            return Some("socket busy writing");
        }
        if self.socket.queued() > 0 {
            // What was pushed may go on its way from the pool; what is left of a
            // call that was cut short is a beginning without its end, most often.
            if !self.has_pushed.get() {
                return Some("socket busy writing");
            }
            if self.flush_pushed().is_err() {
                return Some("closed");
            }
        }
        let dubious = self.dubious.get() || self.socket.writable().is_err();
        (dubious || !answers && !self.seems_fresh())
            .then_some("connection in dubious state")
    }

    /// As is_fresh(), as far as one knows without asking the kernel, which is asked
    /// before somebody else gets the connection. What OpenSSL has of a record or an
    /// alert only it knows.
    fn seems_fresh(&self) -> bool {
        let asks = self.connection().tls().is_some() || self.socket.may_receive();
        !asks || self.is_fresh()
    }

    /// Whether there are no bytes to read, nor FIN. Events that came with the one
    /// that is being handled have not been seen yet, so the kernel is asked: a
    /// system call, lest a connection that is closed is used once more.
    fn is_fresh(&self) -> bool {
        !self.socket.has_unread()
            && self.socket.read_end().is_none()
            && self.connection().peek() == Io::Again
    }

    /// Puts it into the pool of its name. No object of a script knows it then.
    pub fn keep(
        self: &Rc<Self>,
        timeout: Msec,
        size: usize,
        heartbeat: Option<Box<dyn Heartbeat>>,
    ) {
        if cycle::exiting() {
            return self.close();
        }
        let pool = match &*self.pool.borrow() {
            Some(pool) => pool.clone(),
            None => find_or_make(&self.name.borrow(), size, None),
        };
        if self.pool.borrow().is_none() {
            pool.count_in();
            self.pool.replace(Some(pool.clone()));
        }
        self.detach();
        self.read_deadline.set(None);
        self.heartbeat.replace(heartbeat);
        self.forget_reading();
        // What one that answers has not read yet, and what is in the buffer.
        if self.has_heartbeat() && !self.answer() {
            return self.close();
        }
        let next = pool.waiting.borrow_mut().pop_front();
        if let Some(dial) = next {
            return dial.hand_over(self);
        }
        self.stage.set(Stage::Idle);
        pool.active.set(pool.active.get().saturating_sub(1));
        let oldest = {
            let mut idle = pool.idle.borrow_mut();
            let oldest = if idle.len() >= pool.size { idle.pop_front() } else { None };
            idle.push_back(self.clone());
            oldest
        };
        if let Some(oldest) = oldest {
            oldest.finish();
        }
        let c = self.connection();
        c.set_parked(true);
        match self.socket.queued() {
            0 => {
                c.ignore_write();
            }
            _ => self.watch_rest(),
        }
        if timeout > 0 {
            self.read_deadline.set(Some(current_msec().wrapping_add(timeout)));
            c.arm_read_timer(timeout);
        }
        self.socket.release_buffers();
        if !c.watch_read() {
            self.close();
        }
    }

    /// Makes it somebody's again; false if it is of no use any more.
    #[inline]
    fn leave_pool(&self) -> bool {
        let good = match self.has_heartbeat() {
            true => self.answer(),
            false => self.is_fresh(),
        };
        if !good {
            return false;
        }
        self.leave_heartbeat();
        self.connection().set_parked(false);
        self.count_use();
        if let Some(pool) = &*self.pool.borrow() {
            pool.count_in();
        }
        true
    }

    /// Whether it answers the other side by itself.
    #[inline]
    pub(super) fn has_heartbeat(&self) -> bool {
        self.heartbeat.borrow().is_some()
    }

    /// Somebody reads it again.
    #[inline]
    pub(super) fn leave_heartbeat(&self) {
        let heartbeat = self.heartbeat.take();
        if let Some(mut heartbeat) = heartbeat {
            self.socket.put_back(&heartbeat.rest());
            if let Some(info) = heartbeat.info() {
                self.keep_info(&info);
            }
        }
    }

    /// Takes it out of the pool for good, though it is not closed yet.
    pub(super) fn leave_idle(&self) {
        let pool = self.pool.take();
        if let Some(pool) = pool {
            pool.lost(self, Stage::Idle);
        }
    }

    pub(super) fn count_use(&self) {
        self.reused.set(self.reused.get().saturating_add(1));
    }

    /// Something has come while it was in a pool, or its time there is over.
    pub(super) fn on_read_idle(self: &Rc<Self>) {
        let c = self.connection();
        if c.take_read_timedout() {
            match self.read_deadline.get().map(left_until) {
                Some(Some(left)) => c.arm_read_timer(left),
                Some(None) => return self.finish(),
                None => {}
            }
        }
        if !self.answer() || !c.watch_read() {
            self.close();
        }
    }

    /// Answers what has come; false if the connection is of no use.
    fn answer(&self) -> bool {
        let Some(mut heartbeat) = self.heartbeat.take() else {
            return self.connection().peek() == Io::Again;
        };
        let mut reply = Vec::new();
        let good = self.socket.drain(|bytes| heartbeat.feed(bytes, &mut reply));
        self.heartbeat.replace(Some(heartbeat));
        if reply.is_empty() {
            return good;
        }
        match self.socket.send(&reply) {
            Ok(Sent::Blocked) => {
                self.watch_rest();
                good && !self.is_full()
            }
            Ok(_) => good,
            Err(_) => false,
        }
    }

    /// The other side takes more of what answers it, or of what was pushed; or has
    /// not for too long.
    pub(super) fn on_write_idle(self: &Rc<Self>) {
        let c = self.connection();
        let timedout = c.take_write_timedout();
        let before = self.socket.queued();
        let good = match self.socket.flush_ready() {
            Ok(Sent::Blocked) => {
                if self.socket.queued() < before {
                    self.renew_write_deadline();
                }
                let left = self.write_deadline.get().and_then(left_until);
                if let Some(left) = left {
                    c.arm_write_timer(left);
                }
                (left.is_some() || !timedout) && c.watch_write()
            }
            Ok(_) => {
                if self.write_deadline.take().is_some() {
                    c.cancel_write_timer();
                }
                c.ignore_write()
            }
            Err(_) => false,
        };
        if !good {
            self.close();
        }
    }
}
