//! ngx.wait_next_request(): between two requests of one connection.

use std::rc::Rc;

use super::{Reader, Session};
use crate::lua::Values;
use crate::nginx::cycle;
use crate::nginx::log::Level;
use crate::nginx::time::{current_msec, left_until};
use crate::sched::{DEADLINE, Thread, budget};
use crate::socket::SocketError;

/// What wait_next_request() comes to.
pub enum NextRequest {
    /// The next request is there.
    Begun,
    /// `nil, err`.
    Failed(&'static str),
    /// The call waits, or never returns.
    Waits,
}

impl Session {
    /// Ends the light session; begins the next one if bytes are there.
    pub(crate) fn next_request(&self, thread: &Rc<Thread>) -> NextRequest {
        if self.is_reading() {
            return NextRequest::Failed("socket busy reading");
        }
        self.light.end();
        self.log_ended();
        if cycle::exiting() && self.is_single() {
            // The worker leaves: this client was served, others wait elsewhere.
            thread.exit();
            return NextRequest::Waits;
        }
        if self.end_told.get() && !self.socket.has_unread() {
            self.log_client_gone();
            thread.exit();
            return NextRequest::Waits;
        }
        if self.socket.writable().is_err() && !self.eof_sent() {
            // Nobody will get the next answer.
            thread.exit();
            return NextRequest::Waits;
        }
        if budget::spend() {
            match self.socket.poll_input() {
                Some(true) => {
                    self.light.begin(self.connection());
                    return NextRequest::Begun;
                }
                Some(false) => {
                    self.log_client_gone();
                    thread.exit();
                    return NextRequest::Waits;
                }
                None => {}
            }
        }
        if thread.gives_up() {
            return NextRequest::Failed(DEADLINE);
        }
        self.read_deadline.set(None);
        self.keeping.set(false);
        self.reader.replace(Reader::NextRequest(thread.clone()));
        thread.wait_for_host();
        NextRequest::Waits
    }

    fn log_client_gone(&self) {
        let errno = match self.socket.read_end() {
            Some(SocketError::System(errno)) => errno,
            _ => 0,
        };
        self.log_gone(errno);
    }

    /// Parks the session: idle and reusable for nginx, without buffers. While
    /// output is still queued, or another thread is alive, it stays busy.
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
        if cycle::exiting() && self.is_single() {
            // It was sending still when the others were let go.
            return self.finish();
        }
        self.socket.release_buffers();
        if !self.keeping.replace(true) {
            self.read_deadline.set(None);
            match self.conf.keepalive_timeout() {
                Some(0) => return self.finish(),
                Some(timeout) => {
                    let end = current_msec().wrapping_add(timeout);
                    self.read_deadline.set(Some(end));
                    c.arm_read_timer(timeout);
                }
                None => {}
            }
        }
        if !c.watch_read() {
            return self.close();
        }
        c.set_action(c"lua_req_keepalive");
        let single = self.is_single();
        if self.parked.replace(single) != single {
            c.set_parked(single);
        }
    }

    /// It is busy again.
    pub(super) fn unpark(&self) {
        if self.parked.replace(false) {
            self.connection().set_parked(false);
        }
    }

    /// The thread that waits for the next request goes on.
    fn begin_request(self: &Rc<Self>) {
        let reader = self.reader.replace(Reader::None);
        let Reader::NextRequest(thread) = reader else { return };
        self.unpark();
        self.read_deadline.set(None);
        self.connection().set_action(c"running Lua");
        self.light.begin(self.connection());
        self.wake_with(&thread, Values::NONE);
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
            Some(true) => self.begin_request(),
            Some(false) => {
                self.log_client_gone();
                self.finish();
            }
            None if !self.keeping.get() => self.park(),
            None => {
                if !c.watch_read() {
                    self.close();
                }
            }
        }
    }
}
