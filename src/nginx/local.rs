//! State of the one thread that runs nginx's event loop.
//!
//! A plain static instead of `thread_local!`: inside a dlopen'ed library each
//! access to thread-local storage is a function call, and these are read on
//! every API call.

use std::ops::Deref;

/// A static that only the event loop's thread touches.
pub struct Local<T>(T);

impl<T> Local<T> {
    /// Wraps a value whose users all run on the event loop's thread.
    pub const fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for Local<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

// SAFETY: nginx calls modules from its main thread alone; its thread pools run
// only tasks that a module hands to them, and this module hands them none. The
// unit tests of the crate use no `Local`.
unsafe impl<T> Sync for Local<T> {}
