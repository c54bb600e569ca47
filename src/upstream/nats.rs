//! Receiving frames of NATS. A PING is answered on the way; no script sees it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::push::Pushed;
use super::{Reader, Stage, Upstream};
use crate::lua::compiled_nats::{Found, MAX_REPLY, State};
use crate::lua::{Value, Values};
use crate::nginx::Msec;
use crate::nginx::time::{current_msec, left_until};
use crate::sched::{self, DEADLINE, Grant, Thread, budget};
use crate::socket::{Look, SocketError};
use crate::text::nats::{Frame, Message, Parsed, Parser};

/// What is known of a connection as one to a NATS server.
pub struct Nats {
    /// How far the next frame was looked at.
    parser: Cell<Parser>,
    /// So much of what is unread are frames that were looked at before anybody has
    /// asked for them; and how far the one behind them was.
    ahead: Cell<usize>,
    next: Cell<Parser>,
    /// What is unread will be looked at so by the end of this turn.
    posted: Cell<bool>,
    /// About so much is read while nobody asks for it; the rest stays with the server.
    max_pending: Cell<usize>,
    /// The INFO that came last.
    info: RefCell<Vec<u8>>,
    /// Where those wait who read next if the thread that reads is gone.
    queue: Cell<Option<u64>>,
}

/// What a frame takes from the budget, in sixteenths of a call: one that a script
/// gets, and one that it does not get.
const COST: u32 = 4;
const PASSED: u32 = 1;

/// The usual for what is read while nobody asks for it, and the least.
const MAX_PENDING: usize = 64 * 1024 * 1024;
const MIN_PENDING: usize = 64 * 1024;

/// What a script knows a frame by.
const MESSAGE: f64 = 1.0;
const INFO: f64 = 2.0;
const PONG: f64 = 3.0;
const ERROR: f64 = 4.0;

impl Default for Nats {
    fn default() -> Nats {
        Nats {
            parser: Cell::default(),
            ahead: Cell::default(),
            next: Cell::default(),
            posted: Cell::default(),
            max_pending: Cell::new(MAX_PENDING),
            info: RefCell::default(),
            queue: Cell::default(),
        }
    }
}

impl Nats {
    /// The first `n` bytes, a frame, are taken; whether nobody has looked at them.
    #[inline]
    fn pass(&self, n: usize) -> bool {
        let ahead = self.ahead.get();
        if ahead > 0 {
            self.ahead.set(ahead.saturating_sub(n));
        }
        ahead == 0
    }
}

impl Upstream {
    fn nats(&self) -> &Nats {
        self.nats.get_or_init(Box::default)
    }

    /// Receives a frame, for the running coroutine; None if it has to wait.
    #[inline]
    pub fn frame_now(self: &Rc<Self>) -> Option<Values> {
        if self.is_reading() {
            return Some(Values::error(Value::Str("socket busy reading")));
        }
        if self.stage.get() != Stage::Open {
            return Some(Values::error(Value::Str("closed")));
        }
        if !budget::spend_part(COST) {
            return None;
        }
        self.poll_frame()
    }

    /// As frame_now(), but only a message without headers, which may be expected to
    /// be of this subject and subscription.
    #[inline]
    pub fn message_now(
        self: &Rc<Self>,
        subject: &[u8],
        sid: &[u8],
        out: &mut [u8],
        state: &mut State,
    ) -> Option<Found> {
        if self.is_reading() || self.stage.get() != Stage::Open || !budget::is_left() {
            return None;
        }
        let nats = self.nats();
        let mut parser = nats.parser.get();
        let found = self.socket.take_front(|bytes| {
            let (message, n) = parser.parse_expected(bytes, subject, sid)?;
            let (found, _) = copy_message(&message, out)?;
            nats.pass(n);
            Some((found, n))
        });
        let found = match found {
            Some(found) => {
                nats.parser.set(parser);
                found
            }
            None => self.other_message_now(nats, out, state)?,
        };
        self.look_ahead(nats);
        budget::spend_part(COST);
        budget::spend_bytes(found.payload as usize);
        Some(found)
    }

    /// The same for any subject and subscription.
    #[inline(never)]
    fn other_message_now(
        self: &Rc<Self>,
        nats: &Nats,
        out: &mut [u8],
        state: &mut State,
    ) -> Option<Found> {
        let mut parser = nats.parser.get();
        let found = self.socket.find(|bytes| match parser.parse(bytes) {
            Parsed::Frame(Frame::Message(message), n) => {
                let Some(found) = copy_named(&message, out, state) else {
                    return Look::Enough;
                };
                nats.pass(n);
                Look::Found(found, n)
            }
            Parsed::Frame(Frame::Ping, n) if budget::is_left() => {
                budget::spend_part(PASSED);
                if nats.pass(n) {
                    self.answer_ping();
                }
                Look::Passed(n)
            }
            Parsed::Missing(n) => Look::Missing(n),
            Parsed::Frame(..) | Parsed::Bad(_) => Look::Enough,
        });
        nats.parser.set(parser);
        found?.ok()
    }

