//! PCRE2's functions and numbers, 10.30 and later, for subjects of bytes. All
//! are of its stable interface; pcre2api(3) has their types.

use std::cell::OnceCell;
use std::ffi::{CStr, c_int, c_void};
use std::mem;

use crate::nginx::local::Local;
use crate::nginx::symbol::lookup;

/// Types of which only addresses are known here.
macro_rules! opaque {
    ($($name:ident)*) => {
        $(#[repr(C)]
        pub struct $name { _opaque: [u8; 0] })*
    };
}

opaque! { Code MatchContext MatchDataBlock }

/// A struct of function pointers, and how it is filled.
macro_rules! functions {
    ($($name:ident($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions, by PCRE2's names without prefix and width.
        pub struct Functions {
            $(pub $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Functions {
            fn load() -> Option<Functions> {
                Some(Functions {
                    // SAFETY: the symbol is PCRE2's function of this name,
                    // whose manual page has the type that the row states.
                    $($name: unsafe {
                        mem::transmute::<*mut c_void, unsafe extern "C" fn($($argument),*)
                            $(-> $result)?>(
                            find(concat!("pcre2_", stringify!($name), "_8\0"))?,
                        )
                    },)*
                })
            }
        }
    };
}

functions! {
    compile(*const u8, usize, u32, *mut c_int, *mut usize, *mut c_void) -> *mut Code;
    code_free(*mut Code);
    jit_compile(*mut Code, u32) -> c_int;
    pattern_info(*const Code, u32, *mut c_void) -> c_int;
    get_error_message(c_int, *mut u8, usize) -> c_int;

    match_data_create(u32, *mut c_void) -> *mut MatchDataBlock;
    match_data_free(*mut MatchDataBlock);
    get_ovector_pointer(*mut MatchDataBlock) -> *const usize;

    match_context_create(*mut c_void) -> *mut MatchContext;
    match_context_free(*mut MatchContext);
    set_match_limit(*mut MatchContext, u32) -> c_int;
    set_heap_limit(*mut MatchContext, u32) -> c_int;

    r#match(*const Code, *const u8, usize, usize, u32, *mut MatchDataBlock,
        *mut MatchContext) -> c_int;
    dfa_match(*const Code, *const u8, usize, usize, u32, *mut MatchDataBlock,
        *mut MatchContext, *mut c_int, usize) -> c_int;
}

pub const ANCHORED: u32 = 0x8000_0000;
pub const NO_UTF_CHECK: u32 = 0x4000_0000;
pub const ALT_BSUX: u32 = 0x0000_0002;
pub const CASELESS: u32 = 0x0000_0008;
pub const DOTALL: u32 = 0x0000_0020;
pub const DUPNAMES: u32 = 0x0000_0040;
pub const EXTENDED: u32 = 0x0000_0080;
pub const ALLOW_EMPTY_CLASS: u32 = 0x0000_0001;
pub const MATCH_UNSET_BACKREF: u32 = 0x0000_0200;
pub const MULTILINE: u32 = 0x0000_0400;
pub const UTF: u32 = 0x0008_0000;
/// Since 10.34.
pub const MATCH_INVALID_UTF: u32 = 0x0400_0000;

pub const JIT_COMPLETE: u32 = 0x0000_0001;
pub const NO_JIT: u32 = 0x0000_2000;

pub const INFO_ALLOPTIONS: u32 = 0;
pub const INFO_CAPTURECOUNT: u32 = 4;
pub const INFO_NAMECOUNT: u32 = 17;
pub const INFO_NAMEENTRYSIZE: u32 = 18;
pub const INFO_NAMETABLE: u32 = 19;

pub const ERROR_BAD_OPTIONS: c_int = 117;
pub const ERROR_NOMATCH: c_int = -1;
pub const ERROR_JIT_STACKLIMIT: c_int = -46;
pub const ERROR_NOMEMORY: c_int = -48;

/// Where a group that took no part begins and ends.
pub const UNSET: usize = usize::MAX;

static FUNCTIONS: Local<OnceCell<Option<Functions>>> = Local::new(OnceCell::new());

/// The functions; None where nginx has no PCRE2, or has it linked in without
/// all that is needed.
pub fn functions() -> Option<&'static Functions> {
    FUNCTIONS.get_or_init(Functions::load).as_ref()
}

fn find(name: &'static str) -> Option<*mut c_void> {
    // stringify! keeps the mark of a raw identifier.
    let name = match name {
        "pcre2_r#match_8\0" => "pcre2_match_8\0",
        name => name,
    };
    let name = CStr::from_bytes_with_nul(name.as_bytes()).ok()?;
    lookup(name).map(|found| found.as_ptr())
}
