//! A timing wheel: times in milliseconds, in constant time each.
//!
//! nginx's tree of timers costs a walk for each insertion and removal, and with
//! ten thousand sleepers most of its steps miss the cache. Here an entry goes
//! into the list of its slot: 256 slots of one millisecond, then four levels of
//! 64 slots, each slot as long as the whole level below. When the time comes to
//! a slot of a higher level, its entries move down.

use std::mem;
use std::num::NonZeroU32;

const FIRST_BITS: u32 = 8;
const BITS: u32 = 6;
const LEVELS: usize = 5;
/// Level 0 has four words of slots, the others one.
const WORDS: usize = 4;
const SLOTS: usize = 256 + (LEVELS - 1) * 64;
/// What the slots can tell apart, from now on: 49 days.
const SPAN: u64 = 1 << (FIRST_BITS + (LEVELS as u32 - 1) * BITS);

const NONE: u32 = u32::MAX;

/// An entry: good for `cancel` until it has been popped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(NonZeroU32);

impl Key {
    /// Of the entry with this index, which is not `NONE`.
    fn new(index: u32) -> Key {
        Key(NonZeroU32::MIN.saturating_add(index))
    }

    fn index(self) -> u32 {
        self.0.get() - 1
    }
}

/// What is free has no value, and `next` is the next that is free.
struct Entry<T> {
    at: u64,
    next: u32,
    prev: u32,
    slot: u16,
    value: Option<T>,
}

/// The entries of a slot.
#[derive(Clone, Copy)]
struct List {
    head: u32,
    tail: u32,
}

const EMPTY: List = List { head: NONE, tail: NONE };

/// Values that come due.
pub struct Wheel<T> {
    /// The first millisecond whose entries may not all have been popped.
    time: u64,
    len: usize,
    lists: [List; SLOTS],
    first: [u64; WORDS],
    upper: [u64; LEVELS - 1],
    entries: Vec<Entry<T>>,
    free: u32,
}

impl<T> Wheel<T> {
    /// An empty wheel; it finds out what time it is by `pop`.
    pub const fn new() -> Wheel<T> {
        Wheel {
            time: 0,
            len: 0,
            lists: [EMPTY; SLOTS],
            first: [0; WORDS],
            upper: [0; LEVELS - 1],
            entries: Vec::new(),
            free: NONE,
        }
    }

    /// How many values there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds a value that is due at `at`; `now` is not earlier than in any call
    /// before.
    #[inline(always)]
    pub fn insert(&mut self, now: u64, at: u64, value: T) -> Key {
        if self.len == 0 {
            // Nothing lies between: no slot has to be looked at.
            self.time = self.time.max(now);
        }
        self.len += 1;
        let index = self.free;
        let Some(entry) = self.entries.get_mut(index as usize) else {
            return self.insert_more(at, value);
        };
        self.free = entry.next;
        entry.at = at;
        entry.next = NONE;
        // It was None.
        mem::forget(entry.value.replace(value));
        self.append(index, at);
        Key::new(index)
    }

    /// As insert(), if no entry is free.
    #[cold]
    #[inline(never)]
    fn insert_more(&mut self, at: u64, value: T) -> Key {
        let index = self.entries.len() as u32;
        let entry = Entry { at, next: NONE, prev: NONE, slot: 0, value: Some(value) };
        self.entries.push(entry);
        self.append(index, at);
        Key::new(index)
    }

    /// When the entry is due.
    #[inline(always)]
    pub fn time_of(&self, key: Key) -> Option<u64> {
        Some(self.entries.get(key.index() as usize)?.at)
    }

    /// Takes a value out before it is due.
    pub fn cancel(&mut self, key: Key) -> Option<T> {
        let index = key.index();
        let value = self.entries.get_mut(index as usize)?.value.take()?;
        self.unlink(index);
        self.release(index);
        Some(value)
    }

    /// Takes out a value that is due by `now`, the earliest first, and of those
    /// of one millisecond the one that was inserted first.
    #[inline(always)]
    pub fn pop(&mut self, now: u64) -> Option<T> {
        loop {
            let slot = (self.time & 255) as usize;
            let index = self.lists[slot].head;
            if self.time <= now
                && let Some(entry) = self.entries.get_mut(index as usize)
            {
                let value = entry.value.take();
                let next = mem::replace(&mut entry.next, self.free);
                self.free = index;
                self.len -= 1;
                self.lists[slot].head = next;
                match self.entries.get_mut(next as usize) {
                    Some(entry) => entry.prev = NONE,
                    None => self.emptied(slot),
                }
                return value;
            }
            if !self.step(now) {
                return None;
            }
        }
    }

    /// The last entry of a slot has been popped.
    #[inline(never)]
    fn emptied(&mut self, slot: usize) {
        self.lists[slot].tail = NONE;
        self.clear_bit(slot);
        self.forget_crowd();
    }

    /// Takes out all values that `is` holds for, the earliest first.
    pub fn take_if(&mut self, is: impl Fn(&T) -> bool) -> Vec<T> {
        let mut found: Vec<(u64, u32)> = (0..self.entries.len() as u32)
            .map(|index| (self.entries[index as usize].at, index))
            .filter(|&(_, index)| {
                self.entries[index as usize].value.as_ref().is_some_and(&is)
            })
            .collect();
        found.sort_unstable();
        found.into_iter().filter_map(|(_, index)| self.cancel(Key::new(index))).collect()
    }

