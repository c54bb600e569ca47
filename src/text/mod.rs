//! Pure functions on bytes below the Lua API: escapes, digests, dates, numbers,
//! the patterns of `receive`, and the system's files about names.
//!
//! Nothing here knows Lua, nginx or a socket; `api`, `socket` and `tcp` call it,
//! it calls nobody, and its unit tests need no running nginx. Functions that make
//! a string append to a `Vec<u8>` of the caller, who reuses one buffer.

#![forbid(unsafe_code)]

pub mod args;
pub mod base64;
pub mod hash;
pub mod hosts;
pub mod http_date;
pub mod http_head;
pub mod log_format;
pub mod nats;
pub mod number;
pub mod pattern;
pub mod resolv_conf;
pub mod sql;
pub mod template;
pub mod time;
pub mod uri;
