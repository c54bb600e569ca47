//! nginx's resolver as a configuration value.

use std::ffi::CString;
use std::net::IpAddr;
use std::ptr;

use ngx::ffi::{ngx_resolver_create, ngx_resolver_t, ngx_str_t};

use super::{Conf, ConfError};

/// A resolver of the cycle. nginx keeps one without addresses where none is
/// defined: it still answers for addresses written as text.
#[derive(Clone, Copy)]
pub struct ResolverConf {
    resolver: *mut ngx_resolver_t,
    ipv4: bool,
    ipv6: bool,
}

impl ResolverConf {
    /// The resolver the directive's arguments describe.
    pub fn from_args(cf: &mut Conf) -> Result<Self, ConfError> {
        // SAFETY: the directive has at least one argument (its row says so).
        let resolver = unsafe {
            let args = &*(*cf.as_ptr()).args;
            let names = args.elts.cast::<ngx_str_t>().add(1);
            ngx_resolver_create(cf.as_ptr(), names, args.nelts - 1)
        };
        let mut conf = Self::checked(resolver)?;
        // nginx 1.22 keeps this in another way, and knows no ipv4=.
        for arg in &cf.args()[1..] {
            match *arg {
                b"ipv4=on" => conf.ipv4 = true,
                b"ipv4=off" => conf.ipv4 = false,
                b"ipv6=on" => conf.ipv6 = true,
                b"ipv6=off" => conf.ipv6 = false,
                _ => {}
            }
        }
        Ok(conf)
    }

    /// The resolver that asks these name servers at port 53.
    pub fn from_addresses(cf: &mut Conf, servers: &[IpAddr]) -> Result<Self, ConfError> {
        let texts = servers.iter().map(|ip| match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        });
        let texts = texts.filter_map(|text| CString::new(text).ok()).collect::<Vec<_>>();
        let texts = cf.alloc(texts)?;
        let mut names: Vec<_> = texts
            .iter()
            .map(|text| ngx_str_t {
                len: text.count_bytes(),
                data: text.as_ptr().cast_mut().cast(),
            })
            .collect();
        // SAFETY: the texts live as long as the cycle, and nginx only reads them;
        // it looks up no name, since they are addresses.
        let resolver =
            unsafe { ngx_resolver_create(cf.as_ptr(), names.as_mut_ptr(), names.len()) };
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
        unsafe { (*self.resolver).connections.nelts > 0 }
    }

    /// Whether it may answer with such an address: `ipv4=off`, `ipv6=off`.
    pub fn answers_with(&self, ip: IpAddr) -> bool {
        if ip.is_ipv4() { self.ipv4 } else { self.ipv6 }
    }

    /// For `ngx_resolve_start`.
    pub fn as_ptr(&self) -> *mut ngx_resolver_t {
        self.resolver
    }

    fn checked(resolver: *mut ngx_resolver_t) -> Result<Self, ConfError> {
        if resolver.is_null() {
            Err(ConfError::Logged)
        } else {
            Ok(ResolverConf { resolver, ipv4: true, ipv6: true })
        }
    }
}
