//! Calls that may raise a Lua error where no pcall of a script is below.
//!
//! Pushing a received string for a suspended coroutine allocates, and may run a
//! step of the collector with somebody's failing `__gc`: without a handler on
//! the C stack such an error ends the process. It is pushed on the main thread
//! and moved: a finalizer runs on the thread that collects, and an error in it,
//! even a caught one, makes that thread forget that it is suspended (LuaJIT's
//! lj_err_throw() sets its status).
//!
//! `lua_pcall` around every push would cost 270 instructions, an eighth of an
//! echo. LuaJIT raises its errors as exceptions of the platform's unwinder (on
//! x86-64 always, see "External unwinding" in its lj_err.c, and its
//! documentation: C++ can catch them by `catch (...)`). So here is the part of
//! `catch (...)` that Rust lacks, for the price of a call: a frame whose
//! personality takes every exception.

use std::ffi::{c_int, c_void};

use mlua::ffi as lua;
use mlua::ffi::lua_State;

use super::anchor::Anchor;
use super::coroutine::Results;
use super::value::Values;

/// What is pushed, and where it goes.
struct Job<'a> {
    to: *mut lua_State,
    values: &'a Values,
}

/// What may raise.
type Body = unsafe extern "C-unwind" fn(*mut lua_State, *mut c_void);

/// Pushes `values` on the suspended thread `to`. False: a Lua error was
/// raised instead, and its text is on top of the thread's stack; the thread
/// cannot be resumed any more.
///
/// # Safety
/// - `to` is live and suspended or new, with room for six values.
/// - `main` is the main thread of its VM, and no Lua code of it is running.
#[inline]
pub(super) unsafe fn push(
    main: *mut lua_State,
    to: *mut lua_State,
    values: &Values,
) -> bool {
    let mut job = Job { to, values };
    // SAFETY: do_push gets what it expects; neither it nor the job owns what
    // would have to be dropped, so an exception may cross them. An error's
    // text is on top of the main thread, maybe over values pushed before it.
    unsafe {
        let top = lua::lua_gettop(main);
        if imp::call(do_push, main, (&raw mut job).cast()) {
            return true;
        }
        lua::lua_xmove(main, to, 1);
        lua::lua_settop(main, top);
        false
    }
}

/// What is pushed, where it goes, and how many it was.
struct ResultsJob {
    to: *mut lua_State,
    results: Results,
    count: c_int,
}

/// Pushes what a light thread has left on the suspended thread `to`; returns how
/// many. None: as for push().
///
/// # Safety
/// - as for push(), but for the room: it is made. That allocates, but collects
///   nothing, so no finalizer runs on the thread.
pub(super) unsafe fn push_results(
    main: *mut lua_State,
    to: *mut lua_State,
    results: Results,
) -> Option<c_int> {
    let mut job = ResultsJob { to, results, count: 0 };
    // SAFETY: as in push(); an error is raised on `to`, its text on top of it.
    unsafe {
        let done = imp::call(do_push_results, main, (&raw mut job).cast());
        done.then_some(job.count)
    }
}

/// Lets go of `thread`, which has ended. False: there was no memory for it, and
/// it is kept.
///
/// # Safety
/// - as for push(); `thread` is in `anchor`'s place.
pub(super) unsafe fn weaken(
    main: *mut lua_State,
    thread: *mut lua_State,
    anchor: Anchor,
) -> bool {
    let mut job = (thread, anchor);
    // SAFETY: as in push(); what an error leaves on the main thread is dropped.
    unsafe {
        let top = lua::lua_gettop(main);
        let done = imp::call(do_weaken, main, (&raw mut job).cast());
        lua::lua_settop(main, top);
        done
    }
}

unsafe extern "C-unwind" fn do_weaken(main: *mut lua_State, job: *mut c_void) {
    // SAFETY: called by weaken() with its job.
    unsafe {
        let (thread, anchor) = job.cast::<(*mut lua_State, Anchor)>().read();
        anchor.weaken(main, thread);
    }
}

unsafe extern "C-unwind" fn do_push_results(_: *mut lua_State, job: *mut c_void) {
    // SAFETY: called by push_results() with its job.
    unsafe {
        let job = job.cast::<ResultsJob>();
        (*job).count = (*job).results.push((*job).to);
    }
}

unsafe extern "C-unwind" fn do_push(main: *mut lua_State, job: *mut c_void) {
    // SAFETY: called by push() with its arguments.
    unsafe {
        let job = job.cast::<Job>();
        let n = (*job).values.push(main);
        lua::lua_xmove(main, (*job).to, n);
    }
}

