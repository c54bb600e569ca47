//! The libraries of `lua/` that scripts get by `require`, so that none has to be
//! installed. The prelude looks here last, after `package.path`: a copy of the
//! user's own wins.

macro_rules! libraries {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../lua/", $name, ".lua")))),*]
    };
}

/// Names as in `require "NAME"`, with a slash where that has a dot.
const LIBRARIES: &[(&str, &str)] = libraries!(
    "db_ml"
    "http"
    "http_lb"
    "load_balance"
    "mysql"
    "netutil"
    "nlog"
    "resty/nats"
    "resty/nats/connect"
    "resty/nats/core"
    "resty/nats/dispatch"
    "resty/nats/frames"
    "resty/nats/headers"
    "resty/nats/message"
    "resty/nats/options"
    "resty/nats/queue"
    "resty/nats/reader"
    "resty/nats/requests"
    "resty/nats/role"
    "resty/nats/subscriptions"
    "resty/nats/wait"
    "resty/nats/wire"
    "tcp_lua/crypto"
    "tcp_lua/ed25519"
    "tcp_lua/http_object"
    "tcp_lua/http_request"
    "tcp_lua/http_response"
    "tcp_lua/mysql_auth"
    "tcp_lua/mysql_login"
    "tcp_lua/mysql_packet"
    "tcp_lua/mysql_result"
    "tcp_lua/record"
);

/// The text of the library that is required as `name`.
pub fn source(name: &[u8]) -> Option<&'static str> {
    let is_name = |known: &str| {
        known.len() == name.len()
            && known.bytes().zip(name).all(|(a, &b)| a == b || (a == b'/' && b == b'.'))
    };
    LIBRARIES.iter().find(|(known, _)| is_name(known)).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_found_by_its_whole_name() {
        assert!(source(b"netutil").is_some());
        for name in ["", "netuti", "netutill", "Netutil", "netutil.lua", "prelude"] {
            assert!(source(name.as_bytes()).is_none(), "{name}");
        }
    }
}
