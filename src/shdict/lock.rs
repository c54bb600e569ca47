//! Locks in the zone, and what is done when the owner of one has died.
//!
//! A lock is a word with its owner. There is one for each stripe of buckets,
//! and a global one for what all entries share: the heap, the LRU list, the
//! wheel. Who holds a stripe may wait for the global lock, and who holds that
//! only tries stripes: so nobody waits in a circle.
//!
//! A worker that waits long asks whether the owner lives. If not, it takes back
//! what the owner has left half done (`journal`), and then frees all that it
//! held. It may be killed in the middle of this, too: the next begins again.

use std::sync::atomic::{Ordering, fence};
use std::thread;
use std::time::{Duration, Instant};

use super::Dict;
use super::journal::undo;
use super::layout::{GLOBAL, LOCK, RECOVERY_LOCK, VERSION};
use super::owner::{Owner, is_alive};
use crate::nginx::memory::Near;

/// How long an owner may keep a lock before somebody asks whether it lives.
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 0 } else { 2 });

/// Who spins looks at the lock after 1, 2, 4... pauses: each look takes it out
/// of the owner's cache.
const SPINS: u32 = 8;
const TURNS: u32 = 4;
const NAP: Duration = Duration::from_micros(50);

/// The first bytes of a stripe.
pub(super) type Stripe<'a> = Near<'a>;

/// From here on readers do not believe what they see of the stripe.
#[inline(always)]
pub(super) fn begin_change(stripe: Stripe) -> u64 {
    let version = stripe.load64(VERSION) | 1;
    stripe.store64(VERSION, version);
    fence(Ordering::Release);
    version
}

/// What begin_change() has said is given back.
#[inline(always)]
pub(super) fn end_change(stripe: Stripe, version: u64) {
    stripe.store64(VERSION, version.wrapping_add(1));
}

/// Before a block of the stock is written: who still reads what it had when it was an
/// entry's sees first that the stripe was changed since.
#[inline(always)]
pub(super) fn sees_changes_first() {
    fence(Ordering::Release);
}

/// As end_change(), for who may have begun; of another process, too.
pub(super) fn end_any_change(stripe: Stripe) {
    let version = stripe.load64(VERSION);
    stripe.store64(VERSION, version.wrapping_add(version & 1));
}

/// The layout has none beyond the memory.
#[cold]
fn no_stripe() -> ! {
    panic!("a stripe outside of a shared memory zone")
}

impl Dict {
    /// The stripe at `at`.
    #[inline(always)]
    pub(super) fn stripe(&self, at: usize) -> Stripe<'_> {
        self.memory.near(at).unwrap_or_else(|| no_stripe())
    }

    /// As lock(), of a stripe.
    #[inline(always)]
    pub(super) fn lock_stripe(&self, at: usize) -> Stripe<'_> {
        let stripe = self.stripe(at);
        if !stripe.swap64(LOCK, 0, self.me.get()) {
            self.wait(at, |dead| self.recover(dead));
        }
        stripe
    }

    /// Takes the lock at `at`, when its owner has released it or is dead.
    #[inline(always)]
    pub(super) fn lock(&self, at: usize) {
        if !self.try_lock(at) {
            self.wait(at, |dead| self.recover(dead));
        }
    }

    #[inline(always)]
    pub(super) fn try_lock(&self, at: usize) -> bool {
        self.memory.swap64(at, 0, self.me.get())
    }

    #[inline(always)]
    pub(super) fn unlock(&self, at: usize) {
        self.memory.store64(at, 0);
    }

    #[cold]
    fn wait(&self, at: usize, is_dead: impl Fn(Owner)) {
        let mut watched = (0, Instant::now());
        for round in 0u32.. {
            for spin in 0..SPINS {
                if self.memory.load64(at) == 0 && self.try_lock(at) {
                    return;
                }
                (0..1 << spin).for_each(|_| std::hint::spin_loop());
            }
            let owner = self.memory.load64(at);
            if owner != watched.0 {
                watched = (owner, Instant::now());
            } else if owner != 0 && watched.1.elapsed() >= PATIENCE {
                if !is_alive(owner) {
                    is_dead(owner);
                }
                watched.1 = Instant::now();
            }
            if round < TURNS {
                thread::yield_now();
            } else {
                thread::sleep(NAP);
            }
        }
    }

    /// Takes back what the dead has left half done and frees what it held.
    #[cold]
    pub(super) fn recover(&self, dead: Owner) {
        let (memory, layout) = (&self.memory, &self.layout);
        if !self.try_lock(RECOVERY_LOCK) {
            // One who dies here has only begun what is begun again below.
            self.wait(RECOVERY_LOCK, |dead| {
                memory.swap64(RECOVERY_LOCK, dead, 0);
            });
        }
        let stripes = || {
            let all = (0..layout.stripes).map(|i| layout.stripe_at(i));
            all.filter(|&at| memory.load64(at) == dead).map(|at| (at, self.stripe(at)))
        };
        if memory.load64(GLOBAL) == dead {
            undo(memory);
        }
        stripes().for_each(|stripe| self.undo_stripe(stripe));
        // All is as it was before the change: now others may look at it.
        for (_, stripe) in stripes() {
            end_any_change(stripe);
            stripe.swap64(LOCK, dead, 0);
        }
        memory.swap64(GLOBAL, dead, 0);
        self.free_area(dead);
        self.unlock(RECOVERY_LOCK);
    }
}
