//! How room is made: what is garbage goes first, then what has expired, then,
//! if that is allowed, what was used least recently.
//!
//! Reading an entry does not move it in the list; it only leaves a mark (a byte
//! beside the heap, which is always that: a reader that comes too late marks a
//! wrong entry, and does no harm). When a marked entry would be the next to go,
//! it loses the mark and counts as used last.

use super::Dict;
use super::heap;
use super::hold::Hold;
use super::journal::Change;
use super::kind;
use super::layout::{
    CHAIN, COUNT, DATA, EXP_NEXT, FREE_UNITS, GARBAGE, HAND, KEY_LEN, LRU_PREV, LRU_TAIL,
    NEXT, NODE_NEXT, Ref, SLOTS, UNIT, WHEEL, at, young_at,
};
use super::lists::{link_lru, link_wheel, move_hand, slots_at, unlink_lru, unlink_wheel};
use super::young::slot_of;

/// Steps of one search for an expired entry.
const STEPS: usize = 256;
/// How many marked entries may be spared for one that is not.
const SPARED: usize = 128;
/// Entries that may go before others have a turn of the global lock.
const TURN: usize = 128;

/// How often the owners of stripes whose stock may be wanted get a turn.
const PATIENT: usize = 64;

/// How far a store may go to make room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Evict {
    /// Only what is dead.
    Dead,
    /// Also what lives.
    Live,
}

impl Dict {
    /// Blocks for `len` bytes after `header`; the first has `least` units, and
    /// with several blocks all are garbage as long as `unless_garbage` is not
    /// called. `forced` is set when live entries went. None: no memory.
    pub(super) fn make(
        &self,
        hold: &mut Hold,
        (header, len): (usize, usize),
        least: u32,
        evict: Evict,
        forced: &mut bool,
    ) -> Option<Made> {
        let bytes = header + len;
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?.max(least);
        let layout = &self.layout;
        if units > layout.heap_end - layout.heap {
            return None;
        }
        for round in 1.. {
            if let Some(made) = self.try_make(hold, header, len, units, least) {
                return Some(made);
            }
            let evened = self.even(hold);
            let waits = if evened.more {
                true
            } else if evened.some || self.drop_one(hold, evict, forced) {
                round % TURN == 0
            } else if evened.busy && round < PATIENT {
                true
            } else {
                return None;
            };
            if waits {
                hold.pass_global();
            }
        }
        None
    }

    /// Takes the blocks if there are enough. One block is taken in a change
    /// that is still open when this returns.
    fn try_make(
        &self,
        hold: &mut Hold,
        header: usize,
        len: usize,
        units: u32,
        least: u32,
    ) -> Option<Made> {
        if self.free_units() < units {
            return None;
        }
        let mut change = hold.change();
        if let Some(block) = heap::take(&mut change, units) {
            return Some(Made { block, several: false });
        }
        change.commit();

        // Several: each after the first costs its header, too.
        let first = self.take_garbage(hold, units, least, None)?;
        let mut last = first;
        let mut rest = (header + len).saturating_sub(self.bytes_of(first));
        while rest > 0 {
            let units = (rest + 8).div_ceil(UNIT).max(2) as u32;
            let Some(block) = self.take_garbage(hold, units, 2, Some(last)) else {
                self.free_garbage(hold);
                return None;
            };
            rest = rest.saturating_sub(self.bytes_of(block) - 8);
            last = block;
        }
        Some(Made { block: first, several: true })
    }

    fn bytes_of(&self, block: Ref) -> usize {
        heap::room(super::layout::units(&self.memory, block), 0)
    }

    /// Takes a part of what is wanted, and puts it behind `last`, or first
    /// into the garbage: so it is not lost if this worker dies.
    fn take_garbage(
        &self,
        hold: &mut Hold,
        units: u32,
        least: u32,
        last: Option<Ref>,
    ) -> Option<Ref> {
        let mut change = hold.change();
        let block = heap::take_part(&mut change, units, least)?;
        match last {
            Some(last) => change.set(at(last, NEXT), block),
            None => {
                // Neither an entry nor an element: nothing but blocks.
                self.memory.store32(at(block, KEY_LEN), 0);
                change.set(at(block, CHAIN), change.get(GARBAGE));
                change.set(GARBAGE, block);
            }
        }
        change.commit();
        Some(block)
    }

    /// Lets one entry go. False if there is none that may.
    fn drop_one(&self, hold: &mut Hold, evict: Evict, forced: &mut bool) -> bool {
        if self.memory.load32(GARBAGE) != 0 {
            self.free_garbage(hold);
            return true;
        }
        let now = self.now();
        if self.drop_dead(hold, now) {
            return true;
        }
        if evict == Evict::Dead || !self.drop_oldest(hold) {
            return false;
        }
        *forced = true;
        true
    }

    /// Lets go of one that was flushed or has expired, if one is found soon.
    pub(super) fn drop_dead(&self, hold: &mut Hold, now: u64) -> bool {
        // Flushed ones were used before all others: flush_all() let no mark of
        // theirs count.
        let tail = self.memory.load32(LRU_TAIL);
        if tail != 0 && self.is_flushed(tail) && self.drop_entry(hold, tail) {
            return true;
        }
        for _ in 0..STEPS {
            match self.step_of_wheel(hold, now) {
                Step::Dropped => return true,
                Step::Moved => {}
                Step::Nothing => return false,
            }
        }
        false
    }

