//! Blocks in stock, and what is made of them.

use super::super::hold::Hold;
use super::super::layout::{YOUNG_SLOTS, young_at};
use super::super::young::EVENED;
use super::*;

/// How many entries are young.
pub(super) fn count(dict: &Dict) -> usize {
    let stripes = (0..dict.layout.stripes).map(|i| dict.layout.stripe_at(i));
    let slots =
        stripes.flat_map(|at| (0..YOUNG_SLOTS).map(move |slot| young_at(at, slot)));
    slots.filter(|&place| dict.memory.load32(place) != 0).count()
}

#[test]
fn blocks_of_what_was_deleted_are_used_again() {
    let mut owned = Owned::new(30_000);
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
    assert_eq!(count(&dict), 2);
    check(&dict);
    dict.delete(b"a", 5000);
    assert_eq!(count(&dict), 1);
    assert_eq!(bytes_of(&dict, b"d", 5000), Some(vec![7; 15]));
    assert_eq!(dict.expire(b"d", 100, 5000), Ok(()));
    assert_eq!(dict.ttl(b"d", 5050), Ok(50));
    check(&dict);
    // Those that are young are not touched by whoever looks at the order.
    assert_eq!(keys(&dict, 5000), ["c", "e", "f", "b", "x", "d"]);
    assert_eq!((count(&dict), bytes_of(&dict, b"d", 5100)), (0, None));
    check(&dict);
    dict.flush_all();
    assert_eq!(dict.flush_expired(usize::MAX, 5000), 6);
    assert_eq!(dict.free_space(), empty);
    check(&dict);
}

#[test]
fn what_is_young_comes_into_its_lists() {
    let mut owned = Owned::new(30_000);
    let dict = open(owned.memory(), 0);
    let names: Vec<_> = (0..200).map(|i| format!("{i}")).collect();
    // More than there are slots, in the order in which they were made.
    for (i, key) in names.iter().enumerate() {
        put(&dict, "first", 20, 0);
        dict.delete(b"first", 5000);
        put(&dict, key, 20, if i % 2 == 0 { 1000 } else { 0 });
        assert!(count(&dict) <= YOUNG_SLOTS);
        check(&dict);
    }
    assert_eq!(keys(&dict, 5000), names);
    // Flushed ones that are young go before what lives.
    dict.delete(b"0", 5000);
    put(&dict, "0", 20, 0);
    assert_eq!(count(&dict), 1);
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
    assert!(count(&dict) > 0);
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

#[test]
fn many_stripes_are_evened_in_steps() {
    let mut owned = Owned::new(9 << 20);
    let dict = open(owned.memory(), 0);
    assert!(dict.layout.stripes > EVENED);
    let empty = dict.free_space();
    let names: Vec<_> = (0..4096).map(|i| format!("key {i}")).collect();
    let stock_all = || {
        names.iter().for_each(|key| put(&dict, key, 100, 0));
        names.iter().for_each(|key| dict.delete(key.as_bytes(), 5000));
        let uneven = dict.uneven().count();
        assert!(uneven > dict.layout.stripes - 10, "{uneven}");
        assert!(dict.in_stock().count() > 3 * uneven);
        check(&dict);
        assert_eq!(dict.free_space(), empty);
    };
    stock_all();
    assert_eq!(dict.flush_expired(usize::MAX, 5000), 0);
    assert_eq!((dict.uneven().count(), dict.in_stock().count()), (0, 0));
    assert_eq!(dict.free_space(), empty);
    check(&dict);
    // One value takes all of it, and nothing has to go.
    stock_all();
    put(&dict, "young", 100, 0);
    let safe = Store { evict: false, ..always(0) };
    let value = vec![3; dict.free_space() - 500];
    assert_eq!(dict.store(b"large", Value::Str(&value), safe, 5000), (Ok(()), false));
    assert_eq!(dict.in_stock().count(), 0);
    assert_eq!(bytes_of(&dict, b"young", 5000), Some(vec![7; 100]));
    check(&dict);
}

#[test]
fn the_mark_of_a_stripe_that_is_held_stays() {
    let mut owned = Owned::new(1 << 20);
    let dict = open(owned.memory(), 0);
    for key in ["a", "b", "c"] {
        put(&dict, key, 100, 0);
        dict.delete(key.as_bytes(), 5000);
    }
    let uneven: Vec<_> = dict.uneven().collect();
    let held = Hold::stripe_number(&dict, uneven[0]);
    let evened = dict.even(&mut Hold::global(&dict));
    assert!(evened.busy && evened.some == (uneven.len() > 1) && !evened.more);
    assert_eq!(dict.uneven().collect::<Vec<_>>(), uneven[..1]);
    drop(held);
    check(&dict);
    let evened = dict.even(&mut Hold::global(&dict));
    assert!(evened.some && !evened.busy && !evened.more);
    assert_eq!(dict.uneven().count(), 0);
    assert!(!dict.even(&mut Hold::global(&dict)).some);
    check(&dict);
}
