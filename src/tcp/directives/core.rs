//! The directives every server has, whatever its protocol.

use ngx::ffi::{ngx_log_t, ngx_pool_large_t, ngx_pool_t};
use std::mem::size_of;
use std::ptr;

use crate::field;
use crate::nginx::conf::block::{Level, Module};
use crate::nginx::conf::command::{
    BLOCK, Command, ONE, ONE_OR_MORE, SERVER, TCP, TWO, checked_size, msec, set,
    set_main, size,
};
use crate::nginx::conf::resolver::ResolverConf;
use crate::nginx::conf::{
    Conf, ConfError, ConfResult, Location, Msec, Size, Slot, lossy,
};
use crate::tcp::directives::error_log::error_log;
use crate::tcp::directives::log::nlog;
use crate::tcp::listen::Listen;
use crate::tcp::protocol::{self, Protocol};

/// How much a pattern of `receive` takes, where nobody says anything else.
pub const RECEIVE_MAX_SIZE: Size = 64 * 1024 * 1024;

/// `ngx_tcp_core_module`
pub struct Core;

#[derive(Default)]
pub struct CoreMainConf {
    /// In the order of the configuration.
    pub servers: Vec<Level>,
}

#[repr(C)]
pub struct CoreServerConf {
    pub read_timeout: Slot<Msec>,
    pub send_timeout: Slot<Msec>,
    pub keepalive_timeout: Slot<Msec>,
    pub resolver_timeout: Slot<Msec>,
    pub connection_pool_size: Slot<Size>,
    pub session_pool_size: Slot<Size>,
    pub client_max_body_size: Slot<Size>,
    pub receive_max_size: Slot<Size>,
    /// NULL until set or inherited.
    pub error_log: *mut ngx_log_t,
    pub has_nlog: bool,
    /// As the directive says; see `Names`.
    pub resolver: Option<ResolverConf>,
    pub protocol: Option<&'static dyn Protocol>,
    pub protocol_location: Option<Location>,
    pub listens: Vec<Listen>,
    /// Of the `server`.
    pub location: Location,
}

impl Module for Core {
    type Main = CoreMainConf;
    type Server = CoreServerConf;

    #[rustfmt::skip]
    const COMMANDS: &'static [Command<Self>] = &[
        set_main(c"server", TCP | BLOCK, server),
        set(c"listen", SERVER | ONE_OR_MORE, listen),
        set(c"protocol", SERVER | ONE, protocol),
        msec(c"read_timeout", TCP | SERVER, field!(CoreServerConf, read_timeout)),
        msec(c"send_timeout", TCP | SERVER, field!(CoreServerConf, send_timeout)),
        msec(c"keepalive_timeout", TCP | SERVER, field!(CoreServerConf, keepalive_timeout)),
        checked_size(c"connection_pool_size", TCP | SERVER,
            field!(CoreServerConf, connection_pool_size), pool_size),
        checked_size(c"session_pool_size", TCP | SERVER,
            field!(CoreServerConf, session_pool_size), pool_size),
        size(c"client_max_body_size", TCP | SERVER,
            field!(CoreServerConf, client_max_body_size)),
        size(c"receive_max_size", TCP | SERVER, field!(CoreServerConf, receive_max_size)),
        set(c"error_log", TCP | SERVER | ONE_OR_MORE, error_log),
        set(c"nlog", TCP | SERVER | TWO, nlog),
        set(c"resolver", TCP | SERVER | ONE_OR_MORE, resolver),
        msec(c"resolver_timeout", TCP | SERVER, field!(CoreServerConf, resolver_timeout)),
        Command::END,
    ];

    fn merge(
        cf: &mut Conf,
        above: &mut CoreServerConf,
        server: &mut CoreServerConf,
    ) -> ConfResult {
        server.read_timeout.merge(&above.read_timeout, 60_000);
        server.send_timeout.merge(&above.send_timeout, 60_000);
        server.keepalive_timeout.merge_unset(&above.keepalive_timeout);
        server.resolver_timeout.merge(&above.resolver_timeout, 30_000);
        server.connection_pool_size.merge(&above.connection_pool_size, 512);
        server.session_pool_size.merge(&above.session_pool_size, 1024);
        server.client_max_body_size.merge(&above.client_max_body_size, 1024);
        server.receive_max_size.merge(&above.receive_max_size, RECEIVE_MAX_SIZE);
        if above.error_log.is_null() {
            above.error_log = cf.cycle_log();
        }
        if server.error_log.is_null() {
            server.error_log = above.error_log;
        }
        server.resolver = server.resolver.or(above.resolver);
        Ok(())
    }
}

impl Default for CoreServerConf {
    fn default() -> Self {
        CoreServerConf {
            read_timeout: Slot::default(),
            send_timeout: Slot::default(),
            keepalive_timeout: Slot::default(),
            resolver_timeout: Slot::default(),
            connection_pool_size: Slot::default(),
            session_pool_size: Slot::default(),
            client_max_body_size: Slot::default(),
            receive_max_size: Slot::default(),
            error_log: ptr::null_mut(),
            has_nlog: false,
            resolver: None,
            protocol: None,
            protocol_location: None,
            listens: Vec::new(),
            location: Location::default(),
        }
    }
}

fn server(cf: &mut Conf, main: &mut CoreMainConf) -> ConfResult {
    let mut level = Level::server(cf)?;
    level.server_mut::<Core>().location = cf.location();
    level.parse_server(cf)?;
    if level.server_mut::<Core>().listens.is_empty() {
        return Err(ConfError::text("server { need command 'listen'"));
    }
    main.servers.push(level);
    Ok(())
}

fn listen(cf: &mut Conf, server: &mut CoreServerConf) -> ConfResult {
    server.listens.push(Listen::from_args(cf)?);
    Ok(())
}

fn protocol(cf: &mut Conf, server: &mut CoreServerConf) -> ConfResult {
    if server.protocol.is_some() {
        return Err(ConfError::text("duplicate protocol"));
    }
    let name = cf.arg(1);
    let Some(protocol) = protocol::find(name) else {
        return Err(ConfError::text(format!("unknown protocol \"{}\"", lossy(name))));
    };
    server.protocol = Some(protocol);
    server.protocol_location = Some(cf.location());
    Ok(())
}

fn resolver(cf: &mut Conf, server: &mut CoreServerConf) -> ConfResult {
    if server.resolver.is_some() {
        return Err(ConfError::duplicate());
    }
    server.resolver = Some(match cf.args()[1..] {
        [b"off"] => ResolverConf::none(cf)?,
        [b"off", other, ..] => {
            let text = format!("invalid parameter \"{}\"", lossy(other));
            return Err(ConfError::text(text));
        }
        _ => ResolverConf::from_args(cf)?,
    });
    Ok(())
}

/// nginx's own rules for the size of a pool: `NGX_MIN_POOL_SIZE` and
/// `NGX_POOL_ALIGNMENT` of ngx_palloc.h.
fn pool_size(_: &mut Conf, size: Size) -> ConfResult {
    const ALIGNMENT: usize = 16;
    const MIN: usize = (size_of::<ngx_pool_t>() + 2 * size_of::<ngx_pool_large_t>())
        .next_multiple_of(ALIGNMENT);
    if size < MIN {
        let text = format!("the pool size must be no less than {MIN}");
        return Err(ConfError::text(text));
    }
    if !size.is_multiple_of(ALIGNMENT) {
        let text = format!("the pool size must be a multiple of {ALIGNMENT}");
        return Err(ConfError::text(text));
    }
    Ok(())
}
