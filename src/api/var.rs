//! `ngx.var`: the variables of access logs. The prelude makes the table.

use super::{flatten, in_session, raise_text};
use crate::lua::value::build;
use crate::lua::{Call, Function, Outcome, Value, function};
use crate::tcp::variables;

/// A table's `__index`, and what its `__newindex` says.
pub const PRIVATE: &[Function] = &[
    function("variable", variable),
    function("has_variable", |call| {
        let name = call.text(2).unwrap_or_default();
        Outcome::one(Value::Boolean(variables::find(&name).is_some()))
    }),
];

fn variable(call: &Call) -> Outcome {
    in_session(|session| {
        flatten((|| {
            let name = call.text(2).ok_or_else(|| raise_text("bad variable name"))?;
            let Some(variable) = variables::find(&name) else {
                return Ok(Outcome::one(Value::Nil));
            };
            let mut has_value = false;
            let value = build(|out| {
                variable.append(&**session, out);
                has_value = !out.is_empty();
            });
            Ok(Outcome::one(if has_value { value } else { Value::Nil }))
        })())
    })
}