    /// Makes the thread wait for what frame_now() had not. What the call returns
    /// if its deadline is over already.
    pub fn frame_later(
        self: &Rc<Self>,
        thread: &Rc<Thread>,
        timeout: Msec,
    ) -> Option<Values> {
        if thread.gives_up() {
            return Some(Values::error(Value::Str(DEADLINE)));
        }
        self.read_deadline.set(Some(current_msec().wrapping_add(timeout)));
        self.connection().arm_read_timer(timeout);
        *self.reader.borrow_mut() = Reader::Frame(thread.clone());
        thread.wait_for(self.clone());
        self.begin_to_wait();
        None
    }

    /// The next frame, or why there will be none; None if more has to come.
    #[inline]
    fn poll_frame(self: &Rc<Self>) -> Option<Values> {
        let nats = self.nats();
        let mut parser = nats.parser.get();
        let mut good = true;
        let mut passed = false;
        let found = self.socket.find(|bytes| {
            if passed && !budget::is_left() {
                return Look::Enough;
            }
            match parser.parse(bytes) {
                Parsed::Frame(frame, n) => match self.take_frame(frame, nats.pass(n)) {
                    Some(values) => Look::Found(values, n),
                    None => {
                        passed = true;
                        budget::spend_part(PASSED);
                        Look::Passed(n)
                    }
                },
                Parsed::Missing(n) => Look::Missing(n),
                Parsed::Bad(text) => {
                    good = false;
                    Look::Found(Values::error(Value::Str(text)), 0)
                }
            }
        });
        nats.parser.set(parser);
        match found {
            Some(Ok(values)) if good => {
                self.look_ahead(nats);
                Some(values)
            }
            None if self.connection().is_open() => None,
            found => Some(self.no_frame(found)),
        }
    }

    /// No frame will come any more.
    #[cold]
    fn no_frame(&self, found: Option<Result<Values, SocketError>>) -> Values {
        self.read_over.set(true);
        match found {
            // It is not NATS: nothing that is in the buffer is of use.
            Some(Ok(values)) => {
                self.connection().close();
                self.socket.discard_buffers();
                self.end_writers();
                return values;
            }
            Some(Err(error)) => {
                self.broken(error);
                if !self.connection().is_open() {
                    self.end_writers();
                }
            }
            None => {}
        }
        Values::error(Value::Str("closed"))
    }

    /// A frame as the script gets it; None: it does not. If it is not new, it was
    /// looked at before anybody has asked.
    #[inline]
    fn take_frame(self: &Rc<Self>, frame: Frame<'_>, new: bool) -> Option<Values> {
        let bytes = |bytes: Option<&[u8]>| bytes.map_or(Value::Nil, Value::bytes);
        Some(match frame {
            Frame::Message(message) => {
                budget::spend_bytes(message.payload.len());
                let values = [
                    Value::Number(MESSAGE),
                    Value::bytes(message.subject),
                    Value::bytes(message.sid),
                    bytes(message.reply),
                    Value::bytes(message.payload),
                    bytes(message.headers),
                ];
                let n = if message.headers.is_some() { 6 } else { 5 };
                Values::list(&values[..n])
            }
            Frame::Info(text) => {
                if new {
                    self.keep_info(text);
                }
                Values::two(Value::Number(INFO), Value::bytes(text))
            }
            Frame::Pong => Values::one(Value::Number(PONG)),
            Frame::Error(text) => Values::two(Value::Number(ERROR), Value::bytes(text)),
            Frame::Ok => return None,
            Frame::Ping => {
                if new {
                    self.answer_ping();
                }
                return None;
            }
        })
    }

    /// One who asks without end and does not take the answers gets no more.
    fn answer_ping(self: &Rc<Self>) {
        if !self.is_full() {
            let timeout = self.send_timeout.get();
            // A connection that is closed is found so by its reader.
            let _: Pushed =
                self.push(|| timeout, |out| out.extend_from_slice(b"PONG\r\n"));
        }
    }

    /// A read event for who waits for a frame, or the read timer.
    pub(super) fn on_read_frame(self: &Rc<Self>, timedout: bool) {
        budget::begin();
        self.nats().posted.set(false);
        if let Some(values) = self.poll_frame() {
            let thread = self.reader.replace(Reader::None).thread();
            return self.resume(thread, values);
        }
        match self.read_deadline.get().and_then(left_until) {
            Some(left) if timedout => self.connection().arm_read_timer(left),
            None if timedout => {
                let thread = self.reader.replace(Reader::None).thread();
                let values = Values::error(Value::Str(SocketError::TIMEOUT));
                return self.resume(thread, values);
            }
            _ => {}
        }
        self.begin_to_wait();
    }

