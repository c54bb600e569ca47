//! Sending: a call returns when the kernel has everything. And those who wait for
//! the kernel, in whatever call.

use std::rc::Rc;

use super::Upstream;
use super::read::values_of;
use crate::lua::{Value, Values};
use crate::nginx::Msec;
use crate::nginx::time::left_until;
use crate::sched::{Thread, Woken, budget, turn};
use crate::socket::SocketError;
use crate::socket::output::Sent;

/// What a call that sends comes to.
pub enum Sending {
    /// The call returns these.
    Done(Values),
    /// Everything is sent: the call returns this number.
    Sent(usize),
    /// The kernel's buffer is full: see `Upstream::wait_to_send`.
    Blocked,
    /// Everything is sent, but others have to have their turn first.
    Turn,
}

/// Who waits until the kernel has taken some of what is queued.
pub(super) struct Writer {
    thread: Rc<Thread>,
    /// How much of it.
    left: usize,
    /// The call's time is over then.
    until: Msec,
    wants: Wants,
}

/// What the call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// How many bytes it has sent: these, which are the last of what was queued
    /// when it began.
    Sent(usize),
    /// True.
    True,
}

impl Upstream {
    /// Why nothing can be sent now, if so.
    #[inline]
    pub fn unsendable(&self) -> Option<Values> {
        if self.is_sending() || self.is_shaking_hands() {
            return Some(Values::error(Value::Str("socket busy writing")));
        }
        if !self.connection().is_open() || self.socket.writable().is_err() {
            self.log(b"attempt to send data on a closed socket");
            return Some(Values::error(Value::Str("closed")));
        }
        None
    }

    /// Whether a thread waits in `send`.
    #[inline]
    fn is_sending(&self) -> bool {
        self.writers.borrow().iter().any(|writer| writer.wants != Wants::True)
    }

    /// Sends bytes.
    #[inline]
    pub fn send(&self, bytes: &[u8]) -> Sending {
        let sent = self.socket.send(bytes);
        self.sent(sent, bytes.len())
    }

    /// Sends what was queued by `TcpSocket::write_with`.
    pub fn send_queued(&self, len: usize) -> Sending {
        let sent = self.socket.flush();
        self.sent(sent, len)
    }

    #[inline]
    fn sent(&self, sent: Result<Sent, SocketError>, len: usize) -> Sending {
        budget::spend_bytes(len);
        match sent {
            Ok(Sent::Blocked) => Sending::Blocked,
            Ok(_) if budget::spend() => Sending::Sent(len),
            Ok(_) => Sending::Turn,
            Err(error) => {
                self.broken(error);
                self.end_writers();
                if !self.connection().is_open() {
                    self.end_reader();
                }
                Sending::Done(values_of(error, b""))
            }
        }
    }

    /// Makes the thread wait until the kernel has the rest of `len` bytes. What
    /// the call returns if its deadline is over already.
    pub fn wait_to_send(
        self: &Rc<Self>,
        thread: &Rc<Thread>,
        len: usize,
        timeout: Msec,
    ) -> Option<Values> {
        self.wait_to_write(thread, self.socket.queued(), timeout, Wants::Sent(len))
    }

    pub(super) fn add_writer(
        &self,
        thread: &Rc<Thread>,
        left: usize,
        until: Msec,
        wants: Wants,
    ) {
        let writer = Writer { thread: thread.clone(), left, until, wants };
        self.writers.borrow_mut().push(writer);
    }

    /// What a call returns that waits no longer for the kernel.
    pub(super) fn cut_short(&self, wants: Wants, why: Value) -> Values {
        match wants {
            Wants::Sent(len) => {
                let sent = len.saturating_sub(self.socket.queued());
                Values::three(Value::Nil, why, Value::Number(sent as f64))
            }
            Wants::True => Values::error(why),
        }
    }

    /// Takes a thread off the list of those that wait for the kernel.
    pub(super) fn remove_writer(&self, thread: &Thread) -> Option<Wants> {
        let mut writers = self.writers.borrow_mut();
        let place = writers
            .iter()
            .position(|writer| std::ptr::eq(Rc::as_ptr(&writer.thread), thread))?;
        let gone = writers.remove(place);
        drop(writers);
        Some(gone.wants)
    }

