//! Directive tables. A row names the directive, where it may stand, and either
//! a field that nginx's own setter fills or a safe function of ours.
//!
//! ```ignore
//! const COMMANDS: &'static [Command<Core>] = &[
//!     msec(c"read_timeout", TCP | SERVER, field!(CoreServerConf, read_timeout)),
//!     set(c"listen", SERVER | ONE_OR_MORE, listen),
//!     END,
//! ];
//! ```

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::mem::size_of;
use std::ptr::{self, NonNull};

use ngx::ffi::{
    NGX_CONF_1MORE, NGX_CONF_2MORE, NGX_CONF_BLOCK, NGX_CONF_FLAG, NGX_CONF_NOARGS,
    NGX_CONF_TAKE1, NGX_CONF_TAKE2, ngx_command_t, ngx_conf_set_flag_slot,
    ngx_conf_set_msec_slot, ngx_conf_set_num_slot, ngx_conf_set_size_slot, ngx_conf_t,
    ngx_str_t, ngx_uint_t,
};

use super::block::{MAIN_OFFSET, Module, SERVER_OFFSET};
use super::{CONF_ERROR, CONF_OK, Conf, ConfResult, Flag, Msec, Size, Slot};

/// The directive may stand in `tcp {}`.
pub const TCP: ngx_uint_t = 0x0200_0000;
/// The directive may stand in a `server {}` of `tcp {}`.
pub const SERVER: ngx_uint_t = 0x0400_0000;
/// It takes one argument.
pub const ONE: ngx_uint_t = NGX_CONF_TAKE1 as ngx_uint_t;
/// It takes two arguments.
pub const TWO: ngx_uint_t = NGX_CONF_TAKE2 as ngx_uint_t;
/// It takes one or two.
pub const ONE_OR_TWO: ngx_uint_t = ONE | TWO;
/// It takes one argument or more.
pub const ONE_OR_MORE: ngx_uint_t = NGX_CONF_1MORE as ngx_uint_t;
/// It takes two arguments or more.
pub const TWO_OR_MORE: ngx_uint_t = NGX_CONF_2MORE as ngx_uint_t;
/// It takes `{` and nothing before that.
pub const BLOCK: ngx_uint_t = (NGX_CONF_BLOCK | NGX_CONF_NOARGS) as ngx_uint_t;

/// A row of the directive table of module `M`.
#[repr(transparent)]
pub struct Command<M> {
    row: ngx_command_t,
    module: PhantomData<fn() -> M>,
}

/// A field of type `T` in the configuration struct `C`; made by `field!`.
pub struct Field<C, T> {
    offset: usize,
    types: PhantomData<fn(C) -> T>,
}

/// Where a field is in a configuration struct, with its type.
#[macro_export]
macro_rules! field {
    ($conf:ty, $field:ident) => {
        $crate::nginx::conf::command::Field::<$conf, _>::at(
            std::mem::offset_of!($conf, $field),
            |conf: &$conf| &conf.$field,
        )
    };
}

type Setter = unsafe extern "C" fn(
    cf: *mut ngx_conf_t,
    cmd: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char;

impl<C, T> Field<C, T> {
    /// For `field!` only, which makes `offset` and the function agree.
    #[doc(hidden)]
    pub const fn at(offset: usize, _field: fn(&C) -> &T) -> Self {
        Field { offset, types: PhantomData }
    }
}

impl<M> Command<M> {
    /// The last row of every table.
    pub const END: Self = Command { row: ngx_command_t::empty(), module: PhantomData };

    /// The name a user writes, empty for the last row.
    pub fn name(&self) -> &[u8] {
        super::bytes(&self.row.name)
    }

    pub(super) const fn is_end(&self) -> bool {
        self.row.name.len == 0
    }

    const fn new(
        name: &'static CStr,
        type_: ngx_uint_t,
        set: Setter,
        conf: usize,
        offset: usize,
    ) -> Self {
        let text = name.to_bytes();
        let name = ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() };
        let post = ptr::null_mut();
        let row = ngx_command_t { name, type_, set: Some(set), conf, offset, post };
        Command { row, module: PhantomData }
    }
}

/// A time with millisecond precision.
pub const fn msec<M: Module>(
    name: &'static CStr,
    contexts: ngx_uint_t,
    field: Field<M::Server, Slot<Msec>>,
) -> Command<M> {
    let set: Setter = ngx_conf_set_msec_slot;
    Command::new(name, contexts | ONE, set, SERVER_OFFSET, field.offset)
}

/// A number of bytes.
pub const fn size<M: Module>(
    name: &'static CStr,
    contexts: ngx_uint_t,
    field: Field<M::Server, Slot<Size>>,
) -> Command<M> {
    let set: Setter = ngx_conf_set_size_slot;
    Command::new(name, contexts | ONE, set, SERVER_OFFSET, field.offset)
}

