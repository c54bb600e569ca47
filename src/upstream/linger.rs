//! The end of a connection to which something was pushed: what the other side has
//! not got yet still goes there, with nobody waiting for it. So does TLS's word for the
//! end, without which the other side would take all for cut off.
//!
//! Closing a socket with unread bytes in it makes the kernel drop what it has not
//! delivered, and a server such as that of NATS says something every now and then.
//! So FIN goes first, and the socket is closed when the other side has done so, or
//! has acknowledged everything.

use std::rc::Rc;

use super::{Stage, Upstream};
use crate::nginx::Msec;
use crate::nginx::time::{current_msec, left_until};
use crate::socket::output::Sent;

/// How long the other side may take to close the connection in its turn.
const GOODBYE: Msec = 5_000;

impl Upstream {
    /// Ends it for scripts, as close(); what was pushed, and a close_notify for which
    /// there is no room now, still goes out, for as long as a call that sends may take.
    pub fn finish(self: &Rc<Self>) {
        let open = matches!(self.stage.get(), Stage::Open | Stage::Idle);
        let c = self.connection();
        if !open
            || !c.is_open()
            || self.socket.writable().is_err()
            || self.is_shaking_hands()
            || !self.has_pushed.get() && c.end_tls()
        {
            return self.close();
        }
        let was = self.stage.replace(Stage::Lingering);
        self.detach();
        self.heartbeat.take();
        self.wake_all_closed();
        if was == Stage::Idle {
            self.leave_idle();
        }
        c.set_parked(false);
        c.cancel_read_timer();
        self.socket.discard_input();
        self.linger();
    }

    /// Goes on with it: sends, says goodbye, waits for the other side.
    fn linger(self: &Rc<Self>) {
        match self.socket.flush_ready() {
            Ok(Sent::Blocked) => {
                self.watch_rest();
                if !self.connection().watch_read() {
                    self.close();
                }
            }
            Ok(_) => self.say_goodbye(),
            Err(_) => self.close(),
        }
    }

    fn say_goodbye(self: &Rc<Self>) {
        let c = self.connection();
        if !c.has_unacknowledged(0) && c.end_tls()
            || self.socket.read_end().is_some()
            || c.shutdown_write().is_err()
        {
            return self.close();
        }
        self.stage.set(Stage::Leaving);
        c.ignore_write();
        let timeout = GOODBYE.min(self.send_timeout.get());
        self.write_deadline.set(Some(current_msec().wrapping_add(timeout)));
        c.cancel_write_timer();
        c.arm_write_timer(timeout);
        // nginx need not wait for it when it quits: all is with the kernel.
        c.set_parked(true);
        self.on_read_lingering();
    }

    /// Something has come that nobody wants, or the other side has gone.
    pub(super) fn on_read_lingering(self: &Rc<Self>) {
        let c = self.connection();
        c.take_read_timedout();
        let gone = !self.socket.discard_input();
        if gone && (self.stage.get() == Stage::Leaving || self.socket.writable().is_err())
        {
            return self.close();
        }
        if gone {
            // It may still take what is left. A level-triggered method would tell
            // of its end again and again.
            c.set_read_ready(true);
            c.watch_read();
        } else if c.read_ready() {
            c.post_read();
        } else if !c.watch_read() {
            self.close();
        }
    }

    /// It takes more, or the time is over.
    pub(super) fn on_write_lingering(self: &Rc<Self>) {
        let c = self.connection();
        let timedout = c.take_write_timedout();
        let before = self.socket.queued();
        if before > 0 {
            match self.socket.flush_ready() {
                Ok(Sent::Blocked) if self.socket.queued() < before => {
                    self.renew_write_deadline();
                    c.watch_write();
                    return;
                }
                Ok(Sent::Blocked) => {
                    c.watch_write();
                }
                Ok(_) => return self.say_goodbye(),
                Err(_) => return self.close(),
            }
        }
        match self.write_deadline.get().and_then(left_until) {
            Some(left) => c.arm_write_timer(left),
            None if timedout => self.close(),
            None => {}
        }
    }
}
