//! A certificate with its key, as a script has them: to show to servers that
//! ask for one.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use super::bio::OwnBio;
use super::error::take_errors;
use super::openssl::{EvpPkey, Functions, SSL_CTRL_CHAIN_CERT, Ssl, X509, functions};

/// A certificate, those of its chain that came with it, and its key.
pub struct Identity {
    api: &'static Functions,
    certificates: Vec<*mut X509>,
    key: *mut EvpPkey,
}

impl Identity {
    /// From PEM texts. The error is for `nil, err`.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Identity, String> {
        let Some(api) = functions() else { return Err("no SSL support".to_owned()) };
        let mut identity =
            Identity { api, certificates: Vec::new(), key: ptr::null_mut() };
        let failed = |what: &str| Err(format!("{what} failed{}", take_errors(api)));
        // SAFETY: each object is read from a memory BIO over the caller's text,
        // which outlives it, and is then the identity's, that frees it.
        unsafe {
            (api.ERR_clear_error)();
            let Some(bio) = OwnBio::over(api, certificate) else {
                return failed("BIO_new_mem_buf()");
            };
            let read = || {
                (api.PEM_read_bio_X509)(
                    bio.0,
                    ptr::null_mut(),
                    Some(no_password),
                    ptr::null_mut(),
                )
            };
            let mut next = read();
            while !next.is_null() {
                identity.certificates.push(next);
                next = read();
            }
            if identity.certificates.is_empty() {
                return failed("PEM_read_bio_X509()");
            }
            // The end of the text is one, too.
            (api.ERR_clear_error)();
            let Some(bio) = OwnBio::over(api, key) else {
                return failed("BIO_new_mem_buf()");
            };
            identity.key = (api.PEM_read_bio_PrivateKey)(
                bio.0,
                ptr::null_mut(),
                Some(no_password),
                ptr::null_mut(),
            );
            if identity.key.is_null() {
                return failed("PEM_read_bio_PrivateKey()");
            }
            if (api.X509_check_private_key)(identity.certificates[0], identity.key) != 1 {
                return failed("X509_check_private_key()");
            }
        }
        Ok(identity)
    }

    /// Gives it to a connection; false if OpenSSL does not take it.
    ///
    /// # Safety
    /// - `ssl` is live.
    pub(super) unsafe fn apply(&self, ssl: *mut Ssl) -> bool {
        // SAFETY: all are live; OpenSSL takes references of its own (the 1 of
        // SSL_CTRL_CHAIN_CERT asks for that).
        unsafe {
            let api = self.api;
            let Some((first, chain)) = self.certificates.split_first() else {
                return false;
            };
            (api.SSL_use_certificate)(ssl, *first) == 1
                && (api.SSL_use_PrivateKey)(ssl, self.key) == 1
                && chain.iter().all(|certificate| {
                    (api.SSL_ctrl)(ssl, SSL_CTRL_CHAIN_CERT, 1, certificate.cast()) == 1
                })
        }
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        // SAFETY: the references are ours; a null key is none.
        unsafe {
            for &certificate in &self.certificates {
                (self.api.X509_free)(certificate);
            }
            (self.api.EVP_PKEY_free)(self.key);
        }
    }
}

/// A key that has a password cannot be read: nobody is asked for it, since
/// OpenSSL would do so at the terminal.
pub(super) unsafe extern "C" fn no_password(
    _: *mut c_char,
    _: c_int,
    _: c_int,
    _: *mut c_void,
) -> c_int {
    0
}
