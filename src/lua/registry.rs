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
    /// The number, for the prelude.
    pub fn number(self) -> f64 {
        f64::from(self.0)
    }

    /// The reference with this number, which `registry_add` gave.
    pub fn from_number(n: f64) -> Ref {
        Ref(n as c_int)
    }

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

/// For the prelude: the value with this number.
pub(super) unsafe extern "C-unwind" fn registry_get(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the prelude passes numbers that it got below.
    unsafe {
        lua::lua_rawgeti_(
            state,
            lua::LUA_REGISTRYINDEX,
            lua::lua_tointeger_(state, 1) as c_int,
        )
    };
    1
}

/// For the prelude: keeps a value, returns its number.
pub(super) unsafe extern "C-unwind" fn registry_add(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with a value.
    unsafe {
        lua::lua_settop(state, 1);
        let made = Ref::take(state);
        lua::lua_pushnumber(state, made.number());
    }
    1
}

/// For the prelude: puts another value behind a number.
pub(super) unsafe extern "C-unwind" fn registry_set(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with a number it got above and a value.
    unsafe {
        lua::lua_settop(state, 2);
        lua::lua_rawseti_(
            state,
            lua::LUA_REGISTRYINDEX,
            lua::lua_tointeger_(state, 1) as c_int,
        );
    }
    0
}

/// For the prelude: lets the value behind a number go.
pub(super) unsafe extern "C-unwind" fn registry_drop(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with a number that registry_add() gave.
    unsafe { Ref(lua::lua_tointeger_(state, 1) as c_int).release(state) };
    0
}
