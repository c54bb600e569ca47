//! Receiving.

use std::borrow::Cow;
use std::rc::Rc;

use super::{Reader, Upstream};
use crate::lua::value::kept;
use crate::lua::{Value, Values};
use crate::nginx::Msec;
use crate::nginx::time::{current_msec, left_until};
use crate::sched::{DEADLINE, Thread, budget};
use crate::socket::{Received, SocketError};
use crate::text::pattern::Scanner;

impl Upstream {
    /// Receives by pattern, for the running coroutine; None if it has to wait.
    #[inline]
    pub fn receive_now(&self, scanner: &mut Scanner) -> Option<Values> {
        if self.is_reading() {
            return Some(Values::error(Value::Str("socket busy reading")));
        }
        if self.is_over() {
            return Some(Values::error(Value::Str("closed")));
        }
        if self.socket.may_receive() && budget::spend() {
            let values = self.poll_receive(scanner);
            if self.read_over.get() && !self.connection().is_open() {
                self.end_writers();
            }
            values
        } else {
            None
        }
    }

    /// Whether a thread waits to read.
    #[inline]
    pub fn is_reading(&self) -> bool {
        !matches!(*self.reader.borrow(), Reader::None)
    }

    /// Whether a TLS handshake is under way.
    #[inline]
    pub(super) fn is_shaking_hands(&self) -> bool {
        matches!(*self.reader.borrow(), Reader::Handshake(..))
    }

    /// Makes the thread wait for what receive_now() had not. What the call
    /// returns if its deadline is over already.
    #[inline]
    pub fn receive_later(
        self: &Rc<Self>,
        thread: &Rc<Thread>,
        scanner: Scanner,
        timeout: Msec,
    ) -> Option<Values> {
        if thread.gives_up() {
            return Some(self.give_up(&scanner, Value::Str(DEADLINE)));
        }
        self.read_deadline.set(Some(current_msec().wrapping_add(timeout)));
        let c = self.connection();
        c.arm_read_timer(timeout);
        let nobody = self.reader.replace(Reader::Receive(thread.clone(), scanner));
        // It is None, as receive_now() has seen: there is nothing to drop.
        std::mem::forget(nobody);
        thread.wait_for(self.clone());
        self.begin_to_wait();
        None
    }

    /// Makes the thread wait, among others, until something can be read.
    pub fn select(self: &Rc<Self>, thread: &Rc<Thread>, item: usize) {
        // It may be in the list twice: the first counts.
        if self.is_reading() {
            return;
        }
        self.reader.replace(Reader::Select(thread.clone(), item));
        thread.waits_too(self.clone());
        self.begin_to_wait();
    }

    /// Whether a receive would not wait: there are bytes, or never will be.
    pub fn can_read(&self) -> bool {
        self.is_over() || self.socket.poll_input().is_some()
    }

    /// A script has begun to wait: sees that it goes on.
    #[inline]
    pub(super) fn begin_to_wait(&self) {
        if budget::is_left() {
            self.watch_or_post();
        } else {
            // The others first. What it asks for may be in the buffer already,
            // with nothing left in the kernel to tell of.
            self.connection().post_read();
        }
    }

    /// Sees that the events of what is waited for come.
    #[inline]
    pub(super) fn watch_or_post(&self) {
        let c = self.connection();
        if c.read_ready() || !c.watch_read() {
            c.post_read();
        }
    }

    /// What a receive returns whose deadline ends its wait: what came in the same
    /// turn, or was there before and had to wait for the others, is in time.
    #[cold]
    pub(super) fn last_receive(&self, scanner: &mut Scanner) -> Values {
        let received = match self.socket.may_receive() {
            true => self.poll_receive(scanner),
            false => None,
        };
        if !self.connection().is_open() {
            self.end_writers();
        }
        received.unwrap_or_else(|| self.give_up(scanner, Value::Str(DEADLINE)))
    }

