//! Connections of scripts to other servers: what is behind `ngx.socket.tcp`.
//!
//! `dial` makes one, `registry` gives it the number by which a script's object
//! knows it, `read` and `write` are the calls on it, and `pool` keeps it between
//! two uses. It belongs to the host (a client's connection, a timer...) that has
//! connected it or taken it from a pool, and is closed with that; any thread of
//! the worker that has the object may use it until then.
#![forbid(unsafe_code)]

pub mod dial;
pub mod handles;
pub mod heartbeat;
mod linger;
pub mod lookup;
pub mod nats;
pub mod pool;
pub mod push;
mod read;
pub mod registry;
pub mod tls;
pub mod udp;
mod write;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use self::dial::Dial;
use self::nats::Nats;
use self::pool::{Heartbeat, Pool};
use self::registry::Registry;
use self::tls::Returns;
use self::write::{Wants, Writer};
use crate::lua::{Value, Values};
use crate::nginx::Msec;
use crate::nginx::connection::{self, Connection, Handler};
use crate::nginx::local::Local;
use crate::nginx::ssl;
use crate::sched::{DEADLINE, Host, Resource, Source, Thread};
use crate::socket::{SocketError, TcpSocket};
use crate::text::pattern::Scanner;

pub use self::read::values_of as failure_values;
pub use self::write::Sending;

/// The connections that scripts have.
pub static REGISTRY: Local<Registry<Rc<Upstream>>> = Local::new(Registry::new());

/// Who reads, and what.
enum Reader {
    /// Nobody.
    None,
    /// Bytes, by this pattern.
    Receive(Rc<Thread>, Scanner),
    /// A frame of NATS.
    Frame(Rc<Thread>),
    /// Both sides of a TLS handshake.
    Handshake(Rc<Thread>, Returns),
    /// One of several things that it waits for: that something can be read.
    Select(Rc<Thread>, usize),
}

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is being made.
    Dialing,
    /// A script has it.
    Open,
    /// It is in a pool.
    Idle,
    /// It is on its way from one script to another that has waited for it.
    Handed,
    /// No script has it any more, but not everything that was pushed is sent.
    Lingering,
    /// All is sent, FIN too, and the other side is to close it.
    Leaving,
    Closed,
}

/// A connection to another server.
pub struct Upstream {
    pub socket: TcpSocket,
    stage: Cell<Stage>,
    /// Who makes it.
    dial: RefCell<Option<Rc<Dial>>>,
    reader: RefCell<Reader>,
    /// Who waits until the kernel has taken what is queued.
    writers: RefCell<Vec<Writer>>,
    read_deadline: Cell<Option<Msec>>,
    /// When the other side has taken nothing of what is queued for too long.
    write_deadline: Cell<Option<Msec>>,
    /// How long that is.
    send_timeout: Cell<Msec>,
    /// Something was pushed.
    has_pushed: Cell<bool>,
    /// A receive has failed: nothing more can be read.
    read_over: Cell<bool>,
    /// A receive was given up; what it waited for may still come.
    dubious: Cell<bool>,
    /// Whether errors are written to the log.
    log_errors: Cell<bool>,
    id: Cell<u64>,
    host: RefCell<Option<Rc<dyn Host>>>,
    place: Cell<usize>,
    pool: RefCell<Option<Rc<Pool>>>,
    /// The name of the pool that it goes to.
    name: RefCell<Vec<u8>>,
    reused: Cell<u32>,
    heartbeat: RefCell<Option<Box<dyn Heartbeat>>>,
    /// What is known of it as one to a NATS server.
    nats: OnceCell<Box<Nats>>,
}

