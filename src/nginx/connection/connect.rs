//! Connecting to other servers.

use std::ffi::{c_int, c_void};
use std::mem::size_of;

use ngx::ffi::{
    NGX_ERROR, NGX_OK, ngx_event_actions, ngx_get_connection, ngx_handle_write_event,
    ngx_io,
};

use super::Connection;
use super::io::errno;
use crate::nginx::address::Address;
use crate::nginx::log::Log;

/// Why a connection could not be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// A system call failed with this errno.
    System(i32),
    /// nginx has no free connection.
    NoConnections,
    /// nginx could not watch it.
    NoEvents,
}

/// Whether a connection that was begun is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Connected,
    /// The write event tells.
    Connecting,
}

impl Connection {
    /// Begins to connect a stream socket, from `from` if that is given.
    pub fn connect(
        to: &Address,
        from: Option<&Address>,
    ) -> Result<(Connection, Progress), ConnectError> {
        let connection = Connection::open(to.family(), libc::SOCK_STREAM)?;
        if let Some(from) = from {
            connection.bind(from)?;
        }
        if to.ip_addr().is_some() {
            // Small requests are not to wait for the answer to the one before.
            connection.set_option(libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
        }
        connection.watch_all()?;
        let progress = connection.begin_connect(to)?;
        Ok((connection, progress))
    }

    /// A datagram socket that is connected, from `from` if that is given.
    pub fn datagram(
        to: &Address,
        from: Option<&Address>,
    ) -> Result<Connection, ConnectError> {
        let connection = Connection::open(to.family(), libc::SOCK_DGRAM)?;
        if let Some(from) = from {
            connection.bind(from)?;
        }
        connection.begin_connect(to)?;
        connection.watch_all()?;
        Ok(connection)
    }

    /// A connection with a new socket.
    fn open(family: c_int, kind: c_int) -> Result<Connection, ConnectError> {
        // SAFETY: the numbers of a socket; nginx's connection takes it over,
        // and is freed again by close().
        unsafe {
            let flags = kind | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
            let fd = libc::socket(family, flags, 0);
            if fd == -1 {
                return Err(ConnectError::System(errno()));
            }
            let log = Log::cycle().as_ptr();
            let c = ngx_get_connection(fd, log);
            if c.is_null() {
                libc::close(fd);
                return Err(ConnectError::NoConnections);
            }
            (*c).type_ = kind;
            (*c).recv = ngx_io.recv;
            (*c).send = ngx_io.send;
            (*(*c).read).log = log;
            (*(*c).write).log = log;
            Ok(Connection::new(c, false))
        }
    }

    /// Binds the socket to a local address: any port of it is 0.
    fn bind(&self, from: &Address) -> Result<(), ConnectError> {
        let Some(c) = self.get() else { return Err(ConnectError::NoConnections) };
        if from.port() == 0 && from.ip_addr().is_some() {
            // The port is taken at connect(), where one that is used towards
            // others can be used as well. Without it there are fewer.
            let option = libc::IP_BIND_ADDRESS_NO_PORT;
            let _ = self.set_option(libc::IPPROTO_IP, option, 1);
        }
        // SAFETY: the fd is open until close(); the address is `from`'s.
        match unsafe { libc::bind((*c).fd, from.as_ptr(), from.raw_len()) } {
            0 => Ok(()),
            _ => Err(ConnectError::System(errno())),
        }
    }

    /// Asks an edge-triggered method for all events, before there can be one.
    fn watch_all(&self) -> Result<(), ConnectError> {
        // SAFETY: live until close(); a method without add_conn is asked when
        // there is something to wait for.
        let rc = self.get().map_or(NGX_OK as isize, |c| unsafe {
            ngx_event_actions.add_conn.map_or(NGX_OK as isize, |add| add(c))
        });
        if rc == NGX_ERROR as isize { Err(ConnectError::NoEvents) } else { Ok(()) }
    }

    fn begin_connect(&self, to: &Address) -> Result<Progress, ConnectError> {
        let Some(c) = self.get() else { return Err(ConnectError::NoConnections) };
        // SAFETY: the fd is open until close(); the address is `to`'s.
        unsafe {
            if libc::connect((*c).fd, to.as_ptr(), to.raw_len()) == 0 {
                (*(*c).write).set_ready(1);
                return Ok(Progress::Connected);
            }
            match errno() {
                libc::EINPROGRESS => {
                    let rc = ngx_handle_write_event((*c).write, 0);
                    if rc == NGX_OK as isize {
                        Ok(Progress::Connecting)
                    } else {
                        Err(ConnectError::NoEvents)
                    }
                }
                error => Err(ConnectError::System(error)),
            }
        }
    }

    /// What became of a connection that was begun: 0, or an errno.
    pub fn connect_error(&self) -> i32 {
        match self.option(libc::SOL_SOCKET, libc::SO_ERROR) {
            Ok(error) | Err(error) => error,
        }
    }

    /// Sets an option of the socket whose value is a number.
    pub fn set_option(
        &self,
        level: i32,
        name: i32,
        value: i32,
    ) -> Result<(), ConnectError> {
        self.set_raw_option(level, name, &value).map_err(ConnectError::System)
    }

    /// Sets SO_LINGER: seconds, or none.
    pub fn set_linger(&self, seconds: Option<i32>) -> Result<(), i32> {
        let value = libc::linger {
            l_onoff: seconds.is_some().into(),
            l_linger: seconds.unwrap_or(0),
        };
        self.set_raw_option(libc::SOL_SOCKET, libc::SO_LINGER, &value)
    }

    fn set_raw_option<T: Copy>(
        &self,
        level: i32,
        name: i32,
        value: &T,
    ) -> Result<(), i32> {
        let Some(c) = self.get() else { return Err(libc::EBADF) };
        let value: *const c_void = (&raw const *value).cast();
        // SAFETY: the fd is open until close(); the kernel reads a T.
        let rc = unsafe {
            libc::setsockopt((*c).fd, level, name, value, size_of::<T>() as u32)
        };
        if rc == 0 { Ok(()) } else { Err(errno()) }
    }

    /// An option of the socket whose value is a number, or an errno.
    pub fn option(&self, level: i32, name: i32) -> Result<i32, i32> {
        self.raw_option(level, name, 0)
    }

    /// SO_LINGER: seconds, or none. Or an errno.
    pub fn linger(&self) -> Result<Option<i32>, i32> {
        let off = libc::linger { l_onoff: 0, l_linger: 0 };
        let value = self.raw_option(libc::SOL_SOCKET, libc::SO_LINGER, off)?;
        Ok((value.l_onoff != 0).then_some(value.l_linger))
    }

    /// An option that the kernel writes over `value`: a C type of its numbers.
    fn raw_option<T: Copy>(&self, level: i32, name: i32, mut value: T) -> Result<T, i32> {
        let Some(c) = self.get() else { return Err(libc::EBADF) };
        let mut len = size_of::<T>() as libc::socklen_t;
        // SAFETY: the fd is open until close(); at most a T is written, and any
        // bytes are one.
        let rc = unsafe {
            let value: *mut c_void = (&raw mut value).cast();
            libc::getsockopt((*c).fd, level, name, value, &raw mut len)
        };
        if rc == 0 { Ok(value) } else { Err(errno()) }
    }

    /// The socket's number; -1 after close().
    pub fn fd(&self) -> i32 {
        // SAFETY: live until close().
        self.get().map_or(-1, |c| unsafe { (*c).fd })
    }

    /// The address of the other side, or an errno.
    pub fn peer_address(&self) -> Result<Address, i32> {
        self.address(libc::getpeername)
    }

    /// The address of this side, or an errno.
    pub fn local_address(&self) -> Result<Address, i32> {
        self.address(libc::getsockname)
    }

    fn address(
        &self,
        get: unsafe extern "C" fn(
            c_int,
            *mut libc::sockaddr,
            *mut libc::socklen_t,
        ) -> c_int,
    ) -> Result<Address, i32> {
        let Some(c) = self.get() else { return Err(libc::EBADF) };
        // SAFETY: the fd is open until close(); the kernel writes an address
        // into the storage and its length.
        unsafe {
            let mut storage: libc::sockaddr_storage = std::mem::zeroed();
            let mut len = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            let at = (&raw mut storage).cast::<libc::sockaddr>();
            match get((*c).fd, at, &raw mut len) {
                0 => Ok(Address::from_raw(at, len)),
                _ => Err(errno()),
            }
        }
    }
}
