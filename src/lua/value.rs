//! Values on their way from Rust to Lua.
//!
//! They are `Copy` and own nothing: pushing one can raise a Lua error (out of
//! memory, a failing `__gc`), which unwinds without dropping what Rust holds.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::ptr;

use mlua::ffi as lua;
use mlua::ffi::lua_State;

use super::finalizers;
use crate::nginx::local::Local;

/// A buffer that grew beyond this is freed before its next use.
const MAX_KEPT: usize = 64 * 1024;

/// One value.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    Nil,
    Boolean(bool),
    Number(f64),
    Str(&'static str),
    Bytes(Bytes),
    /// `ngx.null`.
    Null,
}

/// Bytes that Lua copies when the value is pushed.
#[derive(Clone, Copy, Debug)]
pub struct Bytes {
    data: *const u8,
    len: usize,
}

impl Value {
    /// Bytes in a buffer of the caller's, which leaves them alone until its
    /// native has returned (or the resume it calls has begun): between the two
    /// only the push runs.
    pub fn bytes(data: &[u8]) -> Value {
        Value::Bytes(Bytes { data: data.as_ptr(), len: data.len() })
    }

    #[inline(always)]
    fn allocates(self) -> bool {
        matches!(self, Value::Str(_) | Value::Bytes(_))
    }

    /// Pushes the value on the stack of `state`.
    ///
    /// # Safety
    /// - `state` is live, has a free slot, and a Lua error may be raised in it.
    /// - no value with a destructor is alive in frames that such an error
    ///   would cross.
    #[inline(always)]
    pub(super) unsafe fn push(self, state: *mut lua_State) {
        // SAFETY: by the caller's duties; the bytes are live, see bytes().
        unsafe {
            match self {
                Value::Nil => lua::lua_pushnil(state),
                Value::Boolean(b) => lua::lua_pushboolean(state, b as c_int),
                Value::Number(n) => lua::lua_pushnumber(state, n),
                Value::Str(s) => lua::lua_pushlstring_(state, s.as_ptr().cast(), s.len()),
                Value::Bytes(b) => lua::lua_pushlstring_(state, b.data.cast(), b.len),
                Value::Null => {
                    lua::lua_pushlightuserdata(state, ptr::null_mut::<c_void>())
                }
            }
        }
    }
}

/// A few values: what a call returns.
///
/// The values themselves are in one place of the worker and this is but their
/// number: they are made, and then pushed, before the next are made. So they
/// are not copied from function to function on the way.
#[derive(Debug)]
#[must_use]
pub struct Values {
    len: u8,
    /// There is a string among them.
    allocate: bool,
}

/// How many they may be.
const MAX: usize = 6;

static VALUES: Local<[Cell<Value>; MAX]> =
    Local::new([const { Cell::new(Value::Nil) }; MAX]);

/// Values are being pushed, which may run finalizers: those must not make others,
/// nor touch the buffers that the bytes of these are in.
static PUSHING: Local<Cell<bool>> = Local::new(Cell::new(false));

/// Finalizers wait for the end of that.
static PUT_OFF: Local<Cell<bool>> = Local::new(Cell::new(false));

/// Whether a finalizer that is about to run has come in the middle of a push, after
/// which it will run.
pub(super) fn puts_off() -> bool {
    PUT_OFF.set(PUSHING.get());
    PUSHING.get()
}

/// Finalizers wait until end_push(): what is pushed is in a place that they might
/// write to.
#[inline(always)]
pub(super) fn begin_push() {
    PUSHING.set(true);
}

/// An error has ended the push: the finalizers that have waited run after the next.
pub(super) fn abandon_push() {
    PUSHING.set(false);
}

/// Runs the finalizers that have waited.
///
/// # Safety
/// - as for `Value::push`.
#[inline(always)]
pub(super) unsafe fn end_push(state: *mut lua_State) {
    PUSHING.set(false);
    if PUT_OFF.get() {
        PUT_OFF.set(false);
        // SAFETY: the caller's duties are the same.
        unsafe { finalizers::run_put_off(state) };
    }
}

impl Values {
    /// No values.
    pub const NONE: Values = Values { len: 0, allocate: false };

