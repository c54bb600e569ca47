//! How a coroutine is suspended for a wait, and how that is told from a script's
//! own coroutine.yield(); and the marks on the stacks of those that ended.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;

use mlua::ffi as lua;
use mlua::ffi::lua_State;

use crate::nginx::local::Local;

/// Addresses of ours that no script can make.
static MARKS: [u8; 4] = [0; 4];

pub(super) fn mark(n: usize) -> *mut c_void {
    (&raw const MARKS[n]).cast_mut().cast()
}

/// What a waiting coroutine yields.
pub(super) fn wait_mark() -> *mut c_void {
    mark(0)
}

/// What lies on top of a dead light thread's stack.
pub(super) fn dead_mark() -> *mut c_void {
    mark(1)
}

/// What lies on top of the results of a light thread that has ended.
pub(super) fn zombie_mark() -> *mut c_void {
    mark(2)
}
/// The entry coroutine that runs now.
static ENTRY: Local<Cell<*mut lua_State>> = Local::new(Cell::new(ptr::null_mut()));
/// A native has begun to wait since the entry coroutine was resumed.
static WAITS: Local<Cell<bool>> = Local::new(Cell::new(false));

/// Notes that `entry` is about to be resumed; returns the one that runs now.
#[inline]
pub(super) fn entering(entry: *mut lua_State) -> *mut lua_State {
    WAITS.set(false);
    ENTRY.replace(entry)
}

/// Notes that `entry` runs on, after another that it had resumed.
pub(super) fn leave_nested(entry: *mut lua_State) {
    ENTRY.set(entry);
    WAITS.set(false);
}

/// Whether the entry coroutine, which has yielded, waits: else the script has
/// called coroutine.yield().
#[inline]
pub(super) fn waits() -> bool {
    WAITS.get()
}

/// The coroutine that was about to wait could not be suspended.
pub fn forget_wait() {
    WAITS.set(false);
}
/// Suspends the running coroutine: what a native returns whose work is
/// registered with an event.
///
/// # Safety
/// - called as the last thing of a native, in a coroutine that can yield.
#[inline(always)]
pub(super) unsafe fn push_wait(state: *mut lua_State) -> c_int {
    WAITS.set(true);
    // SAFETY: the caller's duty; a native has room for a value.
    unsafe {
        if std::ptr::eq(ENTRY.get(), state) {
            return lua::lua_yield(state, 0);
        }
        // A user coroutine: the prelude's resume() sees the mark.
        lua::lua_pushlightuserdata(state, wait_mark());
        lua::lua_yield(state, 1)
    }
}
