//! `ngx.encode_args` and `ngx.decode_args`: they read and make Lua tables, so
//! they are mlua functions; their argument checks are in the prelude.

use mlua::{Lua, Table, Value};

use crate::text::args::{self, DEFAULT_MAX, Encoder, decode_args};

/// Sets both in `native`, for the prelude.
pub fn install(lua: &Lua, native: &Table) -> mlua::Result<()> {
    native.set("encode_args", lua.create_function(encode)?)?;
    native.set("decode_args", lua.create_function(decode)?)
}

/// The query string, or nil and what is wrong.
fn encode(
    lua: &Lua,
    table: Table,
) -> mlua::Result<(Option<mlua::LuaString>, Option<String>)> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out);
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let Some(name) = text(&key) else {
            return Ok((
                None,
                Some(
                    "attempt to use a non-string key in the \"args\" option table".into(),
                ),
            ));
        };
        let wrong = match value {
            Value::Table(list) => push_list(&mut encoder, &name, &list)?,
            value => push(&mut encoder, &name, &value),
        };
        if let Some(kind) = wrong {
            return Ok((None, Some(format!("attempt to use {kind} as query arg value"))));
        }
    }
    Ok((Some(lua.create_string(&out)?), None))
}

fn push_list(
    encoder: &mut Encoder,
    name: &[u8],
    list: &Table,
) -> mlua::Result<Option<&'static str>> {
    for value in list.sequence_values::<Value>() {
        if let Some(kind) = push(encoder, name, &value?) {
            return Ok(Some(kind));
        }
    }
    Ok(None)
}

/// Adds one pair; the type's name if a value has no text.
fn push(encoder: &mut Encoder, name: &[u8], value: &Value) -> Option<&'static str> {
    match value {
        Value::Boolean(true) => encoder.push(name, args::Value::True),
        Value::Boolean(false) => {}
        value => match text(value) {
            Some(text) => encoder.push(name, args::Value::Str(&text)),
            None => return Some(type_name(value)),
        },
    }
    None
}

/// The name that Lua's `type()` gives.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::LightUserData(_) => "userdata",
        Value::Other(_) => "cdata",
        value => value.type_name(),
    }
}

fn text(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(s) => Some(s.as_bytes().to_vec()),
        Value::Integer(n) => Some(n.to_string().into_bytes()),
        Value::Number(n) => {
            let mut out = Vec::new();
            crate::text::number::append_number(*n, &mut out);
            Some(out)
        }
        _ => None,
    }
}

/// The table, and "truncated" if there were more than `max` pairs.
fn decode(
    lua: &Lua,
    (source, max): (mlua::LuaString, Option<f64>),
) -> mlua::Result<(Table, Option<&'static str>)> {
    let max = max.map_or(DEFAULT_MAX, |max| if max > 0.0 { max as usize } else { 0 });
    let table = lua.create_table()?;
    let source = source.as_bytes();
    let mut decoder = decode_args(&source, max);
    for pair in decoder.by_ref() {
        let name = lua.create_string(&pair.name)?;
        let value = match &pair.value {
            Some(value) => Value::String(lua.create_string(value)?),
            None => Value::Boolean(true),
        };
        match table.raw_get::<Value>(&name)? {
            Value::Nil => table.raw_set(name, value)?,
            Value::Table(list) => list.raw_push(value)?,
            first => table.raw_set(name, lua.create_sequence_from([first, value])?)?,
        }
    }
    Ok((table, decoder.truncated().then_some("truncated")))
}
