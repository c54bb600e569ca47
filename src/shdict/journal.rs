//! What makes a change whole: a worker may be killed between any two stores,
//! and whoever finds its half of a change takes it back.
//!
//! Words that others may see are written by a `Change`: what a word held goes into
//! a journal before it is written. There is one beside the global lock, and a
//! short one in each stripe, for what needs no other lock. The order of the stores
//! is all that counts: the record, the number of records, the word. A killed
//! process has done the first n of its stores. Undoing writes the old words, from
//! the last record to the first, and then the number 0; done twice it comes to the
//! same.
//!
//! A value that is overwritten where it is needs less: a copy of all that will
//! be written over, its length, the new bytes, and the length 0.

use super::layout::{CHANGED, JOURNAL, RECORDS, SAVED, SAVING, STRIPE_RECORDS};
use super::lock::Stripe;
use crate::nginx::memory::Memory;

/// Where a journal is: its number of records, they, and how many it holds.
#[derive(Clone, Copy)]
struct Journal {
    len: usize,
    records: usize,
    max: u32,
}

const GLOBAL_JOURNAL: Journal =
    Journal { len: JOURNAL, records: JOURNAL + 8, max: RECORDS };

/// The journal of the stripe at `stripe`.
#[inline(always)]
fn stripe_journal(stripe: usize) -> Journal {
    Journal { len: stripe + CHANGED, records: stripe + SAVED, max: STRIPE_RECORDS }
}

/// A change that others see whole or not at all.
pub(super) struct Change<'a> {
    memory: &'a Memory,
    journal: Journal,
    len: u32,
}

impl<'a> Change<'a> {
    /// Begins a change, or goes on with one that was not committed yet.
    #[inline(always)]
    pub fn new(memory: &'a Memory) -> Change<'a> {
        let journal = GLOBAL_JOURNAL;
        Change { memory, journal, len: memory.load32(journal.len) }
    }

    /// Begins a change of what the lock of a stripe guards alone.
    #[inline(always)]
    pub fn of_stripe(memory: &'a Memory, stripe: usize) -> Change<'a> {
        Change { memory, journal: stripe_journal(stripe), len: 0 }
    }

    /// Changes a word.
    #[inline(always)]
    pub fn set(&mut self, at: usize, value: u32) {
        if self.len >= self.journal.max {
            full();
        }
        let record = (at as u64 / 4) << 32 | u64::from(self.memory.load32(at));
        self.memory.store64(self.journal.records + 8 * self.len as usize, record);
        self.len += 1;
        self.memory.store32(self.journal.len, self.len);
        self.memory.store32(at, value);
    }

    /// Changes a word of eight bytes.
    #[inline(always)]
    pub fn set64(&mut self, at: usize, value: u64) {
        self.set(at, value as u32);
        self.set(at + 4, (value >> 32) as u32);
    }

    #[inline(always)]
    pub fn get(&self, at: usize) -> u32 {
        self.memory.load32(at)
    }

    /// What was changed stays.
    #[inline(always)]
    pub fn commit(&mut self) {
        self.memory.store32(self.journal.len, 0);
        self.len = 0;
    }
}

#[cold]
fn full() -> ! {
    panic!("the journal of a shared dictionary is full")
}

/// Takes back what was not committed under the global lock.
pub(super) fn undo(memory: &Memory) {
    undo_journal(memory, GLOBAL_JOURNAL);
}

fn undo_journal(memory: &Memory, journal: Journal) {
    let len = memory.load32(journal.len).min(journal.max);
    for i in (0..len as usize).rev() {
        let record = memory.load64(journal.records + 8 * i);
        memory.store32((record >> 32) as usize * 4, record as u32);
    }
    memory.store32(journal.len, 0);
}

/// What is saved without a call of the C library.
pub(super) const SHORT: usize = 16;

/// Saves a part of an entry, which is about to be overwritten. It begins at a
/// multiple of eight. The stripe is given with its place.
#[inline(always)]
pub(super) fn save(
    memory: &Memory,
    (stripe, head): (usize, Stripe),
    at: usize,
    len: usize,
) {
    if len <= SHORT {
        head.store64(SAVED, memory.load64(at));
        if len > 8 {
            head.store64(SAVED + 8, memory.load64(at + 8));
        }
    } else {
        memory.copy(at, stripe + SAVED, len);
    }
    set_saved(head, at, len);
}

/// As save(), of the bytes that these are written over.
#[inline(always)]
pub(super) fn save_and_write(
    memory: &Memory,
    (stripe, head): (usize, Stripe),
    at: usize,
    bytes: &[u8],
) {
    memory.overwrite(at, bytes, stripe + SAVED, || set_saved(head, at, bytes.len()));
}

#[inline(always)]
fn set_saved(head: Stripe, at: usize, len: usize) {
    head.store64(SAVING, (at as u64 / 8) << 32 | len as u64);
}

/// What was written over it stays.
#[inline(always)]
pub(super) fn forget_saved(head: Stripe) {
    head.store64(SAVING, 0);
}

/// Takes back what was not committed under the lock of a stripe alone.
pub(super) fn undo_stripe(memory: &Memory, (stripe, head): (usize, Stripe)) {
    if head.load32(CHANGED) != 0 {
        undo_journal(memory, stripe_journal(stripe));
    }
    let saving = head.load64(SAVING);
    if saving != 0 {
        memory.copy(stripe + SAVED, (saving >> 32) as usize * 8, saving as u32 as usize);
        forget_saved(head);
    }
}
