//! `ngx.socket.tcp`: what `lua/socket.lua` makes the methods of its objects of.
//!
//! An object is a table: [1] is its connection's number, or false before it has
//! one, [2] the name of its pool, [3] to [5] are its timeouts in milliseconds.

use std::rc::Rc;

use super::session::receive_pattern;
use super::{check_can_wait, check_events, flatten, in_thread};
use crate::lua::append::AppendError;
use crate::lua::value::{build, kept};
use crate::lua::{Call, Function, Kind, Outcome, Value, Values, function, table_method};
use crate::nginx::Msec;
use crate::nginx::address::Address;
use crate::nginx::connection::{ConnectError, Connection};
use crate::nginx::io::strerror;
use crate::sched::{Thread, with_thread};
use crate::socket::output::Sent;
use crate::tcp::conf::ServerConf;
use crate::tcp::current;
use crate::tcp::directives::core::RECEIVE_MAX_SIZE;
use crate::text::pattern::{Pattern, Scanner};
use crate::upstream::dial::{self, Dialing, Target};
use crate::upstream::registry::place_of;
use crate::upstream::{REGISTRY, Sending, Upstream, heartbeat, lookup};

pub const PRIVATE: &[Function] = &[
    function("tcp_reuse", reuse),
    function("tcp_learn", learn),
    function("tcp_connect", |call| connect(call).raised_above()),
    table_method("tcp_send", send),
    function("tcp_receive", receive),
    function("tcp_receiveany", receive_any),
    function("tcp_peek", peek),
    function("tcp_receive_until", |call| receive_until(call).raised_above()),
    function("tcp_close", close),
    function("tcp_shutdown", shutdown),
    function("tcp_keep", keep),
    function("tcp_setkeepalive", set_keepalive),
    function("tcp_getreusedtimes", |call| {
        with_open(call, |upstream| {
            Outcome::one(Value::Number(f64::from(upstream.reused_times())))
        })
    }),
    function("tcp_fd", |call| {
        with_open(call, |upstream| {
            Outcome::one(Value::Number(f64::from(upstream.connection().fd())))
        })
    }),
    function("tcp_address", |call| {
        with_open(call, |upstream| {
            address(upstream.connection(), call.boolean(2) == Some(true))
        })
    }),
    function("tcp_get_option", |call| {
        with_open(call, |upstream| get_option(upstream.connection(), call))
    }),
    function("tcp_set_option", |call| {
        with_open(call, |upstream| set_option(upstream.connection(), call))
    }),
    // Whether a receive would not wait, or nil and why one cannot ask.
    function("tcp_can_read", |call| {
        let id = call.item_number(1, 1).unwrap_or_default();
        match REGISTRY.find(id) {
            Some(upstream) if upstream.is_reading() => {
                Outcome::error(Value::Str("socket busy reading"))
            }
            Some(upstream) => Outcome::one(Value::Boolean(upstream.can_read())),
            None => super::client::can_read(id),
        }
    }),
    // The next connection after this place, and its place.
    function("tcp_next", |call| {
        match REGISTRY.next(call.number(1).unwrap_or_default() as usize) {
            Some((id, place)) => Outcome::Return(Values::two(
                Value::Number(id as f64),
                Value::Number(place as f64),
            )),
            None => Outcome::NONE,
        }
    }),
    // Closes the connection with this number.
    function("tcp_drop", |call| {
        if let Some(upstream) = call.number(1).and_then(|id| REGISTRY.find(id)) {
            upstream.finish();
        }
        Outcome::NONE
    }),
    function("tcp_swept", |_| {
        REGISTRY.swept();
        Outcome::NONE
    }),
    // What to raise where no thread runs, as in init_by_lua*.
    function("no_thread", |_| {
        with_thread(|thread| match thread {
            Some(_) => Outcome::NONE,
            None => Outcome::one(kept(super::disabled_text())),
        })
    }),
    function("tcp_pool_size", |_| {
        let size = current::conf().map_or(30, ServerConf::socket_pool_size);
        Outcome::one(Value::Number(size as f64))
    }),
    // Whether this is an address that a socket can be bound to.
    function("tcp_bindable", |call| {
        let address = call.bytes(1).and_then(bind_address);
        Outcome::one(Value::Boolean(address.is_some()))
    }),
];

/// Where an object has its timeouts.
pub(super) const CONNECT_TIMEOUT: i32 = 3;
pub(super) const SEND_TIMEOUT: i32 = 4;
pub(super) const READ_TIMEOUT: i32 = 5;

