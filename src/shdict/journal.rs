//! An undo journal: what a word held goes there before it is changed, so that
//! whoever finds a worker's half of a change can take it back.
//!
//! The order of the stores is all that counts: the record, the number of
//! records, the word. A killed process has done the first n of its stores.
//! Undoing writes the old words, from the last record to the first, and then
//! the number 0; done twice it comes to the same.

use super::layout::{SAVED, SAVED_AT, SAVED_LEN, STRIPE_RECORDS};
use crate::nginx::memory::Memory;

/// A change that others see whole or not at all.
pub(super) struct Change<'a> {
    memory: &'a Memory,
    /// The number of records; they follow.
    journal: usize,
    len: u32,
    max: u32,
}

impl<'a> Change<'a> {
    /// Begins a change, or goes on with one that was not committed yet.
    #[inline(always)]
    pub fn new(memory: &'a Memory, journal: usize, max: u32) -> Change<'a> {
        Change { memory, journal, len: memory.load32(journal), max }
    }

    /// Changes a word.
    #[inline(always)]
    pub fn set(&mut self, at: usize, value: u32) {
        if self.len >= self.max {
            full();
        }
        let old = self.memory.load32(at);
        let record = (at as u64 / 4) << 32 | u64::from(old);
        self.memory.store64(self.journal + 8 + 8 * self.len as usize, record);
        self.len += 1;
        self.memory.store32(self.journal, self.len);
        self.memory.store32(at, value);
    }

    /// Changes a word of eight bytes.
    #[inline(always)]
    pub fn set64(&mut self, at: usize, value: u64) {
        self.set(at, value as u32);
        self.set(at + 4, (value >> 32) as u32);
    }

    pub fn get(&self, at: usize) -> u32 {
        self.memory.load32(at)
    }

    /// What was changed stays.
    #[inline(always)]
    pub fn commit(&mut self) {
        self.memory.store32(self.journal, 0);
        self.len = 0;
    }
}

#[cold]
fn full() -> ! {
    panic!("the journal of a shared dictionary is full")
}

/// Takes back what was not committed.
pub(super) fn undo(memory: &Memory, journal: usize, max: u32) {
    let len = memory.load32(journal).min(max);
    for i in (0..len as usize).rev() {
        let record = memory.load64(journal + 8 + 8 * i);
        memory.store32((record >> 32) as usize * 4, record as u32);
    }
    memory.store32(journal, 0);
}

/// Begins a change of a stripe's, which may overwrite bytes of a value.
#[inline(always)]
pub(super) fn begin_in_stripe<'a>(
    memory: &'a Memory,
    stripe: usize,
    journal: usize,
) -> Change<'a> {
    memory.store32(stripe + SAVED_LEN, 0);
    Change::new(memory, journal, STRIPE_RECORDS)
}

/// Overwrites bytes whose place is a multiple of eight. The change has records
/// already: that there are some says that the saved bytes count.
#[inline(always)]
pub(super) fn overwrite(memory: &Memory, stripe: usize, at: usize, bytes: &[u8]) {
    memory.store32(stripe + SAVED_AT, (at / 8) as u32);
    memory.copy(at, stripe + SAVED, bytes.len());
    memory.store32(stripe + SAVED_LEN, bytes.len() as u32);
    memory.write(at, bytes);
}

/// Takes back what a stripe's journal has, bytes and words.
pub(super) fn undo_in_stripe(memory: &Memory, stripe: usize, journal: usize) {
    let len = memory.load32(stripe + SAVED_LEN) as usize;
    if memory.load32(journal) > 0 && len > 0 {
        let at = memory.load32(stripe + SAVED_AT) as usize * 8;
        memory.copy(stripe + SAVED, at, len);
    }
    undo(memory, journal, STRIPE_RECORDS);
}
