//! The TLS of one connection: an `SSL` over its socket.
//!
//! OpenSSL reads and writes by a BIO of ours (`bio.rs`), which keeps nginx's idea
//! of whether the socket is ready. `ready` of the read event stands for the stream,
//! too: it stays set while OpenSSL holds what nobody has taken.
//! `stream/handshake.rs` has its beginning, `stream/io.rs` what comes then.

mod handshake;
mod io;

use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_long, c_void};
use std::ptr;
use std::rc::Rc;

use ngx::ffi::ngx_connection_t;

use self::handshake::is_address;
use super::bio::Transport;
use super::context::Context;
use super::error::{clear_errors, is_peers_fault, take_errors};
use super::identity::Identity;
use super::openssl::*;
use super::server::{VerifyClient, verify_without_ca};
use super::session::{Session, SessionSlot};
use super::sessions;
use crate::nginx::io::{Io, TRUNCATED};

/// What a handshake is to come to.
#[derive(Default)]
pub struct Peer<'a> {
    /// The name that is asked for, and looked for in the certificate.
    pub name: Option<&'a [u8]>,
    /// Fail unless the certificate is good.
    pub verify: bool,
    /// Ask for the certificate's status (OCSP).
    pub status: bool,
    pub session: Option<Rc<Session>>,
    /// Shown instead of what the context has.
    pub identity: Option<Identity>,
}

/// How far a handshake is.
pub enum Handshake {
    Done,
    /// An event has to come.
    Waits,
    Failed(HandshakeError),
}

/// Why a handshake, or a later look at the certificate, failed.
#[derive(Debug)]
pub enum HandshakeError {
    /// The certificate is not good: OpenSSL's number and text.
    Certificate(c_long, String),
    /// It is good, but not of whom it should be: the name.
    HostMismatch(String),
    /// The other side has closed the connection.
    Closed,
    /// A system call failed.
    System(i32),
    /// A client has shown none, and had to.
    NoCertificate,
    /// The two could not agree; what OpenSSL says.
    Protocol(String),
}

/// How far the end of a failed handshake is.
pub enum Refusal {
    /// The other side is gone.
    Done,
    /// An event has to come, of room to write or of something to read.
    Waits { to_write: bool },
}

/// Where the close_notify is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Notify {
    No,
    /// The kernel's buffer was full.
    Pending,
    Sent,
}

/// See the module's text.
pub struct Stream {
    api: &'static Functions,
    /// Null after close().
    ssl: Cell<*mut Ssl>,
    transport: Box<Transport>,
    name: Option<CString>,
    verify: bool,
    established: Cell<bool>,
    /// Why nothing goes any more: an errno.
    failed: Cell<Option<i32>>,
    /// What OpenSSL said of that.
    failure: RefCell<String>,
    /// It is the other side's doing.
    peers_fault: Cell<bool>,
    /// A read has to send something first, for which there was no room.
    read_wants_write: Cell<bool>,
    write_wants_read: Cell<bool>,
    /// A write has been begun, and has to be repeated before anything else.
    write_begun: Cell<bool>,
    notify: Cell<Notify>,
}

impl Stream {
    /// Prepares a handshake; the error is for `nil, err`.
    ///
    /// # Safety
    /// - `c` is live until `close()` is called.
    pub unsafe fn new(
        context: &Context,
        c: *mut ngx_connection_t,
        peer: &Peer<'_>,
    ) -> Result<Box<Stream>, String> {
        let api = context.api;
        let name = match peer.name.map(|name| name.strip_suffix(b".").unwrap_or(name)) {
            Some(name) => {
                if name.is_empty() || name.len() > 255 {
                    return Err("invalid server name".to_owned());
                }
                Some(CString::new(name).map_err(|_| "invalid server name".to_owned())?)
            }
            None => None,
        };
        if peer.verify {
            context.prepare_to_verify();
        }
        // SAFETY: the caller's duty.
        let (mut stream, ssl) = unsafe { Stream::over(context, c, None)? };
        stream.name = name;
        stream.verify = peer.verify;
        let stream = Box::new(stream);
        stream.set_up(ssl, peer).map_err(|what| what + &take_errors(api))?;
        Ok(stream)
    }

