//! The directives inside `tcp {}`, a module of nginx a file: its directive
//! table, its configuration structs and the setters.

pub mod core;
pub mod error_log;
pub mod lua;
