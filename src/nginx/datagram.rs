//! A datagram socket outside of nginx's event loop: one that only sends, and
//! that workers inherit.

use std::ffi::c_int;
use std::mem::size_of;

use super::address::Address;

/// The socket; it closes with its last owner.
pub struct Datagram {
    fd: c_int,
}

impl Datagram {
    /// A non-blocking socket from `local` to `remote`. The error says what failed.
    pub fn connect(local: &Address, remote: &Address) -> Result<Datagram, &'static str> {
        // SAFETY: the numbers of a socket.
        let fd = unsafe {
            let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
            libc::socket(local.family(), kind, 0)
        };
        if fd == -1 {
            return Err("ngx_socket failed");
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
                return Err("setsockopt SO_REUSEADDR failed");
            }
            if libc::bind(fd, local.as_ptr(), local.raw_len()) != 0 {
                return Err("bind failed");
            }
            if libc::connect(fd, remote.as_ptr(), remote.raw_len()) != 0 {
                return Err("connect failed");
            }
        }
        Ok(socket)
    }

    /// Sends a datagram: how many bytes, or -1.
    pub fn send(&self, bytes: &[u8]) -> isize {
        // SAFETY: the fd is open until drop; send() reads `bytes` only.
        unsafe { libc::send(self.fd, bytes.as_ptr().cast(), bytes.len(), 0) }
    }
}

impl Drop for Datagram {
    fn drop(&mut self) {
        // SAFETY: the socket is this value's own.
        unsafe { libc::close(self.fd) };
    }
}
