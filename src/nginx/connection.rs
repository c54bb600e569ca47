//! A client's or peer's connection: reads, writes, events, timers, log context.
//!
//! `Connection` owns its `ngx_connection_t` until `close()`; after that every
//! method answers as for a closed socket. `c->data` holds a strong reference
//! to the handler, so that a handler lives until its connection is closed.

use std::cell::Cell;
use std::ffi::{CStr, c_void};
use std::fmt;
use std::io::IoSlice;
use std::ptr;
use std::rc::Rc;

use ngx::ffi::{
    NGX_OK, ngx_add_timer, ngx_close_connection, ngx_connection_t, ngx_del_timer,
    ngx_destroy_pool, ngx_event_t, ngx_handle_read_event, ngx_handle_write_event,
    ngx_log_t, ngx_post_event, ngx_posted_events, ngx_posted_next_events,
    ngx_reusable_connection, ngx_use_accept_mutex, u_char,
};

use super::Msec;
use super::guard::guard;
use super::io::Io;
use super::log::{Level, Log};
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

/// An accepted connection; see the module's text.
pub struct Connection {
    c: Cell<*mut ngx_connection_t>,
    release: Cell<Option<unsafe fn(*mut c_void)>>,
}

impl Connection {
    /// Takes over a connection that nginx has just accepted.
    ///
    /// # Safety
    /// - `c` is live, has its pool and log, and nobody else closes it.
    pub unsafe fn accepted(c: *mut ngx_connection_t) -> Connection {
        // SAFETY: `c` is live by the caller's duty; its log is its own copy,
        // made by ngx_event_accept().
        unsafe {
            let log = (*c).log;
            (*log).connection = (*c).number;
            (*c).set_log_error(LOG_ERROR_INFO);
        }
        Connection { c: Cell::new(c), release: Cell::new(None) }
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
    }

