//! The events and timers of a connection.

use ngx::ffi::{
    NGX_OK, ngx_add_timer, ngx_connection_t, ngx_del_timer, ngx_event_t,
    ngx_handle_read_event, ngx_handle_write_event, ngx_post_event, ngx_posted_events,
    ngx_posted_next_events, ngx_use_accept_mutex,
};

use super::Connection;
use crate::nginx::time::current_msec;
use crate::nginx::{Msec, event};

impl Connection {
    /// Whether the last event (or nobody yet) said there is something to read.
    #[inline]
    pub fn read_ready(&self) -> bool {
        // SAFETY: live until close().
        self.get().is_some_and(|c| unsafe { (*(*c).read).ready() != 0 })
    }

    /// Makes the next receive try the socket, or wait for an event.
    pub fn set_read_ready(&self, ready: bool) {
        if let Some(c) = self.get() {
            // SAFETY: live until close().
            unsafe { (*(*c).read).set_ready(ready as _) };
        }
    }

    /// Asks for read events. With an edge-triggered method this is a system
    /// call only the first time; with a level-triggered one it also stops
    /// events that nobody takes. False: nginx could not.
    #[inline]
    pub fn watch_read(&self) -> bool {
        // SAFETY: live until close().
        self.get().is_some_and(|c| unsafe {
            let rev = (*c).read;
            (*rev).active() != 0 && (*rev).ready() == 0
                || ngx_handle_read_event(rev, 0) == NGX_OK as isize
        })
    }

    /// Asks for write events.
    pub fn watch_write(&self) -> bool {
        // SAFETY: live until close().
        self.get().is_some_and(|c| unsafe {
            (*(*c).write).handler = self.on_write.get();
            ngx_handle_write_event((*c).write, 0) == NGX_OK as isize
        })
    }

    /// Lets nobody be told of write events: an edge-triggered method that was
    /// once asked for them tells with each packet that the other side sends.
    pub fn ignore_write(&self) -> bool {
        if self.tls_waits_to_write() {
            return self.watch_write();
        }
        // SAFETY: live until close(). What a level-triggered method is told
        // here is that nobody wants more of them.
        self.get().is_some_and(|c| unsafe {
            (*(*c).write).handler = Some(on_nothing);
            ngx_handle_write_event((*c).write, 0) == NGX_OK as isize
        })
    }

    /// Runs on_read later in this turn if workers take turns at accepting:
    /// this one holds the accept mutex now, and the others wait for it. False
    /// if they do not, or this is after a handshake.
    pub fn post_after_accept(&self) -> bool {
        // SAFETY: the event is live; ngx_close_connection() takes posted
        // events off their queue.
        self.get().is_some_and(|c| unsafe {
            let posts = ngx_use_accept_mutex != 0 && !self.is_established();
            if posts {
                ngx_post_event((*c).read, &raw mut ngx_posted_events);
            }
            posts
        })
    }

    /// Runs on_read in the next turn of the event loop.
    pub fn post_read(&self) {
        if let Some(c) = self.get() {
            // SAFETY: the event is live; ngx_close_connection() takes posted
            // events off their queue.
            unsafe {
                hold_worker(c);
                ngx_post_event((*c).read, &raw mut ngx_posted_next_events);
            }
        }
    }

    /// As post_write_soon(), for on_read.
    #[inline]
    pub fn post_read_soon(&self) {
        if !event::is_looping() {
            return self.post_read();
        }
        if let Some(c) = self.get() {
            // SAFETY: as in post_write_soon().
            unsafe { ngx_post_event((*c).read, &raw mut ngx_posted_events) };
        }
    }

    /// Runs on_write in the next turn of the event loop.
    pub fn post_write(&self) {
        if let Some(c) = self.get() {
            // SAFETY: as in post_read().
            unsafe {
                (*(*c).write).handler = self.on_write.get();
                hold_worker(c);
                ngx_post_event((*c).write, &raw mut ngx_posted_next_events);
            }
        }
    }

    /// Runs on_write later in this turn of the event loop, before that waits; in
    /// the next one where no turn is under way.
    #[inline]
    pub fn post_write_soon(&self) {
        if !event::is_looping() {
            return self.post_write();
        }
        if let Some(c) = self.get() {
            // SAFETY: as in post_read(). What a turn's events and timers post is
            // run after them, and what that posts, too:
            // ngx_process_events_and_timers() and ngx_event_process_posted().
            unsafe {
                (*(*c).write).handler = self.on_write.get();
                ngx_post_event((*c).write, &raw mut ngx_posted_events);
            }
        }
    }

