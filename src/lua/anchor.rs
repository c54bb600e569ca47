//! What keeps light threads alive: places in two tables of the registry.
//!
//! luaL_ref() would do, for four times the instructions: it looks for a free
//! place in the table itself. Here a worker's list has the free ones. A thread
//! that has ended may move to the table that keeps nothing alive, under the same
//! number: there one sees whether it was collected.

use std::cell::{Cell, RefCell};
use std::ffi::c_int;

use mlua::ffi as lua;
use mlua::ffi::lua_State;

use super::registry::Ref;
use crate::nginx::local::Local;

static FREE: Local<RefCell<Vec<c_int>>> = Local::new(RefCell::new(Vec::new()));
static LAST: Local<Cell<c_int>> = Local::new(Cell::new(0));

/// The two tables of a VM.
#[derive(Clone, Copy, Debug)]
pub struct Anchors {
    /// Keeps threads alive.
    pub(super) strong: Ref,
    /// Does not.
    pub(super) weak: Ref,
}

/// A thread's place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anchor {
    place: c_int,
    tables: Anchors,
}

impl Anchor {
    /// Keeps the value on top of the stack, which stays there, alive.
    ///
    /// # Safety
    /// - `state` is live, of the VM that `tables` are of, has a value on top and
    ///   two free slots, and an error may be raised in it.
    pub(super) unsafe fn new(state: *mut lua_State, tables: Anchors) -> Anchor {
        let place = FREE.borrow_mut().pop().unwrap_or_else(|| {
            LAST.set(LAST.get() + 1);
            LAST.get()
        });
        // SAFETY: the caller's duty; an error leaks the number of a place.
        unsafe {
            tables.strong.push(state);
            lua::lua_pushvalue(state, -2);
            lua::lua_rawseti_(state, -2, place);
            lua::lua_settop(state, -2);
        }
        Anchor { place, tables }
    }

    /// Lets the thread go, and the place.
    ///
    /// # Safety
    /// - `state` is live, with two free slots; the anchor is not used again.
    pub(super) unsafe fn release(self, state: *mut lua_State) {
        // SAFETY: overwriting a place that is there allocates nothing.
        unsafe { self.clear(state) };
        FREE.borrow_mut().push(self.place);
    }

    /// # Safety
    /// - `state` is live, with two free slots.
    unsafe fn clear(self, state: *mut lua_State) {
        // SAFETY: as in release().
        unsafe {
            self.tables.strong.push(state);
            lua::lua_pushnil(state);
            lua::lua_rawseti_(state, -2, self.place);
            lua::lua_settop(state, -2);
        }
    }

    /// Moves `thread`, which is here, to the weak table.
    ///
    /// # Safety
    /// - `main` is live, with two free slots, and an error may be raised in it;
    ///   `thread` has a free slot.
    pub(super) unsafe fn weaken(self, main: *mut lua_State, thread: *mut lua_State) {
        // SAFETY: the caller's duty. The first of these may need memory; if it
        // fails the thread is where it was.
        unsafe {
            self.tables.weak.push(main);
            lua::lua_pushthread(thread);
            lua::lua_xmove(thread, main, 1);
            lua::lua_rawseti_(main, -2, self.place);
            lua::lua_settop(main, -2);
            self.clear(main);
        }
    }

    /// Whether a thread in the weak table has been collected.
    ///
    /// # Safety
    /// - `main` is live, with two free slots.
    pub(super) unsafe fn is_collected(self, main: *mut lua_State) -> bool {
        // SAFETY: reads an array.
        unsafe {
            self.tables.weak.push(main);
            lua::lua_rawgeti_(main, -1, self.place);
            let gone = lua::lua_type(main, -1) == lua::LUA_TNIL;
            lua::lua_settop(main, -3);
            gone
        }
    }
}

/// Forgets all places, when the process has done with the VM.
pub(super) fn free() {
    FREE.take();
    LAST.set(0);
}
