//! What a handshake can go on with instead of beginning anew.

use std::cell::RefCell;
use std::rc::Rc;

use super::openssl::{Functions, SslSession};

/// A reference to a session of OpenSSL's.
pub struct Session {
    api: &'static Functions,
    session: *mut SslSession,
}

impl Session {
    /// # Safety
    /// - `session` is live, and its caller gives a reference away.
    pub(super) unsafe fn new(
        api: &'static Functions,
        session: *mut SslSession,
    ) -> Session {
        Session { api, session }
    }

    pub(super) fn as_ptr(&self) -> *mut SslSession {
        self.session
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: the reference is ours.
        unsafe { (self.api.SSL_SESSION_free)(self.session) };
    }
}

/// The session of a connection. With TLS 1.3 the peer sends one, or a newer one,
/// whenever it likes: the last is kept.
#[derive(Default)]
pub struct SessionSlot(RefCell<Option<Rc<Session>>>);

impl SessionSlot {
    /// The session, if one has come.
    pub fn get(&self) -> Option<Rc<Session>> {
        self.0.borrow().clone()
    }

    pub(super) fn set(&self, session: Rc<Session>) {
        let old = self.0.replace(Some(session));
        drop(old);
    }
}
