//! The `tcp {}` subsystem: directives, listening, the life of a session.

#![forbid(unsafe_code)]

pub mod access;
pub mod access_log;
pub mod block;
pub mod block_lexer;
pub mod clients;
pub mod conf;
pub mod current;
pub mod demo;
pub mod directives;
pub mod engine;
pub mod handshake;
pub mod job;
pub mod lifecycle;
pub mod light_session;
pub mod linger;
pub mod listen;
pub mod listen_options;
pub mod names;
pub mod number;
pub mod protocol;
pub mod script;
pub mod session;
pub mod session_cache;
pub mod shared_dict;
pub mod timer;
pub mod udp_log;
pub mod variables;
pub mod worker;
