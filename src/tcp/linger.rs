//! The end of a client's connection: how to close it so that what was sent arrives.
//!
//! If the client has sent what nobody read, or does so while output is still on its
//! way, closing would make the kernel answer with RST and drop the rest: so first
//! tell it that we are done, and wait for it to go. Sessions of every protocol call
//! this when all is sent; the deadlines are theirs.

use std::cell::Cell;

use crate::nginx::Msec;
use crate::nginx::time::{current_msec, left_until};
use crate::socket::{SocketError, TcpSocket};

/// How long a lingering connection may stay silent, and stay at all: the
/// defaults of nginx's lingering_timeout and lingering_time.
const LINGERING_TIMEOUT: Msec = 5_000;
const LINGERING_TIME: Msec = 30_000;

/// So much output is on its way before a late RST can overtake it: it has left
/// with the first packets, and the kernel need not be asked.
const SMALL_OUTPUT: usize = 4096;

/// When the client's silence ends it, and when it ends in any case.
pub struct Deadlines<'a> {
    pub silence: &'a Cell<Option<Msec>>,
    pub end: &'a Cell<Option<Msec>>,
}

/// Begins to linger; false if the connection can be closed now.
pub fn begin(socket: &TcpSocket, deadlines: &Deadlines<'_>) -> bool {
    let c = &socket.connection;
    let hopeless = socket.writable().is_err();
    let lingers = !hopeless && (is_needed(socket) || !c.end_tls());
    if !lingers || c.shutdown_write().is_err() {
        return false;
    }
    deadlines.end.set(Some(current_msec().wrapping_add(LINGERING_TIME)));
    c.cancel_write_timer();
    c.set_action(c"closing");
    c.set_parked(true);
    go_on(socket, deadlines)
}

fn is_needed(socket: &TcpSocket) -> bool {
    let c = &socket.connection;
    socket.has_written()
        && socket.read_end().is_none()
        && (socket.has_unread()
            || c.unread_in_kernel() > 0
            || c.has_unacknowledged(SMALL_OUTPUT))
}

/// There was room for TLS's word for the end. False: it was all that was missing.
pub fn on_end_of_tls(socket: &TcpSocket) -> bool {
    !socket.connection.end_tls() || is_needed(socket)
}

/// A read event, or the timer: reads and drops. False: the client is gone, or its
/// time is over.
pub fn on_read(socket: &TcpSocket, deadlines: &Deadlines<'_>) -> bool {
    let c = &socket.connection;
    let silent = c.take_read_timedout()
        && deadlines.silence.get().and_then(left_until).is_none()
        && !c.read_ready();
    !silent && go_on(socket, deadlines)
}

fn go_on(socket: &TcpSocket, deadlines: &Deadlines<'_>) -> bool {
    let c = &socket.connection;
    let in_time = deadlines.end.get().and_then(left_until);
    let more = socket.discard_input();
    // Who sends no more may read on.
    let waits = socket.read_end() == Some(SocketError::Closed) && !c.end_tls();
    let (true, Some(left)) = (more || waits, in_time) else {
        return false;
    };
    let wait = left.min(LINGERING_TIMEOUT);
    deadlines.silence.set(Some(current_msec().wrapping_add(wait)));
    c.arm_read_timer(wait);
    if c.read_ready() {
        c.post_read();
        return true;
    }
    c.watch_read()
}
