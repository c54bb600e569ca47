//! `ngx.clients`: the worker's clients by ids that scripts give them.
//! `keys_iter` itself is in `lua/clients.lua`.

use super::{check_count, flatten, in_session};
use crate::lua::value::build;
use crate::lua::{Call, Function, Outcome, Value, Values, function};
use crate::tcp::clients;

pub const FUNCTIONS: &[Function] = &[
    function("set", set),
    function("exists", |call| {
        flatten((|| {
            check_one(call)?;
            let found = clients::find(string(call, 1)?).is_some();
            Ok(Outcome::one(Value::Boolean(found)))
        })())
    }),
    function("del", |call| {
        flatten((|| {
            check_one(call)?;
            Ok(match clients::remove(string(call, 1)?) {
                true => Outcome::NONE,
                false => Outcome::one(Value::Str(UNKNOWN)),
            })
        })())
    }),
    function("send", send),
];

pub const PRIVATE: &[Function] = &[
    function("last_client", |_| Outcome::one(Value::Number(clients::last() as f64))),
    // `next_client(number, last)`: the number of the next id, and the id.
    function("next_client", |call| {
        let [number, last] = [1, 2].map(|i| call.number(i).unwrap_or_default() as u64);
        match clients::next(number, last) {
            Some((number, id)) => Outcome::Return(Values::two(
                Value::Number(number as f64),
                build(|out| out.extend_from_slice(&id)),
            )),
            None => Outcome::NONE,
        }
    }),
];

/// The original's word for an id that nobody has.
const UNKNOWN: &str = "no such userdata";

fn set(call: &Call) -> Outcome {
    in_session(|session| {
        flatten((|| {
            check_one(call)?;
            Ok(match clients::set(session, string(call, 1)?) {
                true => Outcome::one(Value::Nil),
                false => Outcome::one(Value::Str("client id already set")),
            })
        })())
    })
}

fn send(call: &Call) -> Outcome {
    flatten((|| {
        // The original's text, though there are two.
        check_count(call, 2, "expecting one argument")?;
        let (id, message) = (string(call, 1)?, string(call, 2)?);
        Ok(match clients::find(id) {
            Some(session) => Outcome::Return(session.deliver(message)),
            None => Outcome::error(Value::Str(UNKNOWN)),
        })
    })())
}

fn check_one(call: &Call) -> Result<(), Outcome> {
    check_count(call, 1, "expecting one argument")
}

/// Numbers are no ids, and no messages.
fn string(call: &Call, i: usize) -> Result<&[u8], Outcome> {
    call.bytes(i).ok_or_else(|| {
        let kind = call.kind(i).name();
        Outcome::bad_argument(i, format_args!("string expected, got {kind}"))
    })
}
