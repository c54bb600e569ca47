//! Datagrams: what is behind `ngx.socket.udp`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::dial::{Literal, error_text, literal};
use super::registry::Registry;
use crate::lua::value::{build, kept};
use crate::lua::{Value, Values};
use crate::nginx::Msec;
use crate::nginx::address::Address;
use crate::nginx::connection::{self, ConnectError, Connection, Handler};
use crate::nginx::io::{Io, strerror};
use crate::nginx::local::Local;
use crate::nginx::resolver::{Query, ResolveError, Resolving, StartError, Started};
use crate::nginx::time::{current_msec, left_until};
use crate::sched::{DEADLINE, Host, Resource, Source, Thread, budget};
use crate::tcp::conf::ServerConf;

/// The sockets that scripts have.
pub static REGISTRY: Local<Registry<Rc<Udp>>> = Local::new(Registry::new());

/// A datagram is no longer than this.
pub const MAX_DATAGRAM: usize = 65_535;

/// Where datagrams are received.
static BUFFER: Local<RefCell<Vec<u8>>> = Local::new(RefCell::new(Vec::new()));

/// A socket that sends to, and receives from, one other.
pub struct Udp {
    connection: Connection,
    /// Who waits for a datagram, of so many bytes at most.
    reader: RefCell<Option<(Rc<Thread>, usize)>>,
    read_deadline: Cell<Option<Msec>>,
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
    name: String,
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
        Literal::Bad(why) => {
            let host = String::from_utf8_lossy(host);
            let text = format!("failed to parse host name \"{host}\": {why}");
            return Peering::Done(Values::error(kept(text)));
        }
        Literal::Name(name, port) => (name, port),
    };
    if thread.is_past_deadline() {
        return Peering::Done(Values::error(Value::Str(DEADLINE)));
    }
    let lookup = Rc::new(Lookup {
        thread: thread.clone(),
        name: String::from_utf8_lossy(name).into_owned(),
        port,
        from,
        conf,
        query: RefCell::new(None),
    });
    let error = match conf.resolve(name, lookup.clone()) {
        Ok(Started::Now(addresses)) => return Peering::Done(lookup.found(&addresses)),
        Ok(Started::Later(query)) => {
            lookup.query.replace(Some(query));
            thread.wait_for(lookup);
            return Peering::Waits;
        }
        Err(StartError::NoResolver) => {
            kept(format!("no resolver defined to resolve \"{}\"", lookup.name))
        }
        Err(StartError::Failed) => Value::Str("failed to start the resolver"),
    };
    Peering::Done(Values::error(error))
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
        reader: RefCell::new(None),
        read_deadline: Cell::new(None),
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
            Err(error) => {
                let text = format!("{} could not be resolved ({error})", self.name);
                Values::error(kept(text))
            }
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
        self.reader.borrow().is_some()
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
        if !self.connection.read_ready() || !budget::spend() {
            return None;
        }
        self.poll(size)
    }

    fn poll(&self, size: usize) -> Option<Values> {
        let mut buffer = BUFFER.borrow_mut();
        buffer.resize(MAX_DATAGRAM, 0);
        match self.connection.recv_datagram(&mut buffer[..size.min(MAX_DATAGRAM)]) {
            Io::Done(n) => {
                budget::spend_bytes(n);
                Some(Values::one(build(|out| out.extend_from_slice(&buffer[..n]))))
            }
            Io::Again => None,
            Io::Error(errno) => {
                if self.log_errors
                    && let Some(host) = &*self.host.borrow()
                {
                    let text = strerror(errno);
                    host.log_error(format!("recv() failed ({errno}: {text})").as_bytes());
                }
                Some(Values::error(error_text(errno)))
            }
            Io::Eof => Some(Values::error(Value::Str("closed"))),
        }
    }

    /// Makes the thread wait for one. What the call returns if its deadline is
    /// over already.
    pub fn receive_later(
        self: &Rc<Self>,
        thread: &Rc<Thread>,
        size: usize,
        timeout: Msec,
    ) -> Option<Values> {
        if thread.is_past_deadline() {
            return Some(Values::error(Value::Str(DEADLINE)));
        }
        self.read_deadline.set(Some(current_msec().wrapping_add(timeout)));
        self.connection.arm_read_timer(timeout);
        self.reader.replace(Some((thread.clone(), size)));
        thread.wait_for(self.clone());
        self.watch_or_post();
        None
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
        let reader = self.reader.take();
        if let Some((thread, _)) = reader {
            thread.fail_soon("closed");
        }
        self.connection.close();
    }

    fn finish(&self, values: Values) {
        let reader = self.reader.take();
        if let Some((thread, _)) = reader {
            thread.host().clone().wake_with(&thread, values);
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
        let size = self.reader.borrow().as_ref().map(|(_, size)| *size);
        let Some(size) = size else {
            c.watch_read();
            return;
        };
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
    fn release(&self, _: &Thread) {
        self.reader.take();
    }

    fn interrupt(self: Rc<Self>, thread: &Rc<Thread>) {
        self.reader.take();
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