    /// Prepares a handshake with a client, by a context for such; the error is for the
    /// log.
    ///
    /// # Safety
    /// - `c` is live until `close()` is called.
    pub unsafe fn accept(
        context: &Rc<Context>,
        c: *mut ngx_connection_t,
    ) -> Result<Box<Stream>, String> {
        let api = context.api;
        // SAFETY: the caller's duty.
        let (stream, ssl) = unsafe { Stream::over(context, c, Some(context.clone()))? };
        let stream = Box::new(stream);
        let verify = context.server.as_ref().map(|server| server.verify);
        // SAFETY: as in set_up().
        unsafe {
            let Some(bio) = stream.transport.bio(api) else {
                return Err(format!("BIO_new() failed{}", take_errors(api)));
            };
            (api.SSL_set_bio)(ssl, bio, bio);
            (api.SSL_set_accept_state)(ssl);
            let must = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
            let (mode, callback) = match verify.unwrap_or_default() {
                VerifyClient::Off => (SSL_VERIFY_NONE, None),
                VerifyClient::On => (must, None),
                VerifyClient::Optional => (SSL_VERIFY_PEER, None),
                VerifyClient::OptionalNoCa => {
                    (SSL_VERIFY_PEER, Some(verify_without_ca as Verify))
                }
            };
            (api.SSL_set_verify)(ssl, mode, callback);
        }
        Ok(stream)
    }

    /// # Safety
    /// - `c` is live until `close()` is called.
    unsafe fn over(
        context: &Context,
        c: *mut ngx_connection_t,
        server: Option<Rc<Context>>,
    ) -> Result<(Stream, *mut Ssl), String> {
        let api = context.api;
        // SAFETY: the context is live and `SSL` takes a reference to it.
        let ssl = unsafe {
            (api.ERR_clear_error)();
            (api.SSL_new)(context.as_ptr())
        };
        if ssl.is_null() {
            return Err(format!("failed to create ssl connection{}", take_errors(api)));
        }
        let stream = Stream {
            api,
            ssl: Cell::new(ssl),
            // SAFETY: the caller's duty; close() is the last that uses it.
            transport: unsafe { Transport::new(c, server) },
            name: None,
            verify: false,
            peers_fault: Cell::new(false),
            established: Cell::new(false),
            failed: Cell::new(None),
            failure: RefCell::new(String::new()),
            read_wants_write: Cell::new(false),
            write_wants_read: Cell::new(false),
            write_begun: Cell::new(false),
            notify: Cell::new(Notify::No),
        };
        Ok((stream, ssl))
    }

    fn set_up(&self, ssl: *mut Ssl, peer: &Peer<'_>) -> Result<(), String> {
        let api = self.api;
        // SAFETY: ssl is live, and owns the BIO over the transport in its box:
        // close() frees both before that.
        unsafe {
            let Some(bio) = self.transport.bio(api) else {
                return Err("failed to create ssl connection".to_owned());
            };
            (api.SSL_set_bio)(ssl, bio, bio);
            (api.SSL_set_connect_state)(ssl);
            let mode = if peer.verify { SSL_VERIFY_PEER } else { SSL_VERIFY_NONE };
            (api.SSL_set_verify)(ssl, mode, None);
            if !self.set_name(ssl) {
                return Err("invalid server name".to_owned());
            }
            if peer.status {
                let kind = TLSEXT_STATUSTYPE_OCSP;
                let command = SSL_CTRL_SET_TLSEXT_STATUS_REQ_TYPE;
                (api.SSL_ctrl)(ssl, command, kind, ptr::null_mut());
            }
            if let Some(identity) = &peer.identity
                && !identity.apply(ssl)
            {
                return Err("failed to set the client certificate".to_owned());
            }
            if let Some(session) = &peer.session {
                // One that does not fit leads to a full handshake.
                (api.SSL_set_session)(ssl, session.as_ptr());
                self.transport.session.set(session.clone());
            }
            (api.ERR_clear_error)();
        }
        Ok(())
    }

