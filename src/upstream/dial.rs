//! Making a connection: from a pool, or by looking up the name and trying its
//! addresses one after the other.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io::Write;
use std::net::IpAddr;
use std::rc::Rc;

use super::lookup;
use super::pool::{self, Pool};
use super::{REGISTRY, Stage, Upstream};
use crate::lua::value::{build, kept};
use crate::lua::{Value, Values};
use crate::nginx::Msec;
use crate::nginx::address::Address;
use crate::nginx::connection::{ConnectError, Connection, Progress};
use crate::nginx::io::strerror;
use crate::nginx::resolver::{Query, ResolveError, Resolving, StartError, Started};
use crate::nginx::time::current_msec;
use crate::sched::turn::{self, Alarm, Due, Key};
use crate::sched::{DEADLINE, Source, Thread};
use crate::socket::SocketError;
use crate::tcp::conf::ServerConf;

/// What a script asks for.
pub struct Target<'a> {
    /// The pool's name.
    pub name: &'a [u8],
    pub host: &'a [u8],
    pub port: u16,
    pub timeout: Msec,
    /// The pool's size, if it is to be made with the connection.
    pub pool_size: Option<usize>,
    pub backlog: Option<usize>,
    /// What to connect from.
    pub from: Option<Address>,
    pub conf: &'static ServerConf,
}

/// What connecting comes to.
pub enum Dialing {
    /// The call returns these: the connection's number, or `nil, err`.
    Done(Values),
    Waits,
}

/// A connection in the making.
pub struct Dial {
    thread: Rc<Thread>,
    name: Vec<u8>,
    host: Vec<u8>,
    port: u16,
    timeout: Msec,
    from: Option<Address>,
    conf: &'static ServerConf,
    /// The pool that counts it.
    pool: RefCell<Option<Rc<Pool>>>,
    /// It waits for its turn in that pool.
    queued: Cell<bool>,
    query: RefCell<Option<Query>>,
    addresses: RefCell<VecDeque<Address>>,
    upstream: RefCell<Option<Rc<Upstream>>>,
    to: Cell<Option<Address>>,
    alarm: Cell<Option<Key>>,
    /// Its end is not for the thread that began it to wait for: begin() runs.
    beginning: Cell<bool>,
    done: Cell<bool>,
}

/// How far an attempt came.
enum Step {
    Connected(Rc<Upstream>),
    Failed(Value),
    Waits,
}

/// Connects for the running thread.
pub fn dial(thread: &Rc<Thread>, target: Target<'_>) -> Dialing {
    let mut pool = pool::find(target.name);
    if let Some(pool) = &pool
        && let Some(upstream) = pool.take()
    {
        return Dialing::Done(attached(thread, &upstream, target.conf));
    }
    if let Err(values) = thread.check_deadline() {
        return values.map_or(Dialing::Waits, Dialing::Done);
    }
    if pool.is_none()
        && let Some(size) = target.pool_size
    {
        pool = Some(pool::find_or_make(target.name, size, target.backlog));
    }
    let dial = Rc::new(Dial {
        thread: thread.clone(),
        name: target.name.to_vec(),
        host: target.host.to_vec(),
        port: target.port,
        timeout: target.timeout,
        from: target.from,
        conf: target.conf,
        pool: RefCell::new(pool.clone()),
        queued: Cell::new(false),
        query: RefCell::new(None),
        addresses: RefCell::default(),
        upstream: RefCell::new(None),
        to: Cell::new(None),
        alarm: Cell::new(None),
        beginning: Cell::new(true),
        done: Cell::new(false),
    });
    if let Some(pool) = &pool
        && !pool.enter()
    {
        if !pool.queue(&dial) {
            let text = "too many waiting connect operations";
            return Dialing::Done(Values::error(Value::Str(text)));
        }
        dial.queued.set(true);
        dial.arm();
        return dial.wait();
    }
    let step = dial.begin();
    dial.beginning.set(false);
    match step {
        Step::Waits => dial.wait(),
        step => Dialing::Done(dial.end(step)),
    }
}

/// Takes a connection out of the pool of this address, if that is remembered and
/// has one: the pool's number, and the connection's.
#[inline]
pub fn reuse(
    thread: &Rc<Thread>,
    host: &[u8],
    port: f64,
    conf: &ServerConf,
) -> Option<(usize, u64)> {
    let (place, upstream) = lookup::take(host, port)?;
    let id = upstream.attach(thread.host(), conf.socket_log_errors())?;
    Some((place, id))
}

