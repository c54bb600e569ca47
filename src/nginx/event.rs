//! Timers of our own, besides the two that each connection has.

use std::cell::Cell;
use std::ffi::c_int;
use std::mem;
use std::ptr;
use std::rc::Rc;

use ngx::ffi::{ngx_add_timer, ngx_del_timer, ngx_event_t};

use super::Msec;
use super::guard::guard;
use super::log::Log;

/// Whoever a timer wakes.
pub trait Expire: 'static {
    /// The time is over; the timer is no longer armed.
    fn on_expire(self: &Rc<Self>);
    /// on_expire panicked.
    fn on_panic(self: &Rc<Self>);
}

/// The first fields of `ngx_connection_t`: nginx's debug log reads the fd of
/// every timer's `data`.
#[repr(C)]
struct Ident {
    data: usize,
    read: usize,
    write: usize,
    fd: c_int,
}

#[repr(C)]
struct Inner<H> {
    event: ngx_event_t,
    ident: Ident,
    target: Cell<Option<Rc<H>>>,
}

/// A one-shot timer. While it is armed it keeps its target alive; dropping it
/// disarms it.
pub struct Timer<H: Expire>(Cell<*mut Inner<H>>);

impl<H: Expire> Timer<H> {
    /// A timer that is not armed and has allocated nothing yet.
    pub const fn new() -> Self {
        Self(Cell::new(ptr::null_mut()))
    }

    /// Wakes `target` in `msec` milliseconds, instead of what was armed before.
    pub fn arm(&self, target: Rc<H>, msec: Msec) {
        self.cancel();
        let inner = self.inner();
        // SAFETY: `inner` is our own allocation, freed only in drop(); the
        // event is not in the timer tree, cancel() saw to that.
        unsafe {
            (*inner).target.set(Some(target));
            // ngx_add_timer reads the key of an event that is set: it is not.
            ngx_add_timer(&raw mut (*inner).event, msec);
        }
    }

    /// Disarms the timer, if it is armed.
    pub fn cancel(&self) {
        let inner = self.0.get();
        if inner.is_null() {
            return;
        }
        // SAFETY: `inner` is ours and live; the event is deleted from the tree
        // only if it is in it.
        let target = unsafe {
            if (*inner).event.timer_set() != 0 {
                ngx_del_timer(&raw mut (*inner).event);
            }
            (*inner).target.take()
        };
        // Dropped last: it may own this very timer.
        drop(target);
    }

    fn inner(&self) -> *mut Inner<H> {
        if self.0.get().is_null() {
            // SAFETY: all fields of ngx_event_t are valid when zero: null
            // pointers, None, unset bits.
            let mut event: ngx_event_t = unsafe { mem::zeroed() };
            event.handler = Some(expire::<H>);
            event.log = Log::cycle().as_ptr();
            let ident = Ident { data: 0, read: 0, write: 0, fd: -1 };
            let inner =
                Box::into_raw(Box::new(Inner { event, ident, target: Cell::new(None) }));
            // SAFETY: just allocated, nobody else has it.
            unsafe { (*inner).event.data = (&raw mut (*inner).ident).cast() };
            self.0.set(inner);
        }
        self.0.get()
    }
}

impl<H: Expire> Default for Timer<H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<H: Expire> Drop for Timer<H> {
    fn drop(&mut self) {
        self.cancel();
        let inner = self.0.get();
        if !inner.is_null() {
            // SAFETY: made by Box::into_raw in inner(), out of nginx's tree
            // since cancel(), and nobody can reach it after this drop.
            drop(unsafe { Box::from_raw(inner) });
        }
    }
}

/// nginx's entry: the event is the first field of `Inner<H>`.
unsafe extern "C" fn expire<H: Expire>(event: *mut ngx_event_t) {
    let inner: *mut Inner<H> = event.cast();
    // SAFETY: armed timers are live (drop disarms), so `inner` is; taking the
    // target ends our use of it before the handler can drop the timer.
    let target = unsafe { (*inner).target.take() };
    let Some(target) = target else { return };
    let done = guard("a timer's handler", false, || {
        target.on_expire();
        true
    });
    if !done {
        guard("a panic handler", (), || target.on_panic());
    }
}
