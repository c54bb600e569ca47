//! Symbols that the running nginx or LuaJIT may lack.
//!
//! nginx opens modules with RTLD_NOW: a single missing symbol stops
//! `load_module`, so what is optional is looked up once, here.

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

/// The address of `name` in the process, if something defines it.
pub fn lookup(name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: dlsym reads the NUL-terminated name and returns an address or null.
    NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) })
}
