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
//!
//! What a stripe has no room for goes to the process's area (`area.rs`).

use super::Dict;
use super::entry::Head;
use super::layout::{
    AREA_SAVED, CHANGED, DATA, EXPIRES, JOURNAL, LOCK, RECORDS, Ref, SAVED, SAVED_LEN,
    SAVING, at,
};
use super::lock::Stripe;
use crate::nginx::memory::{Memory, Near};

/// Where a change notes what words held.
pub(super) trait Journal {
    /// How many records it has room for.
    const MAX: usize;

    fn write(&self, number: usize, record: u64);
    fn set_len(&self, len: usize);
}

/// The one beside the global lock.
pub(super) struct Global<'a>(&'a Memory);

impl Journal for Global<'_> {
    const MAX: usize = RECORDS;

    #[inline(always)]
    fn write(&self, number: usize, record: u64) {
        self.0.store64(JOURNAL + 8 + 8 * number, record);
    }

    #[inline(always)]
    fn set_len(&self, len: usize) {
        self.0.store32(JOURNAL, len as u32);
    }
}

/// The one of a stripe.
impl Journal for Stripe<'_> {
    const MAX: usize = SAVED_LEN / 8;

    #[inline(always)]
    fn write(&self, number: usize, record: u64) {
        self.store64(SAVED + 8 * number, record);
    }

    #[inline(always)]
    fn set_len(&self, len: usize) {
        self.store32(CHANGED, len as u32);
    }
}

/// In CHANGED: the records are in the area of who has the lock.
const IN_AREA: u32 = 1 << 31;

/// A longer one of a stripe.
pub(super) struct InArea<'a> {
    memory: &'a Memory,
    stripe: Stripe<'a>,
    area: usize,
}

impl Journal for InArea<'_> {
    const MAX: usize = 16;

    #[inline(always)]
    fn write(&self, number: usize, record: u64) {
        self.memory.store64(self.area + AREA_SAVED + 8 * number, record);
    }

    #[inline(always)]
    fn set_len(&self, len: usize) {
        self.stripe.store32(CHANGED, if len == 0 { 0 } else { IN_AREA | len as u32 });
    }
}

/// A change that others see whole or not at all.
pub(super) struct Change<'a, J = Global<'a>> {
    memory: &'a Memory,
    journal: J,
    len: usize,
}

impl<'a> Change<'a> {
    /// Begins a change, or goes on with one that was not committed yet.
    #[inline(always)]
    pub fn new(memory: &'a Memory) -> Change<'a> {
        Change { memory, journal: Global(memory), len: memory.load32(JOURNAL) as usize }
    }
}

impl<'a> Change<'a, Stripe<'a>> {
    /// Begins a change of what the lock of a stripe guards alone.
    #[inline(always)]
    pub fn of_stripe(memory: &'a Memory, stripe: Stripe<'a>) -> Self {
        Change { memory, journal: stripe, len: 0 }
    }
}

impl<'a> Change<'a, InArea<'a>> {
    /// As of_stripe(), for more words, which the area of this process has room for.
    #[inline(always)]
    pub fn in_area(memory: &'a Memory, stripe: Stripe<'a>, area: usize) -> Self {
        Change { memory, journal: InArea { memory, stripe, area }, len: 0 }
    }
}

impl<J: Journal> Change<'_, J> {
    /// Changes a word of an entry.
    #[inline(always)]
    pub fn set_field(&mut self, (entry, head): (Ref, Head), field: usize, value: u32) {
        self.note(at(entry, field), head.get(field));
        head.set(field, value);
    }

    /// Changes a word beside others, behind their place.
    #[inline(always)]
    pub fn set_near(&mut self, (at, line): (usize, Near), field: usize, value: u32) {
        self.note(at + field, line.load32(field));
        line.store32(field, value);
    }

    /// Changes a word.
    #[inline(always)]
    pub fn set(&mut self, at: usize, value: u32) {
        self.note(at, self.memory.load32(at));
        self.memory.store32(at, value);
    }

    #[inline(always)]
    fn note(&mut self, at: usize, old: u32) {
        if self.len >= J::MAX {
            full();
        }
        self.journal.write(self.len, (at as u64 / 4) << 32 | u64::from(old));
        self.len += 1;
        self.journal.set_len(self.len);
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
        self.journal.set_len(0);
        self.len = 0;
    }
}

#[cold]
fn full() -> ! {
    panic!("the journal of a shared dictionary is full")
}

/// Takes back what was not committed under the global lock.
pub(super) fn undo(memory: &Memory) {
    undo_records(memory, JOURNAL + 8, (memory.load32(JOURNAL) as usize).min(RECORDS));
    memory.store32(JOURNAL, 0);
}