impl Upstream {
    fn new(connection: Connection, dial: &Rc<Dial>) -> Rc<Upstream> {
        let upstream = Rc::new(Upstream {
            socket: TcpSocket::new(connection),
            stage: Cell::new(Stage::Dialing),
            dial: RefCell::new(Some(dial.clone())),
            reader: RefCell::new(Reader::None),
            writers: RefCell::new(Vec::new()),
            read_deadline: Cell::new(None),
            write_deadline: Cell::new(None),
            send_timeout: Cell::new(60_000),
            has_pushed: Cell::new(false),
            read_over: Cell::new(false),
            dubious: Cell::new(false),
            log_errors: Cell::new(true),
            id: Cell::new(0),
            host: RefCell::new(None),
            place: Cell::new(0),
            pool: RefCell::new(None),
            name: RefCell::new(Vec::new()),
            reused: Cell::new(0),
            heartbeat: RefCell::new(None),
            nats: OnceCell::new(),
        });
        upstream.connection().set_handler(&upstream);
        upstream
    }

    /// Its connection.
    pub fn connection(&self) -> &Connection {
        &self.socket.connection
    }

    /// How often it was taken from a pool.
    pub fn reused_times(&self) -> u32 {
        self.reused.get()
    }

    /// Whether a call on it gives `nil, "closed"`.
    pub fn is_over(&self) -> bool {
        self.stage.get() != Stage::Open
            || self.read_over.get()
            || !self.connection().is_open()
    }

    /// Whether a thread waits for it.
    pub fn is_busy(&self) -> bool {
        self.is_reading() || !self.writers.borrow().is_empty()
    }

    /// What a call returns that a thread's wait is in the way of.
    pub fn busy_text(&self) -> &'static str {
        if self.is_reading() { "socket busy reading" } else { "socket busy writing" }
    }

    /// Gives it to a host: the script's object knows it by the number. None: the
    /// host has just ended.
    #[inline]
    fn attach(self: &Rc<Self>, host: &Rc<dyn Host>, log_errors: bool) -> Option<u64> {
        if !host.group().own(self.clone()) {
            self.close();
            return None;
        }
        self.stage.set(Stage::Open);
        self.log_errors.set(log_errors);
        self.host.replace(Some(host.clone()));
        let id = REGISTRY.add(self.clone());
        self.id.set(id);
        Some(id)
    }

    /// Takes it from its host: no object knows it any more.
    #[inline]
    fn detach(&self) {
        let host = self.host.take();
        if let Some(host) = host {
            host.group().disown(self);
        }
        self.forget_id();
    }

    fn forget_id(&self) {
        let id = self.id.replace(0);
        if id != 0 {
            drop(REGISTRY.remove(id));
        }
    }

    /// Ends it, whoever waits: they get `nil, "closed"`.
    pub fn close(&self) {
        let was = self.stage.replace(Stage::Closed);
        if was == Stage::Closed {
            return;
        }
        self.detach();
        self.dial.take();
        self.heartbeat.take();
        self.wake_all_closed();
        self.connection().close();
        self.socket.discard_buffers();
        let pool = self.pool.take();
        if let Some(pool) = pool {
            pool.lost(self, was);
        }
    }

    /// Threads that wait for it go on soon, with `nil, "closed"`.
    fn wake_all_closed(&self) {
        self.end_reader();
        self.end_writers();
    }

    fn end_reader(&self) {
        let reader = self.reader.replace(Reader::None);
        match reader {
            Reader::None => {}
            Reader::Receive(thread, _) | Reader::Handshake(thread, _) => {
                thread.fail_soon("closed");
            }
            Reader::Frame(thread) => {
                thread.fail_soon("closed");
                // It may be gone before it runs.
                self.pass_reading_on();
            }
            Reader::Select(thread, item) => thread.grant_first_soon(item),
        }
    }

    /// Writes a line to the log of whom it belongs to.
    fn log(&self, line: &[u8]) {
        if self.log_errors.get()
            && let Some(host) = &*self.host.borrow()
        {
            host.log_error(line);
        }
    }

    /// A system call that has failed: closes the connection, but not what was
    /// read.
    fn broken(&self, error: SocketError) {
        if let SocketError::System(_) = error {
            if let Some(text) = self.connection().take_tls_failure() {
                self.log(text.as_bytes());
            }
            self.read_over.set(true);
            self.connection().close();
        }
    }
}

