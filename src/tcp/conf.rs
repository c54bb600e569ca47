//! The configuration as the rest of the module sees it: `MainConf` and its
//! `ServerConf`s, made when `tcp {}` has been read and merged. They refer to
//! the structs of `directives/` and live as long as nginx's cycle.

use std::cell::RefCell;
use std::rc::Rc;

use ngx::ffi::ngx_log_t;

use crate::lua::chunk::Chunk;
use crate::nginx::conf::block::Merged;
use crate::nginx::conf::{Conf, ConfError, Location, Msec, Size};
use crate::nginx::resolver::{Resolving, StartError, Started};
use crate::nginx::ssl::Context;
use crate::tcp::access::Rules;
use crate::tcp::access_log::AccessLog;
use crate::tcp::directives::access::{Access, AccessServerConf};
use crate::tcp::directives::client_ssl::{ClientSsl, ClientSslConf};
use crate::tcp::directives::core::{Core, CoreServerConf};
use crate::tcp::directives::demo::{DemoModule, DemoServerConf};
use crate::tcp::directives::log::{self, Log};
use crate::tcp::directives::lua::{Lua, LuaMainConf, LuaServerConf};
use crate::tcp::engine::Engine;
use crate::tcp::listen::Listen;
use crate::tcp::names::{Names, System};
use crate::tcp::protocol::{Protocol, TcpLua};
use crate::tcp::script::Script;
use crate::tcp::session_cache::SessionCache;
use crate::tcp::shared_dict::SharedDict;

/// All of `tcp {}`.
pub struct MainConf {
    lua: &'static LuaMainConf,
    base: &'static ServerConf,
    servers: Vec<&'static ServerConf>,
    engine: RefCell<Option<Rc<Engine>>>,
}

/// One `server {}`, with what it has inherited.
pub struct ServerConf {
    core: &'static CoreServerConf,
    access: &'static AccessServerConf,
    client_ssl: &'static ClientSslConf,
    /// None: there is none, or `off`.
    access_logs: Option<Rc<Vec<AccessLog>>>,
    demo: &'static DemoServerConf,
    lua: &'static LuaServerConf,
    protocol: &'static dyn Protocol,
    names: Names,
    engine: RefCell<Option<Rc<Engine>>>,
    chunk: RefCell<Option<Rc<Chunk>>>,
}

impl MainConf {
    pub fn new(
        merged: &Merged,
        base: &'static ServerConf,
        servers: Vec<&'static ServerConf>,
    ) -> Self {
        let lua = merged.main::<Lua>();
        MainConf { lua, base, servers, engine: RefCell::default() }
    }

    /// What `tcp {}` itself says: for code that runs without a connection.
    pub fn base(&self) -> &'static ServerConf {
        self.base
    }

    /// The VM of all servers, see `ServerConf::engine`.
    pub fn engine(&self) -> Option<Rc<Engine>> {
        self.engine.borrow().clone()
    }

    /// Sets the VM, or lets go of it, for the servers too.
    pub(crate) fn set_engine(&self, engine: Option<Rc<Engine>>) {
        for server in &self.servers {
            server.set_engine(engine.clone());
        }
        self.engine.replace(engine);
    }

    /// The servers in the order of the configuration.
    pub fn servers(&self) -> &[&'static ServerConf] {
        &self.servers
    }

    /// `lua_package_path` with the prefix filled in; `;;` is still in it.
    pub fn package_path(&self) -> Option<&[u8]> {
        self.lua.package_path.as_deref()
    }

    /// `lua_package_cpath`, likewise.
    pub fn package_cpath(&self) -> Option<&[u8]> {
        self.lua.package_cpath.as_deref()
    }

    /// `init_by_lua*`
    pub fn init(&self) -> Option<&Script> {
        self.lua.init.as_ref()
    }

    /// `init_worker_by_lua*`
    pub fn init_worker(&self) -> Option<&Script> {
        self.lua.init_worker.as_ref()
    }

    /// `lua_max_pending_timers`
    pub fn max_pending_timers(&self) -> usize {
        self.lua.max_pending_timers.unwrap_or(1024)
    }

    /// `lua_max_running_timers`
    pub fn max_running_timers(&self) -> usize {
        self.lua.max_running_timers.unwrap_or(256)
    }

    /// `lua_regex_cache_max_entries`
    pub fn regex_cache_max_entries(&self) -> usize {
        self.lua.regex_cache_max_entries.unwrap_or(1024)
    }

    /// `lua_regex_match_limit`; 0 is PCRE2's own.
    pub fn regex_match_limit(&self) -> u32 {
        let limit = self.lua.regex_match_limit.unwrap_or(0);
        u32::try_from(limit).unwrap_or(u32::MAX)
    }

    /// How long init_worker_by_lua* may keep the worker from accepting.
    pub fn init_worker_timeout(&self) -> Msec {
        self.lua.init_worker_timeout.unwrap_or(60_000)
    }

    /// How long exit_worker_by_lua* may keep it from exiting.
    pub fn exit_worker_timeout(&self) -> Msec {
        self.lua.exit_worker_timeout.unwrap_or(10_000)
    }

    /// `lua_shared_dict`
    pub fn shared_dicts(&self) -> &[&'static SharedDict] {
        &self.lua.shared_dicts
    }

    /// `exit_worker_by_lua*`
    pub fn exit_worker(&self) -> Option<&Script> {
        self.lua.exit_worker.as_ref()
    }
}

