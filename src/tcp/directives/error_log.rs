//! `error_log` with a debug level of our own, which nginx's parser would not
//! know.

use crate::nginx::conf::{Conf, ConfError, ConfResult, lossy};
use crate::tcp::directives::core::CoreServerConf;

/// The levels of ngx_log.h from 1 to 8.
const LEVELS: [&str; 8] =
    ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"];
const ERROR: usize = 4;
const DEBUG: usize = 8;

/// The debug levels from 0x10 on; nginx's own end before `debug_tcp`.
const DEBUG_LEVELS: [&str; 8] = [
    "debug_core",
    "debug_alloc",
    "debug_mutex",
    "debug_event",
    "debug_http",
    "debug_mail",
    "debug_stream",
    "debug_tcp",
];
const DEBUG_FIRST: usize = 0x10;
const DEBUG_ALL: usize = 0x7fff_fff0;

/// The level of `debug_tcp`, for our debug lines.
pub const LOG_DEBUG_TCP: usize = 0x800;

const _: () = assert!(DEBUG_FIRST << (DEBUG_LEVELS.len() - 1) == LOG_DEBUG_TCP);

pub fn error_log(cf: &mut Conf, server: &mut CoreServerConf) -> ConfResult {
    if !server.error_log.is_null() {
        return Err(ConfError::duplicate());
    }
    let level = parse_levels(&cf.args()[2..]).map_err(ConfError::Text)?;
    server.error_log = cf.open_log(level)?;
    Ok(())
}

/// `ngx_log_t.log_level` for the words after the target: one plain level or any
/// number of debug levels; error for none.
fn parse_levels(words: &[&[u8]]) -> Result<usize, String> {
    let mut level = 0;
    for &word in words {
        let known = |levels: &[&str]| levels.iter().position(|l| l.as_bytes() == word);
        if let Some(i) = known(&LEVELS) {
            if level != 0 {
                return Err(format!("duplicate log level \"{}\"", lossy(word)));
            }
            level = i + 1;
            continue;
        }
        match known(&DEBUG_LEVELS) {
            Some(i) if level & !DEBUG_ALL == 0 => level |= DEBUG_FIRST << i,
            _ => return Err(format!("invalid log level \"{}\"", lossy(word))),
        }
    }
    Ok(match level {
        0 => ERROR,
        DEBUG => DEBUG_ALL,
        level => level,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        let cases: &[(&str, Result<usize, &str>)] = &[
            ("", Ok(4)),
            ("emerg", Ok(1)),
            ("error", Ok(4)),
            ("info", Ok(7)),
            ("debug", Ok(0x7fff_fff0)),
            ("debug_core", Ok(0x10)),
            ("debug_stream", Ok(0x400)),
            ("debug_tcp", Ok(0x800)),
            ("debug_tcp debug_event debug_tcp", Ok(0x880)),
            ("info info", Err("duplicate log level \"info\"")),
            ("info warn", Err("duplicate log level \"warn\"")),
            ("info debug_tcp", Err("invalid log level \"debug_tcp\"")),
            ("debug debug_tcp", Err("invalid log level \"debug_tcp\"")),
            ("debug_tcp info", Err("duplicate log level \"info\"")),
            ("debug_udp", Err("invalid log level \"debug_udp\"")),
            ("INFO", Err("invalid log level \"INFO\"")),
        ];
        for (words, expected) in cases {
            let words: Vec<&[u8]> = words.split_whitespace().map(str::as_bytes).collect();
            let level = parse_levels(&words);
            assert_eq!(level, expected.map_err(str::to_owned), "{words:?}");
        }
    }
}
