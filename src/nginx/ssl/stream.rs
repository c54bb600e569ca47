//! The TLS of one connection: an `SSL` over its socket.
//!
//! OpenSSL reads and writes by a BIO of ours (`bio.rs`), which keeps nginx's idea
//! of whether the socket is ready. `ready` of the read event stands for the stream,
//! too: it stays set while OpenSSL holds what nobody has taken.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_int, c_long, c_void};
use std::net::IpAddr;
use std::ptr;
use std::rc::Rc;

use ngx::ffi::ngx_connection_t;

use super::bio::Transport;
use super::context::Context;
use super::error::{is_peers_fault, last_reason, take_errors};
use super::identity::Identity;
use super::openssl::*;
use super::server::{VerifyClient, verify_text, verify_without_ca};
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

    /// Goes on with the handshake.
    pub fn handshake(&self) -> Handshake {
        let ssl = self.ssl.get();
        if ssl.is_null() {
            return Handshake::Failed(HandshakeError::Closed);
        }
        self.begin();
        // SAFETY: ssl is live until close().
        let (n, error) = unsafe {
            let n = (self.api.SSL_do_handshake)(ssl);
            (n, (self.api.SSL_get_error)(ssl, n))
        };
        self.read_wants_write.set(n != 1 && error == SSL_ERROR_WANT_WRITE);
        match error {
            _ if n == 1 => self.established(),
            SSL_ERROR_WANT_READ => {
                self.set_read_ready(false);
                Handshake::Waits
            }
            SSL_ERROR_WANT_WRITE => {
                self.set_write_ready(false);
                Handshake::Waits
            }
            _ => Handshake::Failed(self.handshake_error()),
        }
    }

    fn established(&self) -> Handshake {
        self.established.set(true);
        // Something may have come with the last of it.
        self.set_read_ready(true);
        if let Some(verify) = self.verify_client() {
            return match self.check_client(verify) {
                Ok(()) => Handshake::Done,
                Err(error) => Handshake::Failed(error),
            };
        }
        if self.transport.session.get().is_none() {
            self.take_session();
        }
        if self.verify {
            // A handshake that goes on with a session has looked at nothing.
            let name = self.name.as_ref().map(|name| name.as_bytes());
            if let Err(error) = self.check_peer(name) {
                return Handshake::Failed(error);
            }
        }
        Handshake::Done
    }

    /// How much a client has to show; None where this side is the client.
    fn verify_client(&self) -> Option<VerifyClient> {
        let server = self.transport.server.as_ref()?.server.as_ref()?;
        Some(server.verify)
    }

    /// Whether a client has shown what it had to. OpenSSL has seen to that, unless the
    /// handshake goes on with a session.
    fn check_client(&self, verify: VerifyClient) -> Result<(), HandshakeError> {
        if matches!(verify, VerifyClient::Off | VerifyClient::OptionalNoCa) {
            return Ok(());
        }
        match self.peer_certificate(|_| ()) {
            None if verify == VerifyClient::On => {
                self.failed.set(Some(libc::EPROTO));
                Err(HandshakeError::NoCertificate)
            }
            None => Ok(()),
            Some(()) => match self.verify_result() {
                0 => Ok(()),
                code => Err(self.certificate_error(code)),
            },
        }
    }

    /// What came of the verification of the other side's certificate: 0 is good, as
    /// there is none.
    pub(super) fn verify_result(&self) -> c_long {
        match self.as_ptr() {
            // SAFETY: ssl is live until close().
            Some(ssl) => unsafe { (self.api.SSL_get_verify_result)(ssl) },
            None => 0,
        }
    }

    /// Calls `f` with the other side's certificate, if it has shown one.
    pub(super) fn peer_certificate<T>(
        &self,
        f: impl FnOnce(*mut X509) -> T,
    ) -> Option<T> {
        let ssl = self.as_ptr()?;
        // SAFETY: ssl is live until close(); the reference is ours, and freed.
        unsafe {
            let certificate = (self.api.peer_certificate)(ssl);
            if certificate.is_null() {
                return None;
            }
            let result = f(certificate);
            (self.api.X509_free)(certificate);
            Some(result)
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

    /// Before TLS 1.3 the handshake makes the session.
    fn take_session(&self) {
        let api = self.api;
        // SAFETY: ssl is live, and gives a reference away.
        unsafe {
            let session = (api.SSL_get1_session)(self.ssl.get());
            if session.is_null() {
                return;
            }
            let session = Session::new(api, session);
            if (api.SSL_SESSION_is_resumable)(session.as_ptr()) == 1 {
                self.transport.session.set(Rc::new(session));
            }
        }
    }

    fn handshake_error(&self) -> HandshakeError {
        if self.verify {
            // SAFETY: ssl is live until close().
            let code = unsafe { (self.api.SSL_get_verify_result)(self.ssl.get()) };
            if code != 0 {
                return self.certificate_error(code);
            }
        }
        let reason = last_reason(self.api);
        let error = match self.transport.end.get() {
            Some(Io::Eof) => HandshakeError::Closed,
            Some(Io::Error(errno)) => HandshakeError::System(errno),
            _ if reason == Some(SSL_R_CERTIFICATE_VERIFY_FAILED) => {
                return self.certificate_error(self.verify_result());
            }
            _ if reason == Some(SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) => {
                HandshakeError::NoCertificate
            }
            _ => {
                self.peers_fault.set(is_peers_fault(self.api));
                HandshakeError::Protocol(take_errors(self.api))
            }
        };
        self.failed.set(Some(libc::EPROTO));
        error
    }

    /// Whether what OpenSSL said of a failure is the other side's doing.
    pub fn is_peers_fault(&self) -> bool {
        self.peers_fault.get()
    }

    fn certificate_error(&self, code: c_long) -> HandshakeError {
        self.failed.set(Some(libc::EPROTO));
        if matches!(code, X509_V_ERR_HOSTNAME_MISMATCH | X509_V_ERR_IP_ADDRESS_MISMATCH) {
            return HandshakeError::HostMismatch(self.name_text());
        }
        HandshakeError::Certificate(code, verify_text(self.api, code))
    }

    fn name_text(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Whether the other side has shown a good certificate, for this name if one
    /// is given.
    pub fn check_peer(&self, name: Option<&[u8]>) -> Result<(), HandshakeError> {
        let (api, ssl) = (self.api, self.ssl.get());
        if ssl.is_null() {
            return Err(HandshakeError::Closed);
        }
        let mismatch = || {
            let name = name.unwrap_or_default();
            HandshakeError::HostMismatch(String::from_utf8_lossy(name).into_owned())
        };
        let name = name.map(|name| CString::new(name.strip_suffix(b".").unwrap_or(name)));
        // SAFETY: ssl is live until close(); the reference to the certificate is
        // ours, and freed; the name is a C string.
        unsafe {
            let code = (api.SSL_get_verify_result)(ssl);
            if code != 0 {
                return Err(self.certificate_error(code));
            }
            let certificate = (api.peer_certificate)(ssl);
            if certificate.is_null() {
                return Err(mismatch());
            }
            let good = match &name {
                None => true,
                Some(Err(_)) => false,
                Some(Ok(name)) if is_address(name) => {
                    (api.X509_check_ip_asc)(certificate, name.as_ptr(), 0) == 1
                }
                Some(Ok(name)) => {
                    (api.X509_check_host)(
                        certificate,
                        name.as_ptr(),
                        name.as_bytes().len(),
                        X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                        ptr::null_mut(),
                    ) == 1
                }
            };
            (api.X509_free)(certificate);
            if good { Ok(()) } else { Err(mismatch()) }
        }
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

    /// Takes the mark that a write waits until something can be read.
    pub fn take_write_wants_read(&self) -> bool {
        self.write_wants_read.replace(false)
    }

    /// Reads what is there.
    ///
    /// # Safety
    /// - `len` bytes at `data` may be written.
    pub unsafe fn recv(&self, data: *mut u8, len: usize) -> Io {
        let len = c_int::try_from(len).unwrap_or(c_int::MAX);
        // SAFETY: ssl is live where read() calls this; the bytes may be written.
        self.read(|api, ssl| unsafe { (api.SSL_read)(ssl, data.cast(), len) })
    }

    /// Looks whether there is something to read, without taking it. What is for
    /// OpenSSL alone, as a new session, is nothing.
    pub fn peek(&self) -> Io {
        let mut byte = 0u8;
        let at: *mut c_void = (&raw mut byte).cast();
        // What has just come has had no event yet.
        self.transport.thorough.set(true);
        // SAFETY: as in recv().
        let io = self.read(|api, ssl| unsafe { (api.SSL_peek)(ssl, at, 1) });
        self.transport.thorough.set(false);
        io
    }

    /// How many bytes OpenSSL has ready.
    pub fn pending(&self) -> usize {
        let ssl = self.ssl.get();
        if ssl.is_null() {
            return 0;
        }
        // SAFETY: ssl is live until close().
        unsafe { (self.api.SSL_pending)(ssl) }.max(0) as usize
    }

    fn read(&self, f: impl FnOnce(&Functions, *mut Ssl) -> c_int) -> Io {
        if let Some(errno) = self.failed.get() {
            self.set_read_ready(false);
            return Io::Error(errno);
        }
        let ssl = self.ssl.get();
        if ssl.is_null() {
            return Io::Eof;
        }
        self.begin();
        let n = f(self.api, ssl);
        if n > 0 {
            // SAFETY: ssl is live until close().
            let pending = unsafe { (self.api.SSL_has_pending)(ssl) } != 0;
            if self.transport.drained.get() && !pending {
                self.set_read_ready(false);
            }
            return Io::Done(n as usize);
        }
        self.set_read_ready(false);
        // SAFETY: as above; no other call of this thread has come between.
        match unsafe { (self.api.SSL_get_error)(ssl, n) } {
            SSL_ERROR_WANT_READ => Io::Again,
            SSL_ERROR_WANT_WRITE => {
                self.read_wants_write.set(true);
                Io::Again
            }
            SSL_ERROR_ZERO_RETURN => Io::Eof,
            _ => Io::Error(self.fail("SSL_read()")),
        }
    }

    /// Sends as much as one record holds; after `Again` the next call has to
    /// begin with the same bytes.
    pub fn send(&self, data: &[u8]) -> Io {
        if self.failed.get().is_some() || self.notify.get() != Notify::No {
            return Io::Error(libc::EPIPE);
        }
        let ssl = self.ssl.get();
        if ssl.is_null() {
            return Io::Error(libc::EPIPE);
        }
        self.begin();
        let len = c_int::try_from(data.len()).unwrap_or(c_int::MAX);
        // SAFETY: ssl is live until close(), and only reads the bytes.
        let (n, error) = unsafe {
            let n = (self.api.SSL_write)(ssl, data.as_ptr().cast(), len);
            (n, (self.api.SSL_get_error)(ssl, n))
        };
        self.write_begun.set(n <= 0);
        if n > 0 {
            // SAFETY: c is live until close(). As with nginx's own, what counts is
            // what was to be sent, not what TLS adds.
            unsafe { (*self.transport.c).sent += libc::off_t::from(n) };
            return Io::Done(n as usize);
        }
        self.set_write_ready(false);
        match error {
            SSL_ERROR_WANT_WRITE => Io::Again,
            SSL_ERROR_WANT_READ => {
                self.write_wants_read.set(true);
                Io::Again
            }
            _ => match self.fail("SSL_write()") {
                TRUNCATED => Io::Error(libc::EPIPE),
                errno => Io::Error(errno),
            },
        }
    }

    /// Tells the other side that nothing more will come. False: the kernel's
    /// buffer is full, to be tried again.
    pub fn notify(&self) -> bool {
        let ssl = self.ssl.get();
        let hopeless = ssl.is_null()
            || !self.established.get()
            || self.failed.get().is_some()
            || self.write_begun.get();
        if hopeless || self.notify.get() == Notify::Sent {
            return true;
        }
        self.begin();
        // SAFETY: ssl is live until close().
        let again = unsafe {
            let n = (self.api.SSL_shutdown)(ssl);
            n < 0 && (self.api.SSL_get_error)(ssl, n) == SSL_ERROR_WANT_WRITE
        };
        self.notify.set(if again { Notify::Pending } else { Notify::Sent });
        !again
    }

    /// Whether notify() has to be called again.
    pub fn notify_pending(&self) -> bool {
        self.notify.get() == Notify::Pending
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
            self.transport.discard();
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
        self.transport.drained.set(false);
        // SAFETY: the queue is this thread's.
        unsafe { (self.api.ERR_clear_error)() };
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
        self.failed.set(Some(errno));
        errno
    }

    fn set_read_ready(&self, ready: bool) {
        // SAFETY: c is live until close(), after which nothing gets here.
        unsafe { (*(*self.transport.c).read).set_ready(ready as _) };
    }

    fn set_write_ready(&self, ready: bool) {
        // SAFETY: as in set_read_ready().
        unsafe { (*(*self.transport.c).write).set_ready(ready as _) };
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.close();
    }
}

fn is_address(name: &CStr) -> bool {
    name.to_str().is_ok_and(|name| name.parse::<IpAddr>().is_ok())
}
