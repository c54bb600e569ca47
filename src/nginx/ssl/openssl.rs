//! OpenSSL's functions and numbers, 1.1.1 and later. All are of its stable
//! interface; what they are called with is opaque, but for numbers and text.

use std::cell::OnceCell;
use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_ulong, c_void};
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

opaque! { Asn1Integer Asn1Time Bio BioMethod CipherCtx ConfCtx Dh Engine EvpCipher EvpMd
EvpPkey HmacCtx Ssl SslCipher SslCtx SslMethod SslSession VerifyParam X509 X509Lookup
X509LookupMethod X509Name X509Names X509Store X509StoreCtx }

pub type BioRead = unsafe extern "C" fn(*mut Bio, *mut c_char, c_int) -> c_int;
pub type BioWrite = unsafe extern "C" fn(*mut Bio, *const c_char, c_int) -> c_int;
pub type BioCtrl = unsafe extern "C" fn(*mut Bio, c_int, c_long, *mut c_void) -> c_long;
pub type NewSession = unsafe extern "C" fn(*mut Ssl, *mut SslSession) -> c_int;
pub type GetSession =
    unsafe extern "C" fn(*mut Ssl, *const u8, c_int, *mut c_int) -> *mut SslSession;
pub type Verify = unsafe extern "C" fn(c_int, *mut X509StoreCtx) -> c_int;
pub type SelectAlpn = unsafe extern "C" fn(
    *mut Ssl,
    *mut *const u8,
    *mut u8,
    *const u8,
    c_uint,
    *mut c_void,
) -> c_int;
/// What SSL_CTX_callback_ctrl() takes, whatever it is.
pub type AnyCallback = unsafe extern "C" fn();
/// SSL_CTX_set_tlsext_ticket_key_cb(3).
pub type TicketKey = unsafe extern "C" fn(
    *mut Ssl,
    *mut u8,
    *mut u8,
    *mut CipherCtx,
    *mut HmacCtx,
    c_int,
) -> c_int;
pub type Password = unsafe extern "C" fn(*mut c_char, c_int, c_int, *mut c_void) -> c_int;

