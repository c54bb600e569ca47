//! A connection, a client's or one of a script's: its life, its handler, its log
//! context. Making one is in `connect.rs`, reading and writing in `io.rs`, TLS in
//! `tls.rs`, events and timers in `events.rs`.
//!
//! `Connection` owns its `ngx_connection_t` until `close()`; after that every
//! method answers as for a closed socket. `c->data` holds a strong reference
//! to the handler, so that a handler lives until its connection is closed.

mod connect;
mod events;
mod io;
mod tls;

use std::cell::{Cell, OnceCell};
use std::ffi::{CStr, c_void};
use std::fmt;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use ngx::ffi::{
    NGX_OK, ngx_close_connection, ngx_connection_local_sockaddr, ngx_connection_t,
    ngx_cycle, ngx_destroy_pool, ngx_event_t, ngx_int_t, ngx_log_t,
    ngx_reusable_connection, u_char,
};

pub use self::connect::{ConnectError, Progress};
pub(in crate::nginx) use self::io::errno;
use super::Msec;
use super::address::Address;
use super::guard::guard;
use super::listening::Accepted;
use super::log::{Level, Log};
use super::ssl::Stream;
use super::stat;

/// NGX_ERROR_INFO of ngx_connection.h: socket errors of clients are info.
const LOG_ERROR_INFO: u32 = 2;
/// NGX_LOG_DEBUG_CONNECTION: set on the log of a `debug_connection`.
const LOG_DEBUG_CONNECTION: usize = 0x8000_0000;

/// Whoever owns a connection and answers its events.
///
/// Handlers run with no Lua frame below them. `on_panic` comes after either of
/// the others panicked: it must close the connection.
pub trait Handler: 'static {
    /// The connection is readable, its read timer fired, or nginx wants it
    /// closed (`close_requested`).
    fn on_read(self: &Rc<Self>);
    /// The connection is writable or its write timer fired.
    fn on_write(self: &Rc<Self>);
    /// One of the two panicked.
    fn on_panic(self: &Rc<Self>);
}

/// An event's handler, as nginx calls it.
type EventHandler = unsafe extern "C" fn(*mut ngx_event_t);

/// A connection; see the module's text.
pub struct Connection {
    c: Cell<*mut ngx_connection_t>,
    /// A client's.
    accepted: bool,
    release: Cell<Option<unsafe fn(*mut c_void)>>,
    on_write: Cell<Option<EventHandler>>,
    /// Its TLS, from the handshake on.
    tls: OnceCell<Box<Stream>>,
    /// Bytes that were read, without TLS's own.
    received: Cell<u64>,
}

impl Connection {
    /// Takes over a connection that nginx has accepted, with its TLS.
    ///
    /// # Safety
    /// - `c` is live, has its pool and log, and nobody else closes it; the stream is
    ///   over it.
    pub unsafe fn accepted(
        c: *mut ngx_connection_t,
        tls: Option<Box<Stream>>,
    ) -> Connection {
        // SAFETY: `c` is live by the caller's duty; its log is its own copy,
        // made by ngx_event_accept().
        unsafe {
            let log = (*c).log;
            (*log).connection = (*c).number;
            (*c).set_log_error(LOG_ERROR_INFO);
        }
        let mut connection = Connection::new(c, true);
        connection.tls = tls.map_or_else(OnceCell::new, OnceCell::from);
        connection
    }

    /// Gives the connection to whoever is to go on with it: without a handler, timers
    /// or posted events. None if it is closed.
    pub fn into_accepted(mut self) -> Option<Accepted> {
        self.cancel_read_timer();
        self.cancel_write_timer();
        let tls = self.tls.take();
        let c = NonNull::new(self.c.replace(ptr::null_mut()))?;
        // SAFETY: `c` was live and `self` its owner, which has let go of it; the
        // handlers that stay until there are others do nothing. Last: it may drop
        // what owned `self` before.
        unsafe {
            let raw = c.as_ptr();
            let handler = std::mem::replace(&mut (*raw).data, ptr::null_mut());
            events::silence(raw);
            if let Some(release) = self.release.take() {
                release(handler);
            }
            Some(Accepted::new(c, tls))
        }
    }

