//! State of the one thread that runs nginx's event loop.
//!
//! A plain static instead of `thread_local!`: inside a dlopen'ed library each
//! access to thread-local storage is a function call, and these are read on
//! every API call.

use std::cell::Cell;
use std::ops::Deref;
use std::ptr;

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

/// A reference that is there while a function runs, for whatever that calls.
pub struct Scoped<T>(Cell<*const T>);

impl<T> Scoped<T> {
    /// Outside of every `enter`.
    pub const fn new() -> Self {
        Self(Cell::new(ptr::null()))
    }

    /// Runs `f`, in which `with` gives `value`; afterwards it gives nothing.
    #[inline(always)]
    pub fn enter<R>(&self, value: &T, f: impl FnOnce() -> R) -> R {
        self.0.set(value);
        let _reset = Reset(&self.0, ptr::null());
        f()
    }

    /// As enter(), within another one, whose value is there again afterwards.
    pub fn enter_nested<R>(&self, value: &T, f: impl FnOnce() -> R) -> R {
        let _reset = Reset(&self.0, self.0.replace(value));
        f()
    }

    /// Calls `f` with the value of the innermost `enter`.
    #[inline(always)]
    pub fn with<R>(&self, f: impl FnOnce(Option<&T>) -> R) -> R {
        // SAFETY: set only by enter() and enter_nested(), which outlive the call
        // to us, whose borrow of the value lasts as long, and which take it back
        // when they return or unwind.
        f(unsafe { self.0.get().as_ref() })
    }
}

/// What is there when a scope has ended.
struct Reset<'a, T>(&'a Cell<*const T>, *const T);

impl<T> Drop for Reset<'_, T> {
    fn drop(&mut self) {
        self.0.set(self.1);
    }
}

impl<T> Default for Scoped<T> {
    fn default() -> Self {
        Self::new()
    }
}
