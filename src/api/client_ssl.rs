//! What `lua/client_ssl.lua` makes `ngx.ssl` of: the TLS of the session's client.

use super::in_session;
use crate::lua::value::kept_bytes;
use crate::lua::{Call, Function, Outcome, Value, Values, function};
use crate::nginx::ssl::{Stream, variable};

/// OpenResty's words for a client without TLS.
const NO_TLS: &str = "bad ssl conn";

pub const PRIVATE: &[Function] = &[
    // The version's number, or nil, err.
    function("client_ssl_version", |_| {
        with_tls(|tls| match tls.version() {
            Some(version) => Outcome::one(Value::Number(version.into())),
            None => Outcome::error(Value::Str(NO_TLS)),
        })
    }),
    function("client_ssl_var", var),
];

/// `client_ssl_var(name)`: its text; nil, if there is nothing to tell; nil, err; or nil,
/// nil, true: there is no such variable.
fn var(call: &Call) -> Outcome {
    let Some(get) = variable(call.bytes(1).unwrap_or_default()) else {
        let unknown = Value::Boolean(true);
        return Outcome::Return(Values::three(Value::Nil, Value::Nil, unknown));
    };
    with_tls(|tls| {
        Outcome::one(match get(tls) {
            Some(text) => kept_bytes(&text),
            None => Value::Nil,
        })
    })
}

fn with_tls(f: impl FnOnce(&Stream) -> Outcome) -> Outcome {
    in_session(|session| match session.connection().tls() {
        Some(tls) => f(tls),
        None => Outcome::error(Value::Str(NO_TLS)),
    })
    .raised_above()
}
