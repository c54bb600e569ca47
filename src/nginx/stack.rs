//! Room on the C stack for Lua.
//!
//! A Lua function that calls itself through `string.gsub` and the like takes
//! some 9 KiB of C stack a level, most of it the C function's buffer. LuaJIT
//! stops at 65,500 slots of the Lua stack, which such levels reach after the
//! usual 8 MiB are used up: the process would end instead of the script.

use libc::{RLIM_INFINITY, RLIMIT_STACK, rlim_t, rlimit};

/// What the deepest recursion that LuaJIT allows takes, and half as much more.
const ENOUGH: rlim_t = 96 * 1024 * 1024;

/// Raises the soft limit of the main thread's stack, as far as the hard limit
/// lets it. The kernel looks at it when the stack grows; the memory is taken
/// only by who uses it. Processes that are forked inherit it.
pub fn make_room() {
    // SAFETY: both calls only read or write the struct.
    unsafe {
        let mut limit = rlimit { rlim_cur: 0, rlim_max: 0 };
        if libc::getrlimit(RLIMIT_STACK, &raw mut limit) != 0
            || limit.rlim_cur == RLIM_INFINITY
            || limit.rlim_cur >= ENOUGH
        {
            return;
        }
        limit.rlim_cur = ENOUGH.min(limit.rlim_max);
        libc::setrlimit(RLIMIT_STACK, &raw const limit);
    }
}
