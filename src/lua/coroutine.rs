//! Entry coroutines: made, started, resumed, thrown away or used again.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::mem::ManuallyDrop;
use std::rc::Rc;

use mlua::ffi as lua;
use mlua::ffi::lua_State;

use super::anchor::Anchor;
use super::protect;
use super::registry::Ref;
use super::value::{self, Values};
use super::vm::{ResetThread, Vm};
use super::waiting::{dead_mark, entering, waits, zombie_mark};
use crate::nginx::local::Local;

/// A coroutine that Rust resumes. Dropping it ends it, whatever it waits for.
pub struct Coroutine {
    vm: Rc<Vm>,
    state: *mut lua_State,
    keeper: Keeper,
    /// It has returned, and can run another script as it is.
    finished: Cell<bool>,
    /// A script may hold it: nobody else gets it.
    escaped: Cell<bool>,
    /// A light thread's that has ended, and lives as long as a script holds it.
    let_go: Cell<bool>,
}

/// What keeps a coroutine alive.
#[derive(Clone, Copy)]
enum Keeper {
    /// An entry coroutine of a host: used again, if no script holds it.
    Entry(Ref),
    /// A light thread: scripts hold it, and can see that it is dead.
    Light(Anchor),
}

/// A coroutine that a native has just made and anchored, with the function that
/// it is to run and the arguments on its stack.
pub struct Unowned {
    state: *mut lua_State,
    anchor: Anchor,
}

impl Unowned {
    /// Names it.
    ///
    /// # Safety
    /// - `state` is a new thread and `anchor` keeps it alive, for nobody else.
    pub(super) unsafe fn new(state: *mut lua_State, anchor: Anchor) -> Unowned {
        Unowned { state, anchor }
    }
}

/// What a light thread that has ended leaves, to be pushed once, while a script
/// holds it.
///
/// As with `Values`, what it is lies in one place of the worker: these results
/// are pushed before the next are made.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Results(());

/// Where results are.
#[derive(Clone, Copy)]
struct Left {
    state: *mut lua_State,
    anchor: Anchor,
    reset: Option<ResetThread>,
    well: bool,
    marked: bool,
}

static LEFT: Local<Cell<Option<Left>>> = Local::new(Cell::new(None));

/// A native that has pushed nothing has room for 20 values, and so has a
/// coroutine that such a one has suspended.
const FREE_SLOTS: c_int = 16;

impl Results {
    /// Pushes true and what was returned, or false and the error; the thread is
    /// dead then. Returns how many.
    ///
    /// # Safety
    /// - `to` is live, an error may be raised in it, and no value with a
    ///   destructor is alive in frames that this would cross.
    pub(super) unsafe fn push(self, to: *mut lua_State) -> c_int {
        let Some(Left { state, anchor, reset, well, marked }) = LEFT.take() else {
            return 0;
        };
        // SAFETY: the thread is held by its waiter's stack and has ended; `to`
        // has room once it has been asked for it.
        unsafe {
            if marked {
                lua::lua_settop(state, -2);
            }
            let n = if well { lua::lua_gettop(state) } else { 1 };
            if n > FREE_SLOTS && lua::lua_checkstack(to, n + 2) == 0 {
                anchor.release(to);
                return lua::luaL_error(to, c"too many results".as_ptr());
            }
            lua::lua_pushboolean(to, well.into());
            if n > 0 {
                lua::lua_xmove(state, to, n);
            }
            // One that has returned has nothing left that resetting would close.
            retire(state, reset.filter(|_| !well));
            anchor.release(to);
            n + 1
        }
    }
}

/// Marks a light thread as dead: it may be in a script's hands for long.
///
/// # Safety
/// - the thread is live and nobody will resume it.
unsafe fn retire(thread: *mut lua_State, reset: Option<ResetThread>) {
    // SAFETY: the caller's duty. Resetting allocates nothing and leaves an
    // empty stack; without it there is a spare slot above what lies there.
    unsafe {
        if let Some(reset) = reset {
            reset(thread, thread);
            lua::lua_settop(thread, 0);
        }
        lua::lua_pushlightuserdata(thread, dead_mark());
    }
}

