//! Reading from the client, and noticing that it has gone.

use std::rc::Rc;

use super::{Reader, Session};
use crate::lua::{Value, Values};
use crate::nginx::Msec;
use crate::nginx::io::{Io, TRUNCATED};
use crate::nginx::log::Level;
use crate::nginx::time::{current_msec, left_until};
use crate::sched::{DEADLINE, Thread, budget};
use crate::socket::{Received, SocketError};
use crate::text::pattern::Scanner;

impl Session {
    /// Receives by pattern, for the running coroutine; None if it has to wait.
    #[inline(always)]
    pub(crate) fn receive_now(&self, scanner: &mut Scanner) -> Option<Values> {
        if self.is_reading() {
            return Some(Values::error(Value::Str("socket busy reading")));
        }
        if self.end_told.get() && !self.socket.has_unread() {
            self.connection().write_log(
                Level::Err,
                0,
                format_args!("attempt to receive data on a closed/invalid socket"),
            );
            return Some(Values::error(Value::Str("closed")));
        }
        if self.socket.may_receive() && budget::spend() {
            self.poll_receive(scanner)
        } else {
            None
        }
    }

    /// Whether a thread waits to read.
    #[inline(always)]
    pub(crate) fn is_reading(&self) -> bool {
        !matches!(*self.reader.borrow(), Reader::None)
    }

    /// Makes the thread wait for what `receive_now` had not. What the call
    /// returns if its deadline is over already.
    #[inline(always)]
    pub(crate) fn receive_later(
        &self,
        thread: &Rc<Thread>,
        scanner: Scanner,
        timeout: Msec,
    ) -> Option<Values> {
        if thread.gives_up() {
            return Some(self.past_deadline(&scanner));
        }
        self.read_deadline.set(Some(current_msec().wrapping_add(timeout)));
        self.connection().arm_read_timer(timeout);
        let nobody = self.reader.replace(Reader::Receive(thread.clone(), scanner));
        // It is None, as receive_now() has seen: there is nothing to drop.
        std::mem::forget(nobody);
        thread.wait_for_host();
        None
    }

    /// Whether a receive would not wait: there are bytes, or never will be.
    pub(crate) fn can_read(&self) -> bool {
        self.socket.poll_input().is_some()
    }

    /// Makes the thread wait, among others, until something can be read.
    pub(crate) fn select(self: &Rc<Self>, thread: &Rc<Thread>, item: usize) {
        // It may be in the list twice: the first counts.
        if self.is_reading() {
            return;
        }
        self.reader.replace(Reader::Select(thread.clone(), item));
        thread.waits_too(self.clone());
    }

    /// What a receive returns whose deadline ends its wait: what came in the same
    /// turn, or was there before and had to wait for the others, is in time.
    #[cold]
    pub(super) fn last_receive(&self, scanner: &mut Scanner) -> Values {
        let received = match self.socket.may_receive() {
            true => self.poll_receive(scanner),
            false => None,
        };
        received.unwrap_or_else(|| self.past_deadline(scanner))
    }

    /// What a receive returns whose deadline is over.
    #[cold]
    fn past_deadline(&self, scanner: &Scanner) -> Values {
        self.socket
            .take_partial(scanner, |partial| three_or_two(Value::Str(DEADLINE), partial))
    }

    /// Tries to complete a receive; None if more has to come.
    fn poll_receive(&self, scanner: &mut Scanner) -> Option<Values> {
        let mut failed = false;
        let values = self.socket.receive(scanner, |received| match received {
            Received::Data(bytes) => {
                budget::spend_bytes(bytes.len());
                Values::one(Value::bytes(bytes))
            }
            Received::Failed(error, partial) => {
                // What is too long is more than enough, time and again.
                budget::spend_bytes(partial.len());
                failed = true;
                failure(error, partial)
            }
        })?;
        if failed && !scanner.has_given_up() || scanner.is_all() {
            self.note_end();
        }
        match scanner.reached() {
            Some(reached) if !failed => Some(values.and(Value::Boolean(reached))),
            _ => Some(values),
        }
    }

    /// The script learns with this call's result that the client's side ended.
    fn note_end(&self) {
        if self.end_told.replace(true) {
            return;
        }
        if let Some(SocketError::System(errno)) = self.socket.read_end() {
            self.log_io_error(errno, "recv()");
        }
    }

