//! Datagrams: what is behind `ngx.socket.udp`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::dial::{Literal, bad_host, error_text, literal, not_resolved, not_started};
use super::registry::Registry;
use crate::lua::value::build;
use crate::lua::{Value, Values};
use crate::nginx::Msec;
use crate::nginx::address::Address;
use crate::nginx::connection::{self, ConnectError, Connection, Handler};
use crate::nginx::io::{Io, strerror};
use crate::nginx::local::Local;
use crate::nginx::resolver::{Query, ResolveError, Resolving, Started};
use crate::nginx::time::{current_msec, left_until};
use crate::sched::{DEADLINE, Host, Resource, Source, Thread, budget};
use crate::tcp::conf::ServerConf;

/// The sockets that scripts have.
pub static REGISTRY: Local<Registry<Rc<Udp>>> = Local::new(Registry::new());

/// A datagram is no longer than this.
pub const MAX_DATAGRAM: usize = 65_535;

/// Where datagrams are received.
static BUFFER: Local<RefCell<Vec<u8>>> = Local::new(RefCell::new(Vec::new()));

/// Who waits for a datagram.
enum Reader {
    /// Nobody.
    None,
    /// To have it, so many bytes of it at most.
    Receive(Rc<Thread>, usize),
    /// As one of several things: that there is one.
    Select(Rc<Thread>, usize),
}

/// A socket that sends to, and receives from, one other.
pub struct Udp {
    connection: Connection,
    reader: RefCell<Reader>,
    read_deadline: Cell<Option<Msec>>,
    /// An errno that the kernel has told, for the next receive.
    failed: Cell<Option<i32>>,
    log_errors: bool,
    id: Cell<u64>,
    host: RefCell<Option<Rc<dyn Host>>>,
    place: Cell<usize>,
}

/// What `setpeername` comes to.
pub enum Peering {
    /// The call returns these: the socket's number and whether there are many, or
    /// `nil, err`.
    Done(Values),
    Waits,
}

/// A name that is looked up for a thread.
struct Lookup {
    thread: Rc<Thread>,
    name: Vec<u8>,
    port: u16,
    from: Option<Address>,
    conf: &'static ServerConf,
    query: RefCell<Option<Query>>,
}

/// Connects a new socket, for the running thread.
pub fn peer(
    thread: &Rc<Thread>,
    host: &[u8],
    port: u16,
    from: Option<Address>,
    conf: &'static ServerConf,
) -> Peering {
    let (name, port) = match literal(host, port) {
        Literal::Address(address) => {
            let opened = attempt(thread, &address, from.as_ref(), conf);
            return Peering::Done(opened.unwrap_or_else(Values::error));
        }
        Literal::Bad(why) => return Peering::Done(Values::error(bad_host(host, why))),
        Literal::Name(name, port) => (name, port),
    };
    if let Err(values) = thread.check_deadline() {
        return values.map_or(Peering::Waits, Peering::Done);
    }
    let lookup = Rc::new(Lookup {
        thread: thread.clone(),
        name: name.to_vec(),
        port,
        from,
        conf,
        query: RefCell::new(None),
    });
    match conf.resolve(name, lookup.clone()) {
        Ok(Started::Now(addresses)) => Peering::Done(lookup.found(&addresses)),
        Ok(Started::Later(query)) => {
            lookup.query.replace(Some(query));
            thread.wait_for(lookup);
            Peering::Waits
        }
        Err(error) => Peering::Done(Values::error(not_started(name, error))),
    }
}

/// Opens a socket and gives it to the thread's host; else says what failed.
fn attempt(
    thread: &Rc<Thread>,
    to: &Address,
    from: Option<&Address>,
    conf: &ServerConf,
) -> Result<Values, Value> {
    let connection = Connection::datagram(to, from).map_err(|error| match error {
        ConnectError::System(errno) => error_text(errno),
        ConnectError::NoConnections => Value::Str("worker_connections are not enough"),
        ConnectError::NoEvents => Value::Str("failed to handle read event"),
    })?;
    let udp = Rc::new(Udp {
        connection,
        reader: RefCell::new(Reader::None),
        read_deadline: Cell::new(None),
        failed: Cell::new(None),
        log_errors: conf.socket_log_errors(),
        id: Cell::new(0),
        host: RefCell::new(Some(thread.host().clone())),
        place: Cell::new(0),
    });
    udp.connection.set_handler(&udp);
    udp.connection.ignore_write();
    if !thread.host().group().own(udp.clone()) {
        udp.close();
        return Err(Value::Str("closed"));
    }
    let id = REGISTRY.add(udp.clone());
    udp.id.set(id);
    Ok(Values::two(Value::Number(id as f64), Value::Boolean(REGISTRY.is_crowded())))
}