    fn new(c: *mut ngx_connection_t, accepted: bool) -> Connection {
        Connection {
            c: Cell::new(c),
            accepted,
            release: Cell::new(None),
            on_write: Cell::new(None),
            tls: OnceCell::new(),
            received: Cell::new(0),
        }
    }

    /// Sends events to `handler` from now on.
    pub fn set_handler<H: Handler>(&self, handler: &Rc<H>) {
        let c = self.c.get();
        if c.is_null() || self.release.get().is_some() {
            return;
        }
        // SAFETY: `c` is live until close(), which undoes this by release().
        unsafe {
            (*c).data = Rc::into_raw(handler.clone()).cast_mut().cast();
            (*(*c).read).handler = Some(on_read::<H>);
            (*(*c).write).handler = Some(on_write::<H>);
        }
        self.release.set(Some(release::<H>));
        self.on_write.set(Some(on_write::<H>));
    }

    /// Whether close() has not been called.
    pub fn is_open(&self) -> bool {
        !self.c.get().is_null()
    }

    /// Writes error lines of this connection to `log`'s file, at its level.
    pub fn set_log(&self, log: Log) {
        let Some(c) = self.get() else { return };
        // SAFETY: both are live. The macro ngx_set_connection_log of ngx_log.h.
        unsafe {
            let (own, log) = ((*c).log, log.as_ptr());
            (*own).file = (*log).file;
            (*own).next = (*log).next;
            (*own).writer = (*log).writer;
            (*own).wdata = (*log).wdata;
            if (*own).log_level & LOG_DEBUG_CONNECTION == 0 {
                (*own).log_level = (*log).log_level;
            }
        }
    }

    /// Lines of the connection's log tell client and server from now on.
    pub fn set_log_context(&self) {
        if let Some(c) = self.get() {
            // SAFETY: live; append_context() finds in the log's data the
            // connection whose pool the log is in.
            unsafe {
                (*(*c).log).data = c.cast();
                (*(*c).log).handler = Some(append_context);
            }
        }
    }

    /// What the connection is doing: log lines end in " while ACTION, ...".
    pub fn set_action(&self, action: &'static CStr) {
        if let Some(c) = self.get() {
            // SAFETY: live; the text is static.
            unsafe { (*(*c).log).action = action.as_ptr().cast_mut() };
        }
    }

    /// The connection's log; the cycle's after close().
    pub fn log(&self) -> Log {
        match self.get() {
            // SAFETY: the log is in the connection's pool, which lives until
            // close(); callers use the value at once.
            Some(c) => unsafe { Log::from_raw((*c).log) },
            None => Log::cycle(),
        }
    }

    /// Writes a line to the connection's log.
    pub fn write_log(&self, level: Level, errno: i32, message: fmt::Arguments<'_>) {
        self.log().write(level, errno, message);
    }

    /// The client's address as text, without port.
    pub fn client_text(&self) -> &[u8] {
        self.get().map_or(b"", |c| {
            // SAFETY: in the connection's pool, which lives until close(); the
            // borrow ends before, since close() ends all use of the session.
            unsafe { raw_bytes((*c).addr_text.data, (*c).addr_text.len) }
        })
    }

    /// The address of an accepted client; None after close().
    pub fn client_address(&self) -> Option<Address> {
        let c = self.get()?;
        // SAFETY: nginx keeps it in the connection's pool, which lives until
        // close(), with its length.
        unsafe { Some(Address::from_raw((*c).sockaddr.cast(), (*c).socklen)) }
    }

