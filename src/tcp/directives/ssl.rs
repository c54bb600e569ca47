//! The directives of TLS for scripts' sockets. What a level says becomes an
//! `SSL_CTX` when it is merged; servers that say nothing of their own share it.

use std::rc::Rc;

use crate::nginx::conf::{Conf, ConfError, ConfResult, Location, lossy};
use crate::nginx::ssl::{self, Context, Protocols, Settings};
use crate::tcp::number;

/// What one level says.
#[derive(Default)]
pub struct SslConf {
    protocols: Option<Protocols>,
    ciphers: Option<Vec<u8>>,
    verify_depth: Option<i32>,
    trusted_certificate: Option<Vec<u8>>,
    crl: Option<Vec<u8>>,
    certificate: Option<Vec<u8>>,
    certificate_key: Option<Vec<u8>>,
    commands: Option<Vec<(Vec<u8>, Vec<u8>)>>,
    /// Where the last of it stands.
    location: Option<Location>,
    context: Option<Rc<Context>>,
}

impl SslConf {
    /// The context of a level that was merged; None without OpenSSL.
    pub fn context(&self) -> Option<&Rc<Context>> {
        self.context.as_ref()
    }

    /// Notes that the level says something.
    fn touch(&mut self, cf: &Conf) -> ConfResult {
        if !ssl::available() {
            return Err(ConfError::directive("requires OpenSSL, which nginx has not"));
        }
        self.location = Some(cf.location());
        Ok(())
    }
}

/// Gives `server` its context.
pub fn merge(cf: &mut Conf, above: &mut SslConf, server: &mut SslConf) -> ConfResult {
    if !ssl::available() {
        return Ok(());
    }
    if server.location.is_none() {
        if above.context.is_none() {
            above.context = Some(make(cf, above)?);
        }
        server.context = above.context.clone();
        return Ok(());
    }
    server.protocols = server.protocols.or(above.protocols);
    server.verify_depth = server.verify_depth.or(above.verify_depth);
    inherit(&mut server.ciphers, &above.ciphers);
    inherit(&mut server.trusted_certificate, &above.trusted_certificate);
    inherit(&mut server.crl, &above.crl);
    inherit(&mut server.certificate, &above.certificate);
    inherit(&mut server.certificate_key, &above.certificate_key);
    inherit(&mut server.commands, &above.commands);
    server.context = Some(make(cf, server)?);
    Ok(())
}

fn inherit<T: Clone>(own: &mut Option<T>, above: &Option<T>) {
    if own.is_none() {
        own.clone_from(above);
    }
}

fn make(cf: &Conf, conf: &SslConf) -> Result<Rc<Context>, ConfError> {
    let refused = |text: String| match &conf.location {
        Some(location) => ConfError::At(location.clone(), text),
        None => ConfError::Text(text),
    };
    let file = |path: &Option<Vec<u8>>| path.clone().filter(|path| !path.is_empty());
    let (certificate, certificate_key) =
        (file(&conf.certificate), file(&conf.certificate_key));
    if let (Some(certificate), None) = (&certificate, &certificate_key) {
        return Err(refused(format!(
            "no \"lua_ssl_certificate_key\" is defined for certificate \"{}\"",
            lossy(certificate)
        )));
    }
    let default = Settings::default();
    let settings = Settings {
        protocols: conf.protocols.unwrap_or(default.protocols),
        ciphers: conf.ciphers.clone().unwrap_or(default.ciphers),
        verify_depth: conf.verify_depth.unwrap_or(default.verify_depth),
        trusted_certificate: file(&conf.trusted_certificate),
        crl: file(&conf.crl),
        certificate,
        certificate_key,
        commands: conf.commands.clone().unwrap_or_default(),
        prefix: cf.conf_prefix().to_vec(),
    };
    Context::new(&settings).map(Rc::new).map_err(refused)
}

pub fn protocols(cf: &mut Conf, conf: &mut SslConf) -> ConfResult {
    let mut chosen = Protocols::NONE;
    if conf.protocols.is_some() {
        return Err(ConfError::duplicate());
    }
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

pub fn ciphers(cf: &mut Conf, conf: &mut SslConf) -> ConfResult {
    set(&mut conf.ciphers, cf.arg(1).to_vec())?;
    conf.touch(cf)
}

pub fn verify_depth(cf: &mut Conf, conf: &mut SslConf) -> ConfResult {
    if conf.verify_depth.is_some() {
        return Err(ConfError::duplicate());
    }
    let number = number::integer(cf.arg(1)).filter(|&n| n >= 0);
    conf.verify_depth =
        Some(number.ok_or_else(|| ConfError::directive("invalid number"))?);
    conf.touch(cf)
}

pub fn trusted_certificate(cf: &mut Conf, conf: &mut SslConf) -> ConfResult {
    set(&mut conf.trusted_certificate, path(cf)?)?;
    conf.touch(cf)
}

pub fn crl(cf: &mut Conf, conf: &mut SslConf) -> ConfResult {
    set(&mut conf.crl, path(cf)?)?;
    conf.touch(cf)
}

pub fn certificate(cf: &mut Conf, conf: &mut SslConf) -> ConfResult {
    set(&mut conf.certificate, path(cf)?)?;
    conf.touch(cf)
}

pub fn certificate_key(cf: &mut Conf, conf: &mut SslConf) -> ConfResult {
    set(&mut conf.certificate_key, path(cf)?)?;
    conf.touch(cf)
}

pub fn command(cf: &mut Conf, conf: &mut SslConf) -> ConfResult {
    let command = (cf.arg(1).to_vec(), cf.arg(2).to_vec());
    conf.commands.get_or_insert_default().push(command);
    conf.touch(cf)
}

fn set<T>(slot: &mut Option<T>, value: T) -> ConfResult {
    if slot.is_some() {
        return Err(ConfError::duplicate());
    }
    *slot = Some(value);
    Ok(())
}

/// A file, relative to the folder of nginx.conf as nginx's own of TLS. None is
/// written as an empty string.
fn path(cf: &Conf) -> Result<Vec<u8>, ConfError> {
    match cf.arg(1) {
        b"" => Ok(Vec::new()),
        name => cf.conf_full_name(name),
    }
}
