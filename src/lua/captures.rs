//! What a regular expression has found, on its way to a table of Lua's.
//!
//! There may be any number of groups, so they are not `Values`: phase 2 of a
//! native leaves them in one place of the worker, phase 3 makes the table, its
//! strings cut from the argument that was searched.

use std::cell::RefCell;
use std::ffi::c_int;
use std::ops::Range;

use mlua::ffi as lua;
use mlua::ffi::lua_State;

use super::value;
use crate::nginx::local::Local;

/// What a call has found.
#[derive(Debug)]
pub struct Found {
    /// The groups, the whole match being the first; None: it took no part.
    pub spans: Vec<Option<Range<usize>>>,
    /// Where the next search begins.
    pub next: usize,
    /// The names end to end; for each the number of its group, and its end.
    names: Vec<u8>,
    named: Vec<(usize, usize)>,
    /// Names stand for lists of all that their groups have matched.
    lists: bool,
}

impl Found {
    const fn new() -> Found {
        Found {
            spans: Vec::new(),
            next: 0,
            names: Vec::new(),
            named: Vec::new(),
            lists: false,
        }
    }

    /// Sets the names of groups, the same ones side by side.
    pub fn set_names<'a>(
        &mut self,
        names: impl Iterator<Item = (usize, &'a [u8])>,
        lists: bool,
    ) {
        self.names.clear();
        self.named.clear();
        self.lists = lists;
        for (group, name) in names {
            self.names.extend_from_slice(name);
            self.named.push((group, self.names.len()));
        }
    }
}

/// Which of a native's arguments are the subject, and the table to be filled, if
/// it is one.
#[derive(Clone, Copy, Debug)]
pub struct Captures {
    pub subject: u8,
    pub into: u8,
}

static FOUND: Local<RefCell<Found>> = Local::new(RefCell::new(Found::new()));

/// Calls `f` with the place for what a call finds; nothing of Lua's may run in it.
pub fn with_found<R>(f: impl FnOnce(&mut Found) -> R) -> R {
    f(&mut FOUND.borrow_mut())
}

/// Frees it, when the process has done with the VM.
pub(super) fn free_buffer() {
    FOUND.replace(Found::new());
}

impl Captures {
    /// Pushes the table, the first and the last byte of the match as string.sub()
    /// counts them, and where to go on.
    ///
    /// # Safety
    /// - called as the last thing of a native whose arguments these are, the first
    ///   a string that was searched; nothing with a destructor is alive.
    pub(super) unsafe fn push(self, state: *mut lua_State) -> c_int {
        let (count, named, next, lists) = with_found(|found| {
            (found.spans.len(), found.named.len(), found.next, found.lists)
        });
        let whole = span(0).unwrap_or(0..0);
        // SAFETY: by the caller's duty. Each borrow of what was found ends before
        // Lua is called; finalizers, which might find something else, wait for the
        // end. A native has room for these few values.
        unsafe {
            value::begin_push();
            if lua::lua_type(state, self.into.into()) == lua::LUA_TTABLE {
                lua::lua_pushvalue(state, self.into.into());
            } else {
                let hint = |n: usize| n.min(c_int::MAX as usize) as c_int;
                lua::lua_createtable(state, hint(count.max(1) - 1), hint(named));
            }
            let table = lua::lua_gettop(state);
            for n in 0..count {
                self.push_group(state, n);
                lua::lua_rawseti_(state, table, n as c_int);
            }
            let mut at = 0;
            for n in 0..named {
                let group = with_found(|found| found.named[n].0);
                if !lists {
                    push_name(state, n);
                    self.push_group(state, group);
                    lua::lua_rawset(state, table);
                } else if span(group).is_some() {
                    // One list for all that have this name.
                    let first = lua::lua_gettop(state) == table || !is_same_name(n);
                    if first {
                        lua::lua_settop(state, table);
                        push_name(state, n);
                        lua::lua_createtable(state, 1, 0);
                        lua::lua_pushvalue(state, -1);
                        lua::lua_insert(state, table + 1);
                        lua::lua_rawset(state, table);
                        at = 0;
                    }
                    at += 1;
                    self.push_group(state, group);
                    lua::lua_rawseti_(state, table + 1, at);
                } else if !is_same_name(n) {
                    lua::lua_settop(state, table);
                }
            }
            lua::lua_settop(state, table);
            lua::lua_pushnumber(state, whole.start as f64 + 1.0);
            lua::lua_pushnumber(state, whole.end as f64);
            lua::lua_pushnumber(state, next as f64);
            value::end_push(state);
        }
        4
    }

    /// Pushes what group `n` has matched, or false.
    ///
    /// # Safety
    /// - as for push().
    unsafe fn push_group(self, state: *mut lua_State, n: usize) {
        // SAFETY: the argument is a string, so it is not converted; the spans were
        // found in it.
        unsafe {
            match span(n) {
                Some(span) => {
                    let mut len = 0;
                    let text = lua::lua_tolstring(state, self.subject.into(), &mut len);
                    let from = span.start.min(len);
                    let to = span.end.clamp(from, len);
                    lua::lua_pushlstring_(state, text.add(from), to - from);
                }
                None => lua::lua_pushboolean(state, 0),
            }
        }
    }
}

fn span(n: usize) -> Option<Range<usize>> {
    with_found(|found| found.spans.get(n).cloned().flatten())
}

/// Whether name `n` is that before it.
fn is_same_name(n: usize) -> bool {
    with_found(|found| {
        n > 0 && found.names[name(found, n)] == found.names[name(found, n - 1)]
    })
}

fn name(found: &Found, n: usize) -> Range<usize> {
    let from = if n == 0 { 0 } else { found.named[n - 1].1 };
    from..found.named[n].1
}

/// # Safety
/// - as for Captures::push().
unsafe fn push_name(state: *mut lua_State, n: usize) {
    let (data, len) = with_found(|found| {
        let name = &found.names[name(found, n)];
        (name.as_ptr(), name.len())
    });
    // SAFETY: the names stay as they are until something else is found.
    unsafe { lua::lua_pushlstring_(state, data.cast(), len) };
}
