//! What a thread waits for: how it begins, and every way in which it ends.

use std::rc::Rc;

use super::{DEADLINE, Source, Thread, Wait, Woken};
use crate::nginx::Msec;
use crate::nginx::time::current_msec;
use crate::sched::queue;
use crate::sched::turn::{self, Alarm};

impl Thread {
    /// Registers that it waits for something of its host's.
    #[inline(always)]
    pub fn wait_for_host(self: &Rc<Self>) {
        self.wait.set(Wait::Host);
        if let Some(deadline) = self.deadline.get() {
            self.set_alarm(deadline);
        }
    }

    /// Registers that it waits for something of `source`, which runs it on when
    /// that comes.
    #[inline(always)]
    pub fn wait_for(self: &Rc<Self>, source: Rc<dyn Source>) {
        self.source.set(Some(source));
        self.wait.set(Wait::Source);
        if let Some(deadline) = self.deadline.get() {
            self.set_alarm(deadline);
        }
    }

    /// Registers that it sleeps.
    #[inline(always)]
    pub fn sleep(self: &Rc<Self>, msec: Msec) {
        self.wait.set(Wait::Sleep);
        self.arm(Some(msec));
    }

    /// Registers that it waits for a grant by this queue.
    #[inline]
    pub fn wait_for_grant(self: &Rc<Self>, id: u64, timeout: Option<Msec>) {
        queue::join(self, id, 0);
        self.queue.set(id);
        self.wait.set(Wait::Grant);
        self.arm(timeout);
    }

    /// Registers that it waits for a grant by one of `queues`, or for the end of
    /// one of `threads`. Each comes with its number in the call.
    pub fn wait_for_first(
        self: &Rc<Self>,
        queues: &[(u64, usize)],
        threads: &[(Rc<Thread>, usize)],
        timeout: Option<Msec>,
    ) {
        let extra = self.extra();
        for &(id, item) in queues {
            queue::join(self, id, item);
            extra.queues.borrow_mut().push(id);
        }
        for (thread, item) in threads {
            thread.waiter.replace(Some((self.clone(), *item)));
            extra.threads.borrow_mut().push(thread.clone());
        }
        self.wait.set(Wait::First);
        self.arm(timeout);
    }

    /// Registers that it waits for the end of this light thread of its own, too:
    /// for one of those that it is called with.
    pub fn wait_for_thread(self: &Rc<Self>, thread: Rc<Thread>) {
        thread.waiter.replace(Some((self.clone(), 0)));
        self.extra().threads.borrow_mut().push(thread);
        if self.wait.replace(Wait::Threads) != Wait::Threads {
            self.arm(None);
        }
    }

    /// Registers that its host is to end.
    pub fn exit(&self) {
        self.host.group().set_over(true);
        self.wait.set(Wait::Exit);
    }

    /// Registers that it goes on in the next turn of the event loop.
    pub fn wait_for_turn(self: &Rc<Self>, woken: Woken) {
        self.woken.set(woken);
        self.wait.set(Wait::Ready);
        turn::later(Alarm::Thread(self.clone()));
    }

    #[inline(always)]
    fn arm(self: &Rc<Self>, timeout: Option<Msec>) {
        match (timeout.map(|msec| current_msec() + msec), self.deadline.get()) {
            (None, None) => {}
            (Some(at), None) | (None, Some(at)) => self.set_alarm(at),
            (Some(until), Some(deadline)) => self.set_alarm(until.min(deadline)),
        }
    }

    #[inline(always)]
    fn set_alarm(self: &Rc<Self>, at: Msec) {
        self.alarm.set(Some(turn::at(at, Alarm::Thread(self.clone()))));
    }

    #[inline(always)]
    pub(super) fn cancel_alarm(&self) {
        if let Some(key) = self.alarm.take() {
            turn::cancel(key);
        }
    }

