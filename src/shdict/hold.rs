//! What an operation holds, and gives back whatever becomes of it.

use super::Dict;
use super::journal::{Change, put_back, undo};
use super::layout::{GLOBAL, JOURNAL, LOCK, SAVING};
use super::lock::{Stripe, begin_change, end_change};

/// No stripe.
const NONE: usize = 0;

/// The locks of one operation. Dropping it frees them; a change that was not
/// committed, because of a panic, is taken back before that.
pub(super) struct Hold<'a> {
    dict: &'a Dict,
    /// Where the stripe is, its words, and where one is that is borrowed.
    home: usize,
    words: Stripe<'a>,
    other: usize,
    global: bool,
    /// The version of the home stripe is odd.
    changing: bool,
}

impl<'a> Hold<'a> {
    /// Holds the stripe of a hash.
    #[inline(always)]
    pub fn stripe(dict: &'a Dict, hash: u32) -> Hold<'a> {
        Hold::stripe_number(dict, dict.layout.stripe_of(hash))
    }

    #[inline(always)]
    pub fn stripe_number(dict: &'a Dict, stripe: usize) -> Hold<'a> {
        let home = dict.layout.stripe_at(stripe);
        let words = dict.lock_stripe(home);
        Hold { dict, home, words, other: NONE, global: false, changing: false }
    }

    /// Holds the global lock alone.
    pub fn global(dict: &'a Dict) -> Hold<'a> {
        dict.lock(GLOBAL);
        let words = dict.stripe(GLOBAL); // of no stripe: not used
        Hold { dict, home: NONE, words, other: NONE, global: true, changing: false }
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

    /// Where the stripe is, and its words.
    #[inline(always)]
    pub fn home(&self) -> (usize, Stripe<'a>) {
        (self.home, self.words)
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
            begin_change(self.words);
            self.changing = true;
        }
    }

    /// Holds the stripe of another hash for a moment, if nobody else does.
    pub fn borrow(&mut self, hash: u32) -> bool {
        let stripe = self.dict.layout.stripe_at(self.dict.layout.stripe_of(hash));
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
            end_change(self.dict.stripe(self.other));
            self.dict.unlock(self.other);
            self.other = NONE;
        }
    }

    #[inline(never)]
    fn release_global(&mut self) {
        if self.dict.memory.load32(JOURNAL) != 0 {
            undo(&self.dict.memory);
        }
        self.give_back();
        self.dict.unlock(GLOBAL);
    }
}

impl Drop for Hold<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.global {
            self.release_global();
        }
        if self.home != NONE {
            if self.changing {
                if self.words.load(SAVING) != 0 {
                    put_back(&self.dict.memory, self.home());
                }
                end_change(self.words);
            }
            self.words.store(LOCK, 0);
        }
    }
}
