//! A native that runs a new coroutine below itself.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mlua::ffi as lua;
use mlua::ffi::lua_State;

use super::anchor::{Anchor, Anchors};
use super::call::lua_isyieldable;
use super::coroutine::Unowned;
use super::native::Function;
use super::outcome::{Outcome, raise};
use super::waiting::{entering, leave_nested, push_wait};
use crate::nginx::guard;

/// Whoever keeps the threads.
pub trait Spawn: 'static {
    /// Where light threads are kept; what to raise where there are none.
    fn check() -> Result<Anchors, Outcome>;
    /// Runs a coroutine with a function and its arguments, by `resume`, which
    /// gives the status of lua_resume(); or has it run later.
    fn run(
        coroutine: Unowned,
        arguments: usize,
        resume: impl FnOnce() -> c_int,
    ) -> Spawned;
    /// The running thread is to end its host when it waits.
    fn exit();
}

/// How the one that spawns goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spawned {
    /// It has the thread.
    Thread,
    /// It has no coroutine any more.
    Gone,
    /// Everything ends here.
    Exit,
}

/// The row for `spawn(function, ...)`.
pub const fn spawn_function<S: Spawn>(name: &'static str) -> Function {
    Function { name, entry: spawn::<S> }
}

/// So many values fit on a new coroutine's stack.
const NEW_STACK: c_int = 16;

unsafe extern "C-unwind" fn spawn<S: Spawn>(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls with a live state and room for 20 values. What may raise
    // comes first, with nothing to drop; then run() with lua_resume(), which
    // catches every error.
    unsafe {
        let anchors = match catch_unwind(S::check) {
            Ok(Ok(anchors)) => anchors,
            Ok(Err(Outcome::Raise(how))) => return raise(state, how),
            Ok(Err(_)) => return 0,
            Err(payload) => {
                guard::report("the start of a thread", payload);
                return 0;
            }
        };
        if lua::lua_type(state, 1) != lua::LUA_TFUNCTION {
            lua::luaL_checktype(state, 1, lua::LUA_TFUNCTION);
        }
        let count = lua::lua_gettop(state);
        let thread = lua::lua_newthread(state);
        if count > NEW_STACK && lua::lua_checkstack(thread, count + 2) == 0 {
            return lua::luaL_error(state, c"too many arguments".as_ptr());
        }
        let anchor = Anchor::new(state, anchors);
        lua::lua_insert(state, 1);
        lua::lua_xmove(state, thread, count);

        let unowned = Unowned::new(thread, anchor);
        let arguments = count as usize - 1;
        let mut above = None;
        let resume = || {
            above = Some(entering(thread));
            lua::lua_resume_(thread, count - 1)
        };
        let run = AssertUnwindSafe(|| S::run(unowned, arguments, resume));
        let spawned = catch_unwind(run);
        if let Some(above) = above {
            leave_nested(above);
        }
        match spawned {
            Ok(Spawned::Thread) => return 1,
            Ok(Spawned::Gone) => return lua::luaL_error(state, c"no thread".as_ptr()),
            Ok(Spawned::Exit) => {}
            Err(payload) => guard::report("a new thread's first run", payload),
        }
        if lua_isyieldable(state) == 0 {
            return lua::luaL_error(
                state,
                c"attempt to yield across C-call boundary".as_ptr(),
            );
        }
        if catch_unwind(S::exit).is_err() {
            return 0;
        }
        push_wait(state)
    }
}
