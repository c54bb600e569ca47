//! A piece of Lua that the configuration names: code in the configuration
//! itself, as an argument or a block, or a file. Made by the directives of
//! `directives/lua.rs`, compiled by `lifecycle.rs`.

use crate::nginx::conf::{Conf, ConfError, Location};
use crate::tcp::block_lexer::BlockLexer;

/// Lua to run, with all that messages about it need.
#[derive(Debug)]
pub struct Script {
    /// The directive as written: `process_by_lua_block`.
    pub directive: String,
    pub source: Source,
    /// What Lua calls the chunk: `=process_by_lua(nginx.conf:12)` for code, so
    /// that `nginx.conf:12` and the line in a message lead to the place, and
    /// `@/path` for a file.
    pub chunk_name: Vec<u8>,
    /// Where the code, or the file's name, stands in the configuration.
    pub location: Location,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    Code(Vec<u8>),
    /// A full path.
    File(Vec<u8>),
}

/// A script, or none where there is nothing to run: no code, or no file's name.
pub type MaybeScript = Result<Option<Script>, ConfError>;

impl Script {
    /// `NAME code;`
    pub fn from_argument(cf: &mut Conf) -> MaybeScript {
        let location = Location { line: cf.line_of_last_arg(1), ..cf.location() };
        Ok(Script::code(cf, cf.arg(1).to_vec(), location))
    }

    /// `NAME path;`, relative to nginx's prefix.
    pub fn from_file(cf: &mut Conf) -> MaybeScript {
        if cf.arg(1).is_empty() {
            return Ok(None);
        }
        let path = cf.full_name(cf.arg(1))?;
        Ok(Some(Script {
            directive: cf.directive(),
            chunk_name: [b"@", path.as_slice()].concat(),
            source: Source::File(path),
            location: cf.location(),
        }))
    }

    /// `NAME { code }`, of which nginx has read the opening brace.
    pub fn from_block(cf: &mut Conf) -> MaybeScript {
        let location = cf.location();
        let mut lexer = BlockLexer::new();
        let mut code = Vec::new();
        let ended = cf.read_raw(|bytes| {
            let end = lexer.feed(bytes);
            code.extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
            end
        })?;
        if !ended {
            let name = cf.directive();
            let text = format!("directive \"{name}\" has no closing \"}}\"");
            return Err(ConfError::At(location, text));
        }
        code.pop();
        Ok(Script::code(cf, code, location))
    }

    fn code(cf: &Conf, code: Vec<u8>, location: Location) -> Option<Script> {
        if code.is_empty() {
            return None;
        }
        let directive = cf.directive();
        let name = format!("={directive}({}:{})", location.file_name(), location.line);
        let (source, chunk_name) = (Source::Code(code), name.into_bytes());
        Some(Script { directive, source, chunk_name, location })
    }
}
