//! What is common to many handshakes: an `SSL_CTX`. Here is what those of scripts with
//! other servers need; `server.rs` makes one for clients.

use std::cell::Cell;
use std::ffi::{CString, c_int, c_uint, c_ulong};
use std::ptr;

use super::bio::on_new_session;
use super::error::take_errors;
use super::identity::no_password;
use super::openssl::*;
use super::server::Server;

/// Versions of TLS, as the bits of nginx's `ssl_protocols`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols(u32);

impl Protocols {
    /// None.
    pub const NONE: Protocols = Protocols(0);
    /// OpenResty's default: all but SSL. What is too old for the library's
    /// security level is not used, whatever is said here.
    pub const DEFAULT: Protocols = Protocols(0b11_1100);

    /// For clients: what is older is not safe any more.
    pub const MODERN: Protocols = Protocols(0b11_0000);

    /// The names, by their bits.
    const NAMES: [&str; 6] = ["SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

    /// The one with this name, however that is written.
    pub fn by_name(name: &[u8]) -> Option<Protocols> {
        let is = |own: &&str| own.as_bytes().eq_ignore_ascii_case(name);
        Protocols::NAMES.iter().position(is).map(|i| Protocols(1 << i))
    }

    /// Adds one; false if it is there already.
    pub fn add(&mut self, other: Protocols) -> bool {
        let new = self.0 & other.0 == 0;
        self.0 |= other.0;
        new
    }

    /// The options that switch off all others. SSLv2 is gone from OpenSSL.
    fn options(self) -> c_ulong {
        [
            SSL_OP_NO_SSL3,
            SSL_OP_NO_TLS1,
            SSL_OP_NO_TLS1_1,
            SSL_OP_NO_TLS1_2,
            SSL_OP_NO_TLS1_3,
        ]
        .iter()
        .enumerate()
        .filter(|(i, _)| self.0 & (2 << i) == 0)
        .fold(0, |options, (_, option)| options | option)
    }
}

/// What a context is made of. Files are full paths.
#[derive(Clone, Debug)]
pub struct Settings {
    pub protocols: Protocols,
    pub ciphers: Vec<u8>,
    pub verify_depth: c_int,
    pub trusted_certificate: Option<Vec<u8>>,
    pub crl: Option<Vec<u8>>,
    pub certificate: Option<Vec<u8>>,
    pub certificate_key: Option<Vec<u8>>,
    /// OpenSSL's configuration commands, and what makes a path a full one.
    pub commands: Vec<(Vec<u8>, Vec<u8>)>,
    pub prefix: Vec<u8>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            protocols: Protocols::DEFAULT,
            ciphers: b"DEFAULT".to_vec(),
            verify_depth: 1,
            trusted_certificate: None,
            crl: None,
            certificate: None,
            certificate_key: None,
            commands: Vec::new(),
            prefix: Vec::new(),
        }
    }
}

/// See the module's text.
pub struct Context {
    pub(super) api: &'static Functions,
    ctx: *mut SslCtx,
    /// Whom to trust is not known yet: nobody has asked.
    untold: Cell<bool>,
    /// What is of a context for clients alone.
    pub(super) server: Option<Server>,
}

impl Context {
    /// What the settings say; the error is a sentence for the log.
    pub fn new(settings: &Settings) -> Result<Context, String> {
        let mut context = Context::empty(None)?;
        context.untold = Cell::new(settings.trusted_certificate.is_none());
        let api = context.api;
        context.set_up(settings).map_err(|what| what + &take_errors(api))?;
        Ok(context)
    }

    /// One of which nothing is set.
    pub(super) fn empty(server: Option<Server>) -> Result<Context, String> {
        let Some(api) = functions() else {
            return Err("nginx has no OpenSSL".to_owned());
        };
        // SAFETY: the method is static; the context is freed in drop().
        let ctx = unsafe {
            (api.ERR_clear_error)();
            (api.SSL_CTX_new)(match server {
                Some(_) => (api.TLS_server_method)(),
                None => (api.TLS_client_method)(),
            })
        };
        if ctx.is_null() {
            return Err(format!("SSL_CTX_new() failed{}", take_errors(api)));
        }
        Ok(Context { api, ctx, untold: Cell::new(false), server })
    }

    pub(super) fn as_ptr(&self) -> *mut SslCtx {
        self.ctx
    }

