//! The directives of TLS for clients, with the names and meanings that nginx's http and
//! stream have. What a level says becomes an `SSL_CTX` when it has a certificate; servers
//! that say nothing of their own share it.

use std::cell::OnceCell;
use std::rc::Rc;

use crate::field;
use crate::nginx::conf::block::Module;
use crate::nginx::conf::command::{
    Command, ONE, ONE_OR_MORE, ONE_OR_TWO, SERVER, TCP, TWO, checked_size, msec, set,
};
use crate::nginx::conf::{
    Conf, ConfError, ConfResult, Location, Msec, Size, Slot, lossy,
};
use crate::nginx::io::strerror;
use crate::nginx::ssl::{
    self, Cache, Context, Protocols, ServerSettings, SessionStore, TicketKey,
    VerifyClient,
};
use crate::nginx::zone;
use crate::tcp::listen::Listen;
use crate::tcp::number;
use crate::tcp::session_cache::{SessionCache, Shared};

/// What a record of TLS may hold, RFC 8449 and OpenSSL.
const MIN_RECORD: usize = 512;
const MAX_RECORD: usize = 16 * 1024;

/// Seconds that a session is good.
const SESSION_TIMEOUT: i32 = 300;

/// nginx wants eight pages.
const MIN_CACHE: usize = 8 * 4096;

/// `ngx_tcp_ssl_module`
pub struct ClientSsl;

/// What one level says.
#[derive(Default)]
#[repr(C)]
pub struct ClientSslConf {
    handshake_timeout: Slot<Msec>,
    buffer_size: Slot<Size>,
    enable: Option<bool>,
    /// Where that stands.
    enable_location: Option<Location>,
    certificates: Option<Vec<Vec<u8>>>,
    certificate_keys: Option<Vec<Vec<u8>>>,
    password_file: Option<Vec<u8>>,
    dhparam: Option<Vec<u8>>,
    ecdh_curve: Option<Vec<u8>>,
    protocols: Option<Protocols>,
    ciphers: Option<Vec<u8>>,
    prefer_server_ciphers: Option<bool>,
    verify_client: Option<VerifyClient>,
    verify_depth: Option<i32>,
    client_certificate: Option<Vec<u8>>,
    trusted_certificate: Option<Vec<u8>>,
    crl: Option<Vec<u8>>,
    session_cache: Option<CacheConf>,
    session_timeout: Option<i32>,
    session_tickets: Option<bool>,
    session_ticket_keys: Option<Vec<TicketKey>>,
    alpn: Option<Vec<Vec<u8>>>,
    commands: Option<Vec<(Vec<u8>, Vec<u8>)>>,
    /// Where the last of it stands.
    location: Option<Location>,
    /// The folder of the configuration.
    prefix: Vec<u8>,
    /// One for all levels that say the same.
    context: Rc<OnceCell<Rc<Context>>>,
}

/// `ssl_session_cache`
#[derive(Clone, Copy)]
enum CacheConf {
    Off,
    None,
    Kept { builtin: Option<i32>, shared: Option<&'static SessionCache> },
}

impl Module for ClientSsl {
    type Main = ();
    type Server = ClientSslConf;

