//! What goes through the whole dictionary, in steps between which others have
//! their turn.

use super::Dict;
use super::hold::Hold;
use super::layout::{CHAIN, DATA, FLUSHES, LRU_PREV, LRU_TAIL, Ref, UNIT, at};
use super::young::EVENED;

/// Buckets that are looked at in one step.
const STEP: usize = 256;

/// So many keys come in order of use, from a single look.
const ORDERED: usize = 1024;
/// How many entries that look may take.
const LOOK: usize = 4 * ORDERED;

/// Keys, one after the other.
#[derive(Debug, Default)]
pub struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The `i`th, counted from 0.
    pub fn get(&self, i: usize) -> Option<&[u8]> {
        let start = if i == 0 { 0 } else { *self.ends.get(i - 1)? };
        self.bytes.get(start..*self.ends.get(i)?)
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map_while(|i| self.get(i))
    }
}

impl Dict {
    /// At most `max` keys of live entries. Few come in the order in which they
    /// would have to go.
    pub fn keys(&self, max: usize, now: u64) -> Keys {
        self.settle_all();
        let wanted = if max <= ORDERED { max } else { max.min(self.count() as usize) };
        if wanted <= ORDERED
            && let Some(keys) = self.oldest_keys(wanted, now)
        {
            return keys;
        }
        let mut keys = Keys::default();
        self.each_step(|_, first| {
            let mut entry = self.memory.load32(first);
            while entry != 0 && keys.len() < max {
                if self.is_live(entry, now) {
                    self.append_key(&mut keys, entry);
                }
                entry = self.memory.load32(at(entry, CHAIN));
            }

            keys.len() < max
        });
        keys
    }

    /// The keys used least recently; None if it would take long to find them.
    fn oldest_keys(&self, wanted: usize, now: u64) -> Option<Keys> {
        let mut touched = Vec::with_capacity(LOOK);
        let mut keys = Keys::default();
        keys.bytes.reserve(64 * wanted);
        let _hold = Hold::global(self);
        let mut entry = self.memory.load32(LRU_TAIL);
        let mut looked = 0;
        while entry != 0 && looked < LOOK && keys.len() < wanted {
            if !self.is_live(entry, now) {
            } else if self.memory.load8(self.layout.touched_at(entry)) != 0 {
                touched.push(entry);
            } else {
                self.append_key(&mut keys, entry);
            }
            looked += 1;
            entry = self.memory.load32(at(entry, LRU_PREV));
        }
        let missing = wanted - keys.len();
        if entry != 0 && missing > touched.len() {
            return None;
        }
        for &entry in touched.iter().take(missing) {
            self.append_key(&mut keys, entry);
        }
        Some(keys)
    }

    fn append_key(&self, keys: &mut Keys, entry: Ref) {
        let start = keys.bytes.len();
        keys.bytes.resize(start + self.key_len(entry), 0);
        self.read(entry, DATA, 0, &mut keys.bytes[start..]);
        keys.ends.push(keys.bytes.len());
    }

    /// Every entry counts as expired.
    pub fn flush_all(&self) {
        let mut hold = Hold::global(self);
        let mut change = hold.change();
        change.set(FLUSHES, change.get(FLUSHES).wrapping_add(1));
        change.commit();
    }

    /// Removes at most `max` entries that have expired; how many. What stripes have
    /// in stock is given back, too.
    pub fn flush_expired(&self, max: usize, now: u64) -> usize {
        let mut flushed = 0;
        self.each_step(|hold, first| {
            let mut entry = self.memory.load32(first);
            while entry != 0 && flushed < max {
                let next = self.memory.load32(at(entry, CHAIN));
                if !self.is_live(entry, now) {
                    hold.take_global();
                    self.remove(hold, entry);
                    flushed += 1;
                }
                entry = next;
            }
            flushed < max
        });
        // Once for all: what others put there meanwhile is theirs.
        for _ in 0..=self.layout.stripes / EVENED {
            if !self.even(&mut Hold::global(self)).more {
                break;
            }
        }
        flushed
    }

    /// Calls `f` for each bucket, with the lock of its stripe, until it says
    /// false.
    fn each_step(&self, mut f: impl FnMut(&mut Hold, usize) -> bool) {
        let layout = &self.layout;
        for stripe in 0..layout.stripes {
            let mut bucket = stripe;
            while bucket < layout.buckets {
                let mut hold = Hold::stripe_number(self, stripe);
                for _ in 0..STEP {
                    if bucket >= layout.buckets {
                        break;
                    }
                    if !f(&mut hold, layout.buckets_at + 4 * bucket) {
                        return;
                    }
                    bucket += layout.stripes;
                }
            }
        }
    }

    /// The size of the zone.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The bytes of all free blocks, those in stock among them.
    pub fn free_space(&self) -> usize {
        let in_stock: u32 = self.in_stock().map(|(_, units)| units).sum();
        (self.free_units() + in_stock) as usize * UNIT
    }
}
