//! Long values in a block of their own, behind that of their entry. A new value is
//! written to a block of the stripe's stock, and then the two blocks are exchanged:
//! so it is copied once. What is overwritten where it is has to be saved first,
//! because a worker that dies over it must leave the old one.
//!
//! An entry gets such a block when a long value is stored over a long one, as long
//! as much memory is free. So does the stock, when what is replaced has one. If the
//! stock has none that fits, and should not get another, the value is overwritten.

use super::entry::{Head, MORE};
use super::evict::Made;
use super::heap;
use super::hold::{Held, Hold};
use super::journal::{Change, Journal, forget_saved, save_with_head};
use super::layout::{
    BORN, DATA, EXPIRES, FLAGS, MIN_ENTRY, NEXT, Ref, SPARE, STOCK_SLOTS, UNIT,
    VALUE_LEN, VERSION, at, stock_at, units,
};
use super::lock::{Stripe, begin_change, end_change, sees_changes_first};
use super::store::New;
use super::young::Stock;
use super::{Dict, kind};
use crate::nginx::memory::Memory;

/// The least length of a value that may have a block of its own; the largest block
/// of a stock is the limit above.
pub(super) const LONG_MIN: usize = 512;

/// Such a part of the heap has to be free before a value gets one.
const PLENTY_PART: u32 = 16;

/// Of so many sets of a stripe one changes a stock that is full of other sizes.
const TURNS: u32 = 64;

/// The units of a block for a value alone.
#[inline(always)]
fn long_units(len: usize) -> u32 {
    (MORE + len).div_ceil(UNIT) as u32
}

/// It may be longer by less than this, since the lengths of values vary.
#[inline(always)]
fn spare(units: u32) -> u32 {
    (units / 16).max(SPARE)
}

/// The block of a value goes into the stock, and one from there takes its place.
#[inline(always)]
fn exchange_blocks<J: Journal>(
    change: &mut Change<J>,
    memory: &Memory,
    (entry, head): (Ref, Head),
    stock: &Stock,
) {
    let old = head.get(NEXT);
    let old_size = units(memory, old);
    change.set_near(stock.line, stock.place, old);
    change.set_field((entry, head), NEXT, stock.block);
    if old_size != stock.size {
        change.set_near(stock.line, stock.place + 4, old_size);
    }
}

impl Dict {
    /// Whether a long value can be stored in place of this one, which has a block of
    /// its own; and whether nothing but the value changes.
    #[inline(always)]
    fn takes_long(&self, head: Head, new: &New) -> Option<bool> {
        let len = new.bytes.len();
        if head.kind() != kind::LONG
            || new.kind != kind::STRING
            || len < LONG_MIN
            || head.get(BORN) != self.flushes()
        {
            return None;
        }
        let is_same = head.expires() == new.expires
            && head.get(FLAGS) == new.flags
            && head.get(VALUE_LEN) == len as u32;
        (is_same || self.wheel_allows(head, new.expires)).then_some(is_same)
    }

    /// Stores a long value by way of the stock. False if it has no block for it, or
    /// the old value had no block of its own.
    #[inline(always)]
    pub(super) fn exchange(
        &self,
        held: &Held,
        (entry, head): (Ref, Head),
        new: &New,
    ) -> bool {
        let (memory, (stripe, words)) = (&self.memory, held.home());
        let Some(is_same) = self.takes_long(head, new) else { return false };
        let wanted = long_units(new.bytes.len());
        let Some(stock) = self.stock_of(stripe, 0, wanted, spare(wanted)) else {
            return false;
        };
        // More words than the stripe can note are noted there.
        let area = if is_same { None } else { self.area() };
        if !is_same && area.is_none() {
            return false;
        }
        sees_changes_first();
        memory.write(at(stock.block, MORE), new.bytes);
        let version = begin_change(words);
        if let Some(area) = area {
            let mut change = Change::in_area(memory, words, area);
            exchange_blocks(&mut change, memory, (entry, head), &stock);
            change.set64(at(entry, EXPIRES), new.expires);
            change.set(at(entry, FLAGS), new.flags);
            change.set(at(entry, VALUE_LEN), new.bytes.len() as u32);
            change.commit();
        } else {
            let mut change = Change::of_stripe(memory, words);
            exchange_blocks(&mut change, memory, (entry, head), &stock);
            change.commit();
        }
        end_change(words, version);
        self.touch(entry);
        true
    }