    /// Writes error lines of this connection to `log`'s file, at its level.
    pub fn set_log(&self, log: *mut ngx_log_t) {
        if let Some(c) = self.get() {
            if !log.is_null() {
                // SAFETY: both are live; a server's log lives with its cycle,
                // which nginx keeps while it has connections.
                unsafe {
                    // The macro ngx_set_connection_log of ngx_log.h.
                    let own = (*c).log;
                    (*own).file = (*log).file;
                    (*own).next = (*log).next;
                    (*own).writer = (*log).writer;
                    (*own).wdata = (*log).wdata;
                    if (*own).log_level & LOG_DEBUG_CONNECTION == 0 {
                        (*own).log_level = (*log).log_level;
                    }
                }
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

    /// Whether close() has been called.
    pub fn is_closed(&self) -> bool {
        self.c.get().is_null()
    }

    /// The client's address as text, without port.
    pub fn client_text(&self) -> &[u8] {
        self.get().map_or(b"", |c| {
            // SAFETY: in the connection's pool, which lives until close(); the
            // borrow ends before, since close() ends all use of the session.
            unsafe { raw_bytes((*c).addr_text.data, (*c).addr_text.len) }
        })
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

    /// Reads what is there.
    ///
    /// Not through `c->recv`: nginx's asks the kernel by FIONREAD whenever the
    /// buffer came out full, and refuses to read before the first event.
    #[inline]
    pub fn recv(&self, buf: &mut [u8]) -> Io {
        // SAFETY: the bytes of a slice may be written.
        unsafe { self.recv_raw(buf.as_mut_ptr(), buf.len()) }
    }

    /// As recv(), up to `max` bytes to the end of a vector. What it has no
    /// room for yet is not zeroed first.
    pub fn recv_to(&self, buf: &mut Vec<u8>, max: usize) -> Io {
        buf.reserve(max);
        let free = buf.spare_capacity_mut();
        // SAFETY: `max` bytes are reserved; recv() has written the `n` that
        // then become part of the vector.
        unsafe {
            let io = self.recv_raw(free.as_mut_ptr().cast(), max);
            if let Io::Done(n) = io {
                buf.set_len(buf.len() + n);
            }
            io
        }
    }

    /// # Safety
    /// - `len` bytes at `data` may be written.
    #[inline]
    unsafe fn recv_raw(&self, data: *mut u8, len: usize) -> Io {
        let Some(c) = self.get() else { return Io::Eof };
        // SAFETY: `c` and its events are live until close(); recv() writes at
        // most `len` bytes.
        unsafe {
            let rev = (*c).read;
            loop {
                let n = libc::recv((*c).fd, data.cast(), len, 0);
                if n > 0 {
                    // A short read has drained the socket: the kernel makes a
                    // new edge for whatever comes later, FIN included. A FIN
                    // that the event already told of makes none.
                    if (n as usize) < len && (*rev).pending_eof() == 0 {
                        (*rev).set_ready(0);
                    }
                    return Io::Done(n as usize);
                }
                if n == 0 {
                    (*rev).set_ready(0);
                    (*rev).set_eof(1);
                    return Io::Eof;
                }
                match errno() {
                    libc::EINTR => continue,
                    libc::EAGAIN => {
                        (*rev).set_ready(0);
                        return Io::Again;
                    }
                    error => {
                        (*rev).set_ready(0);
                        (*rev).set_error(1);
                        return Io::Error(error);
                    }
                }
            }
        }
    }

    /// Looks whether the other side is gone, without taking bytes.
    pub fn peek(&self) -> Io {
        let Some(c) = self.get() else { return Io::Eof };
        let mut byte = 0u8;
        // SAFETY: the fd is open until close(); one byte is written to `byte`.
        let n = unsafe { libc::recv((*c).fd, (&raw mut byte).cast(), 1, libc::MSG_PEEK) };
        match n {
            0 => Io::Eof,
            n if n > 0 => Io::Done(n as usize),
            _ => match errno() {
                libc::EAGAIN | libc::EINTR => {
                    self.set_read_ready(false);
                    Io::Again
                }
                error => Io::Error(error),
            },
        }
    }

    /// How many bytes the kernel holds that nobody has read.
    pub fn unread_in_kernel(&self) -> usize {
        let Some(c) = self.get() else { return 0 };
        let mut n: libc::c_int = 0;
        // SAFETY: the fd is open until close(); FIONREAD writes one int.
        match unsafe { libc::ioctl((*c).fd, libc::FIONREAD, &raw mut n) } {
            0 => n.max(0) as usize,
            _ => 0,
        }
    }

    /// Hands as much as possible to the kernel, in one call.
    #[inline]
    pub fn send(&self, data: &[u8]) -> Io {
        let Some(c) = self.get() else { return Io::Error(libc::EPIPE) };
        // SAFETY: the fd is open until close(); send() reads `data` only.
        let n = unsafe {
            libc::send((*c).fd, data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL)
        };
        self.sent(n, data.len())
    }

    /// As send(), from two pieces.
    pub fn send_two(&self, first: &[u8], second: &[u8]) -> Io {
        let Some(c) = self.get() else { return Io::Error(libc::EPIPE) };
        let pieces = [IoSlice::new(first), IoSlice::new(second)];
        // SAFETY: IoSlice has the layout of iovec; the fd is open until
        // close(). nginx ignores SIGPIPE.
        let n = unsafe { libc::writev((*c).fd, pieces.as_ptr().cast(), 2) };
        self.sent(n, first.len() + second.len())
    }

    fn sent(&self, n: isize, wanted: usize) -> Io {
        let error = if n < 0 { errno() } else { 0 };
        let Some(c) = self.get() else { return Io::Error(libc::EPIPE) };
        // SAFETY: `c` and its write event are live until close().
        unsafe {
            if n >= 0 {
                (*c).sent += n as libc::off_t;
                if (n as usize) < wanted {
                    (*(*c).write).set_ready(0);
                }
                return Io::Done(n as usize);
            }
            (*(*c).write).set_ready(0);
            match error {
                libc::EAGAIN => Io::Again,
                libc::EINTR => {
                    (*(*c).write).set_ready(1);
                    Io::Again
                }
                error => {
                    (*(*c).write).set_error(1);
                    Io::Error(error)
                }
            }
        }
    }

    /// Whether the last event (or nobody yet) said there is something to read.
    #[inline]
    pub fn read_ready(&self) -> bool {
        // SAFETY: live until close().
        self.get().is_some_and(|c| unsafe { (*(*c).read).ready() != 0 })
    }

    /// Whether more than `n` bytes were sent in all, and the other side has
    /// not acknowledged the last of them.
    pub fn has_unacknowledged(&self, n: usize) -> bool {
        self.get().is_some_and(|c| {
            let mut left: libc::c_int = 0;
            // SAFETY: the fd is open until close(); SIOCOUTQ, which libc has
            // under its other name TIOCOUTQ (tcp(7)), writes an int.
            unsafe {
                (*c).sent > n as libc::off_t
                    && libc::ioctl((*c).fd, libc::TIOCOUTQ, &raw mut left) == 0
                    && left > 0
            }
        })
    }

    /// Makes the next receive try the socket, or wait for an event.
    pub fn set_read_ready(&self, ready: bool) {
        if let Some(c) = self.get() {
            // SAFETY: live until close().
            unsafe { (*(*c).read).set_ready(ready as _) };
        }
    }

    /// Asks for read events. With an edge-triggered method this is a system
    /// call only the first time; with a level-triggered one it also stops
    /// events that nobody takes. False: nginx could not.
    #[inline]
    pub fn watch_read(&self) -> bool {
        // SAFETY: live until close().
        self.get().is_some_and(|c| unsafe {
            let rev = (*c).read;
            (*rev).active() != 0 && (*rev).ready() == 0
                || ngx_handle_read_event(rev, 0) == NGX_OK as isize
        })
    }

    /// Asks for write events.
    pub fn watch_write(&self) -> bool {
        // SAFETY: live until close().
        self.get().is_some_and(|c| unsafe {
            ngx_handle_write_event((*c).write, 0) == NGX_OK as isize
        })
    }

    /// Runs on_read later in this turn if workers take turns at accepting:
    /// this one holds the accept mutex now, and the others wait for it. False
    /// if they do not.
    pub fn post_after_accept(&self) -> bool {
        // SAFETY: the event is live; ngx_close_connection() takes posted
        // events off their queue.
        self.get().is_some_and(|c| unsafe {
            let posts = ngx_use_accept_mutex != 0;
            if posts {
                ngx_post_event((*c).read, &raw mut ngx_posted_events);
            }
            posts
        })
    }

    /// Runs on_read in the next turn of the event loop.
    pub fn post_read(&self) {
        if let Some(c) = self.get() {
            // SAFETY: the event is live; ngx_close_connection() takes posted
            // events off their queue.
            unsafe {
                hold_worker(c);
                ngx_post_event((*c).read, &raw mut ngx_posted_next_events);
            }
        }
    }

    /// Runs on_write in the next turn of the event loop.
    pub fn post_write(&self) {
        if let Some(c) = self.get() {
            // SAFETY: as in post_read().
            unsafe {
                hold_worker(c);
                ngx_post_event((*c).write, &raw mut ngx_posted_next_events);
            }
        }
    }

    /// Makes the read timer fire in `msec` or before; see `Deadline`.
    #[inline]
    pub fn arm_read_timer(&self, msec: Msec) {
        if let Some(c) = self.get() {
            // SAFETY: live until close().
            unsafe { arm_early((*c).read, msec) };
        }
    }

    /// Makes the write timer fire in `msec` or before.
    pub fn arm_write_timer(&self, msec: Msec) {
        if let Some(c) = self.get() {
            // SAFETY: live until close().
            unsafe { arm_early((*c).write, msec) };
        }
    }

    /// Takes the read timer out of nginx's tree.
    pub fn cancel_read_timer(&self) {
        if let Some(c) = self.get() {
            // SAFETY: live until close(); deleted only if it is set.
            unsafe {
                if (*(*c).read).timer_set() != 0 {
                    ngx_del_timer((*c).read);
                }
            }
        }
    }

    /// Takes the write timer out of nginx's tree.
    pub fn cancel_write_timer(&self) {
        if let Some(c) = self.get() {
            // SAFETY: as in cancel_read_timer().
            unsafe {
                if (*(*c).write).timer_set() != 0 {
                    ngx_del_timer((*c).write);
                }
            }
        }
    }

    /// Whether on_read was called because the timer fired; clears the mark.
    #[inline]
    pub fn take_read_timedout(&self) -> bool {
        // SAFETY: live until close().
        self.get().is_some_and(|c| unsafe {
            let fired = (*(*c).read).timedout() != 0;
            if fired {
                (*(*c).read).set_timedout(0);
            }
            fired
        })
    }

    /// Whether on_write was called because the timer fired; clears the mark.
    pub fn take_write_timedout(&self) -> bool {
        // SAFETY: live until close().
        self.get().is_some_and(|c| unsafe {
            let fired = (*(*c).write).timedout() != 0;
            (*(*c).write).set_timedout(0);
            fired
        })
    }

    /// nginx wants the connection closed: it is out of connections or quits.
    #[inline]
    pub fn close_requested(&self) -> bool {
        // SAFETY: live until close().
        self.get().is_some_and(|c| unsafe { (*c).close() != 0 })
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

    /// Counts a light session.
    pub fn count_request(&self) {
        if let Some(c) = self.get() {
            // SAFETY: live until close().
            unsafe { (*c).requests += 1 };
        }
    }

    /// Tells the other side that nothing more will come.
    pub fn shutdown_write(&self) -> Result<(), i32> {
        let Some(c) = self.get() else { return Err(libc::EPIPE) };
        // SAFETY: the fd is open until close().
        match unsafe { libc::shutdown((*c).fd, libc::SHUT_WR) } {
            0 => Ok(()),
            _ => Err(errno()),
        }
    }

    /// Closes the socket and frees nginx's side of it; lets go of the handler.
    pub fn close(&self) {
        let c = self.c.replace(ptr::null_mut());
        if c.is_null() {
            return;
        }
        stat::ACTIVE.decrement();
        // SAFETY: `c` was live and is closed once, here; the pool is kept from
        // ngx_close_connection()'s recycling and destroyed after its last use.
        unsafe {
            let pool = (*c).pool;
            let handler = (*c).data;
            (*c).set_destroyed(1);
            ngx_close_connection(c);
            ngx_destroy_pool(pool);
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

/// Arms `event` so that it fires in `msec` at the latest. One that is armed
/// earlier stays: its handler finds that the time is not over and arms it
/// anew, which costs less than a change of the timer tree for every wait.
#[inline]
unsafe fn arm_early(event: *mut ngx_event_t, msec: Msec) {
    // SAFETY: the caller's event is live.
    unsafe {
        if (*event).timer_set() != 0 {
            let left =
                (*event).timer.key.wrapping_sub(super::time::current_msec()) as isize;
            if left <= msec as isize {
                return;
            }
            ngx_del_timer(event);
        }
        ngx_add_timer(event, msec);
    }
}

/// An exiting worker waits for connections that have a timer, and not for
/// posted events: gives the connection a timer if it has none. It fires late
/// or never; the write handler takes it for an event.
///
/// # Safety
/// - `c` is live.
unsafe fn hold_worker(c: *mut ngx_connection_t) {
    const LONG: Msec = 60_000;
    // SAFETY: `c` and its events are live by the caller's duty.
    unsafe {
        if (*(*c).read).timer_set() == 0 && (*(*c).write).timer_set() == 0 {
            ngx_add_timer((*c).write, LONG);
        }
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

fn errno() -> i32 {
    // SAFETY: the address of this thread's errno is always valid.
    unsafe { *libc::__errno_location() }
}