    /// Something has come that nobody reads now. A server that asks must get its
    /// answer all the same: what has come is looked through for that.
    pub(super) fn on_read_unasked(self: &Rc<Self>) {
        let Some(nats) = self.nats.get() else { return };
        nats.posted.set(false);
        budget::begin();
        let mut first = nats.parser.get();
        let mut next = nats.next.get();
        let mut over = false;
        // What it comes to is for whoever reads next.
        let found: Option<Result<(), SocketError>> = self.socket.find(|bytes| {
            loop {
                let ahead = nats.ahead.get();
                let parser = if ahead == 0 { &mut first } else { &mut next };
                let (frame, n) = match parser.parse(&bytes[ahead..]) {
                    Parsed::Frame(frame, n) if budget::spend_part(PASSED) => (frame, n),
                    Parsed::Frame(..) => return Look::Enough,
                    Parsed::Missing(n) if bytes.len() < nats.max_pending.get() => {
                        return Look::Missing(n);
                    }
                    Parsed::Missing(_) | Parsed::Bad(_) => {
                        over = true;
                        return Look::Enough;
                    }
                };
                match frame {
                    Frame::Ping => self.answer_ping(),
                    Frame::Info(info) => self.keep_info(info),
                    _ => {}
                }
                let done = matches!(frame, Frame::Ping | Frame::Ok | Frame::Info(_));
                if done && ahead == 0 {
                    return Look::Passed(n);
                }
                nats.ahead.set(ahead + n);
                next = Parser::default();
            }
        });
        nats.parser.set(first);
        nats.next.set(next);
        // The turn may be over before all has been looked at.
        let is_left = !budget::is_left() || self.connection().read_ready();
        if found.is_none() && !over && is_left {
            self.connection().post_read();
        }
    }

    /// A frame was taken; what is left is looked through if nobody asks for it in
    /// this turn.
    #[inline]
    fn look_ahead(&self, nats: &Nats) {
        if self.socket.has_unread() && !nats.posted.replace(true) {
            self.connection().post_read_soon();
        }
    }

    /// The thread that has waited for a frame does so no longer: another one may.
    /// Whether one was there.
    pub fn pass_reading_on(&self) -> bool {
        let queue = self.nats.get().and_then(|nats| nats.queue.get());
        queue.is_some_and(|queue| sched::unpark(queue, 1, Grant::Given).0 > 0)
    }

    /// Names the queue of those who read next if the thread that reads is gone.
    pub fn set_reading_queue(&self, queue: u64) {
        self.nats().queue.set(Some(queue));
    }

    /// Sets about how much is read while nobody asks for it.
    pub fn set_max_pending(&self, bytes: usize) {
        self.nats().max_pending.set(bytes.max(MIN_PENDING));
    }

    /// It is between two users, who know nothing of each other. What was read of a
    /// frame that is not complete is looked at anew.
    pub(super) fn forget_reading(&self) {
        if let Some(nats) = self.nats.get() {
            nats.parser.set(Parser::default());
            nats.ahead.set(0);
            nats.posted.set(false);
            nats.max_pending.set(MAX_PENDING);
            nats.queue.set(None);
        }
    }

    pub(super) fn keep_info(&self, info: &[u8]) {
        let mut kept = self.nats().info.borrow_mut();
        kept.clear();
        kept.extend_from_slice(info);
    }

    /// Calls `f` with the last INFO, which is empty if none has come.
    pub fn with_info<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        match self.nats.get() {
            Some(nats) => f(&nats.info.borrow()),
            None => f(b""),
        }
    }
}

/// A message's payload, and behind it the subject to reply to, if there is room; how
/// much that is, and what is behind it.
#[inline]
fn copy_message<'a>(
    message: &Message<'_>,
    out: &'a mut [u8],
) -> Option<(Found, &'a mut [u8])> {
    let Message { payload, reply, .. } = message;
    let reply = reply.unwrap_or_default();
    if reply.len() > MAX_REPLY {
        return None;
    }
    let (to, rest) = out.split_at_mut_checked(payload.len())?;
    to.copy_from_slice(payload);
    let (to, rest) = rest.split_at_mut_checked(reply.len())?;
    to.copy_from_slice(reply);
    let (payload, reply) = (payload.len() as u32, reply.len() as u16);
    Some((Found { payload, reply, is_other: false }, rest))
}

/// The same with subject and sid, and their lengths; not of a message with headers.
fn copy_named(message: &Message<'_>, out: &mut [u8], state: &mut State) -> Option<Found> {
    let Message { subject, sid, headers: None, .. } = message else { return None };
    let (found, rest) = copy_message(message, out)?;
    let (to, rest) = rest.split_at_mut_checked(subject.len())?;
    to.copy_from_slice(subject);
    rest.get_mut(..sid.len())?.copy_from_slice(sid);
    (state.subject, state.sid) = (subject.len() as i32, sid.len() as i32);
    Some(Found { is_other: true, ..found })
}