/// Gives a connection to the thread's host: its number, and whether it is time
/// to look for those whose object was collected.
fn attached(thread: &Rc<Thread>, upstream: &Rc<Upstream>, conf: &ServerConf) -> Values {
    match upstream.attach(thread.host(), conf.socket_log_errors()) {
        Some(id) => {
            let crowded = Value::Boolean(REGISTRY.is_crowded());
            Values::two(Value::Number(id as f64), crowded)
        }
        None => Values::error(Value::Str("closed")),
    }
}

impl Dial {
    fn wait(self: &Rc<Self>) -> Dialing {
        self.beginning.set(false);
        self.thread.wait_for(self.clone());
        Dialing::Waits
    }

    fn begin(self: &Rc<Self>) -> Step {
        match literal(&self.host, self.port) {
            Literal::Address(address) => {
                self.addresses.borrow_mut().push_back(address);
                self.next()
            }
            Literal::Bad(why) => Step::Failed(bad_host(&self.host, why)),
            Literal::Name(name, port) => {
                let (name, port) = (name.to_vec(), port);
                self.resolve(&name, port)
            }
        }
    }

    fn resolve(self: &Rc<Self>, name: &[u8], port: u16) -> Step {
        // The addresses come without it.
        self.to.set(Some(Address::ip(IpAddr::from([0, 0, 0, 0]), port)));
        match self.conf.resolve(name, self.clone()) {
            Ok(Started::Now(addresses)) => self.found(addresses),
            Ok(Started::Later(query)) => {
                self.query.replace(Some(query));
                Step::Waits
            }
            Err(error) => Step::Failed(not_started(name, error)),
        }
    }

    fn found(self: &Rc<Self>, addresses: Vec<Address>) -> Step {
        let port = self.to.take().map_or(0, |to| to.port());
        if addresses.is_empty() {
            return Step::Failed(Value::Str("name cannot be resolved to a address"));
        }
        let found = addresses.into_iter().map(|address| address.with_port(port));
        self.addresses.borrow_mut().extend(found);
        self.next()
    }

    /// Tries the next address.
    fn next(self: &Rc<Self>) -> Step {
        let mut failed = Value::Str("name cannot be resolved to a address");
        loop {
            let address = self.addresses.borrow_mut().pop_front();
            let Some(address) = address else { return Step::Failed(failed) };
            match Connection::connect(&address, self.from.as_ref()) {
                Ok((connection, progress)) => {
                    let upstream = Upstream::new(connection, self);
                    upstream.name.replace(self.name.clone());
                    match progress {
                        Progress::Connected => return Step::Connected(upstream),
                        Progress::Connecting => {
                            self.to.set(Some(address));
                            self.upstream.replace(Some(upstream));
                            self.arm();
                            return Step::Waits;
                        }
                    }
                }
                Err(ConnectError::System(errno)) => {
                    self.log_failed(&address, errno);
                    failed = error_text(errno);
                }
                Err(ConnectError::NoConnections) => {
                    return Step::Failed(Value::Str("worker_connections are not enough"));
                }
                Err(ConnectError::NoEvents) => {
                    return Step::Failed(Value::Str("failed to handle write event"));
                }
            }
        }
    }

    fn log_failed(&self, address: &Address, errno: i32) {
        if self.conf.socket_log_errors() {
            let text = strerror(errno);
            let line = format!("connect() to {address} failed ({errno}: {text})");
            self.thread.host().log_error(line.as_bytes());
        }
    }

    /// The connection that is being made is there, or has failed.
    pub(super) fn on_connected(self: &Rc<Self>, upstream: &Rc<Upstream>) {
        let errno = upstream.connection().connect_error();
        if errno == 0 {
            self.upstream.take();
            return self.finish(Step::Connected(upstream.clone()));
        }
        if let Some(to) = self.to.get() {
            self.log_failed(&to, errno);
        }
        self.upstream.take();
        upstream.close();
        if self.addresses.borrow().is_empty() {
            return self.finish(Step::Failed(error_text(errno)));
        }
        match self.next() {
            Step::Waits => {}
            step => self.finish(step),
        }
    }

    /// Its turn in the pool has come: it makes its own connection.
    pub(super) fn go_on(self: &Rc<Self>) {
        self.queued.set(false);
        self.disarm();
        // Whoever closes a connection may be in the middle of anything.
        turn::later(Alarm::Call(Rc::new(GoOn(self.clone()))));
    }

