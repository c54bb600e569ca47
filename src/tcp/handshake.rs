//! The TLS handshake of a client: between accept and what the server's protocol does
//! with the connection. `listen` calls it for addresses with `ssl`.
//!
//! A client that `deny` refuses is closed before. No Lua runs here: when the handshake
//! is complete the connection, which has its TLS then, begins as a plain one does.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::conf::ServerConf;
use super::session;
use crate::nginx::Msec;
use crate::nginx::connection::{self, Connection, Handler};
use crate::nginx::guard::guard;
use crate::nginx::listening::Accepted;
use crate::nginx::log::Level;
use crate::nginx::ssl::{Handshake, HandshakeError};
use crate::nginx::time::{current_msec, left_until};

/// How long a client whose handshake has failed may take to read why and to go.
const REFUSAL_TIME: Msec = 5_000;

/// A client that shakes hands.
struct Handshaking {
    /// None when it is over.
    connection: RefCell<Option<Connection>>,
    conf: &'static ServerConf,
    deadline: Cell<Msec>,
    /// It has failed, and the client is to see the alert that says why: closing before
    /// the client does could make the kernel answer with RST, which overtakes that.
    refused: Cell<bool>,
}

/// Begins with a connection that nginx has just accepted.
pub fn begin(c: Accepted, conf: &'static ServerConf) {
    let connection = c.into_connection();
    if !session::admit(&connection, conf) {
        return; // which closes it
    }
    connection.set_action(c"SSL handshaking");
    let timeout = conf.handshake_timeout();
    connection.arm_read_timer(timeout);
    let handshaking = Rc::new(Handshaking {
        connection: RefCell::new(Some(connection)),
        conf,
        deadline: Cell::new(current_msec().wrapping_add(timeout)),
        refused: Cell::new(false),
    });
    let posted = handshaking.with(|c| {
        c.set_handler(&handshaking);
        c.post_after_accept()
    });
    if posted == Some(false)
        && !guard("the start of a handshake", false, || {
            handshaking.go_on(false);
            true
        })
    {
        handshaking.close();
    }
}

/// Closes what is left when the worker exits.
pub fn close_all() {
    connection::each::<Handshaking>(|handshaking| handshaking.close());
}

impl Handshaking {
    fn with<T>(&self, f: impl FnOnce(&Connection) -> T) -> Option<T> {
        self.connection.borrow().as_ref().map(f)
    }

    fn close(&self) {
        // Dropped after the borrow: that may drop self.
        let connection = self.connection.take();
        drop(connection);
    }

    fn go_on(&self, timedout: bool) {
        if self.refused.get() {
            return self.refuse(timedout);
        }
        let handshake = match self.has_begun() {
            Some(true) => self.with(Connection::handshake),
            Some(false) => Some(Handshake::Waits),
            None => return self.close(),
        };
        match handshake {
            None => {}
            Some(Handshake::Waits) if timedout && !self.has_time() => {
                self.log(Level::Info, libc::ETIMEDOUT, "client timed out");
                self.close();
            }
            Some(Handshake::Waits) => {}
            Some(Handshake::Failed(error)) => {
                let answers =
                    !matches!(error, HandshakeError::Closed | HandshakeError::System(_));
                self.log_failure(error);
                if answers {
                    self.begin_to_refuse();
                } else {
                    self.close();
                }
            }
            Some(Handshake::Done) => self.finish(),
        }
    }

    /// Begins with TLS when the client does: a client that is silent shall not take the
    /// 40 KiB that OpenSSL needs for a handshake. None: it cannot begin.
    fn has_begun(&self) -> Option<bool> {
        self.with(|c| {
            if c.tls().is_some() {
                return Some(true);
            }
            if !c.read_ready() {
                return c.watch_read().then_some(false);
            }
            match c.accept_tls(self.conf.client_ssl()?) {
                Ok(()) => Some(true),
                Err(text) => {
                    c.write_log(Level::Alert, 0, format_args!("{text}"));
                    None
                }
            }
        })?
    }

    /// The timer has fired: whether that was too early.
    fn has_time(&self) -> bool {
        let left = left_until(self.deadline.get());
        if let Some(left) = left {
            self.with(|c| c.arm_read_timer(left));
        }
        left.is_some()
    }

    fn begin_to_refuse(&self) {
        self.refused.set(true);
        let time = left_until(self.deadline.get()).unwrap_or(0).min(REFUSAL_TIME);
        self.deadline.set(current_msec().wrapping_add(time));
        self.with(|c| c.arm_read_timer(time));
        self.refuse(false);
    }

    fn refuse(&self, timedout: bool) {
        let waits = self.with(Connection::refuse_tls) == Some(true);
        if !waits || timedout && !self.has_time() {
            self.close();
        }
    }

    /// The handshake is complete.
    fn finish(&self) {
        let connection = self.connection.take();
        let Some(accepted) = connection.and_then(Connection::into_accepted) else {
            return;
        };
        self.conf.protocol().init_connection(accepted, self.conf);
    }

    fn log(&self, level: Level, errno: i32, text: &str) {
        self.with(|c| c.write_log(level, errno, format_args!("{text}")));
    }

    #[cold]
    fn log_failure(&self, error: HandshakeError) {
        let info = |text: &str| self.log(Level::Info, 0, text);
        match error {
            HandshakeError::Certificate(code, text) => {
                info(&format!("client SSL certificate verify error: ({code}:{text})"))
            }
            HandshakeError::NoCertificate => {
                info("client sent no required SSL certificate");
            }
            HandshakeError::Closed => info("peer closed connection in SSL handshake"),
            HandshakeError::System(errno) => {
                self.log(Level::Info, errno, "SSL_do_handshake() failed");
            }
            // Of names, for which no client is asked.
            HandshakeError::HostMismatch(_) => {}
            HandshakeError::Protocol(text) => {
                let peers = self.with(Connection::tls_failed_by_peer) == Some(true);
                let level = if peers { Level::Info } else { Level::Crit };
                self.log(level, 0, &format!("SSL_do_handshake() failed{text}"));
            }
        }
    }
}

impl Handler for Handshaking {
    fn on_read(self: &Rc<Self>) {
        if self.with(Connection::close_requested) == Some(true) {
            return self.close();
        }
        let timedout = self.with(Connection::take_read_timedout) == Some(true);
        self.go_on(timedout);
    }

    fn on_write(self: &Rc<Self>) {
        self.go_on(false);
    }

    fn on_panic(self: &Rc<Self>) {
        self.close();
    }
}