    /// Makes the read timer fire in `msec` or before; see `Deadline`.
    #[inline]
    pub fn arm_read_timer(&self, msec: Msec) {
        if let Some(c) = self.get() {
            // SAFETY: live until close().
            unsafe { arm_early((*c).read, msec) };
        }
    }

    /// Makes the write timer fire in `msec` or before.
    pub fn arm_write_timer(&self, msec: Msec) {
        if let Some(c) = self.get() {
            // SAFETY: live until close().
            unsafe { arm_early((*c).write, msec) };
        }
    }

    /// Takes the read timer out of nginx's tree.
    pub fn cancel_read_timer(&self) {
        if let Some(c) = self.get() {
            // SAFETY: live until close(); deleted only if it is set.
            unsafe {
                if (*(*c).read).timer_set() != 0 {
                    ngx_del_timer((*c).read);
                }
            }
        }
    }

    /// Takes the write timer out of nginx's tree.
    pub fn cancel_write_timer(&self) {
        if let Some(c) = self.get() {
            // SAFETY: as in cancel_read_timer().
            unsafe {
                if (*(*c).write).timer_set() != 0 {
                    ngx_del_timer((*c).write);
                }
            }
        }
    }

    /// Whether on_read was called because the timer fired; clears the mark.
    #[inline]
    pub fn take_read_timedout(&self) -> bool {
        // SAFETY: live until close().
        self.get().is_some_and(|c| unsafe {
            let fired = (*(*c).read).timedout() != 0;
            if fired {
                (*(*c).read).set_timedout(0);
            }
            fired
        })
    }

    /// Whether on_write was called because the timer fired; clears the mark.
    pub fn take_write_timedout(&self) -> bool {
        // SAFETY: live until close().
        self.get().is_some_and(|c| unsafe {
            let fired = (*(*c).write).timedout() != 0;
            (*(*c).write).set_timedout(0);
            fired
        })
    }

    /// nginx wants the connection closed: it is out of connections or quits.
    #[inline]
    pub fn close_requested(&self) -> bool {
        // SAFETY: live until close().
        self.get().is_some_and(|c| unsafe { (*c).close() != 0 })
    }
}

unsafe extern "C" fn on_nothing(_: *mut ngx_event_t) {}

/// Nobody is told of its events any more, those that are posted included.
///
/// # Safety
/// - `c` is live.
pub(super) unsafe fn silence(c: *mut ngx_connection_t) {
    // SAFETY: the caller's duty; a posted event is in a queue, which it is taken out of
    // as by the macro ngx_delete_posted_event.
    unsafe {
        for event in [(*c).read, (*c).write] {
            (*event).handler = Some(on_nothing);
            if (*event).posted() != 0 {
                (*event).set_posted(0);
                let queue = &raw mut (*event).queue;
                (*(*queue).next).prev = (*queue).prev;
                (*(*queue).prev).next = (*queue).next;
            }
        }
    }
}

/// Arms `event` so that it fires in `msec` at the latest. One that is armed
/// earlier stays: its handler finds that the time is not over and arms it
/// anew, which costs less than a change of the timer tree for every wait.
#[inline]
unsafe fn arm_early(event: *mut ngx_event_t, msec: Msec) {
    // SAFETY: the caller's event is live.
    unsafe {
        if (*event).timer_set() != 0 {
            let left = (*event).timer.key.wrapping_sub(current_msec()) as isize;
            if left <= msec as isize {
                return;
            }
            ngx_del_timer(event);
        }
        ngx_add_timer(event, msec);
    }
}

/// An exiting worker waits for connections that have a timer, and not for
/// posted events: gives the connection a timer if it has none. It fires late
/// or never; the write handler takes it for an event.
///
/// # Safety
/// - `c` is live.
unsafe fn hold_worker(c: *mut ngx_connection_t) {
    const LONG: Msec = 60_000;
    // SAFETY: `c` and its events are live by the caller's duty.
    unsafe {
        if (*(*c).read).timer_set() == 0 && (*(*c).write).timer_set() == 0 {
            ngx_add_timer((*c).write, LONG);
        }
    }
}
