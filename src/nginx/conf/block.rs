//! The two levels of configuration that modules of the private type have:
//! `tcp {}` and the `server {}`s in it. This file lays them out as nginx's
//! parser expects, makes each module's structs, and merges them.
//!
//! nginx finds a directive's struct by `cf->ctx` (a `Context`), the offset of
//! one of its arrays, and the module's `ctx_index`.

use std::ffi::c_void;
use std::mem::{offset_of, size_of};
use std::ptr::{self, NonNull};

use ngx::ffi::{
    ngx_command_t, ngx_conf_parse, ngx_conf_t, ngx_count_modules, ngx_module_t,
    ngx_pcalloc, ngx_uint_t,
};

use super::command::{Command, SERVER, TCP};
use super::{CONF_OK, Conf, ConfError, ConfResult};

/// "TCP": the type of the modules inside `tcp {}`.
pub const NGX_TCP_MODULE: ngx_uint_t = 0x0050_4354;

pub(super) const MAIN_OFFSET: usize = offset_of!(Context, main_conf);
pub(super) const SERVER_OFFSET: usize = offset_of!(Context, server_conf);

/// What a module inside `tcp {}` has to say about its configuration.
pub trait Module: Sized + 'static {
    /// What all of `tcp {}` has in common.
    type Main: Default + 'static;
    /// What a server has, and `tcp {}` for servers to inherit.
    type Server: Default + 'static;

    /// The directives, with `Command::END` as the last row.
    const COMMANDS: &'static [Command<Self>];

    /// Gives `server` what it has not set itself, from `above`, then defaults.
    fn merge(
        cf: &mut Conf,
        above: &mut Self::Server,
        server: &mut Self::Server,
    ) -> ConfResult;
}

/// A module that nginx knows.
///
/// # Safety
/// - `RECORD` was made by `record::<Self>()`.
pub unsafe trait Registered: Module {
    const RECORD: *const ngx_module_t;
}

/// The arrays of module configurations that a level is made of.
#[repr(C)]
struct Context {
    main_conf: *mut *mut c_void,
    server_conf: *mut *mut c_void,
}

/// A level while its directives are being read.
pub struct Level {
    ctx: NonNull<Context>,
}

/// A level that has been read and merged; nothing changes it any more.
pub struct Merged {
    ctx: NonNull<Context>,
}

/// Makes a configuration struct in the cycle's memory.
type Constructor = fn(&mut Conf) -> Result<*mut c_void, ConfError>;

/// The `ctx` of a module record of our type.
struct Hooks {
    create_main: Constructor,
    create_server: Constructor,
    merge: unsafe fn(&mut Conf, *mut c_void, *mut c_void) -> ConfResult,
}

/// The record of module `M` for the arrays that `load_module` reads.
pub const fn record<M: Module>() -> ngx_module_t {
    let commands = M::COMMANDS;
    assert!(!commands.is_empty() && commands[commands.len() - 1].is_end());
    let mut record = ngx_module_t::default();
    record.ctx = ptr::from_ref(hooks::<M>()).cast_mut().cast();
    record.commands = commands.as_ptr().cast_mut().cast::<ngx_command_t>();
    record.type_ = NGX_TCP_MODULE;
    record
}

impl Level {
    /// Makes the level of `tcp {}` and numbers the modules.
    pub fn tcp(cf: &mut Conf) -> Result<Level, ConfError> {
        // SAFETY: the cycle being made has its module array.
        let modules = unsafe { ngx_count_modules(cf.cycle(), NGX_TCP_MODULE) };
        let modules = usize::try_from(modules).map_err(|_| ConfError::Logged)?;
        let main_conf = create(cf, modules, |hooks| hooks.create_main)?;
        let server_conf = create(cf, modules, |hooks| hooks.create_server)?;
        Level::new(cf, Context { main_conf, server_conf })
    }

