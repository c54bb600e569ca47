//! Sending: a call returns when the kernel has everything.

use std::rc::Rc;

use super::Upstream;
use super::read::values_of;
use crate::lua::{Value, Values};
use crate::nginx::Msec;
use crate::nginx::time::{current_msec, left_until};
use crate::sched::{DEADLINE, Thread, Woken, budget};
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

impl Upstream {
    /// Why nothing can be sent now, if so.
    #[inline]
    pub fn unsendable(&self) -> Option<Values> {
        if self.writer.borrow().is_some() || self.is_shaking_hands() {
            return Some(Values::error(Value::Str("socket busy writing")));
        }
        if !self.connection().is_open() || self.socket.writable().is_err() {
            self.log(b"attempt to send data on a closed socket");
            return Some(Values::error(Value::Str("closed")));
        }
        None
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
        self.connection().watch_write();
        self.write_deadline.set(Some(current_msec().wrapping_add(timeout)));
        self.connection().arm_write_timer(timeout);
        if thread.is_past_deadline() {
            let sent = Value::Number(len.saturating_sub(self.socket.queued()) as f64);
            return Some(Values::three(Value::Nil, Value::Str(DEADLINE), sent));
        }
        self.writer.replace(Some((thread.clone(), len)));
        thread.wait_for(self.clone());
        None
    }

    /// How many bytes of the thread's call are sent.
    pub(super) fn unsent(&self, thread: &Rc<Thread>) -> Value {
        match &*self.writer.borrow() {
            Some((own, len)) if Rc::ptr_eq(own, thread) => {
                Value::Number(len.saturating_sub(self.socket.queued()) as f64)
            }
            _ => Value::Nil,
        }
    }

    /// A write event, or the write timer.
    pub(super) fn on_write_open(self: &Rc<Self>) {
        let c = self.connection();
        let timedout = c.take_write_timedout();
        if self.is_shaking_hands() {
            return self.on_handshake(false);
        }
        if self.socket.queued() == 0 {
            c.ignore_write();
            return;
        }
        let result = self.socket.flush_ready();
        let error = match result {
            Ok(Sent::Blocked) => {
                match self.write_deadline.get().and_then(left_until) {
                    Some(left) => c.arm_write_timer(left),
                    None if timedout => return self.write_timed_out(),
                    None => {}
                }
                if c.watch_write() {
                    return;
                }
                SocketError::Closed
            }
            Ok(_) => {
                c.cancel_write_timer();
                c.ignore_write();
                let writer = self.writer.take();
                if let Some((thread, len)) = writer {
                    let values = Values::one(Value::Number(len as f64));
                    thread.host().clone().wake_with(&thread, values);
                }
                return;
            }
            Err(error) => error,
        };
        self.broken(error);
        let writer = self.writer.take();
        if !c.is_open() {
            self.end_reader();
        }
        if let Some((thread, _)) = writer {
            let values = values_of(error, b"");
            thread.host().clone().wake_with(&thread, values);
        }
    }

    /// The other side did not take it in time: what is left would never be
    /// complete, so the connection is of no use.
    fn write_timed_out(&self) {
        self.log(b"lua tcp socket write timed out");
        let writer = self.writer.take();
        let left = self.socket.queued();
        self.socket.abandon_output(SocketError::Closed);
        self.read_over.set(true);
        self.connection().close();
        self.end_reader();
        if let Some((thread, len)) = writer {
            let sent = Value::Number(len.saturating_sub(left) as f64);
            let values = Values::three(Value::Nil, Value::Str("timeout"), sent);
            thread.host().clone().wake_with(&thread, values);
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
