//! Listening sockets: what a `listen` address means, `ngx_create_listening`,
//! and the way from an accepted connection to the server that owns it.

use std::ffi::CStr;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ptr::{self, NonNull};

use ngx::ffi::{
    NGX_OK, ngx_accept_disabled, ngx_accept_log_error, ngx_addr_t, ngx_close_connection,
    ngx_connection_local_sockaddr, ngx_connection_t, ngx_create_listening, ngx_cycle,
    ngx_destroy_pool, ngx_event_actions, ngx_event_t, ngx_int_t, ngx_listening_t,
    ngx_log_t, ngx_parse_url, ngx_str_t, ngx_url_t, ngx_use_accept_mutex,
    ngx_use_exclusive_accept, ngx_worker, sockaddr,
};

use crate::nginx::conf::{Conf, ConfError, bytes};
use crate::nginx::connection::Connection;
use crate::nginx::guard::guard;
use crate::nginx::ssl::Stream;
use crate::nginx::stat;

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Inet(SocketAddr),
    Unix(Vec<u8>),
}

/// What one `listen` value means: several addresses when it is a host name or
/// a range of ports.
pub struct ListenUrl {
    pub addrs: Vec<ListenAddr>,
    pub has_port: bool,
}

/// An address together with nginx's own record of it.
#[derive(Clone)]
pub struct ListenAddr {
    pub address: Address,
    /// `0.0.0.0:6666`, `[::]:6666`, `unix:/path`.
    pub text: Vec<u8>,
    raw: ngx_addr_t,
}

/// The parameters of a listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenOptions {
    pub backlog: i32,
    /// Left to the kernel when -1, as `sndbuf` and `fastopen`.
    pub rcvbuf: i32,
    pub sndbuf: i32,
    pub fastopen: i32,
    pub keepalive: KeepAlive,
    pub deferred: bool,
    pub ipv6only: bool,
    pub reuseport: bool,
}

/// `so_keepalive`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlive {
    /// As the system has it.
    Default,
    Off,
    /// Seconds, seconds, probes; 0 leaves the system's value.
    On {
        idle: i32,
        interval: i32,
        count: i32,
    },
}

/// Who takes the connections of a socket.
pub trait Acceptor: 'static {
    type Server: 'static;

    /// Takes over a connection that `server` listens for; by TLS, if the address is
    /// for that.
    fn accept(c: Accepted, server: &'static Self::Server, ssl: bool);
}

/// A connection that nginx has accepted, with its TLS, if there was a handshake;
/// closed on drop.
pub struct Accepted {
    c: NonNull<ngx_connection_t>,
    tls: Option<Box<Stream>>,
}

/// A server reached through a socket, at one local address.
pub struct Route<S: 'static> {
    pub addr: ListenAddr,
    pub server: &'static S,
    /// Clients speak TLS there.
    pub ssl: bool,
}

/// What `ngx_listening_t` carries for us: the servers behind one socket. The
/// last route is that of the address the socket is bound to.
struct Port<A: Acceptor> {
    routes: Vec<Route<A::Server>>,
    acceptor: PhantomData<fn() -> A>,
}

/// The settings of a socket that come from the server it is opened for.
pub struct SocketConf {
    pub options: ListenOptions,
    pub pool_size: usize,
    pub log: *mut ngx_log_t,
}

impl<S> Clone for Route<S> {
    fn clone(&self) -> Self {
        Route { addr: self.addr.clone(), server: self.server, ssl: self.ssl }
    }
}

impl Default for ListenOptions {
    fn default() -> Self {
        ListenOptions {
            backlog: 511,
            rcvbuf: -1,
            sndbuf: -1,
            fastopen: -1,
            keepalive: KeepAlive::Default,
            deferred: false,
            ipv6only: true,
            reuseport: false,
        }
    }
}

impl Address {
    /// `*:port` or `[::]:port`, which includes all other addresses of the port.
    pub fn is_wildcard(&self) -> bool {
        matches!(self, Address::Inet(addr) if addr.ip().is_unspecified())
    }

    /// Whether a socket on the wildcard address would take connections to this
    /// address too.
    pub fn shares_port(&self, other: &Address) -> bool {
        match (self, other) {
            (Address::Inet(a), Address::Inet(b)) => {
                a.port() == b.port() && a.is_ipv4() == b.is_ipv4()
            }
            _ => false,
        }
    }
}

