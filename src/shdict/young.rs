//! What spares adding and deleting the global lock: a stripe keeps a few of the
//! blocks that are deleted from it, its stock, and makes new entries of them. Those
//! are young: in their bucket, but neither in the LRU list nor in the wheel, which
//! are under the global lock. An entry that is soon deleted never gets there, as
//! that of a lock (`resty.lock`).
//!
//! Who holds the global lock anyway settles the young of its stripe: they count as
//! used at that time. Before anything has to go for want of memory, all stripes are
//! evened: their young are settled, and their stock is given to the heap. A byte for
//! each stripe and one for each group of them say where there is something to do:
//! they are set and cleared under the global lock, set before there is something, and
//! cleared when there is nothing any more.

use super::Dict;
use super::entry::Head;
use super::heap;
use super::hold::{Held, Hold};
use super::journal::Change;
use super::kind;
use super::layout::{
    BEFORE, CHAIN, COUNT, DATA, GROUP, IS_YOUNG, LRU_PREV, MIN_ENTRY, NEXT, Ref, SPARE,
    STOCK_SLOTS, UNEVEN, UNIT, YOUNG_SLOTS, at, stock_at, units, young_at,
};
use super::lists::{link_lru, link_lru_last, link_wheel};
use super::lock::{Stripe, begin_change, end_change, sees_changes_first};
use super::store::New;

/// What evening the stripes comes to.
pub(super) struct Evened {
    /// Something was done.
    pub some: bool,
    /// There are stripes that others hold, who may have a stock.
    pub busy: bool,
    /// There may be more to do: others have a turn first.
    pub more: bool,
}

/// So many stripes are evened before others have a turn of the global lock.
pub(super) const EVENED: usize = 256;

/// A block in stock.
pub(super) struct Stock<'a> {
    pub block: Ref,
    /// Its units.
    pub size: u32,
    /// The line of the cache that knows it, and where there.
    pub line: (usize, Stripe<'a>),
    pub place: usize,
}

impl Dict {
    /// Makes a new entry of a block in stock. False if there is none that fits,
    /// or the stripe has too many young ones.
    #[inline(always)]
    pub(super) fn add_young(&self, held: &Held, new: &New) -> bool {
        let (memory, (stripe, words)) = (&self.memory, held.home());
        let len = DATA + Dict::value_pos(new.key.len()) + new.bytes.len();
        let units = (len.div_ceil(UNIT) as u32).max(MIN_ENTRY);
        let Some(stock) = self.stock_of(stripe, self.favourite(), units, SPARE) else {
            return false;
        };
        // Behind all others: so they stand in the order in which they were made.
        let line = stock.line;
        let is_free = |slot: usize| line.1.load32(young_at(BEFORE, slot)) == 0;
        let used = (0..YOUNG_SLOTS).rev().take_while(|&slot| is_free(slot)).count();
        let slot = YOUNG_SLOTS - used;
        if slot == YOUNG_SLOTS {
            return false;
        }
        let entry = stock.block;
        sees_changes_first();
        self.fill(entry, new, Some(new.kind));
        memory.store32(at(entry, LRU_PREV), IS_YOUNG | slot as u32);
        let bucket = self.layout.bucket_at(new.hash);
        memory.store32(at(entry, CHAIN), memory.load32(bucket));
        let version = begin_change(words);
        let mut change = Change::of_stripe(memory, words);
        change.set_near(line, stock.place, 0);
        change.set_near(line, young_at(BEFORE, slot), entry);
        change.set_near((stripe, words), COUNT, words.load32(COUNT) + 1);
        change.set(bucket, entry);
        change.commit();
        end_change(words, version);
        true
    }