impl ServerConf {
    /// The server of a merged level; refused when it has neither a protocol
    /// nor a script.
    pub fn new(merged: &Merged, system: &System) -> Result<Self, ConfError> {
        let (core, lua) = (merged.server::<Core>(), merged.server::<Lua>());
        let protocol = match core.protocol {
            Some(protocol) => protocol,
            None if lua.script.is_some() => &TcpLua,
            None => {
                let text = "server { need command 'protocol'";
                return Err(ConfError::At(core.location.clone(), text.into()));
            }
        };
        let server = ServerConf::with_protocol(merged, protocol, system);
        protocol.check(&server)?;
        server.client_ssl.prepare(server.listens())?;
        Ok(server)
    }

    fn with_protocol(
        merged: &Merged,
        protocol: &'static dyn Protocol,
        system: &System,
    ) -> Self {
        let (core, lua) = (merged.server::<Core>(), merged.server::<Lua>());
        let access = merged.server::<Access>();
        let names = Names::new(core, lua, system);
        let (engine, chunk) = (RefCell::default(), RefCell::default());
        ServerConf {
            core,
            access,
            access_logs: None,
            client_ssl: merged.server::<ClientSsl>(),
            demo: merged.server::<DemoModule>(),
            lua,
            protocol,
            names,
            engine,
            chunk,
        }
    }