/// A number.
pub const fn number<M: Module>(
    name: &'static CStr,
    contexts: ngx_uint_t,
    field: Field<M::Server, Slot<isize>>,
) -> Command<M> {
    let set: Setter = ngx_conf_set_num_slot;
    Command::new(name, contexts | ONE, set, SERVER_OFFSET, field.offset)
}

/// A number of bytes that `check` must agree to.
pub const fn checked_size<M: Module, F>(
    name: &'static CStr,
    contexts: ngx_uint_t,
    field: Field<M::Server, Slot<Size>>,
    _check: F,
) -> Command<M>
where
    F: Fn(&mut Conf, Size) -> ConfResult + Copy + 'static,
{
    let set: Setter = set_checked_size::<F>;
    Command::new(name, contexts | ONE, set, SERVER_OFFSET, field.offset)
}

/// `on` or `off`.
pub const fn flag<M: Module>(
    name: &'static CStr,
    contexts: ngx_uint_t,
    field: Field<M::Server, Slot<Flag>>,
) -> Command<M> {
    let type_ = contexts | NGX_CONF_FLAG as ngx_uint_t;
    Command::new(name, type_, ngx_conf_set_flag_slot, SERVER_OFFSET, field.offset)
}

/// `on` or `off`, told to `check` afterwards.
pub const fn checked_flag<M: Module, F>(
    name: &'static CStr,
    contexts: ngx_uint_t,
    field: Field<M::Server, Slot<Flag>>,
    _check: F,
) -> Command<M>
where
    F: Fn(&mut Conf, bool) -> ConfResult + Copy + 'static,
{
    let type_ = contexts | NGX_CONF_FLAG as ngx_uint_t;
    Command::new(name, type_, set_checked_flag::<F>, SERVER_OFFSET, field.offset)
}

/// Whatever `set` makes of the words, in the struct of `tcp {}` or `server {}`.
pub const fn set<M: Module, F>(
    name: &'static CStr,
    type_: ngx_uint_t,
    _set: F,
) -> Command<M>
where
    F: Fn(&mut Conf, &mut M::Server) -> ConfResult + Copy + 'static,
{
    Command::new(name, type_, set_with::<M::Server, F>, SERVER_OFFSET, 0)
}

/// The same in the struct that all of `tcp {}` has in common.
pub const fn set_main<M: Module, F>(
    name: &'static CStr,
    type_: ngx_uint_t,
    _set: F,
) -> Command<M>
where
    F: Fn(&mut Conf, &mut M::Main) -> ConfResult + Copy + 'static,
{
    Command::new(name, type_, set_with::<M::Main, F>, MAIN_OFFSET, 0)
}

unsafe extern "C" fn set_with<C, F>(
    cf: *mut ngx_conf_t,
    _cmd: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char
where
    F: Fn(&mut Conf, &mut C) -> ConfResult + Copy + 'static,
{
    // SAFETY: nginx passes the cf being read, and as conf the C that block.rs
    // made for the level named in the row; no other reference to it is alive,
    // because setters nest only over different levels.
    unsafe { Conf::enter(cf, |cf| function::<F>()(cf, &mut *conf.cast::<C>())) }
}

unsafe extern "C" fn set_checked_size<F>(
    cf: *mut ngx_conf_t,
    cmd: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char
where
    F: Fn(&mut Conf, Size) -> ConfResult + Copy + 'static,
{
    // SAFETY: nginx's arguments, passed on; the row's offset is that of a
    // Slot<Size> (Field says so), which nginx's setter has just filled.
    unsafe {
        let rv = ngx_conf_set_size_slot(cf, cmd, conf);
        if rv != CONF_OK {
            return rv;
        }
        let value = conf.byte_add((*cmd).offset).cast::<Size>().read();
        Conf::enter(cf, |cf| function::<F>()(cf, value))
    }
}

unsafe extern "C" fn set_checked_flag<F>(
    cf: *mut ngx_conf_t,
    cmd: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char
where
    F: Fn(&mut Conf, bool) -> ConfResult + Copy + 'static,
{
    // SAFETY: as in set_checked_size, with a Slot<Flag>.
    unsafe {
        let rv = ngx_conf_set_flag_slot(cf, cmd, conf);
        if rv != CONF_OK {
            return rv;
        }
        let value = conf.byte_add((*cmd).offset).cast::<Flag>().read();
        Conf::enter(cf, |cf| function::<F>()(cf, value == 1))
    }
}

/// The function whose type is `F`. A table is constant and nginx passes nothing
/// but the row, so the function travels as a type.
fn function<F: Copy + 'static>() -> F {
    const { assert!(size_of::<F>() == 0, "a setter is a plain function") };
    // SAFETY: F has no bytes (asserted), and it exists: the row was made with
    // one. Fn items and closures that capture nothing have no other duty.
    unsafe { NonNull::<F>::dangling().read() }
}

const _: () = assert!(!CONF_ERROR.is_null());