impl ListenUrl {
    /// What word `i` of the directive means; the error is nginx's text, as
    /// `invalid port`.
    pub fn parse(cf: &mut Conf, i: usize) -> Result<ListenUrl, ConfError> {
        let url = cf.arg(i);
        // SAFETY: all-zero is how nginx starts with an ngx_url_t; url is in
        // the cycle's pool, as all that nginx makes of it, and not written to.
        unsafe {
            let mut u: ngx_url_t = std::mem::zeroed();
            u.url = ngx_str_t { len: url.len(), data: url.as_ptr().cast_mut() };
            u.set_listen(1);
            if ngx_parse_url((*cf.as_ptr()).pool, &raw mut u) != NGX_OK as ngx_int_t {
                return Err(match u.err.is_null() {
                    true => ConfError::Logged,
                    false => ConfError::Text(
                        CStr::from_ptr(u.err).to_string_lossy().into_owned(),
                    ),
                });
            }
            let addrs = std::slice::from_raw_parts(u.addrs, u.naddrs);
            let addrs = addrs.iter().filter_map(|raw| ListenAddr::new(raw)).collect();
            Ok(ListenUrl { addrs, has_port: u.no_port() == 0 })
        }
    }
}

impl ListenAddr {
    /// # Safety
    /// - `raw` is an address that `ngx_parse_url` made in the cycle's pool.
    unsafe fn new(raw: &ngx_addr_t) -> Option<Self> {
        // SAFETY: the caller's promise.
        let address = unsafe { address(raw.sockaddr, raw.socklen) }?;
        Some(ListenAddr { address, text: bytes(&raw.name).to_vec(), raw: *raw })
    }
}

impl Accepted {
    /// # Safety
    /// - `c` is live, with its pool and log, and nobody else closes it; the stream
    ///   is over it.
    pub unsafe fn new(
        c: NonNull<ngx_connection_t>,
        tls: Option<Box<Stream>>,
    ) -> Accepted {
        Accepted { c, tls }
    }

    /// The connection as what owns and serves it.
    pub fn into_connection(mut self) -> Connection {
        let tls = self.tls.take();
        let c = self.c.as_ptr();
        std::mem::forget(self);
        // SAFETY: nginx has accepted it, with its pool and log, and `self` was its
        // only owner.
        unsafe { Connection::accepted(c, tls) }
    }

    /// The local IP address the client has connected to.
    fn local_ip(&self) -> Option<IpAddr> {
        let c = self.c.as_ptr();
        // SAFETY: self owns the live connection; nginx keeps local_sockaddr up
        // to date, in the connection's pool or the listening socket's memory.
        unsafe {
            if ngx_connection_local_sockaddr(c, ptr::null_mut(), 0) != NGX_OK as ngx_int_t
            {
                return None;
            }
            match address((*c).local_sockaddr, (*c).local_socklen)? {
                Address::Inet(addr) => Some(addr.ip()),
                Address::Unix(_) => None,
            }
        }
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        // It tells the other side, and needs the socket for that.
        self.tls.take();
        let c = self.c.as_ptr();
        // SAFETY: self owns the connection and nothing has been attached to it
        // yet; the pool holds c's log, so it goes last.
        unsafe {
            let pool = (*c).pool;
            ngx_close_connection(c);
            stat::ACTIVE.decrement();
            ngx_destroy_pool(pool);
        }
    }
}

impl<A: Acceptor> Port<A> {
    fn route(&self, c: &Accepted) -> Option<&Route<A::Server>> {
        let last = self.routes.last()?;
        if self.routes.len() == 1 {
            return Some(last);
        }
        let ip = c.local_ip()?;
        let is_for = |route: &&Route<A::Server>| matches!(route.addr.address, Address::Inet(addr) if addr.ip() == ip);
        Some(self.routes.iter().find(is_for).unwrap_or(last))
    }
}

/// Whether something has been told to listen for TCP on `addr` already, be it
/// of another module.
pub fn is_taken(cf: &Conf, addr: &Address) -> bool {
    // SAFETY: the cycle being made has an array of listening sockets, whose
    // addresses are of the cycle's pool.
    unsafe {
        let listening = &(*cf.cycle()).listening;
        if listening.nelts == 0 {
            return false;
        }
        let sockets = listening.elts.cast::<ngx_listening_t>();
        std::slice::from_raw_parts(sockets, listening.nelts).iter().any(|ls| {
            ls.type_ == libc::SOCK_STREAM
                && address(ls.sockaddr, ls.socklen).as_ref() == Some(addr)
        })
    }
}

