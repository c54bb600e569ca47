//! Entry coroutines: made, started, resumed, thrown away or used again.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::rc::Rc;

use mlua::ffi as lua;
use mlua::ffi::lua_State;

use super::native::{entering, waits};
use super::protect;
use super::registry::Ref;
use super::value::Values;
use super::vm::Vm;

/// A coroutine that Rust resumes. Dropping it ends it, whatever it waits for.
pub struct Coroutine {
    vm: Rc<Vm>,
    state: *mut lua_State,
    anchor: Ref,
    /// It has returned, and can run another script as it is.
    finished: Cell<bool>,
    /// A script may hold it: nobody else gets it.
    escaped: Cell<bool>,
}

/// What a resume came to.
#[derive(Debug)]
pub enum Resumed {
    /// The script has returned.
    Finished,
    /// A native waits for its event.
    Waiting,
    /// The script called coroutine.yield() outside of a coroutine of its own.
    Yielded,
    /// An uncaught error: the kind of it, and message with traceback.
    Failed(&'static str, Vec<u8>),
}

impl Coroutine {
    /// A coroutine that will run `factory`'s script. Fails when memory is out.
    pub fn new(vm: &Rc<Vm>, factory: Ref) -> Result<Coroutine, Vec<u8>> {
        let (state, anchor) = vm.take_thread()?;
        // SAFETY: a fresh or finished thread has an empty stack of at least
        // LUA_MINSTACK slots; pushing registry values does not allocate.
        unsafe {
            vm.frame.start.push(state);
            factory.push(state);
        }
        Ok(Coroutine {
            vm: vm.clone(),
            state,
            anchor,
            finished: Cell::new(false),
            escaped: Cell::new(false),
        })
    }

    /// Runs the script from its beginning.
    pub fn start(&self) -> Resumed {
        self.run(1)
    }

    /// Runs the script on; the call that waits returns `values`.
    #[inline(always)]
    pub fn resume(&self, values: Values) -> Resumed {
        let n = values.len();
        if n > 0 {
            // SAFETY: the suspended thread has room, and no Lua code runs:
            // sessions resume from event handlers.
            if !unsafe { protect::push(self.vm.state(), self.state, &values) } {
                // SAFETY: the error's text is on the thread's stack.
                let text = unsafe { self.vm.report(self.state) };
                let memory = text.starts_with(b"not enough memory");
                if memory {
                    self.vm.set_starved();
                }
                let status = if memory { lua::LUA_ERRMEM } else { lua::LUA_ERRRUN };
                return Resumed::Failed(kind_of(status), text);
            }
        }
        self.run(n)
    }

    /// Whether `state`, from `Call::coroutine`, is this coroutine itself.
    pub fn is(&self, state: *const c_void) -> bool {
        std::ptr::eq(self.state.cast_const().cast(), state)
    }

    /// A script has got hold of the coroutine: it will not be used again.
    pub fn mark_escaped(&self) {
        self.escaped.set(true);
    }

    #[inline(always)]
    fn run(&self, arguments: c_int) -> Resumed {
        self.vm.collector.tick(self.vm.state());
        entering(self.state);
        // SAFETY: the thread is anchored until drop; it is suspended or new,
        // with its arguments on top. lua_resume catches every Lua error, and
        // no Rust frame of ours lies between it and the script.
        unsafe {
            match lua::lua_resume_(self.state, arguments) {
                lua::LUA_OK => {
                    lua::lua_settop(self.state, 0);
                    self.finished.set(true);
                    Resumed::Finished
                }
                lua::LUA_YIELD => {
                    // What was yielded lies below what the next resume
                    // passes, and LuaJIT drops it then.
                    if waits() { Resumed::Waiting } else { Resumed::Yielded }
                }
                status => {
                    if status == lua::LUA_ERRMEM {
                        self.vm.set_starved();
                    }
                    Resumed::Failed(kind_of(status), self.vm.report(self.state))
                }
            }
        }
    }
}

impl Drop for Coroutine {
    fn drop(&mut self) {
        let reusable = !self.escaped.get();
        // SAFETY: nobody resumes a dropped coroutine, and it is not running:
        // sessions drop theirs from event handlers, with no Lua frame below.
        unsafe {
            self.vm.give_thread(self.state, self.anchor, reusable, self.finished.get());
        }
    }
}

/// The words that the log has for a status of lua_resume().
fn kind_of(status: c_int) -> &'static str {
    match status {
        lua::LUA_ERRRUN => "runtime error",
        lua::LUA_ERRSYNTAX => "syntax error",
        lua::LUA_ERRMEM => "memory allocation error",
        lua::LUA_ERRERR => "error handler error",
        _ => "unknown error",
    }
}
