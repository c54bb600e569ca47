//! What is common to the handshakes of a server's clients: its `SSL_CTX`, and what
//! OpenSSL asks while it shakes hands with one (`sessions.rs` has the rest of that).

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use std::ptr;
use std::rc::Rc;

use super::bio::{OwnBio, transport};
use super::context::{Context, Protocols, c_string, check};
use super::error::take_errors;
use super::openssl::*;
use super::sessions::{self, SessionStore, Sessions, TicketKey};

/// `ssl_verify_client`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VerifyClient {
    #[default]
    Off,
    /// A certificate is wanted, and has to be good.
    On,
    /// It may be missing.
    Optional,
    /// It may be missing, or of somebody whom nobody knows.
    OptionalNoCa,
}

/// `ssl_session_cache`
#[derive(Clone, Default)]
pub enum Cache {
    /// Sessions are not taken up.
    Off,
    /// They are not kept either, but clients are not told so.
    #[default]
    None,
    /// They are kept: so many by each worker, or 0 for OpenSSL's own number, and
    /// in what all share.
    Kept { builtin: Option<c_long>, shared: Option<Rc<dyn SessionStore>> },
}

/// What a context for clients is made of. Files are full paths.
#[derive(Clone, Default)]
pub struct ServerSettings {
    pub protocols: Option<Protocols>,
    pub ciphers: Option<Vec<u8>>,
    pub prefer_server_ciphers: bool,
    /// Each with its key.
    pub certificates: Vec<(Vec<u8>, Vec<u8>)>,
    pub passwords: Vec<Vec<u8>>,
    pub dhparam: Option<Vec<u8>>,
    /// None leaves it to OpenSSL.
    pub curves: Option<Vec<u8>>,
    pub verify: VerifyClient,
    pub verify_depth: c_int,
    pub client_certificate: Option<Vec<u8>>,
    pub trusted_certificate: Option<Vec<u8>>,
    pub crl: Option<Vec<u8>>,
    pub cache: Cache,
    pub session_timeout: c_int,
    pub tickets: bool,
    /// The first is for new tickets.
    pub ticket_keys: Vec<TicketKey>,
    /// The protocols that clients may choose from, the preferred first.
    pub alpn: Vec<Vec<u8>>,
    /// How much a record holds at most; 0 is all that it can.
    pub record_size: usize,
    /// OpenSSL's configuration commands, and what makes a path a full one.
    pub commands: Vec<(Vec<u8>, Vec<u8>)>,
    pub prefix: Vec<u8>,
}

/// What OpenSSL's callbacks need.
pub(super) struct Server {
    pub verify: VerifyClient,
    pub sessions: Sessions,
    /// Names with their lengths in front, as RFC 7301 has them.
    alpn: Vec<u8>,
}

impl Context {
    /// What the settings say of clients; the error is a sentence for the log.
    pub fn for_clients(settings: &ServerSettings) -> Result<Context, String> {
        let shared = match &settings.cache {
            Cache::Kept { shared, .. } => shared.clone(),
            Cache::Off | Cache::None => None,
        };
        let alpn = settings.alpn.iter().flat_map(|name| {
            std::iter::once(name.len() as u8).chain(name.iter().copied())
        });
        let context = Context::empty(Some(Server {
            verify: settings.verify,
            sessions: Sessions {
                store: shared,
                tickets: settings.tickets,
                keys: settings.ticket_keys.clone(),
                timeout: settings.session_timeout.max(1) as u64,
            },
            alpn: alpn.collect(),
        }))?;
        let api = context.api;
        context.set_up_server(settings).map_err(|what| what + &take_errors(api))?;
        Ok(context)
    }

