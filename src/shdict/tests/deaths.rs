//! A worker dies at every single store of what it does.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::nginx::memory::watch;

/// A process that is not there.
pub(super) const DEAD: Owner = 0x7fff_fff0;

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
        were_young += young::count(&dict);
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
    let lens =
        [(3, 3), (16, 16), (17, 17), (33, 33), (64, 60), (1024, 1024), (1024, 1020)];
    for (len, other_len) in lens {
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
pub(super) type Whole = (Vec<u8>, u32, u64);

pub(super) fn whole(dict: &Dict, key: &[u8]) -> Option<Whole> {
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
