//! Sockets as state machines on bytes: no Lua values, no nginx types but
//! `Connection`.
#![forbid(unsafe_code)]

pub mod buffer;
pub mod input;
pub mod output;
pub mod tcp;

pub use tcp::{Look, Received, SocketError, TcpSocket};
