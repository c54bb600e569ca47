//! TLS by the OpenSSL that nginx has loaded.
//!
//! `openssl` is the table of its functions, found when first needed: nginx may
//! be built without. A `Context` is what a server's directives say, a `Stream`
//! the TLS of one connection (`connection/tls.rs` has its use), a `Session` what
//! a later handshake with the same peer can go on with.

mod bio;
mod context;
mod error;
mod identity;
mod openssl;
mod session;
mod stream;

pub use self::bio::free;
pub use self::context::{Context, Protocols, Settings};
pub use self::identity::Identity;
pub use self::session::{Session, SessionSlot};
pub use self::stream::{Handshake, HandshakeError, Peer, Stream};

/// Whether this nginx has OpenSSL.
pub fn available() -> bool {
    openssl::functions().is_some()
}