/// What a resume came to.
#[derive(Debug)]
#[must_use]
pub enum Resumed {
    /// The script has returned.
    Finished,
    /// A native waits for its event.
    Waiting,
    /// The script called coroutine.yield() outside of a coroutine of its own.
    Yielded,
    /// An uncaught error.
    Failed(Box<Failure>),
}

/// An uncaught error.
#[derive(Debug)]
pub struct Failure {
    /// The log's words for its kind.
    pub kind: &'static str,
    /// Its message with the traceback.
    pub text: Vec<u8>,
}

impl Coroutine {
    /// A coroutine that will run `factory`'s script, with globals of its own.
    /// Fails when memory is out, as the next two.
    pub fn new(vm: &Rc<Vm>, factory: Ref) -> Result<Coroutine, Vec<u8>> {
        Coroutine::make(vm, vm.frame.start, factory, false)
    }

    /// A coroutine that will run the script of a phase, in the VM's globals.
    pub fn for_phase(vm: &Rc<Vm>, factory: Ref) -> Result<Coroutine, Vec<u8>> {
        Coroutine::make(vm, vm.frame.run, factory, false)
    }

    /// A coroutine that will call the function of a timer; `job` is what the
    /// prelude has made of it and its arguments.
    pub fn for_timer(
        vm: &Rc<Vm>,
        job: Ref,
        premature: bool,
    ) -> Result<Coroutine, Vec<u8>> {
        Coroutine::make(vm, vm.frame.call, job, premature)
    }

    fn make(vm: &Rc<Vm>, frame: Ref, what: Ref, flag: bool) -> Result<Self, Vec<u8>> {
        let (state, anchor) = vm.take_thread()?;
        // SAFETY: a fresh or finished thread has an empty stack of at least
        // LUA_MINSTACK slots; pushing registry values and booleans does not
        // allocate.
        unsafe {
            frame.push(state);
            what.push(state);
            lua::lua_pushboolean(state, flag.into());
        }
        Ok(Coroutine {
            vm: vm.clone(),
            state,
            keeper: Keeper::Entry(anchor),
            finished: Cell::new(false),
            escaped: Cell::new(false),
            let_go: Cell::new(false),
        })
    }

    /// Runs the script from its beginning.
    pub fn start(&self) -> Resumed {
        self.run(2)
    }

    /// Takes over a new light thread of the VM that `other` is of.
    pub fn adopt(unowned: Unowned, other: &Coroutine) -> Coroutine {
        Coroutine {
            vm: other.vm.clone(),
            state: unowned.state,
            keeper: Keeper::Light(unowned.anchor),
            finished: Cell::new(false),
            escaped: Cell::new(true),
            let_go: Cell::new(false),
        }
    }

    /// The VM that it is of.
    pub fn vm(&self) -> &Rc<Vm> {
        &self.vm
    }

    /// What `Call::coroutine` and `Call::thread` name it by.
    pub fn identity(&self) -> *const c_void {
        self.state.cast_const().cast()
    }

    /// A light thread has ended: from now on only scripts keep it alive, which
    /// may ask for its results.
    pub fn let_go(&self) {
        let Keeper::Light(anchor) = self.keeper else { return };
        // SAFETY: it is kept alive until now, and has ended, so that nobody
        // looks at its stack before its results are asked for; slots are free
        // above them.
        unsafe {
            if protect::weaken(self.vm.state(), self.state, anchor) {
                lua::lua_pushlightuserdata(self.state, zombie_mark());
                self.let_go.set(true);
            }
        }
    }

    /// Whether only scripts keep it alive.
    pub fn is_let_go(&self) -> bool {
        self.let_go.get()
    }

    /// Whether it has been let go of, and collected.
    pub fn is_collected(&self) -> bool {
        match self.keeper {
            // SAFETY: no more than a look into a table.
            Keeper::Light(anchor) if self.let_go.get() => unsafe {
                anchor.is_collected(self.vm.state())
            },
            _ => false,
        }
    }

