//! The one place where a Rust panic meets nginx: every C entry point runs its
//! body through `guard`, so that a bug costs one directive or one connection
//! and never the worker.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ngx::ffi::{NGX_LOG_ALERT, ngx_cycle, ngx_log_error_core};

/// Runs `f`; a panic is logged at alert as `panic in WHAT` and gives `on_panic`.
pub fn guard<T>(what: &str, on_panic: T, f: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => value,
        Err(payload) => {
            alert(&format!("panic in {what}: {}", message(payload.as_ref())));
            // Dropping a payload may panic again; leaking one is harmless.
            std::mem::forget(payload);
            on_panic
        }
    }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        return text;
    }
    payload.downcast_ref::<String>().map_or("unknown reason", String::as_str)
}

fn alert(text: &str) {
    // SAFETY: ngx_cycle is set before any module is loaded and always has a
    // log; the format takes a length and as many bytes.
    unsafe {
        let log = (*ngx_cycle).log;
        let level = NGX_LOG_ALERT as usize;
        ngx_log_error_core(level, log, 0, c"%*s".as_ptr(), text.len(), text.as_ptr());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_panic() {
        let text = |f: fn()| {
            let payload = catch_unwind(f).expect_err("panics");
            message(payload.as_ref()).to_owned()
        };
        assert_eq!(text(|| panic!("plain")), "plain");
        assert_eq!(text(|| panic!("with {}", 1)), "with 1");
        assert_eq!(text(|| std::panic::panic_any(7)), "unknown reason");
    }
}
