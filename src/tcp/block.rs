//! `tcp {}` from its brace to its listening sockets.

use crate::nginx::conf::block::Level;
use crate::nginx::conf::{Conf, ConfError};
use crate::tcp::conf::{self, MainConf};
use crate::tcp::directives::core::Core;
use crate::tcp::{lifecycle, listen};

/// Reads the block, merges its servers, tells `lifecycle` and sets up the
/// listening sockets, which nginx opens when all of nginx.conf has been read.
pub fn configure(cf: &mut Conf) -> Result<&'static MainConf, ConfError> {
    let mut tcp = Level::tcp(cf)?;
    tcp.parse_tcp(cf)?;
    let mut servers = std::mem::take(&mut tcp.main_mut::<Core>().servers);
    // One that serves nobody, for what runs without a connection.
    servers.insert(0, Level::inside(cf, &tcp)?);
    let (merged, servers) = tcp.merge(cf, servers)?;
    let main = conf::publish(cf, &merged, &servers)?;
    listen::check(cf, main.servers())?;
    lifecycle::configured(main, cf)?;
    listen::open(cf, main.servers())?;
    Ok(main)
}