    /// The time of the earliest entry, or an earlier one at which `pop` has to
    /// be called; None if there is no entry.
    pub fn next(&self) -> Option<u64> {
        if self.len == 0 {
            return None;
        }
        let present = (self.time & 255) as usize;
        if let Some(slot) = next_bit(&self.first, present) {
            return Some((self.time & !255) + slot as u64);
        }
        // Slots before the present one are those of the next turn.
        let mut next = next_bit(&self.first, 0)
            .map_or(u64::MAX, |slot| (self.time | 255) + 1 + slot as u64);
        for level in 1..LEVELS {
            let turn = self.time >> shift_of(level);
            // The slot of the present time has been moved down already: what
            // is ahead begins with the one after it.
            let ahead = self.upper[level - 1].rotate_right((turn & 63) as u32 + 1);
            if ahead != 0 {
                let steps = u64::from(ahead.trailing_zeros()) + 1;
                next = next.min((turn + steps) << shift_of(level));
            }
        }
        Some(next)
    }

    /// Goes on to the next time at which there is something to do, at most to
    /// `now`; false if it is there.
    #[inline(never)]
    fn step(&mut self, now: u64) -> bool {
        if self.time >= now {
            return false;
        }
        let Some(next) = self.next() else {
            self.time = now;
            return false;
        };
        self.time = next.min(now).max(self.time + 1);
        if self.time & 255 == 0 {
            self.cascade();
        }
        true
    }

    /// Moves the entries of the slots that begin now down a level, from the
    /// highest such level on.
    fn cascade(&mut self) {
        let mut top = 1;
        while top < LEVELS - 1 && (self.time >> shift_of(top)) & 63 == 0 {
            top += 1;
        }
        for level in (1..=top).rev() {
            let slot = slot_of(level, self.time);
            let mut index = mem::replace(&mut self.lists[slot], EMPTY).head;
            self.clear_bit(slot);
            while let Some(entry) = self.entries.get_mut(index as usize) {
                let (at, next) = (entry.at, mem::replace(&mut entry.next, NONE));
                self.append(index, at);
                index = next;
            }
        }
    }

    /// The slot for a time.
    #[inline(always)]
    fn slot(&self, at: u64) -> usize {
        let at = at.max(self.time);
        if at - self.time < 256 { (at & 255) as usize } else { self.upper_slot(at) }
    }

    #[inline(never)]
    fn upper_slot(&self, at: u64) -> usize {
        let at = at.min(self.time + SPAN - 1);
        let mut level = 1;
        while level < LEVELS - 1
            && (at >> shift_of(level)) - (self.time >> shift_of(level)) >= 64
        {
            level += 1;
        }
        slot_of(level, at)
    }

    /// Appends an entry, which has no next one, to the list of its slot.
    #[inline(always)]
    fn append(&mut self, index: u32, at: u64) {
        let slot = self.slot(at);
        let tail = mem::replace(&mut self.lists[slot].tail, index);
        if let Some(entry) = self.entries.get_mut(index as usize) {
            entry.slot = slot as u16;
            entry.prev = tail;
        }
        match self.entries.get_mut(tail as usize) {
            Some(last) => last.next = index,
            None => {
                self.lists[slot].head = index;
                self.set_bit(slot);
            }
        }
    }

    fn unlink(&mut self, index: u32) {
        let Entry { next, prev, slot, .. } = self.entries[index as usize];
        let slot = usize::from(slot);
        match self.entries.get_mut(prev as usize) {
            Some(entry) => entry.next = next,
            None => self.lists[slot].head = next,
        }
        match self.entries.get_mut(next as usize) {
            Some(entry) => entry.prev = prev,
            None => self.lists[slot].tail = prev,
        }
        if self.lists[slot].head == NONE {
            self.clear_bit(slot);
        }
    }

    fn release(&mut self, index: u32) {
        self.entries[index as usize].next = mem::replace(&mut self.free, index);
        self.len -= 1;
        self.forget_crowd();
    }

    /// What a crowd of sleepers needed is not kept.
    fn forget_crowd(&mut self) {
        if self.len == 0 && self.entries.len() > 1024 {
            self.entries = Vec::new();
            self.free = NONE;
        }
    }

    fn set_bit(&mut self, slot: usize) {
        let (word, bit) = self.word(slot);
        *word |= bit;
    }

    fn clear_bit(&mut self, slot: usize) {
        let (word, bit) = self.word(slot);
        *word &= !bit;
    }

    fn word(&mut self, slot: usize) -> (&mut u64, u64) {
        let bit = 1 << (slot & 63);
        match slot >> 6 {
            word @ 0..WORDS => (&mut self.first[word], bit),
            word => (&mut self.upper[word - WORDS], bit),
        }
    }
}

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// How many milliseconds a slot of the level is, as a power of two.
fn shift_of(level: usize) -> u32 {
    if level == 0 { 0 } else { FIRST_BITS + (level as u32 - 1) * BITS }
}

fn slot_of(level: usize, time: u64) -> usize {
    if level == 0 {
        (time & 255) as usize
    } else {
        256 + (level - 1) * 64 + ((time >> shift_of(level)) & 63) as usize
    }
}

/// The first set bit from `from` on.
fn next_bit(words: &[u64; WORDS], from: usize) -> Option<usize> {
    let mut word = from >> 6;
    let mut bits = words[word] & (!0 << (from & 63));
    loop {
        if bits != 0 {
            return Some(word * 64 + bits.trailing_zeros() as usize);
        }
        word += 1;
        if word == WORDS {
            return None;
        }
        bits = words[word];
    }
}

#[cfg(test)]
mod tests;
