//! What makes a change whole: a worker may be killed between any two stores,
//! and whoever finds its half of a change takes it back.
//!
//! Words that the global lock guards are written by a `Change`: what a word held
//! goes into a journal before it is written. The order of the stores is all that
//! counts: the record, the number of records, the word. A killed process has
//! done the first n of its stores. Undoing writes the old words, from the last
//! record to the first, and then the number 0; done twice it comes to the same.
//!
//! A value that is overwritten where it is needs less: a copy of all that will
//! be written over, its length, the new bytes, and the length 0.

use super::layout::{JOURNAL, RECORDS, SAVED, SAVING};
use super::lock::Stripe;
use crate::nginx::memory::Memory;

/// A change that others see whole or not at all.
pub(super) struct Change<'a> {
    memory: &'a Memory,
    len: u32,
}

impl<'a> Change<'a> {
    /// Begins a change, or goes on with one that was not committed yet.
    #[inline(always)]
    pub fn new(memory: &'a Memory) -> Change<'a> {
        Change { memory, len: memory.load32(JOURNAL) }
    }

    /// Changes a word.
    #[inline(always)]
    pub fn set(&mut self, at: usize, value: u32) {
        if self.len >= RECORDS {
            full();
        }
        let old = self.memory.load32(at);
        let record = (at as u64 / 4) << 32 | u64::from(old);
        self.memory.store64(JOURNAL + 8 + 8 * self.len as usize, record);
        self.len += 1;
        self.memory.store32(JOURNAL, self.len);
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
        self.memory.store32(JOURNAL, 0);
        self.len = 0;
    }
}

#[cold]
fn full() -> ! {
    panic!("the journal of a shared dictionary is full")
}

/// Takes back what was not committed.
pub(super) fn undo(memory: &Memory) {
    let len = memory.load32(JOURNAL).min(RECORDS);
    for i in (0..len as usize).rev() {
        let record = memory.load64(JOURNAL + 8 + 8 * i);
        memory.store32((record >> 32) as usize * 4, record as u32);
    }
    memory.store32(JOURNAL, 0);
}

/// Saves a part of an entry, which is about to be overwritten. It begins at a
/// multiple of eight. The stripe is given with its place.
#[inline(always)]
pub(super) fn save(
    memory: &Memory,
    (stripe, head): (usize, Stripe),
    at: usize,
    len: usize,
) {
    memory.copy(at, stripe + SAVED, len);
    head.store(SAVING, (at as u64 / 8) << 32 | len as u64);
}

/// What was written over it stays.
#[inline(always)]
pub(super) fn forget_saved(head: Stripe) {
    head.store(SAVING, 0);
}

/// Puts back what was saved, if something was.
pub(super) fn put_back(memory: &Memory, (stripe, head): (usize, Stripe)) {
    let saving = head.load(SAVING);
    if saving != 0 {
        memory.copy(stripe + SAVED, (saving >> 32) as usize * 8, saving as u32 as usize);
        forget_saved(head);
    }
}
