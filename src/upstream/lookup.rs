//! From a host and a port to their pool, whose name is made of both. Scripts ask
//! for the same few addresses all the time: their pools are remembered by number,
//! so that neither the name is made again nor the string that Lua has of it.

use std::cell::RefCell;
use std::rc::Rc;

use super::Upstream;
use super::pool::{self, Pool};
use crate::nginx::local::Local;
use crate::text::number::append_number;

/// How many are remembered.
pub const PLACES: usize = 16;

/// A pool, and the address that it was asked for by.
struct Known {
    host: Box<[u8]>,
    port: f64,
    pool: Rc<Pool>,
}

static KNOWN: Local<RefCell<[Option<Known>; PLACES]>> =
    Local::new(RefCell::new([const { None }; PLACES]));

/// Where an address is remembered: those of a balanced service differ in the port
/// or in the end of the host.
fn place_of(host: &[u8], port: f64) -> usize {
    let last = host.last().copied().unwrap_or_default();
    (port as i64 as usize).wrapping_add(last.into()) % PLACES
}

/// A connection out of the pool of this address, if that is remembered and has
/// one; and its number.
#[inline]
pub(super) fn take(host: &[u8], port: f64) -> Option<(usize, Rc<Upstream>)> {
    let place = place_of(host, port);
    let pool = match &KNOWN.borrow()[place] {
        Some(known) if known.port == port && *known.host == *host => known.pool.clone(),
        _ => return None,
    };
    Some((place, pool.take()?))
}

/// Remembers the pool of this address, if there is one: its number, and its name.
pub fn learn(host: &[u8], port: f64) -> Option<(usize, Rc<Pool>)> {
    if host.starts_with(b"unix:") {
        return None;
    }
    let mut name = Vec::with_capacity(host.len() + 8);
    name.extend_from_slice(host);
    name.push(b':');
    append_number(port, &mut name);
    let pool = pool::find(&name)?;
    let place = place_of(host, port);
    let known = Known { host: host.into(), port, pool: pool.clone() };
    let old = KNOWN.borrow_mut()[place].replace(known);
    drop(old);
    Some((place, pool))
}

/// Forgets a pool that has come out of use: the next of its name is another one.
pub(super) fn forget(pool: &Pool) {
    for known in KNOWN.borrow_mut().iter_mut() {
        if known.as_ref().is_some_and(|known| std::ptr::eq(&raw const *known.pool, pool))
        {
            *known = None;
        }
    }
}

/// Forgets all.
pub(super) fn free() {
    drop(KNOWN.take());
}
