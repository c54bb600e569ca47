//! How much a thread may do before the others have their turn.
//!
//! One thread runs at a time, so there is one budget, for whatever is running.

use std::cell::Cell;

use crate::nginx::local::Local;

/// How many calls of one resume may complete at once before the coroutine
/// waits for its next turn: a client that floods must not starve the others.
const CALLS: u32 = 64;
/// How many bytes count as much as a call.
const BYTES_PER_CALL: usize = 16 * 1024;

static LEFT: Local<Cell<u32>> = Local::new(Cell::new(0));

/// A thread is about to be resumed.
#[inline]
pub fn begin() {
    LEFT.set(CALLS);
}

/// Takes one from the budget; false when it is used up and the call that asks
/// has to wait for its turn.
#[inline]
pub fn spend() -> bool {
    let left = LEFT.get();
    LEFT.set(left.saturating_sub(1));
    left > 0
}

/// Takes from the budget for bytes: many at once are as much work as many calls.
#[inline]
pub fn spend_bytes(n: usize) {
    let calls = (n / BYTES_PER_CALL) as u32;
    if calls > 0 {
        LEFT.set(LEFT.get().saturating_sub(calls));
    }
}

/// Whether something is left.
#[inline]
pub fn is_left() -> bool {
    LEFT.get() > 0
}