    /// Those that wait for the kernel go on soon, with `nil, "closed"`.
    pub(super) fn end_writers(&self) {
        loop {
            let writer = self.writers.borrow_mut().pop();
            let Some(writer) = writer else { break };
            writer.thread.fail_soon("closed");
        }
    }

    /// A write event, the write timer, or the end of a turn in which something was
    /// pushed.
    pub(super) fn on_write_open(self: &Rc<Self>) {
        let c = self.connection();
        let timedout = c.take_write_timedout();
        if self.is_shaking_hands() {
            return self.on_handshake(false);
        }
        let before = self.socket.queued();
        if before == 0 {
            c.ignore_write();
            return;
        }
        match self.socket.flush_ready() {
            Ok(Sent::Blocked) => {
                let sent = before - self.socket.queued();
                if sent > 0 || self.write_deadline.get().is_none() {
                    self.renew_write_deadline();
                }
                if timedout && !self.is_in_time() {
                    return self.write_timed_out();
                }
                if !c.watch_write() {
                    return self.send_failed(SocketError::Closed);
                }
                self.has_sent(sent);
            }
            Ok(_) => {
                if self.write_deadline.take().is_some() {
                    c.cancel_write_timer();
                }
                c.ignore_write();
                self.has_sent(usize::MAX);
            }
            Err(error) => self.send_failed(error),
        }
    }

    /// The kernel has taken so many bytes: who waits for no more goes on.
    #[inline]
    fn has_sent(&self, n: usize) {
        if !self.writers.borrow().is_empty() {
            self.wake_writers(n);
        }
    }

    #[cold]
    fn wake_writers(&self, n: usize) {
        let mut done = Vec::new();
        self.writers.borrow_mut().retain_mut(|writer| {
            writer.left = writer.left.saturating_sub(n);
            if writer.left == 0 {
                done.push((writer.thread.clone(), writer.wants));
            }
            writer.left > 0
        });
        for (thread, wants) in done {
            thread.wake_soon(match wants {
                Wants::Sent(len) => Woken::Sent(len),
                Wants::True => Woken::True,
            });
        }
        turn::run();
    }

    /// A system call has failed.
    fn send_failed(self: &Rc<Self>, error: SocketError) {
        let sender = {
            let mut writers = self.writers.borrow_mut();
            let place = writers.iter().position(|writer| writer.wants != Wants::True);
            place.map(|place| writers.remove(place))
        };
        match sender {
            Some(sender) => {
                self.broken(error);
                self.end_writers();
                if !self.connection().is_open() {
                    self.end_reader();
                }
                let values = values_of(error, b"");
                sender.thread.host().clone().wake_with(&sender.thread, values);
            }
            None => {
                self.fail_pushes();
                turn::run();
            }
        }
    }

    /// Whether there is time left, of those that wait or, if nobody does, since the
    /// other side has last taken something. Arms the timer for it.
    fn is_in_time(&self) -> bool {
        let first = self.writers.borrow().iter().map(|writer| writer.until).min();
        let left = first.or(self.write_deadline.get()).and_then(left_until);
        if let Some(left) = left {
            self.connection().arm_write_timer(left);
        }
        left.is_some()
    }

    /// The other side did not take it in time: what is left would never be
    /// complete, so the connection is of no use.
    fn write_timed_out(&self) {
        self.log(b"lua tcp socket write timed out");
        let late = {
            let mut writers = self.writers.borrow_mut();
            let place =
                writers.iter().position(|writer| left_until(writer.until).is_none());
            place.map(|place| writers.remove(place))
        };
        let values = late
            .as_ref()
            .map(|late| self.cut_short(late.wants, Value::Str(SocketError::TIMEOUT)));
        self.socket.abandon_output(SocketError::Closed);
        self.read_over.set(true);
        self.connection().close();
        self.end_reader();
        self.end_writers();
        match (late, values) {
            (Some(late), Some(values)) => {
                late.thread.host().clone().wake_with(&late.thread, values);
            }
            _ => turn::run(),
        }
    }

    /// Makes the thread wait for its next turn; its call returns `len`.
    pub fn wait_for_turn(thread: &Rc<Thread>, len: usize) {
        thread.wait_for_turn(Woken::Sent(len));
    }

    /// Sends FIN, after what is queued is sent. An errno.
    pub fn shutdown_write(&self) -> Result<(), i32> {
        self.socket.abandon_output(SocketError::Closed);
        self.connection().shutdown_write()
    }
}
