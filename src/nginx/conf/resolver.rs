//! nginx's resolver as a configuration value.

use std::ptr;

use ngx::ffi::{ngx_resolver_create, ngx_resolver_t, ngx_str_t};

use super::{Conf, ConfError};

/// A resolver of the cycle. nginx keeps one without addresses where none is
/// defined: it still answers for addresses written as text.
#[derive(Clone, Copy)]
pub struct ResolverConf(*mut ngx_resolver_t);

impl ResolverConf {
    /// The resolver the directive's arguments describe.
    pub fn from_args(cf: &mut Conf) -> Result<Self, ConfError> {
        // SAFETY: the directive has at least one argument (its row says so).
        let resolver = unsafe {
            let args = &*(*cf.as_ptr()).args;
            let names = args.elts.cast::<ngx_str_t>().add(1);
            ngx_resolver_create(cf.as_ptr(), names, args.nelts - 1)
        };
        Self::checked(resolver)
    }

    /// The resolver that knows no name server.
    pub fn none(cf: &mut Conf) -> Result<Self, ConfError> {
        // SAFETY: without names nginx makes an empty resolver.
        Self::checked(unsafe { ngx_resolver_create(cf.as_ptr(), ptr::null_mut(), 0) })
    }

    /// Whether a name server was given: else `no resolver defined to resolve`.
    pub fn is_defined(&self) -> bool {
        // SAFETY: a resolver lives as long as its cycle, as does self.
        unsafe { (*self.0).connections.nelts > 0 }
    }

    /// For `ngx_resolve_start`.
    pub fn as_ptr(&self) -> *mut ngx_resolver_t {
        self.0
    }

    fn checked(resolver: *mut ngx_resolver_t) -> Result<Self, ConfError> {
        if resolver.is_null() {
            Err(ConfError::Logged)
        } else {
            Ok(ResolverConf(resolver))
        }
    }
}
