//! The Lua side: VM, chunks, coroutines and natives, over the raw C API.
//!
//! Knows nothing of nginx's connections or sessions. A native call answers at
//! once or waits (`Outcome::Wait`); it never resumes anything. Whoever finishes
//! the work resumes the coroutine, from an event handler with no Lua frame
//! below it.

pub mod anchor;
pub mod append;
pub mod call;
pub mod captures;
pub mod chunk;
mod collector;
pub mod compiled;
pub mod compiled_nats;
pub mod compiled_sync;
pub mod coroutine;
mod finalizers;
mod library;
pub mod native;
pub mod outcome;
mod protect;
pub mod registry;
pub mod spawn;
pub mod value;
pub mod vm;
mod waiting;

pub use call::{Call, Kind};
pub use coroutine::{Coroutine, Failure, Results, Resumed, Unowned};
pub use native::{Function, function, table_function, table_method};
pub use outcome::Outcome;
pub use value::{Value, Values};
pub use vm::Vm;
pub use waiting::forget_wait;

/// Frees the buffers of the Lua layer. nginx unloads the module when a process
/// ends or drops a configuration, and nothing of it may stay behind.
pub fn free_buffers() {
    value::free_buffer();
    outcome::free_buffer();
    anchor::free();
    captures::free_buffer();
}