    /// Makes the level of a `server {}` inside the level being read.
    pub fn server(cf: &mut Conf) -> Result<Level, ConfError> {
        // SAFETY: setters of a `server` directive run with cf->ctx set by
        // parse(), to a Context of the cycle's pool.
        let main_conf = unsafe { (*(*cf.as_ptr()).ctx.cast::<Context>()).main_conf };
        // SAFETY: Level::tcp() has counted the modules of this cycle.
        let modules = unsafe { tcp_modules(cf).count() };
        let server_conf = create(cf, modules, |hooks| hooks.create_server)?;
        Level::new(cf, Context { main_conf, server_conf })
    }

    /// Makes a server's level that has nothing but what it inherits from `tcp`.
    pub fn inside(cf: &mut Conf, tcp: &Level) -> Result<Level, ConfError> {
        // SAFETY: the level is of this cycle, whose modules Level::tcp() has
        // counted.
        let (main_conf, modules) =
            unsafe { (tcp.ctx.as_ref().main_conf, tcp_modules(cf).count()) };
        let server_conf = create(cf, modules, |hooks| hooks.create_server)?;
        Level::new(cf, Context { main_conf, server_conf })
    }

    /// Reads the directives of the `tcp {}` block whose `{` has been read.
    pub fn parse_tcp(&mut self, cf: &mut Conf) -> ConfResult {
        self.parse(cf, TCP)
    }

    /// Reads the directives of the `server {}` block whose `{` has been read.
    pub fn parse_server(&mut self, cf: &mut Conf) -> ConfResult {
        self.parse(cf, SERVER)
    }

    /// The struct of module `M` that all levels have in common.
    pub fn main_mut<M: Registered>(&mut self) -> &mut M::Main {
        // SAFETY: M's struct, as Registered promises; setters are the only
        // others to refer to it and none runs while self is borrowed.
        unsafe { &mut *conf::<M, M::Main>(self.ctx.as_ref().main_conf) }
    }

    /// The struct of module `M` at this level.
    pub fn server_mut<M: Registered>(&mut self) -> &mut M::Server {
        // SAFETY: as above.
        unsafe { &mut *conf::<M, M::Server>(self.ctx.as_ref().server_conf) }
    }

    /// Merges each of `servers` with this level. From here on nothing changes
    /// a module's struct any more.
    pub fn merge(
        self,
        cf: &mut Conf,
        servers: Vec<Level>,
    ) -> Result<(Merged, Vec<Merged>), ConfError> {
        // SAFETY: all levels were made by create() for the modules of this
        // cycle, so that both arrays have a struct of the module at its index;
        // the structs of two levels are distinct, and self and servers are
        // owned: nobody else refers to them.
        unsafe {
            let above = self.ctx.as_ref().server_conf;
            for (i, hooks) in tcp_modules(cf).collect::<Vec<_>>() {
                for server in &servers {
                    let own = server.ctx.as_ref().server_conf;
                    (hooks.merge)(cf, *above.add(i), *own.add(i))?;
                }
            }
        }
        let servers = servers.into_iter().map(|s| Merged { ctx: s.ctx }).collect();
        Ok((Merged { ctx: self.ctx }, servers))
    }

    fn new(cf: &mut Conf, ctx: Context) -> Result<Level, ConfError> {
        Ok(Level { ctx: NonNull::from(cf.alloc(ctx)?) })
    }

    fn parse(&mut self, cf: &mut Conf, cmd_type: ngx_uint_t) -> ConfResult {
        let raw: *mut ngx_conf_t = cf.as_ptr();
        // SAFETY: cf is live, and nginx's own block directives change and
        // restore it in the same way; ctx is of the cycle's pool.
        let rv = unsafe {
            let saved = raw.read();
            (*raw).ctx = self.ctx.as_ptr().cast();
            (*raw).module_type = NGX_TCP_MODULE;
            (*raw).cmd_type = cmd_type;
            let rv = ngx_conf_parse(raw, ptr::null_mut());
            raw.write(saved);
            rv
        };
        if rv == CONF_OK { Ok(()) } else { Err(ConfError::Logged) }
    }
}