    #[rustfmt::skip]
    const COMMANDS: &'static [Command<Self>] = &[
        set(c"ssl", TCP | SERVER | ONE, enable),
        set(c"ssl_certificate", TCP | SERVER | ONE, |cf, conf: &mut ClientSslConf| {
            let path = cf.conf_full_name(cf.arg(1))?;
            conf.certificates.get_or_insert_default().push(path);
            conf.touch(cf)
        }),
        set(c"ssl_certificate_key", TCP | SERVER | ONE, |cf, conf: &mut ClientSslConf| {
            let path = cf.conf_full_name(cf.arg(1))?;
            conf.certificate_keys.get_or_insert_default().push(path);
            conf.touch(cf)
        }),
        set(c"ssl_password_file", TCP | SERVER | ONE, password_file),
        set(c"ssl_dhparam", TCP | SERVER | ONE,
            |cf, conf: &mut ClientSslConf| conf.file(cf, |conf| &mut conf.dhparam)),
        set(c"ssl_ecdh_curve", TCP | SERVER | ONE,
            |cf, conf: &mut ClientSslConf| conf.text(cf, |conf| &mut conf.ecdh_curve)),
        set(c"ssl_protocols", TCP | SERVER | ONE_OR_MORE, protocols),
        set(c"ssl_ciphers", TCP | SERVER | ONE,
            |cf, conf: &mut ClientSslConf| conf.text(cf, |conf| &mut conf.ciphers)),
        set(c"ssl_prefer_server_ciphers", TCP | SERVER | ONE,
            |cf, conf: &mut ClientSslConf| {
                conf.flag(cf, |conf| &mut conf.prefer_server_ciphers)
            }),
        set(c"ssl_verify_client", TCP | SERVER | ONE, verify_client),
        set(c"ssl_verify_depth", TCP | SERVER | ONE, verify_depth),
        set(c"ssl_client_certificate", TCP | SERVER | ONE,
            |cf, conf: &mut ClientSslConf| {
                conf.file(cf, |conf| &mut conf.client_certificate)
            }),
        set(c"ssl_trusted_certificate", TCP | SERVER | ONE,
            |cf, conf: &mut ClientSslConf| {
                conf.file(cf, |conf| &mut conf.trusted_certificate)
            }),
        set(c"ssl_crl", TCP | SERVER | ONE,
            |cf, conf: &mut ClientSslConf| conf.file(cf, |conf| &mut conf.crl)),
        set(c"ssl_session_cache", TCP | SERVER | ONE_OR_TWO, session_cache),
        set(c"ssl_session_timeout", TCP | SERVER | ONE, session_timeout),
        set(c"ssl_session_tickets", TCP | SERVER | ONE,
            |cf, conf: &mut ClientSslConf| {
                conf.flag(cf, |conf| &mut conf.session_tickets)
            }),
        set(c"ssl_session_ticket_key", TCP | SERVER | ONE, session_ticket_key),
        msec(c"ssl_handshake_timeout", TCP | SERVER,
            field!(ClientSslConf, handshake_timeout)),
        set(c"ssl_alpn", TCP | SERVER | ONE_OR_MORE, alpn),
        checked_size(c"ssl_buffer_size", TCP | SERVER,
            field!(ClientSslConf, buffer_size), |_, size| match size {
                MIN_RECORD.. => Ok(()),
                _ => Err(ConfError::directive("invalid value")),
            }),
        set(c"ssl_conf_command", TCP | SERVER | TWO, |cf, conf: &mut ClientSslConf| {
            let command = (cf.arg(1).to_vec(), cf.arg(2).to_vec());
            conf.commands.get_or_insert_default().push(command);
            conf.touch(cf)
        }),
        Command::END,
    ];

    fn merge(
        _: &mut Conf,
        above: &mut ClientSslConf,
        server: &mut ClientSslConf,
    ) -> ConfResult {
        server.handshake_timeout.merge_unset(&above.handshake_timeout);
        if server.enable.is_none() {
            server.enable = above.enable;
            server.enable_location.clone_from(&above.enable_location);
        }
        let own = server.location.is_some() || server.buffer_size.get().is_some();
        if !own {
            server.context = above.context.clone();
        }
        server.buffer_size.merge_unset(&above.buffer_size);
        inherit(&mut server.certificates, &above.certificates);
        inherit(&mut server.certificate_keys, &above.certificate_keys);
        inherit(&mut server.password_file, &above.password_file);
        inherit(&mut server.dhparam, &above.dhparam);
        inherit(&mut server.ecdh_curve, &above.ecdh_curve);
        inherit(&mut server.protocols, &above.protocols);
        inherit(&mut server.ciphers, &above.ciphers);
        inherit(&mut server.prefer_server_ciphers, &above.prefer_server_ciphers);
        inherit(&mut server.verify_client, &above.verify_client);
        inherit(&mut server.verify_depth, &above.verify_depth);
        inherit(&mut server.client_certificate, &above.client_certificate);
        inherit(&mut server.trusted_certificate, &above.trusted_certificate);
        inherit(&mut server.crl, &above.crl);
        inherit(&mut server.session_cache, &above.session_cache);
        inherit(&mut server.session_timeout, &above.session_timeout);
        inherit(&mut server.session_tickets, &above.session_tickets);
        inherit(&mut server.session_ticket_keys, &above.session_ticket_keys);
        inherit(&mut server.alpn, &above.alpn);
        inherit(&mut server.commands, &above.commands);
        if server.location.is_none() {
            server.location.clone_from(&above.location);
            server.prefix.clone_from(&above.prefix);
        }
        Ok(())
    }
}

