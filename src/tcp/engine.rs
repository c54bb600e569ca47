//! The VM of a configuration and the scripts that run in it.

use std::borrow::Cow;
use std::fs;
use std::rc::Rc;

use super::conf::{MainConf, ServerConf};
use super::current::{self, Phase};
use super::script::{Script, Source};
use crate::api::{self, regex_cache};
use crate::lua::chunk::Chunk;
use crate::lua::{Coroutine, Vm};
use crate::nginx::io::strerror;

/// A configuration's VM. Servers hold it, with their compiled scripts.
pub struct Engine {
    vm: Rc<Vm>,
    /// Behind the VM, whose finalizers may use them.
    _regexes: regex_cache::Use,
}

/// Why a script cannot be run.
pub struct ScriptError {
    pub kind: ScriptErrorKind,
    what: &'static str,
    /// Lua's message, or `cannot open PATH: REASON`.
    pub message: Vec<u8>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptErrorKind {
    /// Its file cannot be read: that may change.
    Unreadable,
    /// It does not compile.
    Invalid,
}

impl ScriptError {
    /// The text for the log.
    pub fn into_text(self) -> Vec<u8> {
        [self.what.as_bytes(), b": ", &self.message].concat()
    }
}

impl Engine {
    /// Makes the VM, with the API in it.
    pub fn new(main: &MainConf) -> Result<Engine, String> {
        let paths = (main.package_path(), main.package_cpath());
        let install = |lua: &_, ngx: &_, native: &_| {
            api::install(lua, ngx, native, main.shared_dicts())
        };
        let limits = (main.regex_cache_max_entries(), main.regex_match_limit());
        let regexes = regex_cache::Use::new(limits.0, limits.1);
        let vm = Vm::new(paths, api::GROUPS, api::PRIVATE, install)?;
        Ok(Engine { vm, _regexes: regexes })
    }

    /// The VM itself.
    pub fn vm(&self) -> &Rc<Vm> {
        &self.vm
    }

    /// Reads and compiles a script.
    pub fn compile(&self, script: &Script) -> Result<Chunk, ScriptError> {
        let name = String::from_utf8_lossy(&script.chunk_name);
        let (what, code) = match &script.source {
            Source::Code(code) => {
                ("failed to load Lua inlined code", Cow::Borrowed(code))
            }
            Source::File(path) => {
                let what = "failed to load Lua code";
                let kind = ScriptErrorKind::Unreadable;
                let code =
                    read(path).map_err(|message| ScriptError { kind, what, message })?;
                (what, Cow::Owned(code))
            }
        };
        let kind = ScriptErrorKind::Invalid;
        Chunk::compile(&self.vm, &code, &name).map_err(|message| ScriptError {
            kind,
            what,
            message,
        })
    }

    /// Runs a script that belongs to no connection.
    pub fn run(&self, chunk: &Chunk, phase: Phase) -> Result<(), Vec<u8>> {
        current::enter_phase(phase, None, || chunk.run())
    }

    /// Collects all garbage. The error is that of a `__gc`.
    pub fn collect_garbage(&self, phase: Phase) -> Result<(), Vec<u8>> {
        current::enter_phase(phase, None, || self.vm.lua().gc_collect())
            .map_err(|error| error.to_string().into_bytes())
    }

    /// A coroutine that will run the server's script.
    pub fn coroutine_for(&self, server: &ServerConf) -> Result<Coroutine, Vec<u8>> {
        let script = server.script().ok_or_else(|| b"no Lua script".to_vec())?;
        if !server.code_cache() {
            self.vm.forget_modules();
            if let Source::File(_) = script.source {
                let chunk = self.compile(script).map_err(ScriptError::into_text)?;
                return Coroutine::new(&self.vm, chunk.factory());
            }
        }
        let chunk = match server.chunk() {
            Some(chunk) => chunk,
            None => {
                let chunk =
                    Rc::new(self.compile(script).map_err(ScriptError::into_text)?);
                server.set_chunk(Some(chunk.clone()));
                chunk
            }
        };
        Coroutine::new(&self.vm, chunk.factory())
    }
}

fn read(path: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    fs::read(OsStr::from_bytes(path)).map_err(|error| {
        let why = error.raw_os_error().map_or_else(|| error.to_string(), strerror);
        [b"cannot open ", path, b": ", why.as_bytes()].concat()
    })
}