impl Merged {
    pub fn main<M: Registered>(&self) -> &'static M::Main {
        // SAFETY: M's struct, as Registered promises. It is of the cycle's pool
        // and was read and merged: only shared references to it are left.
        unsafe { &*conf::<M, M::Main>(self.ctx.as_ref().main_conf) }
    }

    pub fn server<M: Registered>(&self) -> &'static M::Server {
        // SAFETY: as above.
        unsafe { &*conf::<M, M::Server>(self.ctx.as_ref().server_conf) }
    }
}

/// The struct of module `M` that all levels have in common, for a setter of `M` that
/// fills another one.
pub fn main_of<M: Registered>(cf: &Conf) -> &M::Main {
    // SAFETY: setters of modules of our type run with cf->ctx set by parse(); the
    // setter has no other reference to it, and none runs while cf is borrowed.
    unsafe {
        let ctx = (*cf.as_ptr()).ctx.cast::<Context>();
        &*conf::<M, M::Main>((*ctx).main_conf)
    }
}

/// # Safety
/// - `confs` is the array of a level, of the kind in which `M` keeps a `C`.
unsafe fn conf<M: Registered, C>(confs: *mut *mut c_void) -> *mut C {
    // SAFETY: nginx has set ctx_index when it counted the modules; create()
    // has put the module's struct there.
    unsafe { (*confs.add((*M::RECORD).ctx_index)).cast() }
}

const fn hooks<M: Module>() -> &'static Hooks {
    &Hooks {
        create_main: create_conf::<M::Main>,
        create_server: create_conf::<M::Server>,
        merge: merge_confs::<M>,
    }
}

fn create_conf<C: Default + 'static>(cf: &mut Conf) -> Result<*mut c_void, ConfError> {
    Ok(ptr::from_mut(cf.alloc(C::default())?).cast())
}

/// # Safety
/// - Both are structs `M::Server`, and distinct.
unsafe fn merge_confs<M: Module>(
    cf: &mut Conf,
    above: *mut c_void,
    server: *mut c_void,
) -> ConfResult {
    // SAFETY: the caller's promise.
    let (above, server) = unsafe { (&mut *above.cast(), &mut *server.cast()) };
    M::merge(cf, above, server)
}

/// An array with a struct of each module, at its index.
fn create(
    cf: &mut Conf,
    modules: usize,
    constructor: fn(&Hooks) -> Constructor,
) -> Result<*mut *mut c_void, ConfError> {
    // SAFETY: the cycle's pool; tcp_modules() needs counted modules, which
    // `modules` is the number of.
    unsafe {
        let confs = ngx_pcalloc((*cf.as_ptr()).pool, modules * size_of::<*mut c_void>());
        let confs = confs.cast::<*mut c_void>();
        if confs.is_null() {
            return Err(ConfError::Logged);
        }
        for (i, hooks) in tcp_modules(cf).collect::<Vec<_>>() {
            *confs.add(i) = constructor(hooks)(cf)?;
        }
        Ok(confs)
    }
}

/// The modules of our type in the cycle being made, with their indices.
///
/// # Safety
/// - `ngx_count_modules` has numbered them for this cycle.
unsafe fn tcp_modules(cf: &Conf) -> impl Iterator<Item = (usize, &'static Hooks)> {
    // SAFETY: the cycle's array of modules ends with NULL, and the records of
    // our type, which nobody else uses, were made by record().
    unsafe {
        let mut next = (*cf.cycle()).modules;
        std::iter::from_fn(move || {
            let module = (*next).as_ref()?;
            next = next.add(1);
            Some(module)
        })
        .filter(|module| module.type_ == NGX_TCP_MODULE)
        .map(|module| (module.ctx_index, &*module.ctx.cast::<Hooks>()))
    }
}
