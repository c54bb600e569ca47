//! A map by numbers and addresses: open addressing, linear probing.
//!
//! A light thread is found by its coroutine's address and a queue by its number
//! at each spawn, wait and post; the general hash map takes three times as many
//! instructions for that.

/// What grew beyond this is not kept when it is empty.
pub const KEPT: usize = 1024;

/// So many slots a map begins with.
const MIN_SLOTS: usize = 16;

/// A map whose keys are numbers other than 0.
pub struct IdMap<V> {
    /// A power of two of them, or none; less than half are used.
    slots: Vec<Slot<V>>,
    len: usize,
}

struct Slot<V> {
    /// 0: it is free.
    id: u64,
    value: Option<V>,
}

impl<V> IdMap<V> {
    /// An empty map.
    pub const fn new() -> IdMap<V> {
        IdMap { slots: Vec::new(), len: 0 }
    }

    /// The value of `id`.
    #[inline]
    pub fn get(&self, id: u64) -> Option<&V> {
        self.slots.get(self.find(id)?)?.value.as_ref()
    }

    /// The value of `id`.
    #[inline]
    pub fn get_mut(&mut self, id: u64) -> Option<&mut V> {
        let place = self.find(id)?;
        self.slots.get_mut(place)?.value.as_mut()
    }

    /// Sets the value of `id`; returns the one that it had.
    #[inline]
    pub fn insert(&mut self, id: u64, value: V) -> Option<V> {
        if 2 * self.len >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut place = home(id) & mask;
        loop {
            let slot = self.slots.get_mut(place)?;
            if slot.id == 0 {
                slot.id = id;
                slot.value = Some(value);
                self.len += 1;
                return None;
            }
            if slot.id == id {
                return slot.value.replace(value);
            }
            place = (place + 1) & mask;
        }
    }

    /// Takes the value of `id` out.
    #[inline]
    pub fn remove(&mut self, id: u64) -> Option<V> {
        let place = self.find(id)?;
        let slot = self.slots.get_mut(place)?;
        slot.id = 0;
        let value = slot.value.take();
        self.len -= 1;
        self.close_up(place);
        if self.len == 0 && self.slots.len() > KEPT {
            self.slots = Vec::new();
        }
        value
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Keeps the values that `is` holds for, in no more memory than they need.
    pub fn retain(&mut self, is: impl Fn(&V) -> bool) {
        let old = std::mem::take(self);
        for Slot { id, value } in old.slots {
            if let Some(value) = value.filter(&is) {
                self.insert(id, value);
            }
        }
    }

    /// Where `id` is.
    #[inline]
    fn find(&self, id: u64) -> Option<usize> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut place = home(id) & mask;
        loop {
            let slot = self.slots.get(place)?;
            if slot.id == id {
                return Some(place);
            }
            if slot.id == 0 {
                return None;
            }
            place = (place + 1) & mask;
        }
    }

    /// Moves those back that were put behind the slot that has become free.
    #[inline]
    fn close_up(&mut self, mut free: usize) {
        let mask = self.slots.len() - 1;
        let mut place = free;
        loop {
            place = (place + 1) & mask;
            let Some(slot) = self.slots.get(place) else { return };
            let id = slot.id;
            if id == 0 {
                return;
            }
            // Both are distances from where it would be if there were room.
            let away = place.wrapping_sub(home(id)) & mask;
            if away >= place.wrapping_sub(free) & mask {
                self.slots.swap(place, free);
                free = place;
            }
        }
    }

    #[cold]
    fn grow(&mut self) {
        let slots = (2 * self.slots.len()).max(MIN_SLOTS);
        let free = || Slot { id: 0, value: None };
        let new = std::iter::repeat_with(free).take(slots).collect();
        let old = std::mem::replace(&mut self.slots, new);
        self.len = 0;
        for slot in old {
            if let Some(value) = slot.value {
                self.insert(slot.id, value);
            }
        }
    }
}

impl<V> Default for IdMap<V> {
    fn default() -> Self {
        Self::new()
    }
}

/// Numbers follow each other and addresses are multiples of 16: one
/// multiplication, of which the high half is good.
fn home(id: u64) -> usize {
    (id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn as_the_standard_map_would_do_it() {
        for seed in 1..50_u64 {
            let mut random = seed;
            let mut below = |n: u64| {
                random = random.wrapping_mul(6364136223846793005).wrapping_add(seed);
                (random >> 33) % n
            };
            let mut map = IdMap::new();
            let mut model = HashMap::new();
            // Few keys, so that most are met again; and some that collide.
            let stride = [1, 16, 1 << 32][seed as usize % 3];
            for n in 0..5000_u64 {
                let id = (1 + below(150)) * stride;
                match below(3) {
                    0 => assert_eq!(map.insert(id, n), model.insert(id, n)),
                    1 => assert_eq!(map.remove(id), model.remove(&id)),
                    _ => assert_eq!(map.get(id), model.get(&id)),
                }
                assert_eq!(map.len(), model.len());
            }
            map.retain(|n| n % 2 == 0);
            model.retain(|_, n| *n % 2 == 0);
            for (id, n) in model.drain() {
                assert_eq!(map.get_mut(id), Some(&mut n.clone()));
                assert_eq!(map.remove(id), Some(n));
            }
            assert!(map.slots.iter().all(|slot| slot.id == 0 && slot.value.is_none()));
        }
    }

    #[test]
    fn memory_of_a_crowd_is_given_back() {
        let mut map = IdMap::new();
        assert_eq!(map.remove(1), None);
        for id in 1..10_000 {
            assert_eq!(map.insert(id, id), None);
        }
        for id in 1..10_000 {
            assert_eq!(map.remove(id), Some(id));
        }
        assert_eq!(map.slots.capacity(), 0);
    }
}
