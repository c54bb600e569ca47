//! The counters of stub_status. An nginx built without them lacks the symbols,
//! and a missing symbol would stop `load_module`: so they are looked up once.

use std::ffi::CStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The symbol `ngx_stat_active` is a pointer variable that nginx moves to
/// shared memory once, when it starts.
struct Symbol(*mut *const AtomicUsize);

// SAFETY: the address of a variable of the nginx binary, good in any thread.
unsafe impl Send for Symbol {}
// SAFETY: as above; what it points to is only changed atomically.
unsafe impl Sync for Symbol {}

static ACTIVE: OnceLock<Option<Symbol>> = OnceLock::new();

/// Takes a connection that nginx accepted for us off `Active connections`.
pub fn connection_closed() {
    if let Some(active) = ACTIVE.get_or_init(|| find(c"ngx_stat_active")) {
        // SAFETY: nginx's variable always points to a counter, first to one of
        // its own and after ngx_event_module_init to one in shared memory.
        unsafe { (**active.0).fetch_sub(1, Ordering::SeqCst) };
    }
}

fn find(name: &CStr) -> Option<Symbol> {
    // SAFETY: the name is NUL-terminated.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!symbol.is_null()).then(|| Symbol(symbol.cast()))
}
