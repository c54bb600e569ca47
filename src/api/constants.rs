//! Constants and other fields of `ngx`, and the global `print`.

use std::ptr;

use mlua::{LightUserData, Table};

use super::session::NGX_ERROR;
use crate::nginx::cycle;

/// Numbers that scripts know by name.
pub const NUMBERS: &[(&str, f64)] = &[
    ("OK", 0.0),
    ("ERROR", NGX_ERROR),
    ("AGAIN", -2.0),
    ("DONE", -4.0),
    ("DECLINED", -5.0),
    ("STDERR", 0.0),
    ("EMERG", 1.0),
    ("ALERT", 2.0),
    ("CRIT", 3.0),
    ("ERR", 4.0),
    ("WARN", 5.0),
    ("NOTICE", 6.0),
    ("INFO", 7.0),
    ("DEBUG", 8.0),
];

/// The API level of lua-nginx-module that `ngx.config.ngx_lua_version` claims:
/// libraries ask for it before they use cosockets or coroutines.
const NGX_LUA_VERSION: u32 = 10_023;

/// Fills in what is not a function.
pub fn install(ngx: &Table) -> mlua::Result<()> {
    for (name, number) in NUMBERS {
        ngx.set(*name, *number)?;
    }
    ngx.set("null", LightUserData(ptr::null_mut()))?;
    let config: Table = ngx.get("config")?;
    config.set("subsystem", "tcp")?;
    config.set("debug", cycle::has_debug())?;
    config.set("nginx_version", cycle::nginx_version())?;
    config.set("ngx_lua_version", NGX_LUA_VERSION)
}
