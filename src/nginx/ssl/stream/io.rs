//! Reading from a stream and writing to it, and the close_notify at its end.

use std::ffi::{c_int, c_void};

use super::{Notify, Stream};
use crate::nginx::io::{Io, TRUNCATED};
use crate::nginx::ssl::error::clear_errors;
use crate::nginx::ssl::openssl::*;

impl Stream {
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
            SSL_ERROR_WANT_READ => {
                self.set_read_ready(self.is_paused());
                Io::Again
            }
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
        clear_errors(self.api);
        self.notify.set(if again { Notify::Pending } else { Notify::Sent });
        !again
    }

    /// Whether notify() has to be called again.
    pub fn notify_pending(&self) -> bool {
        self.notify.get() == Notify::Pending
    }
}
