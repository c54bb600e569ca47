//! The buffer of a log's file: lines are written when it is full, when the oldest is
//! so old, when nginx reopens the file, and when the worker exits.

use std::cell::{RefCell, UnsafeCell};
use std::ffi::{c_int, c_void};
use std::{mem, ptr};

use ngx::ffi::{
    ngx_add_timer, ngx_del_timer, ngx_event_t, ngx_log_t, ngx_msec_t, ngx_open_file_t,
};

use super::Msec;
use super::conf::{Conf, ConfError, lossy};
use super::guard::guard;
use super::log::{Complaint, Level, Log};
use super::open_file::OpenFile;

/// A file's buffer. nginx has its address.
#[repr(C)]
pub struct LogBuffer {
    /// nginx's http takes what another module has for a file for a buffer of its
    /// own, and compares its sizes: zeros, which are none of its.
    _http: [usize; 8],
    file: OpenFile,
    size: usize,
    /// How old a line gets at most.
    flush: Option<Msec>,
    lines: RefCell<Vec<u8>>,
    complaint: Complaint,
    timer: UnsafeCell<ngx_event_t>,
    /// nginx's debug log reads a connection's fd here.
    ident: UnsafeCell<Ident>,
}

/// The first fields of `ngx_connection_t`.
#[repr(C)]
struct Ident {
    buffer: *const LogBuffer,
    read: usize,
    write: usize,
    fd: c_int,
}

impl Conf {
    /// The buffer of a file, which all logs of that file share.
    pub fn log_buffer(
        &mut self,
        file: OpenFile,
        size: usize,
        flush: Option<Msec>,
    ) -> Result<&'static LogBuffer, ConfError> {
        let raw = file.as_ptr();
        // SAFETY: the file is of the cycle being made; its data are ours where its
        // flush is, see below.
        unsafe {
            if let Some(known) = (*raw).flush {
                let ours = known as *const () == flush_file as *const ();
                let buffer: &'static LogBuffer = match ours {
                    true => &*(*raw).data.cast(),
                    false => return Err(conflict(&file)),
                };
                return match buffer.size == size && buffer.flush == flush {
                    true => Ok(buffer),
                    false => Err(conflict(&file)),
                };
            }
            // Now: where it cannot be had a worker would end with its first line.
            let mut lines = Vec::new();
            if lines.try_reserve_exact(size).is_err() {
                return Err(ConfError::Text(format!("malloc({size}) failed")));
            }
            let buffer = self.alloc(LogBuffer {
                _http: [0; 8],
                file,
                size,
                flush,
                lines: RefCell::new(lines),
                complaint: Complaint::default(),
                // All fields of ngx_event_t are valid when zero.
                timer: UnsafeCell::new(mem::zeroed()),
                ident: UnsafeCell::new(Ident {
                    buffer: ptr::null(),
                    read: 0,
                    write: 0,
                    fd: -1,
                }),
            })?;
            (*buffer.ident.get()).buffer = ptr::from_ref(buffer);
            (*raw).data = ptr::from_mut(buffer).cast::<c_void>();
            (*raw).flush = Some(flush_file);
            Ok(buffer)
        }
    }
}

fn conflict(file: &OpenFile) -> ConfError {
    let name = lossy(file.name());
    ConfError::Text(format!(
        "access_log \"{name}\" already defined with conflicting parameters"
    ))
}

impl LogBuffer {
    /// Its file.
    pub fn file(&self) -> OpenFile {
        self.file
    }

    /// Keeps a line. What has to be written before, or instead, is what `write` gets.
    pub fn add(&'static self, line: &[u8], mut write: impl FnMut(&[u8])) {
        let mut lines = self.lines.borrow_mut();
        if lines.len() + line.len() > self.size && !lines.is_empty() {
            write(&lines);
            lines.clear();
            self.disarm();
        }
        if line.len() > self.size {
            return write(line);
        }
        if lines.is_empty() {
            self.arm();
        }
        lines.extend_from_slice(line);
    }

    /// Writes what is there.
    pub fn flush(&self) {
        self.disarm();
        let mut lines = self.lines.borrow_mut();
        if lines.is_empty() {
            return;
        }
        let (errno, text) = match self.file.write(&lines) {
            Ok(n) if n == lines.len() => (0, None),
            Ok(n) => (0, Some(format!("was incomplete: {n} of {}", lines.len()))),
            Err(errno) => (errno, Some("failed".to_owned())),
        };
        if let Some(text) = text
            && self.complaint.is_due()
        {
            let name = lossy(self.file.name());
            let text = format_args!("write() to \"{name}\" {text}");
            Log::cycle().write(Level::Alert, errno, text);
        }
        lines.clear();
    }

    fn arm(&'static self) {
        let Some(flush) = self.flush else { return };
        let timer = self.timer.get();
        // SAFETY: the event is in the cycle's memory, and drop() takes it from nginx;
        // only this thread touches it.
        unsafe {
            (*timer).handler = Some(on_timer);
            (*timer).data = self.ident.get().cast();
            (*timer).log = Log::cycle().as_ptr();
            // An exiting worker need not wait for it.
            (*timer).set_cancelable(1);
            ngx_add_timer(timer, flush as ngx_msec_t);
        }
    }

    fn disarm(&self) {
        let timer = self.timer.get();
        // SAFETY: as in arm(); it is deleted only if it is set.
        unsafe {
            if (*timer).timer_set() != 0 {
                ngx_del_timer(timer);
            }
        }
    }
}

impl Drop for LogBuffer {
    fn drop(&mut self) {
        self.disarm();
    }
}

unsafe extern "C" fn on_timer(event: *mut ngx_event_t) {
    // SAFETY: armed by arm(), whose Ident tells the buffer, which is in the memory of
    // the cycle.
    let buffer = unsafe { &*(*(*event).data.cast::<Ident>()).buffer };
    guard("the flush of a log", (), || buffer.flush());
}

/// `ngx_open_file_t.flush`: nginx is about to reopen the file, or to exit.
unsafe extern "C" fn flush_file(file: *mut ngx_open_file_t, _log: *mut ngx_log_t) {
    // SAFETY: set by log_buffer() together with the data.
    let buffer = unsafe { &*(*file).data.cast::<LogBuffer>() };
    guard("the flush of a log", (), || buffer.flush());
}
