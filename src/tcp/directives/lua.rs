//! The directives of the `tcp_lua` protocol: where Lua finds its modules, how
//! chunks are kept, and what runs when.

use std::rc::Rc;

use crate::field;
use crate::nginx::conf::block::Module;
use crate::nginx::conf::command::{
    self, BLOCK, Command, ONE, ONE_OR_MORE, SERVER, TCP, TWO, checked_flag, checked_size,
    flag, msec, set, set_main,
};
use crate::nginx::conf::{Conf, ConfError, ConfResult, Flag, Msec, Size, Slot};
use crate::tcp::directives::ssl::{self, SslConf};
use crate::tcp::number;
use crate::tcp::script::{MaybeScript, Script};
use crate::tcp::shared_dict::SharedDict;

// The original's texts, which tell init from process by their first letter.
const NO_CODE: &str = "invalid location config: no runnable Lua code";
const NO_PROCESS_CODE: &str = "Invalid location config: no runnable Lua code";

/// `ngx_tcp_lua_module`
pub struct Lua;

#[derive(Default)]
pub struct LuaMainConf {
    pub package_path: Option<Vec<u8>>,
    pub package_cpath: Option<Vec<u8>>,
    pub init: Option<Script>,
    pub init_worker: Option<Script>,
    pub exit_worker: Option<Script>,
    pub shared_dicts: Vec<&'static SharedDict>,
    pub max_pending_timers: Option<usize>,
    pub max_running_timers: Option<usize>,
    pub regex_cache_max_entries: Option<usize>,
    pub regex_match_limit: Option<usize>,
    pub init_worker_timeout: Option<Msec>,
    pub exit_worker_timeout: Option<Msec>,
}

#[derive(Default)]
#[repr(C)]
pub struct LuaServerConf {
    pub code_cache: Slot<Flag>,
    pub check_client_abort: Slot<Flag>,
    pub resolver_default: Slot<Flag>,
    pub socket_connect_timeout: Slot<Msec>,
    pub socket_send_timeout: Slot<Msec>,
    pub socket_read_timeout: Slot<Msec>,
    pub socket_keepalive_timeout: Slot<Msec>,
    pub socket_pool_size: Slot<isize>,
    pub socket_buffer_size: Slot<Size>,
    pub socket_send_lowat: Slot<Size>,
    pub socket_log_errors: Slot<Flag>,
    pub ssl: SslConf,
    /// Shared with the servers that inherit it.
    pub script: Option<Rc<Script>>,
}

impl Module for Lua {
    type Main = LuaMainConf;
    type Server = LuaServerConf;

    #[rustfmt::skip]
    const COMMANDS: &'static [Command<Self>] = &[
        set_main(c"lua_package_path", TCP | ONE,
            |cf, main: &mut LuaMainConf| package_path(cf, &mut main.package_path)),
        set_main(c"lua_package_cpath", TCP | ONE,
            |cf, main: &mut LuaMainConf| package_path(cf, &mut main.package_cpath)),
        checked_flag(c"lua_code_cache", TCP | SERVER,
            field!(LuaServerConf, code_cache), code_cache),
        flag(c"lua_check_client_abort", TCP | SERVER,
            field!(LuaServerConf, check_client_abort)),
        flag(c"lua_resolver_default", TCP | SERVER,
            field!(LuaServerConf, resolver_default)),
        msec(c"lua_socket_connect_timeout", TCP | SERVER,
            field!(LuaServerConf, socket_connect_timeout)),
        msec(c"lua_socket_send_timeout", TCP | SERVER,
            field!(LuaServerConf, socket_send_timeout)),
        msec(c"lua_socket_read_timeout", TCP | SERVER,
            field!(LuaServerConf, socket_read_timeout)),
        msec(c"lua_socket_keepalive_timeout", TCP | SERVER,
            field!(LuaServerConf, socket_keepalive_timeout)),
        command::number(c"lua_socket_pool_size", TCP | SERVER,
            field!(LuaServerConf, socket_pool_size)),
        checked_size(c"lua_socket_buffer_size", TCP | SERVER,
            field!(LuaServerConf, socket_buffer_size), |_, _| Ok(())),
        checked_size(c"lua_socket_send_lowat", TCP | SERVER,
            field!(LuaServerConf, socket_send_lowat), send_lowat),
        flag(c"lua_socket_log_errors", TCP | SERVER,
            field!(LuaServerConf, socket_log_errors)),

