//! What an operation holds, and gives back whatever becomes of it.

use std::mem;

use super::Dict;
use super::journal::{Change, undo};
use super::layout::{GLOBAL, JOURNAL, LOCK};
use super::lock::{Stripe, begin_change, end_any_change};

/// No stripe.
const NONE: usize = 0;

/// The lock of a stripe alone, for what is soon done. `release` frees it; it is
/// dropped only by a panic, and then takes back what was not finished.
pub(super) struct Held<'a> {
    dict: &'a Dict,
    home: usize,
    words: Stripe<'a>,
}

impl<'a> Held<'a> {
    /// Holds the stripe of a hash.
    #[inline(always)]
    pub fn stripe(dict: &'a Dict, hash: u32) -> Held<'a> {
        let home = dict.layout.home(hash);
        Held { dict, home, words: dict.lock_stripe(home) }
    }

    /// Where the stripe is, and its words.
    #[inline(always)]
    pub fn home(&self) -> (usize, Stripe<'a>) {
        (self.home, self.words)
    }

    /// Holds it together with what else is needed.
    #[inline(always)]
    pub fn more(self) -> Hold<'a> {
        let (dict, home) = (self.dict, self.home);
        mem::forget(self);
        Hold { dict, home, other: NONE, global: false, changing: false }
    }

    #[inline(always)]
    pub fn release(self) {
        self.words.store64(LOCK, 0);
        mem::forget(self);
    }
}

impl Drop for Held<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        give_up(self.dict, self.home);
    }
}

/// Frees a stripe, without what was not finished.
#[cold]
#[inline(never)]
fn give_up(dict: &Dict, home: usize) {
    let words = dict.stripe(home);
    dict.undo_stripe((home, words));
    end_any_change(words);
    words.store64(LOCK, 0);
}

/// The locks of one operation. Dropping it frees them; a change that was not
/// committed, because of a panic, is taken back before that.
pub(super) struct Hold<'a> {
    dict: &'a Dict,
    /// Where the stripe is, and where one is that is borrowed.
    home: usize,
    other: usize,
    global: bool,
    /// The version of the home stripe is odd.
    changing: bool,
}

impl<'a> Hold<'a> {
    /// Holds the stripe of a hash.
    pub fn stripe(dict: &'a Dict, hash: u32) -> Hold<'a> {
        Hold::stripe_number(dict, dict.layout.stripe_of(hash))
    }

    pub fn stripe_number(dict: &'a Dict, stripe: usize) -> Hold<'a> {
        let home = dict.layout.stripe_at(stripe);
        dict.lock_stripe(home);
        Hold { dict, home, other: NONE, global: false, changing: false }
    }

    /// Holds the global lock alone.
    pub fn global(dict: &'a Dict) -> Hold<'a> {
        dict.lock(GLOBAL);
        Hold { dict, home: NONE, other: NONE, global: true, changing: false }
    }

    /// Holds the global lock, too.
    #[inline(always)]
    pub fn take_global(&mut self) {
        if !self.global {
            self.dict.lock(GLOBAL);
            self.global = true;
        }
    }

    /// Lets others have it for a while.
    pub fn pass_global(&mut self) {
        self.dict.unlock(GLOBAL);
        self.global = false;
        self.take_global();
    }

    /// Where the stripe is.
    pub fn home(&self) -> usize {
        self.home
    }

    /// A change of what the locks guard that are held, the global one among
    /// them.
    pub fn change(&mut self) -> Change<'a> {
        self.begin();
        debug_assert!(self.global);
        Change::new(&self.dict.memory)
    }

    /// From here on readers of the stripe wait.
    #[inline(always)]
    pub fn begin(&mut self) {
        if self.home != NONE && !self.changing {
            begin_change(self.dict.stripe(self.home));
            self.changing = true;
        }
    }

    /// Holds the stripe of another hash for a moment, if nobody else does.
    pub fn borrow(&mut self, hash: u32) -> bool {
        self.borrow_at(self.dict.layout.home(hash))
    }

    /// As borrow(), of the stripe at `stripe`.
    pub fn borrow_at(&mut self, stripe: usize) -> bool {
        if self.home == stripe {
            return true;
        }
        if !self.dict.try_lock(stripe) {
            return false;
        }
        begin_change(self.dict.stripe(stripe));
        self.other = stripe;
        true
    }

    /// Gives back what was borrowed.
    pub fn give_back(&mut self) {
        if self.other != NONE {
            end_any_change(self.dict.stripe(self.other));
            self.dict.unlock(self.other);
            self.other = NONE;
        }
    }

    fn release_global(&mut self) {
        if self.dict.memory.load32(JOURNAL) != 0 {
            undo(&self.dict.memory);
        }
        self.give_back();
        self.dict.unlock(GLOBAL);
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if self.global {
            self.release_global();
        }
        if self.home != NONE {
            let words = self.dict.stripe(self.home);
            if self.changing {
                self.dict.undo_stripe((self.home, words));
                end_any_change(words);
            }
            words.store64(LOCK, 0);
        }
    }
}
