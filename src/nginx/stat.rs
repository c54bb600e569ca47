//! The counters behind `stub_status`, where nginx was built with them.
//!
//! `waiting` is counted by nginx itself, through `ngx_reusable_connection()`.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::local::Local;
use super::symbol::lookup;

/// One of nginx's shared counters.
pub struct Counter {
    symbol: &'static std::ffi::CStr,
    // None: not looked up yet; Some(null): this nginx has no stub_status.
    address: Local<Cell<Option<*const *const AtomicUsize>>>,
}

/// Connections that nginx accepted and nobody closed.
pub static ACTIVE: Counter = Counter::new(c"ngx_stat_active");
/// Connections with an open light session.
pub static READING: Counter = Counter::new(c"ngx_stat_reading");
/// Light sessions begun so far.
pub static REQUESTS: Counter = Counter::new(c"ngx_stat_requests");

impl Counter {
    const fn new(symbol: &'static std::ffi::CStr) -> Self {
        Self { symbol, address: Local::new(Cell::new(None)) }
    }

    /// Adds one.
    pub fn increment(&self) {
        if let Some(n) = self.get() {
            n.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes one off.
    pub fn decrement(&self) {
        if let Some(n) = self.get() {
            n.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn get(&self) -> Option<&'static AtomicUsize> {
        let address = self.address.get().unwrap_or_else(|| {
            let found = lookup(self.symbol)
                .map_or(std::ptr::null(), |p| p.as_ptr().cast_const().cast());
            self.address.set(Some(found));
            found
        });
        if address.is_null() {
            return None;
        }
        // SAFETY: the symbol is nginx's `ngx_atomic_t *ngx_stat_x`; it points
        // to shared memory (or a static) that lives as long as the process,
        // and every process changes it by atomic instructions only.
        unsafe { (*address).as_ref() }
    }
}
