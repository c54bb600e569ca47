//! The lists that entries are in, all of them linked by references: the bucket
//! of their hash, the list in order of use, the wheel of expiry times. Used
//! under the locks that guard them, by way of a `Change`.

use super::Dict;
use super::journal::{Change, Journal};
use super::layout::{
    CHAIN, COUNT, EXP_NEXT, EXP_PREV, HAND, IN_SLOT, LEVELS, LRU_HEAD, LRU_NEXT,
    LRU_PREV, LRU_TAIL, Ref, SLOTS, WHEEL, at,
};

impl Dict {
    /// Puts an entry first in its bucket.
    pub(super) fn link_bucket(&self, change: &mut Change, entry: Ref, hash: u32) {
        let bucket = self.layout.bucket_at(hash);
        change.set(at(entry, CHAIN), change.get(bucket));
        change.set(bucket, entry);
        let count = self.layout.home(hash) + COUNT;
        change.set(count, change.get(count) + 1);
    }

    #[inline(always)]
    pub(super) fn unlink_bucket<J: Journal>(
        &self,
        change: &mut Change<'_, J>,
        entry: Ref,
        hash: u32,
    ) {
        let mut link = self.layout.bucket_at(hash);
        loop {
            let next = change.get(link);
            if next == entry {
                break;
            }
            if next == 0 {
                lost();
            }
            link = at(next, CHAIN);
        }
        change.set(link, change.get(at(entry, CHAIN)));
        let count = self.layout.home(hash) + COUNT;
        change.set(count, change.get(count) - 1);
    }
}

#[cold]
fn lost() -> ! {
    panic!("an entry of a shared dictionary is in no bucket")
}

/// Makes an entry the one used last.
pub(super) fn link_lru(change: &mut Change, entry: Ref) {
    let first = change.get(LRU_HEAD);
    change.set(at(entry, LRU_PREV), 0);
    change.set(at(entry, LRU_NEXT), first);
    change.set(if first == 0 { LRU_TAIL } else { at(first, LRU_PREV) }, entry);
    change.set(LRU_HEAD, entry);
}

/// Makes it the one used first.
pub(super) fn link_lru_last(change: &mut Change, entry: Ref) {
    let last = change.get(LRU_TAIL);
    change.set(at(entry, LRU_PREV), last);
    change.set(at(entry, LRU_NEXT), 0);
    change.set(if last == 0 { LRU_HEAD } else { at(last, LRU_NEXT) }, entry);
    change.set(LRU_TAIL, entry);
}

pub(super) fn unlink_lru(change: &mut Change, entry: Ref) {
    let prev = change.get(at(entry, LRU_PREV));
    let next = change.get(at(entry, LRU_NEXT));
    change.set(if prev == 0 { LRU_HEAD } else { at(prev, LRU_NEXT) }, next);
    change.set(if next == 0 { LRU_TAIL } else { at(next, LRU_PREV) }, prev);
}

/// Puts an entry into the wheel, which has a hand: the second up to which it
/// was emptied. Slots of level 0 are seconds after it, a slot of a level is as
/// long as all of the level below.
pub(super) fn link_wheel(change: &mut Change, entry: Ref, expires: u64) {
    let hand = hand(change);
    let second = (expires / 1000).max(hand);
    let (level, tick) = (0..LEVELS)
        .map(|level| (level, second >> (5 * level)))
        .find(|&(level, tick)| tick - (hand >> (5 * level)) < SLOTS as u64)
        // Beyond the wheel: to its end, and looked at again then.
        .unwrap_or((LEVELS - 1, (hand >> (5 * (LEVELS - 1))) + SLOTS as u64 - 1));
    let slot = level * SLOTS + tick as usize % SLOTS;
    let first = change.get(WHEEL + 4 * slot);
    change.set(at(entry, EXP_PREV), IN_SLOT | slot as u32);
    change.set(at(entry, EXP_NEXT), first);
    if first != 0 {
        change.set(at(first, EXP_PREV), entry);
    }
    change.set(WHEEL + 4 * slot, entry);
}

pub(super) fn unlink_wheel(change: &mut Change, entry: Ref) {
    let prev = change.get(at(entry, EXP_PREV));
    if prev == 0 {
        return;
    }
    let next = change.get(at(entry, EXP_NEXT));
    if prev & IN_SLOT != 0 {
        change.set(WHEEL + 4 * (prev & !IN_SLOT) as usize, next);
    } else {
        change.set(at(prev, EXP_NEXT), next);
    }
    if next != 0 {
        change.set(at(next, EXP_PREV), prev);
    }
    change.set(at(entry, EXP_PREV), 0);
}

/// The second of the wheel's hand.
pub(super) fn hand(change: &Change) -> u64 {
    u64::from(change.get(HAND))
}

/// The slots that the hand is at, the coarsest first.
pub(super) fn slots_at(hand: u64) -> impl Iterator<Item = usize> {
    (0..LEVELS).rev().filter_map(move |level| {
        let tick = hand >> (5 * level);
        (tick << (5 * level) == hand).then_some(level * SLOTS + tick as usize % SLOTS)
    })
}

/// Moves the hand on, over seconds in which nothing can be.
pub(super) fn move_hand(change: &mut Change, until: u64) {
    let hand = hand(change);
    let empty = (0..SLOTS).all(|slot| change.get(WHEEL + 4 * slot) == 0);
    let next = if empty { (hand | (SLOTS as u64 - 1)) + 1 } else { hand + 1 };
    change.set(HAND, next.min(until) as u32);
}
