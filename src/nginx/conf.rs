//! `ngx_conf_t` as a safe value: what a directive's setter needs of nginx while
//! it reads the configuration. Built on it: `command` (directive tables),
//! `block` (levels of configuration and their merge), `raw` (reading past
//! nginx's parser), `log` and `resolver` (nginx's own set-up of these),
//! `cidr` (networks).

pub mod block;
pub mod cidr;
pub mod command;
pub mod log;
pub mod raw;
pub mod resolver;
pub mod slot;

use std::ffi::{c_char, c_void};
use std::fmt;
use std::mem::{align_of, size_of};
use std::ptr::{self, NonNull};

use ngx::ffi::{
    NGX_LOG_EMERG, NGX_LOG_NOTICE, NGX_LOG_WARN, NGX_OK, ngx_conf_full_name,
    ngx_conf_log_error, ngx_conf_t, ngx_cycle_t, ngx_int_t, ngx_log_error_core,
    ngx_log_t, ngx_parse_size, ngx_parse_time, ngx_pool_cleanup_add, ngx_str_t,
};

use crate::nginx::guard::guard;

pub use slot::{Flag, Msec, Size, Slot};

pub type ConfResult = Result<(), ConfError>;

/// `NGX_CONF_OK`: the setter succeeded.
pub(crate) const CONF_OK: *mut c_char = ptr::null_mut();
/// `NGX_CONF_ERROR`: it failed and the reason has been logged.
pub(crate) const CONF_ERROR: *mut c_char = ptr::without_provenance_mut(usize::MAX);

/// A place in the configuration files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    pub file: String,
    pub line: usize,
}

/// Why a configuration is refused.
#[derive(Debug)]
pub enum ConfError {
    /// nginx has logged the reason itself.
    Logged,
    /// Completes `"NAME" directive …`, as `is duplicate` does.
    Directive(String),
    /// A whole sentence about the line being read; nginx adds ` in FILE:LINE`.
    Text(String),
    /// A whole sentence about another place, which is added to it.
    At(Location, String),
}

/// The configuration being read, at the directive being set.
pub struct Conf {
    cf: NonNull<ngx_conf_t>,
}

impl Location {
    /// The file without its folder, as chunk names show it.
    pub fn file_name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or(&self.file)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl ConfError {
    pub fn directive(predicate: impl Into<String>) -> Self {
        ConfError::Directive(predicate.into())
    }

    pub fn text(sentence: impl Into<String>) -> Self {
        ConfError::Text(sentence.into())
    }

    pub fn duplicate() -> Self {
        ConfError::directive("is duplicate")
    }
}

impl Conf {
    /// Runs a setter's body: what it returns, or a panic in it, becomes what
    /// nginx's parser expects.
    ///
    /// # Safety
    /// - `cf` is the configuration nginx passed to the setter that calls this.
    pub unsafe fn enter(
        cf: *mut ngx_conf_t,
        body: impl FnOnce(&mut Conf) -> ConfResult,
    ) -> *mut c_char {
        let Some(cf) = NonNull::new(cf) else { return CONF_ERROR };
        guard("a configuration directive", CONF_ERROR, || {
            let mut cf = Conf { cf };
            match body(&mut cf) {
                Ok(()) => CONF_OK,
                Err(error) => cf.report(error),
            }
        })
    }

    /// For calls of nginx functions that take `cf`.
    pub fn as_ptr(&self) -> *mut ngx_conf_t {
        self.cf.as_ptr()
    }

    /// The words of the directive; the first is its name.
    pub fn args(&self) -> Vec<&[u8]> {
        // SAFETY: nginx fills args with ngx_str_t's whose text it has put into
        // the cycle's pool; the array is not touched while self is borrowed.
        let words = unsafe {
            let args = &*(*self.as_ptr()).args;
            std::slice::from_raw_parts(args.elts.cast::<ngx_str_t>(), args.nelts)
        };
        words.iter().map(bytes).collect()
    }

