//! The numbers by which the objects of scripts know their sockets: a place in a
//! table, and how often the place was used before. A number whose socket is
//! closed or in a pool is nobody's.

use std::cell::RefCell;

/// So many sockets a worker can have. A number is exact as a Lua number.
const PLACES: u64 = 1 << 24;
/// As many uses as fit beside the place into the 53 bits of a Lua number.
const USES: u32 = 1 << 29;
/// So many have to be there before it is worth while to look for those whose
/// object was collected.
const MIN_SWEEP: usize = 64;

struct Place<T> {
    uses: u32,
    socket: Option<T>,
}

struct Table<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
    open: usize,
    sweep_at: usize,
}

/// The place of the socket with this number, counted from 1.
pub fn place_of(id: u64) -> usize {
    (id % PLACES) as usize + 1
}

/// The sockets of one kind.
pub struct Registry<T>(RefCell<Table<T>>);

impl<T: Clone> Registry<T> {
    /// No sockets.
    pub const fn new() -> Self {
        Registry(RefCell::new(Table {
            places: Vec::new(),
            free: Vec::new(),
            open: 0,
            sweep_at: MIN_SWEEP,
        }))
    }

    /// Gives a socket its number.
    #[inline]
    pub fn add(&self, socket: T) -> u64 {
        let mut table = self.0.borrow_mut();
        let place = match table.free.pop() {
            Some(place) => place,
            None => {
                table.places.push(Place { uses: 1, socket: None });
                (table.places.len() - 1) as u32
            }
        };
        table.open += 1;
        let entry = &mut table.places[place as usize];
        entry.socket = Some(socket);
        u64::from(place) + u64::from(entry.uses) * PLACES
    }

    /// Takes its number from a socket.
    #[inline]
    pub fn remove(&self, id: u64) -> Option<T> {
        let mut table = self.0.borrow_mut();
        let place = (id % PLACES) as usize;
        let entry = table.places.get_mut(place)?;
        if u64::from(entry.uses) != id / PLACES {
            return None;
        }
        let socket = entry.socket.take();
        entry.uses = entry.uses % (USES - 1) + 1;
        table.free.push(place as u32);
        table.open -= 1;
        socket
    }

    /// The socket with this number.
    #[inline]
    pub fn find(&self, id: f64) -> Option<T> {
        // A cast of anything that is no such number gives one that is nobody's; this
        // one costs less than to unsigned.
        let id = id as i64 as u64;
        let table = self.0.borrow();
        let entry = table.places.get((id % PLACES) as usize)?;
        if u64::from(entry.uses) != id / PLACES {
            return None;
        }
        entry.socket.clone()
    }

    /// Whether there are so many that some objects may have been collected.
    #[inline]
    pub fn is_crowded(&self) -> bool {
        let table = self.0.borrow();
        table.open >= table.sweep_at
    }

    /// Those whose object was collected have been closed.
    pub fn swept(&self) {
        let mut table = self.0.borrow_mut();
        table.sweep_at = MIN_SWEEP.max(2 * table.open);
    }

    /// The number of the next socket after this place, and its place.
    pub fn next(&self, after: usize) -> Option<(u64, usize)> {
        let table = self.0.borrow();
        let mut rest = table.places.iter().enumerate().skip(after);
        let (place, entry) = rest.find(|(_, entry)| entry.socket.is_some())?;
        Some((place as u64 + u64::from(entry.uses) * PLACES, place + 1))
    }

    /// Frees the table, all of whose sockets are closed.
    pub(super) fn free(&self) {
        *self.0.borrow_mut() =
            Table { places: Vec::new(), free: Vec::new(), open: 0, sweep_at: MIN_SWEEP };
    }
}

impl<T: Clone> Default for Registry<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_of_one_socket_only() {
        let registry = Registry::new();
        let a = registry.add("a");
        assert_eq!(registry.find(a as f64), Some("a"));
        assert_eq!(registry.remove(a), Some("a"));
        let b = registry.add("b");
        assert_ne!(a, b);
        assert_eq!(registry.find(a as f64), None);
        assert_eq!(registry.remove(a), None);
        assert_eq!(registry.find(b as f64), Some("b"));
        for forged in [f64::NAN, -1.0, 0.0, 1.0, 0.5, 1e300, f64::INFINITY] {
            assert_eq!(registry.find(forged), None);
        }
    }

    #[test]
    fn a_number_stays_exact_when_a_place_was_used_often() {
        let registry = Registry::new();
        let id = registry.add("a");
        registry.0.borrow_mut().places[0].uses = USES - 1;
        assert_eq!(registry.find(id as f64), None);
        let last = (u64::from(USES) - 1) * PLACES;
        assert_eq!(registry.find(last as f64), Some("a"));
        assert_eq!(registry.remove(last), Some("a"));
        assert_eq!(registry.add("b"), PLACES);
    }

    #[test]
    fn all_are_found_one_after_the_other() {
        let registry = Registry::new();
        let ids: Vec<u64> = (0..5).map(|n| registry.add(n)).collect();
        registry.remove(ids[0]);
        registry.remove(ids[3]);
        let mut found = Vec::new();
        let mut at = 0;
        while let Some((id, next)) = registry.next(at) {
            found.push(id);
            at = next;
        }
        assert_eq!(found, [ids[1], ids[2], ids[4]]);
    }
}
