//! JSON for the libraries of `lua/`: it reads and makes Lua tables, so these are
//! mlua functions. No script sees them.
//!
//! Numbers are doubles. A null is left out where a table could have it, and is nil
//! by itself: what servers leave out and what they say is null are the same.

use std::fmt;

use mlua::{Lua, LuaString, Table, Value};
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeMap, SerializeSeq};
use serde::{Deserializer, Serialize, Serializer};

/// How deep tables may be nested: as many levels as serde_json reads.
const MAX_DEPTH: usize = 127;

/// Sets both in `native`.
pub fn install(lua: &Lua, native: &Table) -> mlua::Result<()> {
    native.set("json_decode", lua.create_function(decode)?)?;
    native.set("json_encode", lua.create_function(encode)?)
}

/// The value of a text; or nil and what is wrong.
fn decode(lua: &Lua, text: LuaString) -> mlua::Result<(Value, Option<String>)> {
    let bytes = text.as_bytes();
    let mut reader = serde_json::Deserializer::from_slice(&bytes);
    let value = Maker(lua).deserialize(&mut reader);
    Ok(match value.and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => (value, None),
        Err(error) => (Value::Nil, Some(error.to_string())),
    })
}

/// Makes a Lua value of what is read.
#[derive(Clone, Copy)]
struct Maker<'a>(&'a Lua);

impl<'de> DeserializeSeed<'de> for Maker<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Maker<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.0.create_string(value).map(Value::String).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let table = self.0.create_table().map_err(A::Error::custom)?;
        let mut n = 0;
        while let Some(value) = items.next_element_seed(self)? {
            n += 1;
            table.raw_set(n, value).map_err(A::Error::custom)?;
        }
        Ok(Value::Table(table))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let table = self.0.create_table().map_err(A::Error::custom)?;
        while let Some(key) = items.next_key_seed(self)? {
            let value = items.next_value_seed(self)?;
            table.raw_set(key, value).map_err(A::Error::custom)?;
        }
        Ok(Value::Table(table))
    }
}

/// The text of a value; or nil and what is wrong. A table is an array if it has
/// anything at 1, else an object.
fn encode(lua: &Lua, value: Value) -> mlua::Result<(Option<LuaString>, Option<String>)> {
    match serde_json::to_vec(&Item { value: &value, depth: 0 }) {
        Ok(text) => Ok((Some(lua.create_string(text)?), None)),
        Err(error) => Ok((None, Some(error.to_string()))),
    }
}

/// A value, below so many tables.
struct Item<'a> {
    value: &'a Value,
    depth: usize,
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Nil => out.serialize_unit(),
            Value::LightUserData(null) if null.0.is_null() => out.serialize_unit(),
            Value::Boolean(value) => out.serialize_bool(*value),
            Value::Integer(value) => out.serialize_i64(*value),
            Value::Number(value) => number(*value, out),
            Value::String(text) => match text.to_str() {
                Ok(text) => out.serialize_str(&text),
                Err(_) => Err(S::Error::custom("a string is not UTF-8")),
            },
            Value::Table(_) if self.depth == MAX_DEPTH => {
                Err(S::Error::custom("tables are nested too deep"))
            }
            Value::Table(table) if table.raw_len() > 0 => self.array(table, out),
            Value::Table(table) => self.object(table, out),
            value => {
                let kind = value.type_name();
                Err(S::Error::custom(format_args!("a {kind} has no text")))
            }
        }
    }
}

/// Whole numbers have no point and no exponent.
fn number<S: Serializer>(value: f64, out: S) -> Result<S::Ok, S::Error> {
    if value.fract() == 0.0 && value.abs() < 2f64.powi(63) {
        out.serialize_i64(value as i64)
    } else if value.is_finite() {
        out.serialize_f64(value)
    } else {
        Err(S::Error::custom("a number is not finite"))
    }
}

impl Item<'_> {
    fn array<S: Serializer>(&self, table: &Table, out: S) -> Result<S::Ok, S::Error> {
        let mut items = out.serialize_seq(Some(table.raw_len()))?;
        for n in 1..=table.raw_len() {
            let value: Value = table.raw_get(n).map_err(S::Error::custom)?;
            items.serialize_element(&Item { value: &value, depth: self.depth + 1 })?;
        }
        items.end()
    }

    fn object<S: Serializer>(&self, table: &Table, out: S) -> Result<S::Ok, S::Error> {
        let mut items = out.serialize_map(None)?;
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair.map_err(S::Error::custom)?;
            let Value::String(key) = &key else {
                return Err(S::Error::custom("a key is not a string"));
            };
            let Ok(key) = key.to_str() else {
                return Err(S::Error::custom("a string is not UTF-8"));
            };
            items
                .serialize_entry(&*key, &Item { value: &value, depth: self.depth + 1 })?;
        }
        items.end()
    }
}
