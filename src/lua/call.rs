//! A call from Lua: what a native may ask of its arguments.

use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::mem;

use mlua::ffi as lua;
use mlua::ffi::lua_State;

use super::finalizers;
use super::waiting::{dead_mark, zombie_mark};
use crate::text::number::append_number;

/// No type of Lua's.
pub(super) const UNKNOWN: c_int = -2;
/// Of how many arguments the types are kept.
pub(super) const KINDS: usize = 4;
/// The types of Lua's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    None,
    Nil,
    Boolean,
    LightUserdata,
    Number,
    String,
    Table,
    Function,
    Userdata,
    Thread,
    Cdata,
}

impl Kind {
    /// The name that Lua's `type()` gives.
    pub fn name(self) -> &'static str {
        match self {
            Kind::None => "no value",
            Kind::Nil => "nil",
            Kind::Boolean => "boolean",
            Kind::LightUserdata | Kind::Userdata => "userdata",
            Kind::Number => "number",
            Kind::String => "string",
            Kind::Table => "table",
            Kind::Function => "function",
            Kind::Thread => "thread",
            Kind::Cdata => "cdata",
        }
    }

    fn from_raw(t: c_int) -> Kind {
        match t {
            lua::LUA_TNIL => Kind::Nil,
            lua::LUA_TBOOLEAN => Kind::Boolean,
            lua::LUA_TLIGHTUSERDATA => Kind::LightUserdata,
            lua::LUA_TNUMBER => Kind::Number,
            lua::LUA_TSTRING => Kind::String,
            lua::LUA_TTABLE => Kind::Table,
            lua::LUA_TFUNCTION => Kind::Function,
            lua::LUA_TUSERDATA => Kind::Userdata,
            lua::LUA_TTHREAD => Kind::Thread,
            lua::LUA_TCDATA => Kind::Cdata,
            _ => Kind::None,
        }
    }
}

/// A place in a script.
#[derive(Debug)]
pub struct Position {
    /// The file's base name, or the name of an inline chunk.
    pub source: String,
    /// -1 where there is none, as in C functions.
    pub line: i32,
    /// The name by which a Lua function was called.
    pub name: Option<String>,
}

/// A call from Lua: its arguments, counted from 1. Nothing here raises.
pub struct Call {
    pub(super) state: *mut lua_State,
    top: c_int,
    /// The types of the first arguments, once somebody has asked for them.
    kinds: [Cell<c_int>; KINDS],
    not_send: PhantomData<*const ()>,
}

impl Call {
    /// Of a native that has `top` arguments; `kinds` are the types of the first of them,
    /// as far as they are known.
    ///
    /// # Safety
    /// - `state` runs the native, and is not touched by others while this is used.
    #[inline(always)]
    pub(super) unsafe fn new(
        state: *mut lua_State,
        top: c_int,
        kinds: [c_int; KINDS],
    ) -> Call {
        Call { state, top, kinds: kinds.map(Cell::new), not_send: PhantomData }
    }

