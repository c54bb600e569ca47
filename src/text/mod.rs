//! Pure functions on bytes below the Lua API: escapes, digests, dates, numbers
//! and the patterns of `receive`.
//!
//! Nothing here knows Lua, nginx or a socket; `api` and `socket` call it, it
//! calls nobody, and its unit tests need no running nginx. Functions that make
//! a string append to a `Vec<u8>` of the caller, who reuses one buffer.

#![forbid(unsafe_code)]

pub mod args;
pub mod base64;
pub mod hash;
pub mod http_date;
pub mod number;
pub mod pattern;
pub mod sql;
pub mod time;
pub mod uri;
