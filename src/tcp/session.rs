//! A session: one client connection and the threads that serve it.
//!
//! accept -> start -> (wait -> wake)* -> finish -> flush -> linger -> close.
//! The script starts at accept. A native that cannot go on registers who waits
//! for what: one thread to read, any number for their output to be sent. The
//! event's handler finishes the work and wakes them, last. When all threads
//! have ended, or ngx.exit() was called, `finish` drops what is left of them
//! and with it whatever they waited for.

mod close;
mod deliver;
pub mod park;
pub mod read;
pub mod write;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use self::write::{Eof, Flusher};
use super::access_log;
use super::conf::ServerConf;
use super::current;
use super::light_session::LightSession;
use super::variables::Seen;
use crate::lua::{Resumed, Value, Values};
use crate::nginx::Msec;
use crate::nginx::connection::{self, Connection, Handler};
use crate::nginx::guard::guard;
use crate::nginx::io::TRUNCATED;
use crate::nginx::log::{Level, Log};
use crate::sched::{self, Group, Host, Source, Thread, Woken, budget, turn};
use crate::socket::TcpSocket;
use crate::text::pattern::Scanner;

/// Who reads from the client, and what.
enum Reader {
    /// Nobody.
    None,
    /// Bytes, by this pattern.
    Receive(Rc<Thread>, Scanner),
    /// One of several things that it waits for: that something can be read.
    Select(Rc<Thread>, usize),
    /// The next request, or that the client goes.
    NextRequest(Rc<Thread>),
}

/// Where the session is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Accepted; the script has not started.
    Accepted,
    /// The script runs or waits.
    Serving,
    /// The script has ended; what it printed still goes out.
    Flushing,
    /// Everything is sent; the client may still be sending.
    Lingering,
    Closed,
}

/// One client connection.
pub struct Session {
    pub socket: TcpSocket,
    pub conf: &'static ServerConf,
    stage: Cell<Stage>,
    group: Group,
    reader: RefCell<Reader>,
    /// They wait until the kernel has what was printed.
    flushers: RefCell<Vec<Flusher>>,
    /// Something of the connection may have changed since its events were last
    /// seen to.
    touched: Cell<bool>,
    /// How many threads there were then.
    seen_live: Cell<usize>,
    read_deadline: Cell<Option<Msec>>,
    write_deadline: Cell<Option<Msec>>,
    send_timeout: Cell<Msec>,
    /// The script has been told that nothing more can be read.
    end_told: Cell<bool>,
    eof: Cell<Eof>,
    parked: Cell<bool>,
    /// keepalive_timeout counts since the thread waits for the next request.
    keeping: Cell<bool>,
    light: LightSession,
    /// 0: it has no id. Changed by `clients` alone.
    pub(super) client_number: Cell<u64>,
}

/// Gives a connection that nginx has just accepted its log, and says whether the
/// client may connect. For every protocol.
pub fn admit(connection: &Connection, conf: &ServerConf) -> bool {
    if connection.tls().is_some() {
        return true; // it was let in before it shook hands
    }
    if let Some(log) = Log::configured(conf.error_log()) {
        connection.set_log(log);
    }
    if connection.log().enabled(Level::Info) {
        connection.write_log(
            Level::Info,
            0,
            format_args!(
                "client {} connected to {}",
                String::from_utf8_lossy(connection.client_text()),
                String::from_utf8_lossy(connection.server_text())
            ),
        );
    }
    connection.set_log_context();
    !is_forbidden(connection, conf)
}

