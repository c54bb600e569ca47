//! A native that runs a new coroutine below itself.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mlua::ffi as lua;
use mlua::ffi::lua_State;

use super::anchor::{Anchor, Anchors};
use super::coroutine::Unowned;
use super::native::{
    Function, Outcome, entering, leave_nested, lua_isyieldable, push_wait, raise,
};
use crate::nginx::guard;

/// Whoever keeps the threads.
pub trait Spawn: 'static {
    /// Where light threads are kept; what to raise where there are none.
    fn check() -> Result<Anchors, Outcome>;
    /// A coroutine with a function and its arguments is to run.
    fn begin(coroutine: Unowned, arguments: usize) -> Begun;
    /// It has given control back, with this status of lua_resume().
    fn end(status: c_int) -> Go;
    /// The running thread is to end its host when it waits.
    fn exit();
}

/// What becomes of it.
pub enum Begun {
    /// It runs now.
    Runs,
    /// It starts by itself.
    Later,
    /// The one that spawns has no coroutine any more.
    Gone,
}

/// How its parent goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Go {
    On,
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
    // comes first, with nothing to drop; then begin(), lua_resume(), which
    // catches every error, and end(), with no Lua call that raises between.
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
        let begun = catch_unwind(AssertUnwindSafe(|| S::begin(unowned, arguments)));
        match begun {
            Ok(Begun::Runs) => {}
            Ok(Begun::Later) => return 1,
            Ok(Begun::Gone) => return lua::luaL_error(state, c"no thread".as_ptr()),
            Err(payload) => {
                guard::report("the start of a thread", payload);
                return lua::luaL_error(
                    state,
                    c"panic in a native function, see error.log".as_ptr(),
                );
            }
        }

        let entry = entering(thread);
        let status = lua::lua_resume_(thread, count - 1);
        let end = catch_unwind(AssertUnwindSafe(|| S::end(status)));
        leave_nested(entry);
        let go = match end {
            Ok(go) => go,
            Err(payload) => {
                guard::report("the end of a thread's first run", payload);
                Go::Exit
            }
        };
        if go == Go::On {
            return 1;
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
