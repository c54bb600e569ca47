//! The module records, the arrays nginx's `load_module` looks for, and nginx's
//! ways in that belong to no directive.
//!
//! One .so holds several modules: `ngx_tcp_module` of type CORE owns the
//! `tcp {}` block, the others are of a private type and live inside it.

// nginx's names.
#![allow(non_upper_case_globals)]

use std::ffi::{c_char, c_void};
use std::ptr;

use ngx::ffi::{
    NGX_CORE_MODULE, NGX_MAIN_CONF, NGX_OK, NGX_PROCESS_SINGLE, NGX_PROCESS_WORKER,
    ngx_command_t, ngx_conf_t, ngx_core_module_t, ngx_cycle_t, ngx_int_t, ngx_module_t,
    ngx_process, ngx_str_t, ngx_uint_t,
};

use crate::nginx::conf::block::{Registered, record};
use crate::nginx::conf::command::{BLOCK, TWO};
use crate::nginx::conf::{Conf, ConfError};
use crate::nginx::guard::guard;
use crate::tcp::conf::MainConf;
use crate::tcp::directives::access::Access;
use crate::tcp::directives::client_ssl::ClientSsl;
use crate::tcp::directives::core::Core;
use crate::tcp::directives::demo::DemoModule;
use crate::tcp::directives::log::{self, Log};
use crate::tcp::directives::lua::Lua;
use crate::tcp::{block, lifecycle};

/// An array that nginx reads; it lives for the whole process.
#[repr(transparent)]
pub struct Exported<T>(T);
// SAFETY: nginx reads these from the one thread that loads modules.
unsafe impl<T> Sync for Exported<T> {}

pub static mut ngx_tcp_module: ngx_module_t = ngx_module_t {
    ctx: (&raw const NGX_TCP_MODULE_CTX).cast_mut().cast(),
    commands: (&raw const NGX_TCP_COMMANDS).cast_mut().cast(),
    type_: NGX_CORE_MODULE as ngx_uint_t,
    ..ngx_module_t::default()
};

pub static mut ngx_tcp_core_module: ngx_module_t = record::<Core>();

pub static mut ngx_tcp_access_module: ngx_module_t = record::<Access>();

pub static mut ngx_tcp_ssl_module: ngx_module_t = record::<ClientSsl>();

pub static mut ngx_tcp_log_module: ngx_module_t = record::<Log>();

pub static mut ngx_tcp_demo_module: ngx_module_t = record::<DemoModule>();

pub static mut ngx_tcp_lua_module: ngx_module_t = ngx_module_t {
    init_process: Some(ngx_tcp_lua_init_process),
    exit_process: Some(ngx_tcp_lua_exit_process),
    ..record::<Lua>()
};

// SAFETY: the record is made by record::<Core>().
unsafe impl Registered for Core {
    const RECORD: *const ngx_module_t = &raw const ngx_tcp_core_module;
}

// SAFETY: the record is made by record::<Access>().
unsafe impl Registered for Access {
    const RECORD: *const ngx_module_t = &raw const ngx_tcp_access_module;
}

// SAFETY: the record is made by record::<ClientSsl>().
unsafe impl Registered for ClientSsl {
    const RECORD: *const ngx_module_t = &raw const ngx_tcp_ssl_module;
}

// SAFETY: the record is made by record::<Log>().
unsafe impl Registered for Log {
    const RECORD: *const ngx_module_t = &raw const ngx_tcp_log_module;
}

// SAFETY: the record is made by record::<DemoModule>().
unsafe impl Registered for DemoModule {
    const RECORD: *const ngx_module_t = &raw const ngx_tcp_demo_module;
}

// SAFETY: the record is made by record::<Lua>(), but for its hooks.
unsafe impl Registered for Lua {
    const RECORD: *const ngx_module_t = &raw const ngx_tcp_lua_module;
}

static NGX_TCP_MODULE_CTX: Exported<ngx_core_module_t> = Exported(ngx_core_module_t {
    name: text(c"tcp".to_bytes()),
    create_conf: None,
    init_conf: None,
});

