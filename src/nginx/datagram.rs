//! A datagram socket outside of nginx's event loop: one that only sends, and
//! that workers inherit.

use std::ffi::c_int;
use std::mem::size_of;

use super::address::Address;
use super::connection::errno;

/// The socket; it closes with its last owner.
pub struct Datagram {
    fd: c_int,
}

/// Why a socket could not be made.
#[derive(Clone, Copy, Debug)]
pub struct DatagramError {
    /// The system call that failed.
    pub call: &'static str,
    pub errno: i32,
}

impl DatagramError {
    fn of(call: &'static str) -> DatagramError {
        DatagramError { call, errno: errno() }
    }
}

impl Datagram {
    /// A non-blocking socket from `local` to `remote`.
    pub fn connect(local: &Address, remote: &Address) -> Result<Datagram, DatagramError> {
        // SAFETY: the numbers of a socket.
        let fd = unsafe {
            let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
            libc::socket(local.family(), kind, 0)
        };
        if fd == -1 {
            return Err(DatagramError::of("socket"));
        }
        let socket = Datagram { fd };
        let on: c_int = 1;
        // SAFETY: the fd is open until drop; the kernel reads an int, and the two
        // addresses.
        unsafe {
            let value = (&raw const on).cast();
            let len = size_of::<c_int>() as u32;
            let level = libc::SOL_SOCKET;
            if libc::setsockopt(fd, level, libc::SO_REUSEADDR, value, len) != 0 {
                return Err(DatagramError::of("setsockopt"));
            }
            if libc::bind(fd, local.as_ptr(), local.raw_len()) != 0 {
                return Err(DatagramError::of("bind"));
            }
            if libc::connect(fd, remote.as_ptr(), remote.raw_len()) != 0 {
                return Err(DatagramError::of("connect"));
            }
        }
        Ok(socket)
    }

    /// The socket's number.
    pub fn fd(&self) -> c_int {
        self.fd
    }

    /// Sends a datagram: how many bytes, or -1.
    pub fn send(&self, bytes: &[u8]) -> isize {
        // SAFETY: the fd is open until drop.
        unsafe { send(self.fd, bytes.as_ptr(), bytes.len()) }
    }
}

/// Sends a datagram by a socket: how many bytes, or -1. When nobody has listened to
/// one before it, the kernel tells so in place of sending this one: hence again. No
/// more than system calls, so that handlers of signals may do it.
///
/// # Safety
/// - `fd` is an open socket, and `bytes` are `len`.
pub(super) unsafe fn send(fd: c_int, bytes: *const u8, len: usize) -> isize {
    // SAFETY: by the caller's duty; the kernel reads the bytes only.
    unsafe {
        let sent = libc::send(fd, bytes.cast(), len, libc::MSG_NOSIGNAL);
        if sent == -1 && *libc::__errno_location() == libc::ECONNREFUSED {
            return libc::send(fd, bytes.cast(), len, libc::MSG_NOSIGNAL);
        }
        sent
    }
}

impl Drop for Datagram {
    fn drop(&mut self) {
        // SAFETY: the socket is this value's own.
        unsafe { libc::close(self.fd) };
    }
}
