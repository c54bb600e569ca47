//! The end of a session.

use std::rc::Rc;

use super::{Session, Stage};
use crate::socket::SocketError;
use crate::socket::output::Sent;
use crate::tcp::{linger, session};

impl Session {
    pub(super) fn write_failed(self: &Rc<Self>, error: SocketError) {
        if let SocketError::System(errno) = error {
            session::log_io_error(self.connection(), errno, "send()");
        }
        self.close();
    }

    /// The client did not send what was waited for.
    pub(super) fn timed_out(self: &Rc<Self>) {
        self.info(libc::ETIMEDOUT, "client timed out");
        self.finish();
    }

    /// There will be no more requests; what was answered still goes out.
    pub(super) fn finish(self: &Rc<Self>) {
        self.drop_request();
        self.stage.set(Stage::Flushing);
        match self.socket.flush() {
            Ok(Sent::Blocked) => self.wait_to_write(),
            Ok(_) => self.linger_or_close(),
            Err(error) => self.write_failed(error),
        }
    }

    /// One that was not answered has no line.
    fn drop_request(&self) {
        self.light.end();
        self.light.take_ended();
        self.unpark();
    }

    pub(super) fn linger_or_close(self: &Rc<Self>) {
        if !linger::begin(&self.socket, &self.lingering()) {
            return self.close();
        }
        self.stage.set(Stage::Lingering);
        self.parked.set(true);
    }

    /// There was room for TLS's word for the end.
    pub(super) fn on_end_of_tls(self: &Rc<Self>) {
        if !linger::on_end_of_tls(&self.socket) {
            self.close();
        }
    }

    /// Reads and drops until the client goes, or the time is over.
    pub(super) fn on_read_lingering(self: &Rc<Self>) {
        if !linger::on_read(&self.socket, &self.lingering()) {
            self.close();
        }
    }

    fn lingering(&self) -> linger::Deadlines<'_> {
        linger::Deadlines { silence: &self.read_deadline, end: &self.write_deadline }
    }

    pub(super) fn close(self: &Rc<Self>) {
        if self.stage.replace(Stage::Closed) != Stage::Closed {
            self.drop_request();
            self.socket.discard_buffers();
            self.connection().close();
        }
    }
}