impl Lookup {
    fn found(&self, addresses: &[Address]) -> Values {
        let mut failed = Value::Str("name cannot be resolved to a address");
        for address in addresses {
            let address = address.with_port(self.port);
            match attempt(&self.thread, &address, self.from.as_ref(), self.conf) {
                Ok(values) => return values,
                Err(error) => failed = error,
            }
        }
        Values::error(failed)
    }
}

impl Resolving for Lookup {
    fn resolved(self: Rc<Self>, answer: Result<Vec<Address>, ResolveError>) {
        self.query.take();
        let values = match answer {
            Ok(addresses) => self.found(&addresses),
            Err(error) => Values::error(not_resolved(&self.name, &error)),
        };
        self.thread.host().clone().wake_with(&self.thread, values);
    }
}

impl Source for Lookup {
    fn release(&self, _: &Thread) {
        self.query.take();
    }

    fn interrupt(self: Rc<Self>, thread: &Rc<Thread>) {
        self.query.take();
        thread.leave_wait();
        let values = Values::error(Value::Str(DEADLINE));
        thread.host().clone().wake_with(thread, values);
    }
}

impl Udp {
    /// Its connection.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether a thread waits for a datagram.
    pub fn is_reading(&self) -> bool {
        !matches!(*self.reader.borrow(), Reader::None)
    }

    /// Sends a datagram: 1, or `nil, err`.
    pub fn send(&self, bytes: &[u8]) -> Values {
        match self.connection.send(bytes) {
            Io::Done(_) => Values::one(Value::Number(1.0)),
            Io::Error(errno) => Values::error(error_text(errno)),
            Io::Again | Io::Eof => Values::error(error_text(libc::EAGAIN)),
        }
    }

    /// Takes a datagram; None if there is none.
    pub fn receive_now(&self, size: usize) -> Option<Values> {
        let ready = self.connection.read_ready() || self.failed.get().is_some();
        if !ready || !budget::spend() {
            return None;
        }
        self.poll(size)
    }

    fn poll(&self, size: usize) -> Option<Values> {
        if let Some(errno) = self.failed.take() {
            return Some(self.failure(errno));
        }
        let mut buffer = BUFFER.borrow_mut();
        buffer.resize(MAX_DATAGRAM, 0);
        match self.connection.recv_datagram(&mut buffer[..size.min(MAX_DATAGRAM)]) {
            Io::Done(n) => {
                budget::spend_bytes(n);
                Some(Values::one(build(|out| out.extend_from_slice(&buffer[..n]))))
            }
            Io::Again => None,
            Io::Error(errno) => Some(self.failure(errno)),
            Io::Eof => Some(Values::error(Value::Str("closed"))),
        }
    }

    /// Logs why a receive fails; what it returns.
    #[cold]
    fn failure(&self, errno: i32) -> Values {
        if self.log_errors
            && let Some(host) = &*self.host.borrow()
        {
            let text = strerror(errno);
            host.log_error(format!("recv() failed ({errno}: {text})").as_bytes());
        }
        Values::error(error_text(errno))
    }

    /// Makes the thread wait for one. What the call returns if its deadline is
    /// over already.
    pub fn receive_later(
        self: &Rc<Self>,
        thread: &Rc<Thread>,
        size: usize,
        timeout: Msec,
    ) -> Option<Values> {
        if thread.gives_up() {
            return Some(Values::error(Value::Str(DEADLINE)));
        }
        self.read_deadline.set(Some(current_msec().wrapping_add(timeout)));
        self.connection.arm_read_timer(timeout);
        self.reader.replace(Reader::Receive(thread.clone(), size));
        thread.wait_for(self.clone());
        self.watch_or_post();
        None
    }

