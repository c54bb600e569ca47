//! The module's own event in nginx's loop: a timer, and the next turn.

use std::cell::{Cell, UnsafeCell};
use std::ffi::c_int;
use std::mem;

use ngx::ffi::{
    ngx_add_timer, ngx_del_timer, ngx_delete_posted_event, ngx_event_t, ngx_post_event,
    ngx_posted_next_events,
};

use super::Msec;
use super::guard::guard;
use super::local::Local;
use super::log::Log;
use super::time::current_msec;

/// The first fields of `ngx_connection_t`: nginx's debug log reads the fd of
/// every timer's `data`.
#[repr(C)]
struct Ident {
    data: usize,
    read: usize,
    write: usize,
    fd: c_int,
}

/// So long the worker is held by a timer that is not there to fire.
const LONG: Msec = 60_000;

/// nginx's loop runs: what is posted now has its turn before that waits.
static LOOPING: Local<Cell<bool>> = Local::new(Cell::new(false));

/// The loop is about to begin, or has ended.
pub fn set_looping(looping: bool) {
    LOOPING.set(looping);
}

/// Whether whatever runs now is run by nginx's loop.
#[inline]
pub fn is_looping() -> bool {
    LOOPING.get()
}

/// An event whose function runs when its timer fires and when its turn comes.
/// An exiting worker waits for it while there is something to do.
pub struct LoopEvent {
    event: UnsafeCell<ngx_event_t>,
    ident: UnsafeCell<Ident>,
    run: fn(),
}

impl LoopEvent {
    /// An event that is neither armed nor posted. It has to be a static, since
    /// nginx keeps its address.
    pub const fn new(run: fn()) -> LoopEvent {
        LoopEvent {
            // SAFETY: all fields of ngx_event_t are valid when zero: null
            // pointers, None, unset bits.
            event: UnsafeCell::new(unsafe { mem::zeroed() }),
            ident: UnsafeCell::new(Ident { data: 0, read: 0, write: 0, fd: -1 }),
            run,
        }
    }

    /// Makes it run at `at` or before: its function looks what time it is.
    #[inline(always)]
    pub fn arm(&'static self, at: Msec) {
        let event = self.event.get();
        // SAFETY: the event is a static's and only this thread touches it.
        unsafe {
            if (*event).timer_set() != 0
                && ((*event).timer.key.wrapping_sub(at) as isize) <= 0
            {
                (*event).set_cancelable(0);
                return;
            }
        }
        self.arm_anew(at);
    }

    #[cold]
    #[inline(never)]
    fn arm_anew(&'static self, at: Msec) {
        let event = self.event();
        // SAFETY: as in arm(); it is deleted only if it is set.
        unsafe {
            (*event).set_cancelable(0);
            if (*event).timer_set() != 0 {
                ngx_del_timer(event);
            }
            ngx_add_timer(event, at.saturating_sub(current_msec()));
        }
    }

    /// Makes it run in the next turn of the event loop.
    pub fn post(&'static self) {
        let event = self.event();
        // SAFETY: as in arm(); a posted event is posted once.
        unsafe {
            ngx_post_event(event, &raw mut ngx_posted_next_events);
            // nginx's exit waits for timers, and not for what is posted.
            (*event).set_cancelable(0);
            if (*event).timer_set() == 0 {
                ngx_add_timer(event, LONG);
            }
        }
    }

    /// There is nothing to do: an exiting worker need not wait. The timer may
    /// stay, since the next one is often soon.
    #[inline]
    pub fn let_worker_exit(&'static self) {
        // SAFETY: as in arm().
        unsafe { (*self.event.get()).set_cancelable(1) };
    }

    /// Takes it from nginx.
    pub fn disarm(&'static self) {
        let event = self.event();
        // SAFETY: as in arm(); it is taken from where it is.
        unsafe {
            if (*event).timer_set() != 0 {
                ngx_del_timer(event);
            }
            if (*event).posted() != 0 {
                ngx_delete_posted_event(event);
            }
        }
    }

    #[inline]
    fn event(&'static self) -> *mut ngx_event_t {
        let event = self.event.get();
        // SAFETY: as in arm(). The log is that of the present cycle.
        unsafe {
            (*event).handler = Some(run);
            (*event).log = Log::cycle().as_ptr();
            (*event).data = self.ident.get().cast();
        }
        event
    }
}

/// nginx's entry: the event is the first field of a `LoopEvent`.
unsafe extern "C" fn run(event: *mut ngx_event_t) {
    // SAFETY: installed by event() on the event of a static LoopEvent, whose
    // function's offset is known to the compiler.
    let this = unsafe {
        let offset = mem::offset_of!(LoopEvent, event);
        &*event.cast::<u8>().sub(offset).cast::<LoopEvent>()
    };
    guard("the event loop's turn", (), this.run);
}
