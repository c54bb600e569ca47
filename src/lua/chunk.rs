//! Scripts as factories: functions that give a fresh closure of the script.
//!
//! Each connection needs a closure of its own, because a closure's globals
//! are its environment. The source is compiled once, wrapped in a function;
//! calling the factory makes the closure without compiling again.

use std::ffi::{CString, c_char, c_int};
use std::rc::Rc;

use mlua::ffi as lua;
use mlua::ffi::lua_State;

use super::registry::Ref;
use super::vm::Vm;

/// A compiled script. Lives as long as its VM.
pub struct Chunk {
    vm: Rc<Vm>,
    factory: Ref,
}

impl Chunk {
    /// Compiles `source`, Lua text or LuaJIT bytecode. `name` is a chunk name
    /// as lua_load() takes it: `@path` or `=text`. The error is Lua's message.
    pub fn compile(vm: &Rc<Vm>, source: &[u8], name: &str) -> Result<Chunk, Vec<u8>> {
        let name = CString::new(name.replace('\0', "?")).unwrap_or_default();
        let factory = if source.starts_with(lua::LUA_SIGNATURE) {
            // SAFETY: compilation happens in event handlers or while the
            // configuration loads: no Lua code runs.
            unsafe { bytecode(vm, source, &name)? }
        } else {
            let text = without_shebang(source);
            // The plain source first: its errors name what the user wrote,
            // and what follows cannot close the wrapper's function.
            // SAFETY: as above.
            unsafe {
                load(vm, text, &name)?.release(vm.state());
                let wrapped = [b"return function(...) ", text, b"\nend"].concat();
                load(vm, &wrapped, &name)?
            }
        };
        Ok(Chunk { vm: vm.clone(), factory })
    }

    /// What `Coroutine::new` takes.
    pub fn factory(&self) -> Ref {
        self.factory
    }

    /// Runs the script on the main thread, with the VM's own globals.
    /// The error is message and traceback.
    pub fn run(&self) -> Result<(), Vec<u8>> {
        let state = self.vm.state();
        // SAFETY: no Lua code runs; everything is under pcall, and the error
        // value is popped.
        unsafe {
            let base = lua::lua_gettop(state);
            lua::lua_pushcclosure(state, run_with_traceback, 0);
            self.factory.push(state);
            if lua::lua_pcall(state, 1, 0, 0) == lua::LUA_OK {
                lua::lua_settop(state, base);
                return Ok(());
            }
            let text = self.vm.pop_text();
            lua::lua_settop(state, base);
            Err(text)
        }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: the VM is alive, we hold it; nobody else has the reference
        // but coroutines that were started, and they hold the value.
        unsafe { self.factory.release(self.vm.state()) };
    }
}

/// Leaves the first line out if it starts with '#', as Lua does with files;
/// its newline stays, and so the line numbers.
fn without_shebang(source: &[u8]) -> &[u8] {
    match source.first() {
        Some(b'#') => &source[memchr::memchr(b'\n', source).unwrap_or(source.len())..],
        _ => source,
    }
}

/// Compiles and returns the function.
unsafe fn load(vm: &Vm, source: &[u8], name: &CString) -> Result<Ref, Vec<u8>> {
    let mut job = Load { source, name, made: Ref(0) };
    // SAFETY: no Lua code runs, and the job outlives the call.
    unsafe { vm.protect(load_job, (&raw mut job).cast())? };
    Ok(job.made)
}

/// Checks that bytecode loads, and makes a factory that loads it each time.
unsafe fn bytecode(vm: &Vm, source: &[u8], name: &CString) -> Result<Ref, Vec<u8>> {
    let mut job = Load { source, name, made: vm.frame.bytecode_factory };
    // SAFETY: as in load().
    unsafe {
        load(vm, source, name)?.release(vm.state());
        vm.protect(bytecode_job, (&raw mut job).cast())?;
    }
    Ok(job.made)
}

struct Load<'a> {
    source: &'a [u8],
    name: &'a CString,
    made: Ref,
}

unsafe extern "C-unwind" fn load_job(main: *mut lua_State) -> c_int {
    // SAFETY: called by load() through lua_cpcall with its job, which owns
    // nothing that an error would have to drop.
    unsafe {
        let job = lua::lua_touserdata(main, 1).cast::<Load>();
        let source = (*job).source;
        let (data, len) = (source.as_ptr(), source.len());
        if luaL_loadbuffer(main, data.cast(), len, (*job).name.as_ptr()) != lua::LUA_OK {
            lua::lua_error(main);
        }
        (*job).made = Ref::take(main);
    }
    0
}

unsafe extern "C-unwind" fn bytecode_job(main: *mut lua_State) -> c_int {
    // SAFETY: as load_job(); `made` holds the prelude's function on entry.
    unsafe {
        let job = lua::lua_touserdata(main, 1).cast::<Load>();
        (*job).made.push(main);
        let source = (*job).source;
        let (data, len) = (source.as_ptr(), source.len());
        lua::lua_pushlstring_(main, data.cast(), len);
        lua::lua_pushstring_(main, (*job).name.as_ptr());
        lua::lua_call(main, 2, 1);
        (*job).made = Ref::take(main);
    }
    0
}

/// Calls factory()() with a traceback added to its errors.
unsafe extern "C-unwind" fn run_with_traceback(state: *mut lua_State) -> c_int {
    // SAFETY: called under pcall with the factory as argument.
    unsafe {
        lua::lua_pushcclosure(state, add_traceback, 0);
        lua::lua_pushvalue(state, 1);
        lua::lua_call(state, 0, 1);
        if lua::lua_pcall(state, 0, 0, -2) != lua::LUA_OK {
            lua::lua_error(state);
        }
    }
    0
}

unsafe extern "C-unwind" fn add_traceback(state: *mut lua_State) -> c_int {
    // SAFETY: an error handler: the error value is the one argument.
    unsafe {
        match lua::lua_type(state, 1) {
            lua::LUA_TSTRING | lua::LUA_TNUMBER => {
                let text = lua::lua_tolstring(state, 1, std::ptr::null_mut());
                luaL_traceback(state, state, text, 1);
            }
            _ => lua::lua_pushstring_(state, c"unknown error".as_ptr()),
        }
    }
    1
}

unsafe extern "C-unwind" {
    fn luaL_loadbuffer(
        state: *mut lua_State,
        data: *const c_char,
        len: usize,
        name: *const c_char,
    ) -> c_int;
    /// In LuaJIT, unlike in plain Lua 5.1.
    fn luaL_traceback(
        state: *mut lua_State,
        of: *mut lua_State,
        message: *const c_char,
        level: c_int,
    );
}