static NGX_TCP_COMMANDS: Exported<[ngx_command_t; 3]> = Exported([
    ngx_command_t {
        name: text(c"tcp".to_bytes()),
        type_: NGX_MAIN_CONF as ngx_uint_t | BLOCK,
        set: Some(ngx_tcp_block),
        conf: 0,
        offset: 0,
        post: ptr::null_mut(),
    },
    ngx_command_t {
        name: text(c"nlog".to_bytes()),
        type_: NGX_MAIN_CONF as ngx_uint_t | TWO,
        set: Some(ngx_tcp_main_nlog),
        conf: 0,
        offset: 0,
        post: ptr::null_mut(),
    },
    ngx_command_t::empty(),
]);

#[unsafe(no_mangle)]
pub static ngx_modules: Exported<[*const ngx_module_t; 8]> = Exported([
    &raw const ngx_tcp_module,
    &raw const ngx_tcp_core_module,
    &raw const ngx_tcp_access_module,
    &raw const ngx_tcp_ssl_module,
    &raw const ngx_tcp_log_module,
    &raw const ngx_tcp_demo_module,
    &raw const ngx_tcp_lua_module,
    ptr::null(),
]);
#[unsafe(no_mangle)]
pub static ngx_module_names: Exported<[*const c_char; 8]> = Exported([
    c"ngx_tcp_module".as_ptr(),
    c"ngx_tcp_core_module".as_ptr(),
    c"ngx_tcp_access_module".as_ptr(),
    c"ngx_tcp_ssl_module".as_ptr(),
    c"ngx_tcp_log_module".as_ptr(),
    c"ngx_tcp_demo_module".as_ptr(),
    c"ngx_tcp_lua_module".as_ptr(),
    ptr::null(),
]);
#[unsafe(no_mangle)]
pub static ngx_module_order: Exported<[*const c_char; 1]> = Exported([ptr::null()]);

const fn text(bytes: &'static [u8]) -> ngx_str_t {
    ngx_str_t { len: bytes.len(), data: bytes.as_ptr().cast_mut() }
}

/// `tcp { ... }`: `conf` is the place in the cycle for what the block becomes.
unsafe extern "C" fn ngx_tcp_block(
    cf: *mut ngx_conf_t,
    _cmd: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    let slot: *mut *const MainConf = conf.cast();
    let set = |cf: &mut Conf| {
        // SAFETY: nginx passes the module's place in cycle->conf_ctx, NULL at
        // first and written by nobody else.
        if !unsafe { slot.read() }.is_null() {
            return Err(ConfError::duplicate());
        }
        let main = block::configure(cf)?;
        // SAFETY: as above.
        unsafe { slot.write(main) };
        Ok(())
    };
    // SAFETY: nginx passes the configuration it is reading.
    unsafe { Conf::enter(cf, set) }
}

/// `nlog local:port remote:port;` outside of all blocks.
unsafe extern "C" fn ngx_tcp_main_nlog(
    cf: *mut ngx_conf_t,
    _cmd: *mut ngx_command_t,
    _conf: *mut c_void,
) -> *mut c_char {
    // SAFETY: nginx passes the configuration it is reading.
    unsafe { Conf::enter(cf, log::main_nlog) }
}

/// Runs in every process that serves connections, once.
unsafe extern "C" fn ngx_tcp_lua_init_process(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    // SAFETY: nginx passes the cycle of this process.
    if let Some(main) = unsafe { main_conf(cycle) } {
        guard("the start of a worker", (), || lifecycle::worker_started(main));
    }
    NGX_OK as ngx_int_t
}

unsafe extern "C" fn ngx_tcp_lua_exit_process(cycle: *mut ngx_cycle_t) {
    // SAFETY: nginx passes the cycle of this process.
    if let Some(main) = unsafe { main_conf(cycle) } {
        guard("the exit of a worker", (), || lifecycle::worker_exiting(main));
    }
}

/// The `tcp {}` of a cycle, unless this process serves no connections: nginx
/// runs the hooks for its cache manager, too.
///
/// # Safety
/// - `cycle` is fully configured and lives as long as the process.
unsafe fn main_conf(cycle: *mut ngx_cycle_t) -> Option<&'static MainConf> {
    // SAFETY: the caller's promise; ngx_tcp_block has filled the place, if it
    // has been called, with what lives in the cycle's pool.
    unsafe {
        if !matches!(ngx_process as u32, NGX_PROCESS_WORKER | NGX_PROCESS_SINGLE) {
            return None;
        }
        let confs = (*cycle).conf_ctx.cast::<*const MainConf>();
        (*confs.add(ngx_tcp_module.index)).as_ref()
    }
}
