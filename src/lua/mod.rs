//! The Lua side: VM, chunks, coroutines and natives, over the raw C API.
//!
//! Knows nothing of nginx's connections or sessions. A native call answers at
//! once or waits (`Outcome::Wait`); it never resumes anything. Whoever finishes
//! the work resumes the coroutine, from an event handler with no Lua frame
//! below it.

pub mod anchor;
pub mod append;
pub mod captures;
pub mod chunk;
mod collector;
pub mod compiled;
pub mod compiled_nats;
pub mod compiled_sync;
pub mod coroutine;
mod library;
pub mod native;
mod protect;
pub mod registry;
pub mod spawn;
pub mod value;
pub mod vm;

pub use coroutine::{Coroutine, Failure, Results, Resumed, Unowned};
pub use native::{
    Call, Function, Kind, Outcome, forget_wait, function, table_function, table_method,
};
pub use value::{Value, Values};
pub use vm::Vm;

/// Frees the buffers of the Lua layer. nginx unloads the module when a process
/// ends or drops a configuration, and nothing of it may stay behind.
pub fn free_buffers() {
    value::free_buffer();
    native::free_buffer();
    anchor::free();
    captures::free_buffer();
}