        set(c"lua_ssl_protocols", TCP | SERVER | ONE_OR_MORE,
            |cf, server: &mut LuaServerConf| ssl::protocols(cf, &mut server.ssl)),
        set(c"lua_ssl_ciphers", TCP | SERVER | ONE,
            |cf, server: &mut LuaServerConf| ssl::ciphers(cf, &mut server.ssl)),
        set(c"lua_ssl_verify_depth", TCP | SERVER | ONE,
            |cf, server: &mut LuaServerConf| ssl::verify_depth(cf, &mut server.ssl)),
        set(c"lua_ssl_trusted_certificate", TCP | SERVER | ONE,
            |cf, server: &mut LuaServerConf| ssl::trusted_certificate(cf, &mut server.ssl)),
        set(c"lua_ssl_crl", TCP | SERVER | ONE,
            |cf, server: &mut LuaServerConf| ssl::crl(cf, &mut server.ssl)),
        set(c"lua_ssl_certificate", TCP | SERVER | ONE,
            |cf, server: &mut LuaServerConf| ssl::certificate(cf, &mut server.ssl)),
        set(c"lua_ssl_certificate_key", TCP | SERVER | ONE,
            |cf, server: &mut LuaServerConf| ssl::certificate_key(cf, &mut server.ssl)),
        set(c"lua_ssl_conf_command", TCP | SERVER | TWO,
            |cf, server: &mut LuaServerConf| ssl::command(cf, &mut server.ssl)),

        set_main(c"init_by_lua", TCP | ONE,
            |cf, main: &mut LuaMainConf| code(cf, &mut main.init)),
        set_main(c"init_by_lua_file", TCP | ONE,
            |cf, main: &mut LuaMainConf| file(cf, &mut main.init)),
        set_main(c"init_by_lua_block", TCP | BLOCK,
            |cf, main: &mut LuaMainConf| block(cf, &mut main.init)),
        set_main(c"init_worker_by_lua", TCP | ONE,
            |cf, main: &mut LuaMainConf| code(cf, &mut main.init_worker)),
        set_main(c"init_worker_by_lua_file", TCP | ONE,
            |cf, main: &mut LuaMainConf| file(cf, &mut main.init_worker)),
        set_main(c"init_worker_by_lua_block", TCP | BLOCK,
            |cf, main: &mut LuaMainConf| block(cf, &mut main.init_worker)),
        set_main(c"exit_worker_by_lua", TCP | ONE,
            |cf, main: &mut LuaMainConf| code(cf, &mut main.exit_worker)),
        set_main(c"exit_worker_by_lua_file", TCP | ONE,
            |cf, main: &mut LuaMainConf| file(cf, &mut main.exit_worker)),
        set_main(c"exit_worker_by_lua_block", TCP | BLOCK,
            |cf, main: &mut LuaMainConf| block(cf, &mut main.exit_worker)),

        set_main(c"lua_shared_dict", TCP | TWO,
            |cf, main: &mut LuaMainConf| shared_dict(cf, &mut main.shared_dicts)),

        set_main(c"lua_max_pending_timers", TCP | ONE,
            |cf, main: &mut LuaMainConf| number(cf, &mut main.max_pending_timers)),
        set_main(c"lua_max_running_timers", TCP | ONE,
            |cf, main: &mut LuaMainConf| number(cf, &mut main.max_running_timers)),
        set_main(c"lua_regex_cache_max_entries", TCP | ONE,
            |cf, main: &mut LuaMainConf| number(cf, &mut main.regex_cache_max_entries)),
        set_main(c"lua_regex_match_limit", TCP | ONE,
            |cf, main: &mut LuaMainConf| number(cf, &mut main.regex_match_limit)),
        set_main(c"lua_init_worker_timeout", TCP | ONE,
            |cf, main: &mut LuaMainConf| time(cf, &mut main.init_worker_timeout)),
        set_main(c"lua_exit_worker_timeout", TCP | ONE,
            |cf, main: &mut LuaMainConf| time(cf, &mut main.exit_worker_timeout)),

        set(c"process_by_lua", TCP | SERVER | ONE, process_by_lua),
        set(c"process_by_lua_file", TCP | SERVER | ONE, process_by_lua_file),
        set(c"process_by_lua_block", TCP | SERVER | BLOCK, process_by_lua_block),
        set(c"content_by_lua", TCP | SERVER | ONE, process_by_lua),
        set(c"content_by_lua_file", TCP | SERVER | ONE, process_by_lua_file),
        set(c"content_by_lua_block", TCP | SERVER | BLOCK, process_by_lua_block),
        Command::END,
    ];

    fn merge(
        cf: &mut Conf,
        above: &mut LuaServerConf,
        server: &mut LuaServerConf,
    ) -> ConfResult {
        server.code_cache.merge(&above.code_cache, 1);
        server.check_client_abort.merge(&above.check_client_abort, 0);
        server.resolver_default.merge(&above.resolver_default, 1);
        server.socket_connect_timeout.merge(&above.socket_connect_timeout, 60_000);
        server.socket_send_timeout.merge_unset(&above.socket_send_timeout);
        server.socket_read_timeout.merge_unset(&above.socket_read_timeout);
        server.socket_keepalive_timeout.merge(&above.socket_keepalive_timeout, 60_000);
        server.socket_pool_size.merge(&above.socket_pool_size, 30);
        server.socket_buffer_size.merge(&above.socket_buffer_size, 4096);
        server.socket_send_lowat.merge(&above.socket_send_lowat, 0);
        server.socket_log_errors.merge(&above.socket_log_errors, 1);
        if server.script.is_none() {
            server.script = above.script.clone();
        }
        ssl::merge(cf, &mut above.ssl, &mut server.ssl)
    }
}

