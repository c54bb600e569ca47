//! The protocol `demo`, in which a request is a length of four bytes, the most
//! significant first, and so many bytes. The answer is a length that counts itself,
//! and the same bytes or those of `demo_echo`. It needs no Lua.
//!
//! `protocol.rs` has it in its table. Its sessions are over the same socket as those
//! of scripts: accept -> serve -> (wait -> serve)* -> finish -> linger -> close.

mod close;
mod wait;

use std::cell::Cell;
use std::rc::Rc;

use crate::nginx::Msec;
use crate::nginx::conf::ConfResult;
use crate::nginx::connection::{self, Connection, Handler};
use crate::nginx::guard::guard;
use crate::nginx::listening::Accepted;
use crate::nginx::log::Level;
use crate::nginx::time::current_msec;
use crate::sched::budget;
use crate::socket::output::Sent;
use crate::socket::tcp::Look;
use crate::socket::{SocketError, TcpSocket};
use crate::tcp::access_log;
use crate::tcp::conf::ServerConf;
use crate::tcp::light_session::LightSession;
use crate::tcp::protocol::Protocol;
use crate::tcp::session;
use crate::tcp::variables::Seen;

/// The length in front of a request, and of an answer.
const HEADER: usize = 4;
/// The shortest request there may be.
const MIN_BODY: usize = 4;

/// `protocol demo`
pub struct Demo;

/// Where a session is in its life.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Accepted; nothing was read yet.
    Accepted,
    /// It reads requests and sends answers.
    Serving,
    /// What was answered still goes out.
    Flushing,
    /// Everything is sent; the client may still be sending.
    Lingering,
    Closed,
}

/// What became of the next request.
enum Next {
    Answered,
    /// Its length is not allowed.
    Bad(usize),
    /// It is not all there.
    Incomplete,
    /// The client has gone.
    Gone(SocketError),
}

/// One connection.
struct Session {
    socket: TcpSocket,
    conf: &'static ServerConf,
    stage: Cell<Stage>,
    light: LightSession,
    read_deadline: Cell<Option<Msec>>,
    write_deadline: Cell<Option<Msec>>,
    parked: Cell<bool>,
}

impl Protocol for Demo {
    fn name(&self) -> &'static str {
        "demo"
    }

    fn check(&self, _: &ServerConf) -> ConfResult {
        Ok(())
    }

    fn init_connection(&self, c: Accepted, conf: &'static ServerConf) {
        let connection = c.into_connection();
        if !session::admit(&connection, conf) {
            return; // which closes it
        }
        let session = Rc::new(Session {
            socket: TcpSocket::new(connection),
            conf,
            stage: Cell::new(Stage::Accepted),
            light: LightSession::idle(),
            read_deadline: Cell::new(None),
            write_deadline: Cell::new(None),
            parked: Cell::new(false),
        });
        session.connection().set_handler(&session);
        if session.connection().post_after_accept() {
            return;
        }
        if !guard("the start of a session", false, || {
            session.start();
            true
        }) {
            session.close();
        }
    }
}

/// Closes what is left when the worker exits.
pub fn close_all() {
    connection::each::<Session>(|session| session.close());
}

impl Session {
    fn connection(&self) -> &Connection {
        &self.socket.connection
    }

    fn start(self: &Rc<Self>) {
        self.stage.set(Stage::Serving);
        // Most clients have sent their request by now.
        self.connection().set_read_ready(true);
        self.serve();
    }

