//! ngx.thread.spawn: the new thread runs at once, below the native that its
//! parent called, until it first waits. So neither of the two is suspended for
//! it, and a thread can be spawned where its parent could not wait.

use std::cell::Cell;
use std::rc::Rc;

use super::thread::{Ended, Thread, Woken, enter_nested, with_thread};
use crate::lua::spawn::Spawned;
use crate::lua::{Coroutine, Unowned};
use crate::nginx::local::Local;

/// Threads that spawn threads that spawn threads lie on the C stack; deeper
/// than this a new one waits for its turn.
const MAX_NESTED: usize = 180;

/// How many lie there.
static NESTED: Local<Cell<usize>> = Local::new(Cell::new(0));

/// The running thread spawns another: what `lua::spawn` asks for.
#[inline]
pub fn run(
    coroutine: Unowned,
    arguments: usize,
    resume: impl FnOnce() -> i32,
) -> Spawned {
    with_thread(|parent| {
        let made = parent.and_then(|parent| {
            let adopt = |own: &Coroutine| Coroutine::adopt(coroutine, own);
            Some(Thread::spawned(parent, parent.with_coroutine(adopt)?))
        });
        let Some(child) = made else { return Spawned::Gone };
        let nested = Nested::begin(&child);
        if NESTED.get() > MAX_NESTED {
            child.wait_for_turn(Woken::Start(arguments));
            return Spawned::Thread;
        }
        let status = enter_nested(&child, resume);
        // Its error's __tostring runs as its parent.
        child.settle(child.with_coroutine(|own| own.came_to(status, true)));
        drop(nested);
        // ngx.exit() in it ends its parent too.
        if child.host().group().is_over() { Spawned::Exit } else { Spawned::Thread }
    })
}

/// A thread during its first run. Whatever comes of that, afterwards its host
/// knows it if it is alive.
struct Nested<'a>(&'a Rc<Thread>);

impl Nested<'_> {
    fn begin(thread: &Rc<Thread>) -> Nested<'_> {
        NESTED.set(NESTED.get() + 1);
        Nested(thread)
    }
}

impl Drop for Nested<'_> {
    fn drop(&mut self) {
        NESTED.set(NESTED.get() - 1);
        if self.0.ended() == Ended::No {
            self.0.host().group().add(self.0);
        }
    }
}
