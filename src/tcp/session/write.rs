//! Printing to the client: joined until the coroutine waits.

use std::rc::Rc;

use super::read::error_value;
use super::{Reader, Session, Stage};
use crate::lua::{Value, Values};
use crate::nginx::Msec;
use crate::nginx::log::Level;
use crate::nginx::time::{current_msec, left_until};
use crate::sched::{DEADLINE, Thread, Woken, budget, with_thread};
use crate::socket::SocketError;
use crate::socket::output::Sent;

/// What a native that prints has to do.
pub enum Writing {
    /// The call returns these.
    Done(Values),
    /// Everything is sent or queued: the call returns this number, and nil.
    Sent(usize),
    /// The call waits; later it returns the number that was given.
    Waits,
}

/// What a call returns when the kernel has everything.
#[derive(Clone, Copy, Debug)]
pub enum Flushed {
    /// To print and say: how many bytes it was, and nil.
    Bytes(usize),
    /// To flush and eof: 1.
    Done,
}

/// A thread that waits until the kernel has what it printed.
pub(super) struct Flusher {
    pub(super) thread: Rc<Thread>,
    flushed: Flushed,
    /// So many bytes were queued after that.
    behind: usize,
}

/// What has become of ngx.eof().
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eof {
    /// It has not been called.
    No,
    /// The FIN comes after what is queued.
    Wanted,
    /// The FIN is sent.
    Sent,
}

impl Flushed {
    #[inline]
    fn values(self) -> Values {
        match self {
            Flushed::Bytes(n) => Values::two(Value::Number(n as f64), Value::Nil),
            Flushed::Done => Values::one(Value::Number(1.0)),
        }
    }
}

impl Session {
    /// Prints one piece of bytes. Where the coroutine cannot wait, what the
    /// kernel does not take now stays queued.
    #[inline(always)]
    pub(crate) fn print(&self, bytes: &[u8], can_wait: impl Fn() -> bool) -> Writing {
        let sent = self.socket.write(bytes);
        self.printed(sent, bytes.len(), can_wait)
    }

    /// As print(), of a line, whose LF is added.
    #[inline(always)]
    pub(crate) fn print_line(&self, line: &[u8], can_wait: impl Fn() -> bool) -> Writing {
        let sent = self.socket.write_line(line);
        self.printed(sent, line.len() + 1, can_wait)
    }

    /// Prints what was queued by `TcpSocket::write_with`.
    pub(crate) fn print_queued(
        &self,
        len: usize,
        can_wait: impl Fn() -> bool,
    ) -> Writing {
        let sent = match self.socket.writable() {
            Ok(()) if self.socket.output_is_long() || self.socket.is_blocked() => {
                self.socket.flush()
            }
            Ok(()) => Ok(Sent::All),
            Err(error) => {
                self.socket.abandon_output(error);
                Err(error)
            }
        };
        self.printed(sent, len, can_wait)
    }

    /// Sends what was printed; waits until the kernel has it, if asked to.
    pub(crate) fn flush_now(&self, wait: bool) -> Writing {
        match self.socket.writable().and_then(|()| self.socket.flush()) {
            Ok(Sent::Blocked) if wait => self.wait_for_flush(Flushed::Done),
            Ok(_) => Writing::Done(Flushed::Done.values()),
            Err(error) => Writing::Done(Values::error(self.write_error(error))),
        }
    }

    /// Whether ngx.eof() has been called.
    pub(crate) fn eof_sent(&self) -> bool {
        self.eof.get() != Eof::No
    }

    /// Sends what was printed, then FIN.
    pub(crate) fn send_eof(&self) -> Writing {
        self.eof.set(Eof::Wanted);
        match self.flush_now(true) {
            Writing::Done(values) => match self.send_fin() {
                Ok(()) => Writing::Done(values),
                Err(error) => Writing::Done(Values::error(error)),
            },
            other => other,
        }
    }