    /// Puts the block of a young entry into the stock. False if it is not young, or
    /// the stock is full.
    #[inline(always)]
    pub(super) fn remove_young(
        &self,
        held: &Held,
        (entry, head): (Ref, Head),
        hash: u32,
    ) -> bool {
        let (memory, (stripe, words)) = (&self.memory, held.home());
        if !head.is_young() {
            return false;
        }
        let Some(to) = self.stock_for(stripe, entry) else { return false };
        let version = begin_change(words);
        let mut change = Change::of_stripe(memory, words);
        self.unlink_bucket(&mut change, entry, hash);
        change.set(young_at(stripe, slot_of(head)), 0);
        change.set(stock_at(stripe, to), entry);
        change.commit();
        end_change(words, version);
        true
    }

    /// Removes an entry, as remove(), and keeps its block in stock if there is
    /// room.
    pub(super) fn remove_to_stock(&self, hold: &mut Hold, entry: Ref) {
        let is_one_block =
            self.memory.load32(at(entry, NEXT)) == 0 && self.kind(entry) != kind::LIST;
        let stripe = self.layout.home(self.hash_of(entry));
        let Some(to) = self.stock_for(stripe, entry).filter(|_| is_one_block) else {
            return self.remove(hold, entry);
        };
        self.mark_uneven(self.hash_of(entry));
        let mut change = hold.change();
        self.unlink(&mut change, entry);
        change.set(stock_at(stripe, to), entry);
        change.commit();
    }

    /// Says that the stripe of a hash gets something in stock.
    pub(super) fn mark_uneven(&self, hash: u32) {
        let number = self.layout.stripe_of(hash);
        self.memory.store32(UNEVEN, 1);
        self.memory.store8(self.layout.group_at(number / GROUP), 1);
        self.memory.store8(self.layout.uneven_at(number), 1);
    }

