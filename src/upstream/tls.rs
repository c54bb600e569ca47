//! The TLS handshake of a script's connection, and the sessions that scripts
//! have of such.

use std::rc::Rc;

use super::handles::Handles;
use super::{Reader, Upstream};
use crate::lua::value::kept;
use crate::lua::{Value, Values};
use crate::nginx::Msec;
use crate::nginx::local::Local;
use crate::nginx::ssl::{Context, Handshake, HandshakeError, Peer, Session, SessionSlot};
use crate::nginx::time::{current_msec, left_until};
use crate::sched::Thread;
use crate::socket::SocketError;

/// What a handshake that succeeds returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// The number of its session.
    Session,
    True,
    /// The number 1: the original's.
    One,
}

/// What a script asks for.
pub struct Wish<'a> {
    pub context: &'a Context,
    pub peer: Peer<'a>,
    pub returns: Returns,
    pub timeout: Msec,
}

/// The sessions that objects of scripts stand for.
static SESSIONS: Local<Handles<SessionSlot>> = Local::new(Handles::new());

/// The session with this number, if its connection has got one.
pub fn session(id: f64) -> Option<Rc<Session>> {
    SESSIONS.get(id)?.get()
}

/// Its object was collected.
pub fn drop_session(id: f64) {
    SESSIONS.remove(id);
}

impl Upstream {
    /// Makes it a TLS connection. What the call returns, or None: it waits.
    pub fn start_tls(
        self: &Rc<Self>,
        thread: &Rc<Thread>,
        wish: &Wish<'_>,
    ) -> Option<Values> {
        if self.is_over() {
            return Some(Values::error(Value::Str("closed")));
        }
        if self.is_busy() {
            return Some(Values::error(Value::Str(self.busy_text())));
        }
        let c = self.connection();
        if c.tls().is_some() {
            return Some(self.has_tls(wish));
        }
        if self.socket.has_unread() {
            // What came in the open is not to be taken for what comes by TLS.
            self.close();
            return Some(Values::error(Value::Str("connection in dubious state")));
        }
        if let Err(values) = thread.check_deadline() {
            return values;
        }
        if let Err(text) = c.start_tls(wish.context, &wish.peer) {
            return Some(Values::error(kept(text)));
        }
        match c.handshake() {
            Handshake::Waits => {
                self.read_deadline.set(Some(current_msec().wrapping_add(wish.timeout)));
                c.arm_read_timer(wish.timeout);
                self.reader.replace(Reader::Handshake(thread.clone(), wish.returns));
                thread.wait_for(self.clone());
                None
            }
            Handshake::Done => Some(self.tls_values(wish.returns)),
            Handshake::Failed(error) => Some(self.handshake_failed(error)),
        }
    }

    /// It is a TLS connection already: it was in a pool. Whoever made it may have
    /// asked for less.
    fn has_tls(&self, wish: &Wish<'_>) -> Values {
        if wish.peer.verify
            && let Some(tls) = self.connection().tls()
            && let Err(error) = tls.check_peer(wish.peer.name)
        {
            return self.handshake_failed(error);
        }
        self.tls_values(wish.returns)
    }

    fn tls_values(&self, returns: Returns) -> Values {
        Values::one(match (returns, self.connection().tls()) {
            (Returns::Session, Some(tls)) => Value::Number(SESSIONS.add(tls.session())),
            (Returns::One, _) => Value::Number(1.0),
            _ => Value::Boolean(true),
        })
    }

    /// An event for the handshake, or its time is over.
    pub(super) fn on_handshake(&self, timedout: bool) {
        let c = self.connection();
        let handshake = c.handshake();
        if let Handshake::Waits = handshake {
            if !timedout {
                return;
            }
            if let Some(left) = self.read_deadline.get().and_then(left_until) {
                return c.arm_read_timer(left);
            }
        }
        let reader = self.reader.replace(Reader::None);
        let Reader::Handshake(thread, returns) = reader else { return };
        let values = match handshake {
            Handshake::Done => {
                c.ignore_write();
                self.tls_values(returns)
            }
            Handshake::Failed(error) => self.handshake_failed(error),
            Handshake::Waits => {
                self.log(b"lua ssl handshake timed out");
                self.close();
                Values::error(Value::Str(SocketError::TIMEOUT))
            }
        };
        thread.host().clone().wake_with(&thread, values);
    }

    /// Logs why, closes the connection; what the call returns.
    #[cold]
    fn handshake_failed(&self, error: HandshakeError) -> Values {
        const FAILED: Value = Value::Str("handshake failed");
        let (line, text) = match error {
            HandshakeError::Certificate(code, text) => (
                format!("lua ssl certificate verify error: ({code}: {text})"),
                Some(format!("{code}: {text}")),
            ),
            HandshakeError::HostMismatch(name) => (
                format!("lua ssl certificate does not match host \"{name}\""),
                Some("certificate host mismatch".to_owned()),
            ),
            HandshakeError::Closed => {
                ("peer closed connection in SSL handshake".to_owned(), None)
            }
            HandshakeError::System(errno) => {
                let text = SocketError::System(errno).text();
                (format!("SSL_do_handshake() failed ({errno}: {text})"), None)
            }
            // Only clients have to show one.
            HandshakeError::NoCertificate => ("no certificate".to_owned(), None),
            HandshakeError::Protocol(text) => {
                (format!("SSL_do_handshake() failed{text}"), None)
            }
        };
        self.log(line.as_bytes());
        self.close();
        Values::error(text.map_or(FAILED, kept))
    }
}
