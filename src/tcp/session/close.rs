//! The end of a session.

use std::rc::Rc;

use super::{Reader, Session, Stage};
use crate::tcp::{clients, linger};

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
        self.light.end();
        self.unpark();
        self.reader.replace(Reader::None);
        self.flushers.take();
        let engine = self.conf.engine();
        self.group.clear(engine.as_ref().map(|engine| &**engine.vm()));
    }

    /// All is sent.
    pub(super) fn linger_or_close(self: &Rc<Self>) {
        self.log_ended();
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

    /// Closes at once, wherever the session is.
    pub(super) fn close(self: &Rc<Self>) {
        if self.stage.replace(Stage::Closed) != Stage::Closed {
            self.drop_script();
            self.socket.discard_buffers();
            self.log_ended();
            self.connection().close();
        }
    }
}
