//! Sessions of clients, which they take up again without a whole handshake: kept here,
//! in a store that all workers share, or by the clients, in tickets that have to be
//! opened by a key.
//!
//! Without files of keys OpenSSL makes one for each context, which a reload replaces.
//! Where there is a shared store the keys are in there: each is for as long as a
//! session is good, and opens tickets for as long again.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::rc::Rc;

use super::openssl::*;
use super::server::server_of;
use crate::nginx::guard::guard;
use crate::nginx::time::now;

/// What is longer is not kept: it is not worth the room.
const MAX_SESSION: usize = 16 * 1024;
const NAME: usize = 16;

/// A place for sessions that all workers share.
pub trait SessionStore {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>>;
    /// Keeps a value for so many seconds.
    fn put(&self, key: &[u8], value: &[u8], seconds: u64);
    /// The same, unless there is one, which stays; false if neither is there.
    fn add(&self, key: &[u8], value: &[u8], seconds: u64) -> bool;
    fn remove(&self, key: &[u8]);
}

/// What opens tickets: the bytes of a `ssl_session_ticket_key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketKey {
    name: [u8; NAME],
    hmac: Vec<u8>,
    aes: Vec<u8>,
}

/// How the sessions of a context are kept.
pub(super) struct Sessions {
    pub store: Option<Rc<dyn SessionStore>>,
    pub tickets: bool,
    pub keys: Vec<TicketKey>,
    /// Seconds, one at least.
    pub timeout: u64,
}

impl TicketKey {
    /// How long a key of the longer kind is.
    const LONG: usize = 80;

    /// nginx's layout: name, HMAC key, AES-256 key; in a short one, of 48 bytes, name,
    /// AES-128 key, HMAC key. None if it has another length.
    pub fn from_bytes(bytes: &[u8]) -> Option<TicketKey> {
        let (name, keys) = bytes.split_first_chunk()?;
        let (first, second) = keys.split_at(keys.len() / 2);
        let (hmac, aes) = match bytes.len() {
            TicketKey::LONG => (first, second),
            48 => (second, first),
            _ => return None,
        };
        Some(TicketKey { name: *name, hmac: hmac.to_vec(), aes: aes.to_vec() })
    }
}

impl Sessions {
    /// The keys, that for new tickets first.
    fn keys(&self, api: &Functions) -> Vec<TicketKey> {
        if !self.keys.is_empty() {
            return self.keys.clone();
        }
        let Some(store) = &self.store else { return Vec::new() };
        let age = now().0.max(0) as u64 / self.timeout;
        let newest = self.made_key(api, &**store, age).into_iter();
        let before = store.get(&self.key_name(age.wrapping_sub(1)));
        newest.chain(before.and_then(|bytes| TicketKey::from_bytes(&bytes))).collect()
    }

    /// The key of this age, made by whoever needs it first.
    fn made_key(
        &self,
        api: &Functions,
        store: &dyn SessionStore,
        age: u64,
    ) -> Option<TicketKey> {
        let name = self.key_name(age);
        let found = store.get(&name).or_else(|| {
            let mut bytes = [0; TicketKey::LONG];
            // SAFETY: so many bytes are written.
            let rc =
                unsafe { (api.RAND_bytes)(bytes.as_mut_ptr(), TicketKey::LONG as c_int) };
            if rc != 1 || !store.add(&name, &bytes, 3 * self.timeout) {
                return None;
            }
            // Another worker may have been faster.
            store.get(&name)
        })?;
        TicketKey::from_bytes(&found)
    }

    /// Servers that share a store may keep sessions for different times.
    fn key_name(&self, age: u64) -> Vec<u8> {
        format!("ticket {} {age}", self.timeout).into_bytes()
    }
}

fn session_name(id: &[u8]) -> Vec<u8> {
    [b"session ", id].concat()
}

/// Sets the callbacks that a context needs. False: OpenSSL cannot have keys of ours.
pub(super) fn install(api: &Functions, ctx: *mut SslCtx, sessions: &Sessions) -> bool {
    // SAFETY: the context is live, the callbacks are functions of the types that their
    // manual pages state; SSL_CTX_callback_ctrl() gives it back as what it was.
    unsafe {
        if sessions.store.is_some() {
            (api.SSL_CTX_sess_set_new_cb)(ctx, Some(on_new));
            (api.SSL_CTX_sess_set_get_cb)(ctx, Some(on_get));
        }
        let own_keys = sessions.store.is_some() || !sessions.keys.is_empty();
        if !sessions.tickets || !own_keys {
            return true;
        }
        if api.HMAC_Init_ex.is_none() {
            return false;
        }
        let callback = std::mem::transmute::<TicketCallback, AnyCallback>(on_ticket);
        let command = SSL_CTRL_SET_TLSEXT_TICKET_KEY_CB;
        (api.SSL_CTX_callback_ctrl)(ctx, command, Some(callback)) != 0
    }
}

/// Forgets the session of a connection that has gone wrong (RFC 5246, section 7.2).
///
/// # Safety
/// - `ssl` is live, and a client's.
pub(super) unsafe fn forget(api: &Functions, ssl: *mut Ssl) {
    // SAFETY: the caller's duty; the session is the ssl's, and its id is copied.
    unsafe {
        let Some(store) = server_of(api, ssl).and_then(|s| s.sessions.store.as_ref())
        else {
            return;
        };
        let session = (api.SSL_get_session)(ssl);
        if !session.is_null() {
            store.remove(&session_name(id_of(api, session)));
        }
    }
}

