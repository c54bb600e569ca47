//! What the library `resty.nats` is made of: frames received, messages published,
//! over an object of `ngx.socket.tcp`. No script sees these.

use std::rc::Rc;

use mlua::{LightUserData, Lua, Table};

use super::socket::{
    CONNECT_TIMEOUT, READ_TIMEOUT, SEND_TIMEOUT, closed, timeout, timeout_of, upstream_of,
};
use super::{check_can_wait, flatten, in_thread};
use crate::lua::compiled_nats::{self, Connections, Found, State};
use crate::lua::value::{build, kept};
use crate::lua::{Call, Function, Kind, Outcome, Value, Values, function};
use crate::nginx::Msec;
use crate::nginx::random;
use crate::nginx::time::current_msec;
use crate::sched::{Thread, Woken, budget};
use crate::socket::output::Sent;
use crate::tcp::conf::ServerConf;
use crate::text::nats::{is_subject, publish as append_message};
use crate::text::number::append_number;
use crate::upstream::push::Pushed;
use crate::upstream::{REGISTRY, Upstream};

pub const FUNCTIONS: &[Function] = &[
    function("nats_read", read),
    function("nats_publish", publish),
    // `nats_push(sock, bytes)`: what else the protocol has.
    function("nats_push", |call| match call.bytes(2) {
        Some(bytes) => push(call, |out| out.extend_from_slice(bytes)),
        None => Outcome::error(Value::Str("string expected")),
    }),
    function("nats_flush", flush),
    // The last INFO of the connection.
    function("nats_info", |call| {
        Outcome::one(upstream_of(call).map_or(Value::Nil, |upstream| {
            upstream.with_info(|info| match info {
                b"" => Value::Nil,
                info => build(|out| out.extend_from_slice(info)),
            })
        }))
    }),
    // `nats_queue(sock, number)`: one who waits in that queue is woken when the
    // thread that waits in nats_read() is gone.
    function("nats_queue", |call| {
        if let (Some(upstream), Some(queue)) = (upstream_of(call), call.number(2)) {
            upstream.set_reading_queue(queue as u64);
        }
        Outcome::NONE
    }),
    // `nats_limit(sock, bytes)`: about so much is read while nobody asks for it.
    function("nats_limit", |call| {
        if let (Some(upstream), Some(bytes)) = (upstream_of(call), call.number(2)) {
            upstream.set_max_pending(bytes as usize);
        }
        Outcome::NONE
    }),
    // Wakes one who waits in that queue, unless a thread waits in nats_read();
    // whether it has.
    function("nats_pass", |call| {
        let woken = upstream_of(call)
            .is_some_and(|upstream| !upstream.is_reading() && upstream.pass_reading_on());
        Outcome::one(Value::Boolean(woken))
    }),
    // Closes the connection, whoever waits for it; what was pushed still goes out.
    function("nats_close", |call| {
        let Some(upstream) = upstream_of(call) else { return closed() };
        let was_over = upstream.is_over();
        upstream.finish();
        if was_over { closed() } else { Outcome::one(Value::Number(1.0)) }
    }),
    // The milliseconds that a call of the socket may take: those at place 3
    // (connect), 4 (send) or 5 (read) of the object, or the configuration's.
    function("nats_timeout", |call| {
        Outcome::one(Value::Number(match call.number(2) {
            Some(3.0) => {
                timeout(call, CONNECT_TIMEOUT, ServerConf::socket_connect_timeout)
            }
            Some(4.0) => send_timeout(call),
            _ => read_timeout(call),
        } as f64))
    }),
    // The clock of timers.
    function("msec", |_| Outcome::one(Value::Number(current_msec() as f64))),
    // `random_token(n)`: so many letters and digits that nobody can guess.
    function("random_token", |call| {
        let n = call.number(1).unwrap_or_default().clamp(0.0, MAX_TOKEN) as usize;
        let mut good = Ok(());
        let token = build(|out| good = random::append_token(n, out));
        match good {
            Ok(()) => Outcome::one(token),
            Err(error) => Outcome::error(kept(error.to_string())),
        }
    }),
];

const MAX_TOKEN: f64 = 1024.0;

fn read_timeout(call: &Call) -> Msec {
    timeout(call, READ_TIMEOUT, ServerConf::socket_read_timeout)
}

fn send_timeout(call: &Call) -> Msec {
    timeout(call, SEND_TIMEOUT, ServerConf::socket_send_timeout)
}

/// The functions that lua/resty/nats/frames.lua calls by FFI.
pub fn install(lua: &Lua, native: &Table) -> mlua::Result<()> {
    let functions = lua.create_table()?;
    for (name, function) in compiled_nats::functions::<Sockets>() {
        functions.set(name, LightUserData(function))?;
    }
    native.set("nats_functions", functions)
}

/// Those that are longer, with their number, go another way.
const MAX_INBOX: usize = 128;

/// The subject in an inbox for the answer with this number.
#[inline]
fn numbered<'a>(
    inbox: &[u8],
    number: f64,
    buffer: &'a mut [u8; MAX_INBOX],
) -> Option<&'a [u8]> {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(number as u64).as_bytes();
    let end = inbox.len() + digits.len();
    buffer.get_mut(..inbox.len())?.copy_from_slice(inbox);
    buffer.get_mut(inbox.len()..end)?.copy_from_slice(digits);
    buffer.get(..end)
}

/// The connections of scripts.
struct Sockets;

