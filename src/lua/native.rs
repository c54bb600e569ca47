//! From a safe Rust function to a function that Lua calls.
//!
//! One generic trampoline works in three phases, because a Lua error may cross
//! neither a `catch_unwind` nor a live destructor: (1) the arguments are only
//! looked at; (2) pure safe Rust runs inside `catch_unwind` and gives an
//! `Outcome`, which owns nothing; (3) values are pushed, the coroutine yields
//! or an error is raised, with nothing left to drop.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::fmt::{self, Write};
use std::marker::PhantomData;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};

use mlua::ffi as lua;
use mlua::ffi::lua_State;

use super::captures::Captures;
use super::coroutine::Results;
use super::value::{self, Value, Values};
use crate::nginx::guard;
use crate::nginx::local::Local;
use crate::text::number::append_number;

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

/// What a native call comes to. It fits into a register.
#[derive(Debug)]
pub enum Outcome {
    /// The call returns these values.
    Return(Values),
    /// The call returns this number, and nil: what prints answer.
    Sent(u32),
    /// The call returns the number 1. Before that the table that is argument 1 gets
    /// the first of these three numbers as its item 1; the item of the table that is
    /// argument 4 whose number is the second as its item 2; and becomes the item of
    /// that table whose number is the third.
    Adopted(Values),
    /// The call returns what a regular expression has found.
    Captures(Captures),
    /// The call returns what a light thread has left.
    Results(Results),
    /// The call's work is registered with an event; the coroutine is suspended
    /// and what it is resumed with is what the call returns.
    Wait,
    /// A Lua error at the caller's line, its text set by `raise` and its like.
    Raise(Raise),
}

/// Which form the text of a raised error gets.
#[derive(Clone, Copy, Debug)]
pub enum Raise {
    /// `FILE:LINE: text`
    Plain,
    /// The same, with the position of the calling function's caller.
    Above,
    /// `FILE:LINE: bad argument #N to 'NAME' (text)`
    Argument(u8),
}

/// The text of the error being raised: phase 2 writes it, phase 3 pushes it.
static RAISED: Local<RefCell<String>> = Local::new(RefCell::new(String::new()));

impl Outcome {
    /// One value.
    #[inline]
    pub fn one(value: Value) -> Outcome {
        Outcome::Return(Values::one(value))
    }

    /// Nothing.
    pub const NONE: Outcome = Outcome::Return(Values::NONE);

    /// What prints answer that have written `n` bytes.
    #[inline]
    pub fn sent(n: usize) -> Outcome {
        match u32::try_from(n) {
            Ok(n) => Outcome::Sent(n),
            Err(_) => Outcome::Return(Values::two(Value::Number(n as f64), Value::Nil)),
        }
    }

    /// `nil, err`.
    pub fn error(err: Value) -> Outcome {
        Outcome::Return(Values::error(err))
    }

    /// Raises `text` with the caller's position in front.
    #[cold]
    pub fn raise(text: fmt::Arguments<'_>) -> Outcome {
        set_raised(text);
        Outcome::Raise(Raise::Plain)
    }

    /// What is raised has the position of the calling function's caller: for
    /// natives that only the prelude calls.
    pub fn raised_above(self) -> Outcome {
        match self {
            Outcome::Raise(Raise::Plain) => Outcome::Raise(Raise::Above),
            other => other,
        }
    }

    /// Raises a complaint about argument `n`, counted from 1.
    #[cold]
    pub fn bad_argument(n: usize, text: fmt::Arguments<'_>) -> Outcome {
        set_raised(text);
        Outcome::Raise(Raise::Argument(n as u8))
    }
}

/// Frees the text, when the process has done with the VM.
pub(super) fn free_buffer() {
    RAISED.take();
}

fn set_raised(text: fmt::Arguments<'_>) {
    let mut raised = RAISED.borrow_mut();
    raised.clear();
    // Writing to a String fails only if a Display implementation does.
    let _ = raised.write_fmt(text);
}

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
        FINALIZERS.get() == 0 && unsafe { lua_isyieldable(self.state) != 0 }
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

/// Addresses of ours that no script can make.
static MARKS: [u8; 4] = [0; 4];

fn mark(n: usize) -> *mut c_void {
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

/// How many finalizers are running. LuaJIT runs them as it runs hooks: what a
/// C function yields there is lost, even in a coroutine of the finalizer's.
static FINALIZERS: Local<Cell<u32>> = Local::new(Cell::new(0));

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

/// Slots that arguments with nested tables may need, see `append`.
const TABLE_SLOTS: c_int = 2 * super::append::MAX_DEPTH as c_int + 16;
/// For a native that appends no tables.
const NO_TABLES: c_int = 0;

/// No type of Lua's.
const UNKNOWN: c_int = -2;
/// Of how many arguments the types are kept.
const KINDS: usize = 4;

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
            let kinds = kinds.map(Cell::new);
            let call = Call { state, top, kinds, not_send: PhantomData };
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

/// Raises the text in `RAISED`.
#[cold]
pub(super) unsafe fn raise(state: *mut lua_State, how: Raise) -> c_int {
    // SAFETY: called as the last thing of a native: the state is live, and no
    // destructor is pending, as the borrow ends before the first lua_* call.
    unsafe {
        let (data, len) = {
            let text = RAISED.borrow();
            (text.as_ptr(), text.len())
        };
        match how {
            Raise::Plain | Raise::Above => {
                let level = if let Raise::Above = how { 2 } else { 1 };
                lua::luaL_where(state, level);
                lua::lua_pushlstring_(state, data.cast(), len);
                lua::lua_concat(state, 2);
                lua::lua_error(state)
            }
            Raise::Argument(n) => {
                lua::lua_pushlstring_(state, data.cast(), len);
                let text = lua::lua_tolstring(state, -1, ptr::null_mut());
                lua::luaL_argerror(state, c_int::from(n), text)
            }
        }
    }
}