/// The connection of the object that is argument 1.
#[inline]
pub(super) fn upstream_of(call: &Call) -> Option<Rc<Upstream>> {
    REGISTRY.find(call.object_number(1)?)
}

#[cold]
pub(super) fn closed() -> Outcome {
    Outcome::error(Value::Str("closed"))
}

/// Calls `f` with the object's connection; `nil, "closed"` where it has none
/// from which one could read.
fn with_open(call: &Call, f: impl FnOnce(&Rc<Upstream>) -> Outcome) -> Outcome {
    match upstream_of(call) {
        Some(upstream) if !upstream.is_over() => f(&upstream),
        _ => closed(),
    }
}

/// A timeout that the object has, or what the configuration says.
#[inline]
pub(super) fn timeout(call: &Call, at: i32, default: fn(&ServerConf) -> Msec) -> Msec {
    timeout_of(call.object_number(at), default)
}

/// The same for one that is known.
#[inline]
pub(super) fn timeout_of(msec: Option<f64>, default: fn(&ServerConf) -> Msec) -> Msec {
    match msec {
        Some(msec) if msec >= 1.0 => (msec as usize).min(super::MAX_MSEC),
        _ => current::conf().map_or(60_000, default),
    }
}

/// `reuse(self, host, port, objects)`: takes a connection out of the pool of that
/// address, if it is a remembered one that has one, and the arguments are the usual
/// ones. Before the objects the table has the names of the remembered pools.
fn reuse(call: &Call) -> Outcome {
    const NO: Outcome = Outcome::Return(Values::NONE);
    if call.kind(1) != Kind::Table || call.kind(4) != Kind::Table {
        return NO;
    }
    let (Some(host), Some(port)) = (call.bytes(2), call.number(3)) else { return NO };
    if upstream_of(call).is_some() || REGISTRY.is_crowded() {
        return NO;
    }
    with_thread(|thread| {
        let (Some(thread), Some(conf)) = (thread, current::conf()) else { return NO };
        match dial::reuse(thread, host, port, conf) {
            Some((pool, id)) => Outcome::Adopted(Values::three(
                Value::Number(id as f64),
                Value::Number((pool + 1) as f64),
                Value::Number((place_of(id) + lookup::PLACES) as f64),
            )),
            None => NO,
        }
    })
}

/// `learn(host, port)`: remembers the pool of that address, if there is one: its
/// number, and its name.
fn learn(call: &Call) -> Outcome {
    let (Some(host), Some(port)) = (call.bytes(1), call.number(2)) else {
        return Outcome::NONE;
    };
    match lookup::learn(host, port) {
        Some((place, pool)) => Outcome::Return(Values::two(
            Value::Number((place + 1) as f64),
            build(|out| out.extend_from_slice(pool.name())),
        )),
        None => Outcome::NONE,
    }
}

/// `connect(self, name, host, port, pool_size, backlog, from)`: the connection's
/// number, and whether there are many; or `nil, err`.
fn connect(call: &Call) -> Outcome {
    in_thread(|thread| {
        flatten((|| {
            let Some(conf) = current::conf() else { return Ok(super::no_thread()) };
            check_can_wait(call)?;
            check_events()?;
            let old = upstream_of(call);
            if let Some(old) = old {
                if old.is_busy() {
                    return Ok(Outcome::error(Value::Str(old.busy_text())));
                }
                old.finish();
            }
            let number = |i| call.number(i).map(|n| n as usize);
            let target = Target {
                name: call.bytes(2).unwrap_or_default(),
                host: call.bytes(3).unwrap_or_default(),
                port: number(4).unwrap_or_default() as u16,
                timeout: timeout(
                    call,
                    CONNECT_TIMEOUT,
                    ServerConf::socket_connect_timeout,
                ),
                pool_size: number(5),
                backlog: number(6),
                from: call.bytes(7).and_then(bind_address),
                conf,
            };
            Ok(match dial::dial(thread, target) {
                Dialing::Done(values) => Outcome::Return(values),
                Dialing::Waits => Outcome::Wait,
            })
        })())
    })
}

/// `IP`, `IP:PORT` or `[IP6]:PORT`.
pub(super) fn bind_address(text: &[u8]) -> Option<Address> {
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(address) = text.parse::<std::net::SocketAddr>() {
        return Some(Address::ip(address.ip(), address.port()));
    }
    let ip = text.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(text);
    Some(Address::ip(ip.parse().ok()?, 0))
}

