//! Byte buffers shared by all connections of a worker.
//!
//! A connection owns memory only while it holds bytes: what it reads goes
//! into the worker's scratch buffer first, and only what a script does not
//! take at once moves to a buffer of its own, which returns to a free list.

use std::cell::{RefCell, RefMut};

use crate::nginx::local::Local;

/// How much one read takes at once.
pub const SCRATCH_SIZE: usize = 16 * 1024;

/// Buffers of more than this are freed instead of kept.
pub(super) const MAX_KEPT: usize = 256 * 1024;
/// How many are kept.
const MAX_FREE: usize = 32;

static SCRATCH: Local<RefCell<Vec<u8>>> = Local::new(RefCell::new(Vec::new()));
static FREE: Local<RefCell<Vec<Vec<u8>>>> = Local::new(RefCell::new(Vec::new()));

/// The worker's scratch buffer, `SCRATCH_SIZE` long. Its bytes stay until the
/// next caller; no caller keeps it over a call into Lua.
pub fn scratch() -> RefMut<'static, Vec<u8>> {
    let mut scratch = SCRATCH.borrow_mut();
    if scratch.is_empty() {
        scratch.resize(SCRATCH_SIZE, 0);
    }
    scratch
}

/// An empty buffer that may have room already.
pub fn take() -> Vec<u8> {
    FREE.borrow_mut().pop().unwrap_or_default()
}

/// Gives a buffer back; its bytes are dropped.
pub fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > MAX_KEPT {
        return;
    }
    let mut free = FREE.borrow_mut();
    if free.len() < MAX_FREE {
        buffer.clear();
        free.push(buffer);
    }
}

/// Frees what is shared: the worker is about to exit.
pub fn free_all() {
    SCRATCH.take();
    super::tcp::free_line();
    FREE.take();
}
