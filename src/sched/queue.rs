//! Queues of threads that wait to be granted something: a resource of a
//! semaphore, a value or a place in a channel.
//!
//! What is granted is counted by the Lua side, which gives each kind of thing a
//! number. A queue is here while somebody waits, and some time longer: the next
//! often comes soon. Grants go to waiters in their order, and a waiter that ends
//! before it has run passes its grant on: to the next, or, if nobody waits, into
//! `REFUNDS`, where the Lua side looks before it waits.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::ids::IdMap;
use super::thread::{Thread, Wait, Woken};
use crate::nginx::local::Local;

/// So many queues may be empty: most are needed again soon.
const SPARE: usize = 256;

/// One who waits; no more, once the thread has begun its next wait.
struct Waiter {
    thread: Rc<Thread>,
    wait_number: u64,
    /// Which of the things in its call this is.
    item: usize,
}

impl Waiter {
    fn waits(&self) -> bool {
        self.thread.wait_number() == self.wait_number
    }
}

struct Queue {
    waiters: VecDeque<Waiter>,
    /// How many of them wait.
    live: usize,
}

#[derive(Default)]
struct Queues {
    by_id: IdMap<Queue>,
    /// In how many of them nobody waits.
    empty: usize,
}

/// What waiters get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// What they wait for.
    Given,
    /// It will never come.
    Closed,
}

static QUEUES: Local<RefCell<Queues>> =
    Local::new(RefCell::new(Queues { by_id: IdMap::new(), empty: 0 }));
static REFUNDS: Local<RefCell<BTreeMap<u64, usize>>> =
    Local::new(RefCell::new(BTreeMap::new()));

/// Queues a thread, whose wait has its number by now.
#[inline(always)]
pub(super) fn join(thread: &Rc<Thread>, id: u64, item: usize) {
    let waiter =
        Waiter { thread: thread.clone(), wait_number: thread.wait_number(), item };
    let mut queues = QUEUES.borrow_mut();
    let Queues { by_id, empty } = &mut *queues;
    match by_id.get_mut(id) {
        Some(queue) => {
            if queue.live == 0 {
                *empty -= 1;
            }
            queue.live += 1;
            queue.waiters.push_back(waiter);
        }
        None => {
            by_id.insert(id, Queue { waiters: VecDeque::from([waiter]), live: 1 });
        }
    }
}

/// A thread whose wait has ended is in this queue.
pub(super) fn leave(id: u64) {
    let gone = {
        let mut queues = QUEUES.borrow_mut();
        let Some(queue) = queues.by_id.get_mut(id) else { return };
        let gone = queue.count_out();
        if queue.live == 0 {
            queues.note_empty();
        }
        gone
    };
    // Last: a thread may own anything.
    drop(gone);
}

impl Queue {
    /// One of those that wait does not any more. Takes out those that have left
    /// and still lie there, when they are many or nobody waits.
    #[inline]
    fn count_out(&mut self) -> Option<VecDeque<Waiter>> {
        self.live = self.live.saturating_sub(1);
        let unused = match self.live {
            0 => !self.waiters.is_empty() || self.waiters.capacity() >= 64,
            live => self.waiters.len() > 2 * live + 16,
        };
        unused.then(|| self.sweep())
    }

    #[cold]
    fn sweep(&mut self) -> VecDeque<Waiter> {
        let all = std::mem::take(&mut self.waiters);
        let (waiting, left) = all.into_iter().partition(Waiter::waits);
        self.waiters = waiting;
        left
    }
}

impl Queues {
    /// Nobody waits in one of the queues any more.
    #[inline]
    fn note_empty(&mut self) {
        self.empty += 1;
        if self.empty > SPARE && 2 * self.empty >= self.by_id.len() {
            self.sweep();
        }
    }

    /// Removes those in which nobody waits.
    #[cold]
    fn sweep(&mut self) {
        self.by_id.retain(|queue| queue.live > 0);
        self.empty = 0;
    }
}

/// Wakes up to `n` of the queue's threads; returns how many, and whether some
/// still wait.
pub fn unpark(id: u64, n: usize, grant: Grant) -> (usize, bool) {
    let mut woken = 0;
    while woken < n {
        let Some(waiter) = take_first(id) else { return (woken, false) };
        let given = grant == Grant::Given;
        let how = match waiter.thread.wait() {
            Wait::First => Woken::First(waiter.item, Some(id), given),
            _ => Woken::Granted(id, given),
        };
        // Its other places, too: the first that comes is what it gets.
        waiter.thread.leave_other_queues(id);
        waiter.thread.make_ready(how);
        woken += 1;
    }
    (woken, queued(id) > 0)
}

/// As unpark() of one, where there is nothing else to do, so that nothing is freed:
/// whether it was one. None: there is more to do.
#[inline(always)]
pub fn unpark_shortly(id: u64) -> Option<bool> {
    let mut queues = QUEUES.borrow_mut();
    let Queues { by_id, empty } = &mut *queues;
    let Some(queue) = by_id.get_mut(id) else { return Some(false) };
    match queue.live {
        0 => return Some(false),
        1 if queue.waiters.capacity() >= 64 || *empty >= SPARE => return None,
        live if live != queue.waiters.len() => return None,
        _ => {}
    }
    if queue.waiters.front()?.thread.wait() != Wait::Grant {
        return None;
    }
    let Waiter { thread, .. } = queue.waiters.pop_front()?;
    queue.live -= 1;
    if queue.live == 0 {
        *empty += 1;
    }
    drop(queues);
    thread.leave_grant();
    thread.into_ready(Woken::Granted(id, true));
    Some(true)
}

/// How many threads wait in the queue.
pub fn queued(id: u64) -> usize {
    QUEUES.borrow().by_id.get(id).map_or(0, |queue| queue.live)
}

/// What was granted to a thread that never saw it.
pub(super) fn pass_on(id: u64) {
    if unpark(id, 1, Grant::Given).0 == 0 {
        *REFUNDS.borrow_mut().entry(id).or_default() += 1;
    }
}

/// Takes up to `max` of the grants that were passed on to nobody.
#[inline]
pub fn refund(id: u64, max: usize) -> usize {
    if REFUNDS.borrow().is_empty() { 0 } else { take_refunds(id, max) }
}

#[cold]
fn take_refunds(id: u64, max: usize) -> usize {
    let mut refunds = REFUNDS.borrow_mut();
    let Some(left) = refunds.get_mut(&id) else { return 0 };
    let taken = max.min(*left);
    *left -= taken;
    if *left == 0 {
        refunds.remove(&id);
    }
    taken
}

/// The next queue after `id` that has such grants.
pub fn next_refund(id: u64) -> Option<u64> {
    REFUNDS.borrow().range(id + 1..).next().map(|(&id, _)| id)
}

/// How many such grants there are.
pub fn refundable(id: u64) -> usize {
    REFUNDS.borrow().get(&id).copied().unwrap_or(0)
}

/// Frees what is left, when the process has done with the VM.
pub(super) fn free() {
    drop(QUEUES.take());
    drop(REFUNDS.take());
}

/// Takes out the first that waits.
fn take_first(id: u64) -> Option<Waiter> {
    let mut queues = QUEUES.borrow_mut();
    let queue = queues.by_id.get_mut(id)?;
    let waiter = loop {
        let waiter = queue.waiters.pop_front()?;
        if waiter.waits() {
            break waiter;
        }
    };
    let gone = queue.count_out();
    if queue.live == 0 {
        queues.note_empty();
    }
    drop(queues);
    // Last: a thread may own anything.
    drop(gone);
    Some(waiter)
}
