//! The VM: one per worker, made while the configuration loads.
//!
//! mlua makes it and does what is cold (registering, loading the prelude);
//! what happens per connection goes through the raw C API.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use mlua::ffi as lua;
use mlua::ffi::lua_State;
use mlua::{Lua, Table};

use super::anchor::Anchors;
use super::call::lua_isyieldable;
use super::collector::Collector;
use super::finalizers::{finalizing, set_run_put_off};
use super::library;
use super::native::Function;
use super::registry::{self, Ref};
use super::waiting::wait_mark;
use crate::nginx::log::{Level, Log};
use crate::nginx::symbol::lookup;

const PRELUDE: &str = include_str!("../../lua/prelude.lua");
const SYNC: &str = include_str!("../../lua/sync.lua");
const HTTP_REPLY: &str = include_str!("../../lua/http_reply.lua");
const SOCKET: &str = include_str!("../../lua/socket.lua");
const SSL: &str = include_str!("../../lua/ssl.lua");
const CLIENT_SSL: &str = include_str!("../../lua/client_ssl.lua");
const UDP: &str = include_str!("../../lua/udp.lua");
const REGEX: &str = include_str!("../../lua/regex.lua");
const CLIENTS: &str = include_str!("../../lua/clients.lua");
const SHARED: &str = include_str!("../../lua/shared.lua");

/// How many finished coroutines are kept for the next connections.
const MAX_FREE_THREADS: usize = 1024;

pub(super) type ResetThread = unsafe extern "C-unwind" fn(*mut lua_State, *mut lua_State);

/// A Lua VM with the `ngx` table and the prelude.
pub struct Vm {
    lua: ManuallyDrop<Lua>,
    state: *mut lua_State,
    pub(super) frame: Frame,
    free: RefCell<Vec<(*mut lua_State, Ref)>>,
    /// Only OpenResty's LuaJIT has it: makes any thread usable again.
    reset_thread: Option<ResetThread>,
    pub(super) collector: Collector,
    /// A script has run out of memory: what it held is to be collected.
    starved: Cell<bool>,
}

/// The prelude's functions that Rust calls.
pub(super) struct Frame {
    pub start: Ref,
    pub bytecode_factory: Ref,
    pub run: Ref,
    pub call: Ref,
    anchors: Anchors,
    report: Ref,
    forget_modules: Ref,
    collect: Ref,
}

/// A named table of functions below `ngx` (empty name: `ngx` itself).
pub struct Group {
    pub path: &'static str,
    pub functions: &'static [Function],
}

impl Vm {
    /// Makes a VM. `paths` are the values of lua_package_path and _cpath,
    /// `groups` the API, `private` what only the prelude calls, `finish` adds
    /// to `ngx` and to the prelude's functions what mlua is good for.
    pub fn new(
        paths: (Option<&[u8]>, Option<&[u8]>),
        groups: &[Group],
        private: &[&[Function]],
        finish: impl FnOnce(&Lua, &Table, &Table) -> mlua::Result<()>,
    ) -> Result<Rc<Vm>, String> {
        // SAFETY: the state is new and lives until drop(). Scripts are the
        // administrator's and may use every library.
        let (state, lua) = unsafe {
            // Not by mlua's constructor: that brings an allocator over
            // malloc(), and LuaJIT's own takes a third of the time.
            let state = lua::luaL_newstate();
            if state.is_null() {
                return Err("out of memory".to_owned());
            }
            lua::luaL_openlibs(state);
            (state, Lua::get_or_init_from_ptr(state).clone())
        };
        let frame = match Vm::set_up(&lua, paths, groups, private, finish) {
            Ok(frame) => frame,
            Err(error) => {
                drop(lua);
                // SAFETY: nothing refers to the state any more.
                unsafe { lua::lua_close(state) };
                return Err(error.to_string());
            }
        };
        // SAFETY: the symbol, where it exists, has this signature in
        // OpenResty's lua.h.
        let reset_thread = lookup(c"lua_resetthread")
            .map(|p| unsafe { std::mem::transmute::<NonNull<c_void>, ResetThread>(p) });
        // SAFETY: the state is live; the function only logs.
        unsafe { lua::lua_atpanic(state, at_panic) };
        Ok(Rc::new(Vm {
            lua: ManuallyDrop::new(lua),
            state,
            frame,
            free: RefCell::new(Vec::new()),
            reset_thread,
            collector: Collector::new(),
            starved: Cell::new(false),
        }))
    }

