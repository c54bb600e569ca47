//! Bytes that were read and that the script has not taken yet.

use super::buffer;
use crate::nginx::connection::Connection;
use crate::nginx::io::Io;

/// A queue of bytes in one piece. Without bytes it owns no memory.
#[derive(Default)]
pub struct Input {
    data: Vec<u8>,
    start: usize,
}

impl Input {
    /// What has not been taken.
    pub fn unread(&self) -> &[u8] {
        &self.data[self.start..]
    }

    /// Whether everything has been taken.
    pub fn is_empty(&self) -> bool {
        self.start == self.data.len()
    }

    /// Takes `n` bytes from the front. They stay where they are until bytes
    /// are added.
    pub fn consume(&mut self, n: usize) {
        self.start = (self.start + n).min(self.data.len());
    }

    /// Adds bytes at the end.
    pub fn append(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.data.extend_from_slice(bytes);
    }

    /// Reads up to `max` bytes to the end.
    pub fn read(&mut self, c: &Connection, max: usize) -> Io {
        self.make_room(max);
        c.recv_to(&mut self.data, max)
    }

    /// Whether it owns much memory.
    #[inline]
    pub fn is_large(&self) -> bool {
        self.data.capacity() > buffer::SCRATCH_SIZE
    }

    /// Gives back most of much memory that little is in.
    pub fn shrink(&mut self) {
        let n = self.unread().len();
        if self.data.capacity() > buffer::MAX_KEPT && n <= buffer::SCRATCH_SIZE {
            let mut small = buffer::take();
            small.extend_from_slice(self.unread());
            self.data = small;
            self.start = 0;
        }
    }

    /// Gives the memory back if nothing is unread.
    #[inline]
    pub fn release(&mut self) {
        if self.is_empty() && self.data.capacity() > 0 {
            self.start = 0;
            buffer::give(std::mem::take(&mut self.data));
        }
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.start = self.data.len();
        self.release();
    }

    fn make_room(&mut self, n: usize) {
        if self.is_empty() {
            self.start = 0;
            if self.data.capacity() == 0 {
                self.data = buffer::take();
            }
            self.data.clear();
        } else if self.start >= self.data.len() / 2 {
            // Moves what is left to the front, so that a long stream of short
            // lines does not grow the buffer for ever; it is no more than what
            // was taken since, however much is unread.
            self.data.drain(..self.start);
            self.start = 0;
        }
        self.data.reserve(n);
    }
}
