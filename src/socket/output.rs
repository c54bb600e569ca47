//! Bytes that the script has printed and the kernel has not taken yet.

use super::buffer;
use crate::nginx::connection::Connection;
use crate::nginx::io::Io;

/// Prints are joined until the coroutine waits, or until they are this many.
pub const JOIN_SIZE: usize = 16 * 1024;

/// A busy connection keeps a buffer of this size from answer to answer.
const KEPT: usize = 1024;

/// A queue of bytes to send.
#[derive(Default)]
pub struct Output {
    data: Vec<u8>,
    start: usize,
}

/// How far sending got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The kernel has everything.
    All,
    /// The kernel's buffer is full.
    Blocked,
    /// The connection is broken: what was queued is dropped.
    Failed(i32),
}

impl Output {
    /// How many bytes are queued.
    pub fn len(&self) -> usize {
        self.data.len() - self.start
    }

    /// Whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The buffer itself, to append to.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        if self.data.capacity() == 0 {
            self.data = buffer::take();
        }
        &mut self.data
    }

    /// Moves what is left to the front, if that is little beside what was sent: a
    /// queue that is never empty must not grow for ever.
    pub fn compact(&mut self) {
        if self.start > self.len() && self.start >= JOIN_SIZE {
            self.data.drain(..self.start);
            self.start = 0;
        }
    }

    /// Queues bytes; those that make the queue long go to the kernel at once,
    /// from where they are.
    #[inline(always)]
    pub fn write(&mut self, c: &Connection, bytes: &[u8], blocked: bool) -> Sent {
        if blocked || self.len() + bytes.len() < JOIN_SIZE {
            self.buffer().extend_from_slice(bytes);
            return if blocked { Sent::Blocked } else { Sent::All };
        }
        self.send(c, bytes, false)
    }

    /// Sends the queue and `bytes`; what the kernel does not take is queued.
    #[inline]
    pub fn send(&mut self, c: &Connection, bytes: &[u8], blocked: bool) -> Sent {
        if blocked || bytes.is_empty() {
            self.buffer().extend_from_slice(bytes);
            return if blocked { Sent::Blocked } else { Sent::All };
        }
        let mut queued = self.len();
        let mut rest = bytes;
        loop {
            let pending = &self.data[self.start..];
            let io = if queued > 0 { c.send_two(pending, rest) } else { c.send(rest) };
            match io {
                Io::Done(n) if n < queued => {
                    self.start += n;
                    queued -= n;
                }
                Io::Done(n) => {
                    rest = &rest[n - queued..];
                    self.start = self.data.len();
                    queued = 0;
                    if rest.is_empty() {
                        self.sent();
                        return Sent::All;
                    }
                }
                Io::Again => {
                    self.buffer().extend_from_slice(rest);
                    return Sent::Blocked;
                }
                Io::Error(errno) => return self.fail(errno),
                Io::Eof => return self.fail(libc::EPIPE),
            }
        }
    }

    /// Hands the queue to the kernel as far as it takes it.
    #[inline(always)]
    pub fn flush(&mut self, c: &Connection) -> Sent {
        while self.start < self.data.len() {
            match c.send(&self.data[self.start..]) {
                Io::Done(n) => self.start += n,
                Io::Again => return Sent::Blocked,
                Io::Error(errno) => return self.fail(errno),
                Io::Eof => return self.fail(libc::EPIPE),
            }
        }
        self.sent();
        Sent::All
    }

    fn fail(&mut self, errno: i32) -> Sent {
        self.start = self.data.len();
        self.release();
        Sent::Failed(errno)
    }

    /// Drops what is queued.
    pub fn clear(&mut self) {
        self.start = self.data.len();
        self.release();
    }

    /// Everything is sent: keeps a small buffer for the next answer, gives a
    /// large one back.
    #[inline(always)]
    fn sent(&mut self) {
        self.start = 0;
        if self.data.capacity() <= KEPT {
            self.data.clear();
        } else {
            buffer::give(std::mem::take(&mut self.data));
        }
    }

    /// Gives the memory back, if nothing is queued.
    #[inline]
    pub fn release(&mut self) {
        if self.is_empty() && self.data.capacity() > 0 {
            self.start = 0;
            buffer::give(std::mem::take(&mut self.data));
        }
    }
}
