//! Socket addresses: IPv4, IPv6 and Unix.

use std::ffi::OsStr;
use std::fmt;
use std::mem::{self, offset_of, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::OsStrExt;

use libc::{
    AF_INET, AF_INET6, AF_UNIX, sa_family_t, sockaddr, sockaddr_in, sockaddr_in6,
    sockaddr_storage, sockaddr_un, socklen_t,
};

/// An address that a socket can be connected to or bound to.
#[derive(Clone, Copy)]
pub struct Address {
    storage: sockaddr_storage,
    len: socklen_t,
}

impl Address {
    /// An IP address and a port.
    pub fn ip(ip: IpAddr, port: u16) -> Address {
        let mut address = Address::empty();
        let storage = &raw mut address.storage;
        // SAFETY: a sockaddr_storage is large and aligned enough for all of its
        // family; all bytes are initialised.
        unsafe {
            match ip {
                IpAddr::V4(ip) => {
                    let sin = storage.cast::<sockaddr_in>();
                    (*sin).sin_family = AF_INET as sa_family_t;
                    (*sin).sin_port = port.to_be();
                    (*sin).sin_addr.s_addr = u32::from(ip).to_be();
                    address.len = size_of::<sockaddr_in>() as socklen_t;
                }
                IpAddr::V6(ip) => {
                    let sin6 = storage.cast::<sockaddr_in6>();
                    (*sin6).sin6_family = AF_INET6 as sa_family_t;
                    (*sin6).sin6_port = port.to_be();
                    (*sin6).sin6_addr.s6_addr = ip.octets();
                    address.len = size_of::<sockaddr_in6>() as socklen_t;
                }
            }
        }
        address
    }

    /// A path in the file system, or after `@` a name in the abstract
    /// namespace. None if it is empty, too long or has a NUL.
    pub fn unix(path: &[u8]) -> Option<Address> {
        const START: usize = offset_of!(sockaddr_un, sun_path);
        const ROOM: usize = size_of::<sockaddr_un>() - START;
        if path.is_empty() || path.len() >= ROOM || path.contains(&0) {
            return None;
        }
        let mut address = Address::empty();
        let sun = (&raw mut address.storage).cast::<sockaddr_un>();
        // SAFETY: as in ip(); the path fits, with a NUL behind it.
        unsafe {
            (*sun).sun_family = AF_UNIX as sa_family_t;
            for (slot, &byte) in (*sun).sun_path.iter_mut().zip(path) {
                *slot = byte as libc::c_char;
            }
            if path[0] == b'@' {
                (*sun).sun_path[0] = 0;
                address.len = (START + path.len()) as socklen_t;
            } else {
                address.len = (START + path.len() + 1) as socklen_t;
            }
        }
        Some(address)
    }

    /// What the kernel or nginx has written.
    ///
    /// # Safety
    /// - `len` bytes at `from` are an address.
    pub unsafe fn from_raw(from: *const sockaddr, len: socklen_t) -> Address {
        let mut address = Address::empty();
        let len = (len as usize).min(size_of::<sockaddr_storage>());
        // SAFETY: by the caller's duty; both are as long as that.
        unsafe {
            let to = (&raw mut address.storage).cast::<u8>();
            std::ptr::copy_nonoverlapping(from.cast::<u8>(), to, len);
        }
        address.len = len as socklen_t;
        address
    }

    fn empty() -> Address {
        // SAFETY: plain data, for which zero is valid.
        Address { storage: unsafe { mem::zeroed() }, len: 0 }
    }

    /// For system calls.
    pub fn as_ptr(&self) -> *const sockaddr {
        (&raw const self.storage).cast()
    }

    /// How long it is, for system calls.
    pub fn raw_len(&self) -> socklen_t {
        self.len
    }

    /// AF_INET, AF_INET6 or AF_UNIX.
    pub fn family(&self) -> i32 {
        i32::from(self.storage.ss_family)
    }

    /// The IP address; None for a Unix address.
    pub fn ip_addr(&self) -> Option<IpAddr> {
        let storage = &raw const self.storage;
        // SAFETY: the family says what it is.
        unsafe {
            match self.family() {
                AF_INET => {
                    let ip = (*storage.cast::<sockaddr_in>()).sin_addr.s_addr;
                    Some(Ipv4Addr::from(u32::from_be(ip)).into())
                }
                AF_INET6 => {
                    let ip = (*storage.cast::<sockaddr_in6>()).sin6_addr.s6_addr;
                    Some(Ipv6Addr::from(ip).into())
                }
                _ => None,
            }
        }
    }

    /// The port; 0 for a Unix address.
    pub fn port(&self) -> u16 {
        let storage = &raw const self.storage;
        // SAFETY: the family says what it is.
        unsafe {
            match self.family() {
                AF_INET => u16::from_be((*storage.cast::<sockaddr_in>()).sin_port),
                AF_INET6 => u16::from_be((*storage.cast::<sockaddr_in6>()).sin6_port),
                _ => 0,
            }
        }
    }

    /// The same address with another port.
    pub fn with_port(&self, port: u16) -> Address {
        match self.ip_addr() {
            Some(IpAddr::V6(_)) => {
                let mut address = *self;
                let sin6 = (&raw mut address.storage).cast::<sockaddr_in6>();
                // SAFETY: it is an IPv6 address; its scope stays.
                unsafe { (*sin6).sin6_port = port.to_be() };
                address
            }
            Some(ip) => Address::ip(ip, port),
            None => *self,
        }
    }

    fn unix_path(&self) -> &[u8] {
        const START: usize = offset_of!(sockaddr_un, sun_path);
        let len = (self.len as usize).saturating_sub(START);
        let path = (&raw const self.storage).cast::<u8>();
        // SAFETY: the bytes are part of the storage.
        let path = unsafe { std::slice::from_raw_parts(path.add(START), len) };
        match path.iter().position(|&b| b == 0) {
            // A name in the abstract namespace begins with it.
            Some(end) if end > 0 => &path[..end],
            _ => path,
        }
    }
}

/// `1.2.3.4:80`, `[::1]:80`, `unix:/path`, `unix:@name`
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip_addr() {
            Some(IpAddr::V4(ip)) => write!(f, "{ip}:{}", self.port()),
            Some(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port()),
            None => match self.unix_path() {
                [0, name @ ..] => {
                    write!(f, "unix:@{}", OsStr::from_bytes(name).display())
                }
                path => write!(f, "unix:{}", OsStr::from_bytes(path).display()),
            },
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_address() {
        let v4 = Address::ip("127.0.0.1".parse().unwrap(), 80);
        assert_eq!(v4.to_string(), "127.0.0.1:80");
        let v6 = Address::ip("::1".parse().unwrap(), 6666);
        assert_eq!(v6.to_string(), "[::1]:6666");
        assert_eq!(v6.with_port(7).to_string(), "[::1]:7");
        assert_eq!(v4.with_port(7).ip_addr(), v4.ip_addr());
        assert_eq!(Address::unix(b"/tmp/x").unwrap().to_string(), "unix:/tmp/x");
        assert_eq!(Address::unix(b"@x").unwrap().to_string(), "unix:@x");
    }

    #[test]
    fn a_raw_address() {
        for address in [
            Address::ip("10.1.2.3".parse().unwrap(), 65535),
            Address::ip("fe80::1".parse().unwrap(), 1),
            Address::unix(b"/a/b").unwrap(),
        ] {
            // SAFETY: an address of ours.
            let copy = unsafe { Address::from_raw(address.as_ptr(), address.raw_len()) };
            assert_eq!(copy.to_string(), address.to_string());
        }
    }

    #[test]
    fn paths_that_are_none() {
        assert!(Address::unix(b"").is_none());
        assert!(Address::unix(b"a\0b").is_none());
        assert!(Address::unix(&[b'a'; 108]).is_none());
        assert!(Address::unix(&[b'a'; 107]).is_some());
    }
}
