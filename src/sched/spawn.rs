//! ngx.thread.spawn: the new thread runs at once, below the native that its
//! parent called, until it first waits. So neither of the two is suspended for
//! it, and a thread can be spawned where its parent could not wait.

use std::cell::RefCell;
use std::rc::Rc;

use super::thread::{Thread, Woken, set_current, with_thread};
use crate::lua::spawn::{Begun, Go};
use crate::lua::{Coroutine, Unowned};
use crate::nginx::local::Local;

/// Threads that spawn threads that spawn threads lie on the C stack; deeper
/// than this a new one waits for its turn.
const MAX_NESTED: usize = 180;

/// Those that run a thread of theirs at this moment, the innermost last.
static PARENTS: Local<RefCell<Vec<Rc<Thread>>>> = Local::new(RefCell::new(Vec::new()));

/// A thread spawns another: what `lua::spawn` asks first.
pub fn begin(unowned: Unowned, arguments: usize) -> Begun {
    let parent = with_thread(|thread| thread.cloned());
    let Some(parent) = parent else { return Begun::Gone };
    let made = parent.with_coroutine(|own| Coroutine::adopt(unowned, own));
    let Some(coroutine) = made else { return Begun::Gone };
    let child = Thread::spawned(&parent, coroutine);
    let mut parents = PARENTS.borrow_mut();
    if parents.len() >= MAX_NESTED {
        child.wait_for_turn(Woken::Start(arguments));
        return Begun::Later;
    }
    parents.push(parent);
    set_current(Some(child));
    Begun::Runs
}

/// The new thread waits or has ended: its parent goes on.
pub fn end(status: i32) -> Go {
    let parent = PARENTS.borrow_mut().pop();
    let Some(child) = set_current(parent) else { return Go::On };
    let resumed = child.with_coroutine(|coroutine| coroutine.came_to(status, true));
    child.settle(resumed);
    // ngx.exit() in it ends its parent too.
    if child.host().group().is_over() { Go::Exit } else { Go::On }
}

/// Frees the list, when the process has done with the VM.
pub(super) fn free() {
    PARENTS.take();
}