impl Handler for Upstream {
    fn on_read(self: &Rc<Self>) {
        if self.connection().close_requested() {
            return self.close();
        }
        match self.stage.get() {
            Stage::Open => {
                if self.connection().write_waits_for_read() {
                    self.connection().post_write();
                }
                self.on_read_open();
            }
            Stage::Idle => self.on_read_idle(),
            Stage::Handed if !self.has_heartbeat() => self.close(),
            Stage::Handed => self.on_read_idle(),
            Stage::Lingering | Stage::Leaving => self.on_read_lingering(),
            Stage::Dialing | Stage::Closed => {}
        }
    }

    fn on_write(self: &Rc<Self>) {
        match self.stage.get() {
            Stage::Dialing => {
                let dial = self.dial.borrow().clone();
                if let Some(dial) = dial {
                    dial.on_connected(self);
                }
            }
            Stage::Open => {
                if self.connection().read_waits_for_write() {
                    self.connection().post_read();
                }
                self.on_write_open();
            }
            Stage::Idle | Stage::Handed => self.on_write_idle(),
            Stage::Lingering | Stage::Leaving => {
                if self.connection().read_waits_for_write() {
                    self.connection().post_read();
                }
                self.on_write_lingering();
            }
            Stage::Closed => {}
        }
    }

    fn on_panic(self: &Rc<Self>) {
        self.close();
    }
}

impl Resource for Upstream {
    fn end(self: Rc<Self>) {
        self.finish();
    }

    fn place(&self) -> &Cell<usize> {
        &self.place
    }
}

impl Source for Upstream {
    fn release(&self, thread: &Thread) {
        let is = |own: &Rc<Thread>| std::ptr::eq(Rc::as_ptr(own), thread);
        let mut reader = self.reader.borrow_mut();
        match &*reader {
            Reader::Receive(own, _) if is(own) => {
                self.dubious.set(true);
                *reader = Reader::None;
            }
            Reader::Select(own, _) if is(own) => *reader = Reader::None,
            Reader::Frame(own) if is(own) => {
                *reader = Reader::None;
                self.pass_reading_on();
            }
            Reader::Handshake(own, _) if is(own) => {
                // Half of a handshake is of no use to anybody.
                *reader = Reader::None;
                drop(reader);
                return self.close();
            }
            _ => {}
        }
        drop(reader);
        self.remove_writer(thread);
    }

    fn interrupt(self: Rc<Self>, thread: &Rc<Thread>) {
        let reader = {
            let mut reader = self.reader.borrow_mut();
            match &*reader {
                Reader::Receive(own, _)
                | Reader::Frame(own)
                | Reader::Handshake(own, _)
                    if Rc::ptr_eq(own, thread) =>
                {
                    std::mem::replace(&mut *reader, Reader::None)
                }
                _ => Reader::None,
            }
        };
        let wants = self.remove_writer(thread);
        thread.leave_wait();
        let values = match reader {
            Reader::Receive(_, mut scanner) => self.last_receive(&mut scanner),
            Reader::Frame(_) => Values::error(Value::Str(DEADLINE)),
            Reader::Handshake(..) => {
                self.close();
                Values::error(Value::Str(DEADLINE))
            }
            _ => self.cut_short(wants.unwrap_or(Wants::True), Value::Str(DEADLINE)),
        };
        thread.host().clone().wake_with(thread, values);
    }
}

/// Closes all, when the process has done with the VM.
pub fn free_all() {
    connection::each::<Upstream>(|upstream| upstream.close());
    ssl::free();
    REGISTRY.free();
    lookup::free();
    pool::free();
    udp::free_all();
}