    /// Sends FIN if it is wanted, and its turn has come.
    fn send_fin(&self) -> Result<(), Value> {
        let queued = self.socket.queued() > 0 && self.socket.writable().is_ok();
        if queued || self.eof.get() != Eof::Wanted {
            return Ok(());
        }
        self.eof.set(Eof::Sent);
        self.connection()
            .shutdown_write()
            .map_err(|errno| error_value(SocketError::System(errno)))
    }

    #[inline(always)]
    fn printed(
        &self,
        sent: Result<Sent, SocketError>,
        len: usize,
        can_wait: impl Fn() -> bool,
    ) -> Writing {
        match sent {
            Ok(Sent::Blocked) => {
                self.queued_behind(len);
                match can_wait() {
                    true => self.wait_for_flush(Flushed::Bytes(len)),
                    false => Writing::Sent(len),
                }
            }
            Ok(Sent::All) if !budget::spend() && can_wait() => {
                with_thread(|thread| {
                    if let Some(thread) = thread {
                        thread.wait_for_turn(Woken::Printed(len));
                    }
                });
                Writing::Waits
            }
            Ok(_) => Writing::Sent(len),
            Err(error) => Writing::Done(Values::error(self.write_error(error))),
        }
    }

    /// So many bytes were queued behind what threads wait for already.
    #[inline]
    pub(super) fn queued_behind(&self, len: usize) {
        for flusher in self.flushers.borrow_mut().iter_mut() {
            flusher.behind += len;
        }
    }

    fn wait_for_flush(&self, flushed: Flushed) -> Writing {
        self.arm_send_timer();
        self.connection().watch_write();
        with_thread(|thread| match thread {
            Some(thread) if !thread.gives_up() => {
                let flusher = Flusher { thread: thread.clone(), flushed, behind: 0 };
                self.flushers.borrow_mut().push(flusher);
                thread.wait_for_host();
                Writing::Waits
            }
            _ => Writing::Done(Values::error(Value::Str(DEADLINE))),
        })
    }

    fn log_failed_send(&self, errno: i32) {
        self.log_io_error(errno, "send()");
    }

    /// Logs a failed write and gives its text.
    pub(super) fn write_error(&self, error: SocketError) -> Value {
        match error {
            SocketError::System(errno) => {
                self.log_failed_send(errno);
            }
            _ => self.connection().write_log(
                Level::Err,
                0,
                format_args!("attempt to send data on a closed/invalid socket"),
            ),
        }
        error_value(error)
    }

    /// Sends what the last resume printed. What the kernel does not take goes
    /// out while the coroutine waits for whatever it waits for.
    #[inline(always)]
    pub(super) fn flush_joined(&self) {
        match self.socket.flush() {
            Ok(Sent::Blocked) => {
                self.arm_send_timer();
                self.connection().watch_write();
            }
            Ok(_) if self.eof.get() != Eof::Wanted => {}
            Ok(_) if self.flushers.borrow().is_empty() => {
                // Whom could one tell?
                let _ = self.send_fin();
            }
            Ok(_) => {}
            Err(SocketError::System(errno)) => {
                self.log_failed_send(errno);
            }
            // Told already, to the call or to the log.
            Err(_) => {}
        }
    }

    /// How long the client may take nothing of what is printed.
    pub(crate) fn set_send_timeout(&self, timeout: Option<Msec>) {
        self.send_timeout.set(timeout.unwrap_or_else(|| self.conf.send_timeout()));
    }

    pub(super) fn arm_send_timer(&self) {
        if self.write_deadline.get().is_none() {
            let timeout = self.send_timeout.get();
            self.write_deadline.set(Some(current_msec().wrapping_add(timeout)));
            self.connection().arm_write_timer(timeout);
        }
    }

