//! The areas where processes save what they change.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::layout::{AREA_OWNER, SAVING};
use super::deaths::{DEAD, whole};
use super::*;
use crate::nginx::memory::watch;

/// The first process, which lives.
const ALIVE: Owner = 1;

/// More than a stripe has room for.
const LEN: usize = 100;

fn stored(dict: &Dict, key: &str, byte: u8, how: Store) {
    let value = [byte; LEN];
    let (result, _) = dict.store(key.as_bytes(), Value::Str(&value), how, 5000);
    assert_eq!(result, Ok(()));
    assert_eq!(bytes_of(dict, key.as_bytes(), 5000), Some(value.to_vec()));
    check(dict);
}

fn owners(dict: &Dict) -> Vec<Owner> {
    dict.layout.areas().map(|at| dict.memory.load64(at + AREA_OWNER)).collect()
}

/// All areas that are free are another's.
fn occupy(dict: &Dict, owner: Owner) {
    for at in dict.layout.areas() {
        dict.memory.swap64(at + AREA_OWNER, 0, owner);
    }
}

#[test]
fn a_process_takes_one_when_it_needs_it() {
    let mut owned = Owned::new(1 << 20);
    let dict = open(owned.memory(), DEAD);
    put(&dict, "small", 8, 0);
    put(&dict, "small", 8, 0);
    stored(&dict, "key", 1, always(0));
    assert!(owners(&dict).iter().all(|&owner| owner == 0), "{:?}", owners(&dict));
    for byte in 2..5 {
        stored(&dict, "key", byte, always(0));
        let taken = owners(&dict).into_iter().filter(|&owner| owner != 0);
        assert_eq!(taken.collect::<Vec<_>>(), [DEAD]);
    }
    // After a fork it is the parent's: the child takes another.
    let child = Dict { me: Identity::of(ALIVE), ..open(dict.memory, 0) };
    stored(&child, "key", 6, always(0));
    assert_eq!(owners(&dict)[..3], [DEAD, ALIVE, 0]);
}

#[test]
fn who_has_none_stores_all_the_same() {
    let mut owned = Owned::new(1 << 20);
    let dict = open(owned.memory(), 0);
    occupy(&dict, ALIVE);
    let ttls = [0, 0, 900, 900, 0];
    for (byte, ttl) in (1..).zip(ttls) {
        stored(&dict, "key", byte, Store { flags: u32::from(byte), ..always(ttl) });
        assert_eq!(dict.ttl(b"key", 5000), Ok(ttl));
        // A block of its own: each time others are exchanged, or made anew.
        for step in 0..4 {
            let value = vec![byte + step; 800];
            let how = Store { flags: u32::from(byte), ..always(ttl) };
            let (result, _) = dict.store(b"long", Value::Str(&value), how, 5000);
            assert_eq!(result, Ok(()));
            assert_eq!(whole(&dict, b"long"), Some((value, u32::from(byte), ttl)));
            check(&dict);
        }
    }
    assert!(owners(&dict).iter().all(|&owner| owner == ALIVE), "{:?}", owners(&dict));
    let number = |by| dict.incr(b"number", by, Some((0.0, 0)), 5000).0;
    assert_eq!((number(1.0), number(2.0)), (Ok(1.0), Ok(3.0)));
}

#[test]
fn what_the_dead_had_saved_is_taken_back_before_its_area_is_taken() {
    let mut owned = Owned::new(1 << 20);
    let memory = owned.memory();
    let dict = open(memory, DEAD);
    stored(&dict, "key", 1, always(0));
    stored(&dict, "key", 2, always(0));
    occupy(&dict, ALIVE);
    let home = dict.layout.home(dict.hash(b"key"));
    let states = Rc::new(RefCell::new(Vec::new()));
    let seen = states.clone();
    watch(Some(Box::new(move || {
        if memory.load64(home + SAVING) != 0 {
            seen.borrow_mut().push(Owned::bytes(&memory));
        }
    })));
    stored(&dict, "key", 3, always(0));
    watch(None);
    let other = (0..).map(|i| format!("other{i}"));
    let mut others =
        other.filter(|key| dict.layout.home(dict.hash(key.as_bytes())) != home);
    let other = others.next().expect("in another stripe");
    let states = states.take();
    assert!(states.len() >= 2, "{}", states.len());
    for state in states {
        memory.write(0, &state);
        let dict = open(memory, 0);
        // It needs an area, and nothing that the dead has locked.
        let me = dict.me.get();
        for byte in [7, 8] {
            let value = Value::Str(&[byte; LEN]);
            let (result, _) = dict.store(other.as_bytes(), value, always(0), 5000);
            assert_eq!(result, Ok(()));
        }
        assert!(owners(&dict).iter().all(|owner| [ALIVE, me].contains(owner)));
        assert_eq!(memory.load64(home + SAVING), 0);
        let value = bytes_of(&dict, b"key", 5000);
        assert_eq!(value, Some(vec![2; LEN]));
        check(&dict);
    }
}