    /// Its turn has come: it gets a connection that somebody else gives back.
    pub(super) fn hand_over(self: &Rc<Self>, upstream: &Rc<Upstream>) {
        self.queued.set(false);
        self.disarm();
        upstream.stage.set(Stage::Handed);
        self.upstream.replace(Some(upstream.clone()));
        turn::later(Alarm::Call(Rc::new(GoOn(self.clone()))));
    }

    /// Ends it: what the call returns.
    fn end(self: &Rc<Self>, step: Step) -> Values {
        self.done.set(true);
        self.disarm();
        self.query.take();
        match step {
            Step::Connected(upstream) => {
                upstream.dial.take();
                let pool = self.pool.take();
                if pool.is_some() {
                    upstream.pool.replace(pool);
                }
                upstream.connection().ignore_write();
                attached(&self.thread, &upstream, self.conf)
            }
            Step::Failed(error) => {
                self.leave_pool();
                Values::error(error)
            }
            Step::Waits => Values::NONE,
        }
    }

    /// Ends it and runs its thread on.
    fn finish(self: &Rc<Self>, step: Step) {
        if self.done.get() || self.beginning.get() {
            return;
        }
        let values = self.end(step);
        self.thread.host().clone().wake_with(&self.thread, values);
    }

    /// Takes back all that it has begun.
    fn cancel(&self) {
        if self.done.replace(true) {
            return;
        }
        self.disarm();
        self.query.take();
        let upstream = self.upstream.take();
        if let Some(upstream) = upstream {
            if upstream.stage.get() == Stage::Handed {
                // It counts itself out.
                self.pool.take();
            }
            upstream.close();
        }
        if self.queued.replace(false) {
            if let Some(pool) = self.pool.take() {
                pool.unqueue(self);
            }
        } else {
            self.leave_pool();
        }
    }

    /// Asks the pool for a place, as the first of those that wait.
    fn enter_again(self: &Rc<Self>) -> bool {
        let pool = self.pool.borrow().clone();
        let Some(pool) = pool else { return true };
        let entered = pool.enter();
        if !entered {
            pool.queue_first(self);
            self.queued.set(true);
            self.arm();
        }
        entered
    }

    fn leave_pool(&self) {
        let pool = self.pool.take();
        if let Some(pool) = pool {
            pool.leave();
        }
    }

    fn arm(self: &Rc<Self>) {
        self.disarm();
        let at = current_msec().wrapping_add(self.timeout);
        self.alarm.set(Some(turn::at(at, Alarm::Call(self.clone()))));
    }

    fn disarm(&self) {
        if let Some(key) = self.alarm.take() {
            turn::cancel(key);
        }
    }
}

/// The connect timeout.
impl Due for Dial {
    fn on_due(self: Rc<Self>, premature: bool) {
        self.alarm.set(None);
        if self.done.get() {
            return;
        }
        if premature {
            // The worker exits, but waits for whoever waits for this.
            return self.arm();
        }
        if self.conf.socket_log_errors() {
            self.thread.host().log_error(b"lua tcp socket connect timed out");
        }
        let thread = self.thread.clone();
        self.cancel();
        let values = Values::error(Value::Str(SocketError::TIMEOUT));
        thread.host().clone().wake_with(&thread, values);
    }
}

/// The turn of one that has waited in a pool.
struct GoOn(Rc<Dial>);

impl Due for GoOn {
    fn on_due(self: Rc<Self>, _: bool) {
        let dial = &self.0;
        if dial.done.get() {
            return;
        }
        let given = dial.upstream.take();
        let step = match given {
            Some(upstream) if upstream.stage.get() == Stage::Handed => {
                dial.pool.take();
                upstream.leave_heartbeat();
                upstream.count_use();
                Step::Connected(upstream)
            }
            // It has ended meanwhile, and was counted out.
            Some(_) => match dial.enter_again() {
                true => dial.begin(),
                false => return,
            },
            None => dial.begin(),
        };
        match step {
            Step::Waits => {}
            step => dial.finish(step),
        }
    }
}

impl Resolving for Dial {
    fn resolved(self: Rc<Self>, answer: Result<Vec<Address>, ResolveError>) {
        if self.done.get() {
            return;
        }
        let step = match answer {
            Ok(addresses) => self.found(addresses),
            Err(error) => {
                let name = match literal(&self.host, self.port) {
                    Literal::Name(name, _) => name,
                    _ => &self.host,
                };
                Step::Failed(not_resolved(name, &error))
            }
        };
        self.query.take();
        match step {
            Step::Waits => {}
            step => self.finish(step),
        }
    }
}

impl Source for Dial {
    fn release(&self, _: &Thread) {
        self.cancel();
    }

