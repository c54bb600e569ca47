//! The life of a session, from the accepted connection to its end.

use crate::nginx::listening::Accepted;
use crate::tcp::conf::ServerConf;

/// Takes an accepted connection: what all protocols have in common, then the
/// server's protocol.
pub fn accept(c: Accepted, server: &'static ServerConf, addr_text: &'static [u8]) {
    server.protocol().init_connection(c, server, addr_text);
}

/// Starts the script of a connection.
pub fn start(c: Accepted, _server: &'static ServerConf, _addr_text: &'static [u8]) {
    drop(c);
}
