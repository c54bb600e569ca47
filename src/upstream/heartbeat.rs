//! What answers the other side while a connection is in a pool, by protocol.

use super::pool::Heartbeat;

mod nats;

/// The one with this name.
pub fn find(name: &[u8]) -> Option<Box<dyn Heartbeat>> {
    match name {
        b"nats" => Some(Box::new(nats::Nats::default())),
        _ => None,
    }
}