/// Opens a socket on the address of the last of `routes`; connections go to the
/// route of the local address they came in on.
pub fn listen<A: Acceptor>(
    cf: &mut Conf,
    conf: &SocketConf,
    routes: Vec<Route<A::Server>>,
) -> Result<(), ConfError> {
    let Some(bound) = routes.last() else { return Ok(()) };
    let (addr, wildcard) = (bound.addr.raw, bound.addr.address.is_wildcard());
    let port = cf.alloc(Port::<A> { routes, acceptor: PhantomData })?;
    // SAFETY: the address is of the cycle's pool; nginx makes the record in
    // the cycle being made and has filled in its defaults.
    unsafe {
        let ls = ngx_create_listening(cf.as_ptr(), addr.sockaddr, addr.socklen);
        let Some(ls) = ls.as_mut() else { return Err(ConfError::Logged) };
        ls.handler = Some(ngx_tcp_init_connection::<A>);
        ls.servers = ptr::from_mut(port).cast();
        ls.logp = conf.log;
        ls.log.data = (&raw mut ls.addr_text).cast();
        ls.log.handler = Some(ngx_accept_log_error);
        ls.pool_size = conf.pool_size;
        ls.set_addr_ntop(1);
        ls.set_wildcard(wildcard.into());
        apply(&conf.options, ls);
    }
    Ok(())
}

fn apply(options: &ListenOptions, ls: &mut ngx_listening_t) {
    ls.backlog = options.backlog;
    ls.rcvbuf = options.rcvbuf;
    ls.sndbuf = options.sndbuf;
    ls.fastopen = options.fastopen;
    ls.set_deferred_accept(options.deferred.into());
    ls.set_reuseport(options.reuseport.into());
    ls.set_ipv6only(options.ipv6only.into());
    match options.keepalive {
        KeepAlive::Default => {}
        KeepAlive::Off => ls.set_keepalive(2),
        KeepAlive::On { idle, interval, count } => {
            ls.set_keepalive(1);
            ls.keepidle = idle;
            ls.keepintvl = interval;
            ls.keepcnt = count;
        }
    }
}

/// Turns TCP_NODELAY on for the sockets whose connections go to `A`: Linux
/// hands it on to accepted connections, which saves a system call for each.
/// Output is joined in user space, so Nagle's algorithm would only delay it.
pub fn set_nodelay<A: Acceptor>() {
    let ours = ngx_tcp_init_connection::<A> as *const ();
    // SAFETY: ngx_cycle is the running cycle; its sockets are open.
    unsafe {
        let listening = &(*ngx_cycle).listening;
        if listening.nelts == 0 {
            return;
        }
        let sockets = listening.elts.cast::<ngx_listening_t>();
        for ls in std::slice::from_raw_parts(sockets, listening.nelts) {
            if ls.type_ == libc::SOCK_STREAM
                && ls.handler.is_some_and(|handler| handler as *const () == ours)
                && i32::from((*ls.sockaddr).sa_family) != libc::AF_UNIX
            {
                let on: libc::c_int = 1;
                libc::setsockopt(
                    ls.fd,
                    libc::IPPROTO_TCP,
                    libc::TCP_NODELAY,
                    (&raw const on).cast(),
                    size_of::<libc::c_int>() as libc::socklen_t,
                );
            }
        }
    }
}

/// Takes the sockets whose connections go to `A` off this worker's events, until
/// `resume_accepting`.
pub fn pause_accepting<A: Acceptor>() {
    // SAFETY: the worker's own connections for its sockets are live until it
    // closes them when it exits. Where workers take turns at accepting, nginx
    // asks ngx_accept_disabled first, and counts it down turn by turn; sockets
    // with reuseport take no part in that.
    unsafe {
        if ngx_use_accept_mutex != 0 {
            ngx_accept_disabled = i32::MAX as ngx_int_t;
        }
        each_socket::<A>(|rev| {
            if (*rev).active() != 0 {
                ngx_del_event(rev, READ_EVENT, 0);
            }
        });
    }
}

/// Lets this worker accept again.
pub fn resume_accepting<A: Acceptor>() {
    // SAFETY: as in pause_accepting(); nginx has the sockets of a worker among
    // its exclusive events if it says so.
    unsafe {
        let in_turn = ngx_use_accept_mutex != 0;
        if in_turn {
            ngx_accept_disabled = 0;
        }
        each_socket::<A>(|rev| {
            let c: *mut ngx_connection_t = (*rev).data.cast();
            let own = (*(*c).listening).reuseport() != 0;
            if (*rev).active() != 0 || in_turn && !own {
                return;
            }
            let exclusive = !own && ngx_use_exclusive_accept != 0;
            let flags = if exclusive { EXCLUSIVE_EVENT } else { 0 };
            ngx_add_event(rev, READ_EVENT, flags);
        });
    }
}