    /// Looks at one entry of the wheel, or moves its hand.
    fn step_of_wheel(&self, hold: &mut Hold, now: u64) -> Step {
        let second = now / 1000;
        let hand = u64::from(self.memory.load32(HAND));
        let first = |slot: usize| self.memory.load32(WHEEL + 4 * slot);
        let slot = slots_at(hand).find(|&slot| first(slot) != 0);
        let mut entry = slot.map_or(0, first);
        if entry == 0 {
            if hand >= second {
                return Step::Nothing;
            }
            let mut change = hold.change();
            move_hand(&mut change, second);
            change.commit();
            return Step::Moved;
        }
        if hand >= second && slot < Some(SLOTS) {
            // The second has not passed: some have expired, some have not.
            for _ in 0..STEPS {
                if self.expires(entry).wrapping_sub(1) < now {
                    break;
                }
                entry = self.memory.load32(at(entry, EXP_NEXT));
                if entry == 0 {
                    return Step::Nothing;
                }
            }
        }
        if !hold.borrow(self.hash_of(entry)) {
            return Step::Nothing;
        }
        let step = if self.is_live(entry, now) {
            let mut change = hold.change();
            unlink_wheel(&mut change, entry);
            let expires = self.expires(entry);
            if expires != 0 {
                link_wheel(&mut change, entry, expires);
            }
            change.commit();
            Step::Moved
        } else {
            self.remove(hold, entry);
            Step::Dropped
        };
        hold.give_back();
        step
    }

    /// Lets go of the entry that was used least recently.
    fn drop_oldest(&self, hold: &mut Hold) -> bool {
        for _ in 0..SPARED {
            let entry = self.memory.load32(LRU_TAIL);
            let touched = self.layout.touched_at(entry);
            if entry == 0 || self.is_flushed(entry) || self.memory.load8(touched) == 0 {
                break;
            }
            self.memory.store8(touched, 0);
            let mut change = hold.change();
            unlink_lru(&mut change, entry);
            link_lru(&mut change, entry);
            change.commit();
        }
        // One whose stripe somebody holds is passed over.
        let mut entry = self.memory.load32(LRU_TAIL);
        while entry != 0 {
            if self.drop_entry(hold, entry) {
                return true;
            }
            entry = self.memory.load32(at(entry, LRU_PREV));
        }
        false
    }

    fn drop_entry(&self, hold: &mut Hold, entry: Ref) -> bool {
        if !hold.borrow(self.hash_of(entry)) {
            return false;
        }
        self.remove(hold, entry);
        hold.give_back();
        true
    }

    /// Removes an entry whose stripe is held, with the global lock.
    pub(super) fn remove(&self, hold: &mut Hold, entry: Ref) {
        let mut change = hold.change();
        self.unlink(&mut change, entry);
        self.discard(&mut change, entry);
        change.commit();
        self.free_garbage(hold);
    }

    /// Takes an entry out of all lists.
    pub(super) fn unlink(&self, change: &mut Change, entry: Ref) {
        let hash = self.hash_of(entry);
        self.unlink_bucket(change, entry, hash);
        match self.head(entry) {
            Some(head) if head.is_young() => {
                change.set(young_at(self.layout.home(hash), slot_of(head)), 0);
            }
            _ => {
                unlink_lru(change, entry);
                unlink_wheel(change, entry);
            }
        }
    }

    /// Frees an entry that is in no list: at once, or as garbage if it has many
    /// blocks.
    pub(super) fn discard(&self, change: &mut Change, entry: Ref) {
        let (kind, next) = (self.kind(entry), change.get(at(entry, NEXT)));
        let is_long = kind == kind::LONG;
        if kind == kind::LIST || next != 0 && !is_long {
            change.set(at(entry, CHAIN), change.get(GARBAGE));
            change.set(GARBAGE, entry);
            return;
        }
        if next != 0 {
            heap::give(change, next);
        }
        heap::give(change, entry);
    }

    /// Frees what is in no list: what was removed and has many blocks, and what
    /// a worker that died had begun to make.
    pub(super) fn free_garbage(&self, hold: &mut Hold) {
        let mut steps = 0;
        loop {
            let block = self.memory.load32(GARBAGE);
            if block == 0 {
                return;
            }
            self.free_one(hold, block);
            steps += 1;
            if steps % TURN == 0 {
                hold.pass_global();
            }
        }
    }

    /// One block less of the first garbage.
    fn free_one(&self, hold: &mut Hold, first: Ref) {
        let mut change = hold.change();
        if let Some(place) = self.first_element_at(first)
            && change.get(place) != 0
        {
            let element = change.get(place);
            let next = change.get(at(element, NODE_NEXT));
            if !free_next(&mut change, element) {
                change.set(place, next);
                heap::give(&mut change, element);
            }
        } else if !free_next(&mut change, first) {
            change.set(GARBAGE, change.get(at(first, CHAIN)));
            heap::give(&mut change, first);
        }
        change.commit();
    }

    /// Where an entry that is a list has its first element.
    fn first_element_at(&self, block: Ref) -> Option<usize> {
        (self.kind(block) == kind::LIST).then(|| {
            let pos = Dict::value_pos(self.key_len(block));
            self.place(block, DATA, pos, 8)
        })
    }

    pub(super) fn free_units(&self) -> u32 {
        self.memory.load32(FREE_UNITS)
    }

    pub(super) fn count(&self) -> u32 {
        let stripes = (0..self.layout.stripes).map(|i| self.layout.stripe_at(i));
        stripes.map(|stripe| self.memory.load32(stripe + COUNT)).sum()
    }
}

/// Frees the block that this one goes on in. False if it does not.
fn free_next(change: &mut Change, block: Ref) -> bool {
    let next = change.get(at(block, NEXT));
    if next != 0 {
        change.set(at(block, NEXT), change.get(at(next, NEXT)));
        heap::give(change, next);
    }
    next != 0
}

enum Step {
    Dropped,
    Moved,
    Nothing,
}

/// New blocks.
pub(super) struct Made {
    pub block: Ref,
    /// They are garbage yet: else the change that took the one is open.
    pub several: bool,
}
