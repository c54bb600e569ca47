//! Against a plain map, and with a worker dying at every single store.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::layout::{YOUNG_SLOTS, young_at};
use super::owner::{Identity, Owner};
use super::*;
use crate::nginx::memory::{Owned, watch};

/// A process that is not there.
const DEAD: Owner = 0x7fff_fff0;

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

/// How many entries are young.
fn young(dict: &Dict) -> usize {
    let stripes = (0..dict.layout.stripes).map(|i| dict.layout.stripe_at(i));
    let slots =
        stripes.flat_map(|at| (0..YOUNG_SLOTS).map(move |slot| young_at(at, slot)));
    slots.filter(|&place| dict.memory.load32(place) != 0).count()
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
fn blocks_of_what_was_deleted_are_used_again() {
    let mut owned = Owned::new(60_000);
    let dict = open(owned.memory(), 0);
    let empty = dict.free_space();
    for key in ["a", "b", "c", "d", "e", "f"] {
        put(&dict, key, 20, 0);
    }
    let full = dict.free_space();
    for key in ["b", "d", "a"] {
        dict.delete(key.as_bytes(), 5000);
    }
    check(&dict);
    assert_eq!((dict.free_space() - full) * 2, empty - full);
    // Two are young, one is too large for what is there.
    put(&dict, "b", 20, 0);
    put(&dict, "x", 400, 0);
    put(&dict, "a", 20, 9000);
    put(&dict, "d", 15, 0);
    assert_eq!(young(&dict), 2);
    check(&dict);
    dict.delete(b"a", 5000);
    assert_eq!(young(&dict), 1);
    assert_eq!(bytes_of(&dict, b"d", 5000), Some(vec![7; 15]));
    assert_eq!(dict.expire(b"d", 100, 5000), Ok(()));
    assert_eq!(dict.ttl(b"d", 5050), Ok(50));
    check(&dict);
    // Those that are young are not touched by whoever looks at the order.
    assert_eq!(keys(&dict, 5000), ["c", "e", "f", "b", "x", "d"]);
    assert_eq!((young(&dict), bytes_of(&dict, b"d", 5100)), (0, None));
    check(&dict);
    dict.flush_all();
    assert_eq!(dict.flush_expired(usize::MAX, 5000), 6);
    assert_eq!(dict.free_space(), empty);
    check(&dict);
}

#[test]
fn what_is_young_comes_into_its_lists() {
    let mut owned = Owned::new(60_000);
    let dict = open(owned.memory(), 0);
    let names: Vec<_> = (0..200).map(|i| format!("{i}")).collect();
    // More than there are slots, in the order in which they were made.
    for (i, key) in names.iter().enumerate() {
        put(&dict, "first", 20, 0);
        dict.delete(b"first", 5000);
        put(&dict, key, 20, if i % 2 == 0 { 1000 } else { 0 });
        assert!(young(&dict) <= YOUNG_SLOTS);
        check(&dict);
    }
    assert_eq!(keys(&dict, 5000), names);
    // Flushed ones that are young go before what lives.
    dict.delete(b"0", 5000);
    put(&dict, "0", 20, 0);
    assert_eq!(young(&dict), 1);
    dict.flush_all();
    put(&dict, "new", 100, 0);
    check(&dict);
    assert_eq!(keys(&dict, 5000), ["new"]);
}

#[test]
fn stock_is_used_before_anything_has_to_go() {
    let mut owned = Owned::new(300_000);
    let dict = open(owned.memory(), 0);
    let safe = Store { evict: false, ..always(0) };
    let fill = |len: usize, prefix: &str| {
        let value = vec![1; len];
        (0..).find(|i| {
            let key = format!("{prefix}{i}");
            dict.store(key.as_bytes(), Value::Str(&value), safe, 5000).0.is_err()
        })
    };
    let n = fill(1000, "k").expect("full");
    for i in 0..n {
        let key = format!("k{i}");
        dict.delete(key.as_bytes(), 5000);
        put(&dict, &key, 1000, if i % 2 == 0 { 1 } else { 0 });
        check(&dict);
    }
    assert!(young(&dict) > 0);
    // Half of them have expired, and no other has to go.
    let new = |i| format!("n{i}");
    let value = Value::Str(&[1; 900]);
    let goes = |i| dict.store(new(i).as_bytes(), value, always(0), 6000).1;
    let stored = (0..).find(|&i| goes(i)).expect("full");
    assert!(stored >= n / 2, "{stored} of {n}");
    check(&dict);
    for key in (0..n).map(|i| format!("k{i}")).chain((0..=stored).map(new)) {
        dict.delete(key.as_bytes(), 6000);
    }
    check(&dict);
    // One value takes all that is free, also that in stock.
    let len = dict.free_space() - 500;
    assert_eq!(
        dict.store(b"large", Value::Str(&vec![3; len]), safe, 6000),
        (Ok(()), false)
    );
    check(&dict);
}

/// Runs `f`, and then for each of its stores has another process find the
/// zone as it was just before, with its owner dead.
fn die_everywhere(
    memory: Memory,
    f: impl FnOnce(&Dict),
    found: impl Fn(&Dict, usize),
) -> usize {
    let dict = open(memory, DEAD);
    let states = Rc::new(RefCell::new(Vec::new()));
    let seen = states.clone();
    watch(Some(Box::new(move || seen.borrow_mut().push(Owned::bytes(&memory)))));
    f(&dict);
    watch(None);
    let states = states.take();
    let mut owned = Owned::new(memory.len());
    let copy = owned.memory();
    for (i, state) in states.iter().enumerate() {
        copy.write(0, state);
        let other = open(copy, 0);
        // Whoever needs a lock that is held takes it.
        check(&other);
        found(&other, i);
        check(&other);
    }
    states.len()
}

#[test]
fn a_worker_may_die_at_any_store() {
    let mut random = Random(42);
    let mut owned = Owned::new(40_000);
    let memory = owned.memory();
    let dict = open(memory, 0);
    let (mut now, mut died) = (5000, 0);
    for round in 0..150 {
        let key = format!("key{}", random.below(12));
        let value =
            vec![b'a' + (round % 26) as u8; [3, 10, 30, 200, 700, 6000][random.below(6)]];
        let ttl = [0, 0, 500, 90_000][random.below(4)];
        let before = dict.keys(usize::MAX, now);
        let before: Vec<_> = before
            .iter()
            .map(|key| (key.to_vec(), value_or_list(&dict, key, now)))
            .collect();
        let what = random.below(9);
        let run = |dict: &Dict| {
            let mut reply = Reply::new();
            match what {
                0..=2 => ignore(dict.store(
                    key.as_bytes(),
                    Value::Str(&value),
                    always(ttl),
                    now,
                )),
                3 => dict.delete(key.as_bytes(), now),
                4 => ignore(dict.incr(b"number", 1.0, Some((0.0, ttl)), now)),
                5 => ignore(dict.expire(key.as_bytes(), ttl, now)),
                6 => ignore(dict.push(
                    b"list",
                    Value::Str(&value[..value.len() % 999]),
                    End::Left,
                    now,
                )),
                7 => ignore(dict.pop(b"list", End::Right, now, &mut reply)),
                _ if round % 3 == 0 => dict.flush_all(),
                _ => ignore(dict.flush_expired(usize::MAX, now)),
            }
        };
        let start = Owned::bytes(&memory);
        // Once for what it comes to, once for all its ends.
        run(&dict);
        check(&dict);
        let after = Owned::bytes(&memory);
        let key_after = value_or_list(&dict, key.as_bytes(), now);
        memory.write(0, &start);
        died += die_everywhere(memory, run, |other, i| {
            // Of other keys nothing is lost but what makes room; and the key
            // itself has its old or its new value.
            for (old_key, old) in &before {
                let seen = value_or_list(other, old_key, now);
                let touched = old_key == key.as_bytes()
                    || matches!(&old_key[..], b"number" | b"list")
                    || what == 8;
                assert!(
                    touched || seen.is_none() || &seen == old,
                    "round {round}, store {i}: {old_key:?} is neither old nor gone"
                );
            }
            if what <= 3 {
                let seen = value_or_list(other, key.as_bytes(), now);
                let old = before.iter().find(|(k, _)| k == key.as_bytes());
                let old = old.and_then(|(_, value)| value.clone());
                assert!(
                    seen.is_none() || seen == old || seen == key_after,
                    "round {round}, store {i}: {seen:?}"
                );
            }
            // It is of use.
            let result = other.store(b"another", Value::Str(b"value"), always(0), now);
            assert_eq!(result.0, Ok(()));
            assert!(bytes_of(other, b"another", now).is_some());
        });
        memory.write(0, &after);
        now += random.below(400) as u64;
    }
    assert!(died > 5000, "{died}");
}

#[test]
fn a_worker_may_die_with_young_entries() {
    let mut random = Random(7);
    let mut owned = Owned::new(40_000);
    let memory = owned.memory();
    let dict = open(memory, 0);
    let names: Vec<_> = (0..14).map(|i| format!("key{i}")).collect();
    let values = |dict: &Dict| -> Vec<_> {
        names.iter().map(|key| bytes_of(dict, key.as_bytes(), 5000)).collect()
    };
    let (mut died, mut were_young) = (0, 0);
    for round in 0..400 {
        let at = random.below(names.len());
        let key = names[at].as_bytes();
        let value = vec![round as u8; [4, 10, 12, 300][random.below(4)]];
        let ttl = [0, 90_000][random.below(2)];
        let what = random.below(9);
        let run = |dict: &Dict| match what {
            0..=3 => {
                ignore(dict.store(key, Value::Str(&value), always(ttl), 5000));
            }
            4..=6 => dict.delete(key, 5000),
            7 => ignore(dict.expire(key, ttl, 5000)),
            _ => ignore(dict.keys(5, 5000)),
        };
        were_young += young(&dict);
        let (start, before) = (Owned::bytes(&memory), values(&dict));
        run(&dict);
        check(&dict);
        let (end, after) = (Owned::bytes(&memory), values(&dict));
        memory.write(0, &start);
        died += die_everywhere(memory, run, |other, i| {
            let mut seen = values(other);
            let this = seen[at].take();
            assert!(this == before[at] || this == after[at], "round {round}, store {i}");
            let others = |all: &[Option<Vec<u8>>]| {
                (0..all.len()).filter(|&j| j != at).all(|j| seen[j] == all[j])
            };
            assert!(others(&before), "round {round}, store {i}");
            dict_is_of_use(other);
        });
        memory.write(0, &end);
    }
    assert!(died > 5000 && were_young > 100, "{died} {were_young}");
}

#[test]
fn a_worker_may_die_while_it_overwrites() {
    // In the larger zone also long values are written where they are, as long as
    // little memory is free.
    let mut owned = Owned::new(1 << 20);
    let memory = owned.memory();
    let dict = open(memory, 0);
    put(&dict, "large", dict.free_space() * 31 / 32, 0);
    for (len, other_len) in [(3, 3), (16, 16), (17, 17), (1024, 1024), (1024, 1020)] {
        let (old, new) = (vec![1; len], vec![2; other_len]);
        let stored = |dict: &Dict, value: &[u8]| {
            let (result, _) = dict.store(b"key", Value::Str(value), always(0), 5000);
            assert_eq!(result, Ok(()));
        };
        stored(&dict, &old);
        let before = dict.find(dict.hash(b"key"), b"key");
        let seen = Cell::new((0, 0));
        let died = die_everywhere(
            memory,
            |dict| stored(dict, &new),
            |other, _| {
                let value = bytes_of(other, b"key", 5000).expect("old or new");
                assert!(value == old || value == new, "{value:?}");
                let (olds, news) = seen.get();
                let is_old = value == old;
                seen.set((olds + usize::from(is_old), news + usize::from(!is_old)));
                dict_is_of_use(other);
            },
        );
        let (olds, later) = seen.get();
        assert!(olds >= 3 && later >= 1 && olds + later == died, "{olds} {later}");
        assert_eq!(bytes_of(&dict, b"key", 5000).as_ref(), Some(&new));
        // It is where it was.
        assert_eq!(dict.find(dict.hash(b"key"), b"key"), before);
    }
}

/// A value, its flags, and when it expires.
type Whole = (Vec<u8>, u32, u64);

fn whole(dict: &Dict, key: &[u8]) -> Option<Whole> {
    let mut reply = Reply::new();
    let kind = dict.get(key, 5000, &mut reply);
    assert!(matches!(kind, kind::STRING | kind::NIL), "type {kind}");
    let ttl = dict.ttl(key, 5000).ok()?;
    Some((reply.bytes, reply.flags, ttl))
}

/// How an entry was changed.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    Anew(u32),
    Exchanged,
    Overwritten,
}