    /// Its alarm went off: the timeout of the wait, or the deadline, is over.
    #[inline]
    pub(in crate::sched) fn on_alarm(self: &Rc<Self>) {
        self.alarm.set(None);
        if self.is_past_deadline() {
            return self.end_wait_by_deadline();
        }
        let woken = match self.wait.get() {
            Wait::Sleep => Woken::Nothing,
            Wait::Grant | Wait::First => {
                self.leave_wait();
                Woken::Failed("timeout")
            }
            _ => return,
        };
        self.host.clone().wake(self, woken);
    }

    #[cold]
    fn end_wait_by_deadline(self: &Rc<Self>) {
        match self.wait.get() {
            Wait::Host => return self.host.clone().interrupt(self),
            Wait::Source => {
                if let Some(source) = self.source.take() {
                    source.clone().interrupt(self);
                }
                return;
            }
            _ => {}
        }
        self.leave_wait();
        self.host.clone().wake(self, Woken::Failed(DEADLINE));
    }

    /// Makes it run soon; it has left what it waited for.
    pub(in crate::sched) fn make_ready(self: &Rc<Self>, woken: Woken) {
        self.woken.set(woken);
        self.wait.set(Wait::Ready);
        turn::soon(self.clone());
    }

    /// Its turn has come. It may have been killed meanwhile.
    pub(in crate::sched) fn take_turn(self: &Rc<Self>) {
        if self.wait.get() == Wait::Ready {
            let woken = self.woken.take();
            self.host.clone().wake(self, woken);
        }
    }

    /// Ends its wait: its call returns `nil, err`, soon.
    pub fn fail_soon(self: &Rc<Self>, err: &'static str) {
        self.leave_wait();
        self.make_ready(Woken::Failed(err));
    }

    /// Registers one more thing that it waits for, before wait_for_first().
    pub fn waits_too(&self, source: Rc<dyn Source>) {
        self.extra().sources.borrow_mut().push(source);
    }

    /// One of the several things that it waits for has come.
    pub fn grant_first(self: &Rc<Self>, item: usize) {
        self.leave_wait();
        self.make_ready(Woken::First(item, None, true));
        turn::run();
    }

    /// Takes back whatever it waits for.
    #[inline]
    pub fn leave_wait(&self) {
        let wait = self.wait.replace(Wait::Nothing);
        if wait != Wait::Nothing {
            self.leave(wait);
        }
    }

    fn leave(&self, wait: Wait) {
        self.cancel_alarm();
        match wait {
            Wait::Nothing | Wait::Sleep | Wait::Exit => {}
            Wait::Host => self.host.release(self),
            Wait::Source => {
                if let Some(source) = self.source.take() {
                    source.release(self);
                }
            }
            Wait::Grant => {
                self.wait_number.set(self.wait_number.get() + 1);
                queue::leave(self.queue.get());
            }
            Wait::First | Wait::Threads => {
                self.wait_number.set(self.wait_number.get() + 1);
                let extra = self.extra();
                extra.queues.borrow_mut().drain(..).for_each(queue::leave);
                for thread in extra.threads.borrow_mut().drain(..) {
                    thread.waiter.take();
                }
                for source in extra.sources.take() {
                    source.release(self);
                }
            }
            Wait::Ready => match self.woken.take() {
                // What it was granted and has not seen goes to the next.
                Woken::Granted(id, true) | Woken::First(_, Some(id), true) => {
                    queue::pass_on(id);
                }
                _ => {}
            },
        }
    }

    /// Takes back a wait that could not be begun: the coroutine goes on.
    pub fn abandon_wait(&self) {
        if self.wait.get() == Wait::Exit {
            self.host.group().set_over(false);
        }
        self.leave_wait();
    }

    // Deadlines.

    /// The time at which every wait ends.
    pub fn deadline(&self) -> Option<Msec> {
        self.deadline.get()
    }

    pub fn set_deadline(&self, deadline: Option<Msec>) {
        self.deadline.set(deadline);
    }

    /// Whether a call that would have to wait fails at once.
    #[inline(always)]
    pub fn is_past_deadline(&self) -> bool {
        self.deadline
            .get()
            .is_some_and(|at| at.wrapping_sub(current_msec()) as isize <= 0)
    }
}
