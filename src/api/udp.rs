//! `ngx.socket.udp`: what `lua/udp.lua` makes the methods of its objects of. As
//! those of `ngx.socket.tcp` they have their number at [1], their read timeout
//! at [5].

use std::rc::Rc;

use super::socket::{READ_TIMEOUT, address, bad_data, bind_address, timeout};
use super::{check_can_wait, check_events, flatten, in_thread};
use crate::lua::{
    Call, Function, Kind, Outcome, Value, Values, function, table_function,
};
use crate::sched::{Thread, with_thread};
use crate::tcp::conf::ServerConf;
use crate::tcp::current;
use crate::upstream::udp::{MAX_DATAGRAM, Peering, REGISTRY, Udp, peer};

/// What receive() takes without a size.
const DEFAULT_SIZE: usize = 8192;

pub const PRIVATE: &[Function] = &[
    function("udp_setpeername", |call| set_peer_name(call).raised_above()),
    table_function("udp_send", send),
    function("udp_receive", receive),
    function("udp_close", |call| {
        let Some(udp) = udp_of(call) else { return closed() };
        if udp.is_reading() {
            return Outcome::error(Value::Str("socket busy reading"));
        }
        udp.close();
        Outcome::one(Value::Number(1.0))
    }),
    function("udp_address", |call| match udp_of(call) {
        Some(udp) => address(udp.connection(), call.boolean(2) == Some(true)),
        None => closed(),
    }),
    // For ngx.select(): whether a receive would not wait, or nil and why one
    // cannot ask. With false comes what stands for the socket in such a wait.
    function("udp_can_read", |call| match udp_of(call) {
        Some(udp) if udp.is_reading() => {
            Outcome::error(Value::Str("socket busy reading"))
        }
        Some(udp) if !udp.can_read() => Outcome::Return(Values::two(
            Value::Boolean(false),
            Value::Number(-call.item_number(1, 1).unwrap_or_default()),
        )),
        // Closed: a receive says so at once.
        _ => Outcome::one(Value::Boolean(true)),
    }),
    function("udp_next", |call| {
        match REGISTRY.next(call.number(1).unwrap_or_default() as usize) {
            Some((id, place)) => Outcome::Return(Values::two(
                Value::Number(id as f64),
                Value::Number(place as f64),
            )),
            None => Outcome::NONE,
        }
    }),
    function("udp_drop", |call| {
        if let Some(udp) = call.number(1).and_then(|id| REGISTRY.find(id)) {
            udp.close();
        }
        Outcome::NONE
    }),
    function("udp_swept", |_| {
        REGISTRY.swept();
        Outcome::NONE
    }),
];

/// Makes the thread wait, among others, for the socket with this number.
pub(super) fn select(id: f64, thread: &Rc<Thread>, item: usize) {
    if let Some(udp) = REGISTRY.find(id) {
        udp.select(thread, item);
    }
}

fn udp_of(call: &Call) -> Option<Rc<Udp>> {
    REGISTRY.find(call.item_number(1, 1)?)
}

fn closed() -> Outcome {
    Outcome::error(Value::Str("closed"))
}

/// `setpeername(self, host, port, from)`: the socket's number, and whether there
/// are many; or `nil, err`.
fn set_peer_name(call: &Call) -> Outcome {
    in_thread(|thread| {
        flatten((|| {
            let Some(conf) = current::conf() else { return Ok(super::no_thread()) };
            check_can_wait(call)?;
            check_events()?;
            if let Some(old) = udp_of(call) {
                if old.is_reading() {
                    return Ok(Outcome::error(Value::Str("socket busy reading")));
                }
                old.close();
            }
            let host = call.bytes(2).unwrap_or_default();
            let port = call.number(3).unwrap_or_default() as u16;
            let from = call.bytes(4).and_then(bind_address);
            Ok(match peer(thread, host, port, from, conf) {
                Peering::Done(values) => Outcome::Return(values),
                Peering::Waits => Outcome::Wait,
            })
        })())
    })
}

fn send(call: &Call) -> Outcome {
    if call.len() != 2 {
        return Outcome::raise(format_args!(
            "expecting 2 arguments (including the object), but got {}",
            call.len()
        ));
    }
    let mut joined = Vec::new();
    if call.kind(2) != Kind::String
        && let Err(error) = call.append_data(2, &mut joined)
    {
        return bad_data(error);
    }
    let Some(udp) = udp_of(call) else { return closed() };
    Outcome::Return(udp.send(call.bytes(2).unwrap_or(&joined)))
}

fn receive(call: &Call) -> Outcome {
    flatten((|| {
        let size = match call.kind(2) {
            Kind::None | Kind::Nil => DEFAULT_SIZE,
            _ => match call.number(2) {
                Some(n) if n >= 1.0 => (n as usize).min(MAX_DATAGRAM),
                _ => return Err(Outcome::bad_argument(2, format_args!("bad size"))),
            },
        };
        let Some(udp) = udp_of(call) else { return Ok(closed()) };
        if udp.is_reading() {
            return Ok(Outcome::error(Value::Str("socket busy reading")));
        }
        if let Some(values) = udp.receive_now(size) {
            return Ok(Outcome::Return(values));
        }
        check_can_wait(call)?;
        let timeout = timeout(call, READ_TIMEOUT, ServerConf::socket_read_timeout);
        Ok(with_thread(|thread| match thread {
            Some(thread) => match udp.receive_later(thread, size, timeout) {
                Some(values) => Outcome::Return(values),
                None => Outcome::Wait,
            },
            None => super::no_thread(),
        }))
    })())
}
