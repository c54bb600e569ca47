//! Finalizers (`__gc`) of scripts: while one runs nothing can wait, and at some
//! moments none may begin.

use std::cell::Cell;
use std::ffi::c_int;

use mlua::ffi as lua;
use mlua::ffi::lua_State;

use super::value;
use super::waiting::mark;
use crate::nginx::local::Local;

/// How many finalizers are running. LuaJIT runs them as it runs hooks: what a
/// C function yields there is lost, even in a coroutine of the finalizer's.
static FINALIZERS: Local<Cell<u32>> = Local::new(Cell::new(0));

/// Whether one is running.
#[inline(always)]
pub(super) fn are_running() -> bool {
    FINALIZERS.get() != 0
}

/// For the prelude: a finalizer begins (true), or has ended. True: it has to be put
/// off, and has not begun.
pub(super) unsafe extern "C-unwind" fn finalizing(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; any index may be converted.
    let begins = unsafe { lua::lua_toboolean(state, 1) != 0 };
    if begins && value::puts_off() {
        // SAFETY: called by Lua; a C function has room for a value.
        unsafe { lua::lua_pushboolean(state, 1) };
        return 1;
    }
    let n = FINALIZERS.get();
    FINALIZERS.set(if begins { n + 1 } else { n.saturating_sub(1) });
    0
}

/// For the prelude: the function that runs the finalizers that were put off.
pub(super) unsafe extern "C-unwind" fn set_run_put_off(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with a function.
    unsafe {
        lua::lua_settop(state, 1);
        lua::lua_pushlightuserdata(state, mark(3));
        lua::lua_pushvalue(state, 1);
        lua::lua_rawset(state, lua::LUA_REGISTRYINDEX);
    }
    0
}

/// Calls it.
///
/// # Safety
/// - `state` is live, has a free slot, and a Lua error may be raised in it.
/// - no value with a destructor is alive in frames that such an error would cross.
#[cold]
pub(super) unsafe fn run_put_off(state: *mut lua_State) {
    // SAFETY: by the caller's duty; the prelude has set it before any finalizer of
    // a script's could run.
    unsafe {
        lua::lua_pushlightuserdata(state, mark(3));
        lua::lua_rawget(state, lua::LUA_REGISTRYINDEX);
        lua::lua_call(state, 0, 0);
    }
}
