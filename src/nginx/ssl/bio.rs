//! The BIO by which OpenSSL reads and writes a connection's socket. It keeps
//! nginx's idea of whether the socket is ready: one that an edge-triggered method
//! has told of once is asked until it has nothing. And BIOs that are memory or a file.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::ptr;
use std::rc::Rc;

use ngx::ffi::ngx_connection_t;

use super::context::Context;
use super::error::clear_errors;
use super::openssl::*;
use super::session::{Session, SessionSlot};
use crate::nginx::io::Io;
use crate::nginx::local::Local;

/// No more bytes than about so many are read that nobody wants.
const MAX_DISCARDED: usize = 4 * 1024 * 1024;

/// After about so many bytes in one call OpenSSL has to let others have a turn. What is
/// of use comes after two reads; with what is for OpenSSL alone, as new keys again and
/// again, the other side could keep it for as long as it likes.
const TURN_READ: usize = 32 * 1024;

/// What the BIO works on. Its address is the BIO's data.
pub(super) struct Transport {
    pub c: *mut ngx_connection_t,
    /// The last read took all that the kernel had: a new event will come.
    pub drained: Cell<bool>,
    /// A short read is not enough to tell so.
    pub thorough: Cell<bool>,
    /// How much may still be read in this call.
    left: Cell<usize>,
    /// It was not enough: OpenSSL has to be called again.
    paused: Cell<bool>,
    /// What ended the socket.
    pub end: Cell<Option<Io>>,
    pub session: Rc<SessionSlot>,
    /// A client's: what OpenSSL's callbacks ask.
    pub server: Option<Rc<Context>>,
    /// While a client shakes hands: what the kernel had no room for. OpenSSL repeats
    /// it, but for an alert that ends the handshake.
    unsent: RefCell<Vec<u8>>,
    keeps_unsent: Cell<bool>,
}

/// The BIO's functions, made when first needed.
static METHOD: Local<Cell<*mut BioMethod>> = Local::new(Cell::new(ptr::null_mut()));

/// Frees what all streams share, when the last is closed.
pub fn free() {
    let method = METHOD.replace(ptr::null_mut());
    if let (false, Some(api)) = (method.is_null(), functions()) {
        // SAFETY: no stream is left whose BIO has it.
        unsafe { (api.BIO_meth_free)(method) };
    }
}

fn method(api: &Functions) -> Option<*const BioMethod> {
    if METHOD.get().is_null() {
        // SAFETY: the name is static; the method lives until free().
        unsafe {
            let method = (api.BIO_meth_new)(BIO_TYPE, c"ngx_tcp connection".as_ptr());
            if method.is_null() {
                return None;
            }
            (api.BIO_meth_set_read)(method, Some(bio_read));
            (api.BIO_meth_set_write)(method, Some(bio_write));
            (api.BIO_meth_set_ctrl)(method, Some(bio_ctrl));
            METHOD.set(method);
        }
    }
    Some(METHOD.get().cast_const())
}

/// # Safety
/// - `bio` is one that Transport::bio() has made, and its transport lives.
pub(super) unsafe fn transport<'a>(api: &Functions, bio: *mut Bio) -> &'a Transport {
    // SAFETY: the data is that transport.
    unsafe { &*(api.BIO_get_data)(bio).cast_const().cast::<Transport>() }
}