    /// Certificates are to be verified: where no file says whom to trust, the
    /// system's store does. It can be large, so it is read when first needed.
    pub(super) fn prepare_to_verify(&self) {
        if self.untold.replace(false) {
            // SAFETY: the context is live. If there is no store nobody is
            // trusted, which verification then says.
            unsafe {
                (self.api.SSL_CTX_set_default_verify_paths)(self.ctx);
                (self.api.ERR_clear_error)();
            }
        }
    }

    fn set_up(&self, settings: &Settings) -> Result<(), String> {
        let (api, ctx) = (self.api, self.ctx);
        self.set_versions_and_modes(settings.protocols);
        // SAFETY: the context is live; the callbacks are functions.
        unsafe {
            (api.SSL_CTX_ctrl)(
                ctx,
                SSL_CTRL_SET_SESS_CACHE_MODE,
                SSL_SESS_CACHE_EXTERNAL,
                ptr::null_mut(),
            );
            (api.SSL_CTX_sess_set_new_cb)(ctx, Some(on_new_session));
            (api.SSL_CTX_set_default_passwd_cb)(ctx, Some(no_password));
            (api.SSL_CTX_set_verify_depth)(ctx, settings.verify_depth);
        }
        self.set_ciphers(&settings.ciphers)?;
        self.set_identity(settings)?;
        if let Some(path) = &settings.trusted_certificate {
            self.trust(path)?;
        }
        if let Some(path) = &settings.crl {
            self.set_crl(path)?;
        }
        self.run_commands(&settings.commands, &settings.prefix, SSL_CONF_FLAG_CLIENT)
    }

    /// Sets what all contexts have in common.
    pub(super) fn set_versions_and_modes(&self, protocols: Protocols) {
        let (api, ctx) = (self.api, self.ctx);
        // SAFETY: the context is live; what it is told are numbers.
        unsafe {
            let ctrl =
                |command, value| (api.SSL_CTX_ctrl)(ctx, command, value, ptr::null_mut());
            // Versions are a matter of the directive, not of openssl.cnf.
            ctrl(SSL_CTRL_SET_MIN_PROTO_VERSION, 0);
            ctrl(SSL_CTRL_SET_MAX_PROTO_VERSION, 0);
            let options = SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION;
            (api.SSL_CTX_set_options)(ctx, options | protocols.options());
            ctrl(
                SSL_CTRL_MODE,
                SSL_MODE_ENABLE_PARTIAL_WRITE
                    | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                    | SSL_MODE_AUTO_RETRY
                    | SSL_MODE_RELEASE_BUFFERS,
            );
            ctrl(SSL_CTRL_SET_READ_AHEAD, 1);
        }
    }

    /// Trusts the authorities of a file.
    pub(super) fn trust(&self, path: &[u8]) -> Result<(), String> {
        let file = c_string(path)?;
        // SAFETY: the context is live, the path a C string.
        let rc = unsafe {
            (self.api.SSL_CTX_load_verify_locations)(self.ctx, file.as_ptr(), ptr::null())
        };
        check(rc == 1, "SSL_CTX_load_verify_locations(", path)
    }

    pub(super) fn set_ciphers(&self, ciphers: &[u8]) -> Result<(), String> {
        let list = c_string(ciphers)?;
        // SAFETY: the context is live, the list a C string.
        let rc = unsafe { (self.api.SSL_CTX_set_cipher_list)(self.ctx, list.as_ptr()) };
        check(rc == 1, "SSL_CTX_set_cipher_list(", ciphers)
    }

    fn set_identity(&self, settings: &Settings) -> Result<(), String> {
        let (Some(certificate), Some(key)) =
            (&settings.certificate, &settings.certificate_key)
        else {
            return Ok(());
        };
        let (file, key_file) = (c_string(certificate)?, c_string(key)?);
        // SAFETY: the context is live, the paths are C strings.
        unsafe {
            let rc =
                (self.api.SSL_CTX_use_certificate_chain_file)(self.ctx, file.as_ptr());
            if rc != 1 {
                let path = String::from_utf8_lossy(certificate);
                return Err(format!(
                    "cannot load certificate \"{path}\": \
                     SSL_CTX_use_certificate_chain_file() failed"
                ));
            }
            let rc = (self.api.SSL_CTX_use_PrivateKey_file)(
                self.ctx,
                key_file.as_ptr(),
                SSL_FILETYPE_PEM,
            );
            if rc != 1 {
                let path = String::from_utf8_lossy(key);
                return Err(format!(
                    "cannot load certificate key \"{path}\": \
                     SSL_CTX_use_PrivateKey_file() failed"
                ));
            }
        }
        Ok(())
    }

