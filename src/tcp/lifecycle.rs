//! What happens once a configuration or a worker: after `tcp {}` has been read,
//! when a worker starts and when it exits.

use std::rc::Rc;

use super::access_log::AccessLog;
use super::clients;
use super::conf::MainConf;
use super::current::Phase;
use super::demo;
use super::engine::{Engine, ScriptErrorKind};
use super::handshake;
use super::listen::Sessions;
use super::script::Script;
use super::session;
use super::session_cache::SessionCache;
use super::worker;
use crate::lua;
use crate::nginx::conf::{Conf, ConfError, ConfResult};
use crate::nginx::guard;
use crate::nginx::listening;
use crate::nginx::resolver;
use crate::nginx::stack;
use crate::nginx::watcher;
use crate::sched::turn;
use crate::shdict::Dict;
use crate::socket::buffer;
use crate::upstream;

/// The whole of `tcp {}` has been read and merged; nothing is opened yet.
/// Makes the VM, runs init_by_lua and compiles every script that can be read:
/// now, or when the shared dictionaries are there that init_by_lua may use.
pub fn configured(main: &'static MainConf, _cf: &mut Conf) -> ConfResult {
    guard::install_hook();
    stack::make_room();
    if main.shared_dicts().is_empty() {
        return zones_ready(main);
    }
    main.shared_dicts().iter().for_each(|dict| dict.configured(main));
    Ok(())
}

/// nginx has made all zones of the shared dictionaries.
pub fn zones_ready(main: &'static MainConf) -> ConfResult {
    let result = set_up(main);
    lua::free_buffers();
    result
}

fn set_up(main: &'static MainConf) -> ConfResult {
    let engine = Engine::new(main).map_err(|text| {
        ConfError::Text(format!("failed to create the Lua VM: {text}"))
    })?;
    let engine = Rc::new(engine);

    if let Some(script) = main.init() {
        let chunk =
            engine.compile(script).map_err(|error| init_error(script, error.message))?;
        engine
            .run(&chunk, Phase::Init)
            // What init leaves behind would lie in every worker.
            .and_then(|()| engine.collect_garbage(Phase::Init))
            .map_err(|text| init_error(script, text))?;
    }
    for script in [main.init_worker(), main.exit_worker()].into_iter().flatten() {
        engine.compile(script).map_err(|error| at(script, error.into_text()))?;
    }
    main.set_engine(Some(engine.clone()));
    for server in main.servers() {
        let Some(script) = server.script() else { continue };
        match engine.compile(script) {
            Ok(chunk) => server.set_chunk(Some(Rc::new(chunk))),
            // As ever: the file may come later, and each connection tries.
            Err(error) if error.kind == ScriptErrorKind::Unreadable => {}
            Err(error) => return Err(at(script, error.into_text())),
        }
    }
    Ok(())
}

/// A worker, or the only process, has started.
pub fn worker_started(main: &'static MainConf) {
    listening::set_nodelay::<Sessions>();
    main.shared_dicts().iter().filter_map(|shared| shared.dict()).for_each(Dict::adopt);
    let caches = main.servers().iter().filter_map(|server| server.session_cache());
    caches.for_each(SessionCache::adopt);
    worker::started(main);
}

/// It is about to exit; the cycle and its zones are still there. Frees the VM,
/// so that `__gc` runs while they are.
pub fn worker_exiting(main: &'static MainConf) {
    handshake::close_all();
    session::close_all();
    demo::close_all();
    worker::exiting(main);
    clients::free_all();
    upstream::free_all();
    resolver::free_all();
    // Last of what may hold a thread: to close a socket wakes who waits for it.
    turn::free_all();
    watcher::stop();
    main.servers().iter().for_each(|server| server.set_chunk(None));
    main.set_engine(None);
    // nginx has done so, but not after the last lines.
    let logs = main.servers().iter().filter_map(|server| server.access_logs());
    logs.flatten().for_each(AccessLog::flush);
    buffer::free_all();
    lua::free_buffers();
}

fn init_error(script: &Script, text: Vec<u8>) -> ConfError {
    at(script, [script.directive.as_bytes(), b" error: ", &text].concat())
}

fn at(script: &Script, text: Vec<u8>) -> ConfError {
    let text = String::from_utf8_lossy(&text).into_owned();
    ConfError::At(script.location.clone(), text)
}