    /// The listening address as text, as it was configured.
    pub fn server_text(&self) -> &[u8] {
        self.get().map_or(b"", |c| {
            // SAFETY: the listening lives with its cycle, which outlives its
            // connections.
            unsafe {
                let text = (*(*c).listening).addr_text;
                raw_bytes(text.data, text.len)
            }
        })
    }

    /// Marks the connection as one that nginx may close when it quits (idle)
    /// and when it runs out of connections (reusable).
    pub fn set_parked(&self, parked: bool) {
        if let Some(c) = self.get() {
            // SAFETY: live until close(), which leaves the reusable queue.
            unsafe {
                (*c).set_idle(parked as _);
                ngx_reusable_connection(c, parked as _);
            }
        }
    }

    /// nginx's number for it, which no other connection of the worker has.
    pub fn number(&self) -> usize {
        // SAFETY: live until close().
        self.get().map_or(0, |c| unsafe { (*c).number as usize })
    }

    /// The address that the client has connected to.
    pub fn server_address(&self) -> Option<Address> {
        let c = self.get()?;
        // SAFETY: live until close(); nginx asks the kernel once where it does not
        // know, and keeps the address in the connection's pool.
        unsafe {
            let rc = ngx_connection_local_sockaddr(c, ptr::null_mut(), 0);
            if rc != NGX_OK as ngx_int_t || (*c).local_sockaddr.is_null() {
                return None;
            }
            let address = (*c).local_sockaddr.cast();
            Some(Address::from_raw(address, (*c).local_socklen))
        }
    }

    /// When it was accepted, by the clock of timers.
    pub fn accepted_at(&self) -> Msec {
        // SAFETY: live until close().
        self.get().map_or(0, |c| unsafe { (*c).start_time })
    }

    /// How many bytes were read.
    pub fn bytes_received(&self) -> u64 {
        self.received.get()
    }

    /// How many bytes were sent.
    pub fn bytes_sent(&self) -> u64 {
        // SAFETY: live until close().
        self.get().map_or(0, |c| unsafe { (*c).sent as u64 })
    }

    /// How many light sessions were counted.
    pub fn requests(&self) -> usize {
        // SAFETY: live until close().
        self.get().map_or(0, |c| unsafe { (*c).requests })
    }

    /// Counts a light session.
    pub fn count_request(&self) {
        if let Some(c) = self.get() {
            // SAFETY: live until close().
            unsafe { (*c).requests += 1 };
        }
    }

    /// Closes the socket and frees nginx's side of it; lets go of the handler.
    pub fn close(&self) {
        if let Some(tls) = self.tls.get() {
            // It tells the other side, and needs the socket for that.
            tls.close();
        }
        let c = self.c.replace(ptr::null_mut());
        if c.is_null() {
            return;
        }
        if self.accepted {
            stat::ACTIVE.decrement();
        }
        // SAFETY: `c` was live and is closed once, here; the pool is kept from
        // ngx_close_connection()'s recycling and destroyed after its last use.
        unsafe {
            let pool = (*c).pool;
            let handler = (*c).data;
            (*c).set_destroyed(1);
            ngx_close_connection(c);
            if !pool.is_null() {
                ngx_destroy_pool(pool);
            }
            // Last: it may drop the session that owns `self`.
            if let Some(release) = self.release.take() {
                release(handler);
            }
        }
    }

