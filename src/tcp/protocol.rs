//! Protocols: what a server speaks once a connection has been accepted. The
//! `protocol` directive picks one from the table by name.

use crate::nginx::conf::{ConfError, ConfResult};
use crate::nginx::listening::Accepted;
use crate::tcp::conf::ServerConf;
use crate::tcp::demo::Demo;
use crate::tcp::session;

/// What a server speaks. Implemented once a protocol, for the whole process:
/// what belongs to a connection lives in the session it starts.
pub trait Protocol: Sync {
    /// The name the `protocol` directive knows it by.
    fn name(&self) -> &'static str;

    /// Refuses, while the configuration loads, a server it could not serve.
    fn check(&self, server: &ServerConf) -> ConfResult;

    /// Starts the session of a connection to `server`.
    fn init_connection(&self, c: Accepted, server: &'static ServerConf);
}

/// The `protocol` directive's choice.
pub static PROTOCOLS: &[&dyn Protocol] = &[&TcpLua, &Demo];

/// `tcp_lua`: one Lua coroutine a connection. Also what a server speaks that
/// names no protocol but has a script.
pub struct TcpLua;

/// The protocol of that name.
pub fn find(name: &[u8]) -> Option<&'static dyn Protocol> {
    PROTOCOLS.iter().copied().find(|protocol| protocol.name().as_bytes() == name)
}

impl Protocol for TcpLua {
    fn name(&self) -> &'static str {
        "tcp_lua"
    }

    fn check(&self, server: &ServerConf) -> ConfResult {
        if server.script().is_some() {
            return Ok(());
        }
        let text = "no \"process_by_lua\" is defined for protocol \"tcp_lua\"";
        Err(ConfError::At(server.protocol_location().clone(), text.into()))
    }

    fn init_connection(&self, c: Accepted, server: &'static ServerConf) {
        session::accept(c.into_connection(), server);
    }
}
