//! Access logs, and error logs by UDP: `log_format`, `access_log`, `access_nlog`,
//! `nlog`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use crate::nginx::conf::block::{Module, main_of};
use crate::nginx::conf::command::{
    Command, ONE_OR_MORE, SERVER, TCP, TWO, TWO_OR_MORE, set, set_main,
};
use crate::nginx::conf::{self, Conf, ConfError, ConfResult, Msec, Size, lossy};
use crate::nginx::log as error_log;
use crate::nginx::open_file;
use crate::tcp::access_log::{AccessLog, COMBINED, COMBINED_TEXT, Format, Target};
use crate::tcp::directives::core::CoreServerConf;
use crate::tcp::udp_log;
use crate::text::log_format::Escape;

/// `ngx_tcp_log_module`
pub struct Log;

#[derive(Default)]
pub struct LogMainConf {
    /// In the order of the configuration.
    formats: Vec<Rc<Format>>,
}

#[derive(Default)]
pub struct LogServerConf {
    /// None until a directive has set them; shared with the servers that inherit
    /// them, and empty after `off`.
    pub logs: Option<Rc<Vec<AccessLog>>>,
    is_off: bool,
    has_nlog: bool,
}

impl Module for Log {
    type Main = LogMainConf;
    type Server = LogServerConf;

    const COMMANDS: &'static [Command<Self>] = &[
        set_main(c"log_format", TCP | SERVER | TWO_OR_MORE, log_format),
        set(c"access_log", TCP | SERVER | ONE_OR_MORE, access_log),
        set(c"access_nlog", TCP | SERVER | TWO, access_nlog),
        Command::END,
    ];

    fn merge(
        _: &mut Conf,
        above: &mut LogServerConf,
        server: &mut LogServerConf,
    ) -> ConfResult {
        above.silence();
        server.silence();
        if server.logs.is_none() {
            server.logs.clone_from(&above.logs);
        }
        Ok(())
    }
}

impl LogServerConf {
    /// `off` is for the whole level, wherever it stands.
    fn silence(&mut self) {
        if self.is_off {
            self.logs = Some(Rc::default());
        }
    }

    /// Nobody shares them before the levels are merged.
    fn logs_mut(&mut self) -> Option<&mut Vec<AccessLog>> {
        Rc::get_mut(self.logs.get_or_insert_default())
    }
}

impl LogMainConf {
    fn find(&self, name: &[u8]) -> Option<Rc<Format>> {
        let of_name = |f: &&Rc<Format>| f.name.eq_ignore_ascii_case(name);
        let exact = self.formats.iter().find(|format| format.name == name);
        exact.or_else(|| self.formats.iter().find(of_name)).cloned()
    }
}

/// The log of servers that say nothing of one.
pub fn default_log(cf: &mut Conf) -> Result<Rc<Vec<AccessLog>>, ConfError> {
    let file = cf.open_file_named(&default_path(cf.prefix()))?;
    Ok(Rc::new(vec![AccessLog::new(Target::File(file), combined()?)]))
}

/// In the folder `logs` of nginx's prefix; if there is none, as with Debian's nginx,
/// where nginx has http's log.
fn default_path(prefix: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"access_tcp.log";
    let logs = [prefix, b"logs/"].concat();
    if Path::new(OsStr::from_bytes(&logs)).is_dir() {
        return [&logs, NAME].concat();
    }
    let http = open_file::http_log_path();
    let folder = memchr::memrchr(b'/', http).map_or(0, |slash| slash + 1);
    [&http[..folder], NAME].concat()
}

fn combined() -> Result<Rc<Format>, ConfError> {
    let format = Format::parse(COMBINED, Escape::Default, &[COMBINED_TEXT]);
    format.map(Rc::new).map_err(ConfError::Text)
}

fn log_format(cf: &mut Conf, main: &mut LogMainConf) -> ConfResult {
    if cf.stands_in(SERVER) {
        cf.warn("the \"log_format\" directive may be used only on \"tcp\" level");
    }
    let args = cf.args();
    let (name, mut strings) = (args[1], &args[2..]);
    if name == COMBINED || main.formats.iter().any(|format| format.name == name) {
        let text = format!("duplicate \"log_format\" name \"{}\"", lossy(name));
        return Err(ConfError::Text(text));
    }
    let mut escape = Escape::Default;
    if let Some(word) = strings.first().and_then(|word| word.strip_prefix(b"escape=")) {
        escape = Escape::from_name(word).ok_or_else(|| {
            ConfError::Text(format!("unknown log format escaping \"{}\"", lossy(word)))
        })?;
        strings = &strings[1..];
    }
    let format = Format::parse(name, escape, strings).map_err(ConfError::Text)?;
    main.formats.push(Rc::new(format));
    Ok(())
}

