//! TLS by the OpenSSL that nginx has loaded.
//!
//! `openssl` is the table of its functions, found when first needed: nginx may
//! be built without. A `Context` is what a server's directives say, a `Stream`
//! the TLS of one connection (`connection/tls.rs` has its use), a `Session` what
//! a later handshake with the same peer can go on with. `server`, `sessions` and
//! `variables` are of clients.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::{fs, io};

mod bio;
mod context;
mod error;
mod identity;
mod openssl;
mod server;
mod session;
mod sessions;
mod stream;
mod variables;

pub use self::bio::free;
pub use self::context::{Context, Protocols, Settings};
pub use self::identity::Identity;
pub use self::server::{Cache, ServerSettings, VerifyClient};
pub use self::session::{Session, SessionSlot};
pub use self::sessions::{SessionStore, TicketKey};
pub use self::stream::{Handshake, HandshakeError, Peer, Refusal, Stream};
pub use self::variables::{Get, variable};

/// Whether this nginx has OpenSSL.
pub fn available() -> bool {
    openssl::functions().is_some()
}

/// What is in a file of the configuration.
pub fn read_file(path: &[u8]) -> io::Result<Vec<u8>> {
    fs::read(OsStr::from_bytes(path))
}
