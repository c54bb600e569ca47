//! What OpenSSL says went wrong.

use std::ffi::{CStr, c_char, c_int, c_ulong};
use std::ptr;

use super::openssl::{ERR_LIB_SSL, ERR_R_ASN1_LIB, Functions, REASON_MASK, SSL_REASONS};

/// ERR_TXT_STRING of err.h: an error's data is text.
const ERR_TXT_STRING: c_int = 0x02;

/// Empties OpenSSL's queue: what one connection leaves there the next one takes for its
/// own, and nginx's TLS writes to its log, as an alert. To look first costs a quarter, and
/// nearly always there is nothing.
#[inline]
pub fn clear_errors(api: &Functions) {
    // SAFETY: the queue is this thread's.
    unsafe {
        if (api.ERR_peek_error)() != 0 {
            (api.ERR_clear_error)();
        }
    }
}

/// Takes all errors out of OpenSSL's queue, as nginx writes them to its log:
/// ` (SSL: error:0A000086:SSL routines::certificate verify failed ...)`.
pub fn take_errors(api: &Functions) -> String {
    let mut text = String::new();
    // SAFETY: the queue is this thread's; ERR_error_string_n() writes at most
    // the buffer's length with a NUL; the data belongs to the error, which is
    // taken afterwards.
    unsafe {
        while (api.ERR_peek_error)() != 0 {
            let mut data: *const c_char = ptr::null();
            let mut flags = 0;
            if let Some(error_data) = api.error_data {
                error_data(&raw mut data, &raw mut flags);
            }
            let data = (!data.is_null() && flags & ERR_TXT_STRING != 0)
                .then(|| CStr::from_ptr(data).to_string_lossy().into_owned());
            let mut line = [0 as c_char; 256];
            let error = (api.ERR_get_error)();
            (api.ERR_error_string_n)(error, line.as_mut_ptr(), line.len());
            text.push_str(if text.is_empty() { " (SSL: " } else { " " });
            text.push_str(&CStr::from_ptr(line.as_ptr()).to_string_lossy());
            if let Some(data) = data.filter(|data| !data.is_empty()) {
                text.push(':');
                text.push_str(&data);
            }
        }
    }
    if !text.is_empty() {
        text.push(')');
    }
    text
}

/// Whether what the queue ends with is the other side's doing: it speaks no TLS, or
/// not as agreed, or what it has shown is no certificate. All else is ours, as memory
/// that is missing.
pub fn is_peers_fault(api: &Functions) -> bool {
    last_reason(api).is_some_and(|reason| {
        SSL_REASONS.contains(&reason) || reason & REASON_MASK == ERR_R_ASN1_LIB
    })
}

/// Why the SSL library has given up, if that is the last in the queue.
pub fn last_reason(api: &Functions) -> Option<c_ulong> {
    // SAFETY: the queue is this thread's.
    let last = unsafe { (api.ERR_peek_last_error)() };
    let (library, reason) = api.library_and_reason(last);
    (library == ERR_LIB_SSL).then_some(reason)
}