    /// What a light thread has returned, or the error that ended it. To be
    /// called only with the coroutine in a script's hands.
    pub fn into_results(self, well: bool) -> Option<Results> {
        let Keeper::Light(anchor) = self.keeper else { return None };
        let this = ManuallyDrop::new(self);
        let (reset, marked) = (this.vm.reset_thread(), this.let_go.get());
        // SAFETY: `this` is not dropped and its `vm` not used again.
        drop(unsafe { std::ptr::read(&raw const this.vm) });
        LEFT.set(Some(Left { state: this.state, anchor, reset, well, marked }));
        Some(Results(()))
    }

    /// Runs a light thread from its beginning, with so many arguments.
    pub fn start_light(&self, arguments: usize) -> Resumed {
        self.run(arguments as c_int)
    }

    /// Runs the script on; the call that waits returns a light thread's results.
    pub fn resume_with(&self, results: Results) -> Resumed {
        // SAFETY: the suspended thread; no Lua code runs.
        match unsafe { protect::push_results(self.vm.state(), self.state, results) } {
            Some(n) => self.run(n),
            None => self.failed_to_push(),
        }
    }

    /// Runs the script on; the call that waits returns `values`.
    #[inline(always)]
    pub fn resume(&self, values: Values) -> Resumed {
        // SAFETY: the suspended thread has room, and no Lua code runs: sessions
        // resume from event handlers. What needs no memory raises no error.
        let pushed = unsafe {
            if values.allocate() {
                protect::push(self.vm.state(), self.state, &values)
            } else {
                values.push_plainly(self.state);
                true
            }
        };
        if pushed { self.run(values.len()) } else { self.failed_to_push() }
    }

    #[cold]
    fn failed_to_push(&self) -> Resumed {
        value::abandon_push();
        // SAFETY: the error's text is on the thread's stack.
        let text = unsafe { self.vm.report(self.state, false) };
        let memory = text.starts_with(b"not enough memory");
        if memory {
            self.vm.set_starved();
        }
        let status = if memory { lua::LUA_ERRMEM } else { lua::LUA_ERRRUN };
        failed(status, text)
    }

    /// Whether `state`, from `Call::coroutine`, is this coroutine itself.
    pub fn is(&self, state: *const c_void) -> bool {
        std::ptr::eq(self.identity(), state)
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
        let status = unsafe { lua::lua_resume_(self.state, arguments) };
        self.came_to(status, false)
    }

    /// What it came to by this status of lua_resume(); `nested` if another
    /// coroutine runs on after it.
    #[inline(always)]
    pub fn came_to(&self, status: c_int, nested: bool) -> Resumed {
        match status {
            lua::LUA_OK => {
                self.finished.set(true);
                Resumed::Finished
            }
            lua::LUA_YIELD => {
                // What was yielded lies below what the next resume passes, and
                // LuaJIT drops it then.
                if waits() { Resumed::Waiting } else { Resumed::Yielded }
            }
            status => {
                if status == lua::LUA_ERRMEM {
                    self.vm.set_starved();
                }
                // SAFETY: it has just failed.
                let text = unsafe { self.vm.report(self.state, nested) };
                failed(status, text)
            }
        }
    }
}

impl Drop for Coroutine {
    fn drop(&mut self) {
        // SAFETY: nobody resumes a dropped coroutine, and it is not running:
        // it is dropped by an event handler, or, a light thread that waits or
        // has ended, by its parent. One that was let go of is not touched.
        unsafe {
            match self.keeper {
                Keeper::Entry(anchor) => {
                    let (reusable, finished) = (!self.escaped.get(), self.finished.get());
                    self.vm.give_thread(self.state, anchor, reusable, finished);
                }
                Keeper::Light(anchor) => {
                    if !self.let_go.get() {
                        retire(self.state, self.vm.reset_thread());
                    }
                    anchor.release(self.vm.state());
                    self.vm.collect_if_starved();
                }
            }
        }
    }
}

#[cold]
fn failed(status: c_int, text: Vec<u8>) -> Resumed {
    Resumed::Failed(Box::new(Failure { kind: kind_of(status), text }))
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