fn send_lowat(cf: &mut Conf, _: Size) -> ConfResult {
    cf.warn("\"lua_socket_send_lowat\" is not supported, ignored");
    Ok(())
}

fn package_path(cf: &Conf, path: &mut Option<Vec<u8>>) -> ConfResult {
    if path.is_some() {
        return Err(ConfError::duplicate());
    }
    *path = Some(fill_in_prefix(cf.arg(1), cf.prefix()));
    Ok(())
}

fn code_cache(cf: &mut Conf, on: bool) -> ConfResult {
    if !on {
        cf.warn("lua_code_cache is off; this will hurt performance");
    }
    Ok(())
}

fn shared_dict(cf: &mut Conf, dicts: &mut Vec<&'static SharedDict>) -> ConfResult {
    dicts.push(SharedDict::declare(cf)?);
    Ok(())
}

fn number(cf: &Conf, slot: &mut Option<usize>) -> ConfResult {
    if slot.is_some() {
        return Err(ConfError::duplicate());
    }
    let number = number::integer(cf.arg(1)).and_then(|n| usize::try_from(n).ok());
    *slot = Some(number.ok_or_else(|| ConfError::directive("invalid number"))?);
    Ok(())
}

fn time(cf: &Conf, slot: &mut Option<Msec>) -> ConfResult {
    if slot.is_some() {
        return Err(ConfError::duplicate());
    }
    *slot = Some(cf.msec(1)?);
    Ok(())
}

fn code(cf: &mut Conf, script: &mut Option<Script>) -> ConfResult {
    *script = Some(once(cf, script.is_some(), Script::from_argument, NO_CODE)?);
    Ok(())
}

fn file(cf: &mut Conf, script: &mut Option<Script>) -> ConfResult {
    *script = Some(once(cf, script.is_some(), Script::from_file, NO_CODE)?);
    Ok(())
}

fn block(cf: &mut Conf, script: &mut Option<Script>) -> ConfResult {
    *script = Some(once(cf, script.is_some(), Script::from_block, NO_CODE)?);
    Ok(())
}

fn process_by_lua(cf: &mut Conf, server: &mut LuaServerConf) -> ConfResult {
    process(cf, server, Script::from_argument)
}

fn process_by_lua_file(cf: &mut Conf, server: &mut LuaServerConf) -> ConfResult {
    process(cf, server, Script::from_file)
}

fn process_by_lua_block(cf: &mut Conf, server: &mut LuaServerConf) -> ConfResult {
    process(cf, server, Script::from_block)
}

fn process(
    cf: &mut Conf,
    server: &mut LuaServerConf,
    make: fn(&mut Conf) -> MaybeScript,
) -> ConfResult {
    let script = once(cf, server.script.is_some(), make, NO_PROCESS_CODE)?;
    server.script = Some(Rc::new(script));
    Ok(())
}

/// The script of a directive that may stand once on a level.
fn once(
    cf: &mut Conf,
    is_set: bool,
    make: fn(&mut Conf) -> MaybeScript,
    no_code: &str,
) -> Result<Script, ConfError> {
    if is_set {
        return Err(ConfError::duplicate());
    }
    make(cf)?.ok_or_else(|| ConfError::text(no_code))
}

/// Replaces `$prefix` and `${prefix}` by nginx's prefix.
fn fill_in_prefix(path: &[u8], prefix: &[u8]) -> Vec<u8> {
    let mut filled = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = memchr::memchr(b'$', rest) {
        filled.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = after_prefix_variable(rest) {
            filled.extend_from_slice(prefix);
            rest = after;
        } else {
            filled.push(b'$');
            rest = &rest[1..];
        }
    }
    filled.extend_from_slice(rest);
    filled
}

fn after_prefix_variable(text: &[u8]) -> Option<&[u8]> {
    if let Some(after) = text.strip_prefix(b"${prefix}") {
        return Some(after);
    }
    let after = text.strip_prefix(b"$prefix")?;
    let goes_on = after.first().is_some_and(|&b| b.is_ascii_alphanumeric() || b == b'_');
    (!goes_on).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_in_a_package_path() {
        for (path, expected) in [
            ("", ""),
            ("/a/?.lua;;", "/a/?.lua;;"),
            ("$prefix/lua/?.lua", "/p//lua/?.lua"),
            ("${prefix}lua/?.lua;;", "/p/lua/?.lua;;"),
            ("$prefix?.lua;${prefix}", "/p/?.lua;/p/"),
            ("$prefixes;$prefix_a;$prefix1", "$prefixes;$prefix_a;$prefix1"),
            ("${prefix;$;$$prefix", "${prefix;$;$/p/"),
        ] {
            let filled = fill_in_prefix(path.as_bytes(), b"/p/");
            assert_eq!(String::from_utf8_lossy(&filled), expected);
        }
    }
}
