//! What is to be known of a client's TLS, by the names of nginx's variables: a table,
//! for scripts and formats.

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::ptr;

use super::bio::OwnBio;
use super::openssl::*;
use super::server::verify_text;
use super::stream::Stream;

/// What makes a variable's text; None if there is nothing to tell.
pub type Get = fn(&Stream) -> Option<Vec<u8>>;

/// A variable: its name, and its text.
type Variable = (&'static str, Get);

/// All of them.
const VARIABLES: &[Variable] = &[
    ("ssl_protocol", protocol),
    ("ssl_cipher", cipher),
    ("ssl_curve", curve),
    ("ssl_server_name", server_name),
    ("ssl_alpn_protocol", alpn_protocol),
    ("ssl_session_id", session_id),
    ("ssl_session_reused", session_reused),
    ("ssl_client_verify", client_verify),
    ("ssl_client_s_dn", |tls| dn(tls, tls.api().X509_get_subject_name)),
    ("ssl_client_i_dn", |tls| dn(tls, tls.api().X509_get_issuer_name)),
    ("ssl_client_serial", client_serial),
    ("ssl_client_fingerprint", client_fingerprint),
    ("ssl_client_v_start", |tls| time(tls, tls.api().X509_get0_notBefore)),
    ("ssl_client_v_end", |tls| time(tls, tls.api().X509_get0_notAfter)),
    ("ssl_client_v_remain", client_v_remain),
    ("ssl_client_cert", client_cert),
    ("ssl_client_raw_cert", client_raw_cert),
];

/// The one of this name, in whatever case.
pub fn variable(name: &[u8]) -> Option<Get> {
    let found =
        VARIABLES.iter().find(|(own, _)| own.as_bytes().eq_ignore_ascii_case(name));
    found.map(|(_, get)| *get)
}

impl Stream {
    /// The version's number, as 0x0303 for TLS 1.2.
    pub fn version(&self) -> Option<i32> {
        // SAFETY: the ssl is live.
        self.as_ptr().map(|ssl| unsafe { (self.api().SSL_version)(ssl) })
    }
}

/// The text at a C string of OpenSSL's; None if there is none.
///
/// # Safety
/// - it lives while this is called.
unsafe fn text(at: *const c_char) -> Option<Vec<u8>> {
    // SAFETY: the caller's duty.
    (!at.is_null()).then(|| unsafe { CStr::from_ptr(at) }.to_bytes().to_vec())
}

fn protocol(tls: &Stream) -> Option<Vec<u8>> {
    // SAFETY: the ssl is live, the text static.
    unsafe { text((tls.api().SSL_get_version)(tls.as_ptr()?)) }
}

fn cipher(tls: &Stream) -> Option<Vec<u8>> {
    // SAFETY: as above.
    unsafe {
        let cipher = (tls.api().SSL_get_current_cipher)(tls.as_ptr()?);
        if cipher.is_null() {
            return None;
        }
        text((tls.api().SSL_CIPHER_get_name)(cipher))
    }
}

/// OpenSSL 1.1.1 does not tell.
fn curve(tls: &Stream) -> Option<Vec<u8>> {
    let command = SSL_CTRL_GET_NEGOTIATED_GROUP;
    // SAFETY: the ssl is live; a command that is not known is answered by 0. The text
    // is static.
    unsafe {
        let id = (tls.api().SSL_ctrl)(tls.as_ptr()?, command, 0, ptr::null_mut());
        match id {
            ..=0 => None,
            id if id & TLSEXT_NID_UNKNOWN != 0 => {
                Some(format!("0x{:04x}", id & 0xffff).into_bytes())
            }
            id => text((tls.api().OBJ_nid2sn)(id as c_int)),
        }
    }
}

fn server_name(tls: &Stream) -> Option<Vec<u8>> {
    // SAFETY: the ssl is live, and the text as long as it.
    unsafe {
        text((tls.api().SSL_get_servername)(tls.as_ptr()?, TLSEXT_NAMETYPE_HOST_NAME))
    }
}

fn alpn_protocol(tls: &Stream) -> Option<Vec<u8>> {
    let (mut data, mut len) = (ptr::null(), 0);
    // SAFETY: the ssl is live; what it gives is `len` bytes of it, or none.
    unsafe {
        (tls.api().SSL_get0_alpn_selected)(tls.as_ptr()?, &raw mut data, &raw mut len);
        (!data.is_null() && len > 0)
            .then(|| std::slice::from_raw_parts(data, len as usize).to_vec())
    }
}

fn session_id(tls: &Stream) -> Option<Vec<u8>> {
    let mut len: c_uint = 0;
    // SAFETY: the ssl is live and owns the session, which has so many bytes there.
    unsafe {
        let session = (tls.api().SSL_get_session)(tls.as_ptr()?);
        if session.is_null() {
            return None;
        }
        let id = (tls.api().SSL_SESSION_get_id)(session, &raw mut len);
        (!id.is_null() && len > 0)
            .then(|| hex(std::slice::from_raw_parts(id, len as usize)))
    }
}

/// `r` if the handshake has gone on with a session, `.` if not.
fn session_reused(tls: &Stream) -> Option<Vec<u8>> {
    // SAFETY: the ssl is live.
    let reused = unsafe { (tls.api().SSL_session_reused)(tls.as_ptr()?) };
    Some(if reused == 1 { b"r".to_vec() } else { b".".to_vec() })
}

fn client_verify(tls: &Stream) -> Option<Vec<u8>> {
    tls.as_ptr()?;
    Some(match (tls.peer_certificate(|_| ()), tls.verify_result()) {
        (None, _) => b"NONE".to_vec(),
        (Some(()), 0) => b"SUCCESS".to_vec(),
        (Some(()), code) => {
            format!("FAILED:{}", verify_text(tls.api(), code)).into_bytes()
        }
    })
}

/// A name as RFC 2253 has them.
fn dn(
    tls: &Stream,
    get: unsafe extern "C" fn(*const X509) -> *mut X509Name,
) -> Option<Vec<u8>> {
    let api = tls.api();
    // SAFETY: the certificate is live, and owns its name.
    tls.peer_certificate(|certificate| unsafe {
        let name = get(certificate);
        OwnBio::written(api, |bio| {
            !name.is_null()
                && (api.X509_NAME_print_ex)(bio, name, 0, XN_FLAG_RFC2253) >= 0
        })
    })?
}

fn client_serial(tls: &Stream) -> Option<Vec<u8>> {
    let api = tls.api();
    // SAFETY: the certificate is live, and owns its number.
    tls.peer_certificate(|certificate| unsafe {
        let number = (api.X509_get_serialNumber)(certificate);
        OwnBio::written(api, |bio| (api.i2a_ASN1_INTEGER)(bio, number) > 0)
    })?
}

/// The SHA-1 of the certificate.
fn client_fingerprint(tls: &Stream) -> Option<Vec<u8>> {
    let api = tls.api();
    // The longest that OpenSSL has, EVP_MAX_MD_SIZE.
    let (mut digest, mut len) = ([0; 64], 0);
    // SAFETY: the certificate is live; the digest has room.
    let rc = tls.peer_certificate(|certificate| unsafe {
        let (at, len) = (digest.as_mut_ptr(), &raw mut len);
        (api.X509_digest)(certificate, (api.EVP_sha1)(), at, len)
    })?;
    (rc == 1).then(|| hex(&digest[..digest.len().min(len as usize)]))
}

/// A time of the certificate's, as `Jan  1 00:00:00 2020 GMT`.
fn time(
    tls: &Stream,
    get: unsafe extern "C" fn(*const X509) -> *const Asn1Time,
) -> Option<Vec<u8>> {
    let api = tls.api();
    // SAFETY: the certificate is live, and owns its times.
    tls.peer_certificate(|certificate| unsafe {
        let time = get(certificate);
        OwnBio::written(api, |bio| (api.ASN1_TIME_print)(bio, time) == 1)
    })?
}

/// How many whole days it is still good.
fn client_v_remain(tls: &Stream) -> Option<Vec<u8>> {
    let api = tls.api();
    let (mut days, mut seconds) = (0, 0);
    // SAFETY: the certificate is live, and owns its times; none is that of now.
    let rc = tls.peer_certificate(|certificate| unsafe {
        let end = (api.X509_get0_notAfter)(certificate);
        (api.ASN1_TIME_diff)(&raw mut days, &raw mut seconds, ptr::null(), end)
    })?;
    (rc == 1).then(|| days.max(0).to_string().into_bytes())
}

/// In PEM.
fn client_raw_cert(tls: &Stream) -> Option<Vec<u8>> {
    let api = tls.api();
    // SAFETY: the certificate is live.
    tls.peer_certificate(|certificate| unsafe {
        OwnBio::written(api, |bio| (api.PEM_write_bio_X509)(bio, certificate) == 1)
    })?
}

/// The same with a tab at the beginning of each line but the first.
fn client_cert(tls: &Stream) -> Option<Vec<u8>> {
    let raw = client_raw_cert(tls)?;
    let text = raw.strip_suffix(b"\n").unwrap_or(&raw);
    let mut lines = Vec::with_capacity(text.len() + 64);
    for &b in text {
        lines.push(b);
        if b == b'\n' {
            lines.push(b'\t');
        }
    }
    Some(lines)
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|b| format!("{b:02x}").into_bytes()).collect()
}