    /// The `i`th word, empty when there is none.
    pub fn arg(&self, i: usize) -> &[u8] {
        self.args().get(i).copied().unwrap_or_default()
    }

    /// The name of the directive as it is written.
    pub fn directive(&self) -> String {
        lossy(self.arg(0))
    }

    /// The file, and the line the parser has reached: that of the directive's
    /// `;` or `{`.
    pub fn location(&self) -> Location {
        // SAFETY: conf_file is set while a file is being read and outlives the
        // setter; with -g it is a record without a name.
        unsafe {
            match (*self.as_ptr()).conf_file.as_ref() {
                Some(at) => Location { file: lossy(bytes(&at.file.name)), line: at.line },
                None => Location::default(),
            }
        }
    }

    /// Argument `i` as a time: `500ms`, `30s`, `1h30m`.
    pub fn msec(&self, i: usize) -> Result<Msec, ConfError> {
        msec(self.arg(i)).ok_or_else(|| ConfError::directive("invalid value"))
    }

    /// nginx's prefix, with its slash at the end.
    pub fn prefix(&self) -> &[u8] {
        // SAFETY: the cycle being made has its prefix from the first.
        unsafe { bytes(&(*self.cycle()).prefix) }
    }

    /// The folder of the configuration, with its slash at the end.
    pub fn conf_prefix(&self) -> &[u8] {
        // SAFETY: as above.
        unsafe { bytes(&(*self.cycle()).conf_prefix) }
    }

    /// `name` relative to nginx's prefix, not to the folder of the
    /// configuration.
    pub fn full_name(&self, name: &[u8]) -> Result<Vec<u8>, ConfError> {
        if name.is_empty() {
            return Ok(self.prefix().to_vec()); // nginx looks at the first byte
        }
        self.full_name_in(name, false)
    }

    /// `name`, which is not empty, relative to the folder of the configuration.
    pub fn conf_full_name(&self, name: &[u8]) -> Result<Vec<u8>, ConfError> {
        self.full_name_in(name, true)
    }

    fn full_name_in(&self, name: &[u8], conf: bool) -> Result<Vec<u8>, ConfError> {
        let mut name = ngx_str_t { len: name.len(), data: name.as_ptr().cast_mut() };
        // SAFETY: nginx only reads the text, and replaces the string with one
        // of the cycle's pool when it has to put the prefix in front.
        let rc = unsafe { ngx_conf_full_name(self.cycle(), &raw mut name, conf.into()) };
        ok_or_logged(rc)?;
        Ok(bytes(&name).to_vec())
    }

    /// Puts `value` into the cycle's memory, where it lives as long as the
    /// configuration: until every connection and worker that was started with
    /// it is gone. It is dropped when nginx destroys the cycle's pool.
    pub fn alloc<T: 'static>(&mut self, value: T) -> Result<&'static mut T, ConfError> {
        const {
            assert!(
                align_of::<T>() <= align_of::<usize>(),
                "ngx_palloc aligns to a word"
            );
        }
        // SAFETY: cf->pool is the cycle's pool. It aligns to a word (asserted),
        // runs the cleanup exactly once, before it frees the memory, and is
        // destroyed only when the cycle is: that is what 'static stands for.
        unsafe {
            // Without data there would be no address.
            let size = size_of::<T>().max(1);
            let cleanup = ngx_pool_cleanup_add((*self.as_ptr()).pool, size);
            let Some(cleanup) = cleanup.as_mut() else { return Err(ConfError::Logged) };
            let data = cleanup.data.cast::<T>();
            data.write(value);
            cleanup.handler = Some(drop_in_pool::<T>);
            Ok(&mut *data)
        }
    }

    /// Whether the directive stands in a block of this kind: `TCP`, `SERVER`.
    pub fn stands_in(&self, block: usize) -> bool {
        // SAFETY: cf is live while its setter runs.
        unsafe { (*self.as_ptr()).cmd_type == block }
    }

