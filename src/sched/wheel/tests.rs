//! The wheel beside a sorted map, over random and over awkward times.

use std::collections::BTreeMap;

use super::*;

/// A small generator: a failure is replayed by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

/// Milliseconds of every length that matters to the levels.
fn delay(random: &mut Random) -> u64 {
    let edge =
        [1, 255, 256, 257, 16_383, 16_384, 16_385, 1 << 20, 1 << 26, (1 << 31) - 1];
    match random.below(8) {
        0 => edge[random.below(10) as usize],
        1 => random.below(1 << 31),
        2 => random.below(100_000),
        3 => 0,
        _ => random.below(600),
    }
}

#[test]
fn as_a_sorted_map_would_do_it() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let mut wheel = Wheel::new();
        // By due time and order of insertion.
        let mut model: BTreeMap<(u64, u64), Key> = BTreeMap::new();
        let mut now = random.below(1 << 40);
        for id in 0..600u64 {
            match random.below(10) {
                0..5 => {
                    let at = now + delay(&mut random);
                    let key = wheel.insert(now, at, (at, id));
                    assert_eq!(wheel.time_of(key), Some(at));
                    model.insert((at, id), key);
                }
                5..7 => {
                    let nth = random.below(model.len() as u64 + 1) as usize;
                    if let Some((&due, &key)) = model.iter().nth(nth) {
                        model.remove(&due);
                        assert_eq!(wheel.cancel(key), Some(due), "seed {seed}");
                    }
                }
                _ => {
                    if random.below(3) > 0 {
                        now += delay(&mut random);
                    } else if let Some(next) = wheel.next() {
                        let first = model.keys().next().expect("as many").0;
                        assert!(next <= first.max(now), "seed {seed}: sleeps too long");
                        now = now.max(next);
                    }
                    let mut last = 0;
                    while let Some((at, id)) = wheel.pop(now) {
                        assert!(at <= now && at >= last, "seed {seed}");
                        last = at;
                        assert!(model.remove(&(at, id)).is_some(), "seed {seed}");
                    }
                    assert!(model.keys().all(|&(at, _)| at > now), "seed {seed}");
                }
            }
            assert_eq!(wheel.len(), model.len());
            assert_eq!(wheel.next().is_none(), model.is_empty());
        }
    }
}

#[test]
fn going_by_next_alone_reaches_every_entry_in_few_steps() {
    let mut wheel = Wheel::new();
    wheel.insert(1000, 1000 + (1 << 31), "far");
    let mut steps = 0;
    while let Some(next) = wheel.next() {
        steps += 1;
        wheel.pop(next);
    }
    assert!(steps <= LEVELS, "{steps} steps");
}

#[test]
fn of_one_millisecond_the_first_comes_first() {
    let mut wheel = Wheel::new();
    for n in 0..100 {
        wheel.insert(0, 300, n);
    }
    assert_eq!(wheel.pop(299), None);
    for n in 0..100 {
        assert_eq!(wheel.pop(300), Some(n));
    }
    assert_eq!(wheel.pop(300), None);
}

#[test]
fn what_is_due_already_comes_next() {
    let mut wheel = Wheel::new();
    wheel.insert(50, 50, "now");
    wheel.insert(50, 10, "late");
    assert_eq!(wheel.next(), Some(50));
    assert_eq!(wheel.pop(50), Some("now"));
    assert_eq!(wheel.pop(50), Some("late"));
}

#[test]
fn memory_of_a_crowd_is_given_back() {
    let mut wheel = Wheel::new();
    let keys: Vec<Key> = (0..5000).map(|n| wheel.insert(0, 10 + n, n)).collect();
    for key in keys {
        assert!(wheel.cancel(key).is_some());
    }
    assert_eq!(wheel.entries.capacity(), 0);
}

#[test]
fn some_are_taken_out_in_their_order() {
    let mut wheel = Wheel::new();
    for n in [700, 3, 90_000, 5, 256, 4] {
        wheel.insert(0, n, n);
    }
    assert_eq!(wheel.take_if(|n| n % 2 == 0), [4, 256, 700, 90_000]);
    assert_eq!(wheel.pop(100), Some(3));
    assert_eq!(wheel.pop(100), Some(5));
    assert_eq!(wheel.len(), 0);
}