    fn set_up(
        lua: &Lua,
        (path, cpath): (Option<&[u8]>, Option<&[u8]>),
        groups: &[Group],
        private: &[&[Function]],
        finish: impl FnOnce(&Lua, &Table, &Table) -> mlua::Result<()>,
    ) -> mlua::Result<Frame> {
        let package: Table = lua.globals().get("package")?;
        for (key, value) in [("path", path), ("cpath", cpath)] {
            if let Some(value) = value {
                let default: mlua::LuaString = package.get(key)?;
                let joined = expand_default(value, &default.as_bytes());
                package.set(key, lua.create_string(joined)?)?;
            }
        }

        let ngx = lua.create_table()?;
        for group in groups {
            let table = if group.path.is_empty() {
                ngx.clone()
            } else {
                let table = lua.create_table()?;
                ngx.set(group.path, &table)?;
                table
            };
            install(lua, &table, group.functions)?;
        }
        lua.globals().set("ngx", &ngx)?;
        let loaded: Table = package.get("loaded")?;
        loaded.set("ngx", &ngx)?;

        let native = lua.create_table()?;
        for functions in private {
            install(lua, &native, functions)?;
        }
        let raw: [(&str, lua::lua_CFunction); 7] = [
            ("is_yieldable", is_yieldable),
            ("finalizing", finalizing),
            ("run_put_off", set_run_put_off),
            ("registry_get", registry::registry_get),
            ("registry_add", registry::registry_add),
            ("registry_set", registry::registry_set),
            ("registry_drop", registry::registry_drop),
        ];
        for (name, function) in raw {
            // SAFETY: C functions of ours that touch nothing but their state.
            native.set(name, unsafe { lua.create_c_function(function)? })?;
        }
        let library =
            |_: &Lua, name: mlua::LuaString| Ok(library::source(&name.as_bytes()));
        native.set("library", lua.create_function(library)?)?;
        finish(lua, &ngx, &native)?;
        let mark = mlua::LightUserData(wait_mark());
        let http_reply: mlua::Function =
            lua.load(HTTP_REPLY).set_name("=http_reply").call(&native)?;
        native.set("receive_http", http_reply)?;
        let common: Table = lua.load(SOCKET).set_name("=socket").call((&native, &ngx))?;
        lua.load(UDP).set_name("=udp").call::<()>((&native, &ngx, &common))?;
        lua.load(REGEX).set_name("=regex").call::<()>((&native, &ngx))?;
        lua.load(CLIENTS).set_name("=clients").call::<()>((&native, &ngx))?;
        let prelude: Table =
            lua.load(PRELUDE).set_name("=prelude").call((&native, mark, &ngx))?;
        // After the prelude, which guards finalizers.
        lua.load(SSL).set_name("=ssl").call::<()>((&native, &ngx, &common))?;
        lua.load(CLIENT_SSL).set_name("=ssl").call::<()>((&native, &ngx, common))?;
        lua.load(SYNC).set_name("=sync").call::<()>((&native, &ngx))?;
        lua.load(SHARED).set_name("=shared").call::<()>((native, ngx))?;

        let strong = lua.create_table()?;
        let weak = lua.create_table()?;
        let weakness = lua.create_table()?;
        weakness.set("__mode", "v")?;
        weak.set_metatable(Some(weakness))?;
        let get = |name: &str| prelude.get::<mlua::Function>(name);
        let functions = (
            get("start")?,
            get("bytecode_factory")?,
            get("run")?,
            get("call")?,
            get("report")?,
            get("forget_modules")?,
        );
        // SAFETY: the closures run under mlua's protection and take what they
        // were given off the stack.
        let frame = unsafe {
            let mut refs = [Ref(0); 7];
            lua.exec_raw::<()>(functions, |raw| {
                lua::lua_pushcclosure(raw, collect, 0);
                for slot in refs.iter_mut().rev() {
                    *slot = Ref::take(raw);
                }
            })?;
            let mut tables = [Ref(0); 2];
            lua.exec_raw::<()>((strong, weak), |raw| {
                for slot in tables.iter_mut().rev() {
                    *slot = Ref::take(raw);
                }
            })?;
            let anchors = Anchors { strong: tables[0], weak: tables[1] };
            let [start, bytecode_factory, run, call, report, forget_modules, collect] =
                refs;
            Frame {
                start,
                bytecode_factory,
                run,
                call,
                anchors,
                report,
                forget_modules,
                collect,
            }
        };
        Ok(frame)
    }

    /// mlua's handle, for what is cold.
    pub fn lua(&self) -> &Lua {
        &self.lua
    }

    /// Lets go of a value that the prelude put into the registry.
    pub fn release(&self, value: Ref) {
        // SAFETY: the state is live; callers take the reference out of where
        // it was, so it is released once.
        unsafe { value.release(self.state) };
    }

