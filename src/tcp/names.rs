//! How a server finds the addresses of names: `/etc/hosts`, then its resolver.
//!
//! The system's files are read with the configuration, so that a reload reads
//! them anew and no connection waits for a file.

use std::fs::File;
use std::io::{self, Read};
use std::rc::Rc;

use super::directives::core::CoreServerConf;
use super::directives::lua::LuaServerConf;
use crate::nginx::Msec;
use crate::nginx::address::Address;
use crate::nginx::conf::resolver::ResolverConf;
use crate::nginx::conf::{Conf, ConfError};
use crate::nginx::resolver::{self, Resolving, StartError, Started};
use crate::text::hosts::Hosts;
use crate::text::resolv_conf::name_servers;

/// More of a file is not read.
const MAX_FILE: u64 = 1 << 20;

/// What the system knows of names, for the levels that want it.
pub struct System {
    hosts: Rc<Hosts>,
    resolver: Option<ResolverConf>,
    nobody: ResolverConf,
}

/// Where one level looks for names.
pub struct Names {
    /// None: `lua_resolver_default off`.
    hosts: Option<Rc<Hosts>>,
    resolver: ResolverConf,
    timeout: Msec,
}

impl System {
    /// Reads the system's files. One that cannot be read is as good as empty.
    pub fn read(cf: &mut Conf) -> Result<System, ConfError> {
        let hosts = Hosts::parse(&file(cf, "/etc/hosts"));
        let resolver = match name_servers(&file(cf, "/etc/resolv.conf")) {
            servers if servers.is_empty() => None,
            servers => Some(ResolverConf::from_addresses(cf, &servers)?),
        };
        Ok(System { hosts: Rc::new(hosts), resolver, nobody: ResolverConf::none(cf)? })
    }
}

impl Names {
    /// What the directives of a level say.
    pub fn new(core: &CoreServerConf, lua: &LuaServerConf, system: &System) -> Names {
        let default = lua.resolver_default.get() != Some(0);
        let resolver = core.resolver.or(if default { system.resolver } else { None });
        Names {
            hosts: default.then(|| system.hosts.clone()),
            resolver: resolver.unwrap_or(system.nobody),
            timeout: core.resolver_timeout.get().unwrap_or_default(),
        }
    }

    /// Looks a name up; an address is its own.
    pub fn resolve(
        &self,
        name: &[u8],
        who: Rc<dyn Resolving>,
    ) -> Result<Started, StartError> {
        let found: Vec<_> = self
            .hosts
            .iter()
            .flat_map(|hosts| hosts.find(name))
            .filter(|&&ip| self.resolver.answers_with(ip))
            .map(|&ip| Address::ip(ip, 0))
            .collect();
        if !found.is_empty() {
            return Ok(Started::Now(found));
        }
        resolver::start(self.resolver, name, self.timeout, who)
    }
}

fn file(cf: &Conf, path: &str) -> Vec<u8> {
    match read(path) {
        Ok(text) if text.len() as u64 > MAX_FILE => {
            cf.warn(&format!(
                "{path} is too large: only its first {MAX_FILE} bytes count"
            ));
            let end = text[..MAX_FILE as usize].iter().rposition(|&b| b == b'\n');
            text[..end.unwrap_or(0)].to_vec()
        }
        Ok(text) => text,
        Err(_) => Vec::new(),
    }
}

/// At most a byte more than counts.
fn read(path: &str) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let file = File::open(path)?;
    if file.metadata()?.is_file() {
        file.take(MAX_FILE + 1).read_to_end(&mut text)?;
    }
    Ok(text)
}
