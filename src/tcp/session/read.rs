//! Reading from the client, and noticing that it has gone.

use std::rc::Rc;

use super::{Session, Wait, left_until};
use crate::lua::{Value, Values};
use crate::nginx::io::Io;
use crate::nginx::log::Level;
use crate::nginx::time::current_msec;
use crate::socket::{Received, SocketError};
use crate::text::pattern::Scanner;

impl Session {
    /// Receives by pattern, for the running coroutine; None if it has to wait.
    #[inline(always)]
    pub(crate) fn receive_now(&self, scanner: &mut Scanner) -> Option<Values> {
        if self.end_told.get() && !self.socket.has_unread() {
            self.connection().write_log(
                Level::Err,
                0,
                format_args!("attempt to receive data on a closed/invalid socket"),
            );
            return Some(Values::error(Value::Str("closed")));
        }
        if self.socket.may_receive() && self.spend() {
            self.poll_receive(scanner)
        } else {
            None
        }
    }

    /// Makes the coroutine wait for what `receive_now` had not.
    #[inline(always)]
    pub(crate) fn receive_later(&self, scanner: Scanner) {
        let timeout = self.conf.read_timeout();
        self.read_deadline.set(Some(current_msec().wrapping_add(timeout)));
        self.connection().arm_read_timer(timeout);
        self.wait_for(Wait::Receive(scanner));
    }

    /// Tries to complete a receive; None if more has to come.
    fn poll_receive(&self, scanner: &mut Scanner) -> Option<Values> {
        let mut failed = false;
        let values = self.socket.receive(scanner, |received| match received {
            Received::Data(bytes) => {
                self.spend_bytes(bytes.len());
                Values::one(Value::bytes(bytes))
            }
            Received::Failed(error, partial) => {
                failed = true;
                failure(error, partial)
            }
        })?;
        if failed || scanner.is_all() {
            self.note_end();
        }
        Some(values)
    }

    /// The script learns with this call's result that the client's side ended.
    fn note_end(&self) {
        if self.end_told.replace(true) {
            return;
        }
        if let Some(SocketError::System(errno)) = self.socket.read_end() {
            self.connection().write_log(
                Level::Info,
                errno,
                format_args!("recv() failed"),
            );
        }
    }

    /// A read event or the read timer, while the script is alive.
    pub(super) fn on_read_serving(self: &Rc<Self>) {
        let timedout = self.connection().take_read_timedout();
        let mut wait = self.wait.borrow_mut();
        match &mut *wait {
            Wait::Receive(scanner) => {
                if let Some(values) = self.poll_receive(scanner) {
                    drop(wait);
                    return self.wake(values);
                }
                match self.read_deadline.get().and_then(left_until) {
                    Some(left) if timedout => self.connection().arm_read_timer(left),
                    None if timedout => {
                        let scanner = match std::mem::replace(&mut *wait, Wait::Nothing) {
                            Wait::Receive(scanner) => scanner,
                            _ => return,
                        };
                        drop(wait);
                        self.connection().write_log(
                            Level::Err,
                            0,
                            format_args!("lua tcp socket read timed out"),
                        );
                        let values = self.socket.take_partial(&scanner, |bytes| {
                            failure(SocketError::Timeout, bytes)
                        });
                        return self.wake(values);
                    }
                    _ => {}
                }
                if self.connection().read_ready() {
                    // It has had its turn; more is there.
                    self.connection().post_read();
                } else if !self.connection().watch_read() {
                    drop(wait);
                    self.close();
                }
            }
            Wait::NextRequest => {
                drop(wait);
                self.on_read_parked(timedout);
            }
            Wait::Turn => {
                drop(wait);
                if self.abort_if_gone() {
                    return;
                }
                self.wake(Values::NONE);
            }
            Wait::Sleep | Wait::Flush(_) => {
                drop(wait);
                self.abort_if_gone();
            }
            Wait::Nothing | Wait::Exit => {}
        }
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
            c.write_log(
                Level::Info,
                errno,
                format_args!("client prematurely closed connection"),
            );
            self.finish();
            return true;
        }
        self.rest_read_event();
        false
    }

    /// Keeps a level-triggered event method from reporting again and again
    /// what nobody reads now; asks an edge-triggered one for the next edge.
    pub(super) fn rest_read_event(self: &Rc<Self>) {
        if !self.connection().watch_read() {
            self.close();
        }
    }
}

/// `nil, err` or `nil, err, partial`.
fn failure(error: SocketError, partial: &[u8]) -> Values {
    let err = error_value(error);
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
