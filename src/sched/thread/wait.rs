//! What a thread waits for: how it begins, and every way in which it ends.

use std::rc::Rc;

use super::{DEADLINE, NEVER, Source, Thread, Wait, Woken};
use crate::lua::{Value, Values};
use crate::nginx::Msec;
use crate::nginx::time::current_msec;
use crate::sched::turn::{self, Alarm, Key};
use crate::sched::{budget, queue};

impl Thread {
    /// Registers that it waits for something of its host's.
    #[inline(always)]
    pub fn wait_for_host(self: &Rc<Self>) {
        self.wait.set(Wait::Host);
        if self.deadline.get() != NEVER {
            self.arm_by_deadline();
        } else {
            self.leave_alarm();
        }
    }

    /// Registers that it waits for something of `source`, which runs it on when
    /// that comes.
    #[inline(always)]
    pub fn wait_for(self: &Rc<Self>, source: Rc<dyn Source>) {
        self.source.set(Some(source));
        self.wait.set(Wait::Source);
        if self.deadline.get() != NEVER {
            self.arm_by_deadline();
        } else {
            self.leave_alarm();
        }
    }

    /// Registers that it sleeps.
    #[inline(always)]
    pub fn sleep(self: &Rc<Self>, msec: Msec) {
        self.wait.set(Wait::Sleep);
        self.arm(current_msec() + msec);
    }

    /// Registers that it waits for a grant by this queue.
    #[inline(always)]
    pub fn wait_for_grant(self: &Rc<Self>, id: u64, timeout: Option<Msec>) {
        queue::join(self, id, 0);
        self.queue.set(id);
        self.wait.set(Wait::Grant);
        self.arm(end_of(timeout));
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
        self.arm(end_of(timeout));
    }

    /// Registers that it waits for the end of this light thread of its own, too:
    /// for one of those that it is called with.
    pub fn wait_for_thread(self: &Rc<Self>, thread: Rc<Thread>) {
        thread.waiter.replace(Some((self.clone(), 0)));
        self.extra().threads.borrow_mut().push(thread);
        if self.wait.replace(Wait::Threads) != Wait::Threads {
            self.arm(NEVER);
        }
    }

    /// Registers that its host is to end.
    pub fn exit(&self) {
        self.leave_alarm();
        self.host.group().set_over(true);
        self.wait.set(Wait::Exit);
    }

    /// Registers that it goes on in the next turn of the event loop.
    pub fn wait_for_turn(self: &Rc<Self>, woken: Woken) {
        self.leave_alarm();
        self.woken.set(woken);
        self.wait.set(Wait::Ready);
        turn::later(Alarm::Thread(self.clone()));
    }

    /// The wait that begins is over at `until`, or when the deadline is over.
    #[inline(always)]
    fn arm(self: &Rc<Self>, until: Msec) {
        let at = until.min(self.deadline.get());
        if at == NEVER {
            return self.leave_alarm();
        }
        self.arm_at(at);
    }

    #[inline(always)]
    fn arm_at(self: &Rc<Self>, at: Msec) {
        match self.alarm.get() {
            None => self.set_alarm(at),
            Some(key) => self.take_alarm(key, at),
        }
    }

    #[cold]
    #[inline(never)]
    fn arm_by_deadline(self: &Rc<Self>) {
        self.arm_at(self.deadline.get().max(current_msec() + 1));
    }

    /// The alarm of a wait before is this one's, if it goes off in time.
    #[inline(always)]
    fn take_alarm(self: &Rc<Self>, key: Key, at: Msec) {
        if self.until.get() != NEVER && turn::is_by(key, at) {
            // Nobody has left it.
            self.until.set(at);
        } else {
            self.change_alarm(key, at);
        }
    }

    #[inline(never)]
    fn change_alarm(self: &Rc<Self>, key: Key, at: Msec) {
        self.leave_alarm();
        if turn::take(key, at) {
            self.until.set(at);
        } else {
            turn::forget();
            turn::cancel(key);
            self.set_alarm(at);
        }
    }

    #[inline(always)]
    fn set_alarm(self: &Rc<Self>, at: Msec) {
        self.until.set(at);
        self.alarm.set(Some(turn::at(at, Alarm::Thread(self.clone()))));
    }

    /// The wait is over, or another without a time begins. Its alarm stays for the
    /// next one, if it has not gone off. A thread that goes on leaves it only if it
    /// begins such a wait: most often the next one has a time, too.
    #[inline(always)]
    pub(super) fn leave_alarm(&self) {
        if self.alarm.get().is_some() && self.until.replace(NEVER) != NEVER {
            turn::leave();
        }
    }

    /// No wait will come any more.
    pub(super) fn cancel_alarm(&self) {
        if let Some(key) = self.alarm.take() {
            if self.until.replace(NEVER) == NEVER {
                turn::forget();
            }
            turn::cancel(key);
        }
    }

    /// Its alarm is not in the wheel any more, which is dropped.
    pub(in crate::sched) fn lose_alarm(&self) {
        self.alarm.set(None);
    }

    /// Its alarm went off early: it was set for another wait.
    #[cold]
    fn on_early_alarm(self: &Rc<Self>) {
        match self.until.get() {
            NEVER => turn::forget(),
            until => self.set_alarm(until),
        }
    }