    fn set_up_server(&self, settings: &ServerSettings) -> Result<(), String> {
        let (api, ctx) = (self.api, self.as_ptr());
        self.set_versions_and_modes(settings.protocols.unwrap_or(Protocols::MODERN));
        // Whom clients have their certificates from is nothing of the server's own.
        self.control(SSL_CTRL_MODE, SSL_MODE_NO_AUTO_CHAIN, ptr::null_mut());
        if settings.prefer_server_ciphers {
            // SAFETY: the context is live.
            unsafe { (api.SSL_CTX_set_options)(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE) };
        }
        // First: it may lower the security level (@SECLEVEL=0), for certificates, too.
        self.set_ciphers(settings.ciphers.as_deref().unwrap_or(b"HIGH:!aNULL:!MD5"))?;
        for (certificate, key) in &settings.certificates {
            self.add_certificate(certificate)?;
            self.add_key(key, &settings.passwords)?;
        }
        self.set_client_authorities(settings)?;
        if let Some(path) = &settings.crl {
            self.set_crl(path)?;
        }
        if let Some(path) = &settings.dhparam {
            self.set_dhparam(path)?;
        }
        if let Some(curves) = &settings.curves {
            let list = c_string(curves)?;
            let at = list.as_ptr().cast_mut().cast();
            let good = self.control(SSL_CTRL_SET_GROUPS_LIST, 0, at) == 1;
            check(good, "SSL_CTX_set1_curves_list(", curves)?;
        }
        if settings.record_size > 0 {
            let size = settings.record_size as c_long;
            self.control(SSL_CTRL_SET_MAX_SEND_FRAGMENT, size, ptr::null_mut());
        }
        if !settings.alpn.is_empty() {
            // SAFETY: the context is live, the callback a function.
            unsafe {
                (api.SSL_CTX_set_alpn_select_cb)(ctx, Some(select_alpn), ptr::null_mut());
            }
        }
        self.set_sessions(settings)?;
        self.run_commands(&settings.commands, &settings.prefix, SSL_CONF_FLAG_SERVER)
    }

    fn control(&self, command: c_int, number: c_long, at: *mut c_void) -> c_long {
        // SAFETY: the context is live; what `at` points to is of the kind that the
        // command takes, and lives as long as the call.
        unsafe { (self.api.SSL_CTX_ctrl)(self.as_ptr(), command, number, at) }
    }

    /// Adds a certificate, and those of its chain behind it.
    fn add_certificate(&self, path: &[u8]) -> Result<(), String> {
        let (api, ctx) = (self.api, self.as_ptr());
        let shown = String::from_utf8_lossy(path);
        let failed = |what: &str| {
            Err(format!("cannot load certificate \"{shown}\": {what} failed"))
        };
        let file = c_string(path)?;
        let Some(bio) = OwnBio::file(api, &file) else {
            return failed("BIO_new_file()");
        };
        // SAFETY: the BIO is live. The first certificate is freed when the context has
        // taken a reference; the others are given to it (the 0 of
        // SSL_CTRL_CHAIN_CERT says so), or freed.
        unsafe {
            let read =
                |f: PemRead| f(bio.0, ptr::null_mut(), Some(password), ptr::null_mut());
            let first = read(api.PEM_read_bio_X509_AUX);
            if first.is_null() {
                return failed("PEM_read_bio_X509_AUX()");
            }
            let used = (api.SSL_CTX_use_certificate)(ctx, first);
            (api.X509_free)(first);
            check(used == 1, "SSL_CTX_use_certificate(", path)?;
            // Of one before it with the same kind of key, which it replaces.
            self.control(SSL_CTRL_CHAIN, 0, ptr::null_mut());
            loop {
                let next = read(api.PEM_read_bio_X509);
                if next.is_null() {
                    break;
                }
                if self.control(SSL_CTRL_CHAIN_CERT, 0, next.cast()) != 1 {
                    (api.X509_free)(next);
                    return check(false, "SSL_CTX_add0_chain_cert(", path);
                }
            }
            // The end of the file is an error, too.
            let last = api.library_and_reason((api.ERR_peek_last_error)());
            if last != (ERR_LIB_PEM, PEM_R_NO_START_LINE) {
                return failed("PEM_read_bio_X509()");
            }
            (api.ERR_clear_error)();
        }
        Ok(())
    }

    /// Adds the key of the certificate that was added last: with the first password
    /// that fits, if it has one.
    fn add_key(&self, path: &[u8], passwords: &[Vec<u8>]) -> Result<(), String> {
        let api = self.api;
        let shown = String::from_utf8_lossy(path);
        let failed = |what: &str| {
            Err(format!("cannot load certificate key \"{shown}\": {what} failed"))
        };
        let file = c_string(path)?;
        let mut passwords = passwords.iter();
        let mut next = passwords.next();
        loop {
            let Some(bio) = OwnBio::file(api, &file) else {
                return failed("BIO_new_file()");
            };
            let data = next.map_or(ptr::null(), ptr::from_ref).cast_mut().cast();
            // SAFETY: the BIO is live; password() gets the address of a Vec that
            // outlives the call, or null. The context has the certificate; the key is
            // freed when it has taken a reference.
            unsafe {
                let key = (api.PEM_read_bio_PrivateKey)(
                    bio.0,
                    ptr::null_mut(),
                    Some(password),
                    data,
                );
                if !key.is_null() {
                    // One of another kind would be taken, for no certificate.
                    let certificate = (api.SSL_CTX_get0_certificate)(self.as_ptr());
                    let used = (api.X509_check_private_key)(certificate, key) == 1
                        && (api.SSL_CTX_use_PrivateKey)(self.as_ptr(), key) == 1;
                    (api.EVP_PKEY_free)(key);
                    return check(used, "SSL_CTX_use_PrivateKey(", path);
                }
            }
            next = passwords.next();
            if next.is_none() {
                return failed("PEM_read_bio_PrivateKey()");
            }
            // SAFETY: the queue is this thread's.
            unsafe { (api.ERR_clear_error)() };
        }
    }

