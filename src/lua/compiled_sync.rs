//! What lua/sync.lua calls by FFI, as the functions of `compiled`: the usual case
//! of a wake-up.

use std::ffi::{c_int, c_void};

use crate::nginx::guard::guard;

/// The layer above, which knows queues by number.
pub trait Queues: 'static {
    /// Grants something to the first that waits; false: nobody does. None: nothing
    /// was done, since there is more to do.
    fn unpark(id: u64) -> Option<bool>;
}

/// 1, or 0 if nobody waits; -1: nothing was done. Calls no Lua.
extern "C" fn unpark<T: Queues>(id: i64) -> c_int {
    guard("a wake-up", -1, || T::unpark(id as u64).map_or(-1, c_int::from))
}

/// The function.
pub fn function<T: Queues>() -> *mut c_void {
    unpark::<T> as *mut c_void
}
