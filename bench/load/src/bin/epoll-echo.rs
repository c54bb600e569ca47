//! epoll-echo: the least a server can do, as the lower bound of the benchmarks.
//!
//! One thread, edge-triggered epoll, no timers, no buffers beyond one for
//! reading: what does not fit into a socket at once is kept until it does.
//! Serves until a signal ends it. Usage: epoll-echo KIND:PORT..., where KIND is
//!   echo     what comes goes back
//!   connect  the same once, then the connection is closed
//!   bulk     "BYTES\n" comes, that many bytes of 0123456789abcdef go back

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::process::ExitCode;

const BUFFER: usize = 128 * 1024;
const EVENTS: usize = 512;

#[derive(Clone, Copy)]
enum Kind {
    Echo,
    Connect,
    Bulk,
}

/// What a descriptor is for; the table of them is indexed by the descriptor.
enum Slot {
    Free,
    Listener(TcpListener, Kind),
    Connection(Connection),
}

struct Connection {
    stream: TcpStream,
    kind: Kind,
    /// What did not fit into the socket.
    pending: Vec<u8>,
    /// Bytes that bulk still has to send.
    left: u64,
}

/// What a connection needs next.
#[derive(PartialEq, Eq)]
enum Next {
    Wait,
    Close,
}

struct Server {
    epoll: OwnedFd,
    slots: Vec<Slot>,
    buffer: Vec<u8>,
    bulk: Vec<u8>,
}

fn main() -> ExitCode {
    match Server::new().and_then(|mut server| {
        for arg in std::env::args().skip(1) {
            server.listen(&arg)?;
        }
        server.serve()
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("epoll-echo: {err}");
            ExitCode::FAILURE
        }
    }
}

impl Server {
    fn new() -> io::Result<Server> {
        // SAFETY: takes no pointer; the result is checked below.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call above just made fd, nobody else owns it.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        let bulk = b"0123456789abcdef".iter().copied().cycle().take(BUFFER).collect();
        Ok(Server { epoll, slots: Vec::new(), buffer: vec![0; BUFFER], bulk })
    }

    fn listen(&mut self, arg: &str) -> io::Result<()> {
        let wrong = || io::Error::other(format!("\"{arg}\" is not KIND:PORT"));
        let (kind, port) = arg.split_once(':').ok_or_else(wrong)?;
        let kind = match kind {
            "echo" => Kind::Echo,
            "connect" => Kind::Connect,
            "bulk" => Kind::Bulk,
            _ => return Err(wrong()),
        };
        let port: u16 = port.parse().map_err(|_| wrong())?;
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        listener.set_nonblocking(true)?;
        let fd = listener.as_raw_fd();
        // SAFETY: fd is the listener's; the second listen() only raises the
        // backlog from the 128 of std to what the system allows.
        if unsafe { libc::listen(fd, libc::SOMAXCONN) } < 0 {
            return Err(io::Error::last_os_error());
        }
        self.watch(fd, libc::EPOLLIN)?;
        self.put(fd, Slot::Listener(listener, kind));
        Ok(())
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        loop {
            // SAFETY: events is a live array of EVENTS entries.
            let n = unsafe {
                libc::epoll_wait(
                    self.epoll.as_raw_fd(),
                    events.as_mut_ptr(),
                    EVENTS as i32,
                    -1,
                )
            };
            if n < 0 {
                let err = io::Error::last_os_error();
                if err.kind() == io::ErrorKind::Interrupted {
                    continue;
                }
                return Err(err);
            }
            for event in &events[..n as usize] {
                self.handle(event.u64 as RawFd, event.events)?;
            }
        }
    }

    fn handle(&mut self, fd: RawFd, events: u32) -> io::Result<()> {
        let next = match &mut self.slots[fd as usize] {
            Slot::Connection(c) => c.handle(events, &mut self.buffer, &self.bulk),
            Slot::Listener(..) => return self.accept(fd),
            Slot::Free => Next::Wait,
        };
        if next == Next::Close {
            self.slots[fd as usize] = Slot::Free;
        }
        Ok(())
    }

    fn accept(&mut self, listener: RawFd) -> io::Result<()> {
        loop {
            let Slot::Listener(l, kind) = &self.slots[listener as usize] else {
                return Ok(());
            };
            let kind = *kind;
            let stream = match l.accept() {
                Ok((stream, _)) => stream,
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(err) => return Err(err),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let fd = stream.as_raw_fd();
            let events =
                libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
            self.watch(fd, events)?;
            let pending = Vec::new();
            let c = Connection { stream, kind, pending, left: 0 };
            self.put(fd, Slot::Connection(c));
        }
    }

    fn watch(&self, fd: RawFd, events: i32) -> io::Result<()> {
        let mut event = libc::epoll_event { events: events as u32, u64: fd as u64 };
        let epoll = self.epoll.as_raw_fd();
        // SAFETY: event lives over the call; both descriptors are open.
        if unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    fn put(&mut self, fd: RawFd, slot: Slot) {
        let fd = fd as usize;
        if fd >= self.slots.len() {
            self.slots.resize_with(fd + 1, || Slot::Free);
        }
        self.slots[fd] = slot;
    }
}

impl Connection {
    fn handle(&mut self, events: u32, buffer: &mut [u8], bulk: &[u8]) -> Next {
        let closing =
            events & (libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR) as u32;
        if !self.pending.is_empty() && !self.flush() {
            return if closing & libc::EPOLLERR as u32 != 0 {
                Next::Close
            } else {
                Next::Wait
            };
        }
        if matches!(self.kind, Kind::Bulk) {
            return self.bulk(buffer, bulk);
        }

        loop {
            let n = match (&self.stream).read(buffer) {
                Ok(0) => return Next::Close,
                Ok(n) => n,
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Next::Wait,
                Err(_) => return Next::Close,
            };
            if !self.send(&buffer[..n]) {
                return Next::Wait;
            }
            if matches!(self.kind, Kind::Connect) {
                return Next::Close;
            }
            // A short read emptied the socket: what comes next is a new edge,
            // but an end that has come already is not.
            if n < buffer.len() && closing == 0 {
                return Next::Wait;
            }
        }
    }

    /// Sends the number of bytes that a line asks for.
    fn bulk(&mut self, buffer: &mut [u8], bulk: &[u8]) -> Next {
        match (&self.stream).read(buffer) {
            Ok(0) => return Next::Close,
            Ok(n) => {
                let line = String::from_utf8_lossy(&buffer[..n]);
                self.left += line.trim().parse().unwrap_or(0);
            }
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Next::Close,
        }
        while self.left > 0 {
            let n = self.left.min(bulk.len() as u64);
            self.left -= n;
            if !self.send(&bulk[..n as usize]) {
                break;
            }
        }
        Next::Wait
    }

    /// Sends `data`; false when a part of it has to wait.
    fn send(&mut self, data: &[u8]) -> bool {
        // An error shows at the next read.
        let n = (&self.stream).write(data).unwrap_or(0);
        if n < data.len() {
            self.pending.extend_from_slice(&data[n..]);
            return false;
        }
        true
    }

    /// Sends what waits; false when a part of it has to wait on.
    fn flush(&mut self) -> bool {
        while !self.pending.is_empty() {
            match (&self.stream).write(&self.pending) {
                Ok(n) => drop(self.pending.drain(..n)),
                Err(_) => return false,
            }
        }
        true
    }
}