fn send(call: &Call) -> Outcome {
    if call.len() != 2 {
        return Outcome::raise(format_args!(
            "expecting 2 arguments (including the object), but got {}",
            call.len()
        ));
    }
    // Arguments first: a closed socket does not hide a mistake in them.
    let kind = call.kind(2);
    if !matches!(kind, Kind::String | Kind::Number | Kind::Table) {
        return bad_data(AppendError::BadArgument(kind));
    }
    let Some(upstream) = upstream_of(call) else { return closed() };
    if let Some(values) = upstream.unsendable() {
        return Outcome::Return(values);
    }
    let (sending, len) = match call.bytes(2) {
        Some(bytes) => (upstream.send(bytes), bytes.len()),
        None => match upstream.socket.write_with(|out| call.append_data(2, out)) {
            Ok(len) => (upstream.send_queued(len), len),
            Err(error) => return bad_data(error),
        },
    };
    sent(call, &upstream, sending, len)
}

fn sent(call: &Call, upstream: &Rc<Upstream>, sending: Sending, len: usize) -> Outcome {
    match sending {
        Sending::Sent(n) => Outcome::one(Value::Number(n as f64)),
        Sending::Done(values) => Outcome::Return(values),
        Sending::Turn if !call.can_wait() => Outcome::one(Value::Number(len as f64)),
        Sending::Turn => in_thread(|thread| {
            Upstream::wait_for_turn(thread, len);
            Outcome::Wait
        }),
        Sending::Blocked => in_thread(|thread| {
            flatten((|| {
                check_can_wait(call)?;
                let timeout =
                    timeout(call, SEND_TIMEOUT, ServerConf::socket_send_timeout);
                Ok(match upstream.wait_to_send(thread, len, timeout) {
                    Some(values) => Outcome::Return(values),
                    None => Outcome::Wait,
                })
            })())
        }),
    }
}

#[cold]
pub(super) fn bad_data(error: AppendError) -> Outcome {
    match error {
        AppendError::BadArgument(kind) => Outcome::bad_argument(
            2,
            format_args!(
                "string, number, boolean, nil, or array table expected, got {}",
                kind.name()
            ),
        ),
        AppendError::NotAnArray => {
            Outcome::bad_argument(2, format_args!("non-array table found"))
        }
        AppendError::BadElement(kind) => {
            Outcome::bad_argument(2, format_args!("bad data type {} found", kind.name()))
        }
        AppendError::TooDeep => {
            Outcome::bad_argument(2, format_args!("table is nested too deep"))
        }
    }
}

#[inline]
fn receive(call: &Call) -> Outcome {
    flatten((|| {
        if call.is_empty() || call.len() > 3 {
            return Err(Outcome::raise(format_args!(
                "expecting 1 to 3 arguments (including the object), but got {}",
                call.len()
            )));
        }
        match receive_pattern(call, 2) {
            Ok(pattern) => read(call, Scanner::new(pattern)),
            Err(_) if wants_nothing(call) => Ok(receive_nothing(call)),
            Err(raised) => Err(raised),
        }
    })())
}

/// Whether it is `receive(0)`, which is no mistake of an object's caller: it is
/// how clients of redis read an empty value. ngx.receive never took it.
#[cold]
pub(super) fn wants_nothing(call: &Call) -> bool {
    call.len() == 2 && call.number(2).is_some_and(|size| (0.0..1.0).contains(&size))
}

/// An empty string, wherever something could be received.
#[cold]
fn receive_nothing(call: &Call) -> Outcome {
    match upstream_of(call) {
        Some(upstream) if upstream.is_reading() => {
            Outcome::error(Value::Str("socket busy reading"))
        }
        Some(upstream) if !upstream.is_over() => Outcome::one(Value::Str("")),
        _ => closed(),
    }
}

/// Completes a receive, or waits.
#[inline]
fn read(call: &Call, scanner: Scanner) -> Result<Outcome, Outcome> {
    let Some(upstream) = upstream_of(call) else { return Ok(closed()) };
    let mut scanner = scanner.limited(receive_max_size);
    if let Some(values) = upstream.receive_now(&mut scanner) {
        return Ok(Outcome::Return(values));
    }
    check_can_wait(call)?;
    let timeout = timeout(call, READ_TIMEOUT, ServerConf::socket_read_timeout);
    Ok(with_thread(|thread| match thread {
        Some(thread) => match upstream.receive_later(thread, scanner, timeout) {
            Some(values) => Outcome::Return(values),
            None => Outcome::Wait,
        },
        None => super::no_thread(),
    }))
}

