//! The `listen` directive: the check that no address is used twice, and which
//! sockets are opened for all servers together.

use crate::nginx::conf::{Conf, ConfError, ConfResult, Location, lossy};
use crate::nginx::listening::{
    self, Accepted, Acceptor, Address, ListenAddr, ListenUrl, Route, SocketConf,
};
use crate::nginx::ssl;
use crate::tcp::conf::ServerConf;
use crate::tcp::handshake;
use crate::tcp::listen_options::Options;

/// One `listen` directive.
pub struct Listen {
    /// The address as written.
    text: String,
    addrs: Vec<ListenAddr>,
    options: Options,
    location: Location,
}

/// An address of a server, on the way to its socket.
struct Candidate {
    route: Route<ServerConf>,
    options: Options,
}

/// Hands accepted connections to the session layer.
pub struct Sessions;

impl Acceptor for Sessions {
    type Server = ServerConf;

    fn accept(c: Accepted, server: &'static ServerConf, ssl: bool) {
        if ssl {
            handshake::begin(c, server);
        } else {
            server.protocol().init_connection(c, server);
        }
    }
}

impl Listen {
    /// `listen address parameter...;`
    pub fn from_args(cf: &mut Conf) -> Result<Listen, ConfError> {
        let args: Vec<Vec<u8>> = cf.args().into_iter().map(<[u8]>::to_vec).collect();
        let text = lossy(&args[1]);
        let url = ListenUrl::parse(cf, 1).map_err(|error| match error {
            ConfError::Text(reason) => in_listen(&reason, &text),
            error => error,
        })?;
        if !url.has_port {
            return Err(in_listen("no port", &text));
        }
        let mut addrs: Vec<ListenAddr> = Vec::with_capacity(url.addrs.len());
        for addr in url.addrs {
            // A host name may resolve to one address twice.
            if !addrs.iter().any(|known| known.address == addr.address) {
                addrs.push(addr);
            }
        }
        let mut options = Options::default();
        for word in &args[2..] {
            options.set(word).map_err(ConfError::Text)?;
        }
        if options.ssl && !ssl::available() {
            let text = "the \"ssl\" parameter requires ngx_tcp_ssl_module";
            return Err(ConfError::text(text));
        }
        Ok(Listen { text, addrs, options, location: cf.location() })
    }

    /// Where clients speak TLS by it: the place of the directive.
    pub fn ssl(&self) -> Option<&Location> {
        self.options.ssl.then_some(&self.location)
    }
}

/// Refuses an address that is used twice, here or by another module.
pub fn check(cf: &Conf, servers: &[&'static ServerConf]) -> ConfResult {
    let mut seen: Vec<&Address> = Vec::new();
    for listen in servers.iter().flat_map(|server| server.listens()) {
        for ListenAddr { address, .. } in &listen.addrs {
            if seen.contains(&address) || listening::is_taken(cf, address) {
                let text = format!("duplicate \"{}\" address and port pair", listen.text);
                return Err(ConfError::At(listen.location.clone(), text));
            }
            seen.push(address);
        }
    }
    Ok(())
}

/// Sets up the sockets of all servers.
pub fn open(cf: &mut Conf, servers: &[&'static ServerConf]) -> ConfResult {
    let mut candidates = Vec::new();
    for &server in servers {
        for listen in server.listens() {
            for addr in &listen.addrs {
                let ssl = listen.options.ssl || server.is_ssl();
                let route = Route { addr: addr.clone(), server, ssl };
                candidates.push(Candidate { route, options: listen.options.clone() });
            }
        }
    }
    let addresses: Vec<(Address, bool)> = candidates
        .iter()
        .map(|c| (c.route.addr.address.clone(), c.options.bind))
        .collect();
    for group in sockets(&addresses) {
        let Some(&bound) = group.last() else { continue };
        let Candidate { route, options } = &candidates[bound];
        let conf = SocketConf {
            options: options.socket.clone(),
            pool_size: route.server.connection_pool_size(),
            log: route.server.error_log(),
        };
        let routes = group.iter().map(|&i| candidates[i].route.clone()).collect();
        listening::listen::<Sessions>(cf, &conf, routes)?;
    }
    Ok(())
}

/// Which addresses share a socket: the indices of a group end with the address
/// that is bound. A wildcard address takes the others of its port along, except
/// those that are to be bound themselves.
fn sockets(addresses: &[(Address, bool)]) -> Vec<Vec<usize>> {
    let wildcard_of = |address: &Address| {
        addresses.iter().position(|(a, _)| a.is_wildcard() && a.shares_port(address))
    };
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (i, (address, bind)) in addresses.iter().enumerate() {
        match wildcard_of(address) {
            Some(wildcard) if wildcard == i => {
                let shared = addresses
                    .iter()
                    .enumerate()
                    .filter(|(j, (a, bind))| *j != i && !bind && a.shares_port(address));
                groups.push(shared.map(|(j, _)| j).chain([i]).collect());
            }
            Some(_) if !bind => {}
            _ => groups.push(vec![i]),
        }
    }
    groups
}

fn in_listen(reason: &str, address: &str) -> ConfError {
    ConfError::text(format!("{reason} in \"{address}\" of the \"listen\" directive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grouped(addresses: &[(&str, bool)]) -> Vec<Vec<usize>> {
        let addresses: Vec<(Address, bool)> = addresses
            .iter()
            .map(|&(text, bind)| match text.strip_prefix("unix:") {
                Some(path) => (Address::Unix(path.into()), bind),
                None => (Address::Inet(text.parse().expect("an address")), bind),
            })
            .collect();
        sockets(&addresses)
    }

    #[test]
    fn addresses_without_a_wildcard_have_a_socket_each() {
        let addresses =
            [("127.0.0.1:1", false), ("127.0.0.2:1", true), ("unix:/a", false)];
        assert_eq!(grouped(&addresses), [[0], [1], [2]]);
    }

    #[test]
    fn a_wildcard_takes_the_others_of_its_port_along() {
        let addresses = [
            ("127.0.0.1:1", false),
            ("0.0.0.0:1", false),
            ("127.0.0.2:1", true),
            ("127.0.0.3:1", false),
            ("127.0.0.1:2", false),
            ("[::]:1", false),
            ("[::1]:1", false),
        ];
        let expected: [&[usize]; 4] = [&[0, 3, 1], &[2], &[4], &[6, 5]];
        assert_eq!(grouped(&addresses), expected);
    }
}
