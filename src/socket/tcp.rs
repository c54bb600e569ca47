//! A TCP socket: buffered reads by pattern, joined writes.
//!
//! Never blocks and never waits: `receive` and `flush` go as far as the kernel
//! lets them and say so. Waiting is the session's affair.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use super::buffer::{self, SCRATCH_SIZE};
use super::input::Input;
use super::output::{Output, Sent};
use crate::nginx::connection::Connection;
use crate::nginx::io::{Io, TRUNCATED, strerror};
use crate::nginx::local::Local;
use crate::text::pattern::{Found, Scan, Scanner};

/// Reads of at least this many missing bytes go to the socket's own buffer
/// instead of the scratch buffer: they are not copied twice.
const DIRECT_READ: usize = 4096;

/// How much a read takes where many answers come with it.
const WIDE_READ: usize = 64 * 1024;

/// One call reads no more than about so much before it lets others have a
/// turn, however fast the other side sends; the socket stays ready.
const TURN_READ: usize = 1024 * 1024;
/// The same for bytes that nobody wants: reads of `SCRATCH_SIZE`.
const TURN_DISCARDS: usize = 16;

/// Why a socket does not give or take bytes any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketError {
    /// The time for the operation is over. The socket stays usable.
    Timeout,
    /// The other side has finished sending, or this side was closed.
    Closed,
    /// What was to be received goes on beyond what it may have. The socket stays
    /// usable.
    TooLong,
    /// A system call failed with this errno.
    System(i32),
}

impl SocketError {
    /// The word for a time that is over.
    pub const TIMEOUT: &str = "timeout";

    /// The word that Lua gets.
    pub fn text(self) -> Cow<'static, str> {
        match self {
            SocketError::Timeout => Cow::Borrowed(SocketError::TIMEOUT),
            SocketError::Closed | SocketError::System(TRUNCATED) => {
                Cow::Borrowed("closed")
            }
            SocketError::TooLong => Cow::Borrowed("too long"),
            SocketError::System(libc::ECONNRESET) => {
                Cow::Borrowed("connection reset by peer")
            }
            SocketError::System(libc::EPIPE) => Cow::Borrowed("broken pipe"),
            SocketError::System(errno) => Cow::Owned(strerror(errno)),
        }
    }
}