fn access_log(cf: &mut Conf, server: &mut LogServerConf) -> ConfResult {
    let args = cf.args();
    if args[1] == b"off" {
        return match args.get(2) {
            Some(other) => Err(invalid_parameter(other)),
            None => {
                server.is_off = true;
                Ok(())
            }
        };
    }
    let buffer = match args.get(3..) {
        Some(words) if !words.is_empty() => Some(Buffer::parse(words, args[1])?),
        _ => None,
    };
    let format = match args.get(2) {
        None => combined()?,
        Some(&name) => match main_of::<Log>(cf).find(name) {
            Some(format) => format,
            None if name.eq_ignore_ascii_case(COMBINED) => combined()?,
            None => {
                let text = format!("unknown log format \"{}\"", lossy(name));
                return Err(ConfError::Text(text));
            }
        },
    };
    let target = match (args[1].starts_with(b"syslog:"), buffer) {
        (true, None) => Target::Syslog(cf.syslog()?),
        (true, Some(_)) => {
            let word = lossy(args.get(3).copied().unwrap_or_default());
            let text = format!("parameter \"{word}\" is not supported by syslog");
            return Err(ConfError::Text(text));
        }
        (false, None) => Target::File(cf.open_file(1)?),
        (false, Some(buffer)) => {
            let file = cf.open_file(1)?;
            Target::Buffered(cf.log_buffer(file, buffer.size, buffer.flush)?)
        }
    };
    if let Some(logs) = server.logs_mut() {
        logs.push(AccessLog::new(target, format));
    }
    Ok(())
}

/// `buffer=size [flush=time]`
struct Buffer {
    size: Size,
    flush: Option<Msec>,
}

impl Buffer {
    fn parse(words: &[&[u8]], path: &[u8]) -> Result<Buffer, ConfError> {
        let (mut size, mut flush) = (None, None);
        let bad = |what, text: &[u8]| {
            ConfError::Text(format!("invalid {what} \"{}\"", lossy(text)))
        };
        for &word in words {
            if let Some(text) = word.strip_prefix(b"buffer=") {
                let n = conf::size(text).filter(|&n| n > 0);
                size = Some(n.ok_or_else(|| bad("buffer size", text))?);
            } else if let Some(text) = word.strip_prefix(b"flush=") {
                let n = conf::msec(text).filter(|&n| n > 0);
                flush = Some(n.ok_or_else(|| bad("flush time", text))?);
            } else if word.starts_with(b"gzip") || word.starts_with(b"if=") {
                // What http's logs have and ours have not.
                return Err(bad("parameter", word));
            } else {
                let text = "too many parameter , not more than 3 parameter";
                return Err(ConfError::text(text));
            }
        }
        match size {
            Some(size) => Ok(Buffer { size, flush }),
            None => Err(ConfError::Text(format!(
                "no buffer is defined for access_log \"{}\"",
                lossy(path)
            ))),
        }
    }
}

fn access_nlog(cf: &mut Conf, server: &mut LogServerConf) -> ConfResult {
    if server.is_off {
        return Ok(());
    }
    if server.has_nlog {
        return Err(ConfError::duplicate());
    }
    let log = server.logs_mut().and_then(|logs| logs.first_mut());
    let log = log.ok_or_else(|| ConfError::directive("need set access_log first"))?;
    log.set_target(Target::Datagram(udp_log::socket(cf)?));
    server.has_nlog = true;
    Ok(())
}

/// `nlog` of `tcp {}` and of servers.
pub fn nlog(cf: &mut Conf, server: &mut CoreServerConf) -> ConfResult {
    if server.has_nlog {
        return Err(ConfError::duplicate());
    }
    let Some(log) = error_log::Log::configured(server.error_log) else {
        return Err(ConfError::directive("need set error_log first"));
    };
    let socket = udp_log::socket(cf)?;
    cf.send_log(log, socket)?;
    server.has_nlog = true;
    Ok(())
}

/// `nlog` outside of all blocks.
pub fn main_nlog(cf: &mut Conf) -> ConfResult {
    let Some(log) = cf.last_main_log() else {
        return Err(ConfError::directive("need set error_log first"));
    };
    if cf.is_sent(log) {
        return Err(ConfError::duplicate());
    }
    let socket = udp_log::socket(cf)?;
    cf.send_log(log, socket)
}

fn invalid_parameter(word: &[u8]) -> ConfError {
    ConfError::Text(format!("invalid parameter \"{}\"", lossy(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_default_is() {
        let folder = std::env::temp_dir().join("ngx-tcp-lua-default-log");
        std::fs::create_dir_all(folder.join("logs")).expect("a folder");
        let prefix = [folder.as_os_str().as_bytes(), b"/"].concat();
        let expected = [&prefix[..], b"logs/access_tcp.log"].concat();
        assert_eq!(default_path(&prefix), expected);
        std::fs::remove_dir_all(&folder).expect("an empty folder");

        let path = default_path(&prefix);
        let folder =
            |path: &[u8]| Path::new(OsStr::from_bytes(path)).parent().map(Path::to_owned);
        assert_eq!(folder(&path), folder(open_file::http_log_path()));
        assert!(path.ends_with(b"/access_tcp.log"));
    }
}
