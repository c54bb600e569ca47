//! The numbers by which the objects of scripts know their connections: a place
//! in a table, and how often the place was used before. A number whose
//! connection is closed or in a pool is nobody's.

use std::cell::RefCell;
use std::rc::Rc;

use super::Upstream;
use crate::nginx::local::Local;

/// So many connections a worker can have. A number is exact as a Lua number.
const PLACES: u64 = 1 << 24;
/// So many have to be there before it is worth while to look for those whose
/// object was collected.
const MIN_SWEEP: usize = 64;

struct Place {
    uses: u32,
    upstream: Option<Rc<Upstream>>,
}

struct Registry {
    places: Vec<Place>,
    free: Vec<u32>,
    open: usize,
    sweep_at: usize,
}

static REGISTRY: Local<RefCell<Registry>> = Local::new(RefCell::new(Registry {
    places: Vec::new(),
    free: Vec::new(),
    open: 0,
    sweep_at: MIN_SWEEP,
}));

/// Gives a connection its number.
#[inline]
pub(super) fn add(upstream: Rc<Upstream>) -> u64 {
    let mut registry = REGISTRY.borrow_mut();
    let place = match registry.free.pop() {
        Some(place) => place,
        None => {
            registry.places.push(Place { uses: 1, upstream: None });
            (registry.places.len() - 1) as u32
        }
    };
    registry.open += 1;
    let entry = &mut registry.places[place as usize];
    entry.upstream = Some(upstream);
    u64::from(place) + u64::from(entry.uses) * PLACES
}

/// Takes its number from a connection.
#[inline]
pub(super) fn remove(id: u64) -> Option<Rc<Upstream>> {
    let mut registry = REGISTRY.borrow_mut();
    let place = (id % PLACES) as usize;
    let entry = registry.places.get_mut(place)?;
    if u64::from(entry.uses) != id / PLACES {
        return None;
    }
    let upstream = entry.upstream.take();
    // As many as fit beside the place into the 53 bits of a Lua number.
    entry.uses = entry.uses % ((1 << 29) - 1) + 1;
    registry.free.push(place as u32);
    registry.open -= 1;
    upstream
}

/// The connection with this number.
#[inline]
pub fn find(id: f64) -> Option<Rc<Upstream>> {
    // A cast of anything that is no such number gives one that is nobody's.
    let id = id as u64;
    let registry = REGISTRY.borrow();
    let entry = registry.places.get((id % PLACES) as usize)?;
    if u64::from(entry.uses) != id / PLACES {
        return None;
    }
    entry.upstream.clone()
}

/// Whether there are so many that some objects may have been collected.
#[inline]
pub fn is_crowded() -> bool {
    let registry = REGISTRY.borrow();
    registry.open >= registry.sweep_at
}

/// Those whose object was collected have been closed.
pub fn swept() {
    let mut registry = REGISTRY.borrow_mut();
    registry.sweep_at = MIN_SWEEP.max(2 * registry.open);
}

/// The number of the next connection after this place, and its place.
pub fn next(after: usize) -> Option<(u64, usize)> {
    let registry = REGISTRY.borrow();
    let rest = registry.places.iter().enumerate().skip(after);
    let (place, entry) = rest.into_iter().find(|(_, entry)| entry.upstream.is_some())?;
    Some((place as u64 + u64::from(entry.uses) * PLACES, place + 1))
}

/// Frees the table.
pub(super) fn free() {
    let mut registry = REGISTRY.borrow_mut();
    registry.places = Vec::new();
    registry.free = Vec::new();
    registry.open = 0;
    registry.sweep_at = MIN_SWEEP;
}
