//! nginx's cached clock.

use ngx::ffi::{
    ngx_cached_http_log_iso8601, ngx_cached_http_log_time, ngx_cached_time,
    ngx_current_msec, ngx_str_t, ngx_time_update,
};

use super::Msec;

/// Seconds since the epoch and milliseconds of that second.
pub fn now() -> (i64, u32) {
    // SAFETY: ngx_cached_time points into nginx's static ring of time slots;
    // signal handlers switch the pointer but never free or tear a slot in use.
    let t = unsafe { &*ngx_cached_time };
    (t.sec, t.msec as u32)
}

/// The offset of local time from UTC, in minutes.
pub fn gmtoff_minutes() -> i64 {
    // SAFETY: as in now().
    unsafe { (*ngx_cached_time).gmtoff as i64 }
}

/// Local time as in an access log: `22/Nov/2026:07:03:51 +0000`.
pub fn log_time() -> &'static [u8] {
    // SAFETY: as in kept().
    unsafe { kept(&raw const ngx_cached_http_log_time) }
}

/// The same as `2026-11-22T07:03:51+00:00`.
pub fn log_iso8601() -> &'static [u8] {
    // SAFETY: as in kept().
    unsafe { kept(&raw const ngx_cached_http_log_iso8601) }
}

/// # Safety
/// - `text` is one of nginx's cached times: its bytes are in a static ring of 64,
///   each in use for a second or more, and a caller uses them at once.
unsafe fn kept(text: *const ngx_str_t) -> &'static [u8] {
    // SAFETY: the caller's promise; the length never changes.
    unsafe { std::slice::from_raw_parts((*text).data, (*text).len) }
}

/// The monotonic clock that timers use.
#[inline]
pub fn current_msec() -> Msec {
    // SAFETY: a word-sized static that only this thread writes.
    unsafe { ngx_current_msec }
}

/// Milliseconds left until `deadline`, if it has not come.
#[inline]
pub fn left_until(deadline: Msec) -> Option<Msec> {
    let left = deadline.wrapping_sub(current_msec()) as isize;
    (left > 0).then_some(left as Msec)
}

/// Reads the system's clock into the cache.
pub fn update() {
    // SAFETY: callable at any time from the event loop's thread.
    unsafe { ngx_time_update() }
}

/// Sleeps, and reads the clock: for a process without an event loop.
pub fn sleep(msec: Msec) {
    std::thread::sleep(std::time::Duration::from_millis(msec as u64));
    update();
}
