//! Bytes that were read and that the script has not taken yet.

use super::buffer;

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

    /// Space for `n` bytes at the end, for a read to fill; then `filled`.
    pub fn space(&mut self, n: usize) -> &mut [u8] {
        self.make_room(n);
        let end = self.data.len();
        // Zeroed once: filled() gives back what was not used, and the
        // capacity stays. A large receive pays this only while it grows.
        self.data.resize(end + n, 0);
        &mut self.data[end..]
    }

    /// Keeps the first `used` bytes of the `asked` that `space` gave.
    pub fn filled(&mut self, asked: usize, used: usize) {
        let len = self.data.len() - asked + used.min(asked);
        self.data.truncate(len);
    }

    /// Gives the memory back if nothing is unread.
    pub fn release(&mut self) {
        if self.is_empty() {
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
        } else if self.start >= self.data.len() / 2 || self.start >= buffer::SCRATCH_SIZE {
            // Moves what is left to the front, so that a long stream of short
            // lines does not grow the buffer for ever.
            self.data.drain(..self.start);
            self.start = 0;
        }
        self.data.reserve(n);
    }
}
