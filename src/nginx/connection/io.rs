//! Reading and writing the socket of a connection.

use std::io::IoSlice;

use super::Connection;
use crate::nginx::io::Io;

impl Connection {
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
    #[inline(always)]
    unsafe fn recv_raw(&self, data: *mut u8, len: usize) -> Io {
        let Some(c) = self.get() else { return Io::Eof };
        if let Some(tls) = self.tls.get() {
            // SAFETY: the caller's duty.
            let io = unsafe { self.recv_tls(tls, data, len) };
            if let Io::Done(n) = io {
                self.received.set(self.received.get() + n as u64);
            }
            return io;
        }
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
                    self.received.set(self.received.get() + n as u64);
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

    /// Takes a datagram, which may be empty; what does not fit is lost.
    pub fn recv_datagram(&self, buf: &mut [u8]) -> Io {
        let Some(c) = self.get() else { return Io::Eof };
        loop {
            // SAFETY: the fd is open until close(); recv() writes at most as many
            // bytes as there are.
            let n = unsafe { libc::recv((*c).fd, buf.as_mut_ptr().cast(), buf.len(), 0) };
            if n >= 0 {
                return Io::Done(n as usize);
            }
            match errno() {
                libc::EINTR => {}
                libc::EAGAIN => {
                    self.set_read_ready(false);
                    return Io::Again;
                }
                error => return Io::Error(error),
            }
        }
    }

    /// Looks whether the other side is gone, without taking bytes.
    pub fn peek(&self) -> Io {
        let Some(c) = self.get() else { return Io::Eof };
        if let Some(tls) = self.tls.get() {
            return self.peek_tls(tls);
        }
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

    /// How many bytes the kernel (or OpenSSL) holds that nobody has read.
    pub fn unread_in_kernel(&self) -> usize {
        let Some(c) = self.get() else { return 0 };
        if let Some(pending) = self.tls.get().map(|tls| tls.pending())
            && pending > 0
        {
            return pending;
        }
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
        if let Some(tls) = self.tls.get() {
            return tls.send(data);
        }
        // SAFETY: the fd is open until close(); send() reads `data` only.
        let n = unsafe {
            libc::send((*c).fd, data.as_ptr().cast(), data.len(), libc::MSG_NOSIGNAL)
        };
        self.sent(n, data.len())
    }

    /// As send(), from two pieces.
    pub fn send_two(&self, first: &[u8], second: &[u8]) -> Io {
        let Some(c) = self.get() else { return Io::Error(libc::EPIPE) };
        if let Some(tls) = self.tls.get() {
            // What it has not taken yet has to be the first that it gets.
            return tls.send(first);
        }
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

    /// Tells the other side that nothing more will come.
    pub fn shutdown_write(&self) -> Result<(), i32> {
        let Some(c) = self.get() else { return Err(libc::EPIPE) };
        if let Some(tls) = self.tls.get()
            && !self.notify_tls(tls)
        {
            // FIN comes after it.
            return Ok(());
        }
        // SAFETY: the fd is open until close().
        match unsafe { libc::shutdown((*c).fd, libc::SHUT_WR) } {
            0 => Ok(()),
            _ => Err(errno()),
        }
    }
}

pub(in crate::nginx) fn errno() -> i32 {
    // SAFETY: the address of this thread's errno is always valid.
    unsafe { *libc::__errno_location() }
}