fn undo_records(memory: &Memory, records: usize, len: usize) {
    for i in (0..len).rev() {
        let record = memory.load64(records + 8 * i);
        memory.store32((record >> 32) as usize * 4, record as u32);
    }
}

/// What is saved without a call of the C library.
pub(super) const SHORT: usize = 16;

/// A stripe, and where something of its entries is saved.
#[derive(Clone, Copy)]
pub(super) struct Room<'a> {
    words: Stripe<'a>,
    place: usize,
}

impl Dict {
    /// Room to save so many bytes; None if they are too many, or other processes have
    /// all the areas.
    #[inline(always)]
    pub(super) fn room<'a>(
        &self,
        (at, words): (usize, Stripe<'a>),
        len: usize,
    ) -> Option<Room<'a>> {
        if len <= SAVED_LEN {
            return Some(Room { words, place: at + SAVED });
        }
        let area = self.area().filter(|_| len <= self.layout.saved_max)?;
        Some(Room { words, place: area + AREA_SAVED })
    }

    /// Room for a part of so many bytes together with a head.
    pub(super) fn room_with_head<'a>(
        &self,
        words: Stripe<'a>,
        len: usize,
    ) -> Option<Room<'a>> {
        let fits = len <= self.layout.saved_max - HEAD - HEAD_LEN;
        let area = self.area().filter(|_| fits)?;
        Some(Room { words, place: area + AREA_SAVED })
    }

    /// Takes back what was not committed under the lock of a stripe alone, by this
    /// process or by one that died with the lock.
    pub(super) fn undo_stripe(&self, (stripe, words): (usize, Stripe)) {
        let memory = &self.memory;
        // What is there is its owner's until all is taken back.
        let area = || Some(self.area_of(words.load64(LOCK))? + AREA_SAVED);
        let changed = words.load32(CHANGED);
        if changed != 0 {
            let in_area = changed & IN_AREA != 0;
            let records = if in_area { area() } else { Some(stripe + SAVED) };
            let max = if in_area { InArea::MAX } else { Stripe::MAX };
            if let Some(records) = records {
                undo_records(memory, records, ((changed & !IN_AREA) as usize).min(max));
            }
            words.store32(CHANGED, 0);
        }
        let saving = words.load64(SAVING);
        if saving == 0 {
            return;
        }
        let len = (saving & (WITH_HEAD - 1)) as usize;
        let with_head = saving & WITH_HEAD != 0;
        let in_area = with_head || len > SAVED_LEN;
        if let Some(mut saved) = if in_area { area() } else { Some(stripe + SAVED) } {
            if with_head {
                memory.copy(saved + HEAD, memory.load64(saved) as usize, HEAD_LEN);
                saved += HEAD + HEAD_LEN;
            }
            memory.copy(saved, (saving >> 32) as usize * 8, len);
        }
        forget_saved(words);
    }
}

/// Saves a part of an entry, which is about to be overwritten. It begins at a
/// multiple of eight.
#[inline(always)]
pub(super) fn save(memory: &Memory, room: Room, at: usize, len: usize) {
    let words = room.words;
    if len <= SHORT {
        words.store64(SAVED, memory.load64(at));
        if len > 8 {
            words.store64(SAVED + 8, memory.load64(at + 8));
        }
    } else {
        memory.copy(at, room.place, len);
    }
    set_saved(words, at, len);
}

/// As save(), of the bytes that these are written over.
#[inline(always)]
pub(super) fn save_and_write(memory: &Memory, room: Room, at: usize, bytes: &[u8]) {
    memory.overwrite(at, bytes, room.place, || set_saved(room.words, at, bytes.len()));
}

#[inline(always)]
fn set_saved(words: Stripe, at: usize, len: usize) {
    words.store64(SAVING, (at as u64 / 8) << 32 | len as u64);
}

/// Saved beside the value, before it: where the changeable part of an entry's head
/// is, and what it has.
const HEAD: usize = 8;
const HEAD_LEN: usize = DATA - EXPIRES;
/// In the length: there is that part, too.
const WITH_HEAD: u64 = 1 << 31;

/// As save(), of a value that is in another block than its entry; and what may be
/// changed in the entry's head.
pub(super) fn save_with_head(
    memory: &Memory,
    Room { words, place }: Room,
    head: usize,
    at: usize,
    len: usize,
) {
    memory.store64(place, head as u64);
    for i in (0..HEAD_LEN).step_by(8) {
        memory.store64(place + HEAD + i, memory.load64(head + i));
    }
    memory.copy(at, place + HEAD + HEAD_LEN, len);
    words.store64(SAVING, (at as u64 / 8) << 32 | WITH_HEAD | len as u64);
}

/// What was written over it stays.
#[inline(always)]
pub(super) fn forget_saved(words: Stripe) {
    words.store64(SAVING, 0);
}
