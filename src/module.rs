//! The module records and the arrays nginx's `load_module` looks for.
//!
//! One .so holds several modules: `ngx_tcp_module` of type CORE owns the
//! `tcp {}` block, the others are of a private type and live inside it.

use std::ffi::c_char;
use std::ptr;

use ngx::ffi::{NGX_CORE_MODULE, ngx_command_t, ngx_module_t, ngx_uint_t};

/// "TCP": the type of the modules inside `tcp {}`.
pub const NGX_TCP_MODULE: ngx_uint_t = 0x0050_4354;

/// An array that nginx reads; it lives for the whole process.
#[repr(transparent)]
pub struct Exported<T>(T);
// SAFETY: nginx reads these from the one thread that loads modules.
unsafe impl<T> Sync for Exported<T> {}

pub static mut ngx_tcp_module: ngx_module_t = ngx_module_t {
    commands: (&raw const NGX_TCP_COMMANDS).cast_mut().cast(),
    type_: NGX_CORE_MODULE as ngx_uint_t,
    ..ngx_module_t::default()
};

static NGX_TCP_COMMANDS: Exported<[ngx_command_t; 1]> = Exported([ngx_command_t::empty()]);

#[unsafe(no_mangle)]
pub static ngx_modules: Exported<[*const ngx_module_t; 2]> =
    Exported([&raw const ngx_tcp_module, ptr::null()]);
#[unsafe(no_mangle)]
pub static ngx_module_names: Exported<[*const c_char; 2]> =
    Exported([c"ngx_tcp_module".as_ptr(), ptr::null()]);
#[unsafe(no_mangle)]
pub static ngx_module_order: Exported<[*const c_char; 1]> = Exported([ptr::null()]);
