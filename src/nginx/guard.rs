//! The one place where a Rust panic meets nginx: every C entry point runs its
//! body through `guard`, so that a bug costs one directive or one connection
//! and never the worker.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use super::log::{Level, Log};

/// Runs `f`; a panic is logged at alert as `panic in WHAT` and gives `on_panic`.
pub fn guard<T>(what: &str, on_panic: T, f: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => value,
        Err(payload) => {
            report(what, payload);
            on_panic
        }
    }
}

/// Logs what a panic said.
#[cold]
pub fn report(what: &str, payload: Box<dyn Any + Send>) {
    Log::cycle().write(
        Level::Alert,
        0,
        format_args!("panic in {what}: {}", message(payload.as_ref())),
    );
    // Dropping a payload may panic again; leaking one is harmless.
    std::mem::forget(payload);
}

/// Makes panics say where they happened in the log instead of on stderr.
pub fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            if let Some(place) = info.location() {
                let (file, line) = (place.file(), place.line());
                Log::cycle().write(
                    Level::Alert,
                    0,
                    format_args!("panicked at {file}:{line}"),
                );
            }
        }));
    });
}

fn message(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        return text;
    }
    payload.downcast_ref::<String>().map_or("unknown reason", String::as_str)
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
