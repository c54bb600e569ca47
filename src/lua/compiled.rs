//! Functions that Lua calls by FFI: LuaJIT compiles such a call, at a tenth of
//! the cost of a C function's. They take plain words and answer with a number
//! and a struct that `lua/shared.lua` knows; none raises or calls Lua.
//!
//! What they work on is an `Object`, which the layer above implements: its
//! address is the handle that Lua holds.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use crate::nginx::guard::guard;

/// What a call answers with, beside its number.
#[derive(Debug)]
#[repr(C)]
pub struct Reply {
    buffer: *mut u8,
    bytes: *const u8,
    pub number: f64,
    len: u32,
    pub flags: u32,
    pub stale: u32,
    pub forced: u32,
}

/// The longest string that goes into Lua's buffer: as long as a key may be.
pub const BUFFER_SIZE: usize = 65536;

impl Reply {
    /// Where a string may be written that is not longer. Lua reads it before it
    /// makes the next call.
    #[inline(always)]
    pub fn buffer(&mut self) -> &mut [u8] {
        // SAFETY: lua/shared.lua has set the address, of an array that lives as
        // long as the struct; self is borrowed for as long as the slice.
        unsafe { std::slice::from_raw_parts_mut(self.buffer, BUFFER_SIZE) }
    }

    /// Answers with the first `len` bytes of the buffer.
    #[inline(always)]
    pub fn set_len(&mut self, len: usize) {
        self.len = len as u32;
    }

    /// Answers with a string that is longer; Lua frees it.
    pub fn set_long(&mut self, bytes: Box<[u8]>) {
        self.set_len(bytes.len());
        self.bytes = Box::leak(bytes).as_ptr();
    }
}

/// A value among the arguments.
#[derive(Clone, Copy, Debug)]
pub enum Argument<'a> {
    Str(&'a [u8]),
    Number(f64),
    Boolean(bool),
}

/// Strings, for which Lua asks one by one.
pub struct Strings {
    rest: Box<dyn Iterator<Item = Vec<u8>>>,
}

impl Strings {
    pub fn new(strings: impl Iterator<Item = Vec<u8>> + 'static) -> Strings {
        Strings { rest: Box::new(strings) }
    }
}

/// What compiled code works on. Numbers mean what `lua/shared.lua` says.
pub trait Object: 'static {
    fn get(&self, key: &[u8], reply: &mut Reply) -> i32;
    fn get_stale(&self, key: &[u8], reply: &mut Reply) -> i32;
    fn store(&self, key: &[u8], value: Argument, mode: u32, ttl: f64, flags: u32) -> i32;
    fn delete(&self, key: &[u8]) -> i32;
    fn incr(
        &self,
        key: &[u8],
        by: f64,
        init: Option<(f64, f64)>,
        reply: &mut Reply,
    ) -> i32;
    fn push(&self, key: &[u8], value: Argument, side: i32, reply: &mut Reply) -> i32;
    fn pop(&self, key: &[u8], side: i32, reply: &mut Reply) -> i32;
    fn len(&self, key: &[u8], reply: &mut Reply) -> i32;
    fn ttl(&self, key: &[u8], reply: &mut Reply) -> i32;
    fn expire(&self, key: &[u8], ttl: f64) -> i32;
    fn keys(&self, max: f64) -> Strings;
    fn whole(&self, what: i32, number: f64, reply: &mut Reply) -> i32;
}

/// The handle of an object; the object outlives the VM.
pub fn handle<T: Object>(object: &'static T) -> *mut c_void {
    ptr::from_ref(object).cast_mut().cast()
}