    /// The log that the main level of nginx.conf sets up.
    pub fn cycle_log(&self) -> *mut ngx_log_t {
        // SAFETY: the address of a member of the cycle being made.
        unsafe { &raw mut (*self.cycle()).new_log }
    }

    /// Tells something about the line being read.
    pub fn notice(&self, sentence: &str) {
        self.log(NGX_LOG_NOTICE, sentence);
    }

    /// Warns about the line being read.
    pub fn warn(&self, sentence: &str) {
        self.log(NGX_LOG_WARN, sentence);
    }

    pub(crate) fn cycle(&self) -> *mut ngx_cycle_t {
        // SAFETY: cf is live while its setter runs.
        unsafe { (*self.as_ptr()).cycle }
    }

    fn report(&self, error: ConfError) -> *mut c_char {
        match error {
            ConfError::Logged => CONF_ERROR,
            ConfError::Directive(predicate) => {
                let name = self.directive();
                self.log(NGX_LOG_EMERG, &format!("\"{name}\" directive {predicate}"));
                CONF_ERROR
            }
            ConfError::Text(sentence) => {
                self.log(NGX_LOG_EMERG, &sentence);
                CONF_ERROR
            }
            ConfError::At(location, sentence) => {
                self.log_core(&format!("{sentence} in {location}"));
                CONF_ERROR
            }
        }
    }

    fn log(&self, level: u32, text: &str) {
        let (len, data) = (text.len(), text.as_ptr());
        // SAFETY: the format takes a length and as many bytes.
        unsafe {
            ngx_conf_log_error(
                level as usize,
                self.as_ptr(),
                0,
                c"%*s".as_ptr(),
                len,
                data,
            );
        }
    }

    fn log_core(&self, text: &str) {
        let (len, data) = (text.len(), text.as_ptr());
        // SAFETY: cf->log is live; the format takes a length and as many bytes.
        unsafe {
            let log = (*self.as_ptr()).log;
            ngx_log_error_core(
                NGX_LOG_EMERG as usize,
                log,
                0,
                c"%*s".as_ptr(),
                len,
                data,
            );
        }
    }
}

/// A time: `500ms`, `30s`, `1h30m`.
pub fn msec(text: &[u8]) -> Option<Msec> {
    let mut value = ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() };
    // SAFETY: ngx_parse_time() only reads the string.
    let msec = unsafe { ngx_parse_time(&raw mut value, 0) };
    usize::try_from(msec).ok()
}

/// A number of bytes: `512`, `8k`, `1m`.
pub fn size(text: &[u8]) -> Option<Size> {
    let mut value = ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() };
    // SAFETY: ngx_parse_size() only reads the string.
    let size = unsafe { ngx_parse_size(&raw mut value) };
    usize::try_from(size).ok()
}

/// A byte string of the configuration as text for a message.
pub fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// What an nginx function that logs its own failure has returned.
pub(crate) fn ok_or_logged(rc: ngx_int_t) -> ConfResult {
    if rc == NGX_OK as ngx_int_t { Ok(()) } else { Err(ConfError::Logged) }
}

/// The bytes of a string of nginx, which may be empty without an address.
pub(crate) fn bytes(s: &ngx_str_t) -> &[u8] {
    if s.len == 0 || s.data.is_null() {
        return &[];
    }
    // SAFETY: nginx's strings are len bytes at data, in memory that lives at
    // least as long as the string.
    unsafe { std::slice::from_raw_parts(s.data, s.len) }
}

unsafe extern "C" fn drop_in_pool<T>(data: *mut c_void) {
    guard("the cleanup of a configuration", (), || {
        // SAFETY: alloc() has put a T there and the pool runs a cleanup once.
        unsafe { data.cast::<T>().drop_in_place() }
    });
}
