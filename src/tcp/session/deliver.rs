//! What another script sends to this session's client.

use super::Session;
use crate::lua::{Value, Values};
use crate::socket::output::Sent;

/// While a client reads slowly, what others send to it waits in its queue, until
/// that is so long with it.
const MAX_QUEUED: usize = 256 * 1024;

impl Session {
    /// Sends bytes behind all that was printed. Never waits: what the kernel does
    /// not take stays queued, whatever the session's threads are at.
    pub(crate) fn deliver(&self, bytes: &[u8]) -> Values {
        if self.eof_sent() {
            return Values::error(Value::Str("closed"));
        }
        if let Err(error) = self.socket.writable() {
            return Values::error(self.write_error(error));
        }
        if bytes.is_empty() {
            return Values::error(Value::Str("will send nothing"));
        }
        if self.socket.is_blocked() && self.socket.queued() + bytes.len() > MAX_QUEUED {
            return Values::error(Value::Str("EAGAIN error"));
        }
        match self.socket.send(bytes) {
            Ok(Sent::Blocked) => {
                self.queued_behind(bytes.len());
                // nginx must not close it as idle while it has something to send.
                self.unpark();
                self.arm_send_timer();
                self.connection().watch_write();
            }
            Ok(_) => {}
            Err(error) => {
                // Its own threads, if some wait for their output, are told later.
                self.connection().post_write();
                return Values::error(self.write_error(error));
            }
        }
        Values::two(Value::Number(bytes.len() as f64), Value::Nil)
    }
}