impl ClientSslConf {
    /// `ssl on`: all addresses of the server.
    pub fn is_on(&self) -> bool {
        self.enable == Some(true)
    }

    /// What handshakes with clients begin with; there where an address is for TLS.
    pub fn context(&self) -> Option<&Rc<Context>> {
        self.context.get()
    }

    /// `ssl_handshake_timeout`
    pub fn handshake_timeout(&self) -> Option<Msec> {
        self.handshake_timeout.get()
    }

    /// The cache of sessions that all workers share, if there is one.
    pub fn session_cache(&self) -> Option<&'static SessionCache> {
        match self.session_cache {
            Some(CacheConf::Kept { shared, .. }) => shared,
            _ => None,
        }
    }

    /// Makes the context of a server that was merged, if it has a certificate; refused
    /// if it has none, and needs it.
    pub fn prepare(&self, listens: &[Listen]) -> ConfResult {
        let asked = match self.is_on() {
            true => self.enable_location.as_ref().map(|place| ("ssl", place)),
            false => listens
                .iter()
                .find_map(|listen| listen.ssl())
                .map(|place| ("listen ... ssl", place)),
        };
        let certificates = self.certificates.as_deref().unwrap_or_default();
        let keys = self.certificate_keys.as_deref().unwrap_or_default();
        if let Some((directive, place)) = asked {
            let missing = match (certificates, keys) {
                ([], _) => Some("ssl_certificate"),
                (_, []) => Some("ssl_certificate_key"),
                _ => None,
            };
            if let Some(name) = missing {
                let text =
                    format!("no \"{name}\" is defined for the \"{directive}\" directive");
                return Err(ConfError::At(place.clone(), text));
            }
        }
        let Some(last) = certificates.last() else { return Ok(()) };
        if keys.len() < certificates.len() {
            return Err(self.refused(format!(
                "no \"ssl_certificate_key\" is defined for certificate \"{}\"",
                lossy(last)
            )));
        }
        if self.context.get().is_none() {
            let context = self.make(certificates, keys)?;
            let _ = self.context.set(Rc::new(context));
        }
        Ok(())
    }

    fn make(
        &self,
        certificates: &[Vec<u8>],
        keys: &[Vec<u8>],
    ) -> Result<Context, ConfError> {
        let file = |path: &Option<Vec<u8>>| path.clone().filter(|path| !path.is_empty());
        let verify = self.verify_client.unwrap_or_default();
        let has_authorities = file(&self.client_certificate).is_some()
            || file(&self.trusted_certificate).is_some();
        if matches!(verify, VerifyClient::On | VerifyClient::Optional) && !has_authorities
        {
            let text = "no ssl_client_certificate for ssl_client_verify";
            return Err(self.refused(text.to_owned()));
        }
        let cache = match self.session_cache {
            Some(CacheConf::Off) => Cache::Off,
            None | Some(CacheConf::None) => Cache::None,
            Some(CacheConf::Kept { builtin, shared }) => Cache::Kept {
                builtin: builtin.map(Into::into),
                shared: shared
                    .map(|cache| Rc::new(Shared(cache)) as Rc<dyn SessionStore>),
            },
        };
        // Not kept for longer than they are needed.
        let passwords = match &self.password_file {
            Some(path) => lines(&read(path)?),
            None => Vec::new(),
        };
        let record_size = self.buffer_size.get().map_or(0, |n| n.min(MAX_RECORD));
        let settings = ServerSettings {
            protocols: self.protocols,
            ciphers: self.ciphers.clone(),
            prefer_server_ciphers: self.prefer_server_ciphers == Some(true),
            certificates: certificates
                .iter()
                .cloned()
                .zip(keys.iter().cloned())
                .collect(),
            passwords,
            dhparam: file(&self.dhparam),
            curves: self.ecdh_curve.clone().filter(|list| list != b"auto"),
            verify,
            verify_depth: self.verify_depth.unwrap_or(1),
            client_certificate: file(&self.client_certificate),
            trusted_certificate: file(&self.trusted_certificate),
            crl: file(&self.crl),
            cache,
            session_timeout: self.session_timeout.unwrap_or(SESSION_TIMEOUT),
            tickets: self.session_tickets != Some(false),
            ticket_keys: self.session_ticket_keys.clone().unwrap_or_default(),
            alpn: self.alpn.clone().unwrap_or_default(),
            record_size,
            commands: self.commands.clone().unwrap_or_default(),
            prefix: self.prefix.clone(),
        };
        Context::for_clients(&settings).map_err(|text| self.refused(text))
    }

    fn refused(&self, text: String) -> ConfError {
        match &self.location {
            Some(location) => ConfError::At(location.clone(), text),
            None => ConfError::Text(text),
        }
    }

    /// Notes that the level says something.
    fn touch(&mut self, cf: &Conf) -> ConfResult {
        need_openssl()?;
        self.location = Some(cf.location());
        self.prefix = cf.conf_prefix().to_vec();
        Ok(())
    }

    /// A file, relative to the folder of nginx.conf. None is written as an empty string.
    fn file(
        &mut self,
        cf: &Conf,
        slot: fn(&mut ClientSslConf) -> &mut Option<Vec<u8>>,
    ) -> ConfResult {
        let path = match cf.arg(1) {
            b"" => Vec::new(),
            name => cf.conf_full_name(name)?,
        };
        once(slot(self), path)?;
        self.touch(cf)
    }

    fn text(
        &mut self,
        cf: &Conf,
        slot: fn(&mut ClientSslConf) -> &mut Option<Vec<u8>>,
    ) -> ConfResult {
        once(slot(self), cf.arg(1).to_vec())?;
        self.touch(cf)
    }

    fn flag(
        &mut self,
        cf: &Conf,
        slot: fn(&mut ClientSslConf) -> &mut Option<bool>,
    ) -> ConfResult {
        once(slot(self), on_off(cf)?)?;
        self.touch(cf)
    }
}