/// The functions, by name.
pub fn functions<T: Object>() -> [(&'static str, *mut c_void); 18] {
    [
        ("get", get::<T> as *mut c_void),
        ("get_stale", get_stale::<T> as *mut c_void),
        ("store", store::<T> as *mut c_void),
        ("store_number", store_number::<T> as *mut c_void),
        ("delete", delete::<T> as *mut c_void),
        ("incr", incr::<T> as *mut c_void),
        ("incr_init", incr_init::<T> as *mut c_void),
        ("push", push::<T> as *mut c_void),
        ("push_number", push_number::<T> as *mut c_void),
        ("pop", pop::<T> as *mut c_void),
        ("len", len::<T> as *mut c_void),
        ("ttl", ttl::<T> as *mut c_void),
        ("expire", expire::<T> as *mut c_void),
        ("keys", keys::<T> as *mut c_void),
        ("next_key", next_key as *mut c_void),
        ("free_keys", free_keys as *mut c_void),
        ("free", free as *mut c_void),
        ("whole", whole::<T> as *mut c_void),
    ]
}

/// What a call answers that ended in a panic, which is logged.
const FAILED: c_int = -1;

/// Calls `f`.
#[inline(always)]
fn call(f: impl FnOnce() -> i32) -> c_int {
    guard("a shared dictionary", FAILED, f)
}

/// The bytes of a Lua string.
///
/// # Safety
/// - `len` bytes at `data` stay there for the call.
#[inline(always)]
unsafe fn bytes<'a>(data: *const c_char, len: usize) -> &'a [u8] {
    // SAFETY: the caller's duty; an empty string of Lua's has an address, too.
    unsafe { std::slice::from_raw_parts(data.cast(), len) }
}

// lua/shared.lua alone calls these: with handles that handle() made of objects
// that outlive the VM, its own struct for the reply, and strings that are
// arguments or locals there, and so alive.

unsafe extern "C" fn get<T: Object>(
    object: *const T,
    key: *const c_char,
    key_len: usize,
    reply: *mut Reply,
) -> c_int {
    // SAFETY: see above.
    let (object, key, reply) = unsafe { (&*object, bytes(key, key_len), &mut *reply) };
    call(|| object.get(key, reply))
}

unsafe extern "C" fn get_stale<T: Object>(
    object: *const T,
    key: *const c_char,
    key_len: usize,
    reply: *mut Reply,
) -> c_int {
    // SAFETY: see above.
    let (object, key, reply) = unsafe { (&*object, bytes(key, key_len), &mut *reply) };
    call(|| object.get_stale(key, reply))
}

#[allow(clippy::too_many_arguments)]
unsafe extern "C" fn store<T: Object>(
    object: *const T,
    key: *const c_char,
    key_len: usize,
    value: *const c_char,
    value_len: usize,
    mode: c_int,
    ttl: f64,
    flags: u32,
) -> c_int {
    // SAFETY: see above.
    let (object, key) = unsafe { (&*object, bytes(key, key_len)) };
    // SAFETY: see above.
    let value = Argument::Str(unsafe { bytes(value, value_len) });
    call(|| object.store(key, value, mode as u32, ttl, flags))
}

/// Of a boolean, if `is_boolean` says so.
#[allow(clippy::too_many_arguments)]
unsafe extern "C" fn store_number<T: Object>(
    object: *const T,
    key: *const c_char,
    key_len: usize,
    number: f64,
    is_boolean: c_int,
    mode: c_int,
    ttl: f64,
    flags: u32,
) -> c_int {
    // SAFETY: see above.
    let (object, key) = unsafe { (&*object, bytes(key, key_len)) };
    let value = match is_boolean {
        0 => Argument::Number(number),
        _ => Argument::Boolean(number != 0.0),
    };
    call(|| object.store(key, value, mode as u32, ttl, flags))
}

unsafe extern "C" fn delete<T: Object>(
    object: *const T,
    key: *const c_char,
    key_len: usize,
) -> c_int {
    // SAFETY: see above.
    let (object, key) = unsafe { (&*object, bytes(key, key_len)) };
    call(|| object.delete(key))
}

unsafe extern "C" fn incr<T: Object>(
    object: *const T,
    key: *const c_char,
    key_len: usize,
    by: f64,
    reply: *mut Reply,
) -> c_int {
    // SAFETY: see above.
    let (object, key, reply) = unsafe { (&*object, bytes(key, key_len), &mut *reply) };
    call(|| object.incr(key, by, None, reply))
}

unsafe extern "C" fn incr_init<T: Object>(
    object: *const T,
    key: *const c_char,
    key_len: usize,
    by: f64,
    init: f64,
    ttl: f64,
    reply: *mut Reply,
) -> c_int {
    // SAFETY: see above.
    let (object, key, reply) = unsafe { (&*object, bytes(key, key_len), &mut *reply) };
    call(|| object.incr(key, by, Some((init, ttl)), reply))
}

unsafe extern "C" fn push<T: Object>(
    object: *const T,
    key: *const c_char,
    key_len: usize,
    value: *const c_char,
    value_len: usize,
    side: c_int,
    reply: *mut Reply,
) -> c_int {
    // SAFETY: see above.
    let (object, key, reply) = unsafe { (&*object, bytes(key, key_len), &mut *reply) };
    // SAFETY: see above.
    let value = Argument::Str(unsafe { bytes(value, value_len) });
    call(|| object.push(key, value, side, reply))
}

unsafe extern "C" fn push_number<T: Object>(
    object: *const T,
    key: *const c_char,
    key_len: usize,
    number: f64,
    side: c_int,
    reply: *mut Reply,
) -> c_int {
    // SAFETY: see above.
    let (object, key, reply) = unsafe { (&*object, bytes(key, key_len), &mut *reply) };
    call(|| object.push(key, Argument::Number(number), side, reply))
}

unsafe extern "C" fn pop<T: Object>(
    object: *const T,
    key: *const c_char,
    key_len: usize,
    side: c_int,
    reply: *mut Reply,
) -> c_int {
    // SAFETY: see above.
    let (object, key, reply) = unsafe { (&*object, bytes(key, key_len), &mut *reply) };
    call(|| object.pop(key, side, reply))
}

unsafe extern "C" fn len<T: Object>(
    object: *const T,
    key: *const c_char,
    key_len: usize,
    reply: *mut Reply,
) -> c_int {
    // SAFETY: see above.
    let (object, key, reply) = unsafe { (&*object, bytes(key, key_len), &mut *reply) };
    call(|| object.len(key, reply))
}

unsafe extern "C" fn ttl<T: Object>(
    object: *const T,
    key: *const c_char,
    key_len: usize,
    reply: *mut Reply,
) -> c_int {
    // SAFETY: see above.
    let (object, key, reply) = unsafe { (&*object, bytes(key, key_len), &mut *reply) };
    call(|| object.ttl(key, reply))
}

unsafe extern "C" fn expire<T: Object>(
    object: *const T,
    key: *const c_char,
    key_len: usize,
    ttl: f64,
) -> c_int {
    // SAFETY: see above.
    let (object, key) = unsafe { (&*object, bytes(key, key_len)) };
    call(|| object.expire(key, ttl))
}

unsafe extern "C" fn keys<T: Object>(object: *const T, max: f64) -> *mut Strings {
    // SAFETY: see above.
    let object = unsafe { &*object };
    let none = Strings::new(std::iter::empty());
    let strings = guard("a shared dictionary", none, || object.keys(max));
    Box::into_raw(Box::new(strings))
}

unsafe extern "C" fn next_key(strings: *mut Strings, buffer: *mut u8) -> c_int {
    // SAFETY: made by keys() and not freed yet; the buffer is Lua's.
    let (strings, buffer) =
        unsafe { (&mut *strings, std::slice::from_raw_parts_mut(buffer, BUFFER_SIZE)) };
    call(|| match strings.rest.next() {
        Some(string) => {
            buffer[..string.len()].copy_from_slice(&string);
            string.len() as i32
        }
        None => 0,
    })
}

unsafe extern "C" fn free_keys(strings: *mut Strings) -> c_int {
    // SAFETY: made by keys(); Lua has done with it.
    drop(unsafe { Box::from_raw(strings) });
    0
}

unsafe extern "C" fn free(bytes: *mut u8, len: f64) -> c_int {
    // SAFETY: leaked by Reply::set_long(), with this length.
    drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(bytes, len as usize)) });
    0
}

unsafe extern "C" fn whole<T: Object>(
    object: *const T,
    what: c_int,
    number: f64,
    reply: *mut Reply,
) -> c_int {
    // SAFETY: see above.
    let (object, reply) = unsafe { (&*object, &mut *reply) };
    call(|| object.whole(what, number, reply))
}