    /// One value.
    #[inline]
    pub fn one(a: Value) -> Values {
        Values::slots()[0].set(a);
        Values { len: 1, allocate: a.allocates() }
    }

    /// Two values.
    #[inline]
    pub fn two(a: Value, b: Value) -> Values {
        let slots = Values::slots();
        slots[0].set(a);
        slots[1].set(b);
        Values { len: 2, allocate: a.allocates() || b.allocates() }
    }

    /// Three values.
    #[inline]
    pub fn three(a: Value, b: Value, c: Value) -> Values {
        let slots = Values::slots();
        slots[0].set(a);
        slots[1].set(b);
        slots[2].set(c);
        let allocate = a.allocates() || b.allocates() || c.allocates();
        Values { len: 3, allocate }
    }

    /// As many values as there is room for.
    #[inline]
    pub fn list(values: &[Value]) -> Values {
        let mut allocate = false;
        for (slot, &value) in Values::slots().iter().zip(values) {
            slot.set(value);
            allocate |= value.allocates();
        }
        Values { len: values.len().min(MAX) as u8, allocate }
    }

    /// The same, and one value more.
    pub fn and(self, value: Value) -> Values {
        match Values::slots().get(usize::from(self.len)) {
            Some(slot) => {
                slot.set(value);
                Values { len: self.len + 1, allocate: self.allocate || value.allocates() }
            }
            None => self,
        }
    }

    /// Three values that are numbers.
    #[inline(always)]
    pub(super) fn numbers(&self) -> [f64; 3] {
        [0, 1, 2].map(|i: usize| match Values::slots()[i].get() {
            Value::Number(n) => n,
            _ => 0.0,
        })
    }

    /// `nil, err`.
    pub fn error(err: Value) -> Values {
        Values::two(Value::Nil, err)
    }

    /// How many.
    #[inline]
    pub(super) fn len(&self) -> c_int {
        c_int::from(self.len)
    }

    /// Whether pushing them may need memory.
    #[inline]
    pub(super) fn allocate(&self) -> bool {
        self.allocate
    }

    /// Pushes all; returns how many.
    ///
    /// # Safety
    /// - as for `Value::push`, with six free slots.
    #[inline(always)]
    pub(super) unsafe fn push(&self, state: *mut lua_State) -> c_int {
        if self.allocate {
            begin_push();
        }
        // SAFETY: the caller's duties are the same.
        unsafe { self.push_plainly(state) };
        if self.allocate {
            // SAFETY: the caller's duties are the same, and a native has room for a
            // value more; the values are pushed.
            unsafe { end_push(state) };
        }
        self.len()
    }

    /// The same, of values that do not allocate: no finalizer comes meanwhile.
    ///
    /// # Safety
    /// - as for `Value::push`, with six free slots.
    #[inline(always)]
    pub(super) unsafe fn push_plainly(&self, state: *mut lua_State) {
        let slots = Values::slots();
        // SAFETY: the caller's duties are the same.
        unsafe {
            if self.len > 0 {
                slots[0].get().push(state);
                if self.len > 1 {
                    slots[1].get().push(state);
                    if self.len > 2 {
                        for slot in slots.iter().take(usize::from(self.len)).skip(2) {
                            slot.get().push(state);
                        }
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn slots() -> &'static [Cell<Value>; MAX] {
        &VALUES
    }
}

/// Bytes made for one return value; they stay until the next are made.
static KEPT: Local<RefCell<Vec<u8>>> = Local::new(RefCell::new(Vec::new()));

/// A string value that `build` writes into a worker's buffer: what a native
/// makes itself costs no allocation of Rust's. One such value a call.
pub fn build(build: impl FnOnce(&mut Vec<u8>)) -> Value {
    let mut kept = KEPT.borrow_mut();
    if kept.capacity() > MAX_KEPT {
        *kept = Vec::new();
    }
    kept.clear();
    build(&mut kept);
    Value::bytes(&kept)
}

/// Frees the buffer, when the process has done with the VM.
pub(super) fn free_buffer() {
    KEPT.take();
}

/// A string value from an owned text.
pub fn kept(text: String) -> Value {
    kept_bytes(text.as_bytes())
}

/// A string value from bytes that do not last.
pub fn kept_bytes(bytes: &[u8]) -> Value {
    build(|out| out.extend_from_slice(bytes))
}
