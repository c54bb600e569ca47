//! The handshake of a stream, and what it has to come to.

use std::ffi::{CStr, CString, c_long};
use std::net::IpAddr;
use std::ptr;
use std::rc::Rc;

use super::{Handshake, HandshakeError, Refusal, Stream};
use crate::nginx::io::Io;
use crate::nginx::ssl::error::{clear_errors, is_peers_fault, last_reason, take_errors};
use crate::nginx::ssl::openssl::*;
use crate::nginx::ssl::server::{VerifyClient, verify_text};
use crate::nginx::ssl::session::Session;

impl Stream {
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
        let handshake = match error {
            _ if n == 1 => self.established(),
            SSL_ERROR_WANT_READ => {
                self.set_read_ready(self.is_paused());
                Handshake::Waits
            }
            SSL_ERROR_WANT_WRITE => Handshake::Waits,
            _ => Handshake::Failed(self.handshake_error()),
        };
        clear_errors(self.api);
        handshake
    }

    /// Goes on with the end of a client's handshake that has failed: the alert that
    /// says why, and then nothing.
    pub fn refuse(&self) -> Refusal {
        if !self.transport.send_unsent() {
            return Refusal::Waits { to_write: true };
        }
        // SAFETY: the fd is open until the connection is closed. It does not matter
        // whether it was shut down before.
        unsafe { libc::shutdown((*self.transport.c).fd, libc::SHUT_WR) };
        if !self.transport.discard() {
            return Refusal::Done;
        }
        self.set_read_ready(false);
        Refusal::Waits { to_write: false }
    }

    fn established(&self) -> Handshake {
        self.established.set(true);
        self.transport.forget_unsent();
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
    pub(in crate::nginx::ssl) fn verify_result(&self) -> c_long {
        match self.as_ptr() {
            // SAFETY: ssl is live until close().
            Some(ssl) => unsafe { (self.api.SSL_get_verify_result)(ssl) },
            None => 0,
        }
    }

    /// Calls `f` with the other side's certificate, if it has shown one.
    pub(in crate::nginx::ssl) fn peer_certificate<T>(
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
}

pub(super) fn is_address(name: &CStr) -> bool {
    name.to_str().is_ok_and(|name| name.parse::<IpAddr>().is_ok())
}
