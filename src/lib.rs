//! Scripted TCP servers on stock nginx: a `tcp {}` block that runs one Lua
//! coroutine per connection on nginx's event loop.
//!
//! A layer calls only those below it: `api` and `tcp`, then `sched` and `socket`, then
//! `lua`, then `nginx`. See docs/design.md.

pub mod api;
pub mod lua;
pub mod module;
pub mod nginx;
pub mod sched;
pub mod shdict;
pub mod socket;
pub mod tcp;
pub mod text;
pub mod upstream;