    /// Where light threads are kept.
    pub fn anchors(&self) -> Anchors {
        self.frame.anchors
    }

    pub(super) fn reset_thread(&self) -> Option<ResetThread> {
        self.reset_thread
    }

    pub(super) fn state(&self) -> *mut lua_State {
        self.state
    }

    /// Makes require() read every module again.
    pub fn forget_modules(&self) {
        // SAFETY: no Lua code runs; the function is the prelude's and the
        // error value, if any, is popped.
        unsafe {
            self.frame.forget_modules.push(self.state);
            if lua::lua_pcall(self.state, 0, 0, 0) != lua::LUA_OK {
                lua::lua_settop(self.state, -2);
            }
        }
    }

    /// Calls `f` with `data` on the main thread, catching every Lua error.
    ///
    /// # Safety
    /// - no Lua code of this VM is running.
    /// - `data` is what `f` expects, and `f` leaves nothing to drop when a Lua
    ///   error unwinds it.
    pub(super) unsafe fn protect(
        &self,
        f: lua::lua_CFunction,
        data: *mut c_void,
    ) -> Result<(), Vec<u8>> {
        // SAFETY: by the caller's duties.
        unsafe {
            match lua::lua_cpcall(self.state, f, data) {
                lua::LUA_OK => Ok(()),
                _ => Err(self.pop_text()),
            }
        }
    }

    /// A thread with an empty stack, and what keeps it alive.
    pub(super) fn take_thread(&self) -> Result<(*mut lua_State, Ref), Vec<u8>> {
        if let Some(free) = self.free.borrow_mut().pop() {
            return Ok(free);
        }
        let mut made = (ptr::null_mut(), Ref(0));
        // SAFETY: called from event handlers only; `made` outlives the call.
        unsafe { self.protect(new_thread, (&raw mut made).cast())? };
        Ok(made)
    }

    /// A script has run out of memory. LuaJIT does not collect for that, and
    /// the next script would fail for want of what this one held.
    pub(super) fn set_starved(&self) {
        self.starved.set(true);
    }

    /// Takes a thread back, for the next connection or for the collector.
    ///
    /// # Safety
    /// - the pair came from take_thread(), is given back once and not running.
    pub(super) unsafe fn give_thread(
        &self,
        thread: *mut lua_State,
        anchor: Ref,
        reusable: bool,
        finished: bool,
    ) {
        // SAFETY: the caller's duties are the same.
        unsafe { self.keep_or_release(thread, anchor, reusable, finished) };
        self.collect_if_starved();
    }

    /// Collects what a script held that has run out of memory.
    pub(super) fn collect_if_starved(&self) {
        if self.starved.replace(false) {
            // SAFETY: called from event handlers, with no Lua frame below; an
            // error value, if any, is popped. Nothing is allocated for it.
            unsafe {
                self.frame.collect.push(self.state);
                if lua::lua_pcall(self.state, 0, 0, 0) != lua::LUA_OK {
                    lua::lua_settop(self.state, -2);
                }
            }
        }
    }

    /// The thread's part of give_thread().
    ///
    /// # Safety
    /// - as for give_thread().
    unsafe fn keep_or_release(
        &self,
        thread: *mut lua_State,
        anchor: Ref,
        reusable: bool,
        finished: bool,
    ) {
        // SAFETY: the thread is anchored until released below; resetting and
        // replacing globals allocate nothing.
        unsafe {
            if reusable && self.free.borrow().len() < MAX_FREE_THREADS {
                let usable = match self.reset_thread {
                    Some(reset) if !finished => {
                        // The first is the one whose upvalues it closes: those
                        // of a closure that outlives the script would else
                        // show what the thread's next one does.
                        reset(thread, thread);
                        true
                    }
                    _ => finished,
                };
                if usable {
                    lua::lua_settop(thread, 0);
                    // Lets go of the connection's globals.
                    lua::lua_pushvalue(self.state, lua::LUA_GLOBALSINDEX);
                    lua::lua_xmove(self.state, thread, 1);
                    lua::lua_replace(thread, lua::LUA_GLOBALSINDEX);
                    self.free.borrow_mut().push((thread, anchor));
                    return;
                }
            }
            anchor.release(self.state);
        }
    }