#[cfg(target_arch = "x86_64")]
mod imp {
    use std::arch::global_asm;

    use super::{Body, c_int, c_void, lua_State};

    unsafe extern "C" {
        /// Calls `body(main, data)`; 0 when it returns, 1 when an exception
        /// ends it.
        fn ngx_tcp_lua_catch(
            body: Body,
            main: *mut lua_State,
            data: *mut c_void,
        ) -> c_int;

        static ngx_tcp_lua_catch_landing: u8;
    }

    /// False when an exception has ended `body(main, data)`.
    #[inline]
    pub(super) unsafe fn call(
        body: Body,
        main: *mut lua_State,
        data: *mut c_void,
    ) -> bool {
        // SAFETY: by the duties of push().
        unsafe { ngx_tcp_lua_catch(body, main, data) == 0 }
    }

    // The frame is one return address and eight bytes that align the stack.
    // The unwinder finds the personality by the CFI (encoding 0x9b: indirect,
    // relative to the place, 4 bytes) and, when that has told it to, goes on
    // at the landing with the stack as it is after the call.
    global_asm!(
        ".pushsection .data.rel.ro.ngx_tcp_lua_catch, \"aw\", @progbits",
        ".p2align 3",
        ".Lngx_tcp_lua_catch_personality:",
        ".quad {personality}",
        ".popsection",
        ".pushsection .text.ngx_tcp_lua_catch, \"ax\", @progbits",
        ".globl ngx_tcp_lua_catch",
        ".hidden ngx_tcp_lua_catch",
        ".globl ngx_tcp_lua_catch_landing",
        ".hidden ngx_tcp_lua_catch_landing",
        ".type ngx_tcp_lua_catch, @function",
        ".p2align 4",
        "ngx_tcp_lua_catch:",
        ".cfi_startproc",
        ".cfi_personality 0x9b, .Lngx_tcp_lua_catch_personality",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "mov rax, rdi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "call rax",
        "xor eax, eax",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_adjust_cfa_offset 8",
        "ngx_tcp_lua_catch_landing:",
        "mov eax, 1",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_endproc",
        ".size ngx_tcp_lua_catch, . - ngx_tcp_lua_catch",
        ".popsection",
        personality = sym personality,
    );

    // Of the Itanium C++ ABI, "Exception Handling", level I.
    const SEARCH_PHASE: c_int = 1;
    const HANDLER_FRAME: c_int = 4;
    const HANDLER_FOUND: c_int = 6;
    const INSTALL_CONTEXT: c_int = 7;
    const CONTINUE_UNWIND: c_int = 8;

    unsafe extern "C" {
        fn _Unwind_SetIP(context: *mut c_void, ip: usize);
    }

    /// Takes every exception that reaches the frame; lets a forced unwind (of
    /// a thread that is cancelled) pass. LuaJIT's exception object is static:
    /// there is nothing to free.
    unsafe extern "C" fn personality(
        _version: c_int,
        actions: c_int,
        _class: u64,
        _exception: *mut c_void,
        context: *mut c_void,
    ) -> c_int {
        if actions & SEARCH_PHASE != 0 {
            return HANDLER_FOUND;
        }
        if actions & HANDLER_FRAME == 0 {
            return CONTINUE_UNWIND;
        }
        // SAFETY: the unwinder's own context; the landing belongs to the frame
        // that it describes.
        unsafe {
            _Unwind_SetIP(context, (&raw const ngx_tcp_lua_catch_landing).addr());
        }
        INSTALL_CONTEXT
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod imp {
    //! Elsewhere LuaJIT may unwind by itself, so by `lua_cpcall`.

    use mlua::ffi as lua;

    use super::{Body, c_int, c_void, lua_State};

    struct Inner {
        body: Body,
        data: *mut c_void,
    }

    /// False when an error has ended `body(main, data)`.
    pub(super) unsafe fn call(
        body: Body,
        main: *mut lua_State,
        data: *mut c_void,
    ) -> bool {
        let mut inner = Inner { body, data };
        // SAFETY: the main thread is idle, by the duty of push(), and `inner`
        // outlives the call.
        unsafe { lua::lua_cpcall(main, run, (&raw mut inner).cast()) == lua::LUA_OK }
    }

    unsafe extern "C-unwind" fn run(main: *mut lua_State) -> c_int {
        // SAFETY: called by call() with its argument.
        unsafe {
            let inner = lua::lua_touserdata(main, 1).cast::<Inner>();
            ((*inner).body)(main, (*inner).data);
        }
        0
    }
}