#[inline]
fn receive_max_size() -> usize {
    current::conf().map_or(RECEIVE_MAX_SIZE, ServerConf::receive_max_size)
}

/// Makes the thread wait, among others, for the socket that is argument `i`: a
/// script's or the client's.
pub(super) fn select(call: &Call, i: usize, thread: &Rc<Thread>, item: usize) {
    let Some(id) = call.item_number(i, 1) else { return };
    if let Some(upstream) = REGISTRY.find(id) {
        upstream.select(thread, item);
    } else {
        super::client::select(id, thread, item);
    }
}

/// A size that is given as argument 2.
pub(super) fn size_argument(call: &Call) -> Result<usize, Outcome> {
    match call.number(2) {
        Some(n) if n >= 1.0 => Ok(n as usize),
        Some(_) => Err(Outcome::bad_argument(2, format_args!("bad argument <= 0"))),
        None => Err(Outcome::bad_argument(
            2,
            format_args!("number expected, got {}", call.kind(2).name()),
        )),
    }
}

fn receive_any(call: &Call) -> Outcome {
    flatten((|| {
        super::check_count(call, 2, "expecting 2 arguments (including the object)")?;
        let max = size_argument(call)?;
        read(call, Scanner::new(Pattern::AtLeast { min: 1, max }))
    })())
}

fn peek(call: &Call) -> Outcome {
    flatten((|| {
        super::check_count(call, 2, "expecting 2 arguments (including the object)")?;
        let n = size_argument(call)?;
        read(call, Scanner::peek(Pattern::exact(n)))
    })())
}

/// `receive_until(self, delimiter, inclusive, size)`: bytes, and whether the
/// delimiter is behind them; or `nil, err, partial`.
fn receive_until(call: &Call) -> Outcome {
    let delimiter = call.bytes(2).unwrap_or_default();
    let size = call.number(4).map_or(usize::MAX, |size| size as usize);
    let scanner = Scanner::until(delimiter, call.boolean(3) == Some(true), size);
    flatten(read(call, scanner))
}

fn close(call: &Call) -> Outcome {
    flatten((|| {
        if call.len() != 1 {
            return Err(Outcome::raise(format_args!(
                "ngx.socket close: expecting 1 argument (including the object) but seen {}",
                call.len()
            )));
        }
        let Some(upstream) = upstream_of(call) else { return Ok(closed()) };
        if upstream.is_busy() {
            return Ok(Outcome::error(Value::Str(upstream.busy_text())));
        }
        let was_over = upstream.is_over();
        upstream.finish();
        Ok(if was_over { closed() } else { Outcome::one(Value::Number(1.0)) })
    })())
}

fn shutdown(call: &Call) -> Outcome {
    with_sendable(call, |upstream| match upstream.flush_pushed() {
        Err(why) => Outcome::error(Value::Str(why)),
        Ok(Sent::Blocked) => Outcome::error(Value::Str("socket busy writing")),
        Ok(_) => match upstream.shutdown_write() {
            Ok(()) => Outcome::one(Value::Number(1.0)),
            Err(errno) => Outcome::error(kept(strerror(errno))),
        },
    })
}

/// As with_open(), where one can write.
fn with_sendable(call: &Call, f: impl FnOnce(&Rc<Upstream>) -> Outcome) -> Outcome {
    let Some(upstream) = upstream_of(call) else { return closed() };
    match upstream.unsendable() {
        Some(values) => Outcome::Return(values),
        None => f(&upstream),
    }
}

/// `keep(self, msec, size)`: gives the connection back, if that is possible and the
/// arguments are the usual ones. Else it does nothing and returns nothing.
fn keep(call: &Call) -> Outcome {
    match (upstream_of(call), kept_for(call)) {
        (Some(upstream), Some((timeout, size)))
            if size > 0 && upstream.unkeepable(false).is_none() =>
        {
            upstream.keep(timeout, size, None);
            Outcome::one(Value::Number(1.0))
        }
        _ => Outcome::NONE,
    }
}

/// The arguments 2 and 3, or what the configuration says: how long, and among how
/// many. None: they are no such numbers.
#[inline]
fn kept_for(call: &Call) -> Option<(Msec, usize)> {
    let conf = current::conf();
    let timeout = match unsigned(call, 2)? {
        Some(msec) => msec.min(super::MAX_MSEC),
        None => conf.map_or(60_000, ServerConf::socket_keepalive_timeout),
    };
    let size = match unsigned(call, 3)? {
        Some(size) => size,
        None => conf.map_or(30, ServerConf::socket_pool_size),
    };
    Some((timeout, size))
}