    /// Whom clients may have their certificates from.
    fn set_client_authorities(&self, settings: &ServerSettings) -> Result<(), String> {
        let (api, ctx) = (self.api, self.as_ptr());
        // SAFETY: the context is live.
        unsafe { (api.SSL_CTX_set_verify_depth)(ctx, settings.verify_depth) };
        if let Some(path) = &settings.client_certificate {
            self.trust(path)?;
            let file = c_string(path)?;
            // SAFETY: the path is a C string; the context takes the list over.
            unsafe {
                (api.ERR_clear_error)();
                let list = (api.SSL_load_client_CA_file)(file.as_ptr());
                check(!list.is_null(), "SSL_load_client_CA_file(", path)?;
                (api.SSL_CTX_set_client_CA_list)(ctx, list);
            }
        }
        match &settings.trusted_certificate {
            Some(path) => self.trust(path),
            None => Ok(()),
        }
    }

    fn set_dhparam(&self, path: &[u8]) -> Result<(), String> {
        let api = self.api;
        let (Some(read), Some(free)) = (api.PEM_read_bio_DHparams, api.DH_free) else {
            return Err("OpenSSL has no PEM_read_bio_DHparams()".to_owned());
        };
        let file = c_string(path)?;
        let bio = OwnBio::file(api, &file);
        check(bio.is_some(), "BIO_new_file(", path)?;
        let Some(bio) = bio else { return Ok(()) };
        // SAFETY: the BIO is live; the context makes a copy of the parameters, which
        // are freed.
        unsafe {
            let dh = read(bio.0, ptr::null_mut(), Some(password), ptr::null_mut());
            check(!dh.is_null(), "PEM_read_bio_DHparams(", path)?;
            let set = self.control(SSL_CTRL_SET_TMP_DH, 0, dh.cast());
            free(dh);
            check(set == 1, "SSL_CTX_set_tmp_dh(", path)
        }
    }

    fn set_sessions(&self, settings: &ServerSettings) -> Result<(), String> {
        let (api, ctx) = (self.api, self.as_ptr());
        let control = |command, number| self.control(command, number, ptr::null_mut());
        // A session is for who would be shaken hands with in the same way.
        let id = session_context(api, settings)?;
        // SAFETY: the context is live; it copies the bytes.
        unsafe {
            if !settings.tickets {
                (api.SSL_CTX_set_options)(ctx, SSL_OP_NO_TICKET);
            }
            (api.SSL_CTX_set_timeout)(ctx, settings.session_timeout.into());
            let n = id.len() as c_uint;
            if (api.SSL_CTX_set_session_id_context)(ctx, id.as_ptr(), n) != 1 {
                return Err("SSL_CTX_set_session_id_context() failed".to_owned());
            }
        }
        let mut mode = SSL_SESS_CACHE_SERVER;
        match &settings.cache {
            Cache::Off => mode = SSL_SESS_CACHE_OFF,
            Cache::None => mode |= SSL_SESS_CACHE_NO_INTERNAL_STORE,
            Cache::Kept { builtin: Some(n), .. } if *n > 0 => {
                control(SSL_CTRL_SET_SESS_CACHE_SIZE, *n);
            }
            Cache::Kept { builtin: None, .. } => mode |= SSL_SESS_CACHE_NO_INTERNAL,
            Cache::Kept { .. } => {}
        }
        control(SSL_CTRL_SET_SESS_CACHE_MODE, mode);
        let wants_keys = !settings.ticket_keys.is_empty();
        if let Some(server) = &self.server
            && !sessions::install(api, ctx, &server.sessions)
            && wants_keys
        {
            return Err("OpenSSL has no HMAC_Init_ex()".to_owned());
        }
        Ok(())
    }
}

type PemRead = unsafe extern "C" fn(
    *mut Bio,
    *mut *mut X509,
    Option<Password>,
    *mut c_void,
) -> *mut X509;

