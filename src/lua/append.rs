//! The arguments of print-like calls as bytes: strings, numbers, booleans,
//! nil, `ngx.null` and nested array tables.

use std::ffi::c_int;

use mlua::ffi as lua;
use mlua::ffi::lua_State;

use super::call::{Call, Kind};
use crate::text::number::append_number;

/// How deep array tables may be nested.
pub const MAX_DEPTH: usize = 100;

/// An array of more slots than this must be filled to an eighth at least: a
/// table with one huge index would otherwise print "nil" until memory ends.
const MAX_SPARSE: usize = 1 << 20;

/// Why a value has no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// The argument itself is of a type that cannot be printed.
    BadArgument(Kind),
    /// A table with keys other than 1, 2, 3...
    NotAnArray,
    /// A value of such a type inside a table.
    BadElement(Kind),
    /// Tables nested deeper than `MAX_DEPTH`, or in themselves.
    TooDeep,
}

impl Call {
    /// As append(), of strings, numbers and arrays of such alone.
    pub fn append_data(&self, i: usize, out: &mut Vec<u8>) -> Result<(), AppendError> {
        match self.kind(i) {
            Kind::Table => {
                // SAFETY: the trampoline made room for MAX_DEPTH levels.
                unsafe { append_table(self.state, i as c_int, out, 1, is_data) }
            }
            Kind::String | Kind::Number => self.append(i, out),
            kind => Err(AppendError::BadArgument(kind)),
        }
    }

    /// Appends the text of argument `i` to `out`. After an error `out` may
    /// hold a part of it.
    pub fn append(&self, i: usize, out: &mut Vec<u8>) -> Result<(), AppendError> {
        match self.kind(i) {
            Kind::Table => {
                // SAFETY: the trampoline made room for MAX_DEPTH levels.
                unsafe { append_table(self.state, i as c_int, out, 1, |_| true) }
            }
            kind => {
                // SAFETY: the index is an argument's.
                if unsafe { append_scalar(self.state, i as c_int, kind, out) } {
                    Ok(())
                } else {
                    Err(AppendError::BadArgument(kind))
                }
            }
        }
    }
}

fn is_data(kind: Kind) -> bool {
    matches!(kind, Kind::String | Kind::Number)
}

/// Appends anything but a table; false if it has no text.
///
/// # Safety
/// - `state` is live and `i` a valid index of type `kind`.
unsafe fn append_scalar(
    state: *mut lua_State,
    i: c_int,
    kind: Kind,
    out: &mut Vec<u8>,
) -> bool {
    // SAFETY: each conversion is for the type that the value has, so none
    // allocates or raises; the string is copied while it is on the stack.
    unsafe {
        match kind {
            Kind::String => {
                let mut len = 0;
                let data = lua::lua_tolstring(state, i, &mut len);
                out.extend_from_slice(std::slice::from_raw_parts(data.cast(), len));
            }
            Kind::Number => append_number(lua::lua_tonumber(state, i), out),
            Kind::Boolean => out.extend_from_slice(match lua::lua_toboolean(state, i) {
                0 => b"false",
                _ => b"true",
            }),
            Kind::Nil => out.extend_from_slice(b"nil"),
            Kind::LightUserdata if lua::lua_touserdata(state, i).is_null() => {
                out.extend_from_slice(b"null");
            }
            _ => return false,
        }
    }
    true
}

/// Appends the elements of the array at index `i`, holes as "nil".
///
/// # Safety
/// - `state` is live, `i` is a positive index of a table, and the stack has
///   two free slots for each level down to `MAX_DEPTH`.
unsafe fn append_table(
    state: *mut lua_State,
    i: c_int,
    out: &mut Vec<u8>,
    depth: usize,
    allows: fn(Kind) -> bool,
) -> Result<(), AppendError> {
    if depth > MAX_DEPTH {
        return Err(AppendError::TooDeep);
    }
    // SAFETY: raw access calls no metamethod; lua_next gets keys that it gave
    // itself, so it cannot raise; each level pops what it pushed.
    unsafe {
        for n in 1..=array_len(state, i)? {
            lua::lua_rawgeti_(state, i, n as c_int);
            let top = lua::lua_gettop(state);
            let kind = Call::kind_at(state, top);
            let done = match kind {
                Kind::Table => append_table(state, top, out, depth + 1, allows),
                _ if !allows(kind) => Err(AppendError::BadElement(kind)),
                _ if append_scalar(state, top, kind, out) => Ok(()),
                _ => Err(AppendError::BadElement(kind)),
            };
            lua::lua_settop(state, top - 1);
            done?;
        }
    }
    Ok(())
}

/// The largest index of the array at `i`.
unsafe fn array_len(state: *mut lua_State, i: c_int) -> Result<usize, AppendError> {
    let (mut max, mut count) = (0usize, 0usize);
    // SAFETY: as in append_table().
    unsafe {
        // The usual array: # counts it, and a walk confirms that nothing else
        // is in the table.
        lua::lua_pushnil(state);
        while lua::lua_next(state, i) != 0 {
            let key = match lua::lua_type(state, -2) {
                lua::LUA_TNUMBER => lua::lua_tonumber(state, -2),
                _ => 0.0,
            };
            if key < 1.0 || key.fract() != 0.0 || key > f64::from(i32::MAX) {
                lua::lua_settop(state, -3);
                return Err(AppendError::NotAnArray);
            }
            max = max.max(key as usize);
            count += 1;
            lua::lua_settop(state, -2);
        }
    }
    if max > MAX_SPARSE && max / 8 > count {
        return Err(AppendError::NotAnArray);
    }
    Ok(max)
}
