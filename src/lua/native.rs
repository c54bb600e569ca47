//! From a safe Rust function to a function that Lua calls.
//!
//! One generic trampoline works in three phases, because a Lua error may cross
//! neither a `catch_unwind` nor a live destructor: (1) the arguments are only
//! looked at; (2) pure safe Rust runs inside `catch_unwind` and gives an
//! `Outcome`, which owns nothing; (3) values are pushed, the coroutine yields
//! or an error is raised, with nothing left to drop.

use std::ffi::c_int;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};

use mlua::ffi as lua;
use mlua::ffi::lua_State;

use super::call::{Call, KINDS, UNKNOWN};
use super::outcome::{Outcome, raise};
use super::value::Values;
use super::waiting::push_wait;
use crate::nginx::guard;

/// A row of an API table.
#[derive(Clone, Copy)]
pub struct Function {
    /// The name within its table.
    pub name: &'static str,
    /// What Lua calls.
    pub(super) entry: lua::lua_CFunction,
}

/// Makes a row from a function item or a closure that captures nothing.
pub const fn function<F>(name: &'static str, _body: F) -> Function
where
    F: Fn(&Call) -> Outcome + Copy + 'static,
{
    const { assert!(mem::size_of::<F>() == 0, "an API function captures nothing") }
    Function { name, entry: trampoline::<F, NO_TABLES> }
}

/// As function(), for one that appends tables (`Call::append`).
pub const fn table_function<F>(name: &'static str, _body: F) -> Function
where
    F: Fn(&Call) -> Outcome + Copy + 'static,
{
    const { assert!(mem::size_of::<F>() == 0, "an API function captures nothing") }
    Function { name, entry: trampoline::<F, 1> }
}

/// As table_function(), for one whose first argument is its object.
pub const fn table_method<F>(name: &'static str, _body: F) -> Function
where
    F: Fn(&Call) -> Outcome + Copy + 'static,
{
    const { assert!(mem::size_of::<F>() == 0, "an API function captures nothing") }
    Function { name, entry: trampoline::<F, 2> }
}
/// Slots that arguments with nested tables may need, see `append`.
const TABLE_SLOTS: c_int = 2 * super::append::MAX_DEPTH as c_int + 16;
/// For a native that appends no tables.
const NO_TABLES: c_int = 0;
/// `TABLES` is the first argument that may be a table to append.
unsafe extern "C-unwind" fn trampoline<F, const TABLES: c_int>(
    state: *mut lua_State,
) -> c_int
where
    F: Fn(&Call) -> Outcome + Copy + 'static,
{
    // SAFETY: Lua calls with a live state. Phase 1 and 3 hold nothing that
    // needs dropping; phase 2 calls only what cannot raise a Lua error.
    unsafe {
        let top = lua::lua_gettop(state);
        // Walking a table needs room; growing the stack can raise, so it is
        // done here.
        let mut kinds = [UNKNOWN; KINDS];
        if TABLES != NO_TABLES {
            let mut found = false;
            for i in TABLES..=top {
                let kind = lua::lua_type(state, i);
                found |= kind == lua::LUA_TTABLE;
                if let Some(kept) = kinds.get_mut(i as usize - 1) {
                    *kept = kind;
                }
            }
            if found {
                lua::luaL_checkstack(state, TABLE_SLOTS, ptr::null());
            }
        }

        let outcome = {
            // `F` is a zero-sized function item, checked in function(): any
            // aligned address holds one.
            let body: &F = NonNull::dangling().as_ref();
            let call = Call::new(state, top, kinds);
            match catch_unwind(AssertUnwindSafe(|| body(&call))) {
                Ok(outcome) => outcome,
                Err(payload) => {
                    guard::report("a native function", payload);
                    Outcome::raise(format_args!(
                        "panic in a native function, see error.log"
                    ))
                }
            }
        };

        match outcome {
            Outcome::Return(values) => values.push(state),
            Outcome::Sent(n) => {
                lua::lua_pushnumber(state, f64::from(n));
                lua::lua_pushnil(state);
                2
            }
            Outcome::Adopted(values) => adopt(state, values),
            Outcome::Captures(captures) => captures.push(state),
            Outcome::Results(results) => results.push(state),
            Outcome::Wait => push_wait(state),
            Outcome::Raise(how) => raise(state, how),
        }
    }
}

/// See `Outcome::Adopted`.
///
/// # Safety
/// - called as the last thing of a native whose arguments 1 and 4 are tables.
#[inline(always)]
unsafe fn adopt(state: *mut lua_State, values: Values) -> c_int {
    let [id, name, place] = values.numbers();
    // SAFETY: by the caller's duty; a native has room for a value more.
    unsafe {
        lua::lua_pushnumber(state, id);
        lua::lua_rawseti_(state, 1, 1);
        lua::lua_rawgeti_(state, 4, name as c_int);
        lua::lua_rawseti_(state, 1, 2);
        lua::lua_pushvalue(state, 1);
        lua::lua_rawseti_(state, 4, place as c_int);
        lua::lua_pushnumber(state, 1.0);
    }
    1
}