/// A number that is not negative, if there is one. None: it is something else.
#[inline]
fn unsigned(call: &Call, i: usize) -> Option<Option<usize>> {
    match call.number(i) {
        Some(n) if n >= 0.0 => Some(Some(n as i64 as usize)),
        None if matches!(call.kind(i), Kind::None | Kind::Nil) => Some(None),
        _ => None,
    }
}

/// `setkeepalive(self, msec, size, heartbeat)`
fn set_keepalive(call: &Call) -> Outcome {
    let Some(upstream) = upstream_of(call) else {
        // Such an object has never had a connection.
        return if call.item_is_nil(1, 2) {
            Outcome::error(Value::Str("key not found"))
        } else {
            closed()
        };
    };
    if let Some(why) = upstream.unkeepable(call.kind(4) == Kind::String) {
        if why == "connection in dubious state" || why == "closed" {
            upstream.close();
        }
        return Outcome::error(Value::Str(why));
    }
    let Some((timeout, size)) = kept_for(call) else {
        return Outcome::raise(format_args!("bad timeout or pool size"));
    };
    if size == 0 {
        return Outcome::error(Value::Str("zero pool size"));
    }
    let heartbeat = match call.bytes(4) {
        None => None,
        Some(name) => match heartbeat::find(name) {
            Some(heartbeat) => Some(heartbeat),
            None => return Outcome::raise(format_args!("unknown heartbeat")),
        },
    };
    upstream.keep(timeout, size, heartbeat);
    Outcome::one(Value::Number(1.0))
}

/// The address of one side: IP and port, or a Unix path.
pub(super) fn address(connection: &Connection, peer: bool) -> Outcome {
    let found = if peer { connection.peer_address() } else { connection.local_address() };
    match found {
        Ok(address) => match address.ip_addr() {
            Some(ip) => Outcome::Return(Values::two(
                kept(ip.to_string()),
                Value::Number(f64::from(address.port())),
            )),
            None => Outcome::one(kept(address.to_string())),
        },
        Err(errno) => Outcome::error(kept(strerror(errno))),
    }
}

/// The level and the name of a socket option.
fn option(name: &[u8]) -> Option<(i32, i32)> {
    Some(match name {
        b"keepalive" => (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
        b"reuseaddr" => (libc::SOL_SOCKET, libc::SO_REUSEADDR),
        b"tcp-nodelay" => (libc::IPPROTO_TCP, libc::TCP_NODELAY),
        b"rcvbuf" => (libc::SOL_SOCKET, libc::SO_RCVBUF),
        b"sndbuf" => (libc::SOL_SOCKET, libc::SO_SNDBUF),
        b"error" => (libc::SOL_SOCKET, libc::SO_ERROR),
        _ => return None,
    })
}

fn bad_option(name: &[u8]) -> Outcome {
    Outcome::error(build(|out| {
        out.extend_from_slice(b"unsupported option ");
        out.extend_from_slice(name);
    }))
}

pub(super) fn get_option(connection: &Connection, call: &Call) -> Outcome {
    let name = call.bytes(2).unwrap_or_default();
    if name == b"linger" {
        return match connection.linger() {
            Ok(Some(seconds)) => Outcome::one(Value::Number(f64::from(seconds))),
            Ok(None) => Outcome::one(Value::Boolean(false)),
            Err(errno) => Outcome::error(kept(strerror(errno))),
        };
    }
    let Some((level, option)) = option(name) else { return bad_option(name) };
    match connection.option(level, option) {
        Ok(value) => Outcome::one(Value::Number(f64::from(value))),
        Err(errno) => Outcome::error(kept(strerror(errno))),
    }
}

pub(super) fn set_option(connection: &Connection, call: &Call) -> Outcome {
    let name = call.bytes(2).unwrap_or_default();
    let value = call.number(3).unwrap_or_default() as i32;
    let result = if name == b"linger" {
        connection.set_linger((call.boolean(4) == Some(true)).then_some(value))
    } else {
        let Some((level, option)) = option(name) else { return bad_option(name) };
        match connection.set_option(level, option, value) {
            Err(ConnectError::System(errno)) => Err(errno),
            _ => Ok(()),
        }
    };
    match result {
        Ok(()) => Outcome::one(Value::Number(1.0)),
        Err(errno) => Outcome::error(kept(strerror(errno))),
    }
}
