//! What an operation holds, and gives back whatever becomes of it.

use super::Dict;
use super::journal::{Change, begin_in_stripe, undo, undo_in_stripe};
use super::layout::{GLOBAL, GLOBAL_RECORDS};
use super::lock::Locks;

/// The locks of one operation. Dropping it frees them; a change that was not
/// committed, because of a panic, is taken back before that.
pub(super) struct Hold<'a> {
    dict: &'a Dict,
    locks: Locks<'a>,
    home: Option<usize>,
    other: Option<usize>,
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
        let locks = dict.locks();
        locks.lock(dict.layout.stripe_at(stripe));
        let home = Some(stripe);
        Hold { dict, locks, home, other: None, global: false, changing: false }
    }

    /// Holds the global lock alone.
    pub fn global(dict: &'a Dict) -> Hold<'a> {
        let locks = dict.locks();
        locks.lock(GLOBAL);
        Hold { dict, locks, home: None, other: None, global: true, changing: false }
    }

    /// Holds the global lock, too.
    #[inline(always)]
    pub fn take_global(&mut self) {
        if !self.global {
            self.locks.lock(GLOBAL);
            self.global = true;
        }
    }

    /// Lets others have it for a while.
    pub fn pass_global(&mut self) {
        self.locks.unlock(GLOBAL);
        self.global = false;
        self.take_global();
    }

    /// A change of what the stripe guards; readers are told.
    #[inline(always)]
    pub fn change_stripe(&mut self) -> Change<'a> {
        self.begin();
        let stripe = self.home.unwrap_or_default();
        let layout = &self.dict.layout;
        begin_in_stripe(
            &self.dict.memory,
            layout.stripe_at(stripe),
            layout.stripe_journal(stripe),
        )
    }

    /// A change of what all locks guard that are held.
    #[inline(always)]
    pub fn change(&mut self) -> Change<'a> {
        self.begin();
        debug_assert!(self.global);
        let journal = self.dict.layout.global_journal();
        Change::new(&self.dict.memory, journal, GLOBAL_RECORDS)
    }

    #[inline(always)]
    fn begin(&mut self) {
        if let Some(home) = self.home
            && !self.changing
        {
            self.locks.begin_change(self.dict.layout.stripe_at(home));
            self.changing = true;
        }
    }

    /// Holds the stripe of another hash for a moment, if nobody else does.
    pub fn borrow(&mut self, hash: u32) -> bool {
        let stripe = self.dict.layout.stripe_of(hash);
        if self.home == Some(stripe) {
            return true;
        }
        let at = self.dict.layout.stripe_at(stripe);
        if !self.locks.try_lock(at) {
            return false;
        }
        self.locks.begin_change(at);
        self.other = Some(stripe);
        true
    }

    /// Gives back what was borrowed.
    pub fn give_back(&mut self) {
        if let Some(stripe) = self.other.take() {
            let at = self.dict.layout.stripe_at(stripe);
            self.locks.end_change(at);
            self.locks.unlock(at);
        }
    }
}

impl Drop for Hold<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        let (memory, layout) = (&self.dict.memory, &self.dict.layout);
        if self.global && memory.load32(layout.global_journal()) != 0 {
            undo(memory, layout.global_journal(), GLOBAL_RECORDS);
        }
        if let Some(home) = self.home
            && memory.load32(layout.stripe_journal(home)) != 0
        {
            let at = layout.stripe_at(home);
            undo_in_stripe(memory, at, layout.stripe_journal(home));
        }
        if self.other.is_some() {
            self.give_back();
        }
        if self.global {
            self.locks.unlock(GLOBAL);
        }
        if let Some(home) = self.home {
            let at = layout.stripe_at(home);
            if self.changing {
                self.locks.end_change(at);
            }
            self.locks.unlock(at);
        }
    }
}
