//! An error log that nginx sets up, a file, stderr, syslog or memory; and one whose
//! lines are sent as datagrams.

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use ngx::ffi::{
    ngx_list_part_t, ngx_log_set_log, ngx_log_t, ngx_open_file_t, ngx_uint_t, u_char,
};

use super::{CONF_OK, Conf, ConfError, ConfResult};
use crate::nginx::datagram::{self, Datagram};
use crate::nginx::log::Log;

/// A log that is sent, until the cycle of both ends.
struct Sender {
    log: Log,
    /// The first of the logs outside of all blocks: nginx exchanges their contents
    /// when a later one is of a higher level.
    first: *mut ngx_log_t,
    socket: Datagram,
}

impl Conf {
    /// The log whose target is the directive's first argument, as `error_log`
    /// takes it. nginx would refuse levels of ours, so it sees the target only.
    pub fn open_log(&mut self, level: usize) -> Result<*mut ngx_log_t, ConfError> {
        let mut log = ptr::null_mut();
        // SAFETY: the directive has at least one argument (its row says so), so
        // two words are left; nginx makes the log in the cycle's pool because
        // the head is NULL.
        unsafe {
            let args = (*self.as_ptr()).args;
            (*args).nelts = 2;
            if ngx_log_set_log(self.as_ptr(), &raw mut log) != CONF_OK || log.is_null() {
                return Err(ConfError::Logged);
            }
            (*log).log_level = level;
        }
        Ok(log)
    }

    /// Sends the lines of a log of the cycle being made to `socket`. Its file stays
    /// open: nginx wants one for what it says when it exits.
    pub fn send_log(&mut self, log: Log, socket: Datagram) -> ConfResult {
        let fd = socket.fd();
        let first = self.cycle_log();
        self.alloc(Sender { log, first, socket })?;
        // SAFETY: the log is of this cycle. The writer is in our library, which the
        // cycle has loaded and unloads after it has dropped the Sender; the socket
        // is open until then.
        unsafe {
            let log = log.as_ptr();
            (*log).writer = Some(write);
            (*log).wdata = ptr::without_provenance_mut(fd as usize);
        }
        Ok(())
    }

    /// Whether its lines are sent already.
    pub fn is_sent(&self, log: Log) -> bool {
        is_sent(log.as_ptr())
    }

    /// The log of the last `error_log` outside of all blocks, if there was one. nginx
    /// keeps them in the order of their levels; what it has opened last is the last
    /// file.
    pub fn last_main_log(&self) -> Option<Log> {
        // SAFETY: the logs of the cycle being made, linked by nginx, and its files.
        unsafe {
            let mut next = NonNull::new(self.cycle_log());
            let mut last = None;
            while let Some(log) = next {
                let log = log.as_ref();
                if log.log_level != 0 {
                    let place = self.place_of(log.file);
                    if last.is_none_or(|(_, found)| place > found) {
                        last =
                            Some((Log::from_raw(ptr::from_ref(log).cast_mut()), place));
                    }
                }
                next = NonNull::new(log.next);
            }
            last.map(|(log, _)| log)
        }
    }

    /// Which of the files that nginx was told to open it is; 0 if it is none.
    ///
    /// # Safety
    /// - `file` is null or of the cycle being made.
    unsafe fn place_of(&self, file: *mut ngx_open_file_t) -> usize {
        let (mut place, mut before) = (0, 0);
        // SAFETY: the cycle's list of parts, each an array.
        unsafe {
            let files = &raw const (*self.cycle()).open_files;
            let mut part: *const ngx_list_part_t = &raw const (*files).part;
            while let Some(files) = part.as_ref() {
                let elts = files.elts.cast::<ngx_open_file_t>();
                if let Some(i) = (0..files.nelts).find(|&i| elts.add(i) == file) {
                    place = before + i + 1;
                }
                before += files.nelts;
                part = files.next;
            }
        }
        place
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let own = self.socket.fd() as usize;
        for first in [self.log.as_ptr(), self.first] {
            let mut log = first;
            while !log.is_null() {
                // SAFETY: the logs are of the same cycle, whose memory is still
                // there. What nginx debugs while it frees that must not come to a
                // closed socket, nor to a library that is gone.
                unsafe {
                    if is_sent(log) && (*log).wdata.addr() == own {
                        (*log).log_level = 0;
                        (*log).writer = None;
                        (*log).wdata = ptr::null_mut();
                    }
                    log = (*log).next;
                }
            }
        }
    }
}

fn is_sent(log: *mut ngx_log_t) -> bool {
    // SAFETY: a log of a configuration, see Log.
    unsafe {
        (*log).writer.is_some_and(|writer| writer as *const () == write as *const ())
    }
}

/// `ngx_log_t.writer`. It runs in signal handlers, too: no more than system calls.
unsafe extern "C" fn write(
    log: *mut ngx_log_t,
    _level: ngx_uint_t,
    line: *mut u_char,
    len: usize,
) {
    // SAFETY: nginx passes the log, or a connection's copy of it, and a whole line;
    // errno is kept, as the handlers of signals want it.
    unsafe {
        let errno = *libc::__errno_location();
        datagram::send((*log).wdata.addr() as c_int, line, len);
        *libc::__errno_location() = errno;
    }
}