/// The answer of `TcpSocket::receive`; the bytes are valid inside of the
/// callback that gets it, and in place until the next use of the socket.
pub enum Received<'a> {
    Data(&'a [u8]),
    Failed(SocketError, &'a [u8]),
}

/// What `TcpSocket::find` is told of the bytes at the front.
pub enum Look<R> {
    /// This is it, and takes so many of them.
    Found(R, usize),
    /// So many of them are of no interest.
    Passed(usize),
    /// So many more are needed, at least.
    Missing(usize),
    /// No more of them now.
    Enough,
}

/// The socket of a session or, later, of a script.
pub struct TcpSocket {
    pub connection: Connection,
    input: RefCell<Input>,
    output: RefCell<Output>,
    /// Why nothing more can be read once the buffer is empty.
    read_end: Cell<Option<SocketError>>,
    /// Why nothing more can be written.
    write_end: Cell<Option<SocketError>>,
    /// The kernel's buffer was full at the last write.
    blocked: Cell<bool>,
    /// Something was sent or queued.
    written: Cell<bool>,
}

/// Lines with CRs inside are put together here.
static LINE: Local<RefCell<Vec<u8>>> = Local::new(RefCell::new(Vec::new()));

/// Frees what such lines left, when the process ends.
pub(super) fn free_line() {
    LINE.take();
}

impl TcpSocket {
    /// A socket over an accepted connection.
    pub fn new(connection: Connection) -> TcpSocket {
        TcpSocket {
            connection,
            input: RefCell::new(Input::default()),
            output: RefCell::new(Output::default()),
            read_end: Cell::new(None),
            write_end: Cell::new(None),
            blocked: Cell::new(false),
            written: Cell::new(false),
        }
    }

    /// Whether a receive could come to anything now: cheaper than to try.
    #[inline]
    pub fn may_receive(&self) -> bool {
        self.connection.read_ready() || self.has_unread() || self.read_end.get().is_some()
    }

    /// Reads until `scanner` is satisfied, the other side closes, nothing more
    /// is there or too much is (None). `give` sees the bytes in place.
    pub fn receive<R>(
        &self,
        scanner: &mut Scanner,
        give: impl FnOnce(Received<'_>) -> R,
    ) -> Option<R> {
        let mut input = self.input.borrow_mut();
        let mut turn = TURN_READ;
        loop {
            let ended = self.read_end.get();
            if !input.is_empty() || ended.is_some() {
                let scan =
                    scanner.scan(input.unread(), ended == Some(SocketError::Closed));
                let found = match (scan, ended) {
                    (Scan::Done(found), _) => Some((found, None)),
                    (Scan::Eof(found), error) => {
                        Some((found, Some(error.unwrap_or(SocketError::Closed))))
                    }
                    // A broken connection is no regular end, not even for "*a".
                    (Scan::NeedMore, Some(error)) => {
                        Some((scanner.partial(input.unread()), Some(error)))
                    }
                    (Scan::NeedMore, None) => None,
                };
                if let Some((found, error)) = found {
                    let error = match found.too_long {
                        true => {
                            scanner.give_up();
                            Some(SocketError::TooLong)
                        }
                        false => error,
                    };
                    let answer = with_result(&found, input.unread(), |bytes| {
                        give(match error {
                            None => Received::Data(bytes),
                            Some(error) => Received::Failed(error, bytes),
                        })
                    });
                    input.consume(found.consumed());
                    return Some(answer);
                }
            }
            if turn == 0 || !self.connection.read_ready() {
                return None;
            }

            let missing = scanner.missing(input.unread());
            if missing >= DIRECT_READ || !input.is_empty() {
                // No more than about what is missing, and no trust in hostile
                // sizes: the buffer grows as data comes.
                let want = missing.clamp(SCRATCH_SIZE, 256 * 1024);
                let io = input.read(&self.connection, want);
                if let Io::Done(n) = io {
                    turn = turn.saturating_sub(n);
                }
                if !self.note_read(io) {
                    return None;
                }
                continue;
            }

            let mut scratch = buffer::scratch();
            let io = self.connection.recv(&mut scratch);
            let Io::Done(n) = io else {
                drop(scratch);
                if !self.note_read(io) {
                    return None;
                }
                continue;
            };
            let bytes = &scratch[..n];
            // The usual way: the answer is in what this read brought.
            if let Scan::Done(found) = scanner.scan(bytes, false)
                && !found.too_long
            {
                let answer = with_result(&found, bytes, |b| give(Received::Data(b)));
                let rest = &bytes[found.consumed()..];
                if !rest.is_empty() {
                    input.append(rest);
                }
                return Some(answer);
            }
            input.append(bytes);
        }
    }

    /// Reads until `look` has found what it looks for at the front of what is
    /// unread (which stays in place until the next use of the socket), the other
    /// side closes, nothing more is there or too much is (None).
    pub fn find<R>(
        &self,
        mut look: impl FnMut(&[u8]) -> Look<R>,
    ) -> Option<Result<R, SocketError>> {
        let mut input = self.input.borrow_mut();
        let mut turn = TURN_READ;
        loop {
            let missing = match input.unread() {
                [] => 1,
                unread => match look(unread) {
                    Look::Found(answer, n) => {
                        input.consume(n);
                        return Some(Ok(answer));
                    }
                    Look::Passed(n) => {
                        input.consume(n);
                        continue;
                    }
                    Look::Missing(n) => n,
                    Look::Enough => return None,
                },
            };
            if let Some(error) = self.read_end.get() {
                return Some(Err(error));
            }
            if turn == 0 || !self.connection.read_ready() {
                break;
            }
            input.shrink();
            let want = missing.clamp(WIDE_READ, 256 * 1024);
            let io = input.read(&self.connection, want);
            if let Io::Done(n) = io {
                turn = turn.saturating_sub(n);
            }
            if !self.note_read(io) {
                break;
            }
        }
        input.release();
        None
    }

    /// Takes what `look` finds at the front of what was read already, and its length.
    #[inline]
    pub fn take_front<R>(
        &self,
        look: impl FnOnce(&[u8]) -> Option<(R, usize)>,
    ) -> Option<R> {
        let mut input = self.input.borrow_mut();
        let (found, n) = look(input.unread())?;
        input.consume(n);
        Some(found)
    }

    /// What a receive that gives up returns as partial result; consumes it.
    pub fn take_partial<R>(&self, scanner: &Scanner, give: impl FnOnce(&[u8]) -> R) -> R {
        let mut input = self.input.borrow_mut();
        let found = scanner.partial(input.unread());
        let answer = with_result(&found, input.unread(), give);
        input.consume(found.consumed());
        answer
    }

    /// Whether there are unread bytes, trying to read some: None if the socket
    /// has nothing for now, Some(false) if nothing will ever come.
    pub fn poll_input(&self) -> Option<bool> {
        let mut input = self.input.borrow_mut();
        loop {
            if !input.is_empty() {
                return Some(true);
            }
            if self.read_end.get().is_some() {
                return Some(false);
            }
            if !self.connection.read_ready() {
                return None;
            }
            let mut scratch = buffer::scratch();
            let io = self.connection.recv(&mut scratch);
            if let Io::Done(n) = io {
                input.append(&scratch[..n]);
            }
            drop(scratch);
            if !self.note_read(io) {
                return None;
            }
        }
    }

    /// Reads and drops what is there, or a part of it if it is much; false
    /// when the other side is gone.
    pub fn discard_input(&self) -> bool {
        self.input.borrow_mut().clear();
        for _ in 0..TURN_DISCARDS {
            if self.read_end.get().is_some() || !self.connection.read_ready() {
                break;
            }
            let io = self.connection.recv(&mut buffer::scratch());
            if !self.note_read(io) {
                break;
            }
        }
        self.read_end.get().is_none()
    }

    /// Whether bytes were read that nobody took.
    #[inline]
    pub fn has_unread(&self) -> bool {
        !self.input.borrow().is_empty()
    }

    /// Drops all bytes, read and unsent.
    pub fn discard_buffers(&self) {
        self.input.borrow_mut().clear();
        self.output.borrow_mut().clear();
    }

    /// Gives back a large buffer that holds no bytes.
    #[inline(always)]
    pub fn release_large_input(&self) {
        let mut input = self.input.borrow_mut();
        if input.is_large() {
            input.release();
        }
    }

    /// Gives back memory that holds no bytes.
    pub fn release_buffers(&self) {
        self.input.borrow_mut().release();
        self.output.borrow_mut().release();
    }

    /// Queues bytes, or sends them if they are many.
    #[inline(always)]
    pub fn write(&self, bytes: &[u8]) -> Result<Sent, SocketError> {
        self.writable()?;
        let sent =
            self.output.borrow_mut().write(&self.connection, bytes, self.blocked.get());
        self.note_sent(sent)
    }

    /// Queues a line and its LF; sends if much is queued.
    #[inline(always)]
    pub fn write_line(&self, line: &[u8]) -> Result<Sent, SocketError> {
        self.writable()?;
        let mut output = self.output.borrow_mut();
        let buffer = output.buffer();
        buffer.reserve(line.len() + 1);
        buffer.extend_from_slice(line);
        buffer.push(b'\n');
        if output.len() < super::output::JOIN_SIZE {
            return Ok(Sent::All);
        }
        drop(output);
        self.flush()
    }

    /// Lets `append` add to the queue: how long that was before, and is now.
    #[inline]
    pub fn push(&self, append: impl FnOnce(&mut Vec<u8>)) -> (usize, usize) {
        let mut output = self.output.borrow_mut();
        let before = output.len();
        append(output.buffer());
        (before, output.len())
    }

    /// Lets `append` add to the queue; its error takes back what it added.
    pub fn write_with<E>(
        &self,
        append: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<usize, E> {
        let mut output = self.output.borrow_mut();
        let buffer = output.buffer();
        let before = buffer.len();
        let result = append(buffer);
        if result.is_err() {
            buffer.truncate(before);
        }
        let added = buffer.len() - before;
        result.map(|()| added)
    }

    /// Sends bytes at once; what the kernel does not take is queued.
    #[inline]
    pub fn send(&self, bytes: &[u8]) -> Result<Sent, SocketError> {
        self.writable()?;
        let sent =
            self.output.borrow_mut().send(&self.connection, bytes, self.blocked.get());
        self.note_sent(sent)
    }

    /// Gives what is there to `take`, and drops it; false when `take` says so, or
    /// nothing more will come.
    pub fn drain(&self, mut take: impl FnMut(&[u8]) -> bool) -> bool {
        let mut input = self.input.borrow_mut();
        let good = take(input.unread());
        input.clear();
        drop(input);
        if !good || self.read_end.get().is_some() {
            return false;
        }
        for _ in 0..TURN_DISCARDS {
            let mut scratch = buffer::scratch();
            match self.connection.recv(&mut scratch) {
                Io::Done(n) if take(&scratch[..n]) => {}
                Io::Again => return true,
                _ => return false,
            }
        }
        // It may go on in the next turn.
        self.connection.post_read();
        true
    }

    /// Adds bytes to those that were read and that nobody took.
    pub fn put_back(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.input.borrow_mut().append(bytes);
        }
    }

    /// Whether so much is queued that it has to go now.
    pub fn output_is_long(&self) -> bool {
        self.output.borrow().len() >= super::output::JOIN_SIZE
    }

    /// Sends what is queued, unless the kernel's buffer is known to be full.
    #[inline(always)]
    pub fn flush(&self) -> Result<Sent, SocketError> {
        let mut output = self.output.borrow_mut();
        if output.is_empty() {
            return Ok(Sent::All);
        }
        if let Some(error) = self.write_end.get() {
            output.clear();
            return Err(error);
        }
        if self.blocked.get() {
            return Ok(Sent::Blocked);
        }
        let sent = output.flush(&self.connection);
        drop(output);
        self.note_sent(sent)
    }

    /// As flush, after an event said that the kernel has room.
    pub fn flush_ready(&self) -> Result<Sent, SocketError> {
        self.blocked.set(false);
        let sent = self.flush();
        if let Ok(Sent::Blocked) = sent {
            self.output.borrow_mut().compact();
        }
        sent
    }

    /// Whether the kernel's buffer was full at the last write.
    #[inline]
    pub fn is_blocked(&self) -> bool {
        self.blocked.get()
    }

    /// How many bytes wait for the kernel.
    pub fn queued(&self) -> usize {
        self.output.borrow().len()
    }

    /// Drops what is queued; later writes fail with `error`.
    pub fn abandon_output(&self, error: SocketError) {
        self.output.borrow_mut().clear();
        self.write_end.set(Some(error));
    }

    /// Whether anything was ever written.
    pub fn has_written(&self) -> bool {
        self.written.get()
    }

    /// Fails if nothing can be written any more.
    pub fn writable(&self) -> Result<(), SocketError> {
        match self.write_end.get() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Why reading has ended, if it has.
    #[inline]
    pub fn read_end(&self) -> Option<SocketError> {
        self.read_end.get()
    }

    /// Notes what a read came to; false if there is nothing for now.
    #[inline(always)]
    fn note_read(&self, io: Io) -> bool {
        match io {
            Io::Done(_) => true,
            Io::Again => false,
            Io::Eof => {
                self.read_end.set(Some(SocketError::Closed));
                true
            }
            Io::Error(errno) => {
                self.read_end.set(Some(SocketError::System(errno)));
                // A broken connection takes nothing either.
                self.write_end.set(Some(SocketError::Closed));
                true
            }
        }
    }

    #[inline(always)]
    fn note_sent(&self, sent: Sent) -> Result<Sent, SocketError> {
        self.written.set(true);
        match sent {
            Sent::All => self.blocked.set(false),
            Sent::Blocked => self.blocked.set(true),
            Sent::Failed(errno) => {
                self.blocked.set(false);
                self.write_end.set(Some(SocketError::Closed));
                return Err(SocketError::System(errno));
            }
        }
        Ok(sent)
    }
}

/// Calls `give` with the result's bytes, put together if CRs are left out.
#[inline(always)]
fn with_result<R>(found: &Found, bytes: &[u8], give: impl FnOnce(&[u8]) -> R) -> R {
    if found.crs == 0 {
        return give(&bytes[..found.take]);
    }
    // Kept for the caller: what `give` makes of it points here.
    let mut line = LINE.borrow_mut();
    *line = found.result(bytes).into_owned();
    give(&line)
}
