//! What a native call comes to, and the errors that it raises.

use std::cell::RefCell;
use std::ffi::c_int;
use std::fmt::{self, Write};
use std::ptr;

use mlua::ffi as lua;
use mlua::ffi::lua_State;

use super::captures::Captures;
use super::coroutine::Results;
use super::value::{Value, Values};
use crate::nginx::local::Local;

/// What a native call comes to. It fits into a register.
#[derive(Debug)]
pub enum Outcome {
    /// The call returns these values.
    Return(Values),
    /// The call returns this number, and nil: what prints answer.
    Sent(u32),
    /// The call returns the number 1. Before that the table that is argument 1 gets
    /// the first of these three numbers as its item 1; the item of the table that is
    /// argument 4 whose number is the second as its item 2; and becomes the item of
    /// that table whose number is the third.
    Adopted(Values),
    /// The call returns what a regular expression has found.
    Captures(Captures),
    /// The call returns what a light thread has left.
    Results(Results),
    /// The call's work is registered with an event; the coroutine is suspended
    /// and what it is resumed with is what the call returns.
    Wait,
    /// A Lua error at the caller's line, its text set by `raise` and its like.
    Raise(Raise),
}

/// Which form the text of a raised error gets.
#[derive(Clone, Copy, Debug)]
pub enum Raise {
    /// `FILE:LINE: text`
    Plain,
    /// The same, with the position of the calling function's caller.
    Above,
    /// `FILE:LINE: bad argument #N to 'NAME' (text)`
    Argument(u8),
}

/// The text of the error being raised: phase 2 writes it, phase 3 pushes it.
static RAISED: Local<RefCell<String>> = Local::new(RefCell::new(String::new()));

impl Outcome {
    /// One value.
    #[inline]
    pub fn one(value: Value) -> Outcome {
        Outcome::Return(Values::one(value))
    }

    /// Nothing.
    pub const NONE: Outcome = Outcome::Return(Values::NONE);

    /// What prints answer that have written `n` bytes.
    #[inline]
    pub fn sent(n: usize) -> Outcome {
        match u32::try_from(n) {
            Ok(n) => Outcome::Sent(n),
            Err(_) => Outcome::Return(Values::two(Value::Number(n as f64), Value::Nil)),
        }
    }

    /// `nil, err`.
    pub fn error(err: Value) -> Outcome {
        Outcome::Return(Values::error(err))
    }

    /// Raises `text` with the caller's position in front.
    #[cold]
    pub fn raise(text: fmt::Arguments<'_>) -> Outcome {
        set_raised(text);
        Outcome::Raise(Raise::Plain)
    }

    /// What is raised has the position of the calling function's caller: for
    /// natives that only the prelude calls.
    pub fn raised_above(self) -> Outcome {
        match self {
            Outcome::Raise(Raise::Plain) => Outcome::Raise(Raise::Above),
            other => other,
        }
    }

    /// Raises a complaint about argument `n`, counted from 1.
    #[cold]
    pub fn bad_argument(n: usize, text: fmt::Arguments<'_>) -> Outcome {
        set_raised(text);
        Outcome::Raise(Raise::Argument(n as u8))
    }
}

/// Frees the text, when the process has done with the VM.
pub(super) fn free_buffer() {
    RAISED.take();
}

fn set_raised(text: fmt::Arguments<'_>) {
    let mut raised = RAISED.borrow_mut();
    raised.clear();
    // Writing to a String fails only if a Display implementation does.
    let _ = raised.write_fmt(text);
}
/// Raises the text in `RAISED`.
#[cold]
pub(super) unsafe fn raise(state: *mut lua_State, how: Raise) -> c_int {
    // SAFETY: called as the last thing of a native: the state is live, and no
    // destructor is pending, as the borrow ends before the first lua_* call.
    unsafe {
        let (data, len) = {
            let text = RAISED.borrow();
            (text.as_ptr(), text.len())
        };
        match how {
            Raise::Plain | Raise::Above => {
                let level = if let Raise::Above = how { 2 } else { 1 };
                lua::luaL_where(state, level);
                lua::lua_pushlstring_(state, data.cast(), len);
                lua::lua_concat(state, 2);
                lua::lua_error(state)
            }
            Raise::Argument(n) => {
                lua::lua_pushlstring_(state, data.cast(), len);
                let text = lua::lua_tolstring(state, -1, ptr::null_mut());
                lua::luaL_argerror(state, c_int::from(n), text)
            }
        }
    }
}