/// Begins a session on a connection that nginx has just accepted.
pub fn accept(connection: Connection, conf: &'static ServerConf) {
    if !admit(&connection, conf) {
        return; // which closes it
    }
    let session = Rc::new(Session {
        socket: TcpSocket::new(connection),
        conf,
        stage: Cell::new(Stage::Accepted),
        group: Group::new(),
        reader: RefCell::new(Reader::None),
        flushers: RefCell::new(Vec::new()),
        touched: Cell::new(true),
        seen_live: Cell::new(0),
        read_deadline: Cell::new(None),
        write_deadline: Cell::new(None),
        send_timeout: Cell::new(conf.send_timeout()),
        end_told: Cell::new(false),
        eof: Cell::new(Eof::No),
        parked: Cell::new(false),
        keeping: Cell::new(false),
        light: LightSession::idle(),
        client_number: Cell::new(0),
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

/// Whether the rules of `allow` and `deny` refuse the client, which is logged.
fn is_forbidden(connection: &Connection, conf: &ServerConf) -> bool {
    let Some(rules) = conf.access_rules() else { return false };
    if connection.client_address().is_some_and(|client| rules.admit(&client)) {
        return false;
    }
    connection.set_action(c"initializing session");
    connection.write_log(Level::Err, 0, format_args!("access forbidden by rule"));
    true
}

/// Logs a system call of a client's connection that has failed; where TLS has, what
/// OpenSSL said.
#[cold]
pub fn log_io_error(c: &Connection, errno: i32, call: &str) {
    match c.take_tls_failure() {
        Some(text) => {
            let peers = c.tls_failed_by_peer();
            let level = if peers { Level::Info } else { Level::Crit };
            c.write_log(level, 0, format_args!("{text}"));
        }
        // It has ended without close_notify.
        None if errno == TRUNCATED => {}
        None => c.write_log(Level::Info, errno, format_args!("{call} failed")),
    }
}

/// Closes what is left when the worker exits. Gracefully: nginx has waited for all
/// that a timer could wake, and does not expect open sockets. At once: what the
/// scripts hold is freed as at every other end.
pub fn close_all() {
    connection::each::<Session>(|session| session.close());
}

impl Session {
    /// The client's connection.
    pub fn connection(&self) -> &Connection {
        &self.socket.connection
    }

    /// Starts the script.
    fn start(self: &Rc<Self>) {
        self.stage.set(Stage::Serving);
        // The first receive tries the socket before it asks for events: most
        // clients have sent their request by then.
        self.connection().set_read_ready(true);
        self.connection().set_action(c"loading Lua code");
        self.light.begin(self.connection());
        let made = match self.conf.engine() {
            Some(engine) => engine.coroutine_for(self.conf),
            None => Err(b"no Lua VM".to_vec()),
        };
        match made {
            Ok(coroutine) => {
                self.connection().set_action(c"running Lua");
                let thread = self.group.begin(self.clone(), coroutine);
                self.run(&thread, |thread| {
                    thread.with_coroutine(|coroutine| coroutine.start())
                });
            }
            Err(text) => {
                self.connection().log().write_bytes(Level::Err, 0, &text);
                self.finish();
            }
        }
    }

    /// Resumes a thread: its call that waits returns `values`.
    #[inline(always)]
    fn wake_with(self: &Rc<Self>, thread: &Rc<Thread>, values: Values) {
        self.touch();
        self.go_on_with(thread, values);
    }

    // Once in the module, and all it calls inlined there: it is the way of most
    // events to their script.
    #[inline(never)]
    fn go_on_with(self: &Rc<Self>, thread: &Rc<Thread>, values: Values) {
        thread.begin_run();
        self.run(thread, |thread| {
            thread.with_coroutine(|coroutine| coroutine.resume(values))
        });
    }

    #[inline(never)]
    fn go_on(self: &Rc<Self>, thread: &Rc<Thread>, woken: Woken) {
        thread.begin_run();
        self.run(thread, |thread| thread.resume(woken));
    }

    #[inline(always)]
    fn run(
        self: &Rc<Self>,
        thread: &Rc<Thread>,
        run: impl FnOnce(&Thread) -> Option<Resumed>,
    ) {
        budget::begin();
        current::enter_session(self, || {
            let resumed = sched::enter(thread, || run(thread));
            thread.settle(resumed);
        });
        let live = self.group.live();
        if self.group.is_over() {
            self.finish();
        } else if self.touched.replace(false) || self.seen_live.replace(live) != live {
            self.suspended();
        }
        turn::run();
    }

    /// All threads wait: sees that what they wait for can come.
    #[inline(always)]
    fn suspended(self: &Rc<Self>) {
        self.flush_joined();
        let c = self.connection();
        // Given back before anything that may end the session.
        let reader = self.reader.borrow();
        match *reader {
            Reader::Receive(..) | Reader::Select(..) => {
                if budget::is_left() && !c.read_ready() && c.watch_read() {
                    self.socket.release_large_input();
                } else {
                    // Out of budget: the other connections first. What it asks
                    // for may be in the buffer already, with nothing left in
                    // the kernel to tell of.
                    c.post_read();
                }
            }
            Reader::NextRequest(_) => {
                drop(reader);
                self.park();
            }
            Reader::None => {
                drop(reader);
                self.watch_for_abort();
            }
        }
        if !self.flushers.borrow().is_empty()
            && (self.socket.queued() == 0 || self.socket.writable().is_err())
        {
            self.connection().post_write();
        }
    }

    /// When the light session began: seconds and milliseconds.
    pub(crate) fn start_time(&self) -> (i64, u32) {
        self.light.start_time()
    }

    /// Logs a system call of the connection that has failed.
    #[cold]
    fn log_io_error(&self, errno: i32, call: &str) {
        log_io_error(self.connection(), errno, call);
    }

    /// A native is about to do something with the connection.
    #[inline(always)]
    pub(crate) fn touch(&self) {
        self.touched.set(true);
    }

    /// Whether no other thread of the session is alive.
    fn is_single(&self) -> bool {
        self.group.live() <= 1
    }

    /// The light session has ended: its line is written, unless nothing was said in
    /// it at all.
    #[inline]
    fn log_ended(&self) {
        if self.light.take_ended() {
            let c = self.connection();
            if c.requests() > 1
                || c.bytes_received() > 0
                || c.bytes_sent() > 0
                || self.socket.queued() > 0
            {
                access_log::log(self);
            }
        }
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

impl Handler for Session {
    fn on_read(self: &Rc<Self>) {
        if self.connection().close_requested() {
            // nginx quits, is out of connections, or worker_shutdown_timeout
            // is over.
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

/// The client's socket as one of several things that a thread waits for.
impl Source for Session {
    fn release(&self, thread: &Thread) {
        Host::release(self, thread);
    }

    fn interrupt(self: Rc<Self>, thread: &Rc<Thread>) {
        Host::interrupt(self, thread);
    }
}

impl Host for Session {
    fn group(&self) -> &Group {
        &self.group
    }

    fn wake(self: Rc<Self>, thread: &Rc<Thread>, woken: Woken) {
        if self.stage.get() != Stage::Serving {
            return;
        }
        match woken {
            // The usual ones, of a sleeper and of who waits for a semaphore.
            Woken::Nothing => self.go_on_with(thread, Values::NONE),
            Woken::Granted(_, true) => {
                self.go_on_with(thread, Values::one(Value::Boolean(true)));
            }
            woken => self.go_on(thread, woken),
        }
    }

    fn wake_with(self: Rc<Self>, thread: &Rc<Thread>, values: Values) {
        if self.stage.get() == Stage::Serving {
            self.go_on_with(thread, values);
        }
    }

    fn release(&self, thread: &Thread) {
        let mut reader = self.reader.borrow_mut();
        match &*reader {
            Reader::Receive(own, _)
            | Reader::Select(own, _)
            | Reader::NextRequest(own)
                if std::ptr::eq(Rc::as_ptr(own), thread) =>
            {
                *reader = Reader::None;
            }
            _ => {
                let mut flushers = self.flushers.borrow_mut();
                flushers.retain(|own| !std::ptr::eq(Rc::as_ptr(&own.thread), thread));
            }
        }
    }

    fn interrupt(self: Rc<Self>, thread: &Rc<Thread>) {
        let scanner = match &*self.reader.borrow() {
            Reader::Receive(own, scanner) if Rc::ptr_eq(own, thread) => {
                Some(scanner.clone())
            }
            _ => None,
        };
        self.unpark();
        thread.leave_wait();
        let values = match scanner {
            Some(mut scanner) => self.last_receive(&mut scanner),
            None => Values::error(Value::Str(sched::DEADLINE)),
        };
        self.wake_with(thread, values);
    }

    fn log_error(&self, line: &[u8]) {
        self.connection().log().write_bytes(Level::Err, 0, line);
    }

    fn on_panic(self: Rc<Self>) {
        self.close();
    }
}
