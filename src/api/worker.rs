//! What the worker and the build are: `ngx.worker.*`, `ngx.config.*`,
//! `ngx.get_phase`.

use crate::lua::value::build;
use crate::lua::{Function, Outcome, Value, function};
use crate::nginx::cycle;
use crate::tcp::current::{self, Phase};

pub const TOP_FUNCTIONS: &[Function] =
    &[function("get_phase", |_| Outcome::one(Value::Str(current::phase().name())))];

pub const FUNCTIONS: &[Function] = &[
    function("pid", |_| Outcome::one(Value::Number(f64::from(cycle::pid())))),
    function("id", |_| {
        // At nginx's first start init_by_lua runs before it is a master.
        let id = cycle::worker_id().filter(|_| current::phase() != Phase::Init);
        Outcome::one(id.map_or(Value::Nil, |id| Value::Number(id as f64)))
    }),
    function("count", |_| Outcome::one(Value::Number(cycle::worker_count() as f64))),
    function("exiting", |_| Outcome::one(Value::Boolean(cycle::exiting()))),
];

pub const CONFIG_FUNCTIONS: &[Function] = &[
    function("prefix", |_| {
        Outcome::one(build(|out| out.extend_from_slice(&cycle::prefix())))
    }),
    function("nginx_configure", |_| {
        Outcome::one(Value::Str(cycle::configure_arguments()))
    }),
];
