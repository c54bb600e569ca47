//! `ngx.shared`: what `lua/shared.lua` asks of a dictionary.

use mlua::{LightUserData, Lua, Table};

use crate::lua::compiled::{self, Argument, Object, Reply, Strings};
use crate::nginx::time::current_msec;
use crate::shdict::{Answer, Dict, End, Error, Store, Value, When, kind};
use crate::tcp::shared_dict::SharedDict;

/// All errors, in their order. Their numbers begin behind the types of values.
const ERRORS: &[Error] = &[
    Error::Exists,
    Error::NotFound,
    Error::NotANumber,
    Error::NotAList,
    Error::NoMemory,
];
const FIRST_ERROR: i32 = 8;

/// What is added to the answer of a store for which live entries had to go.
const HAS_FORCED: i32 = 256;

/// What a panic leaves, see `compiled`.
const FAILED: (i32, &str) = (-1, "failed");

/// Adds what lua/shared.lua needs, if there are dictionaries.
pub fn install(
    lua: &Lua,
    native: &Table,
    dicts: &[&'static SharedDict],
) -> mlua::Result<()> {
    if dicts.is_empty() {
        return Ok(());
    }
    let handles = lua.create_table()?;
    for shared in dicts {
        if let Some(dict) = shared.dict() {
            let handle = LightUserData(compiled::handle(dict));
            handles.set(lua.create_string(shared.name())?, handle)?;
        }
    }
    let functions = lua.create_table()?;
    for (name, function) in compiled::functions::<Dict>() {
        functions.set(name, LightUserData(function))?;
    }
    let errors = lua.create_table()?;
    errors.set(FAILED.0, FAILED.1)?;
    // It cannot be got.
    errors.set(kind::LIST, "value is a list")?;
    for error in ERRORS {
        errors.set(number_of(*error), error.text())?;
    }
    native.set("dicts", handles)?;
    native.set("dict_functions", functions)?;
    native.set("dict_errors", errors)
}

#[inline(always)]
fn now() -> u64 {
    current_msec() as u64
}

#[inline(always)]
fn number_of(error: Error) -> i32 {
    FIRST_ERROR + error as i32
}

#[inline(always)]
fn code(result: Result<(), Error>) -> i32 {
    result.map_or_else(number_of, |()| 0)
}

/// Milliseconds; what is longer than all clocks is for ever.
#[inline(always)]
fn ttl(msec: f64) -> u64 {
    if msec == 0.0 { 0 } else { long_ttl(msec) }
}

#[inline(never)]
fn long_ttl(msec: f64) -> u64 {
    if msec < 1e15 { msec as u64 } else { 0 }
}

#[inline(always)]
fn value(argument: Argument) -> Value {
    match argument {
        Argument::Str(bytes) => Value::Str(bytes),
        Argument::Number(number) => Value::Number(number),
        Argument::Boolean(boolean) => Value::Boolean(boolean),
    }
}

impl Answer for Reply {
    #[inline(always)]
    fn buffer(&mut self) -> &mut [u8] {
        Reply::buffer(self)
    }

    #[inline(always)]
    fn set_len(&mut self, len: usize) {
        Reply::set_len(self, len);
    }

    fn set_long(&mut self, bytes: Vec<u8>) {
        Reply::set_long(self, bytes.into_boxed_slice());
    }

    #[inline(always)]
    fn set_number(&mut self, number: f64) {
        self.number = number;
    }

    #[inline(always)]
    fn set_flags(&mut self, flags: u32) {
        self.flags = flags;
    }

    fn set_stale(&mut self, is_stale: bool) {
        self.stale = u32::from(is_stale);
    }
}

fn end(side: i32) -> End {
    if side == 0 { End::Left } else { End::Right }
}

impl Object for Dict {
    #[inline(always)]
    fn get(&self, key: &[u8], reply: &mut Reply) -> i32 {
        Dict::get(self, key, now(), reply) as i32
    }

    fn get_stale(&self, key: &[u8], reply: &mut Reply) -> i32 {
        Dict::get_stale(self, key, now(), reply) as i32
    }

    #[inline(always)]
    fn store(
        &self,
        key: &[u8],
        argument: Argument,
        mode: u32,
        msec: f64,
        flags: u32,
    ) -> i32 {
        let when = match mode & 3 {
            0 => When::Always,
            1 => When::Absent,
            _ => When::Present,
        };
        let how = Store { when, evict: mode & 4 == 0, ttl: ttl(msec), flags };
        let (result, forced) = Dict::store(self, key, value(argument), how, now());
        // As a rule; so the compiler leaves out the rest there.
        if result.is_ok() && !forced {
            return 0;
        }
        code(result) + if forced { HAS_FORCED } else { 0 }
    }

    #[inline(always)]
    fn delete(&self, key: &[u8]) -> i32 {
        Dict::delete(self, key, now());
        0
    }

    #[inline(always)]
    fn incr(
        &self,
        key: &[u8],
        by: f64,
        init: Option<(f64, f64)>,
        reply: &mut Reply,
    ) -> i32 {
        let init = init.map(|(init, msec)| (init, ttl(msec)));
        let (result, forced) = Dict::incr(self, key, by, init, now());
        reply.forced = u32::from(forced);
        code(result.map(|number| reply.number = number))
    }

    fn push(&self, key: &[u8], argument: Argument, side: i32, reply: &mut Reply) -> i32 {
        let result = Dict::push(self, key, value(argument), end(side), now());
        code(result.map(|len| reply.number = f64::from(len)))
    }

    fn pop(&self, key: &[u8], side: i32, reply: &mut Reply) -> i32 {
        let popped = Dict::pop(self, key, end(side), now(), reply);
        popped.map_or_else(number_of, |kind| kind as i32)
    }

    fn len(&self, key: &[u8], reply: &mut Reply) -> i32 {
        code(self.list_len(key, now()).map(|len| reply.number = f64::from(len)))
    }

    fn ttl(&self, key: &[u8], reply: &mut Reply) -> i32 {
        code(Dict::ttl(self, key, now()).map(|msec| reply.number = msec as f64))
    }

    fn expire(&self, key: &[u8], msec: f64) -> i32 {
        code(Dict::expire(self, key, ttl(msec), now()))
    }

    fn keys(&self, max: f64) -> Strings {
        let keys = Dict::keys(self, count(max), now());
        Strings::new((0..keys.len()).map_while(move |i| keys.get(i).map(<[u8]>::to_vec)))
    }

    fn whole(&self, what: i32, number: f64, reply: &mut Reply) -> i32 {
        reply.number = match what {
            0 => {
                self.flush_all();
                0.0
            }
            1 => self.flush_expired(count(number), now()) as f64,
            2 => self.capacity() as f64,
            3 => self.free_space() as f64,
            _ => match self.check() {
                Ok(()) => 0.0,
                Err(text) => {
                    reply.buffer()[..text.len()].copy_from_slice(text.as_bytes());
                    reply.set_len(text.len());
                    1.0
                }
            },
        };
        0
    }
}

/// A number of entries; 0 stands for all, as what is less.
fn count(n: f64) -> usize {
    if n >= 1.0 { n as usize } else { usize::MAX }
}