/// A struct of function pointers, and how it is filled. Without an
/// `optional` one only what needs it is missing.
macro_rules! functions {
    (required { $($name:ident($($argument:ty),*) $(-> $result:ty)?;)* }
     optional { $($optional:ident($($its:ty),*) $(-> $gives:ty)?;)* }) => {
        /// The functions, by OpenSSL's names.
        #[allow(non_snake_case)]
        pub struct Functions {
            $(pub $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
            $(pub $optional: Option<unsafe extern "C" fn($($its),*) $(-> $gives)?>,)*
            pub peer_certificate: unsafe extern "C" fn(*const Ssl) -> *mut X509,
            pub error_data: Option<ErrorData>,
        }

        impl Functions {
            fn load() -> Option<Functions> {
                Some(Functions {
                    // SAFETY: the symbol is OpenSSL's function of this name,
                    // whose manual page has the type that the row states.
                    $($name: unsafe {
                        mem::transmute::<*mut c_void, unsafe extern "C" fn($($argument),*)
                            $(-> $result)?>(
                            find(concat!(stringify!($name), "\0"))?,
                        )
                    },)*
                    $($optional: find(concat!(stringify!($optional), "\0")).map(
                        // SAFETY: as above.
                        |found| unsafe {
                            mem::transmute::<*mut c_void,
                                unsafe extern "C" fn($($its),*) $(-> $gives)?>(found)
                        },
                    ),)*
                    // SAFETY: as above; the function got a new name in 3.0.
                    peer_certificate: unsafe {
                        let name = "SSL_get1_peer_certificate\0";
                        let found = find(name)
                            .or_else(|| find("SSL_get_peer_certificate\0"))?;
                        mem::transmute::<*mut c_void,
                            unsafe extern "C" fn(*const Ssl) -> *mut X509>(found)
                    },
                    // SAFETY: as above; 3.0 has it.
                    error_data: find("ERR_peek_error_data\0").map(|found| unsafe {
                        mem::transmute::<*mut c_void, ErrorData>(found)
                    }),
                })
            }
        }
    };
}

type ErrorData = unsafe extern "C" fn(*mut *const c_char, *mut c_int) -> c_ulong;

functions! {
required {
    OpenSSL_version_num() -> c_ulong;
    TLS_client_method() -> *const SslMethod;
    TLS_server_method() -> *const SslMethod;

    SSL_CTX_new(*const SslMethod) -> *mut SslCtx;
    SSL_CTX_free(*mut SslCtx);
    SSL_CTX_ctrl(*mut SslCtx, c_int, c_long, *mut c_void) -> c_long;
    SSL_CTX_set_options(*mut SslCtx, c_ulong) -> c_ulong;
    SSL_CTX_set_cipher_list(*mut SslCtx, *const c_char) -> c_int;
    SSL_CTX_set_verify_depth(*mut SslCtx, c_int);
    SSL_CTX_load_verify_locations(*mut SslCtx, *const c_char, *const c_char) -> c_int;
    SSL_CTX_set_default_verify_paths(*mut SslCtx) -> c_int;
    SSL_CTX_get_cert_store(*const SslCtx) -> *mut X509Store;
    SSL_CTX_set_default_passwd_cb(*mut SslCtx, Option<Password>);
    SSL_CTX_use_certificate_chain_file(*mut SslCtx, *const c_char) -> c_int;
    SSL_CTX_use_PrivateKey_file(*mut SslCtx, *const c_char, c_int) -> c_int;
    SSL_CTX_sess_set_new_cb(*mut SslCtx, Option<NewSession>);
    SSL_CTX_sess_set_get_cb(*mut SslCtx, Option<GetSession>);
    SSL_CTX_set_session_id_context(*mut SslCtx, *const u8, c_uint) -> c_int;
    SSL_CTX_set_timeout(*mut SslCtx, c_long) -> c_long;
    SSL_CTX_use_certificate(*mut SslCtx, *mut X509) -> c_int;
    SSL_CTX_use_PrivateKey(*mut SslCtx, *mut EvpPkey) -> c_int;
    SSL_CTX_get0_certificate(*const SslCtx) -> *mut X509;
    SSL_CTX_set_client_CA_list(*mut SslCtx, *mut X509Names);
    SSL_load_client_CA_file(*const c_char) -> *mut X509Names;
    SSL_CTX_set_alpn_select_cb(*mut SslCtx, Option<SelectAlpn>, *mut c_void);
    SSL_select_next_proto(*mut *const u8, *mut u8, *const u8, c_uint, *const u8, c_uint)
        -> c_int;
    SSL_CTX_callback_ctrl(*mut SslCtx, c_int, Option<AnyCallback>) -> c_long;

    SSL_CONF_CTX_new() -> *mut ConfCtx;
    SSL_CONF_CTX_free(*mut ConfCtx);
    SSL_CONF_CTX_set_flags(*mut ConfCtx, c_uint) -> c_uint;
    SSL_CONF_CTX_set_ssl_ctx(*mut ConfCtx, *mut SslCtx);
    SSL_CONF_cmd_value_type(*mut ConfCtx, *const c_char) -> c_int;
    SSL_CONF_cmd(*mut ConfCtx, *const c_char, *const c_char) -> c_int;
    SSL_CONF_CTX_finish(*mut ConfCtx) -> c_int;

    SSL_new(*mut SslCtx) -> *mut Ssl;
    SSL_free(*mut Ssl);
    SSL_ctrl(*mut Ssl, c_int, c_long, *mut c_void) -> c_long;
    SSL_set_bio(*mut Ssl, *mut Bio, *mut Bio);
    SSL_get_rbio(*const Ssl) -> *mut Bio;
    SSL_set_connect_state(*mut Ssl);
    SSL_set_accept_state(*mut Ssl);
    SSL_set_verify(*mut Ssl, c_int, Option<Verify>);
    SSL_set1_host(*mut Ssl, *const c_char) -> c_int;
    SSL_set_hostflags(*mut Ssl, c_uint);
    SSL_get0_param(*mut Ssl) -> *mut VerifyParam;
    SSL_set_session(*mut Ssl, *mut SslSession) -> c_int;
    SSL_get1_session(*mut Ssl) -> *mut SslSession;
    SSL_do_handshake(*mut Ssl) -> c_int;
    SSL_get_verify_result(*const Ssl) -> c_long;
    SSL_read(*mut Ssl, *mut c_void, c_int) -> c_int;
    SSL_peek(*mut Ssl, *mut c_void, c_int) -> c_int;
    SSL_write(*mut Ssl, *const c_void, c_int) -> c_int;
    SSL_shutdown(*mut Ssl) -> c_int;
    SSL_set_shutdown(*mut Ssl, c_int);
    SSL_get_error(*const Ssl, c_int) -> c_int;
    SSL_pending(*const Ssl) -> c_int;
    SSL_has_pending(*const Ssl) -> c_int;
    SSL_use_certificate(*mut Ssl, *mut X509) -> c_int;
    SSL_use_PrivateKey(*mut Ssl, *mut EvpPkey) -> c_int;

    SSL_get_version(*const Ssl) -> *const c_char;
    SSL_version(*const Ssl) -> c_int;
    SSL_get_current_cipher(*const Ssl) -> *const SslCipher;
    SSL_CIPHER_get_name(*const SslCipher) -> *const c_char;
    SSL_get_servername(*const Ssl, c_int) -> *const c_char;
    SSL_get_session(*const Ssl) -> *mut SslSession;
    SSL_session_reused(*const Ssl) -> c_int;
    SSL_get0_alpn_selected(*const Ssl, *mut *const u8, *mut c_uint);

    SSL_SESSION_get_id(*const SslSession, *mut c_uint) -> *const u8;
    i2d_SSL_SESSION(*const SslSession, *mut *mut u8) -> c_int;
    d2i_SSL_SESSION(*mut *mut SslSession, *mut *const u8, c_long) -> *mut SslSession;
    SSL_SESSION_free(*mut SslSession);
    SSL_SESSION_is_resumable(*const SslSession) -> c_int;

    BIO_meth_new(c_int, *const c_char) -> *mut BioMethod;
    BIO_meth_free(*mut BioMethod);
    BIO_meth_set_read(*mut BioMethod, Option<BioRead>) -> c_int;
    BIO_meth_set_write(*mut BioMethod, Option<BioWrite>) -> c_int;
    BIO_meth_set_ctrl(*mut BioMethod, Option<BioCtrl>) -> c_int;
    BIO_new(*const BioMethod) -> *mut Bio;
    BIO_new_mem_buf(*const c_void, c_int) -> *mut Bio;
    BIO_new_file(*const c_char, *const c_char) -> *mut Bio;
    BIO_s_mem() -> *const BioMethod;
    BIO_ctrl(*mut Bio, c_int, c_long, *mut c_void) -> c_long;
    BIO_free(*mut Bio) -> c_int;
    BIO_set_data(*mut Bio, *mut c_void);
    BIO_get_data(*mut Bio) -> *mut c_void;
    BIO_set_init(*mut Bio, c_int);
    BIO_set_flags(*mut Bio, c_int);
    BIO_clear_flags(*mut Bio, c_int);

    X509_free(*mut X509);
    X509_check_host(*mut X509, *const c_char, usize, c_uint, *mut *mut c_char) -> c_int;
    X509_check_ip_asc(*mut X509, *const c_char, c_uint) -> c_int;
    X509_check_private_key(*const X509, *const EvpPkey) -> c_int;
    X509_verify_cert_error_string(c_long) -> *const c_char;
    X509_VERIFY_PARAM_set1_ip_asc(*mut VerifyParam, *const c_char) -> c_int;
    X509_STORE_CTX_get_error(*const X509StoreCtx) -> c_int;
    X509_get_subject_name(*const X509) -> *mut X509Name;
    X509_get_issuer_name(*const X509) -> *mut X509Name;
    X509_NAME_print_ex(*mut Bio, *const X509Name, c_int, c_ulong) -> c_int;
    X509_get_serialNumber(*mut X509) -> *mut Asn1Integer;
    i2a_ASN1_INTEGER(*mut Bio, *const Asn1Integer) -> c_int;
    X509_digest(*const X509, *const EvpMd, *mut u8, *mut c_uint) -> c_int;
    X509_get0_notBefore(*const X509) -> *const Asn1Time;
    X509_get0_notAfter(*const X509) -> *const Asn1Time;
    ASN1_TIME_print(*mut Bio, *const Asn1Time) -> c_int;
    ASN1_TIME_diff(*mut c_int, *mut c_int, *const Asn1Time, *const Asn1Time) -> c_int;
    PEM_write_bio_X509(*mut Bio, *mut X509) -> c_int;
    X509_STORE_add_lookup(*mut X509Store, *mut X509LookupMethod) -> *mut X509Lookup;
    X509_STORE_set_flags(*mut X509Store, c_ulong) -> c_int;
    X509_LOOKUP_file() -> *mut X509LookupMethod;
    X509_load_crl_file(*mut X509Lookup, *const c_char, c_int) -> c_int;

    EVP_PKEY_free(*mut EvpPkey);
    EVP_Digest(*const c_void, usize, *mut u8, *mut c_uint, *const EvpMd, *mut Engine)
        -> c_int;
    EVP_sha1() -> *const EvpMd;
    EVP_sha256() -> *const EvpMd;
    EVP_aes_128_cbc() -> *const EvpCipher;
    EVP_aes_256_cbc() -> *const EvpCipher;
    EVP_EncryptInit_ex(*mut CipherCtx, *const EvpCipher, *mut Engine, *const u8,
        *const u8) -> c_int;
    EVP_DecryptInit_ex(*mut CipherCtx, *const EvpCipher, *mut Engine, *const u8,
        *const u8) -> c_int;
    RAND_bytes(*mut u8, c_int) -> c_int;
    OBJ_nid2sn(c_int) -> *const c_char;
    PEM_read_bio_X509_AUX(*mut Bio, *mut *mut X509, Option<Password>, *mut c_void)
        -> *mut X509;
    PEM_read_bio_X509(*mut Bio, *mut *mut X509, Option<Password>, *mut c_void)
        -> *mut X509;
    PEM_read_bio_PrivateKey(*mut Bio, *mut *mut EvpPkey, Option<Password>, *mut c_void)
        -> *mut EvpPkey;

    ERR_clear_error();
    ERR_get_error() -> c_ulong;
    ERR_peek_error() -> c_ulong;
    ERR_peek_last_error() -> c_ulong;
    ERR_error_string_n(c_ulong, *mut c_char, usize);
}
optional {
    PEM_read_bio_DHparams(*mut Bio, *mut *mut Dh, Option<Password>, *mut c_void)
        -> *mut Dh;
    DH_free(*mut Dh);
    HMAC_Init_ex(*mut HmacCtx, *const c_void, c_int, *const EvpMd, *mut Engine) -> c_int;
}
}

// SSL_ctrl() and SSL_CTX_ctrl(), ssl.h and tls1.h.
pub const SSL_CTRL_SET_TMP_DH: c_int = 3;
pub const SSL_CTRL_MODE: c_int = 33;
pub const SSL_CTRL_SET_READ_AHEAD: c_int = 41;
pub const SSL_CTRL_SET_SESS_CACHE_SIZE: c_int = 42;
pub const SSL_CTRL_SET_SESS_CACHE_MODE: c_int = 44;
pub const SSL_CTRL_SET_MAX_SEND_FRAGMENT: c_int = 52;
pub const SSL_CTRL_SET_TLSEXT_HOSTNAME: c_int = 55;
pub const SSL_CTRL_SET_TLSEXT_STATUS_REQ_TYPE: c_int = 65;
pub const SSL_CTRL_SET_TLSEXT_TICKET_KEY_CB: c_int = 72;
pub const SSL_CTRL_CHAIN: c_int = 88;
pub const SSL_CTRL_CHAIN_CERT: c_int = 89;
pub const SSL_CTRL_SET_GROUPS_LIST: c_int = 92;
pub const SSL_CTRL_SET_MIN_PROTO_VERSION: c_int = 123;
pub const SSL_CTRL_SET_MAX_PROTO_VERSION: c_int = 124;
pub const SSL_CTRL_GET_NEGOTIATED_GROUP: c_int = 134;
pub const TLSEXT_STATUSTYPE_OCSP: c_long = 1;
pub const TLSEXT_NAMETYPE_HOST_NAME: c_int = 0;
/// In a group's number: OpenSSL has no name for it.
pub const TLSEXT_NID_UNKNOWN: c_long = 0x0100_0000;
pub const TLS1_3_VERSION: c_int = 0x0304;

pub const SSL_MODE_ENABLE_PARTIAL_WRITE: c_long = 0x01;
pub const SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER: c_long = 0x02;
pub const SSL_MODE_AUTO_RETRY: c_long = 0x04;
pub const SSL_MODE_NO_AUTO_CHAIN: c_long = 0x08;
pub const SSL_MODE_RELEASE_BUFFERS: c_long = 0x10;

pub const SSL_OP_NO_TICKET: c_ulong = 0x4000;
pub const SSL_OP_CIPHER_SERVER_PREFERENCE: c_ulong = 0x0040_0000;
pub const SSL_OP_NO_COMPRESSION: c_ulong = 0x0002_0000;
pub const SSL_OP_NO_SSL3: c_ulong = 0x0200_0000;
pub const SSL_OP_NO_TLS1: c_ulong = 0x0400_0000;
pub const SSL_OP_NO_TLS1_2: c_ulong = 0x0800_0000;
pub const SSL_OP_NO_TLS1_1: c_ulong = 0x1000_0000;
pub const SSL_OP_NO_TLS1_3: c_ulong = 0x2000_0000;
pub const SSL_OP_NO_RENEGOTIATION: c_ulong = 0x4000_0000;

/// SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
pub const SSL_SESS_CACHE_EXTERNAL: c_long = 0x0301;

pub const SSL_SESS_CACHE_OFF: c_long = 0;
pub const SSL_SESS_CACHE_SERVER: c_long = 2;
pub const SSL_SESS_CACHE_NO_INTERNAL_STORE: c_long = 0x0200;
/// SSL_SESS_CACHE_NO_INTERNAL
pub const SSL_SESS_CACHE_NO_INTERNAL: c_long = 0x0300;

pub const SSL_CONF_FLAG_CLIENT: c_uint = 0x04;
pub const SSL_CONF_FLAG_SERVER: c_uint = 0x08;
pub const SSL_CONF_FLAG_FILE: c_uint = 0x02;
pub const SSL_CONF_FLAG_SHOW_ERRORS: c_uint = 0x10;
pub const SSL_CONF_FLAG_CERTIFICATE: c_uint = 0x20;
pub const SSL_CONF_TYPE_FILE: c_int = 2;
pub const SSL_CONF_TYPE_DIR: c_int = 3;

pub const SSL_FILETYPE_PEM: c_int = 1;
pub const SSL_VERIFY_NONE: c_int = 0;
pub const SSL_VERIFY_PEER: c_int = 1;
pub const SSL_VERIFY_FAIL_IF_NO_PEER_CERT: c_int = 2;
pub const SSL_TLSEXT_ERR_OK: c_int = 0;
pub const SSL_TLSEXT_ERR_ALERT_FATAL: c_int = 2;
pub const OPENSSL_NPN_NEGOTIATED: c_int = 1;
pub const SSL_SENT_SHUTDOWN: c_int = 1;
pub const SSL_RECEIVED_SHUTDOWN: c_int = 2;

pub const SSL_ERROR_WANT_READ: c_int = 2;
pub const SSL_ERROR_WANT_WRITE: c_int = 3;
pub const SSL_ERROR_ZERO_RETURN: c_int = 6;

// ERR_GET_LIB() and ERR_GET_REASON() of err.h.
pub const ERR_LIB_SSL: c_ulong = 20;
pub const ERR_LIB_PEM: c_ulong = 9;
pub const PEM_R_NO_START_LINE: c_ulong = 108;
pub const SSL_R_CERTIFICATE_VERIFY_FAILED: c_ulong = 134;
pub const SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: c_ulong = 199;
/// The SSL library's own reasons: those outside are common to all libraries, as no
/// memory and internal errors. In 1.1.1 they are below, in 3.0 they have flags.
pub const SSL_REASONS: std::ops::Range<c_ulong> = 100..0x4_0000;
/// What is left of a reason without those flags.
pub const REASON_MASK: c_ulong = 0x3_ffff;
pub const ERR_R_ASN1_LIB: c_ulong = 13;

/// XN_FLAG_RFC2253 of x509.h.
pub const XN_FLAG_RFC2253: c_ulong = 0x0111_0317;

pub const X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: c_int = 18;
pub const X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: c_int = 19;
pub const X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY: c_int = 20;
pub const X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: c_int = 21;
pub const X509_V_ERR_CERT_UNTRUSTED: c_int = 27;

pub const X509_V_FLAG_CRL_CHECK: c_ulong = 0x4;
pub const X509_V_FLAG_CRL_CHECK_ALL: c_ulong = 0x8;
pub const X509_V_ERR_HOSTNAME_MISMATCH: c_long = 62;
pub const X509_V_ERR_IP_ADDRESS_MISMATCH: c_long = 64;
pub const X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS: c_uint = 0x4;

pub const BIO_FLAGS_READ: c_int = 0x01;
pub const BIO_FLAGS_WRITE: c_int = 0x02;
pub const BIO_FLAGS_SHOULD_RETRY: c_int = 0x08;
/// All of BIO_FLAGS_RWS and BIO_FLAGS_SHOULD_RETRY.
pub const BIO_FLAGS_RETRY_ALL: c_int = 0x0f;
pub const BIO_CTRL_INFO: c_int = 3;
pub const BIO_CTRL_FLUSH: c_int = 11;
/// BIO_TYPE_SOURCE_SINK, and a number that no type of OpenSSL's has.
pub const BIO_TYPE: c_int = 0x0400 | 0xfe;

static FUNCTIONS: Local<OnceCell<Option<Functions>>> = Local::new(OnceCell::new());

impl Functions {
    /// The library and the reason of an error: 3.0 has divided the number anew.
    pub fn library_and_reason(&self, error: c_ulong) -> (c_ulong, c_ulong) {
        // SAFETY: no arguments.
        let version = unsafe { (self.OpenSSL_version_num)() };
        if version < 0x3000_0000 {
            return (error >> 24 & 0xff, error & 0xfff);
        }
        // ERR_SYSTEM_FLAG, and ERR_LIB_SYS.
        match error & 0x8000_0000 {
            0 => (error >> 23 & 0xff, error & 0x007f_ffff),
            _ => (2, error & 0x7fff_ffff),
        }
    }
}

/// The functions; None where nginx has no OpenSSL, or has it linked in without
/// all that is needed.
pub fn functions() -> Option<&'static Functions> {
    FUNCTIONS.get_or_init(Functions::load).as_ref()
}

fn find(name: &'static str) -> Option<*mut c_void> {
    let name = CStr::from_bytes_with_nul(name.as_bytes()).ok()?;
    lookup(name).map(|found| found.as_ptr())
}
