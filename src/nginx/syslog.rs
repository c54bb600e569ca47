//! A syslog server, as nginx's `syslog:server=...` sets it up.

use std::cell::UnsafeCell;
use std::ptr::NonNull;

use ngx::ffi::{
    ngx_cycle, ngx_syslog_add_header, ngx_syslog_peer_t, ngx_syslog_process_conf,
    ngx_syslog_send,
};

use super::conf::{CONF_OK, Conf, ConfError, bytes};

/// The server; it lives as long as the cycle that was told of it.
#[derive(Clone, Copy)]
pub struct Syslog {
    peer: NonNull<ngx_syslog_peer_t>,
}

impl Conf {
    /// What the directive's first argument says.
    pub fn syslog(&mut self) -> Result<Syslog, ConfError> {
        // SAFETY: all-zero is how nginx starts with such a record.
        let peer = UnsafeCell::new(unsafe { std::mem::zeroed::<ngx_syslog_peer_t>() });
        let peer = self.alloc(peer)?.get();
        // SAFETY: the directive has an argument, which nginx reads; the record is of
        // the cycle's pool, as nginx wants it.
        if unsafe { ngx_syslog_process_conf(self.as_ptr(), peer) } != CONF_OK {
            return Err(ConfError::Logged);
        }
        NonNull::new(peer).map(|peer| Syslog { peer }).ok_or(ConfError::Logged)
    }
}

impl Syslog {
    /// Appends what comes before a message.
    pub fn append_header(&self, out: &mut Vec<u8>) {
        // "<255>Jan 01 00:00:00 HOST TAG: "
        const REST: usize = 32;
        // SAFETY: the peer lives with its cycle; the header has its parts at most as
        // long as they are counted here, and is written to reserved bytes.
        unsafe {
            let peer = self.peer.as_ptr();
            let host = bytes(&(*ngx_cycle).hostname).len();
            out.reserve(REST + host + bytes(&(*peer).tag).len());
            let start = out.as_mut_ptr().add(out.len());
            let end = ngx_syslog_add_header(peer, start);
            out.set_len(out.len() + end.offset_from_unsigned(start));
        }
    }

    /// Sends a message with its header: how many bytes, or None.
    pub fn send(&self, message: &mut [u8]) -> Option<usize> {
        // SAFETY: the peer lives with its cycle; nginx reads the message only.
        let n = unsafe {
            ngx_syslog_send(self.peer.as_ptr(), message.as_mut_ptr(), message.len())
        };
        usize::try_from(n).ok()
    }
}