    /// Answers the requests that are there, but not so many that others have to
    /// wait for long; then waits.
    fn serve(self: &Rc<Self>) {
        budget::begin();
        loop {
            match self.next_request() {
                Next::Answered if !budget::spend() => break,
                Next::Answered if !self.socket.output_is_long() => {}
                Next::Answered => match self.socket.flush() {
                    Ok(Sent::All) => {}
                    // No more of them while the client takes nothing.
                    Ok(Sent::Blocked) => break,
                    Ok(Sent::Failed(errno)) => {
                        return self.write_failed(SocketError::System(errno));
                    }
                    Err(error) => return self.write_failed(error),
                },
                Next::Incomplete => break,
                Next::Bad(len) => {
                    self.info(0, &format!("body_len {len}"));
                    return self.finish();
                }
                Next::Gone(SocketError::System(errno)) => {
                    session::log_io_error(self.connection(), errno, "recv()");
                    return self.finish();
                }
                Next::Gone(_) => {
                    self.info(0, "client prematurely closed connection");
                    return self.finish();
                }
            }
        }
        match self.socket.flush() {
            Ok(Sent::Blocked) => self.wait_to_write(),
            Ok(_) => self.wait_to_read(),
            Err(error) => self.write_failed(error),
        }
    }

    /// Reads the next request, and answers it if it is all there.
    fn next_request(&self) -> Next {
        let found = self.socket.find(|unread| {
            self.begin_request();
            let Some(header) = unread.first_chunk::<HEADER>() else {
                return Look::Missing(HEADER - unread.len());
            };
            let len = u32::from_be_bytes(*header) as usize;
            // What is longer than that has no answer.
            let max = self.conf.client_max_body_size().min(u32::MAX as usize - HEADER);
            if !(MIN_BODY..=max).contains(&len) {
                return Look::Found(Next::Bad(len), 0);
            }
            match unread.get(HEADER..HEADER + len) {
                Some(body) => {
                    self.answer(self.conf.demo_echo().unwrap_or(body));
                    budget::spend_bytes(len);
                    Look::Found(Next::Answered, HEADER + len)
                }
                None => Look::Missing(HEADER + len - unread.len()),
            }
        });
        match found {
            Some(Ok(Next::Answered)) => {
                self.end_request();
                Next::Answered
            }
            Some(Ok(next)) => next,
            Some(Err(error)) => Next::Gone(error),
            None => Next::Incomplete,
        }
    }

    /// The first bytes of a request are there.
    fn begin_request(&self) {
        if !self.light.is_open() {
            self.light.begin(self.connection());
            self.unpark();
            self.connection().set_action(c"reading client request");
            let timeout = self.conf.read_timeout();
            self.read_deadline.set(Some(current_msec().wrapping_add(timeout)));
        }
    }

    /// It is answered.
    fn end_request(&self) {
        self.read_deadline.set(None);
        self.light.end();
        if self.light.take_ended() {
            access_log::log(self);
        }
    }

    fn answer(&self, body: &[u8]) {
        let len = (HEADER + body.len()) as u32;
        self.socket.push(|out| {
            out.extend_from_slice(&len.to_be_bytes());
            out.extend_from_slice(body);
        });
    }

    fn info(&self, errno: i32, text: &str) {
        self.connection().write_log(Level::Info, errno, format_args!("{text}"));
    }
}

impl Handler for Session {
    fn on_read(self: &Rc<Self>) {
        if self.connection().close_requested() {
            // nginx quits, or is out of connections.
            return self.close();
        }
        match self.stage.get() {
            Stage::Accepted => self.start(),
            Stage::Serving => {
                self.connection().let_tls_write();
                self.on_read_serving();
            }
            Stage::Flushing => {
                self.connection().let_tls_write();
                self.connection().take_read_timedout();
                self.rest_read_event();
            }
            Stage::Lingering => self.on_read_lingering(),
            Stage::Closed => {}
        }
    }

    fn on_write(self: &Rc<Self>) {
        let ends = self.connection().tls_end_waits();
        self.connection().let_tls_read();
        match self.stage.get() {
            Stage::Serving | Stage::Flushing => self.on_write_pending(),
            Stage::Lingering if ends => self.on_end_of_tls(),
            Stage::Accepted | Stage::Lingering | Stage::Closed => {}
        }
    }

    fn on_panic(self: &Rc<Self>) {
        self.close();
    }
}

impl Seen for Session {
    fn socket(&self) -> &TcpSocket {
        &self.socket
    }

    fn conf(&self) -> &'static ServerConf {
        self.conf
    }

    fn light(&self) -> &LightSession {
        &self.light
    }
}
