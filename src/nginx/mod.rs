//! Safe types over `ngx_*`: all that touches nginx's memory lives here.

pub mod address;
pub mod conf;
pub mod connection;
pub mod cycle;
pub mod datagram;
pub mod event;
pub mod guard;
pub mod io;
pub mod listening;
pub mod local;
pub mod log;
pub mod log_buffer;
pub mod memory;
pub mod open_file;
pub mod random;
pub mod regex;
pub mod resolver;
pub mod ssl;
pub mod stack;
pub mod stat;
pub mod symbol;
pub mod syslog;
pub mod time;
pub mod watcher;
pub mod zone;

pub use conf::Msec;