    /// A write event, the write timer, or a turn that was posted.
    pub(super) fn on_write_pending(self: &Rc<Self>) {
        let timedout = self.connection().take_write_timedout();
        let queued = self.socket.queued();
        // A read may have found that the client is gone.
        let result = self.socket.writable().and_then(|()| self.socket.flush_ready());
        match result {
            Ok(Sent::Blocked) => {
                if self.socket.queued() < queued {
                    // The client reads: its time begins anew.
                    self.write_deadline.set(None);
                    self.arm_send_timer();
                }
                match self.write_deadline.get().and_then(left_until) {
                    Some(left) => self.connection().arm_write_timer(left),
                    None if timedout => return self.write_timed_out(),
                    None => {}
                }
                if !self.connection().watch_write() {
                    return self.close();
                }
                // What others send may keep the queue from ever being empty.
                let queued = self.socket.queued();
                self.wake_flushers(
                    |flusher| queued <= flusher.behind,
                    |flusher| flusher.flushed.values(),
                );
            }
            Ok(_) => {
                if self.write_deadline.take().is_some() {
                    self.connection().cancel_write_timer();
                }
                // Stops a level-triggered method; costs an edge-triggered one
                // nothing.
                self.connection().watch_write();
                self.write_done(None);
            }
            Err(error) => {
                if self.write_deadline.take().is_some() {
                    self.connection().cancel_write_timer();
                }
                self.write_done(Some(error));
            }
        }
    }

    fn write_done(self: &Rc<Self>, error: Option<SocketError>) {
        if self.stage.get() == Stage::Flushing {
            return self.linger_or_close();
        }
        if let Some(SocketError::System(errno)) = error
            && self.flushers.borrow().is_empty()
        {
            self.log_failed_send(errno);
        }
        // Whoever asked for it may not wait for it any more.
        let fin = self.send_fin();
        let values = |flusher: &Flusher| match (error, &fin) {
            (Some(error), _) => Values::error(self.write_error(error)),
            (None, Err(error)) => Values::error(*error),
            (None, Ok(())) => flusher.flushed.values(),
        };
        self.wake_flushers(|_| true, values);
        if matches!(*self.reader.borrow(), Reader::NextRequest(_))
            && self.stage.get() == Stage::Serving
            && !self.parked.get()
        {
            self.park();
        }
    }

    /// Wakes those of the threads that wait for their output that `is_due` picks,
    /// the first first. They may begin to wait anew.
    fn wake_flushers(
        self: &Rc<Self>,
        is_due: impl Fn(&Flusher) -> bool,
        values: impl Fn(&Flusher) -> Values,
    ) {
        let due: Vec<Rc<Thread>> = {
            let flushers = self.flushers.borrow();
            let due = flushers.iter().filter(|flusher| is_due(flusher));
            due.map(|flusher| flusher.thread.clone()).collect()
        };
        for thread in due {
            let found = {
                let mut flushers = self.flushers.borrow_mut();
                let is_own = |own: &Flusher| Rc::ptr_eq(&own.thread, &thread);
                flushers.iter().position(is_own).map(|place| flushers.remove(place))
            };
            // One before it may have killed it.
            if let Some(flusher) = found {
                self.wake_with(&thread, values(&flusher));
            }
        }
    }

    /// The client did not take what was printed in send_timeout.
    fn write_timed_out(self: &Rc<Self>) {
        self.write_deadline.set(None);
        let lost = self.socket.queued();
        self.socket.abandon_output(SocketError::Closed);
        self.connection().write_log(
            Level::Err,
            0,
            format_args!("lua tcp socket write timed out"),
        );
        if self.stage.get() == Stage::Flushing {
            return self.close();
        }
        if matches!(*self.reader.borrow(), Reader::NextRequest(_)) && self.is_single() {
            // Whatever came after this would have a hole before it.
            return self.finish();
        }
        let timeout = Value::Str("timeout");
        let values = |flusher: &Flusher| match flusher.flushed {
            Flushed::Bytes(n) => {
                let unsent = lost.saturating_sub(flusher.behind);
                let sent = Value::Number(n.saturating_sub(unsent) as f64);
                Values::three(Value::Nil, timeout, sent)
            }
            Flushed::Done => Values::error(timeout),
        };
        self.wake_flushers(|_| true, values);
    }
}
