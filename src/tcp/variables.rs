//! Variables: what a line of an access log and `ngx.var` can say of a session.
//!
//! A row is a name and a function that appends the value. One that appends
//! nothing says that there is none: nil in Lua, and in a log `-` or nothing, as the
//! format's escape has it. What is to be known of a client's TLS has a table of its
//! own, `nginx/ssl/variables.rs`.

use std::io::Write;

use crate::nginx::address::Address;
use crate::nginx::connection::Connection;
use crate::nginx::ssl;
use crate::nginx::{cycle, time};
use crate::socket::TcpSocket;
use crate::tcp::conf::ServerConf;
use crate::tcp::light_session::LightSession;

/// A session of any protocol, as variables see it.
pub trait Seen {
    fn socket(&self) -> &TcpSocket;
    fn conf(&self) -> &'static ServerConf;
    fn light(&self) -> &LightSession;
}

/// What appends the value of a session's variable.
pub type Append = fn(&dyn Seen, &mut Vec<u8>);

/// A variable.
#[derive(Clone, Copy)]
pub enum Variable {
    Session(Append),
    Tls(ssl::Get),
}

#[rustfmt::skip]
const VARIABLES: &[(&str, Append)] = &[
    variable("remote_addr", |s, out| out.extend(c(s).client_text())),
    variable("remote_port", |s, out| port(c(s).client_address(), out)),
    variable("binary_remote_addr", |s, out| binary(c(s).client_address(), out)),
    variable("server_addr", |s, out| host(c(s).server_address(), out)),
    variable("server_port", |s, out| port(c(s).server_address(), out)),
    variable("time_local", |_, out| out.extend(time::log_time())),
    variable("time_iso8601", |_, out| out.extend(time::log_iso8601())),
    variable("msec", |_, out| {
        let (sec, msec) = time::now();
        seconds(sec, i64::from(msec), out);
    }),
    variable("request_time", |s, out| {
        let ((sec, msec), (sec0, msec0)) = (time::now(), s.light().start_time());
        milliseconds((sec - sec0) * 1000 + i64::from(msec) - i64::from(msec0), out);
    }),
    variable("session_time", |s, out| {
        let passed = time::current_msec().wrapping_sub(c(s).accepted_at());
        milliseconds(passed as i64, out);
    }),
    variable("connection", |s, out| number(c(s).number() as u64, out)),
    variable("connection_requests", |s, out| number(c(s).requests() as u64, out)),
    // What is queued is as good as sent: more often than not it goes out as soon as
    // the script waits.
    variable("bytes_sent", |s, out| {
        number(c(s).bytes_sent() + s.socket().queued() as u64, out)
    }),
    variable("bytes_received", |s, out| number(c(s).bytes_received(), out)),
    variable("protocol", |s, out| out.extend(s.conf().protocol().name().as_bytes())),
    variable("pid", |_, out| number(cycle::pid() as u64, out)),
    variable("hostname", |_, out| out.extend(cycle::hostname())),
    variable("nginx_version", |_, out| {
        out.extend(cycle::nginx_version_text().as_bytes());
    }),
];

/// A row of the table.
const fn variable(name: &'static str, append: Append) -> (&'static str, Append) {
    (name, append)
}

/// The variable of that name, in whatever case.
pub fn find(name: &[u8]) -> Option<Variable> {
    let own = VARIABLES.iter().find(|(own, _)| own.as_bytes().eq_ignore_ascii_case(name));
    own.map(|(_, append)| Variable::Session(*append))
        .or_else(|| ssl::variable(name).map(Variable::Tls))
}

impl Variable {
    /// Appends the value, or nothing if there is none.
    #[inline]
    pub fn append(&self, session: &dyn Seen, out: &mut Vec<u8>) {
        match self {
            Variable::Session(append) => append(session, out),
            Variable::Tls(get) => {
                let value = c(session).tls().and_then(get);
                out.extend(value.unwrap_or_default());
            }
        }
    }
}

fn c(session: &dyn Seen) -> &Connection {
    &session.socket().connection
}

fn number(n: u64, out: &mut Vec<u8>) {
    out.extend(itoa::Buffer::new().format(n).as_bytes());
}

/// Seconds with three digits behind the point.
fn milliseconds(msec: i64, out: &mut Vec<u8>) {
    // The clock may have been set back.
    let msec = msec.max(0);
    seconds(msec / 1000, msec % 1000, out);
}

fn seconds(sec: i64, msec: i64, out: &mut Vec<u8>) {
    number(sec as u64, out);
    out.push(b'.');
    out.extend([100, 10, 1].map(|unit| b'0' + (msec / unit % 10) as u8));
}

/// Unix sockets have neither.
fn host(address: Option<Address>, out: &mut Vec<u8>) {
    if let Some(address) = address {
        // Writing to a vector does not fail.
        let _ = match address.ip_addr() {
            Some(ip) => write!(out, "{ip}"),
            None => write!(out, "{address}"),
        };
    }
}

fn port(address: Option<Address>, out: &mut Vec<u8>) {
    if let Some(address) = address.filter(|address| address.ip_addr().is_some()) {
        number(u64::from(address.port()), out);
    }
}

fn binary(address: Option<Address>, out: &mut Vec<u8>) {
    match address.and_then(|address| address.ip_addr()) {
        Some(std::net::IpAddr::V4(ip)) => out.extend(ip.octets()),
        Some(std::net::IpAddr::V6(ip)) => out.extend(ip.octets()),
        None => {}
    }
}