fn inherit<T: Clone>(own: &mut Option<T>, above: &Option<T>) {
    if own.is_none() {
        own.clone_from(above);
    }
}

fn once<T>(slot: &mut Option<T>, value: T) -> ConfResult {
    if slot.is_some() {
        return Err(ConfError::duplicate());
    }
    *slot = Some(value);
    Ok(())
}

fn need_openssl() -> ConfResult {
    match ssl::available() {
        true => Ok(()),
        false => Err(ConfError::directive("requires OpenSSL, which nginx has not")),
    }
}

/// As nginx's own setter of flags.
fn on_off(cf: &Conf) -> Result<bool, ConfError> {
    let word = cf.arg(1);
    match word.to_ascii_lowercase().as_slice() {
        b"on" => Ok(true),
        b"off" => Ok(false),
        _ => Err(ConfError::text(format!(
            "invalid value \"{}\" in \"{}\" directive, it must be \"on\" or \"off\"",
            lossy(word),
            cf.directive()
        ))),
    }
}

fn enable(cf: &mut Conf, conf: &mut ClientSslConf) -> ConfResult {
    let on = on_off(cf)?;
    once(&mut conf.enable, on)?;
    conf.enable_location = Some(cf.location());
    if on { need_openssl() } else { Ok(()) }
}

fn password_file(cf: &mut Conf, conf: &mut ClientSslConf) -> ConfResult {
    let path = cf.conf_full_name(cf.arg(1))?;
    read(&path)?;
    once(&mut conf.password_file, path)?;
    conf.touch(cf)
}

