//! Against a plain map; how entries come and go; and, by themselves, the young, the
//! areas of processes, and what those leave that die.

mod areas;
mod deaths;
mod young;

use std::collections::HashMap;

use super::owner::{Identity, Owner};
use super::*;
use crate::nginx::memory::Owned;

/// A small generator of numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }
}

fn open(memory: Memory, me: Owner) -> Dict {
    let mut dict = Dict::open(
        memory,
        memory.len(),
        5000,
        [0x1234_5678_9abc_def1, 0x0fed_cba9_8765_4321],
    );
    // In small zones, too.
    dict.layout.stock_max = 128;
    if me != 0 {
        dict.me = Identity::of(me);
    }
    dict
}

fn always(ttl: u64) -> Store {
    Store { when: When::Always, evict: true, ttl, flags: 0 }
}

/// What was read.
struct Reply {
    buffer: [u8; 512],
    bytes: Vec<u8>,
    number: f64,
    flags: u32,
}

impl Reply {
    fn new() -> Reply {
        Reply { buffer: [0; 512], bytes: Vec::new(), number: 0.0, flags: 0 }
    }
}

impl Answer for Reply {
    fn buffer(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    fn set_len(&mut self, len: usize) {
        self.bytes = self.buffer[..len].to_vec();
    }

    fn set_long(&mut self, bytes: Vec<u8>) {
        self.bytes = bytes;
    }

    fn set_number(&mut self, number: f64) {
        self.number = number;
    }

    fn set_flags(&mut self, flags: u32) {
        self.flags = flags;
    }

    fn set_stale(&mut self, _is_stale: bool) {}
}

fn bytes_of(dict: &Dict, key: &[u8], now: u64) -> Option<Vec<u8>> {
    let mut reply = Reply::new();
    match dict.get(key, now, &mut reply) {
        kind::NIL => None,
        kind::STRING => Some(reply.bytes),
        kind::NUMBER => Some(reply.number.to_ne_bytes().to_vec()),
        _ => Some(vec![reply.number as u8]),
    }
}

fn ignore<T>(_: T) {}

fn check(dict: &Dict) {
    if let Err(text) = dict.check() {
        panic!("{text}");
    }
}

#[test]
fn every_size_of_a_zone_works() {
    for len in [MIN_SIZE - 256, MIN_SIZE, 40_000, 100_032, 1 << 20, 3_000_000, 9 << 20] {
        let mut owned = Owned::new(len);
        let dict = open(owned.memory(), 0);
        check(&dict);
        let empty = dict.free_space();
        assert!(empty > len / 2, "{empty} of {len}");
        for i in 0..len / 100 {
            let key = format!("key{i}");
            let (stored, _) =
                dict.store(key.as_bytes(), Value::Number(1.0), always(0), 5000);
            assert_eq!(stored, Ok(()));
        }
        check(&dict);
        dict.flush_all();
        dict.flush_expired(usize::MAX, 5000);
        check(&dict);
        assert_eq!(dict.free_space(), empty);
    }
}

#[test]
fn a_zone_that_is_opened_again_has_everything() {
    let mut owned = Owned::new(1 << 20);
    let memory = owned.memory();
    let dict = open(memory, 0);
    let _ = dict.store(b"a", Value::Str(b"b"), always(0), 5000);
    assert_eq!(bytes_of(&open(memory, 0), b"a", 5000).as_deref(), Some(&b"b"[..]));
    Dict::forget(memory);
    assert_eq!(bytes_of(&open(memory, 0), b"a", 5000), None);
}

#[test]
fn a_zone_of_another_layout_is_made_anew() {
    let (mut owned, mut random) = (Owned::new(1 << 20), Random(9));
    let memory = owned.memory();
    let empty = open(memory, 0).free_space();
    for other in [MAGIC - 1, MAGIC + 1, 1] {
        let bytes: Vec<u8> = (0..memory.len()).map(|_| random.below(256) as u8).collect();
        memory.write(0, &bytes);
        memory.store64(MAGIC_AT, other);
        let dict = open(memory, 0);
        check(&dict);
        assert_eq!(dict.free_space(), empty);
        put(&dict, "a", 10, 0);
        assert_eq!(bytes_of(&dict, b"a", 5000), Some(vec![7; 10]));
    }
}

#[test]
fn keys_that_are_alike_do_not_meet() {
    let mut owned = Owned::new(1 << 20);
    let dict = open(owned.memory(), 0);
    for prefix in ["", "k", "key", "a longer key, which is hashed in pieces "] {
        for zeros in [1, 5, 8, 13] {
            let keys = (0..2000).map(|i| format!("{prefix}{i:0zeros$}"));
            let hashes = keys.map(|key| dict.hash(key.as_bytes()) as usize % 4096);
            let mut met = [0; 4096];
            hashes.for_each(|hash| met[hash] += 1);
            assert!(met.iter().all(|&n| n < 9), "{prefix}{zeros}");
        }
    }
}

/// What a plain map says, without limit of memory.
#[derive(Default)]
struct Model {
    values: HashMap<Vec<u8>, (Vec<u8>, u64)>,
    lists: HashMap<Vec<u8>, std::collections::VecDeque<Vec<u8>>>,
}

impl Model {
    fn get(&self, key: &[u8], now: u64) -> Option<Vec<u8>> {
        let (value, expires) = self.values.get(key)?;
        (*expires == 0 || *expires > now).then(|| value.clone())
    }
}

#[test]
fn it_does_what_a_plain_map_does() {
    for (seed, size) in [(1, 4 << 20), (2, 600_000), (3, 2 << 20)] {
        let mut owned = Owned::new(size);
        let dict = open(owned.memory(), 0);
        let (mut model, mut random, mut now) = (Model::default(), Random(seed), 5000);
        for step in 0..40_000 {
            compare_step(&dict, &mut model, &mut random, now);
            now += random.below(20) as u64;
            if step % 500 == 0 {
                check(&dict);
            }
        }
    }
}

fn compare_step(dict: &Dict, model: &mut Model, random: &mut Random, now: u64) {
    let key = format!("{:0w$}", random.below(200), w = 1 + random.below(3));
    let key = key.as_bytes();
    // Often one of a few sizes, which another of the same is stored over.
    let len = [600, 1024, 1032, 1400, random.below(1500)][random.below(5)];
    let value = vec![random.below(256) as u8; len];
    let ttl = [0, 0, 1, 50, 3000, 40_000, 3_000_000][random.below(7)];
    let expires = if ttl == 0 { 0 } else { now + ttl };
    let here = model.get(key, now);
    let is_list = model.lists.contains_key(key);
    match random.below(12) {
        0..=2 => {
            let result = dict.store(key, Value::Str(&value), always(ttl), now);
            assert_eq!(result, (Ok(()), false));
            model.lists.remove(key);
            model.values.insert(key.to_vec(), (value, expires));
        }
        3 => {
            let how = Store { when: When::Absent, ..always(ttl) };
            let (result, _) = dict.store(key, Value::Str(&value), how, now);
            let exists = here.is_some() || is_list;
            assert_eq!(result, if exists { Err(Error::Exists) } else { Ok(()) });
            if !exists {
                model.values.insert(key.to_vec(), (value, expires));
            }
        }
        4 => {
            let how = Store { when: When::Present, ..always(ttl) };
            let (result, _) = dict.store(key, Value::Str(&value), how, now);
            let exists = here.is_some() || is_list;
            assert_eq!(result, if exists { Ok(()) } else { Err(Error::NotFound) });
            if exists {
                model.lists.remove(key);
                model.values.insert(key.to_vec(), (value, expires));
            }
        }
        5 => {
            dict.delete(key, now);
            model.values.remove(key);
            model.lists.remove(key);
        }
        6 => {
            let (result, _) = dict.incr(b"number", 2.0, Some((1.0, 0)), now);
            let entry = model.values.entry(b"number".to_vec());
            let entry = entry.or_insert((1f64.to_ne_bytes().to_vec(), 0));
            let number = f64::from_ne_bytes(entry.0[..].try_into().expect("8"));
            entry.0 = (number + 2.0).to_ne_bytes().to_vec();
            assert_eq!(result, Ok(number + 2.0));
        }
        7 if !is_list => {
            let result = dict.expire(key, ttl, now);
            assert_eq!(result.is_ok(), here.is_some());
            if let Some(value) = here {
                model.values.insert(key.to_vec(), (value, expires));
            }
        }
        8 | 9 => {
            let end = if random.below(2) == 0 { End::Left } else { End::Right };
            let result = dict.push(key, Value::Str(&value), end, now);
            if here.is_some() {
                assert_eq!(result, Err(Error::NotAList));
                return;
            }
            model.values.remove(key);
            let list = model.lists.entry(key.to_vec()).or_default();
            match end {
                End::Left => list.push_front(value),
                End::Right => list.push_back(value),
            }
            assert_eq!(result, Ok(list.len() as u32));
        }
        10 => {
            let mut reply = Reply::new();
            let end = if random.below(2) == 0 { End::Left } else { End::Right };
            let result = dict.pop(key, end, now, &mut reply);
            if here.is_some() {
                assert_eq!(result, Err(Error::NotAList));
                return;
            }
            let Some(list) = model.lists.get_mut(key) else {
                assert_eq!(result, Ok(kind::NIL));
                return;
            };
            let popped = match end {
                End::Left => list.pop_front(),
                End::Right => list.pop_back(),
            };
            assert_eq!(Some(reply.bytes), popped);
            if list.is_empty() {
                model.lists.remove(key);
            }
        }
        _ if is_list => {
            let len = model.lists[key].len() as u32;
            assert_eq!(dict.list_len(key, now), Ok(len));
            assert_eq!(dict.get(key, now, &mut Reply::new()), kind::LIST);
        }
        _ => {
            assert_eq!(bytes_of(dict, key, now), here);
            let ttl = dict.ttl(key, now);
            assert_eq!(ttl.is_ok(), here.is_some());
        }
    }
}

#[test]
fn what_was_used_least_recently_goes_first() {
    let mut owned = Owned::new(128 * 1024);
    let dict = open(owned.memory(), 0);
    let value = [7; 1000];
    let mut keys: Vec<String> = Vec::new();
    let mut next = 0;
    // Fills it, and reads every third again.
    let full = loop {
        let key = format!("k{next}");
        let (result, forced) =
            dict.store(key.as_bytes(), Value::Str(&value), always(0), 5000);
        assert_eq!(result, Ok(()));
        next += 1;
        if forced {
            break next - 1;
        }
        keys.push(key);
    };
    keys.remove(0);
    keys.push(format!("k{full}"));
    let used: Vec<_> = keys.iter().step_by(3).cloned().collect();
    for key in &used {
        assert!(bytes_of(&dict, key.as_bytes(), 5000).is_some());
    }
    let unused = keys.len() - used.len();
    for i in 0..unused - 1 {
        let key = format!("n{i}");
        assert!(dict.store(key.as_bytes(), Value::Str(&value), always(0), 5000).1);
    }
    for key in &used {
        assert!(bytes_of(&dict, key.as_bytes(), 5000).is_some(), "{key} went");
    }
    check(&dict);
}

#[test]
fn what_has_expired_goes_before_what_lives() {
    let mut owned = Owned::new(256 * 1024);
    let dict = open(owned.memory(), 0);
    let value = [7; 500];
    for i in 0..100 {
        let _ =
            dict.store(format!("l{i}").as_bytes(), Value::Str(&value), always(0), 5000);
        let ttl = 1000 + 77_777 * (i % 10);
        let _ =
            dict.store(format!("e{i}").as_bytes(), Value::Str(&value), always(ttl), 5000);
    }
    let now = 5000 + 1_000_000;
    let mut stored = 0;
    loop {
        let key = format!("n{stored}");
        if dict.store(key.as_bytes(), Value::Str(&value), always(0), now).1 {
            break;
        }
        stored += 1;
        check(&dict);
    }
    assert!(stored > 200, "{stored}");
    assert_eq!(bytes_of(&dict, b"l99", now).map(|v| v.len()), Some(500));
    let mut reply = Reply::new();
    for i in 0..100 {
        let kind = dict.get_stale(format!("e{i}").as_bytes(), now, &mut reply);
        assert_eq!(kind, kind::NIL, "e{i} is still there");
    }
}

#[test]
fn memory_in_pieces_is_used() {
    let mut owned = Owned::new(512 * 1024);
    let dict = open(owned.memory(), 0);
    let safe = Store { evict: false, ..always(0) };
    let mut n = 0;
    while dict
        .store(format!("{n}").as_bytes(), Value::Str(&[1; 200]), safe, 5000)
        .0
        .is_ok()
    {
        n += 1;
    }
    for i in (0..n).step_by(2) {
        dict.delete(format!("{i}").as_bytes(), 5000);
    }
    // Half is free, in holes of a few hundred bytes.
    let large: Vec<u8> = (0..dict.free_space() * 9 / 10).map(|i| i as u8).collect();
    let key = vec![b'k'; 60_000];
    let value = &large[key.len()..];
    assert_eq!(dict.store(&key, Value::Str(value), safe, 5000), (Ok(()), false));
    assert_eq!(bytes_of(&dict, &key, 5000).as_deref(), Some(value));
    check(&dict);
    assert_eq!(dict.push(b"list", Value::Str(&[2; 9000]), End::Left, 5000), Ok(1));
    check(&dict);
    assert_eq!(
        dict.push(b"list", Value::Str(&large), End::Left, 5000),
        Err(Error::NoMemory)
    );
    check(&dict);
    let mut reply = Reply::new();
    assert_eq!(dict.pop(b"list", End::Right, 5000, &mut reply), Ok(kind::STRING));
    assert_eq!(reply.bytes, [2; 9000]);
    dict.delete(&key, 5000);
    check(&dict);
    assert!(n > 1000);
}

/// All keys, in the order in which they would have to go.
fn keys(dict: &Dict, now: u64) -> Vec<String> {
    let keys = dict.keys(1000, now);
    keys.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect()
}

fn put(dict: &Dict, key: &str, len: usize, ttl: u64) {
    let stored = dict.store(key.as_bytes(), Value::Str(&vec![7; len]), always(ttl), 5000);
    assert_eq!(stored, (Ok(()), false));
}

#[test]
fn long_values_of_many_sizes_need_no_more_memory() {
    let mut owned = Owned::new(8 << 20);
    let dict = open(owned.memory(), 0);
    let (empty, mut random) = (dict.free_space(), Random(5));
    // More than a stock has places for, then more than there is memory for.
    for (keys, most) in [(300, 2100), (12_000, 1400)] {
        for _ in 0..20 * keys {
            let key = random.below(keys);
            let len = 500 + (key * 97 + random.below(20)) % (most - 500);
            let stored = dict.store(
                format!("{key}").as_bytes(),
                Value::Str(&vec![7; len]),
                always(0),
                5000,
            );
            assert_eq!(stored.0, Ok(()));
            assert!(!stored.1 || keys > 300);
        }
        check(&dict);
    }
    // Nothing is kept in stock that others need.
    assert!(dict.free_space() < empty / 16, "{}", dict.free_space());
    assert!(dict.count() > 7000, "{}", dict.count());
    dict.flush_all();
    dict.flush_expired(usize::MAX, 5000);
    assert_eq!(dict.free_space(), empty);
}

#[test]
fn blocks_are_whole_lines_as_long_as_much_is_free() {
    let mut owned = Owned::new(1 << 20);
    let dict = open(owned.memory(), 0);
    let empty = dict.free_space();
    let mut some = 0;
    // What is before the last quarter of the memory is used, and what after it.
    let (mut whole, mut dense) = (0, 0);
    for i in 0.. {
        let (key, free) = (format!("key {i}"), dict.free_space());
        if free < empty / 2 {
            break;
        }
        put(&dict, &key, 10 + i % 90, 0);
        let entry = dict.find(dict.hash(key.as_bytes()), key.as_bytes());
        let in_lines = (entry * 16).is_multiple_of(64)
            && layout::units(&dict.memory, entry).is_multiple_of(layout::LINE);
        if free >= empty - empty / 4 {
            assert!(in_lines, "{key}");
            whole += 1;
        } else {
            dense += usize::from(!in_lines);
        }
        some += 1;
    }
    assert!(whole > 1000 && dense > some / 3, "{whole} and {dense} of {some}");
    check(&dict);
}
