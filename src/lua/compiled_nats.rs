//! Functions of NATS that Lua calls by FFI, as those of `compiled`: the usual case
//! of what the natives of `src/api/nats.rs` do. They say whether it was one.

use std::ffi::{c_char, c_int, c_void};

use crate::nginx::guard::guard;

/// How long what a call answers with may be: Lua's buffer.
pub const BUFFER_SIZE: usize = 65536;
/// The longest subject of a reply among it.
pub const MAX_REPLY: usize = 4095;

/// What a message brings that is of the subject and subscription that were asked
/// for: so much payload in the buffer, and behind it so long a subject to reply to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub payload: usize,
    pub reply: usize,
}

/// The layer above, which knows connections by number.
pub trait Connections: 'static {
    /// Publishes; false: nothing was done.
    fn publish(
        id: f64,
        subject: &[u8],
        reply: Option<&[u8]>,
        payload: &[u8],
        headers: Option<&[u8]>,
    ) -> bool;
    /// The next frame, if it is such a message; None: it is still there.
    fn message(id: f64, subject: &[u8], sid: &[u8], out: &mut [u8]) -> Option<Found>;
}

/// The functions, by name.
pub fn functions<T: Connections>() -> [(&'static str, *mut c_void); 2] {
    [("publish", publish::<T> as *mut c_void), ("message", message::<T> as *mut c_void)]
}

/// # Safety
/// - as for `bytes` of `compiled`.
#[inline(always)]
unsafe fn bytes<'a>(data: *const c_char, len: usize) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    // SAFETY: the caller's duty.
    unsafe { std::slice::from_raw_parts(data.cast(), len) }
}

// lua/resty/nats/frames.lua alone calls these: with strings that are arguments or
// locals there, and so alive, and a buffer of BUFFER_SIZE.

#[inline(always)]
fn given(bytes: &[u8]) -> Option<&[u8]> {
    (!bytes.is_empty()).then_some(bytes)
}

/// 1 if it has published. Without reply or headers these are empty.
#[allow(clippy::too_many_arguments)]
unsafe extern "C" fn publish<T: Connections>(
    id: f64,
    subject: *const c_char,
    subject_len: usize,
    reply: *const c_char,
    reply_len: usize,
    payload: *const c_char,
    payload_len: usize,
    headers: *const c_char,
    headers_len: usize,
) -> c_int {
    // SAFETY: see above.
    let (subject, reply, payload, headers) = unsafe {
        (
            bytes(subject, subject_len),
            bytes(reply, reply_len),
            bytes(payload, payload_len),
            bytes(headers, headers_len),
        )
    };
    guard("a publisher", 0, || {
        c_int::from(T::publish(id, subject, given(reply), payload, given(headers)))
    })
}

/// The length of the payload, and 131072 times that of the reply's subject; -1 if
/// there is no such message.
unsafe extern "C" fn message<T: Connections>(
    id: f64,
    subject: *const c_char,
    subject_len: usize,
    sid: *const c_char,
    sid_len: usize,
    out: *mut u8,
) -> c_int {
    // SAFETY: see above.
    let (subject, sid, out) = unsafe {
        (
            bytes(subject, subject_len),
            bytes(sid, sid_len),
            std::slice::from_raw_parts_mut(out, BUFFER_SIZE),
        )
    };
    guard("a subscriber", -1, || match T::message(id, subject, sid, out) {
        Some(found) => (found.payload + (found.reply << 17)) as c_int,
        None => -1,
    })
}
