//! `ngx.nlog`: a socket for lines of a log, made while the configuration is read
//! and used by all workers. `lua/udp.lua` checks the arguments.

use std::net::SocketAddrV4;

use mlua::{AnyUserData, Lua, Table};

use crate::nginx::address::Address;
use crate::nginx::datagram::Datagram;

/// Sets what `lua/udp.lua` calls in `native`.
pub fn install(lua: &Lua, native: &Table) -> mlua::Result<()> {
    native.set("nlog_open", lua.create_function(open)?)?;
    native.set("nlog_send", lua.create_function(send)?)
}

/// The socket, or nil and what is wrong.
fn open(
    lua: &Lua,
    (local, remote): (mlua::LuaString, mlua::LuaString),
) -> mlua::Result<(Option<AnyUserData>, Option<&'static str>)> {
    let made = match (address(&local.as_bytes()), address(&remote.as_bytes())) {
        (Some(local), Some(remote)) => {
            Datagram::connect(&local, &remote).map_err(|error| match error.call {
                "socket" => "ngx_socket failed",
                "setsockopt" => "setsockopt SO_REUSEADDR failed",
                "bind" => "bind failed",
                _ => "connect failed",
            })
        }
        _ => Err("bad argument, wrong format of ip:port"),
    };
    Ok(match made {
        Ok(socket) => (Some(lua.create_any_userdata(socket)?), None),
        Err(what) => (None, Some(what)),
    })
}

/// How many bytes were sent, or -1; nil if it is no such socket.
fn send(
    _: &Lua,
    (socket, bytes): (AnyUserData, mlua::LuaString),
) -> mlua::Result<Option<f64>> {
    let sent = socket.borrow::<Datagram>().map(|socket| socket.send(&bytes.as_bytes()));
    Ok(sent.ok().map(|n| n as f64))
}

fn address(text: &[u8]) -> Option<Address> {
    let address: SocketAddrV4 = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(Address::ip((*address.ip()).into(), address.port()))
}
