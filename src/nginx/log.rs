//! Writing to nginx's logs.

use std::cell::Cell;
use std::fmt;
use std::ptr::NonNull;

use ngx::ffi::{ngx_cycle, ngx_err_t, ngx_log_error_core, ngx_log_t, ngx_uint_t};

use super::time;

/// How often, in seconds, a log is told what goes wrong time and again.
const COMPLAIN_EVERY: i64 = 60;

/// nginx's levels; ngx.ERR and its like have the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum Level {
    Stderr = 0,
    Emerg = 1,
    Alert = 2,
    Crit = 3,
    Err = 4,
    Warn = 5,
    Notice = 6,
    Info = 7,
    Debug = 8,
}

impl Level {
    /// The level with this number.
    pub fn from_number(n: i64) -> Option<Level> {
        use Level::*;
        [Stderr, Emerg, Alert, Crit, Err, Warn, Notice, Info, Debug]
            .get(usize::try_from(n).ok()?)
            .copied()
    }
}

/// A log that nginx or one of its connections owns.
#[derive(Clone, Copy)]
pub struct Log(NonNull<ngx_log_t>);

/// When something was complained about last.
pub struct Complaint(Cell<i64>);

impl Complaint {
    /// Whether it is time to complain; if so, it is noted.
    pub fn is_due(&self) -> bool {
        let now = time::now().0;
        let due = now - self.0.get() >= COMPLAIN_EVERY;
        if due {
            self.0.set(now);
        }
        due
    }
}

impl Default for Complaint {
    /// Never.
    fn default() -> Complaint {
        Complaint(Cell::new(-COMPLAIN_EVERY))
    }
}

impl Log {
    /// The log of the running cycle.
    pub fn cycle() -> Log {
        // SAFETY: ngx_cycle and its log are set before any module runs.
        unsafe { Log(NonNull::new_unchecked((*ngx_cycle).log)) }
    }

    /// The log of a level of the configuration, if it has one. nginx keeps a
    /// cycle, and so its logs, while it has connections.
    pub fn configured(log: *mut ngx_log_t) -> Option<Log> {
        NonNull::new(log).map(Log)
    }

    /// # Safety
    /// - `log` is not null and outlives every copy of the result.
    pub unsafe fn from_raw(log: *mut ngx_log_t) -> Log {
        // SAFETY: not null, by the caller's duty.
        Log(unsafe { NonNull::new_unchecked(log) })
    }

    /// nginx's own pointer, for calls into nginx.
    pub fn as_ptr(self) -> *mut ngx_log_t {
        self.0.as_ptr()
    }

    /// Whether a line of this level would be written.
    pub fn enabled(self, level: Level) -> bool {
        // SAFETY: the log is live, see from_raw().
        unsafe { self.0.as_ref().log_level >= level as usize }
    }

    /// Writes a line, with the error's text when `errno` is not 0.
    pub fn write(self, level: Level, errno: i32, message: fmt::Arguments<'_>) {
        if !self.enabled(level) {
            return;
        }
        match message.as_str() {
            Some(text) => self.write_bytes(level, errno, text.as_bytes()),
            None => self.write_bytes(level, errno, message.to_string().as_bytes()),
        }
    }

    /// Writes bytes as they are; nginx cuts a line at NGX_MAX_ERROR_STR.
    pub fn write_bytes(self, level: Level, errno: i32, message: &[u8]) {
        if !self.enabled(level) {
            return;
        }
        // SAFETY: the log is live; "%*s" reads exactly `len` bytes from the
        // pointer, both of one slice.
        unsafe {
            ngx_log_error_core(
                level as ngx_uint_t,
                self.0.as_ptr(),
                errno as ngx_err_t,
                c"%*s".as_ptr(),
                message.len(),
                message.as_ptr(),
            );
        }
    }
}
