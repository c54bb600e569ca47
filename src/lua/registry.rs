//! Lua values that Rust keeps alive.
//!
//! References in Lua's registry, not mlua handles: mlua holds at most about
//! 8,000 of those in a LuaJIT VM.

use std::ffi::c_int;

use mlua::ffi as lua;
use mlua::ffi::lua_State;

/// A value in the registry, by its number. Freed by `release`, not by drop:
/// that needs the VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ref(pub(super) c_int);

impl Ref {
    /// Pops the value on top of the stack into the registry.
    ///
    /// # Safety
    /// - `state` is live, has a value on top, and an error may be raised.
    pub(super) unsafe fn take(state: *mut lua_State) -> Ref {
        // SAFETY: by the caller's duty.
        Ref(unsafe { lua::luaL_ref(state, lua::LUA_REGISTRYINDEX) })
    }

    /// Pushes the value.
    ///
    /// # Safety
    /// - `state` is live with a free slot; the reference is not released.
    pub(super) unsafe fn push(self, state: *mut lua_State) {
        // SAFETY: reading an array slot of the registry raises nothing.
        unsafe { lua::lua_rawgeti_(state, lua::LUA_REGISTRYINDEX, self.0) }
    }

    /// Lets the value go.
    ///
    /// # Safety
    /// - `state` is live; the reference is not used again.
    pub(super) unsafe fn release(self, state: *mut lua_State) {
        // SAFETY: writes to an existing slot of the registry, which neither
        // allocates nor raises.
        unsafe { lua::luaL_unref(state, lua::LUA_REGISTRYINDEX, self.0) }
    }
}