    /// A read event or the read timer, while the script is alive.
    pub(super) fn on_read_serving(self: &Rc<Self>) {
        let timedout = self.connection().take_read_timedout();
        let mut reader = self.reader.borrow_mut();
        match &mut *reader {
            Reader::Receive(_, scanner) => {
                if let Some(values) = self.poll_receive(scanner) {
                    let thread = reader.take_thread();
                    drop(reader);
                    if let Some(thread) = thread {
                        self.wake_with(&thread, values);
                    }
                    return;
                }
                match self.read_deadline.get().and_then(left_until) {
                    Some(left) if timedout => self.connection().arm_read_timer(left),
                    None if timedout => {
                        drop(reader);
                        return self.read_timed_out();
                    }
                    _ => {}
                }
                if self.connection().read_ready() {
                    // It has had its turn; more is there.
                    self.connection().post_read();
                } else if !self.connection().watch_read() {
                    drop(reader);
                    self.close();
                }
            }
            Reader::Select(..) => {
                drop(reader);
                if self.can_read() {
                    let reader = self.reader.replace(Reader::None);
                    if let Reader::Select(thread, item) = reader {
                        thread.grant_first(item);
                    }
                } else {
                    self.rest_read_event();
                }
            }
            Reader::NextRequest(_) => {
                drop(reader);
                self.on_read_parked(timedout);
            }
            Reader::None => {
                drop(reader);
                self.abort_if_gone();
            }
        }
    }

    #[cold]
    fn read_timed_out(self: &Rc<Self>) {
        let reader = self.reader.replace(Reader::None);
        let Reader::Receive(thread, scanner) = reader else { return };
        self.connection().write_log(
            Level::Err,
            0,
            format_args!("lua tcp socket read timed out"),
        );
        let values = self
            .socket
            .take_partial(&scanner, |bytes| failure(SocketError::Timeout, bytes));
        self.wake_with(&thread, values);
    }

    /// Prepares for noticing that the client goes while the script waits for
    /// something else (`lua_check_client_abort on`).
    pub(super) fn watch_for_abort(self: &Rc<Self>) {
        if self.conf.check_client_abort() {
            self.abort_if_gone();
        }
    }

    /// Ends the session if the client has gone; true if it did. Unread bytes
    /// hide that: the script may still want them.
    fn abort_if_gone(self: &Rc<Self>) -> bool {
        let c = self.connection();
        if self.conf.check_client_abort()
            && !self.socket.has_unread()
            && self.socket.read_end().is_none()
            && c.read_ready()
        {
            let errno = match c.peek() {
                Io::Eof => 0,
                Io::Error(errno) => errno,
                Io::Done(_) | Io::Again => {
                    self.rest_read_event();
                    return false;
                }
            };
            self.log_gone(errno);
            self.finish();
            return true;
        }
        self.rest_read_event();
        false
    }

    /// Logs that the client has gone while nobody read.
    pub(super) fn log_gone(&self, errno: i32) {
        if errno == libc::EPROTO {
            // TLS has ended it, as far as one knows.
            return self.log_io_error(errno, "recv()");
        }
        self.connection().write_log(
            Level::Info,
            if errno == TRUNCATED { 0 } else { errno },
            format_args!("client prematurely closed connection"),
        );
    }

    /// Keeps a level-triggered event method from reporting again and again
    /// what nobody reads now; asks an edge-triggered one for the next edge.
    pub(super) fn rest_read_event(self: &Rc<Self>) {
        if !self.connection().watch_read() {
            self.close();
        }
    }
}

impl Reader {
    #[inline(always)]
    fn take_thread(&mut self) -> Option<Rc<Thread>> {
        match std::mem::replace(self, Reader::None) {
            Reader::Receive(thread, _)
            | Reader::Select(thread, _)
            | Reader::NextRequest(thread) => Some(thread),
            Reader::None => None,
        }
    }
}

/// `nil, err` or `nil, err, partial`.
fn failure(error: SocketError, partial: &[u8]) -> Values {
    three_or_two(error_value(error), partial)
}

fn three_or_two(err: Value, partial: &[u8]) -> Values {
    if partial.is_empty() {
        Values::error(err)
    } else {
        Values::three(Value::Nil, err, Value::bytes(partial))
    }
}

/// The text of an error as a value.
pub(super) fn error_value(error: SocketError) -> Value {
    match error.text() {
        std::borrow::Cow::Borrowed(text) => Value::Str(text),
        std::borrow::Cow::Owned(text) => crate::lua::value::kept(text),
    }
}