    /// A block of so many units in the stock, or of less than `spare` more. `first`
    /// is the slot to look at first.
    #[inline(always)]
    pub(super) fn stock_of(
        &self,
        stripe: usize,
        first: usize,
        units: u32,
        spare: u32,
    ) -> Option<Stock<'_>> {
        let line = (stripe - BEFORE, self.stripe(stripe - BEFORE));
        for slot in (0..STOCK_SLOTS).map(|i| (first + i) % STOCK_SLOTS) {
            let place = stock_at(BEFORE, slot);
            let word = line.1.load64(place);
            let (block, size) = (word as Ref, (word >> 32) as u32);
            if block != 0 && size.wrapping_sub(units) < spare {
                return Some(Stock { block, size, line, place });
            }
        }
        None
    }

    /// The slot of the stock that this worker uses first, as a rule another than its
    /// neighbours do: what is in it was in the cache of the same CPU.
    #[inline(always)]
    fn favourite(&self) -> usize {
        self.me.get() as usize % STOCK_SLOTS
    }

    /// A place in the stock for a block.
    #[inline(always)]
    fn stock_for(&self, stripe: usize, block: Ref) -> Option<usize> {
        let (memory, size) = (&self.memory, units(&self.memory, block));
        let is_free = |&slot: &usize| memory.load32(stock_at(stripe, slot)) == 0;
        let slot = (0..STOCK_SLOTS)
            .map(|i| (self.favourite() + i) % STOCK_SLOTS)
            .find(is_free)
            .filter(|_| size <= self.layout.stock_max)?;
        memory.store32(stock_at(stripe, slot) + 4, size);
        Some(slot)
    }

    /// Puts the young entries of the stripe that is held into the lists.
    pub(super) fn settle(&self, hold: &mut Hold) {
        self.settle_stripe(hold, hold.home());
    }

    fn settle_stripe(&self, hold: &mut Hold, stripe: usize) {
        for slot in 0..YOUNG_SLOTS {
            let entry = self.memory.load32(young_at(stripe, slot));
            if entry == 0 {
                continue;
            }
            let mut change = hold.change();
            change.set(young_at(stripe, slot), 0);
            if self.is_flushed(entry) {
                // Used before all that live.
                link_lru_last(&mut change, entry);
            } else {
                link_lru(&mut change, entry);
            }
            let expires = self.expires(entry);
            if expires != 0 {
                link_wheel(&mut change, entry, expires);
            }
            change.commit();
        }
    }

    /// Settles all that are young, one stripe after the other.
    pub(super) fn settle_all(&self) {
        for stripe in self.uneven() {
            let mut hold = Hold::stripe_number(self, stripe);
            hold.take_global();
            self.settle(&mut hold);
        }
    }

    /// The stripes whose bytes say that there may be something to do.
    pub(super) fn uneven(&self) -> impl Iterator<Item = usize> {
        let groups = self.marked(self.layout.group_at(0), self.layout.groups());
        groups.flat_map(|group| self.uneven_of(group))
    }

    fn uneven_of(&self, group: usize) -> impl Iterator<Item = usize> {
        let first = group * GROUP;
        let bytes = self.marked(self.layout.uneven_at(first), GROUP);
        bytes.map(move |i| first + i)
    }

    /// Which of so many bytes from `at` on are not 0. Eight are looked at together, as
    /// most are; behind the last one are zeros.
    fn marked(&self, at: usize, len: usize) -> impl Iterator<Item = usize> {
        let words = (0..len).step_by(8).map(move |first| {
            let word = self.memory.load64(at + first);
            (first, word.to_ne_bytes())
        });
        words.filter(|(_, bytes)| *bytes != [0; 8]).flat_map(|(first, bytes)| {
            (0..8).filter(move |&i| bytes[i] != 0).map(move |i| first + i)
        })
    }

    /// Settles what is young and gives all stock to the heap, where nobody else
    /// holds the stripe; of some of the stripes, if there are many.
    pub(super) fn even(&self, hold: &mut Hold) -> Evened {
        let mut evened = Evened { some: false, busy: false, more: false };
        if self.memory.load32(UNEVEN) == 0 {
            return evened;
        }
        let mut done = 0;
        for group in self.marked(self.layout.group_at(0), self.layout.groups()) {
            if done >= EVENED {
                evened.more = true;
                break;
            }
            let mut busy = false;
            for number in self.uneven_of(group) {
                if self.even_stripe(hold, number) {
                    done += 1;
                } else {
                    busy = true;
                }
            }
            if !busy {
                self.memory.store8(self.layout.group_at(group), 0);
            }
            evened.busy |= busy;
        }
        evened.some = done > 0;
        if !evened.busy && !evened.more {
            self.memory.store32(UNEVEN, 0);
        }
        evened
    }

    /// Evens a stripe. False if somebody holds it.
    fn even_stripe(&self, hold: &mut Hold, number: usize) -> bool {
        let stripe = self.layout.stripe_at(number);
        if !hold.borrow_at(stripe) {
            return false;
        }
        self.settle_stripe(hold, stripe);
        for place in (0..STOCK_SLOTS).map(|slot| stock_at(stripe, slot)) {
            let mut change = hold.change();
            let block = change.get(place);
            if block != 0 {
                change.set(place, 0);
                heap::give(&mut change, block);
                change.commit();
            }
        }
        self.memory.store8(self.layout.uneven_at(number), 0);
        hold.give_back();
        true
    }

    /// The blocks of all stocks, and how many units each has. Without their locks
    /// they are what they were a moment ago.
    pub(super) fn in_stock(&self) -> impl Iterator<Item = (Ref, u32)> {
        let stripes = self.uneven().map(|i| self.layout.stripe_at(i));
        let slots = |stripe| (0..STOCK_SLOTS).map(move |slot| stock_at(stripe, slot));
        let words = stripes.flat_map(slots).map(|place| self.memory.load64(place));
        let blocks = words.map(|word| (word as Ref, (word >> 32) as u32));
        blocks.filter(|&(block, _)| block != 0)
    }
}

/// The slot of a young entry.
#[inline(always)]
pub(super) fn slot_of(head: Head) -> usize {
    (head.get(LRU_PREV) & !IS_YOUNG) as usize % YOUNG_SLOTS
}
