//! How much a thread may do before the others have their turn.
//!
//! One thread runs at a time, so there is one budget, for whatever is running.

use std::cell::Cell;

use crate::nginx::local::Local;

/// What a call costs, or so many bytes: they are as much work.
const CALL: u32 = 16;
const BYTES_PER_CALL: usize = 16 * 1024;
/// How much the calls of one resume may cost that complete at once, before the
/// coroutine waits for its next turn: a client that floods must not starve the
/// others.
const ALL: u32 = 64 * CALL;

static LEFT: Local<Cell<u32>> = Local::new(Cell::new(0));

/// A thread is about to be resumed.
#[inline]
pub fn begin() {
    LEFT.set(ALL);
}

/// Takes one from the budget; false when it is used up and the call that asks
/// has to wait for its turn.
#[inline]
pub fn spend() -> bool {
    spend_part(CALL)
}

/// As spend(), for a call that costs but so many sixteenths of one.
#[inline]
pub fn spend_part(sixteenths: u32) -> bool {
    let left = LEFT.get();
    LEFT.set(left.saturating_sub(sixteenths));
    left > 0
}

/// Takes from the budget for bytes.
#[inline]
pub fn spend_bytes(n: usize) {
    let calls = (n / BYTES_PER_CALL) as u32;
    if calls > 0 {
        LEFT.set(LEFT.get().saturating_sub(calls.saturating_mul(CALL)));
    }
}

/// Whether something is left.
#[inline]
pub fn is_left() -> bool {
    LEFT.get() > 0
}
