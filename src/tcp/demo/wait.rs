//! Waiting: for a request, between two, and until the client takes the answers.

use std::rc::Rc;

use super::{Session, Stage};
use crate::nginx::cycle;
use crate::nginx::time::{current_msec, left_until};
use crate::sched::budget;
use crate::socket::output::Sent;

impl Session {
    /// For the rest of a request, for the next one, or for its turn.
    pub(super) fn wait_to_read(self: &Rc<Self>) {
        let c = self.connection();
        if !budget::is_left() || c.read_ready() {
            // More is there, but the others come first.
            return c.post_read();
        }
        if !self.light.is_open() && self.park() {
            return;
        }
        match self.read_deadline.get().map(left_until) {
            Some(Some(left)) => c.arm_read_timer(left),
            Some(None) => return self.timed_out(),
            None => {}
        }
        if !c.watch_read() {
            self.close();
        }
    }

    /// Between two requests: idle and reusable for nginx, without buffers. True if
    /// the connection has ended.
    fn park(self: &Rc<Self>) -> bool {
        let c = self.connection();
        self.socket.release_buffers();
        let is_new = c.requests() == 0;
        if cycle::exiting() && !is_new {
            self.finish();
            return true;
        }
        if self.read_deadline.get().is_none() {
            let timeout = match is_new {
                true => Some(self.conf.read_timeout()),
                false => self.conf.keepalive_timeout(),
            };
            if timeout == Some(0) {
                self.finish();
                return true;
            }
            let end = timeout.map(|timeout| current_msec().wrapping_add(timeout));
            self.read_deadline.set(end);
        }
        c.set_action(if is_new { c"waiting for request" } else { c"keepalive" });
        if !self.parked.replace(true) {
            c.set_parked(true);
        }
        false
    }

    pub(super) fn unpark(&self) {
        if self.parked.replace(false) {
            self.connection().set_parked(false);
        }
    }

    /// Until the client takes more of the answers; meanwhile nothing is read.
    pub(super) fn wait_to_write(self: &Rc<Self>) {
        self.connection().set_action(c"sending to client");
        self.arm_send_timer();
        if !self.connection().watch_write() {
            self.close();
        }
    }

    fn arm_send_timer(&self) {
        if self.write_deadline.get().is_none() {
            let timeout = self.conf.send_timeout();
            self.write_deadline.set(Some(current_msec().wrapping_add(timeout)));
            self.connection().arm_write_timer(timeout);
        }
    }

    pub(super) fn on_read_serving(self: &Rc<Self>) {
        let c = self.connection();
        let timedout = c.take_read_timedout();
        if self.socket.queued() > 0 {
            // Its answers first.
            return self.rest_read_event();
        }
        if timedout && !c.read_ready() && !self.socket.has_unread() {
            return self.wait_to_read();
        }
        self.serve();
    }

    /// Keeps a level-triggered event method from reporting what nobody reads now.
    pub(super) fn rest_read_event(self: &Rc<Self>) {
        if !self.connection().watch_read() {
            self.close();
        }
    }

    pub(super) fn on_write_pending(self: &Rc<Self>) {
        let timedout = self.connection().take_write_timedout();
        let queued = self.socket.queued();
        match self.socket.writable().and_then(|()| self.socket.flush_ready()) {
            Ok(Sent::Blocked) => {
                if self.socket.queued() < queued {
                    // The client reads: its time begins anew.
                    self.write_deadline.set(None);
                    self.arm_send_timer();
                }
                match self.write_deadline.get().and_then(left_until) {
                    Some(left) => self.connection().arm_write_timer(left),
                    None if timedout => {
                        self.info(libc::ETIMEDOUT, "client timed out");
                        return self.close();
                    }
                    None => {}
                }
                if !self.connection().watch_write() {
                    self.close();
                }
            }
            Ok(_) => {
                if self.write_deadline.take().is_some() {
                    self.connection().cancel_write_timer();
                }
                // Stops a level-triggered method.
                self.connection().watch_write();
                match self.stage.get() {
                    Stage::Flushing => self.linger_or_close(),
                    // One may be in the buffer, with nothing left in the kernel to
                    // tell of it.
                    _ if queued > 0 => self.serve(),
                    _ => {}
                }
            }
            Err(error) => self.write_failed(error),
        }
    }
}