/// What tells a session of one server from one of another: its certificates, whom it
/// trusts, and how much of that it asks for.
fn session_context(
    api: &Functions,
    settings: &ServerSettings,
) -> Result<[u8; 32], String> {
    let mut text = b"TCP".to_vec();
    let certificates = settings.certificates.iter().map(|(certificate, _)| certificate);
    let authorities =
        [&settings.client_certificate, &settings.trusted_certificate, &settings.crl];
    for path in certificates.chain(authorities.into_iter().flatten()) {
        let content = super::read_file(path).unwrap_or_default();
        text.extend_from_slice(&content.len().to_le_bytes());
        text.extend_from_slice(&content);
    }
    text.push(settings.verify as u8);
    text.extend_from_slice(&settings.verify_depth.to_le_bytes());
    let mut digest = [0; 32];
    // SAFETY: SHA-256 writes 32 bytes.
    let rc = unsafe {
        (api.EVP_Digest)(
            text.as_ptr().cast(),
            text.len(),
            digest.as_mut_ptr(),
            ptr::null_mut(),
            (api.EVP_sha256)(),
            ptr::null_mut(),
        )
    };
    if rc == 1 { Ok(digest) } else { Err("EVP_Digest() failed".to_owned()) }
}

/// Gives OpenSSL a password, the bytes at `data`; none if that is null.
unsafe extern "C" fn password(
    buffer: *mut c_char,
    size: c_int,
    _: c_int,
    data: *mut c_void,
) -> c_int {
    // SAFETY: add_key() passes a Vec that outlives the call, others null; OpenSSL has
    // `size` bytes at the buffer.
    unsafe {
        let Some(text) = data.cast_const().cast::<Vec<u8>>().as_ref() else { return 0 };
        let n = text.len().min(size.max(0) as usize);
        ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast(), n);
        n as c_int
    }
}

/// Of what the client offers, takes what the server likes best; nothing ends the
/// handshake.
unsafe extern "C" fn select_alpn(
    ssl: *mut Ssl,
    chosen: *mut *const u8,
    len: *mut u8,
    offered: *const u8,
    offered_len: c_uint,
    _: *mut c_void,
) -> c_int {
    let Some(api) = functions() else { return SSL_TLSEXT_ERR_ALERT_FATAL };
    // SAFETY: OpenSSL calls this for a client's ssl while its stream shakes hands; both
    // lists outlive what is chosen of them.
    unsafe {
        let Some(server) = server_of(api, ssl) else { return SSL_TLSEXT_ERR_ALERT_FATAL };
        let own = &server.alpn;
        let rc = (api.SSL_select_next_proto)(
            chosen,
            len,
            own.as_ptr(),
            own.len() as c_uint,
            offered,
            offered_len,
        );
        match rc {
            OPENSSL_NPN_NEGOTIATED => SSL_TLSEXT_ERR_OK,
            _ => SSL_TLSEXT_ERR_ALERT_FATAL,
        }
    }
}

/// For optional_no_ca: an authority that nobody knows is no fault.
pub(super) unsafe extern "C" fn verify_without_ca(
    good: c_int,
    store: *mut X509StoreCtx,
) -> c_int {
    let Some(api) = functions() else { return good };
    // SAFETY: OpenSSL passes what it verifies by.
    let error = unsafe { (api.X509_STORE_CTX_get_error)(store) };
    (good == 1 || is_unknown_authority(error)).into()
}

/// Whether a verification has failed for no other reason than that.
fn is_unknown_authority(error: c_int) -> bool {
    matches!(
        error,
        X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
            | X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
            | X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
            | X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE
            | X509_V_ERR_CERT_UNTRUSTED
    )
}

/// What the context of a client's connection has for callbacks.
///
/// # Safety
/// - `ssl` is live, and what is returned is not kept for longer.
pub(super) unsafe fn server_of<'a>(api: &Functions, ssl: *mut Ssl) -> Option<&'a Server> {
    // SAFETY: the BIO of a client's ssl is over a transport, which has the context and
    // is freed after it.
    unsafe {
        let bio = (api.SSL_get_rbio)(ssl);
        if bio.is_null() {
            return None;
        }
        transport(api, bio).server.as_ref()?.server.as_ref()
    }
}

/// The text of a verification's result.
pub(super) fn verify_text(api: &Functions, code: c_long) -> String {
    // SAFETY: a static text for each number.
    unsafe {
        let text = (api.X509_verify_cert_error_string)(code);
        CStr::from_ptr(text).to_string_lossy().into_owned()
    }
}
