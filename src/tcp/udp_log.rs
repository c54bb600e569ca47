//! The sockets of `access_nlog` and `nlog`: `local:port remote:port`, made while the
//! configuration is read and used by all workers.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::nginx::address::Address;
use crate::nginx::conf::{Conf, ConfError};
use crate::nginx::datagram::Datagram;

/// The socket that the directive's two arguments say.
pub fn socket(cf: &Conf) -> Result<Datagram, ConfError> {
    let address = |i| {
        let address = parse(cf.arg(i)).map_err(|error| {
            let text = String::from_utf8_lossy(cf.arg(i));
            let name = cf.directive();
            ConfError::Text(match error {
                UdpError::Port => {
                    format!("invalid port in \"{text}\" of the \"{name}\" directive")
                }
                UdpError::Address => "no valid port or no valid ipv4 address".to_owned(),
            })
        })?;
        Ok(Address::ip((*address.ip()).into(), address.port()))
    };
    let (local, remote) = (address(1)?, address(2)?);
    Datagram::connect(&local, &remote).map_err(|error| {
        ConfError::Text(format!("{}() failed, {}", error.call, error.errno))
    })
}

#[derive(Debug, PartialEq, Eq)]
enum UdpError {
    Port,
    /// No port, or something else than an IPv4 address.
    Address,
}

fn parse(text: &[u8]) -> Result<SocketAddrV4, UdpError> {
    let text = str::from_utf8(text).map_err(|_| UdpError::Address)?;
    let (host, port) = text.rsplit_once(':').ok_or(UdpError::Address)?;
    // Before the port: the colons of an IPv6 address and of "unix:" are none of it.
    let ip: Ipv4Addr = match host.parse() {
        Ok(ip) => ip,
        Err(_) if host.is_empty() || host.contains([':', '[']) => {
            return Err(UdpError::Address);
        }
        Err(_) if host == "unix" => return Err(UdpError::Address),
        Err(_) => return check_port(port).and(Err(UdpError::Address)),
    };
    Ok(SocketAddrV4::new(ip, check_port(port)?))
}

fn check_port(text: &str) -> Result<u16, UdpError> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let port = text.parse().ok().filter(|&port| is_number && port != 0);
    port.ok_or(UdpError::Port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        use UdpError::{Address, Port};
        let good = |text: &str| Ok(text.parse::<SocketAddrV4>().expect("an address"));
        for (text, expected) in [
            ("127.0.0.1:514", good("127.0.0.1:514")),
            ("0.0.0.0:65535", good("0.0.0.0:65535")),
            ("127.0.0.1", Err(Address)),
            ("514", Err(Address)),
            (":514", Err(Address)),
            ("", Err(Address)),
            ("localhost:514", Err(Address)),
            ("[::1]:514", Err(Address)),
            ("::1", Err(Address)),
            ("unix:/tmp/x", Err(Address)),
            ("256.0.0.1:1", Err(Address)),
            ("127.0.0.1:", Err(Port)),
            ("127.0.0.1:0", Err(Port)),
            ("127.0.0.1:65536", Err(Port)),
            ("127.0.0.1:+1", Err(Port)),
            ("127.0.0.1:1x", Err(Port)),
            ("host:x", Err(Port)),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
    }
}