    /// Makes the thread wait, among others, until a receive would not wait.
    pub fn select(self: &Rc<Self>, thread: &Rc<Thread>, item: usize) {
        // It may be in the list twice: the first counts.
        if self.is_reading() {
            return;
        }
        self.reader.replace(Reader::Select(thread.clone(), item));
        thread.waits_too(self.clone());
        self.watch_or_post();
    }

    /// Whether a receive would not wait: there is a datagram, an empty one, or an
    /// error.
    pub fn can_read(&self) -> bool {
        if self.failed.get().is_some() {
            return true;
        }
        let io = self.connection.peek();
        if let Io::Error(errno) = io {
            // Told once only.
            self.failed.set(Some(errno));
        }
        io != Io::Again
    }

    fn watch_or_post(&self) {
        let c = &self.connection;
        if c.read_ready() || !c.watch_read() {
            c.post_read();
        }
    }

    /// Closes it; who waits gets `nil, "closed"`.
    pub fn close(&self) {
        let host = self.host.take();
        if let Some(host) = host {
            host.group().disown(self);
        }
        let id = self.id.replace(0);
        if id != 0 {
            drop(REGISTRY.remove(id));
        }
        let reader = self.reader.replace(Reader::None);
        match reader {
            Reader::None => {}
            Reader::Receive(thread, _) => thread.fail_soon("closed"),
            Reader::Select(thread, item) => thread.grant_first_soon(item),
        }
        self.connection.close();
    }

    fn finish(&self, values: Values) {
        let reader = self.reader.replace(Reader::None);
        if let Reader::Receive(thread, _) = reader {
            thread.host().clone().wake_with(&thread, values);
        }
    }

    /// Something has come for a thread that waits among others.
    fn on_select(&self) {
        if !self.can_read() {
            return self.watch_or_post();
        }
        let reader = self.reader.replace(Reader::None);
        if let Reader::Select(thread, item) = reader {
            thread.grant_first(item);
        }
    }
}

impl Handler for Udp {
    fn on_read(self: &Rc<Self>) {
        let c = &self.connection;
        if c.close_requested() {
            return self.close();
        }
        let timedout = c.take_read_timedout();
        let size = match &*self.reader.borrow() {
            Reader::Receive(_, size) => Some(*size),
            Reader::Select(..) => None,
            Reader::None => {
                c.watch_read();
                return;
            }
        };
        let Some(size) = size else { return self.on_select() };
        if c.read_ready()
            && let Some(values) = self.poll(size)
        {
            return self.finish(values);
        }
        match self.read_deadline.get().and_then(left_until) {
            Some(left) if timedout => c.arm_read_timer(left),
            None if timedout => {
                if self.log_errors
                    && let Some(host) = &*self.host.borrow()
                {
                    host.log_error(b"lua udp socket read timed out");
                }
                return self.finish(Values::error(Value::Str("timeout")));
            }
            _ => {}
        }
        self.watch_or_post();
    }

    fn on_write(self: &Rc<Self>) {
        self.connection.ignore_write();
    }

    fn on_panic(self: &Rc<Self>) {
        self.close();
    }
}

impl Resource for Udp {
    fn end(self: Rc<Self>) {
        self.close();
    }

    fn place(&self) -> &Cell<usize> {
        &self.place
    }
}

impl Source for Udp {
    fn release(&self, thread: &Thread) {
        let mut reader = self.reader.borrow_mut();
        if let Reader::Receive(own, _) | Reader::Select(own, _) = &*reader
            && std::ptr::eq(Rc::as_ptr(own), thread)
        {
            *reader = Reader::None;
        }
    }

    fn interrupt(self: Rc<Self>, thread: &Rc<Thread>) {
        self.reader.replace(Reader::None);
        thread.leave_wait();
        let values = Values::error(Value::Str(DEADLINE));
        thread.host().clone().wake_with(thread, values);
    }
}

/// Closes all, when the process has done with the VM.
pub(super) fn free_all() {
    connection::each::<Udp>(|udp| udp.close());
    REGISTRY.free();
    BUFFER.take();
}