    /// Names the peer: an address is not asked for (RFC 6066, section 3), but
    /// looked for in the certificate as what it is.
    ///
    /// # Safety
    /// - `ssl` is live.
    unsafe fn set_name(&self, ssl: *mut Ssl) -> bool {
        let Some(name) = &self.name else { return true };
        let (api, text) = (self.api, name.as_ptr());
        // SAFETY: the name is a C string, of which OpenSSL makes a copy.
        unsafe {
            if is_address(name) {
                if !self.verify {
                    return true;
                }
                let param = (api.SSL_get0_param)(ssl);
                return (api.X509_VERIFY_PARAM_set1_ip_asc)(param, text) == 1;
            }
            let sni = text.cast_mut().cast::<c_void>();
            if (api.SSL_ctrl)(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, 0, sni) != 1 {
                return false;
            }
            if !self.verify {
                return true;
            }
            (api.SSL_set_hostflags)(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
            (api.SSL_set1_host)(ssl, text) == 1
        }
    }

    /// OpenSSL's side of it; None after close().
    pub(super) fn as_ptr(&self) -> Option<*mut Ssl> {
        let ssl = self.ssl.get();
        (!ssl.is_null()).then_some(ssl)
    }

    pub(super) fn api(&self) -> &'static Functions {
        self.api
    }

    /// Whether the handshake is complete.
    pub fn is_established(&self) -> bool {
        self.established.get()
    }

    /// The connection's session, that of now or one that will come.
    pub fn session(&self) -> Rc<SessionSlot> {
        self.transport.session.clone()
    }

    /// What OpenSSL has said of what went wrong; to be told once.
    pub fn take_failure(&self) -> String {
        self.failure.take()
    }

    /// Takes the mark that a read waits until something can be written.
    pub fn take_read_wants_write(&self) -> bool {
        self.read_wants_write.replace(false)
    }

    /// Whether a read waits until something can be written.
    pub fn read_wants_write(&self) -> bool {
        self.read_wants_write.get()
    }

    /// Whether a read, or the handshake, has to be repeated though no event may come.
    pub fn is_paused(&self) -> bool {
        self.transport.is_paused()
    }

    /// Takes the mark that a write waits until something can be read.
    pub fn take_write_wants_read(&self) -> bool {
        self.write_wants_read.replace(false)
    }

    /// Frees OpenSSL's side; the socket is about to be closed.
    pub fn close(&self) {
        let _ = self.notify();
        let ssl = self.ssl.replace(ptr::null_mut());
        if ssl.is_null() {
            return;
        }
        // A client whose handshake has failed is to see the alert that says why.
        let refused = self.transport.server.is_some() && !self.established.get();
        if refused || self.notify.get() == Notify::Sent {
            let _ = self.transport.discard();
        }
        // To a client whose connection has just gone the session is still of use.
        let good = match self.failed.get() {
            None => true,
            Some(errno) => self.transport.server.is_some() && errno != libc::EPROTO,
        };
        // SAFETY: ssl was live and is freed once. Unless it was told that both
        // sides have shut down it would make the session useless.
        unsafe {
            if good {
                let both = SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN;
                (self.api.SSL_set_shutdown)(ssl, both);
            }
            (self.api.SSL_free)(ssl);
            (self.api.ERR_clear_error)();
        }
    }

    /// To be called before OpenSSL is: errors that are still there are others'.
    fn begin(&self) {
        self.transport.begin();
        clear_errors(self.api);
    }

    /// Nothing goes any more; why, as an errno.
    #[cold]
    fn fail(&self, what: &str) -> i32 {
        let errno = match self.transport.end.get() {
            Some(Io::Eof) => TRUNCATED,
            Some(Io::Error(errno)) => errno,
            _ => {
                self.peers_fault.set(is_peers_fault(self.api));
                let text = format!("{what} failed{}", take_errors(self.api));
                self.failure.replace(text);
                // SAFETY: ssl is live: it has just been used.
                unsafe { sessions::forget(self.api, self.ssl.get()) };
                libc::EPROTO
            }
        };
        clear_errors(self.api);
        self.failed.set(Some(errno));
        errno
    }

    fn set_read_ready(&self, ready: bool) {
        // SAFETY: c is live until close(), after which nothing gets here.
        unsafe { (*(*self.transport.c).read).set_ready(ready as _) };
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.close();
    }
}