    /// What the server speaks.
    pub fn protocol(&self) -> &'static dyn Protocol {
        self.protocol
    }

    /// Who may connect: everybody where there are no rules.
    pub fn access_rules(&self) -> Option<&Rules> {
        self.access.rules.as_deref()
    }

    /// Where a line is written for each request; None: nowhere.
    #[inline]
    pub fn access_logs(&self) -> Option<&[AccessLog]> {
        self.access_logs.as_deref().map(Vec::as_slice)
    }

    /// `demo_echo`: what the protocol demo answers, instead of the request.
    pub fn demo_echo(&self) -> Option<&[u8]> {
        self.demo.echo.as_deref()
    }

    /// Whether clients speak TLS at all of its addresses (`ssl on`).
    pub fn is_ssl(&self) -> bool {
        self.client_ssl.is_on()
    }

    /// What TLS handshakes with clients begin with.
    pub fn client_ssl(&self) -> Option<&Rc<Context>> {
        self.client_ssl.context()
    }

    /// How long such a handshake may take.
    pub fn handshake_timeout(&self) -> Msec {
        self.client_ssl.handshake_timeout().unwrap_or_else(|| self.read_timeout())
    }

    /// `ssl_session_cache shared:...`
    pub fn session_cache(&self) -> Option<&'static SessionCache> {
        self.client_ssl.session_cache()
    }

    pub fn read_timeout(&self) -> Msec {
        self.core.read_timeout.get().unwrap_or_default()
    }

    pub fn send_timeout(&self) -> Msec {
        self.core.send_timeout.get().unwrap_or_default()
    }

    /// How long a parked connection is kept: for ever, not at all (0), or a
    /// time.
    pub fn keepalive_timeout(&self) -> Option<Msec> {
        self.core.keepalive_timeout.get()
    }

    /// The size of the pool nginx makes for an accepted connection.
    pub fn connection_pool_size(&self) -> Size {
        self.core.connection_pool_size.get().unwrap_or_default()
    }

    /// The size of the pool a session starts with.
    pub fn session_pool_size(&self) -> Size {
        self.core.session_pool_size.get().unwrap_or_default()
    }

    pub fn client_max_body_size(&self) -> Size {
        self.core.client_max_body_size.get().unwrap_or_default()
    }

    /// How much a pattern of `receive` takes; 0 is no limit.
    #[inline]
    pub fn receive_max_size(&self) -> Size {
        self.core.receive_max_size.get().unwrap_or_default()
    }

    /// The server's own log, or the one it has inherited.
    pub fn error_log(&self) -> *mut ngx_log_t {
        self.core.error_log
    }

    /// Looks a name up.
    pub fn resolve(
        &self,
        name: &[u8],
        who: Rc<dyn Resolving>,
    ) -> Result<Started, StartError> {
        self.names.resolve(name, who)
    }

    /// How long connecting a script's socket may take.
    pub fn socket_connect_timeout(&self) -> Msec {
        self.lua.socket_connect_timeout.get().unwrap_or_default()
    }

    /// How long a script's socket may take nothing of what it is to send.
    pub fn socket_send_timeout(&self) -> Msec {
        self.lua.socket_send_timeout.get().unwrap_or_else(|| self.send_timeout())
    }

    /// How long a receive by a script's socket may take.
    pub fn socket_read_timeout(&self) -> Msec {
        self.lua.socket_read_timeout.get().unwrap_or_else(|| self.read_timeout())
    }

    /// How long a connection stays in a pool.
    pub fn socket_keepalive_timeout(&self) -> Msec {
        self.lua.socket_keepalive_timeout.get().unwrap_or_default()
    }

    /// How many connections a pool keeps.
    pub fn socket_pool_size(&self) -> usize {
        self.lua.socket_pool_size.get().unwrap_or_default().max(0) as usize
    }

    /// Whether errors of scripts' sockets are written to the log.
    pub fn socket_log_errors(&self) -> bool {
        self.lua.socket_log_errors.get() != Some(0)
    }

    /// What TLS of scripts' sockets begins with; None without OpenSSL.
    pub fn ssl_context(&self) -> Option<&Rc<Context>> {
        self.lua.ssl.context()
    }

    /// Whether a chunk is compiled once and not for each connection.
    pub fn code_cache(&self) -> bool {
        self.lua.code_cache.get() != Some(0)
    }

    pub fn check_client_abort(&self) -> bool {
        self.lua.check_client_abort.get() == Some(1)
    }

    /// What runs for each connection. Servers that inherit it from `tcp {}`
    /// share one `Script`.
    pub fn script(&self) -> Option<&Rc<Script>> {
        self.lua.script.as_ref()
    }

    /// The VM that the scripts run in. None while the configuration is read
    /// and after the worker's exit.
    pub fn engine(&self) -> Option<Rc<Engine>> {
        self.engine.borrow().clone()
    }

    fn set_engine(&self, engine: Option<Rc<Engine>>) {
        self.engine.replace(engine);
    }

    /// The script, compiled: with the configuration or at its first use.
    pub fn chunk(&self) -> Option<Rc<Chunk>> {
        self.chunk.borrow().clone()
    }

    pub(crate) fn set_chunk(&self, chunk: Option<Rc<Chunk>>) {
        self.chunk.replace(chunk);
    }

    /// Where the `server` stands.
    pub fn location(&self) -> &Location {
        &self.core.location
    }

    /// Where its protocol is named, or else the server itself.
    pub fn protocol_location(&self) -> &Location {
        self.core.protocol_location.as_ref().unwrap_or(&self.core.location)
    }

    pub(crate) fn listens(&self) -> &'static [Listen] {
        &self.core.listens
    }
}

/// Puts the configuration into the cycle's memory. The first of `servers` is the
/// one that serves nobody.
pub fn publish(
    cf: &mut Conf,
    merged: &Merged,
    servers: &[Merged],
) -> Result<&'static MainConf, ConfError> {
    let system = System::read(cf)?;
    let mut published: Vec<&'static ServerConf> = Vec::with_capacity(servers.len());
    let Some((base, servers)) = servers.split_first() else {
        return Err(ConfError::Logged);
    };
    let base = cf.alloc(ServerConf::with_protocol(base, &TcpLua, &system))?;
    let mut default_log = None;
    for merged in servers {
        let mut server = ServerConf::new(merged, &system)?;
        let logs = match (&merged.server::<Log>().logs, &default_log) {
            (Some(logs), _) | (None, Some(logs)) => logs.clone(),
            (None, None) => default_log.insert(log::default_log(cf)?).clone(),
        };
        server.access_logs = (!logs.is_empty()).then_some(logs);
        published.push(cf.alloc(server)?);
    }
    Ok(cf.alloc(MainConf::new(merged, base, published))?)
}
