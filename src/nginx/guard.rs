//! The fence at every entry from nginx into Rust.
//!
//! A panic that unwound into nginx's frames would abort the worker and with it
//! all connections. Here it is logged at level alert and turned into a value.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::log::{Level, Log};

/// Runs `f`; after a panic logs it and returns `None`.
#[inline]
pub fn guard<R>(f: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => Some(value),
        Err(payload) => {
            report(payload);
            None
        }
    }
}

/// Logs what a panic said.
#[cold]
pub fn report(payload: Box<dyn Any + Send>) {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Log::cycle().write(Level::Alert, 0, format_args!("panic in the tcp module: {text}"));
    // A payload whose own drop panics must not end the worker either.
    std::mem::forget(payload);
}
