//! A file that nginx opens with the configuration and reopens when it is told to
//! (USR1): a log.

use std::ptr::{self, NonNull};

use ngx::ffi::{
    NGX_HTTP_LOG_PATH, ngx_conf_open_file, ngx_cycle, ngx_cycle_t, ngx_open_file_t,
    ngx_str_t,
};

use super::conf::{Conf, ConfError, bytes};
use super::connection::errno;

/// The file; it lives as long as the cycle that opened it.
#[derive(Clone, Copy)]
pub struct OpenFile {
    file: NonNull<ngx_open_file_t>,
    cycle: *const ngx_cycle_t,
}

impl Conf {
    /// The file of argument `i`, which nginx opens for appending when all of the
    /// configuration has been read. Whoever names the same file shares it.
    pub fn open_file(&mut self, i: usize) -> Result<OpenFile, ConfError> {
        let name = self.arg(i);
        let name = ngx_str_t { len: name.len(), data: name.as_ptr().cast_mut() };
        // SAFETY: a word of the configuration, which ends in NUL and lives in the
        // cycle's pool.
        unsafe { self.open_named(name) }
    }

    /// As open_file(), of a name that is not in the configuration.
    pub fn open_file_named(&mut self, name: &[u8]) -> Result<OpenFile, ConfError> {
        let text = self.alloc([name, b"\0"].concat())?;
        let name = ngx_str_t { len: name.len(), data: text.as_mut_ptr() };
        // SAFETY: it ends in NUL and lives in the cycle's pool.
        unsafe { self.open_named(name) }
    }

    /// # Safety
    /// - `name` ends in NUL and lives as long as the cycle.
    unsafe fn open_named(&mut self, mut name: ngx_str_t) -> Result<OpenFile, ConfError> {
        let cycle = self.cycle();
        // SAFETY: the cycle being made; nginx keeps the record in its pool.
        let file = unsafe { ngx_conf_open_file(cycle, &raw mut name) };
        let file = NonNull::new(file).ok_or(ConfError::Logged)?;
        Ok(OpenFile { file, cycle })
    }
}

impl OpenFile {
    pub(super) fn as_ptr(&self) -> *mut ngx_open_file_t {
        self.file.as_ptr()
    }

    /// Its whole path.
    pub fn name(&self) -> &[u8] {
        // SAFETY: the record and its name live as long as the cycle.
        unsafe { bytes(&(*self.file.as_ptr()).name) }
    }

    /// Writes by one system call: how many bytes the kernel took, or an errno.
    pub fn write(&self, line: &[u8]) -> Result<usize, i32> {
        let Some(fd) = self.fd() else { return Ok(line.len()) };
        loop {
            // SAFETY: nginx keeps the file open; write() reads `line` only.
            let n = unsafe { libc::write(fd, line.as_ptr().cast(), line.len()) };
            match usize::try_from(n) {
                Ok(n) => return Ok(n),
                Err(_) if errno() == libc::EINTR => {}
                Err(_) => return Err(errno()),
            }
        }
    }

    /// The open file; None when it is closed: a process without master that reads its
    /// configuration anew closes the files of the old one, whose connections go on.
    fn fd(&self) -> Option<i32> {
        // SAFETY: its cycle lives: what writes to the file is of the same one.
        unsafe {
            let is_open = ptr::eq(self.cycle, ngx_cycle);
            is_open.then(|| (*self.file.as_ptr()).fd)
        }
    }
}

/// Where nginx was told to have http's log if nothing is said about it.
pub fn http_log_path() -> &'static [u8] {
    NGX_HTTP_LOG_PATH.to_bytes()
}
