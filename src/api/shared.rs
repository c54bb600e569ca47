//! `ngx.shared`: what `lua/shared.lua` asks of a dictionary.

use mlua::{LightUserData, Lua, Table};

use crate::lua::compiled::{self, Argument, Object, Reply, Strings};
use crate::nginx::time::current_msec;
use crate::shdict::{self, Dict, End, Error, Store, Value, When, kind};
use crate::tcp::shared_dict::SharedDict;

/// Numbers of errors; those below are types of values.
const ERRORS: &[(i32, Error)] = &[
    (8, Error::Exists),
    (9, Error::NotFound),
    (10, Error::NotANumber),
    (11, Error::IsList),
    (12, Error::NotAList),
    (13, Error::NoMemory),
];

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
    for (number, error) in ERRORS {
        errors.set(*number, error.text())?;
    }
    native.set("dicts", handles)?;
    native.set("dict_functions", functions)?;
    native.set("dict_errors", errors)
}

#[inline(always)]
fn now() -> u64 {
    current_msec() as u64
}

#[cold]
fn number_of(error: Error) -> i32 {
    ERRORS.iter().find(|(_, e)| *e == error).map_or(FAILED.0, |(number, _)| *number)
}

#[inline(always)]
fn code(result: Result<(), Error>) -> i32 {
    result.map_or_else(number_of, |()| 0)
}

/// Milliseconds; what is longer than all clocks is for ever.
fn ttl(msec: f64) -> u64 {
    if msec < 1e15 { msec as u64 } else { 0 }
}

fn value(argument: Argument) -> Value {
    match argument.kind {
        kind::STRING => Value::Str(argument.bytes),
        kind::NUMBER => Value::Number(argument.number),
        _ => Value::Boolean(argument.number != 0.0),
    }
}

/// Answers with what was read; its type, or what is wrong.
#[inline(always)]
fn answer(
    read: impl FnOnce(&mut shdict::Reply) -> Result<(), Error>,
    reply: &mut Reply,
) -> i32 {
    let mut found = shdict::Reply::new(reply.buffer());
    let result = read(&mut found);
    let shdict::Reply { kind, flags, stale, number, len, long, .. } = found;
    if let Err(error) = result {
        return number_of(error);
    }
    reply.number = number;
    reply.flags = flags;
    reply.stale = u32::from(stale);
    if long.is_empty() {
        reply.set_len(len);
    } else {
        reply.set_long(long.into_boxed_slice());
    }
    kind as i32
}

fn end(side: i32) -> End {
    if side == 0 { End::Left } else { End::Right }
}

impl Object for Dict {
    #[inline(always)]
    fn get(&self, key: &[u8], stale: bool, reply: &mut Reply) -> i32 {
        answer(|found| Dict::get(self, key, stale, now(), found), reply)
    }

    #[inline(always)]
    fn store(
        &self,
        key: &[u8],
        argument: Argument,
        mode: u32,
        msec: f64,
        flags: u32,
        reply: &mut Reply,
    ) -> i32 {
        let when = match mode & 3 {
            0 => When::Always,
            1 => When::Absent,
            _ => When::Present,
        };
        let how = Store { when, evict: mode & 4 == 0, ttl: ttl(msec), flags };
        let (result, forced) = Dict::store(self, key, value(argument), how, now());
        reply.forced = u32::from(forced);
        code(result)
    }

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

    fn push(&self, key: &[u8], argument: Argument, side: u32, reply: &mut Reply) -> i32 {
        let result = Dict::push(self, key, value(argument), end(side as i32), now());
        code(result.map(|len| reply.number = f64::from(len)))
    }

    fn pop(&self, key: &[u8], side: i32, reply: &mut Reply) -> i32 {
        answer(|found| Dict::pop(self, key, end(side), now(), found), reply)
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
