//! Safe types over `ngx_*`: all that touches nginx's memory lives here.

pub mod conf;
pub mod guard;
pub mod listening;
pub mod stat;