impl Connections for Sockets {
    #[inline]
    fn publish(
        id: f64,
        msec: f64,
        subject: &[u8],
        reply: Option<&[u8]>,
        number: f64,
        payload: &[u8],
        headers: Option<&[u8]>,
    ) -> bool {
        let mut buffer;
        let reply = match reply {
            Some(inbox) if number > 0.0 => {
                buffer = [0; MAX_INBOX];
                match numbered(inbox, number, &mut buffer) {
                    None => return false,
                    reply => reply,
                }
            }
            reply => reply,
        };
        if !is_subject(subject) || !reply.is_none_or(is_subject) {
            return false;
        }
        let len = payload.len() + headers.map_or(0, <[u8]>::len);
        let timeout = || timeout_of(Some(msec), ServerConf::socket_send_timeout);
        REGISTRY.find(id).is_some_and(|upstream| {
            upstream.push_little(len, timeout, |out| {
                append_message(out, subject, reply, headers, payload);
            })
        })
    }

    #[inline]
    fn message(
        id: f64,
        subject: &[u8],
        sid: &[u8],
        out: &mut [u8],
        state: &mut State,
    ) -> Option<Found> {
        REGISTRY.find(id)?.message_now(subject, sid, out, state)
    }
}

/// `nats_read(sock, msec)`: the kind of a frame and what it consists of; or `nil,
/// err`. Without `msec` it takes no longer than any read.
#[inline]
fn read(call: &Call) -> Outcome {
    let Some(upstream) = upstream_of(call) else { return closed() };
    if let Some(values) = upstream.frame_now() {
        return Outcome::Return(values);
    }
    flatten((|| {
        check_can_wait(call)?;
        let limit = match call.number(2) {
            Some(msec) => (msec as usize).min(super::MAX_MSEC),
            None => read_timeout(call),
        };
        Ok(wait(|thread| upstream.frame_later(thread, limit)))
    })())
}

/// `nats_publish(sock, subject, reply, payload, headers)`: true, or `nil, err`.
#[inline]
fn publish(call: &Call) -> Outcome {
    let Some(subject) = call.bytes(2).filter(|subject| is_subject(subject)) else {
        return Outcome::error(Value::Str("invalid subject"));
    };
    let reply = call.bytes(3);
    if reply.map_or(!is_absent(call, 3), |reply| !is_subject(reply)) {
        return Outcome::error(Value::Str("invalid reply subject"));
    }
    let headers = call.bytes(5);
    if headers.is_none() && !is_absent(call, 5) {
        return Outcome::error(Value::Str("invalid headers"));
    }
    let Some(payload) = call.bytes(4) else {
        return publish_other(call, subject, reply, headers);
    };
    push(call, |out| append_message(out, subject, reply, headers, payload))
}

fn is_absent(call: &Call, i: usize) -> bool {
    matches!(call.kind(i), Kind::Nil | Kind::None)
}

/// The payload is no string.
#[cold]
fn publish_other(
    call: &Call,
    subject: &[u8],
    reply: Option<&[u8]>,
    headers: Option<&[u8]>,
) -> Outcome {
    let mut payload = Vec::new();
    match call.kind(4) {
        Kind::Nil | Kind::None => {}
        Kind::Number => {
            append_number(call.number(4).unwrap_or_default(), &mut payload);
        }
        _ => return Outcome::error(Value::Str("invalid payload")),
    }
    push(call, |out| append_message(out, subject, reply, headers, &payload))
}

#[inline]
fn push(call: &Call, append: impl FnOnce(&mut Vec<u8>)) -> Outcome {
    let Some(upstream) = upstream_of(call) else { return closed() };
    if upstream.refuses_more() && !may_wait(call) {
        return Outcome::error(Value::Str("socket busy writing"));
    }
    match upstream.push(|| send_timeout(call), append) {
        Pushed::Done => Outcome::one(Value::Boolean(true)),
        pushed => pushed_much(call, &upstream, pushed),
    }
}

/// Whether the running coroutine can wait, and its deadline is not over.
#[cold]
fn may_wait(call: &Call) -> bool {
    call.can_wait()
        && crate::sched::with_thread(|thread| {
            thread.is_some_and(|thread| !thread.is_past_deadline())
        })
}

#[cold]
#[inline(never)]
fn pushed_much(call: &Call, upstream: &Rc<Upstream>, pushed: Pushed) -> Outcome {
    match pushed {
        Pushed::Failed(why) => Outcome::error(Value::Str(why)),
        Pushed::Turn if call.can_wait() => wait_for_turn(),
        Pushed::Full if call.can_wait() => {
            wait(|thread| upstream.wait_for_room(thread, send_timeout(call)))
        }
        // It is accepted all the same.
        _ => Outcome::one(Value::Boolean(true)),
    }
}

/// `nats_flush(sock)`: true, or `nil, err`.
fn flush(call: &Call) -> Outcome {
    let Some(upstream) = upstream_of(call) else { return closed() };
    match upstream.flush_pushed() {
        Err(why) => Outcome::error(Value::Str(why)),
        Ok(Sent::Blocked) => flatten((|| {
            check_can_wait(call)?;
            Ok(wait(|thread| upstream.wait_for_flush(thread, send_timeout(call))))
        })()),
        Ok(_) if !budget::spend() && call.can_wait() => wait_for_turn(),
        Ok(_) => Outcome::one(Value::Boolean(true)),
    }
}

fn wait_for_turn() -> Outcome {
    in_thread(|thread| {
        thread.wait_for_turn(Woken::True);
        Outcome::Wait
    })
}

/// Registers what the thread waits for; unless `begin` says what the call returns.
fn wait(begin: impl FnOnce(&Rc<Thread>) -> Option<Values>) -> Outcome {
    in_thread(|thread| match begin(thread) {
        Some(values) => Outcome::Return(values),
        None => Outcome::Wait,
    })
}
