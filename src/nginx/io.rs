//! What a read or write on a socket came to.

/// The outcome of one system call on a non-blocking socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Io {
    /// This many bytes, more than none.
    Done(usize),
    /// Nothing for now; the event will tell.
    Again,
    /// The other side has finished sending.
    Eof,
    /// An error, by its errno.
    Error(i32),
}

/// The errno of a TLS connection whose other side has closed the socket and not
/// said so by close_notify first: what was sent last may be missing. No system
/// call on a socket gives it.
pub const TRUNCATED: i32 = libc::ENODATA;

/// The text for an errno as Lua gets it: the system's, in lower case.
pub fn strerror(errno: i32) -> String {
    let mut buf = [0 as libc::c_char; 128];
    // SAFETY: the XSI strerror_r writes at most buf.len() bytes with a NUL.
    unsafe { libc::strerror_r(errno, buf.as_mut_ptr(), buf.len()) };
    // SAFETY: buf holds a NUL-terminated string: it was zeroed, and
    // strerror_r terminates what it writes.
    let text = unsafe { std::ffi::CStr::from_ptr(buf.as_ptr()) };
    text.to_string_lossy().to_ascii_lowercase()
}