    /// How many arguments there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.top as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.top == 0
    }

    /// The type of argument `i`.
    #[inline]
    pub fn kind(&self, i: usize) -> Kind {
        Kind::from_raw(self.raw_kind(i as c_int))
    }

    #[inline]
    fn raw_kind(&self, i: c_int) -> c_int {
        let kept = self.kinds.get(i as usize - 1);
        if let Some(kind) = kept.map(Cell::get)
            && kind != UNKNOWN
        {
            return kind;
        }
        if i > self.top {
            return lua::LUA_TNONE;
        }
        // SAFETY: any positive index may be asked for its type.
        let kind = unsafe { lua::lua_type(self.state, i) };
        if let Some(kept) = kept {
            kept.set(kind);
        }
        kind
    }

    /// The type of the value at a stack index.
    ///
    /// # Safety
    /// - `state` is live and `index` positive.
    pub(super) unsafe fn kind_at(state: *mut lua_State, index: c_int) -> Kind {
        // SAFETY: by the caller's duty.
        Kind::from_raw(unsafe { lua::lua_type(state, index) })
    }

    /// A number, or a string that reads as one.
    #[inline]
    pub fn number(&self, i: usize) -> Option<f64> {
        if i > self.len() {
            return None;
        }
        let mut is_number = 0;
        // SAFETY: any positive index may be asked for; nothing is raised, and
        // strings are converted without a new value.
        let n = unsafe { lua_tonumberx(self.state, i as c_int, &mut is_number) };
        (is_number != 0).then_some(n)
    }

    /// The number at place `n` of the table that is argument `i`.
    #[inline]
    pub fn item_number(&self, i: usize, n: i32) -> Option<f64> {
        if self.kind(i) != Kind::Table {
            return None;
        }
        // SAFETY: the argument is a table, raw access calls no metamethod, and a
        // C function has room for a value, which is taken off again.
        unsafe {
            lua::lua_rawgeti_(self.state, i as c_int, n);
            let found = (lua::lua_type(self.state, -1) == lua::LUA_TNUMBER)
                .then(|| lua::lua_tonumber(self.state, -1));
            lua::lua_settop(self.state, self.top);
            found
        }
    }

    /// Whether nothing is at place `n` of the table that is argument `i`.
    pub fn item_is_nil(&self, i: usize, n: i32) -> bool {
        if self.kind(i) != Kind::Table {
            return true;
        }
        // SAFETY: as in item_number().
        unsafe {
            lua::lua_rawgeti_(self.state, i as c_int, n);
            let is_nil = lua::lua_type(self.state, -1) == lua::LUA_TNIL;
            lua::lua_settop(self.state, self.top);
            is_nil
        }
    }

    /// As item_number(1, n), and what it found stays on the stack, below what the
    /// call returns: so it costs less, and is for a few items of a call.
    #[inline(always)]
    pub fn object_number(&self, n: i32) -> Option<f64> {
        if self.kind(1) != Kind::Table {
            return None;
        }
        let mut is_number = 0;
        // SAFETY: as in item_number(), but for the room: a C function has more
        // than the few that callers use beside their results.
        let found = unsafe {
            lua::lua_rawgeti_(self.state, 1, n);
            lua_tonumberx(self.state, -1, &mut is_number)
        };
        (is_number != 0).then_some(found)
    }

    /// A boolean.
    pub fn boolean(&self, i: usize) -> Option<bool> {
        // SAFETY: any positive index may be converted.
        (self.kind(i) == Kind::Boolean)
            .then(|| unsafe { lua::lua_toboolean(self.state, i as c_int) != 0 })
    }

    /// The bytes of a string; None for numbers, too.
    #[inline]
    pub fn bytes(&self, i: usize) -> Option<&[u8]> {
        if self.kind(i) != Kind::String {
            return None;
        }
        let mut len = 0;
        // SAFETY: the value is a string, so nothing is converted or allocated;
        // it stays on the stack, and so alive, until the call returns.
        unsafe {
            let data = lua::lua_tolstring(self.state, i as c_int, &mut len);
            Some(std::slice::from_raw_parts(data.cast(), len))
        }
    }

    /// A string, or the text of a number.
    pub fn text(&self, i: usize) -> Option<Cow<'_, [u8]>> {
        match self.kind(i) {
            Kind::String => self.bytes(i).map(Cow::Borrowed),
            Kind::Number => {
                let mut out = Vec::new();
                append_number(self.number(i)?, &mut out);
                Some(Cow::Owned(out))
            }
            _ => None,
        }
    }

    /// Whether argument `i` is `ngx.null`.
    pub fn is_null(&self, i: usize) -> bool {
        // SAFETY: any positive index may be converted.
        self.kind(i) == Kind::LightUserdata
            && unsafe { lua::lua_touserdata(self.state, i as c_int) }.is_null()
    }

    /// Whether the running coroutine can be suspended from here: not inside a
    /// C function's callback such as that of `table.sort`, nor in a `__gc`.
    pub fn can_wait(&self) -> bool {
        // SAFETY: reads the state's frame.
        !finalizers::are_running() && unsafe { lua_isyieldable(self.state) != 0 }
    }

    /// The running coroutine, to be compared with others.
    pub fn coroutine(&self) -> *const c_void {
        self.state.cast_const().cast()
    }

    /// Whether argument `i` is a function that is not written in Lua.
    pub fn is_c_function(&self, i: usize) -> bool {
        // SAFETY: any positive index may be looked at.
        unsafe { lua::lua_iscfunction(self.state, i as c_int) != 0 }
    }

    /// Argument `i` as a coroutine, to be compared with others.
    pub fn thread(&self, i: usize) -> Option<*const c_void> {
        // SAFETY: any positive index may be looked at.
        let thread = unsafe { lua::lua_tothread(self.state, i as c_int) };
        (!thread.is_null()).then(|| thread.cast_const().cast())
    }

    /// Whether argument `i` is a light thread that has ended and still has its
    /// results.
    pub fn is_zombie(&self, i: usize) -> bool {
        self.has_mark(i, zombie_mark())
    }

    /// Whether argument `i` is a light thread that has ended.
    pub fn is_ended_thread(&self, i: usize) -> bool {
        self.has_mark(i, dead_mark()) || self.has_mark(i, zombie_mark())
    }

    fn has_mark(&self, i: usize, mark: *mut c_void) -> bool {
        // SAFETY: a coroutine that is an argument is alive; one that is marked
        // does not run, and looking at the top of its stack changes nothing.
        unsafe {
            let thread = lua::lua_tothread(self.state, i as c_int);
            !thread.is_null()
                && lua::lua_gettop(thread) > 0
                && std::ptr::eq(lua::lua_touserdata(thread, -1), mark)
        }
    }

    /// Where the function `level` levels up is.
    pub fn position(&self, level: usize) -> Option<Position> {
        // SAFETY: lua_Debug is plain data; lua_getinfo with "Snl" fills what
        // is read here and allocates nothing on the Lua side.
        unsafe {
            let mut ar: lua::lua_Debug = mem::zeroed();
            if lua::lua_getstack(self.state, level as c_int, &mut ar) == 0 {
                return None;
            }
            if lua::lua_getinfo(self.state, c"Snl".as_ptr(), &mut ar) == 0 {
                return None;
            }
            let text = |p: *const std::ffi::c_char| {
                (!p.is_null())
                    .then(|| std::ffi::CStr::from_ptr(p).to_string_lossy().into_owned())
            };
            let source = text(ar.source).unwrap_or_default();
            // "@/path/name.lua" and "=process_by_lua(nginx.conf:12)" give names.
            let source = match source.strip_prefix('@') {
                Some(path) => path.rsplit('/').next().unwrap_or(path).to_owned(),
                None => match source.strip_prefix('=') {
                    Some(name) => name.to_owned(),
                    None => text(ar.short_src.as_ptr()).unwrap_or_default(),
                },
            };
            let name =
                if *ar.what == b'C' as std::ffi::c_char { None } else { text(ar.name) };
            Some(Position { source, line: ar.currentline, name })
        }
    }
}
unsafe extern "C-unwind" {
    // In LuaJIT 2.1's lua.h; mlua's bindings leave them out.
    pub(super) fn lua_isyieldable(state: *mut lua_State) -> c_int;
    fn lua_tonumberx(state: *mut lua_State, index: c_int, is: *mut c_int) -> f64;
}