    #[inline(always)]
    fn get(&self) -> Option<*mut ngx_connection_t> {
        let c = self.c.get();
        (!c.is_null()).then_some(c)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

/// Drops the reference that set_handler() put into `c->data`.
unsafe fn release<H: Handler>(data: *mut c_void) {
    // SAFETY: `data` came from Rc::into_raw of an Rc<H> and is released once.
    drop(unsafe { Rc::from_raw(data.cast_const().cast::<H>()) });
}

/// The handler of an event's connection, with a reference of its own: the
/// connection's may go while the handler runs.
unsafe fn handler_of<H: Handler>(event: *mut ngx_event_t) -> Rc<H> {
    // SAFETY: nginx calls a handler with a live event whose `data` is its
    // connection; set_handler::<H> stored an Rc<H> there, and close() takes
    // the events out of nginx's reach before it releases it.
    unsafe {
        let c: *mut ngx_connection_t = (*event).data.cast();
        let data: *const H = (*c).data.cast_const().cast();
        Rc::increment_strong_count(data);
        Rc::from_raw(data)
    }
}

/// Calls `f` with the handler of each open connection that an `H` handles.
pub fn each<H: Handler>(f: impl Fn(Rc<H>)) {
    let ours = on_read::<H> as *const ();
    // SAFETY: the running cycle's connections, which nginx keeps in one array
    // that does not move, and has none of when a single process has read its
    // configuration anew; a free one has no socket, and handler_of() takes a
    // reference before `f` may close this or another one.
    unsafe {
        if (*ngx_cycle).connections.is_null() {
            return;
        }
        for i in 0..(*ngx_cycle).connection_n {
            let c = (*ngx_cycle).connections.add(i);
            let open = (*c).fd != -1 && !(*c).read.is_null();
            if open && (*(*c).read).handler.is_some_and(|h| h as *const () == ours) {
                f(handler_of::<H>((*c).read));
            }
        }
    }
}

unsafe extern "C" fn on_read<H: Handler>(event: *mut ngx_event_t) {
    // SAFETY: installed by set_handler::<H> on this event.
    let handler = unsafe { handler_of::<H>(event) };
    if !guard("a read handler", false, || {
        handler.on_read();
        true
    }) {
        guard("a panic handler", (), || handler.on_panic());
    }
}

unsafe extern "C" fn on_write<H: Handler>(event: *mut ngx_event_t) {
    // SAFETY: installed by set_handler::<H> on this event.
    let handler = unsafe { handler_of::<H>(event) };
    if !guard("a write handler", false, || {
        handler.on_write();
        true
    }) {
        guard("a panic handler", (), || handler.on_panic());
    }
}

/// Log handler: " while ACTION, client: ADDRESS, server: ADDRESS".
unsafe extern "C" fn append_context(
    log: *mut ngx_log_t,
    buf: *mut u_char,
    len: usize,
) -> *mut u_char {
    // SAFETY: nginx passes a live log and `len` writable bytes;
    // set_log_context() set `data` to the log's connection, and both go with
    // one pool.
    unsafe {
        let mut line = Line { at: buf, left: len };
        let c: *mut ngx_connection_t = (*log).data.cast();
        if !(*log).action.is_null() {
            line.push(b" while ");
            line.push(CStr::from_ptr((*log).action).to_bytes());
        }
        if !c.is_null() {
            line.push(b", client: ");
            line.push(raw_bytes((*c).addr_text.data, (*c).addr_text.len));
            if !(*c).listening.is_null() {
                line.push(b", server: ");
                let text = (*(*c).listening).addr_text;
                line.push(raw_bytes(text.data, text.len));
            }
        }
        line.at
    }
}

/// The rest of nginx's line buffer.
struct Line {
    at: *mut u_char,
    left: usize,
}

impl Line {
    /// # Safety
    /// - `at` has `left` writable bytes.
    unsafe fn push(&mut self, text: &[u8]) {
        let n = text.len().min(self.left);
        // SAFETY: n bytes fit, by the caller's duty; `text` is not the buffer.
        unsafe {
            ptr::copy_nonoverlapping(text.as_ptr(), self.at, n);
            self.at = self.at.add(n);
        }
        self.left -= n;
    }
}

/// The bytes of an nginx string, which may be null when empty.
unsafe fn raw_bytes<'a>(data: *const u_char, len: usize) -> &'a [u8] {
    if data.is_null() || len == 0 {
        return b"";
    }
    // SAFETY: nginx's strings hold `len` bytes; the caller bounds the lifetime.
    unsafe { std::slice::from_raw_parts(data, len) }
}
