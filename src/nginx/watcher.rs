//! Learning that the worker begins to exit.
//!
//! nginx tells idle connections, by an event with `close` set, and nobody else.
//! So one of the worker's connections is taken for that, without a socket.

use std::cell::Cell;
use std::ptr;

use ngx::ffi::{
    ngx_connection_t, ngx_cycle, ngx_event_t, ngx_free_connection, ngx_get_connection,
};

use super::cycle;
use super::guard::guard;
use super::local::Local;
use super::log::Log;

/// Neither a socket nor -1, by which nginx knows connections that are free.
const NO_SOCKET: i32 = -2;

struct Watcher {
    connection: Cell<*mut ngx_connection_t>,
    run: Cell<fn()>,
}

static WATCHER: Local<Watcher> =
    Local::new(Watcher { connection: Cell::new(ptr::null_mut()), run: Cell::new(|| {}) });

/// Calls `run` once, when the worker begins to exit gracefully. False: nginx
/// has no free connection for that.
pub fn watch_exit(run: fn()) -> bool {
    if cycle::exiting() || !WATCHER.connection.get().is_null() {
        return true;
    }
    // SAFETY: the running cycle and its connections. nginx notes the connection
    // under its socket, which is not one: that place is given back.
    let c = unsafe {
        let files = (*ngx_cycle).files;
        let noted = if files.is_null() { ptr::null_mut() } else { *files };
        let c = ngx_get_connection(0, Log::cycle().as_ptr());
        if !files.is_null() {
            *files = noted;
        }
        c
    };
    if c.is_null() {
        return false;
    }
    // SAFETY: a fresh connection of ours, with its events.
    unsafe {
        (*c).fd = NO_SOCKET;
        (*c).set_idle(1);
        (*(*c).read).handler = Some(on_event);
    }
    WATCHER.connection.set(c);
    WATCHER.run.set(run);
    true
}

/// Gives the connection back.
pub fn stop() {
    let c = WATCHER.connection.replace(ptr::null_mut());
    if !c.is_null() {
        // SAFETY: ours since watch_exit(), given back once; nginx looks under
        // its socket, which has to be a number that is one.
        unsafe {
            (*c).set_idle(0);
            (*c).fd = 0;
            ngx_free_connection(c);
            (*c).fd = -1;
        }
    }
}

unsafe extern "C" fn on_event(event: *mut ngx_event_t) {
    // SAFETY: nginx calls with the read event of the connection.
    let closing = unsafe {
        let c: *mut ngx_connection_t = (*event).data.cast();
        (*c).close() != 0
    };
    if closing {
        stop();
        guard("the begin of a worker's exit", (), WATCHER.run.get());
    }
}
