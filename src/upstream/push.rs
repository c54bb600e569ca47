//! The coalescing writer: what is pushed goes to the kernel at the end of the
//! turn of the event loop, joined with all that is pushed until then.
//!
//! It shares the socket's queue with `send`, which keeps the order and takes with
//! it what waits there. What was accepted is never dropped by us while the other
//! side takes it: see `end` for a connection that is closed.

use std::rc::Rc;

use super::write::Wants;
use super::{Stage, Upstream};
use crate::lua::{Value, Values};
use crate::nginx::Msec;
use crate::nginx::time::current_msec;
use crate::sched::{DEADLINE, Thread, budget};
use crate::socket::SocketError;
use crate::socket::output::Sent;

/// So much goes to the kernel at once: more in one call is no cheaper.
const LARGE: usize = 64 * 1024;
/// Who pushes while more than this waits for the kernel waits, too.
const FULL: usize = 1024 * 1024;
/// What a push takes from the budget, in sixteenths of a call.
const COST: u32 = 1;

/// What a push comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It will be sent.
    Done,
    /// The same, but others have to have their turn first.
    Turn,
    /// The same, but too much waits: see `Upstream::wait_for_room`.
    Full,
    /// The call returns `nil` and this.
    Failed(&'static str),
}

impl Upstream {
    /// Lets `append` add to what is sent by the end of the turn. `timeout` is how
    /// long the other side may take nothing of it.
    #[inline]
    pub fn push(
        self: &Rc<Self>,
        timeout: impl FnOnce() -> Msec,
        append: impl FnOnce(&mut Vec<u8>),
    ) -> Pushed {
        if let Some(why) = self.unpushable() {
            return Pushed::Failed(why);
        }
        let (before, now) = self.socket.push(append);
        if before == 0 {
            self.begin_to_push(timeout());
        }
        if now >= LARGE {
            return self.push_through(now - before);
        }
        match budget::spend_part(COST) {
            true => Pushed::Done,
            false => Pushed::Turn,
        }
    }

    /// As push(), of some `len` bytes, if that is all that has to be done. False:
    /// nothing is.
    #[inline]
    pub fn push_little(
        &self,
        len: usize,
        timeout: impl FnOnce() -> Msec,
        append: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        if self.socket.queued() + len >= LARGE
            || !budget::is_left()
            || self.unpushable().is_some()
        {
            return false;
        }
        budget::spend_part(COST);
        let (before, _) = self.socket.push(append);
        if before == 0 {
            self.begin_to_push(timeout());
        }
        true
    }

    /// The first that is pushed in a turn: what follows joins it.
    fn begin_to_push(&self, timeout: Msec) {
        self.has_pushed.set(true);
        self.send_timeout.set(timeout);
        self.connection().post_write_soon();
    }

    /// Why nothing can be pushed, if so. Whoever has ended its side of a connection
    /// reads none of it either, in the protocols that this is for.
    #[inline]
    fn unpushable(&self) -> Option<&'static str> {
        if self.stage.get() != Stage::Open
            || !self.connection().is_open()
            || self.socket.writable().is_err()
            || self.socket.read_end().is_some()
        {
            return Some("closed");
        }
        self.is_shaking_hands().then_some("socket busy writing")
    }

    /// Much is pushed: sends it now. `len` bytes are new.
    #[cold]
    #[inline(never)]
    fn push_through(self: &Rc<Self>, len: usize) -> Pushed {
        budget::spend_bytes(len);
        match self.socket.flush() {
            Ok(Sent::Blocked) => self.watch_rest(),
            Ok(_) => {}
            Err(_) => {
                self.fail_pushes();
                return Pushed::Failed("closed");
            }
        }
        if self.is_full() {
            Pushed::Full
        } else if budget::spend() {
            Pushed::Done
        } else {
            Pushed::Turn
        }
    }

    /// Whether more would wait than one may push who cannot wait.
    #[inline]
    pub fn refuses_more(&self) -> bool {
        self.socket.is_blocked() && self.is_full()
    }

    /// Whether so much waits that nothing more should be pushed.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.socket.queued() > FULL
    }

    /// Makes the thread wait until there is room again. What the call returns if
    /// its deadline is over already.
    pub fn wait_for_room(
        self: &Rc<Self>,
        thread: &Rc<Thread>,
        timeout: Msec,
    ) -> Option<Values> {
        let over = self.socket.queued().saturating_sub(FULL);
        self.wait_to_write(thread, over, timeout, Wants::True)
    }

    /// Sends what was pushed.
    pub fn flush_pushed(&self) -> Result<Sent, &'static str> {
        if let Some(why) = self.unpushable() {
            return Err(why);
        }
        let sent = self.socket.flush();
        if let Err(SocketError::System(_)) = sent {
            self.fail_pushes();
        }
        sent.map_err(|_| "closed")
    }

    /// Makes the thread wait until all that was pushed is with the kernel. What
    /// the call returns if its deadline is over already.
    pub fn wait_for_flush(
        self: &Rc<Self>,
        thread: &Rc<Thread>,
        timeout: Msec,
    ) -> Option<Values> {
        self.wait_to_write(thread, self.socket.queued(), timeout, Wants::True)
    }

    /// Makes the thread wait until `left` bytes more are with the kernel.
    pub(super) fn wait_to_write(
        self: &Rc<Self>,
        thread: &Rc<Thread>,
        left: usize,
        timeout: Msec,
        wants: Wants,
    ) -> Option<Values> {
        self.send_timeout.set(timeout);
        self.watch_rest();
        if thread.gives_up() {
            return Some(self.cut_short(wants, Value::Str(DEADLINE)));
        }
        let until = current_msec().wrapping_add(timeout);
        self.connection().arm_write_timer(timeout);
        self.add_writer(thread, left, until, wants);
        thread.wait_for(self.clone());
        None
    }

    /// The kernel's buffer is full: sees that the rest goes on its way.
    pub(super) fn watch_rest(&self) {
        let c = self.connection();
        c.watch_write();
        if self.write_deadline.get().is_none() {
            self.renew_write_deadline();
        }
    }

    /// The other side has taken something: its time begins anew.
    pub(super) fn renew_write_deadline(&self) {
        let timeout = self.send_timeout.get();
        self.write_deadline.set(Some(current_msec().wrapping_add(timeout)));
        self.connection().arm_write_timer(timeout);
    }

    /// Nothing can be sent any more. What the other side has sent before it can
    /// still be read, which may say why: so whoever reads finds the end himself.
    pub(super) fn fail_pushes(&self) {
        self.end_writers();
        let c = self.connection();
        c.cancel_write_timer();
        c.ignore_write();
        if self.is_reading() {
            c.set_read_ready(true);
            c.post_read();
        }
    }
}
