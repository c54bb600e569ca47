//! ngx.wait_next_request(): between two requests of one connection.

use std::rc::Rc;

use super::{Session, Wait, left_until};
use crate::lua::Values;
use crate::nginx::cycle;
use crate::nginx::log::Level;
use crate::nginx::time::current_msec;

/// What wait_next_request() comes to.
pub enum NextRequest {
    /// The next request is there.
    Begun,
    /// The call waits, or never returns.
    Waits,
}

impl Session {
    /// Ends the light session; begins the next one if bytes are there.
    pub(crate) fn next_request(&self) -> NextRequest {
        self.end_light_session();
        if cycle::exiting() {
            // The worker leaves: this client was served, others wait elsewhere.
            self.wait_for(Wait::Exit);
            return NextRequest::Waits;
        }
        if self.end_told.get() && !self.socket.has_unread() {
            self.log_client_gone();
            self.wait_for(Wait::Exit);
            return NextRequest::Waits;
        }
        if self.socket.writable().is_err() && !self.eof_sent() {
            // Nobody will get the next answer.
            self.wait_for(Wait::Exit);
            return NextRequest::Waits;
        }
        if self.spend() {
            match self.socket.poll_input() {
                Some(true) => {
                    self.begin_light_session();
                    return NextRequest::Begun;
                }
                Some(false) => {
                    self.log_client_gone();
                    self.wait_for(Wait::Exit);
                    return NextRequest::Waits;
                }
                None => {}
            }
        }
        self.wait_for(Wait::NextRequest);
        NextRequest::Waits
    }

    fn log_client_gone(&self) {
        self.connection().write_log(
            Level::Info,
            self.read_errno(),
            format_args!("client prematurely closed connection"),
        );
    }

    fn read_errno(&self) -> i32 {
        match self.socket.read_end() {
            Some(crate::socket::SocketError::System(errno)) => errno,
            _ => 0,
        }
    }

    /// Parks the session: idle and reusable for nginx, without buffers. While
    /// output is still queued it stays busy.
    pub(super) fn park(self: &Rc<Self>) {
        let c = self.connection();
        if self.socket.queued() > 0 && self.socket.writable().is_ok() {
            return;
        }
        if c.read_ready() || self.socket.has_unread() {
            // Out of budget: more is there, but the others come first.
            c.post_read();
            return;
        }
        if cycle::exiting() {
            // It was sending still when the others were let go.
            return self.finish();
        }
        self.socket.release_buffers();
        self.read_deadline.set(None);
        match self.conf.keepalive_timeout() {
            Some(0) => return self.finish(),
            Some(timeout) => {
                self.read_deadline.set(Some(current_msec().wrapping_add(timeout)));
                c.arm_read_timer(timeout);
            }
            None => {}
        }
        if !c.watch_read() {
            return self.close();
        }
        c.set_action(c"lua_req_keepalive");
        self.parked.set(true);
        c.set_parked(true);
    }

    /// Something happened to a parked session.
    pub(super) fn on_read_parked(self: &Rc<Self>, timedout: bool) {
        let c = self.connection();
        if timedout {
            match self.read_deadline.get().map(left_until) {
                // Fired early, or left over from the request before.
                Some(Some(left)) => c.arm_read_timer(left),
                None => {}
                Some(None) if !c.read_ready() => {
                    c.write_log(
                        Level::Info,
                        libc::ETIMEDOUT,
                        format_args!("client timed out"),
                    );
                    return self.finish();
                }
                Some(None) => {}
            }
        }
        match self.socket.poll_input() {
            Some(true) => {
                if self.parked.replace(false) {
                    c.set_parked(false);
                }
                self.read_deadline.set(None);
                c.set_action(c"running Lua");
                self.begin_light_session();
                self.wake(Values::NONE);
            }
            Some(false) => {
                self.log_client_gone();
                self.finish();
            }
            None if !self.parked.get() => self.park(),
            None => {
                if !c.watch_read() {
                    self.close();
                }
            }
        }
    }
}
