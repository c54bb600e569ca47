//! The TLS of a connection: its beginning, and what its events mean then.
//! Reading and writing go the way of all connections, by `io.rs`.

use std::rc::Rc;

use super::Connection;
use crate::nginx::io::Io;
use crate::nginx::ssl::{Context, Handshake, Peer, Refusal, Stream};

impl Connection {
    /// Prepares a handshake; the error is for `nil, err`. One connection has one.
    pub fn start_tls(&self, context: &Context, peer: &Peer<'_>) -> Result<(), String> {
        let Some(c) = self.get() else { return Err("closed".to_owned()) };
        // SAFETY: c is live until close(), which closes the stream first.
        let stream = unsafe { Stream::new(context, c, peer)? };
        self.tls.set(stream).map_err(|_| "handshake failed".to_owned())
    }

    /// Prepares the handshake of a client; the error is for the log.
    pub fn accept_tls(&self, context: &Rc<Context>) -> Result<(), String> {
        let Some(c) = self.get() else { return Err("closed".to_owned()) };
        // SAFETY: c is live until close(), which closes the stream first; whoever the
        // connection is given to gets the stream, too.
        let stream = unsafe { Stream::accept(context, c)? };
        self.tls.set(stream).map_err(|_| "a second handshake".to_owned())
    }

    /// Its TLS, once a handshake has begun.
    #[inline]
    pub fn tls(&self) -> Option<&Stream> {
        self.tls.get().map(|tls| &**tls)
    }

    /// Whether a TLS handshake is complete.
    pub(super) fn is_established(&self) -> bool {
        self.tls.get().is_some_and(|tls| tls.is_established())
    }

    /// Goes on with the handshake, and asks for the event that it waits for.
    pub fn handshake(&self) -> Handshake {
        let Some(tls) = self.tls.get() else {
            return Handshake::Waits;
        };
        let handshake = tls.handshake();
        if let Handshake::Waits = handshake {
            self.watch_read();
            self.go_on_later(tls);
            if tls.read_wants_write() {
                self.watch_write();
            } else {
                self.ignore_write();
            }
        }
        handshake
    }

    /// Goes on with the end of a client's handshake that has failed, and asks for the
    /// event that it waits for. False: the connection can be closed.
    pub fn refuse_tls(&self) -> bool {
        match self.tls.get().map(|tls| tls.refuse()) {
            None | Some(Refusal::Done) => false,
            // A level-triggered method is told not to ask for what is not read now.
            Some(Refusal::Waits { to_write: true }) => {
                self.watch_read() && self.watch_write()
            }
            Some(Refusal::Waits { to_write: false }) => {
                self.ignore_write() && self.watch_read()
            }
        }
    }

    /// A read event: whether a write has waited for it.
    #[inline]
    pub fn write_waits_for_read(&self) -> bool {
        self.tls.get().is_some_and(|tls| tls.take_write_wants_read())
    }

    /// A write event: whether a read has waited for it. A close_notify goes now.
    #[inline]
    pub fn read_waits_for_write(&self) -> bool {
        let Some(tls) = self.tls.get() else { return false };
        if tls.notify_pending() {
            let _ = self.shutdown_write();
        }
        let waits = tls.take_read_wants_write();
        if waits {
            self.set_read_ready(true);
        }
        waits
    }

    /// A read event may be what TLS has waited for to write.
    #[inline(always)]
    pub fn let_tls_write(&self) {
        if self.write_waits_for_read() {
            self.post_write();
        }
    }

    /// A write event may be what TLS has waited for to read.
    #[inline(always)]
    pub fn let_tls_read(&self) {
        if self.read_waits_for_write() {
            self.post_read();
        }
    }

    /// Whether what OpenSSL has said of an error is the other side's doing.
    pub fn tls_failed_by_peer(&self) -> bool {
        self.tls.get().is_some_and(|tls| tls.is_peers_fault())
    }

    /// What OpenSSL has said of an error, to be told once.
    pub fn take_tls_failure(&self) -> Option<String> {
        self.tls.get().map(|tls| tls.take_failure()).filter(|text| !text.is_empty())
    }

    /// Whether write events are for OpenSSL.
    #[inline]
    pub(super) fn tls_waits_to_write(&self) -> bool {
        self.tls.get().is_some_and(|tls| tls.read_wants_write() || tls.notify_pending())
    }

    /// # Safety
    /// - `len` bytes at `data` may be written.
    pub(super) unsafe fn recv_tls(&self, tls: &Stream, data: *mut u8, len: usize) -> Io {
        // SAFETY: the caller's duty.
        let io = unsafe { tls.recv(data, len) };
        if io == Io::Again {
            self.go_on_later(tls);
            if tls.read_wants_write() {
                self.watch_write();
            }
        }
        io
    }

    /// As Connection::peek().
    pub(super) fn peek_tls(&self, tls: &Stream) -> Io {
        let io = tls.peek();
        if io == Io::Again {
            self.go_on_later(tls);
        }
        io
    }

    /// What OpenSSL has left for the next turn is read then, though no event tells of it.
    #[inline]
    fn go_on_later(&self, tls: &Stream) {
        if tls.is_paused() {
            self.post_read();
        }
    }

    /// Whether close_notify has had no room yet.
    pub fn tls_end_waits(&self) -> bool {
        self.tls.get().is_some_and(|tls| tls.notify_pending())
    }

    /// Sends close_notify, if the connection has TLS; false: it has to wait for a write
    /// event.
    pub fn end_tls(&self) -> bool {
        self.tls.get().is_none_or(|tls| self.notify_tls(tls))
    }

    /// Sends close_notify; false: it has to wait for a write event.
    pub(super) fn notify_tls(&self, tls: &Stream) -> bool {
        let sent = tls.notify();
        if !sent {
            self.watch_write();
        }
        sent
    }
}
