//! TLS for `ngx.socket.tcp`: what `lua/ssl.lua` makes `sslhandshake`,
//! `setclientcert` and `ngx.new_ssl_ctx` of.

use std::rc::Rc;

use super::socket::{CONNECT_TIMEOUT, closed, timeout, upstream_of};
use super::{check_can_wait, flatten, in_thread};
use crate::lua::value::kept;
use crate::lua::{Call, Function, Outcome, Value, function};
use crate::nginx::cycle;
use crate::nginx::local::Local;
use crate::nginx::log::{Level, Log};
use crate::nginx::ssl::{self, Context, Identity, Peer, Protocols, Settings};
use crate::tcp::conf::ServerConf;
use crate::tcp::current::{self, Phase};
use crate::upstream::handles::Handles;
use crate::upstream::tls::{self, Returns, Wish};

pub const PRIVATE: &[Function] = &[
    function("tcp_sslhandshake", |call| handshake(call).raised_above()),
    function("ssl_session_drop", |call| {
        tls::drop_session(call.number(1).unwrap_or(-1.0));
        Outcome::NONE
    }),
    // Whether these are a certificate and its key.
    function("ssl_check_identity", |call| match identity(call, 1) {
        Ok(_) => Outcome::one(Value::Boolean(true)),
        Err(text) => Outcome::error(kept(text)),
    }),
    function("ssl_in_init", |_| {
        Outcome::one(Value::Boolean(current::phase() == Phase::Init))
    }),
    function("ssl_ctx_new", |call| new_context(call).raised_above()),
    function("ssl_ctx_drop", |call| {
        CONTEXTS.remove(call.number(1).unwrap_or(-1.0));
        Outcome::NONE
    }),
];

/// What NO OpenSSL means for a script.
const NO_SSL: &str = "no SSL support";

/// The contexts that scripts have made.
static CONTEXTS: Local<Handles<Context>> = Local::new(Handles::new());

/// `sslhandshake(self, returns, session, name, verify, status, context,
/// certificate, key)`: what `returns` says ("session", "true", "one"), or
/// `nil, err`.
fn handshake(call: &Call) -> Outcome {
    in_thread(|thread| {
        flatten((|| {
            let Some(conf) = current::conf() else { return Ok(super::no_thread()) };
            check_can_wait(call)?;
            let Some(upstream) = upstream_of(call) else { return Ok(closed()) };
            let own = call.number(7).and_then(|id| CONTEXTS.get(id));
            let Some(context) = own.as_ref().or_else(|| conf.ssl_context()) else {
                return Ok(Outcome::error(Value::Str(NO_SSL)));
            };
            let identity = match call.bytes(8) {
                Some(_) => match identity(call, 8) {
                    Ok(identity) => Some(identity),
                    Err(text) => return Ok(Outcome::error(kept(text))),
                },
                None => None,
            };
            let wish = Wish {
                context,
                peer: Peer {
                    name: call.bytes(4),
                    verify: call.boolean(5) == Some(true),
                    status: call.boolean(6) == Some(true),
                    session: call.number(3).and_then(tls::session),
                    identity,
                },
                returns: match call.bytes(2) {
                    Some(b"session") => Returns::Session,
                    Some(b"one") => Returns::One,
                    _ => Returns::True,
                },
                timeout: timeout(
                    call,
                    CONNECT_TIMEOUT,
                    ServerConf::socket_connect_timeout,
                ),
            };
            Ok(match upstream.start_tls(thread, &wish) {
                Some(values) => Outcome::Return(values),
                None => Outcome::Wait,
            })
        })())
    })
}

/// The PEM texts that are arguments `i` and the next.
fn identity(call: &Call, i: usize) -> Result<Identity, String> {
    let (certificate, key) = (call.bytes(i), call.bytes(i + 1));
    Identity::from_pem(certificate.unwrap_or_default(), key.unwrap_or_default())
}

/// `ssl_ctx_new(protocols, ciphers, depth, trusted, crl)`: its number. The names
/// of the protocols are separated by commas.
fn new_context(call: &Call) -> Outcome {
    if !ssl::available() {
        return Outcome::raise(format_args!("{NO_SSL}"));
    }
    let mut settings = Settings { prefix: cycle::conf_prefix(), ..Settings::default() };
    if let Some(names) = call.bytes(1) {
        settings.protocols = Protocols::NONE;
        for name in names.split(|&b| b == b',') {
            let known = Protocols::by_name(name);
            let added = known.is_some_and(|one| settings.protocols.add(one));
            if !added {
                let what = if known.is_some() { "duplicate" } else { "invalid" };
                let name = String::from_utf8_lossy(name);
                let line = format!("{what} value \"{name}\" in ssl_protocols");
                Log::cycle().write_bytes(Level::Crit, 0, line.as_bytes());
                return Outcome::raise(format_args!("key ssl_protocols error"));
            }
        }
    }
    if let Some(ciphers) = call.bytes(2) {
        settings.ciphers = ciphers.to_vec();
    }
    if let Some(depth) = call.number(3) {
        settings.verify_depth = depth as i32;
    }
    settings.trusted_certificate = path(call, 4, &settings.prefix);
    settings.crl = path(call, 5, &settings.prefix);
    match Context::new(&settings) {
        Ok(context) => Outcome::one(Value::Number(CONTEXTS.add(Rc::new(context)))),
        Err(text) => {
            Log::cycle().write_bytes(Level::Emerg, 0, text.as_bytes());
            Outcome::raise(format_args!("ngx_tcp_lua_set_ssl failed"))
        }
    }
}

/// A file that an argument names, relative to the folder of nginx.conf.
fn path(call: &Call, i: usize, prefix: &[u8]) -> Option<Vec<u8>> {
    let name = call.bytes(i).filter(|name| !name.is_empty())?;
    Some(match name.first() {
        Some(b'/') => name.to_vec(),
        _ => [prefix, name].concat(),
    })
}