/// # Safety
/// - `session` is live as long as the result is used.
unsafe fn id_of<'a>(api: &Functions, session: *const SslSession) -> &'a [u8] {
    let mut len = 0;
    // SAFETY: the session has so many bytes there.
    unsafe {
        let id = (api.SSL_SESSION_get_id)(session, &raw mut len);
        match id.is_null() || len == 0 {
            true => &[],
            false => std::slice::from_raw_parts(id, len as usize),
        }
    }
}

/// A session was made: keeps a copy.
unsafe extern "C" fn on_new(ssl: *mut Ssl, session: *mut SslSession) -> c_int {
    let Some(api) = functions() else { return 0 };
    guard("the store of TLS sessions", 0, || {
        // SAFETY: OpenSSL calls this for a client's ssl and its session; the session is
        // written into as many bytes as it has asked for.
        unsafe {
            let sessions = server_of(api, ssl).map(|server| &server.sessions);
            let Some((sessions, store)) =
                sessions.and_then(|s| Some((s, s.store.as_ref()?)))
            else {
                return 0;
            };
            // Sent in a ticket; OpenSSL asks all the same.
            if sessions.tickets && (api.SSL_version)(ssl) >= TLS1_3_VERSION {
                return 0;
            }
            let len = (api.i2d_SSL_SESSION)(session, ptr::null_mut());
            if len <= 0 || len as usize > MAX_SESSION {
                return 0;
            }
            let mut bytes = vec![0; len as usize];
            let mut at = bytes.as_mut_ptr();
            (api.i2d_SSL_SESSION)(session, &raw mut at);
            store.put(&session_name(id_of(api, session)), &bytes, sessions.timeout);
        }
        // No reference is kept.
        0
    })
}

/// A client asks for the session with this id.
unsafe extern "C" fn on_get(
    ssl: *mut Ssl,
    id: *const u8,
    len: c_int,
    copy: *mut c_int,
) -> *mut SslSession {
    let Some(api) = functions() else { return ptr::null_mut() };
    guard("the store of TLS sessions", ptr::null_mut(), || {
        // SAFETY: OpenSSL passes a client's ssl and `len` bytes; it takes the reference
        // to what is made of the stored bytes.
        unsafe {
            *copy = 0;
            let id = std::slice::from_raw_parts(id, len.max(0) as usize);
            let found = server_of(api, ssl)
                .and_then(|server| server.sessions.store.as_ref())
                .and_then(|store| store.get(&session_name(id)));
            let Some(bytes) = found else { return ptr::null_mut() };
            let mut at = bytes.as_ptr();
            (api.d2i_SSL_SESSION)(ptr::null_mut(), &raw mut at, bytes.len() as _)
        }
    })
}

type TicketCallback = super::openssl::TicketKey;

/// A ticket is to be made, or opened: 1, or 2 if the client shall get a new one; 0: no
/// key opens it.
unsafe extern "C" fn on_ticket(
    ssl: *mut Ssl,
    name: *mut u8,
    iv: *mut u8,
    cipher: *mut CipherCtx,
    hmac: *mut HmacCtx,
    making: c_int,
) -> c_int {
    let Some(api) = functions() else { return -1 };
    guard("the keys of TLS tickets", -1, || {
        // SAFETY: OpenSSL passes a client's ssl, 16 bytes each of name and iv, and
        // contexts to be set up; the keys outlive the calls, which copy them.
        unsafe {
            let Some(init_hmac) = api.HMAC_Init_ex else { return -1 };
            let Some(server) = server_of(api, ssl) else { return -1 };
            let keys = server.sessions.keys(api);
            let place = match making {
                1 => 0,
                _ => {
                    let asked = std::slice::from_raw_parts(name, NAME);
                    match keys.iter().position(|key| key.name == asked) {
                        Some(place) => place,
                        None => return 0,
                    }
                }
            };
            // Without a key there is no ticket.
            let Some(key) = keys.get(place) else { return 0 };
            let kind = match key.aes.len() {
                16 => (api.EVP_aes_128_cbc)(),
                _ => (api.EVP_aes_256_cbc)(),
            };
            let aes = key.aes.as_ptr();
            let none = ptr::null_mut();
            let rc = if making == 1 {
                ptr::copy_nonoverlapping(key.name.as_ptr(), name, NAME);
                if (api.RAND_bytes)(iv, 16) != 1 {
                    return -1;
                }
                (api.EVP_EncryptInit_ex)(cipher, kind, none, aes, iv)
            } else {
                (api.EVP_DecryptInit_ex)(cipher, kind, none, aes, iv)
            };
            let secret = key.hmac.as_ptr().cast::<c_void>();
            let len = key.hmac.len() as c_int;
            if rc != 1 || init_hmac(hmac, secret, len, (api.EVP_sha256)(), none) != 1 {
                return -1;
            }
            // A ticket of 1.3 is to be used once (RFC 8446, appendix C.4).
            let renew = place > 0 || (api.SSL_version)(ssl) >= TLS1_3_VERSION;
            match making {
                1 => 1,
                _ if renew => 2,
                _ => 1,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_kinds_of_ticket_keys() {
        let bytes: Vec<u8> = (0..80).collect();
        let long = TicketKey::from_bytes(&bytes).expect("80 bytes");
        assert_eq!((long.name[15], long.hmac[0], long.aes[0]), (15, 16, 48));
        assert_eq!((long.hmac.len(), long.aes.len()), (32, 32));
        let short = TicketKey::from_bytes(&bytes[..48]).expect("48 bytes");
        assert_eq!((short.aes[0], short.hmac[0]), (16, 32));
        assert_eq!((short.hmac.len(), short.aes.len()), (16, 16));
        for len in [0, 15, 16, 47, 49, 79] {
            assert_eq!(TicketKey::from_bytes(&bytes[..len]), None, "{len}");
        }
    }
}
