//! The end of a thread: what is left for its parent, and who keeps that.

use std::rc::{Rc, Weak};

use super::{Ended, HANDLES, MIN_SWEEP, Thread, Wait, Woken};
use crate::lua::{Coroutine, Failure, Results};
use crate::sched::group::take_from;

impl Thread {
    #[cold]
    pub(super) fn fail(self: &Rc<Self>, failure: &Failure) {
        let who: &[u8] = if self.is_entry() { b"entry" } else { b"user" };
        let line = [
            b"lua ",
            who,
            b" thread aborted: ",
            failure.kind.as_bytes(),
            b": ",
            &failure.text,
        ]
        .concat();
        self.host.log_error(&line);
        if self.is_entry() {
            self.host.group().set_over(true);
        }
        self.end(false);
    }

    pub(super) fn end(self: &Rc<Self>, well: bool) {
        if self.ended.get() == Ended::Dead {
            // Killed by the __tostring of the very error that it dies of.
            return drop(self.retire());
        }
        // A script that ends itself may have left a wait behind.
        self.leave_wait();
        self.cancel_alarm();
        self.host.group().remove(self);
        self.bury_zombies();
        let parent = self.parent.as_ref().and_then(Weak::upgrade);
        let Some(parent) = parent.filter(|parent| parent.ended.get() == Ended::No) else {
            // Nobody can ask.
            return self.discard();
        };
        self.ended.set(Ended::Zombie(well));
        let count = {
            let mut zombies = parent.extra().zombies.borrow_mut();
            self.set_place(zombies.len());
            zombies.push(self.clone());
            zombies.len()
        };
        let waiter = self.waiter.take();
        if let Some((waiter, number)) = waiter {
            let woken = match waiter.wait.get() {
                Wait::First => Woken::First(number, None, true),
                _ => Woken::Ended(self.clone()),
            };
            waiter.leave_wait();
            waiter.make_ready(woken);
        } else if count >= MIN_SWEEP {
            parent.keep_fewer(self, count);
        }
    }

    /// `child` has ended and is one of many that nobody has asked for: it is let
    /// go of at once. Were that left to the sweep, garbage would be taken for
    /// what is in use, put off its collection and so the next sweep.
    #[cold]
    fn keep_fewer(&self, child: &Thread, count: usize) {
        child.with_coroutine(Coroutine::let_go);
        if count >= self.extra().sweep_at.get() {
            self.sweep_zombies();
        }
    }

    /// Forgets the ended children that were collected: nobody can ask for them.
    /// The others are let go of.
    #[cold]
    fn sweep_zombies(&self) {
        let extra = self.extra();
        let all = extra.zombies.take();
        let (gone, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|zombie| {
            zombie.with_coroutine(|coroutine| {
                if !coroutine.is_let_go() {
                    coroutine.let_go();
                }
                coroutine.is_collected()
            }) != Some(false)
        });
        for (place, zombie) in kept.iter().enumerate() {
            zombie.set_place(place);
        }
        extra.sweep_at.set(MIN_SWEEP.max(2 * kept.len()));
        extra.zombies.replace(kept);
        for zombie in gone {
            zombie.discard();
        }
    }

    /// Its coroutine is somebody else's now.
    pub(super) fn forget(self: &Rc<Self>) {
        let parent = self.parent.as_ref().and_then(Weak::upgrade);
        if let Some(parent) = parent {
            take_from(&mut parent.extra().zombies.borrow_mut(), self);
        }
        self.ended.set(Ended::Dead);
        self.coroutine.take();
    }

    /// Its children that have ended can be asked by nobody any more.
    pub(super) fn bury_zombies(&self) {
        if let Some(extra) = self.extra.get() {
            for zombie in extra.zombies.take() {
                zombie.discard();
            }
        }
    }

    /// What a light thread that has ended returns; it is dead then.
    pub fn take_results(self: &Rc<Self>) -> Option<Results> {
        let Ended::Zombie(well) = self.ended.get() else { return None };
        self.retire()?.into_results(well)
    }

    /// Ends it, whatever it waits for: nobody asks for its results.
    pub fn kill(self: &Rc<Self>) {
        if self.ended.get() == Ended::No {
            self.leave_wait();
            self.cancel_alarm();
            self.host.group().remove(self);
            self.bury_zombies();
        }
        drop(self.retire());
    }

    /// Takes it off every list; gives its coroutine.
    fn retire(self: &Rc<Self>) -> Option<Coroutine> {
        if let Ended::Zombie(_) = self.ended.get()
            && let Some(parent) = self.parent.as_ref().and_then(Weak::upgrade)
        {
            take_from(&mut parent.extra().zombies.borrow_mut(), self);
        }
        self.ended.set(Ended::Dead);
        // One that panicked its way out may still be borrowed.
        let coroutine = self.coroutine.try_borrow_mut().ok().and_then(|mut c| c.take());
        if !self.is_entry()
            && let Some(coroutine) = &coroutine
        {
            let address = coroutine.identity().addr() as u64;
            let mut handles = HANDLES.borrow_mut();
            // Its memory may be another's by now.
            if handles.get(address).is_some_and(|found| Rc::ptr_eq(found, self)) {
                let own = handles.remove(address);
                drop(handles);
                drop(own);
            }
        }
        coroutine
    }

    /// Ends it with its host, or after its parent.
    pub(in crate::sched) fn discard(self: &Rc<Self>) {
        if self.ended.get() == Ended::Dead {
            return;
        }
        self.leave_wait();
        self.cancel_alarm();
        self.waiter.take();
        self.bury_zombies();
        drop(self.retire());
    }
}
