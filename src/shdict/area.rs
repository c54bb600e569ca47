//! Where a process saves what it is about to change under the lock of a stripe, if
//! that is more than the stripe has room for: its area. It takes one when it first
//! needs it, and keeps it. So what is saved is mostly in the cache of its CPU, and
//! stripes are small.
//!
//! The area of a process that died is free when all that it had begun is taken back
//! (`lock.rs`). There may be more processes than areas: who has none stores a value
//! as if it did not fit in place of the old one.

use std::cell::Cell;

use super::Dict;
use super::layout::AREA_OWNER;
use super::owner::{Owner, is_alive};

/// So many times a process that found no area goes without, before it looks again.
const TURNS: u32 = 10_000;

/// What a process knows of its area.
#[derive(Default)]
pub(super) struct Area {
    /// Where it is, or 0.
    at: Cell<usize>,
    /// How often to go without.
    turns: Cell<u32>,
}

impl Area {
    /// The process has forked: it is the parent's.
    pub fn forget(&self) {
        self.at.set(0);
        self.turns.set(0);
    }
}

impl Dict {
    /// The area of this process; None if all are others'.
    #[inline(always)]
    pub(super) fn area(&self) -> Option<usize> {
        match self.area.at.get() {
            0 => self.take_area(),
            at => Some(at),
        }
    }

    #[cold]
    #[inline(never)]
    fn take_area(&self) -> Option<usize> {
        let turns = self.area.turns.get();
        if turns > 0 {
            self.area.turns.set(turns - 1);
            return None;
        }
        let (memory, me) = (&self.memory, self.me.get());
        let owner = |at| memory.load64(at + AREA_OWNER);
        let take = |at: usize| memory.swap64(at + AREA_OWNER, 0, me);
        // It may have one, as the master has that opens the zone again at a reload: of
        // both it uses one at a time.
        let mut found =
            self.area_of(me).or_else(|| self.layout.areas().find(|&at| take(at)));
        if found.is_none() {
            found = self.layout.areas().find(|&at| {
                let other = owner(at);
                if other != 0 && !is_alive(other) {
                    self.recover(other);
                }
                take(at)
            });
        }
        match found {
            Some(at) => self.area.at.set(at),
            None => self.area.turns.set(TURNS),
        }
        found
    }

    /// The area of a process.
    pub(super) fn area_of(&self, owner: Owner) -> Option<usize> {
        self.layout.areas().find(|&at| self.memory.load64(at + AREA_OWNER) == owner)
    }

    /// Frees the area of a process that is dead, and has nothing half done any more.
    pub(super) fn free_area(&self, dead: Owner) {
        if let Some(at) = self.area_of(dead) {
            self.memory.swap64(at + AREA_OWNER, dead, 0);
        }
    }
}
