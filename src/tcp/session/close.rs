//! The end of a session.

use std::rc::Rc;

use super::{Reader, Session, Stage};
use crate::nginx::Msec;
use crate::nginx::time::{current_msec, left_until};
use crate::socket::SocketError;
use crate::tcp::clients;

/// How long a lingering connection may stay silent, and stay at all: the
/// defaults of nginx's lingering_timeout and lingering_time.
const LINGERING_TIMEOUT: Msec = 5_000;
const LINGERING_TIME: Msec = 30_000;

/// So much output is on its way before a late RST can overtake it: it has left
/// with the first packets, and the kernel need not be asked.
const SMALL_OUTPUT: usize = 4096;

impl Session {
    /// Ends the script; what it printed still goes to the client.
    pub(super) fn finish(self: &Rc<Self>) {
        self.drop_script();
        self.stage.set(Stage::Flushing);
        self.flush_joined();
        if self.socket.queued() == 0 || self.socket.writable().is_err() {
            self.linger_or_close();
        }
    }

    /// Drops the threads, and with them everything that they wait for.
    fn drop_script(&self) {
        clients::leave(self);
        self.end_light_session();
        self.unpark();
        self.reader.replace(Reader::None);
        self.flushers.take();
        let engine = self.conf.engine();
        self.group.clear(engine.as_ref().map(|engine| &**engine.vm()));
    }

    /// All is sent. If the client has sent what nobody read, or does so while
    /// output is still on its way, closing now would make the kernel answer
    /// with RST and drop the rest: so first tell it that we are done, and wait
    /// for it to go.
    pub(super) fn linger_or_close(self: &Rc<Self>) {
        let c = self.connection();
        let hopeless = self.socket.writable().is_err();
        let lingers = !hopeless && (self.has_to_linger() || !c.end_tls());
        if !lingers || c.shutdown_write().is_err() {
            return self.close();
        }
        self.stage.set(Stage::Lingering);
        self.write_deadline.set(Some(current_msec().wrapping_add(LINGERING_TIME)));
        c.cancel_write_timer();
        c.set_action(c"closing");
        self.parked.set(true);
        c.set_parked(true);
        self.linger_on();
    }

    fn has_to_linger(&self) -> bool {
        let c = self.connection();
        self.socket.has_written()
            && self.socket.read_end().is_none()
            && (self.socket.has_unread()
                || c.unread_in_kernel() > 0
                || c.has_unacknowledged(SMALL_OUTPUT))
    }

    /// There was room for TLS's word for the end. It may be all that was missing.
    pub(super) fn on_end_of_tls(self: &Rc<Self>) {
        if self.connection().end_tls() && !self.has_to_linger() {
            self.close();
        }
    }

    /// Reads and drops until the client goes, or the time is over.
    pub(super) fn on_read_lingering(self: &Rc<Self>) {
        let c = self.connection();
        let silent = c.take_read_timedout()
            && self.read_deadline.get().and_then(left_until).is_none()
            && !c.read_ready();
        if silent {
            return self.close();
        }
        self.linger_on();
    }

    fn linger_on(self: &Rc<Self>) {
        let c = self.connection();
        let in_time = self.write_deadline.get().and_then(left_until);
        let more = self.socket.discard_input();
        // Who sends no more may read on.
        let waits = self.socket.read_end() == Some(SocketError::Closed) && !c.end_tls();
        let (true, Some(left)) = (more || waits, in_time) else {
            return self.close();
        };
        let wait = left.min(LINGERING_TIMEOUT);
        self.read_deadline.set(Some(current_msec().wrapping_add(wait)));
        c.arm_read_timer(wait);
        if c.read_ready() {
            c.post_read();
        } else if !c.watch_read() {
            self.close();
        }
    }

    /// Closes at once, wherever the session is.
    pub(super) fn close(self: &Rc<Self>) {
        if self.stage.replace(Stage::Closed) != Stage::Closed {
            self.drop_script();
            self.socket.discard_buffers();
            self.connection().close();
        }
    }
}
