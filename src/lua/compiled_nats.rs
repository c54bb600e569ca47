//! Functions of NATS that Lua calls by FFI, as those of `compiled`: the usual case
//! of what the natives of `src/api/nats.rs` do. They say whether it was one.

use std::ffi::{c_char, c_int, c_void};

use crate::nginx::guard::guard;

/// How long what a call answers with may be: Lua's buffer.
pub const BUFFER_SIZE: usize = 65536;
/// The longest subject of a reply among it.
pub const MAX_REPLY: usize = 4095;

/// What a message brings: so much payload in the buffer, and behind it so long a
/// subject to reply to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub payload: u32,
    pub reply: u16,
    /// Behind that are subject and sid: they are not those that were expected.
    pub is_other: bool,
}

/// What Lua knows of the buffer beside that.
#[repr(C)]
#[derive(Default)]
pub struct State {
    /// The lengths of subject and sid that were not expected.
    pub subject: c_int,
    pub sid: c_int,
    /// There is a message in it that Lua has not made strings of. Its collector may
    /// run a finalizer at any time until then, which may ask for a message, too.
    is_taken: c_int,
}

/// The layer above, which knows connections by number.
pub trait Connections: 'static {
    /// Publishes; false: nothing was done. `msec` is how long the other side may take
    /// nothing of it, or 0 for the configuration's. A `number` above 0 is the end of
    /// the subject to reply to.
    fn publish(
        id: f64,
        msec: f64,
        subject: &[u8],
        reply: Option<&[u8]>,
        number: f64,
        payload: &[u8],
        headers: Option<&[u8]>,
    ) -> bool;
    /// The next frame, if it is a message without headers that has room; None: it is
    /// still there.
    fn message(
        id: f64,
        subject: &[u8],
        sid: &[u8],
        out: &mut [u8],
        state: &mut State,
    ) -> Option<Found>;
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
// locals there, and so alive, a buffer of BUFFER_SIZE and its state.

#[inline(always)]
fn given(bytes: &[u8]) -> Option<&[u8]> {
    (!bytes.is_empty()).then_some(bytes)
}

/// 1 if it has published. Without reply or headers these are empty.
#[allow(clippy::too_many_arguments)]
unsafe extern "C" fn publish<T: Connections>(
    id: f64,
    msec: f64,
    subject: *const c_char,
    subject_len: usize,
    reply: *const c_char,
    reply_len: usize,
    number: f64,
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
        let (reply, headers) = (given(reply), given(headers));
        c_int::from(T::publish(id, msec, subject, reply, number, payload, headers))
    })
}

/// The length of the payload, and 131072 times that of the reply's subject; -1 if
/// there is no such message, or the buffer is taken. 2^29 more if subject and sid are
/// others.
unsafe extern "C" fn message<T: Connections>(
    id: f64,
    subject: *const c_char,
    subject_len: usize,
    sid: *const c_char,
    sid_len: usize,
    out: *mut u8,
    state: *mut State,
) -> c_int {
    // SAFETY: see above.
    let (subject, sid, out, state) = unsafe {
        (
            bytes(subject, subject_len),
            bytes(sid, sid_len),
            std::slice::from_raw_parts_mut(out, BUFFER_SIZE),
            &mut *state,
        )
    };
    guard("a subscriber", -1, || {
        if state.is_taken != 0 {
            return -1;
        }
        let Some(found) = T::message(id, subject, sid, out, state) else { return -1 };
        state.is_taken = 1;
        let other = u32::from(found.is_other) << 29;
        (found.payload + (u32::from(found.reply) << 17) + other) as c_int
    })
}