/// Calls `f` with the read event of each listening socket of this worker.
///
/// # Safety
/// - in a worker that has not closed its listening sockets.
unsafe fn each_socket<A: Acceptor>(f: impl Fn(*mut ngx_event_t)) {
    let ours = ngx_tcp_init_connection::<A> as *const ();
    // SAFETY: the running cycle's array; a socket has a connection if it is open,
    // and one with reuseport only in the worker that it is for.
    unsafe {
        let listening = &(*ngx_cycle).listening;
        if listening.nelts == 0 {
            return;
        }
        let sockets = listening.elts.cast::<ngx_listening_t>();
        for ls in std::slice::from_raw_parts(sockets, listening.nelts) {
            let of_worker = ls.reuseport() == 0 || ls.worker == ngx_worker;
            if of_worker
                && !ls.connection.is_null()
                && ls.handler.is_some_and(|handler| handler as *const () == ours)
            {
                f((*ls.connection).read);
            }
        }
    }
}

/// Macros of nginx's: NGX_READ_EVENT is EPOLLIN | EPOLLRDHUP with epoll, and the
/// other is EPOLLEXCLUSIVE.
const READ_EVENT: ngx_int_t = (libc::EPOLLIN | libc::EPOLLRDHUP) as ngx_int_t;
const EXCLUSIVE_EVENT: usize = 1 << 28;

unsafe fn ngx_add_event(rev: *mut ngx_event_t, event: ngx_int_t, flags: usize) {
    // SAFETY: the event module's function, set before any worker starts.
    unsafe {
        if let Some(add) = ngx_event_actions.add {
            add(rev, event, flags);
        }
    }
}

unsafe fn ngx_del_event(rev: *mut ngx_event_t, event: ngx_int_t, flags: usize) {
    // SAFETY: as in ngx_add_event().
    unsafe {
        if let Some(del) = ngx_event_actions.del {
            del(rev, event, flags);
        }
    }
}

/// `ngx_listening_t.handler`.
unsafe extern "C" fn ngx_tcp_init_connection<A: Acceptor>(c: *mut ngx_connection_t) {
    let Some(c) = NonNull::new(c) else { return };
    let accepted = Accepted { c, tls: None };
    // SAFETY: nginx hands over the connection it has just accepted; listen()
    // has set servers, to memory that lives as long as the socket's cycle.
    let port = unsafe { &*(*(*c.as_ptr()).listening).servers.cast::<Port<A>>() };
    guard("the start of a connection", (), move || {
        if let Some(route) = port.route(&accepted) {
            A::accept(accepted, route.server, route.ssl);
        }
    });
}

/// A socket address as a value; None for a family that is not ours.
///
/// # Safety
/// - `sa` is an address of `len` bytes.
unsafe fn address(sa: *const sockaddr, len: libc::socklen_t) -> Option<Address> {
    let len = len as usize;
    // SAFETY: the caller's promise; each cast is to what the family says. They
    // are read unaligned since nginx aligns addresses in a pool to a word only.
    unsafe {
        match i32::from((*sa).sa_family) {
            libc::AF_INET => {
                let sin = sa.cast::<libc::sockaddr_in>().read_unaligned();
                let ip = Ipv4Addr::from(u32::from_be(sin.sin_addr.s_addr));
                let addr = SocketAddrV4::new(ip, u16::from_be(sin.sin_port));
                Some(Address::Inet(SocketAddr::V4(addr)))
            }
            libc::AF_INET6 => {
                let sin6 = sa.cast::<libc::sockaddr_in6>().read_unaligned();
                let ip = Ipv6Addr::from(sin6.sin6_addr.s6_addr);
                let port = u16::from_be(sin6.sin6_port);
                let addr = SocketAddrV6::new(ip, port, 0, sin6.sin6_scope_id);
                Some(Address::Inet(SocketAddr::V6(addr)))
            }
            libc::AF_UNIX => {
                let start = std::mem::offset_of!(libc::sockaddr_un, sun_path);
                let path = sa.cast::<u8>().add(start);
                let path = std::slice::from_raw_parts(path, len.saturating_sub(start));
                let end = path.iter().position(|&b| b == 0).unwrap_or(path.len());
                Some(Address::Unix(path[..end].to_vec()))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inet(text: &str) -> Address {
        Address::Inet(text.parse().expect("an address"))
    }

    #[test]
    fn which_addresses_a_wildcard_socket_includes() {
        let any = inet("0.0.0.0:1000");
        assert!(any.is_wildcard() && inet("[::]:1").is_wildcard());
        assert!(!inet("127.0.0.1:1000").is_wildcard());
        assert!(!Address::Unix(b"/s".to_vec()).is_wildcard());
        assert!(any.shares_port(&inet("127.0.0.1:1000")));
        assert!(!any.shares_port(&inet("127.0.0.1:1001")));
        assert!(!any.shares_port(&inet("[::1]:1000")));
        assert!(!Address::Unix(vec![]).shares_port(&Address::Unix(vec![])));
    }
}