    /// What a receive returns that waits no longer.
    #[cold]
    fn give_up(&self, scanner: &Scanner, why: Value) -> Values {
        self.dubious.set(true);
        self.socket.take_partial(scanner, |partial| with_partial(why, partial))
    }

    /// Tries to complete a receive; None if more has to come.
    #[inline]
    fn poll_receive(&self, scanner: &mut Scanner) -> Option<Values> {
        let mut failed = None;
        let values = self.socket.receive(scanner, |received| match received {
            Received::Data(bytes) => {
                budget::spend_bytes(bytes.len());
                Values::one(Value::bytes(bytes))
            }
            Received::Failed(error, partial) => {
                budget::spend_bytes(partial.len());
                failed = Some(error);
                values_of(error, partial)
            }
        })?;
        match (failed, scanner.reached()) {
            (None, reached) => {
                self.dubious.set(false);
                if let Some(reached) = reached {
                    return Some(values.and(Value::Boolean(reached)));
                }
            }
            // The next call goes on.
            (Some(SocketError::TooLong), _) => self.dubious.set(true),
            (Some(error), _) => {
                self.read_over.set(true);
                self.broken(error);
            }
        }
        Some(values)
    }

    /// A read event, or the read timer.
    pub(super) fn on_read_open(self: &Rc<Self>) {
        let c = self.connection();
        let timedout = c.take_read_timedout();
        let mut reader = self.reader.borrow_mut();
        match &mut *reader {
            Reader::Receive(_, scanner) => {
                if let Some(values) = self.poll_receive(scanner) {
                    let thread = std::mem::replace(&mut *reader, Reader::None).thread();
                    drop(reader);
                    if !c.is_open() {
                        self.end_writers();
                    }
                    return self.resume(thread, values);
                }
                match self.read_deadline.get().and_then(left_until) {
                    Some(left) if timedout => c.arm_read_timer(left),
                    None if timedout => {
                        drop(reader);
                        return self.read_timed_out();
                    }
                    _ => {}
                }
                drop(reader);
                self.watch_or_post();
            }
            Reader::Frame(_) => {
                drop(reader);
                self.on_read_frame(timedout);
            }
            Reader::Handshake(..) => {
                drop(reader);
                self.on_handshake(timedout);
            }
            Reader::Select(..) => {
                drop(reader);
                if self.can_read() {
                    let reader = self.reader.replace(Reader::None);
                    if let Reader::Select(thread, item) = reader {
                        thread.grant_first(item);
                    }
                } else {
                    self.watch_or_post();
                }
            }
            Reader::None => {
                drop(reader);
                self.on_read_unasked();
                c.watch_read();
            }
        }
    }

    /// Runs on a thread that has waited to read.
    #[inline]
    pub(super) fn resume(&self, thread: Option<Rc<Thread>>, values: Values) {
        if let Some(thread) = thread {
            thread.host().clone().wake_with(&thread, values);
        }
    }

    #[cold]
    fn read_timed_out(&self) {
        let reader = self.reader.replace(Reader::None);
        let Reader::Receive(thread, scanner) = reader else { return };
        self.log(b"lua tcp socket read timed out");
        let values = self.give_up(&scanner, Value::Str("timeout"));
        self.resume(Some(thread), values);
    }
}

impl Reader {
    pub(super) fn thread(self) -> Option<Rc<Thread>> {
        match self {
            Reader::Receive(thread, _)
            | Reader::Frame(thread)
            | Reader::Handshake(thread, _)
            | Reader::Select(thread, _) => Some(thread),
            Reader::None => None,
        }
    }
}

/// `nil, err` or `nil, err, partial`.
pub fn values_of(error: SocketError, partial: &[u8]) -> Values {
    let err = match error.text() {
        Cow::Borrowed(text) => Value::Str(text),
        Cow::Owned(text) => kept(text),
    };
    with_partial(err, partial)
}

fn with_partial(err: Value, partial: &[u8]) -> Values {
    if partial.is_empty() {
        Values::error(err)
    } else {
        Values::three(Value::Nil, err, Value::bytes(partial))
    }
}