    /// Stores a long value where the old one is, if it can stay there and the stock
    /// should not get a block for it.
    pub(super) fn overwrite_long(
        &self,
        held: &Held,
        (entry, head): (Ref, Head),
        new: &New,
    ) -> bool {
        if self.takes_long(head, new).is_none() {
            return false;
        }
        let (memory, stripe, value) = (&self.memory, held.home(), head.get(NEXT));
        let len = new.bytes.len();
        let wanted = long_units(len);
        if units(memory, value).wrapping_sub(wanted) >= spare(wanted)
            || self.may_stock(stripe) && self.is_plenty(wanted)
        {
            return false;
        }
        let Some(room) = self.room_with_head(stripe.1, len) else { return false };
        let version = begin_change(stripe.1);
        save_with_head(memory, room, at(entry, EXPIRES), at(value, MORE), len);
        head.set_expires(new.expires);
        head.set(FLAGS, new.flags);
        head.set(VALUE_LEN, len as u32);
        memory.write(at(value, MORE), new.bytes);
        forget_saved(stripe.1);
        end_change(stripe.1, version);
        self.touch(entry);
        true
    }

    /// Whether a long value of the stripe gets a block of its own. Without the global
    /// lock this is but likely.
    #[inline(never)]
    pub(super) fn gets_long(&self, stripe: (usize, Stripe), len: usize) -> bool {
        let wanted = long_units(len);
        wanted <= self.layout.stock_max
            && (self.stock_of(stripe.0, 0, wanted, spare(wanted)).is_some()
                || self.may_stock(stripe))
            && self.is_plenty(wanted)
    }

    /// Whether the stock of the stripe may get another block, in place of one that
    /// seems to be of no use, if need be.
    #[inline(always)]
    fn may_stock(&self, (at, words): (usize, Stripe)) -> bool {
        let is_free = |slot| self.memory.load32(stock_at(at, slot)) == 0;
        (0..STOCK_SLOTS).any(is_free) || is_turn(words.load64(VERSION))
    }

    /// Whether there is memory for a block of so many units and for others like it.
    fn is_plenty(&self, units: u32) -> bool {
        let all = self.layout.heap_end - self.layout.heap;
        self.free_units() >= all / PLENTY_PART && heap::has(&self.memory, units)
    }

    /// A block for a new entry and one for its value, if the entry that is replaced
    /// has a long one, too. They are taken in a change that is still open when this
    /// returns.
    pub(super) fn make_long(&self, hold: &mut Hold, new: &New) -> Option<Made> {
        let len = new.bytes.len();
        let stripe = (hold.home(), self.stripe(hold.home()));
        if len < LONG_MIN || new.kind != kind::STRING || !self.gets_long(stripe, len) {
            return None;
        }
        let old = self.find(new.hash, new.key);
        let is_long = old != 0
            && matches!(self.kind(old), kind::STRING | kind::LONG)
            && self.value_len(old) >= LONG_MIN
            && !self.is_flushed(old);
        if !is_long {
            return None;
        }
        let entry = DATA + Dict::value_pos(new.key.len());
        let mut change = hold.change();
        let value = heap::take(&mut change, long_units(len))?;
        let units = (entry.div_ceil(UNIT) as u32).max(MIN_ENTRY);
        let Some(block) = heap::take(&mut change, units) else {
            heap::give(&mut change, value);
            change.commit();
            return None;
        };
        change.set(at(block, NEXT), value);
        Some(Made { block, several: false })
    }

    /// Puts the block of a value into the stock of the stripe that is held, if the
    /// entry, which is about to be freed, has one for it alone.
    pub(super) fn keep_long(&self, change: &mut Change, entry: Ref) {
        if self.kind(entry) != kind::LONG {
            return;
        }
        let (hash, value) = (self.hash_of(entry), change.get(at(entry, NEXT)));
        let place = |slot| stock_at(self.layout.home(hash), slot);
        let free = (0..STOCK_SLOTS).find(|&slot| change.get(place(slot)) == 0);
        // If there is none: any.
        let place = place(free.unwrap_or(value as usize % STOCK_SLOTS));
        let other = change.get(place);
        self.mark_uneven(hash);
        change.set(place, value);
        change.set(place + 4, heap::size_of(change, value));
        change.set(at(entry, NEXT), 0);
        if other != 0 {
            heap::give(change, other);
        }
    }
}

/// One version in `TURNS`, in whichever steps it goes.
fn is_turn(version: u64) -> bool {
    let mixed = (version >> 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    (mixed as u32) < u32::MAX / TURNS
}