    fn interrupt(self: Rc<Self>, thread: &Rc<Thread>) {
        self.cancel();
        thread.leave_wait();
        let values = Values::error(Value::Str(DEADLINE));
        thread.host().clone().wake_with(thread, values);
    }
}

pub(super) fn error_text(errno: i32) -> Value {
    kept(strerror(errno))
}

/// A text that names a host, by the bytes that the script has given.
fn host_text(before: &str, host: &[u8], after: fmt::Arguments<'_>) -> Value {
    build(|out| {
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(host);
        // A vector takes everything.
        let _ = out.write_fmt(after);
    })
}

pub(super) fn bad_host(host: &[u8], why: &str) -> Value {
    host_text("failed to parse host name \"", host, format_args!("\": {why}"))
}

pub(super) fn not_started(name: &[u8], error: StartError) -> Value {
    match error {
        StartError::NoResolver => {
            host_text("no resolver defined to resolve \"", name, format_args!("\""))
        }
        StartError::Failed => Value::Str("failed to start the resolver"),
    }
}

pub(super) fn not_resolved(name: &[u8], error: &ResolveError) -> Value {
    host_text("", name, format_args!(" could not be resolved ({error})"))
}

/// What the host's name is.
pub(super) enum Literal<'a> {
    Address(Address),
    Name(&'a [u8], u16),
    Bad(&'static str),
}

/// Reads `1.2.3.4`, `::1`, `[::1]`, `unix:PATH`, a name, and each but the second
/// with a port of its own behind it.
pub(super) fn literal(host: &[u8], port: u16) -> Literal<'_> {
    if let Some(path) = host.strip_prefix(b"unix:") {
        return match Address::unix(path) {
            Some(address) => Literal::Address(address),
            None => Literal::Bad("invalid host"),
        };
    }
    if let Some(ip) = parse_ip(host) {
        return Literal::Address(Address::ip(ip, port));
    }
    let (name, port) = match split_port(host, port) {
        Ok(split) => split,
        Err(why) => return Literal::Bad(why),
    };
    if let Some(ip) = name.strip_prefix(b"[").and_then(|ip| ip.strip_suffix(b"]")) {
        return match parse_ip(ip) {
            Some(ip @ IpAddr::V6(_)) => Literal::Address(Address::ip(ip, port)),
            _ => Literal::Bad("invalid host"),
        };
    }
    if let Some(ip) = parse_ip(name) {
        return Literal::Address(Address::ip(ip, port));
    }
    if name.is_empty() {
        return Literal::Bad("no host");
    }
    if name.len() > 255 || name.iter().any(|&b| b <= b' ' || b == b'/' || b == 0x7f) {
        return Literal::Bad("invalid host");
    }
    Literal::Name(name, port)
}

fn parse_ip(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Cuts a port off the end of a host.
fn split_port(host: &[u8], port: u16) -> Result<(&[u8], u16), &'static str> {
    let Some(at) = host.iter().rposition(|&b| b == b':') else { return Ok((host, port)) };
    if host.ends_with(b"]") {
        return Ok((host, port));
    }
    let (name, text) = (&host[..at], &host[at + 1..]);
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let port = std::str::from_utf8(text).ok().filter(|_| digits);
    let port = port.and_then(|port| port.parse().ok()).ok_or("invalid port")?;
    Ok((name, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(host: &str) -> String {
        match literal(host.as_bytes(), 80) {
            Literal::Address(address) => address.to_string(),
            Literal::Name(name, port) => {
                format!("name {} {port}", String::from_utf8_lossy(name))
            }
            Literal::Bad(why) => why.to_owned(),
        }
    }

    #[test]
    fn what_a_host_is() {
        for (host, expected) in [
            ("127.0.0.1", "127.0.0.1:80"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("::1", "[::1]:80"),
            ("[::1]", "[::1]:80"),
            ("[::1]:81", "[::1]:81"),
            ("[127.0.0.1]", "invalid host"),
            ("unix:/tmp/s", "unix:/tmp/s"),
            ("unix:@s", "unix:@s"),
            ("unix:", "invalid host"),
            ("localhost", "name localhost 80"),
            ("example.com:443", "name example.com 443"),
            ("", "no host"),
            (":80", "no host"),
            ("a:", "invalid port"),
            ("a:x", "invalid port"),
            ("a:70000", "invalid port"),
            ("a:+1", "invalid port"),
            ("a/b", "invalid host"),
            ("a b", "invalid host"),
        ] {
            assert_eq!(show(host), expected, "{host}");
        }
    }
}
