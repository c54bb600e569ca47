//! The scheduler: light threads, what they wait for, and whose turn it is.
//!
//! A *host* is what threads run for: a connection, a timer's callback, a
//! worker's start or end. It has one entry thread and any number of light
//! threads (`ngx.thread.spawn`), each an entry coroutine that Rust resumes.
//!
//! A thread runs until a native registers what it waits for (`Wait`) and
//! yields. Whoever finishes the work makes the thread ready with what the call
//! is to return (`Woken`); `turn` resumes it when no Lua code is running.
//! Everything a thread can wait for can be left at any time: by `leave_wait`,
//! whether the thread is killed, its deadline is over or its host ends.
#![forbid(unsafe_code)]

pub mod budget;
mod group;
mod ids;
mod queue;
mod resources;
pub mod spawn;
mod thread;
pub mod turn;
mod wheel;

pub use group::{Group, Host};
pub use queue::{Grant, next_refund, queued, refund, refundable, unpark, unpark_shortly};
pub use resources::{Resource, Resources};
pub use thread::{
    DEAD, DEADLINE, Ended, Source, Thread, Woken, enter, find, with_thread,
};