#[test]
fn a_worker_may_die_over_a_long_value() {
    let mut owned = Owned::new(1 << 20);
    let memory = owned.memory();
    let dict = open(memory, 0);
    let empty = dict.free_space();
    let place = |dict: &Dict| {
        let entry = dict.find(dict.hash(b"key"), b"key");
        (entry, memory.load32(layout::at(entry, layout::NEXT)), dict.kind(entry))
    };
    // Lengths, what to do before, and what is expected.
    let steps: &[(usize, &str, Way)] = &[
        (1024, "", Way::Anew(kind::STRING)),
        // A block of its own, then one in stock.
        (1024, "", Way::Anew(kind::LONG)),
        (1024, "", Way::Anew(kind::LONG)),
        (1024, "", Way::Exchanged),
        // Into the wheel of expiry times, and later there.
        (1030, "ttl", Way::Anew(kind::LONG)),
        (1030, "ttl", Way::Exchanged),
        (1030, "", Way::Exchanged),
        // Others for another size; the stock has both.
        (600, "", Way::Anew(kind::LONG)),
        (600, "", Way::Anew(kind::LONG)),
        (600, "", Way::Exchanged),
        (1024, "", Way::Exchanged),
        (600, "ttl", Way::Anew(kind::LONG)),
        (1024, "ttl", Way::Exchanged),
        // The stock is emptied, and made again.
        (1024, "even ttl", Way::Anew(kind::LONG)),
        (1024, "ttl", Way::Exchanged),
        (1024, "full ttl", Way::Overwritten),
        (1020, "ttl", Way::Overwritten),
        (600, "", Way::Anew(kind::STRING)),
        (600, "", Way::Overwritten),
        (600, "free", Way::Anew(kind::LONG)),
        (100, "", Way::Anew(kind::STRING)),
        (2040, "", Way::Anew(kind::STRING)),
        (2040, "", Way::Anew(kind::LONG)),
        (2041, "", Way::Anew(kind::STRING)),
        (511, "", Way::Anew(kind::STRING)),
        (512, "", Way::Anew(kind::STRING)),
        (512, "", Way::Anew(kind::LONG)),
    ];
    for (i, (len, before, way)) in steps.iter().enumerate() {
        let has = |word| before.contains(word);
        if has("full") {
            put(&dict, "large", dict.free_space() * 31 / 32, 0);
        }
        if has("full") || has("even") {
            dict.flush_expired(1, 5000);
        }
        if has("free") {
            dict.delete(b"large", 5000);
        }
        let (value, flags) = (vec![i as u8; *len], i as u32);
        let ttl = if has("ttl") { 1000 * (i as u64 + 1) } else { 0 };
        let how = Store { flags, ..always(ttl) };
        let run = |dict: &Dict| {
            let stored = dict.store(b"key", Value::Str(&value), how, 5000);
            assert_eq!(stored, (Ok(()), false));
        };
        let (old, was) = (whole(&dict, b"key"), place(&dict));
        let seen = Cell::new((0, 0));
        die_everywhere(memory, run, |other, store| {
            let now = whole(other, b"key");
            let is_old = now == old;
            assert!(
                is_old || now == Some((value.clone(), flags, ttl)),
                "step {i}, store {store}"
            );
            let (olds, news) = seen.get();
            seen.set((olds + usize::from(is_old), news + usize::from(!is_old)));
            dict_is_of_use(other);
            other.delete(b"key", 5000);
        });
        let (olds, news) = seen.get();
        assert!(olds >= 3 && news >= 1, "step {i}: {olds} {news}");
        check(&dict);
        assert_eq!(whole(&dict, b"key"), Some((value, flags, ttl)));
        let is = place(&dict);
        let seen = match (is.0 == was.0, is.1 == was.1) {
            (false, _) => Way::Anew(is.2),
            (true, false) => Way::Exchanged,
            (true, true) => Way::Overwritten,
        };
        assert_eq!(&seen, way, "step {i}");
    }
    // Whatever else there is to do with one.
    assert_eq!(
        dict.push(b"key", Value::Number(1.0), End::Left, 5000),
        Err(Error::NotAList)
    );
    assert_eq!(dict.incr(b"key", 1.0, None, 5000).0, Err(Error::NotANumber));
    assert_eq!(dict.expire(b"key", 10, 5000), Ok(()));
    assert_eq!(bytes_of(&dict, b"key", 5010), None);
    let mut reply = Reply::new();
    assert_eq!(dict.get_stale(b"key", 5010, &mut reply), kind::STRING);
    assert_eq!(reply.bytes.len(), 512);
    die_everywhere(memory, |dict| ignore(dict.flush_expired(9, 5010)), |_, _| {});
    assert_eq!((dict.count(), dict.free_space()), (0, empty));
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

fn dict_is_of_use(dict: &Dict) {
    for (i, key) in ["one", "another"].into_iter().enumerate() {
        put(dict, key, 10 + i, 0);
        assert_eq!(bytes_of(dict, key.as_bytes(), 5000), Some(vec![7; 10 + i]));
    }
    dict.delete(b"one", 5000);
    put(dict, "one", 12, 0);
}

/// What is there under a key, comparable.
fn value_or_list(dict: &Dict, key: &[u8], now: u64) -> Option<Vec<u8>> {
    match dict.list_len(key, now) {
        Ok(n) if n > 0 => Some(format!("list of {n}").into_bytes()),
        _ => bytes_of(dict, key, now),
    }
}

#[test]
fn a_worker_may_die_while_it_recovers() {
    let mut owned = Owned::new(40_000);
    let memory = owned.memory();
    let dict = open(memory, DEAD);
    let _ = dict.store(b"key", Value::Str(&[1; 300]), always(0), 5000);
    let states = Rc::new(RefCell::new(Vec::new()));
    let seen = states.clone();
    watch(Some(Box::new(move || seen.borrow_mut().push(Owned::bytes(&memory)))));
    let _ = dict.store(b"key", Value::Str(&[2; 900]), always(0), 5000);
    watch(None);
    let states = states.take();
    for state in states.iter().step_by(3) {
        memory.write(0, state);
        // The second one dies, too.
        die_everywhere(
            memory,
            |second| {
                let second = Dict { me: Identity::of(DEAD + 1), ..reopen(second) };
                let _ = second.store(b"other", Value::Str(b"x"), always(0), 5000);
            },
            |third, _| {
                let value = bytes_of(third, b"key", 5000).expect("old or new");
                assert!(value == [1; 300] || value == [2; 900]);
            },
        );
    }
}

fn reopen(dict: &Dict) -> Dict {
    open(dict.memory, 0)
}