unsafe extern "C" fn bio_read(bio: *mut Bio, data: *mut c_char, len: c_int) -> c_int {
    let Some(api) = functions() else { return -1 };
    // SAFETY: OpenSSL calls this for a BIO of ours while its stream reads, with
    // `len` bytes that may be written; c is live until the stream is closed.
    unsafe {
        (api.BIO_clear_flags)(bio, BIO_FLAGS_RETRY_ALL);
        let transport = transport(api, bio);
        if transport.left.get() == 0 {
            transport.paused.set(true);
        } else if !transport.drained.get() {
            match transport.recv(data, len) {
                Io::Done(n) => {
                    let left = transport.left.get().saturating_sub(n);
                    transport.left.set(left);
                    return n as c_int;
                }
                Io::Again => transport.drained.set(true),
                end => {
                    transport.end.set(Some(end));
                    return if end == Io::Eof { 0 } else { -1 };
                }
            }
        }
        (api.BIO_set_flags)(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
        -1
    }
}

unsafe extern "C" fn bio_write(bio: *mut Bio, data: *const c_char, len: c_int) -> c_int {
    let Some(api) = functions() else { return -1 };
    // SAFETY: as in bio_read(), with `len` bytes that may be read.
    unsafe {
        (api.BIO_clear_flags)(bio, BIO_FLAGS_RETRY_ALL);
        let transport = transport(api, bio);
        let sent = transport.send(data, len);
        if transport.keeps_unsent.get() {
            transport.keep_unsent(data, len, sent);
        }
        match sent {
            Io::Done(n) => n as c_int,
            Io::Again => {
                (api.BIO_set_flags)(bio, BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY);
                -1
            }
            end => {
                transport.end.set(Some(end));
                -1
            }
        }
    }
}

/// What is written is not buffered, and nothing else is known here.
unsafe extern "C" fn bio_ctrl(
    _: *mut Bio,
    command: c_int,
    _: c_long,
    _: *mut c_void,
) -> c_long {
    (command == BIO_CTRL_FLUSH).into()
}

/// A session has come: the reference is the slot's.
pub(super) unsafe extern "C" fn on_new_session(
    ssl: *mut Ssl,
    session: *mut SslSession,
) -> c_int {
    let Some(api) = functions() else { return 0 };
    // SAFETY: OpenSSL calls this while a stream shakes hands or reads, for the
    // ssl of that stream.
    unsafe {
        let bio = (api.SSL_get_rbio)(ssl);
        if bio.is_null() {
            return 0;
        }
        transport(api, bio).session.set(Rc::new(Session::new(api, session)));
    }
    1
}

impl Transport {
    /// # Safety
    /// - `c` is live as long as anything is read or written, and until discard().
    pub unsafe fn new(
        c: *mut ngx_connection_t,
        server: Option<Rc<Context>>,
    ) -> Box<Transport> {
        Box::new(Transport {
            c,
            drained: Cell::new(false),
            thorough: Cell::new(false),
            left: Cell::new(0),
            paused: Cell::new(false),
            end: Cell::new(None),
            session: Rc::default(),
            keeps_unsent: Cell::new(server.is_some()),
            server,
            unsent: RefCell::default(),
        })
    }

    /// OpenSSL is about to be called.
    #[inline]
    pub fn begin(&self) {
        self.drained.set(false);
        self.left.set(TURN_READ);
        self.paused.set(false);
    }

    /// Whether it has read enough for one call: more may be there.
    pub fn is_paused(&self) -> bool {
        self.paused.get()
    }

    /// A BIO over it; None if there is no memory.
    ///
    /// # Safety
    /// - it is freed before the transport, which stays where it is.
    pub unsafe fn bio(&self, api: &Functions) -> Option<*mut Bio> {
        let method = method(api)?;
        // SAFETY: the method lives until free(); the data is the caller's duty.
        unsafe {
            let bio = (api.BIO_new)(method);
            if bio.is_null() {
                return None;
            }
            (api.BIO_set_data)(bio, ptr::from_ref(self).cast_mut().cast());
            (api.BIO_set_init)(bio, 1);
            Some(bio)
        }
    }

    /// # Safety
    /// - `len` bytes at `data` may be written; c is live.
    unsafe fn recv(&self, data: *mut c_char, len: c_int) -> Io {
        loop {
            // SAFETY: the caller's duty.
            let n = unsafe { libc::recv((*self.c).fd, data.cast(), len as usize, 0) };
            if n > 0 {
                // As in Connection::recv_raw().
                // SAFETY: c and its events are live.
                let eof = unsafe { (*(*self.c).read).pending_eof() } != 0;
                if n < len as isize && !eof && !self.thorough.get() {
                    self.drained.set(true);
                }
                return Io::Done(n as usize);
            }
            if n == 0 {
                return Io::Eof;
            }
            match errno() {
                libc::EINTR => {}
                libc::EAGAIN => return Io::Again,
                error => return Io::Error(error),
            }
        }
    }

    /// Takes what has come and nobody wants, as a session that a server sends
    /// unasked: with that unread the kernel would answer by RST, and the other
    /// side might lose what it was sent last.
    ///
    /// True: more may come.
    pub fn discard(&self) -> bool {
        let mut buffer = [0u8; 4096];
        let mut left = MAX_DISCARDED;
        while left > 0 {
            // SAFETY: the fd is open until the connection is closed, which comes
            // after close(); the buffer is written.
            match unsafe { self.recv(buffer.as_mut_ptr().cast(), buffer.len() as c_int) }
            {
                Io::Done(n) => left = left.saturating_sub(n),
                io => return io == Io::Again,
            }
        }
        false
    }

    /// # Safety
    /// - `len` bytes at `data` may be read.
    unsafe fn keep_unsent(&self, data: *const c_char, len: c_int, sent: Io) {
        let mut unsent = self.unsent.borrow_mut();
        unsent.clear();
        if sent == Io::Again {
            // SAFETY: the caller's duty.
            let data = unsafe { std::slice::from_raw_parts(data.cast(), len as usize) };
            unsent.extend_from_slice(data);
        }
    }

    /// The handshake is complete: OpenSSL repeats all that it could not send.
    pub fn forget_unsent(&self) {
        self.keeps_unsent.set(false);
        drop(self.unsent.take());
    }

    /// Sends what a handshake that has failed could not; false: there is no room yet.
    pub fn send_unsent(&self) -> bool {
        let mut unsent = self.unsent.borrow_mut();
        while !unsent.is_empty() {
            // SAFETY: the fd is open until the connection is closed.
            match unsafe { self.send(unsent.as_ptr().cast(), unsent.len() as c_int) } {
                Io::Done(n) => drop(unsent.drain(..n)),
                Io::Again => return false,
                _ => unsent.clear(),
            }
        }
        true
    }

    /// # Safety
    /// - `len` bytes at `data` may be read; c is live.
    unsafe fn send(&self, data: *const c_char, len: c_int) -> Io {
        loop {
            // SAFETY: the caller's duty.
            let n = unsafe {
                libc::send((*self.c).fd, data.cast(), len as usize, libc::MSG_NOSIGNAL)
            };
            if n >= 0 {
                return Io::Done(n as usize);
            }
            match errno() {
                libc::EINTR => {}
                libc::EAGAIN => {
                    // Or nginx would not ask for the event.
                    // SAFETY: c and its events are live.
                    unsafe { (*(*self.c).write).set_ready(0) };
                    return Io::Again;
                }
                error => return Io::Error(error),
            }
        }
    }
}

/// A BIO of its own: memory or a file.
pub(super) struct OwnBio(pub *mut Bio, &'static Functions);

impl OwnBio {
    /// One that reads bytes of a caller.
    ///
    /// # Safety
    /// - `text` outlives it.
    pub unsafe fn over(api: &'static Functions, text: &[u8]) -> Option<OwnBio> {
        let len = c_int::try_from(text.len()).ok()?;
        // SAFETY: the caller's duty.
        let bio = unsafe { (api.BIO_new_mem_buf)(text.as_ptr().cast(), len) };
        (!bio.is_null()).then_some(OwnBio(bio, api))
    }

    /// One that reads a file.
    pub fn file(api: &'static Functions, path: &CStr) -> Option<OwnBio> {
        // SAFETY: both are C strings.
        let bio = unsafe { (api.BIO_new_file)(path.as_ptr(), c"r".as_ptr()) };
        (!bio.is_null()).then_some(OwnBio(bio, api))
    }

    /// What `write` has written, if that says it was good.
    pub fn written(
        api: &'static Functions,
        write: impl FnOnce(*mut Bio) -> bool,
    ) -> Option<Vec<u8>> {
        // SAFETY: a new BIO over memory of its own, which BIO_CTRL_INFO gives the
        // address and length of; it is copied before the BIO is freed.
        unsafe {
            let bio = (api.BIO_new)((api.BIO_s_mem)());
            if bio.is_null() {
                return None;
            }
            let bio = OwnBio(bio, api);
            if !write(bio.0) {
                clear_errors(api);
                return None;
            }
            let mut data: *const u8 = ptr::null();
            let at = (&raw mut data).cast();
            let len = (api.BIO_ctrl)(bio.0, BIO_CTRL_INFO, 0, at);
            if data.is_null() || len <= 0 {
                return Some(Vec::new());
            }
            Some(std::slice::from_raw_parts(data, len as usize).to_vec())
        }
    }
}

impl Drop for OwnBio {
    fn drop(&mut self) {
        // SAFETY: it is ours.
        unsafe { (self.1.BIO_free)(self.0) };
    }
}

fn errno() -> i32 {
    // SAFETY: the address of this thread's errno is always valid.
    unsafe { *libc::__errno_location() }
}