    /// The text of the error on top of `thread`, with the chain's traceback.
    ///
    /// # Safety
    /// - `thread` has just failed in lua_resume(), its error value on top;
    ///   `nested` if another one has resumed it.
    pub(super) unsafe fn report(&self, thread: *mut lua_State, nested: bool) -> Vec<u8> {
        // SAFETY: no Lua code runs; the main thread has room for four values;
        // the prelude's function runs under pcall.
        unsafe {
            self.frame.report.push(self.state);
            lua::lua_pushthread(thread);
            lua::lua_xmove(thread, self.state, 1);
            lua::lua_pushvalue(thread, -1);
            lua::lua_xmove(thread, self.state, 1);
            lua::lua_pushboolean(self.state, nested.into());
            if lua::lua_pcall(self.state, 3, 1, 0) == lua::LUA_OK {
                return self.pop_text();
            }
            // Out of memory, or a failing __gc: then without traceback.
            lua::lua_settop(self.state, -2);
            text_at_top(thread)
        }
    }

    /// Pops a string; for other values says so.
    pub(super) unsafe fn pop_text(&self) -> Vec<u8> {
        // SAFETY: a value is on top of the main thread's stack.
        unsafe {
            let text = text_at_top(self.state);
            lua::lua_settop(self.state, -2);
            text
        }
    }
}

/// A copy of the string on top of a stack.
///
/// # Safety
/// - `state` is live and has a value on its stack.
unsafe fn text_at_top(state: *mut lua_State) -> Vec<u8> {
    // SAFETY: only a string is read, so nothing is converted.
    unsafe {
        if lua::lua_type(state, -1) != lua::LUA_TSTRING {
            return b"unknown reason".to_vec();
        }
        let mut len = 0;
        let data = lua::lua_tolstring(state, -1, &mut len);
        std::slice::from_raw_parts(data.cast::<u8>(), len).to_vec()
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // SAFETY: mlua's handle goes first, and only here; the last owner of
        // the VM is gone, so nobody uses the state after it is closed.
        unsafe {
            ManuallyDrop::drop(&mut self.lua);
            lua::lua_close(self.state);
        }
    }
}

/// Sets each function in `table`.
fn install(lua: &Lua, table: &Table, functions: &[Function]) -> mlua::Result<()> {
    for function in functions {
        // SAFETY: made by native::function(), which upholds Lua's rules.
        let entry = unsafe { lua.create_c_function(function.entry)? };
        table.raw_set(function.name, entry)?;
    }
    Ok(())
}

/// `;;` in a path stands for the default path.
fn expand_default(value: &[u8], default: &[u8]) -> Vec<u8> {
    let Some(at) = memchr::memmem::find(value, b";;") else { return value.to_vec() };
    let (before, after) = (&value[..at], &value[at + 2..]);
    let mut joined = before.to_vec();
    if !before.is_empty() {
        joined.push(b';');
    }
    joined.extend_from_slice(default);
    if !after.is_empty() {
        joined.push(b';');
        joined.extend_from_slice(after);
    }
    joined
}

unsafe extern "C-unwind" fn is_yieldable(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with a live state.
    unsafe { lua::lua_pushboolean(state, lua_isyieldable(state)) };
    1
}

/// Collects all garbage. A collection halves the table of strings at most, and
/// while it is large the next one may want memory to begin with: so again until
/// the heap shrinks no more.
unsafe extern "C-unwind" fn collect(main: *mut lua_State) -> c_int {
    // SAFETY: called under lua_pcall.
    unsafe {
        let mut kib = lua::lua_gc(main, lua::LUA_GCCOUNT, 0);
        loop {
            lua::lua_gc(main, lua::LUA_GCCOLLECT, 0);
            let left = lua::lua_gc(main, lua::LUA_GCCOUNT, 0);
            if left > kib - kib / 8 {
                return 0;
            }
            kib = left;
        }
    }
}

/// Makes a thread and anchors it; `data` is where both go.
unsafe extern "C-unwind" fn new_thread(main: *mut lua_State) -> c_int {
    // SAFETY: called by take_thread() through lua_cpcall.
    unsafe {
        let made = lua::lua_touserdata(main, 1).cast::<(*mut lua_State, Ref)>();
        let thread = lua::lua_newthread(main);
        made.write((thread, Ref::take(main)));
    }
    0
}

/// Called by Lua before it ends the process because of an error outside of
/// any protected call: says what it was.
unsafe extern "C-unwind" fn at_panic(state: *mut lua_State) -> c_int {
    // SAFETY: the error value is on top; a string is only read.
    let text = unsafe {
        if lua::lua_type(state, -1) == lua::LUA_TSTRING {
            let mut len = 0;
            let data = lua::lua_tolstring(state, -1, &mut len);
            std::slice::from_raw_parts(data.cast::<u8>(), len)
        } else {
            b"no message"
        }
    };
    Log::cycle().write(
        Level::Alert,
        0,
        format_args!("lua panic: {}", String::from_utf8_lossy(text)),
    );
    0
}
