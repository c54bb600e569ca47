//! Queues of threads that wait to be granted something: a resource of a
//! semaphore, a value or a place in a channel.
//!
//! What is granted is counted by the Lua side, which gives each kind of thing a
//! number. A queue is here only while somebody waits. Grants go to waiters in
//! their order, and a waiter that ends before it has run passes its grant on:
//! to the next, or, if nobody waits, into `REFUNDS`, where the Lua side looks
//! before it waits.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::ids::{self, IdMap};
use super::thread::{Thread, Wait, Woken};
use crate::nginx::local::Local;

/// How many empty queues are kept for the next that are needed.
const SPARE: usize = 64;

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

#[derive(Default)]
struct Queue {
    waiters: VecDeque<Waiter>,
    /// How many of them wait.
    live: usize,
}

#[derive(Default)]
struct Queues {
    by_id: IdMap<u64, Queue>,
    spare: Vec<Queue>,
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
    Local::new(RefCell::new(Queues { by_id: ids::map(), spare: Vec::new() }));
static REFUNDS: Local<RefCell<BTreeMap<u64, usize>>> =
    Local::new(RefCell::new(BTreeMap::new()));

/// Queues a thread, whose wait has its number by now.
pub(super) fn join(thread: &Rc<Thread>, id: u64, item: usize) {
    let mut queues = QUEUES.borrow_mut();
    let Queues { by_id, spare } = &mut *queues;
    let queue = by_id.entry(id).or_insert_with(|| spare.pop().unwrap_or_default());
    queue.live += 1;
    let wait_number = thread.wait_number();
    queue.waiters.push_back(Waiter { thread: thread.clone(), wait_number, item });
}

/// A thread whose wait has ended is in this queue.
pub(super) fn leave(id: u64) {
    let gone = {
        let mut queues = QUEUES.borrow_mut();
        let Some(queue) = queues.by_id.get_mut(&id) else { return };
        queue.live = queue.live.saturating_sub(1);
        if queue.live > 0 && queue.waiters.len() <= 2 * queue.live + 16 {
            return;
        }
        if queue.live > 0 {
            // Those that have left lie among those that have not.
            let all = std::mem::take(&mut queue.waiters);
            let (waiting, left) = all.into_iter().partition(Waiter::waits);
            queue.waiters = waiting;
            left
        } else {
            queues.remove(id)
        }
    };
    // Last: a thread may own anything.
    drop(gone);
}

impl Queues {
    /// Removes a queue in which nobody waits; returns what lies in it.
    fn remove(&mut self, id: u64) -> VecDeque<Waiter> {
        let removed = self.by_id.remove(&id);
        if self.by_id.is_empty() && self.by_id.capacity() > ids::KEPT {
            self.by_id = ids::map();
        }
        match removed {
            Some(queue)
                if queue.waiters.is_empty()
                    && queue.waiters.capacity() < 64
                    && self.spare.len() < SPARE =>
            {
                self.spare.push(queue);
                VecDeque::new()
            }
            Some(queue) => queue.waiters,
            None => VecDeque::new(),
        }
    }
}

/// Wakes up to `n` of the queue's threads; returns how many, and whether some
/// still wait.
pub fn unpark(id: u64, n: usize, grant: Grant) -> (usize, bool) {
    let mut woken = 0;
    while woken < n {
        let Some(waiter) = first(id) else { return (woken, false) };
        let given = grant == Grant::Given;
        let how = match waiter.thread.wait() {
            Wait::First => Woken::First(waiter.item, Some(id), given),
            _ => Woken::Granted(id, given),
        };
        // Its other places, too: the first that comes is what it gets.
        waiter.thread.leave_wait();
        waiter.thread.make_ready(how);
        woken += 1;
    }
    (woken, queued(id) > 0)
}

/// How many threads wait in the queue.
pub fn queued(id: u64) -> usize {
    QUEUES.borrow().by_id.get(&id).map_or(0, |queue| queue.live)
}

/// What was granted to a thread that never saw it.
pub(super) fn pass_on(id: u64) {
    if unpark(id, 1, Grant::Given).0 == 0 {
        *REFUNDS.borrow_mut().entry(id).or_default() += 1;
    }
}

/// Takes up to `max` of the grants that were passed on to nobody.
pub fn refund(id: u64, max: usize) -> usize {
    let mut refunds = REFUNDS.borrow_mut();
    if refunds.is_empty() {
        return 0;
    }
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

/// The first that waits; its thread's leave_wait() counts it out.
fn first(id: u64) -> Option<Waiter> {
    let mut queues = QUEUES.borrow_mut();
    let queue = queues.by_id.get_mut(&id)?;
    while let Some(waiter) = queue.waiters.pop_front() {
        if waiter.waits() {
            return Some(waiter);
        }
    }
    None
}