/// The lines of a file, of which each is a password.
fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    let lines = text.split(|&b| b == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

fn read(path: &[u8]) -> Result<Vec<u8>, ConfError> {
    ssl::read_file(path).map_err(|error| {
        let errno = error.raw_os_error().unwrap_or_default();
        let (path, why) = (lossy(path), strerror(errno));
        ConfError::text(format!("open() \"{path}\" failed ({errno}: {why})"))
    })
}

fn protocols(cf: &mut Conf, conf: &mut ClientSslConf) -> ConfResult {
    // More of them on one level are added up, as nginx does.
    let mut chosen = conf.protocols.unwrap_or(Protocols::NONE);
    for word in &cf.args()[1..] {
        let Some(one) = Protocols::by_name(word) else {
            return Err(ConfError::text(format!("invalid value \"{}\"", lossy(word))));
        };
        if !chosen.add(one) {
            cf.warn(&format!("duplicate value \"{}\"", lossy(word)));
        }
    }
    conf.protocols = Some(chosen);
    conf.touch(cf)
}

fn verify_client(cf: &mut Conf, conf: &mut ClientSslConf) -> ConfResult {
    let verify = match cf.arg(1) {
        b"off" => VerifyClient::Off,
        b"on" => VerifyClient::On,
        b"optional" => VerifyClient::Optional,
        b"optional_no_ca" => VerifyClient::OptionalNoCa,
        word => {
            return Err(ConfError::text(format!("invalid value \"{}\"", lossy(word))));
        }
    };
    once(&mut conf.verify_client, verify)?;
    conf.touch(cf)
}

fn verify_depth(cf: &mut Conf, conf: &mut ClientSslConf) -> ConfResult {
    let number = number::integer(cf.arg(1));
    let number = number.ok_or_else(|| ConfError::directive("invalid number"))?;
    once(&mut conf.verify_depth, number)?;
    conf.touch(cf)
}

fn session_timeout(cf: &mut Conf, conf: &mut ClientSslConf) -> ConfResult {
    let seconds = number::seconds(cf.arg(1));
    let seconds = seconds.ok_or_else(|| ConfError::directive("invalid value"))?;
    once(&mut conf.session_timeout, seconds)?;
    conf.touch(cf)
}

/// `off`, `none`, `builtin[:N]`, `shared:name:size`.
fn session_cache(cf: &mut Conf, conf: &mut ClientSslConf) -> ConfResult {
    let words: Vec<Vec<u8>> = cf.args()[1..].iter().map(|word| word.to_vec()).collect();
    let mut cache = CacheConf::None;
    for (i, word) in words.iter().enumerate() {
        let invalid =
            || ConfError::text(format!("invalid session cache \"{}\"", lossy(word)));
        let (own, all) = match cache {
            CacheConf::Kept { builtin, shared } => (builtin, shared),
            _ => (None, None),
        };
        cache = match word.split(|&b| b == b':').collect::<Vec<_>>()[..] {
            [b"off"] => CacheConf::Off,
            [b"none"] => CacheConf::None,
            [b"builtin"] => CacheConf::Kept { builtin: Some(0), shared: all },
            [b"builtin", n] => {
                let n = number::integer(n).filter(|&n| n > 0).ok_or_else(invalid)?;
                CacheConf::Kept { builtin: Some(n), shared: all }
            }
            [b"shared", name, size] if !name.is_empty() => {
                let size = zone::parse_size(size).ok_or_else(invalid)?;
                if size < MIN_CACHE {
                    return Err(ConfError::text(format!(
                        "session cache \"{}\" is too small",
                        lossy(name)
                    )));
                }
                let start = b"shared:".len();
                let place = start..start + name.len();
                let found = SessionCache::declare(cf, i + 1, place, size)?;
                CacheConf::Kept { builtin: own, shared: Some(found) }
            }
            _ => return Err(invalid()),
        };
    }
    conf.session_cache = Some(cache);
    conf.touch(cf)
}

fn session_ticket_key(cf: &mut Conf, conf: &mut ClientSslConf) -> ConfResult {
    let path = cf.conf_full_name(cf.arg(1))?;
    let Some(key) = TicketKey::from_bytes(&read(&path)?) else {
        let text = format!("\"{}\" must be 48 or 80 bytes", lossy(&path));
        return Err(ConfError::text(text));
    };
    conf.session_ticket_keys.get_or_insert_default().push(key);
    conf.touch(cf)
}

fn alpn(cf: &mut Conf, conf: &mut ClientSslConf) -> ConfResult {
    let names: Vec<Vec<u8>> = cf.args()[1..].iter().map(|name| name.to_vec()).collect();
    if names.iter().any(|name| name.is_empty() || name.len() > 255) {
        return Err(ConfError::text("protocol too long"));
    }
    once(&mut conf.alpn, names)?;
    conf.touch(cf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_password() {
        for (text, expected) in [
            ("", &[][..]),
            ("one", &["one"]),
            ("one\ntwo words\n", &["one", "two words"]),
            ("\r\none\r\n\n two\n", &["one", " two"]),
        ] {
            let expected: Vec<_> = expected.iter().map(|s| s.as_bytes()).collect();
            assert_eq!(lines(text.as_bytes()), expected, "{text:?}");
        }
    }
}
