//! Safe types over `ngx_*`: all that touches nginx's memory lives here.

pub mod connection;
pub mod cycle;
pub mod event;
pub mod guard;
pub mod io;
pub mod local;
pub mod log;
pub mod stat;
pub mod symbol;
pub mod time;

/// Milliseconds, as nginx counts them in timers.
pub type Msec = usize;