    pub(super) fn set_crl(&self, path: &[u8]) -> Result<(), String> {
        let file = c_string(path)?;
        let api = self.api;
        // SAFETY: the context is live and owns its store, which owns the
        // lookup; the path is a C string.
        unsafe {
            let store = (api.SSL_CTX_get_cert_store)(self.ctx);
            let lookup = (api.X509_STORE_add_lookup)(store, (api.X509_LOOKUP_file)());
            if lookup.is_null() {
                return Err("X509_STORE_add_lookup() failed".to_owned());
            }
            let n = (api.X509_load_crl_file)(lookup, file.as_ptr(), SSL_FILETYPE_PEM);
            check(n > 0, "X509_load_crl_file(", path)?;
            let flags = X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
            (api.X509_STORE_set_flags)(store, flags);
        }
        Ok(())
    }

    /// Runs commands of OpenSSL's configuration, for this side of a connection.
    pub(super) fn run_commands(
        &self,
        commands: &[(Vec<u8>, Vec<u8>)],
        prefix: &[u8],
        side: c_uint,
    ) -> Result<(), String> {
        if commands.is_empty() {
            return Ok(());
        }
        // SAFETY: freed by ConfGuard.
        let conf = unsafe { (self.api.SSL_CONF_CTX_new)() };
        if conf.is_null() {
            return Err("SSL_CONF_CTX_new() failed".to_owned());
        }
        let conf = ConfGuard(conf, self.api);
        let api = self.api;
        // SAFETY: both are live; names and values are C strings.
        unsafe {
            (api.SSL_CONF_CTX_set_flags)(
                conf.0,
                SSL_CONF_FLAG_FILE
                    | side
                    | SSL_CONF_FLAG_CERTIFICATE
                    | SSL_CONF_FLAG_SHOW_ERRORS,
            );
            (api.SSL_CONF_CTX_set_ssl_ctx)(conf.0, self.ctx);
            for (name, value) in commands {
                let command = c_string(name)?;
                let kind = (api.SSL_CONF_cmd_value_type)(conf.0, command.as_ptr());
                let is_path = kind == SSL_CONF_TYPE_FILE || kind == SSL_CONF_TYPE_DIR;
                let full = match value.first() {
                    Some(b'/') | None => value.clone(),
                    Some(_) if is_path => [prefix, value].concat(),
                    Some(_) => value.clone(),
                };
                let text = c_string(&full)?;
                let rc = (api.SSL_CONF_cmd)(conf.0, command.as_ptr(), text.as_ptr());
                if rc <= 0 {
                    let name = String::from_utf8_lossy(name);
                    let value = String::from_utf8_lossy(&full);
                    return Err(format!("SSL_CONF_cmd(\"{name}\", \"{value}\") failed"));
                }
            }
            if (api.SSL_CONF_CTX_finish)(conf.0) != 1 {
                return Err("SSL_CONF_finish() failed".to_owned());
            }
        }
        Ok(())
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the reference is ours; connections have their own.
        unsafe { (self.api.SSL_CTX_free)(self.ctx) };
    }
}

struct ConfGuard(*mut ConfCtx, &'static Functions);

impl Drop for ConfGuard {
    fn drop(&mut self) {
        // SAFETY: it is ours.
        unsafe { (self.1.SSL_CONF_CTX_free)(self.0) };
    }
}

pub(super) fn check(good: bool, function: &str, argument: &[u8]) -> Result<(), String> {
    if good {
        return Ok(());
    }
    Err(format!("{function}\"{}\") failed", String::from_utf8_lossy(argument)))
}

pub(super) fn c_string(text: &[u8]) -> Result<CString, String> {
    CString::new(text).map_err(|_| {
        format!("\"{}\" has a zero byte in it", String::from_utf8_lossy(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_that_leave_some_versions() {
        let mut some = Protocols::NONE;
        for name in ["TLSv1.2", "tlsv1.3"] {
            let one = Protocols::by_name(name.as_bytes()).expect("a name");
            assert!(some.add(one));
            assert!(!some.add(one));
        }
        assert_eq!(some.options(), SSL_OP_NO_SSL3 | SSL_OP_NO_TLS1 | SSL_OP_NO_TLS1_1);
        assert_eq!(Protocols::DEFAULT.options(), SSL_OP_NO_SSL3);
        assert_eq!(Protocols::by_name(b"TLSv2"), None);
    }
}