    /// Its alarm went off: the timeout of the wait, or the deadline, may be over.
    #[inline(always)]
    pub(in crate::sched) fn on_alarm(self: &Rc<Self>) {
        self.alarm.set(None);
        let now = current_msec();
        if self.until.get() > now {
            return self.on_early_alarm();
        }
        if self.deadline.get() <= now {
            return self.end_wait_by_deadline();
        }
        match self.wait.get() {
            Wait::Sleep => self.host.clone().wake(self, Woken::Nothing),
            Wait::Grant | Wait::First => self.end_wait(Woken::Failed("timeout")),
            _ => {}
        }
    }

    #[cold]
    fn end_wait(self: &Rc<Self>, woken: Woken) {
        self.leave_wait();
        self.host.clone().wake(self, woken);
    }

    #[cold]
    fn end_wait_by_deadline(self: &Rc<Self>) {
        match self.wait.get() {
            // Its wait is over already.
            Wait::Ready | Wait::Nothing => return,
            Wait::Host => return self.host.clone().interrupt(self),
            Wait::Source => {
                if let Some(source) = self.source.take() {
                    source.clone().interrupt(self);
                }
                return;
            }
            _ => {}
        }
        self.end_wait(Woken::Failed(DEADLINE));
    }

    /// Makes it run soon; it has left what it waited for.
    #[inline(always)]
    pub(in crate::sched) fn make_ready(self: &Rc<Self>, woken: Woken) {
        self.clone().into_ready(woken);
    }

    /// As make_ready(), by whoever has no other use for it.
    #[inline(always)]
    pub(in crate::sched) fn into_ready(self: Rc<Self>, woken: Woken) {
        let nothing = self.woken.replace(woken);
        // It was taken when the thread last ran: there is nothing to drop.
        std::mem::forget(nothing);
        self.wait.set(Wait::Ready);
        turn::soon(self);
    }

    /// Its turn has come. It may have been killed meanwhile.
    #[inline(always)]
    pub(in crate::sched) fn take_turn(self: &Rc<Self>) {
        if self.wait.get() == Wait::Ready {
            let woken = self.woken.take();
            self.host.clone().wake(self, woken);
        }
    }

    /// Ends its wait: its call returns `nil, err`, soon.
    pub fn fail_soon(self: &Rc<Self>, err: &'static str) {
        self.wake_soon(Woken::Failed(err));
    }

    /// Ends its wait, soon.
    pub fn wake_soon(self: &Rc<Self>, woken: Woken) {
        self.leave_wait();
        self.make_ready(woken);
    }

    /// Registers one more thing that it waits for, before wait_for_first().
    pub fn waits_too(&self, source: Rc<dyn Source>) {
        self.extra().sources.borrow_mut().push(source);
    }

    /// One of the several things that it waits for has come.
    pub fn grant_first(self: &Rc<Self>, item: usize) {
        self.grant_first_soon(item);
        turn::run();
    }

    /// As grant_first(), below whatever runs now.
    pub fn grant_first_soon(self: &Rc<Self>, item: usize) {
        self.leave_wait();
        self.make_ready(Woken::First(item, None, true));
    }

    /// Takes back whatever it waits for.
    #[inline]
    pub fn leave_wait(&self) {
        let wait = self.wait.replace(Wait::Nothing);
        if wait != Wait::Nothing {
            self.leave(wait);
        }
    }

    /// The same, after the queue with this number has let it go.
    #[inline]
    pub(in crate::sched) fn leave_other_queues(&self, id: u64) {
        let wait = self.wait.replace(Wait::Nothing);
        if wait == Wait::Grant {
            return self.leave_grant();
        }
        let mut queues = self.extra().queues.borrow_mut();
        if let Some(place) = queues.iter().position(|&queue| queue == id) {
            queues.swap_remove(place);
        }
        drop(queues);
        self.leave(wait);
    }

    /// The queue that it waits in has let it go.
    #[inline(always)]
    pub(in crate::sched) fn leave_grant(&self) {
        self.wait_number.set(self.wait_number.get() + 1);
    }

    fn leave(&self, wait: Wait) {
        self.leave_alarm();
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
        Some(self.deadline.get()).filter(|&at| at != NEVER)
    }

    pub fn set_deadline(&self, deadline: Option<Msec>) {
        self.deadline.set(deadline.unwrap_or(NEVER));
    }

    /// Whether the deadline is over.
    #[inline(always)]
    pub fn is_past_deadline(&self) -> bool {
        self.deadline.get() <= current_msec()
    }

    /// Whether a call that would have to wait fails at once, as the deadline is over.
    /// A loop of such calls must not keep the others from their turns: now and then
    /// one of them waits, for a millisecond.
    #[inline(always)]
    pub fn gives_up(&self) -> bool {
        self.is_past_deadline() && budget::spend()
    }

    /// For a call that begins what cannot be begun for a millisecond: what it returns
    /// if the deadline is over, or None if it returns that in the thread's next turn.
    #[inline(always)]
    pub fn check_deadline(self: &Rc<Self>) -> Result<(), Option<Values>> {
        if self.is_past_deadline() { Err(self.give_up()) } else { Ok(()) }
    }

    #[cold]
    fn give_up(self: &Rc<Self>) -> Option<Values> {
        if self.gives_up() {
            return Some(Values::error(Value::Str(DEADLINE)));
        }
        self.wait_for_turn(Woken::Failed(DEADLINE));
        None
    }
}

fn end_of(timeout: Option<Msec>) -> Msec {
    timeout.map_or(NEVER, |msec| current_msec() + msec)
}
