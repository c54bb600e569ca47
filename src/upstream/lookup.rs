//! From a host and a port to their pool, whose name is made of both. Scripts ask
//! for the same few addresses all the time, so the last pools that were found are
//! remembered: the name of such a one is not made again.

use std::cell::RefCell;
use std::rc::Rc;

use super::Upstream;
use super::pool::{self, Pool};
use crate::nginx::local::Local;
use crate::text::number::append_number;

/// How many are remembered; a power of two.
const PLACES: usize = 16;

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

/// A connection out of the pool of this address, if it has one; and that pool.
#[inline]
pub(super) fn take(host: &[u8], port: f64) -> Option<(Rc<Pool>, Rc<Upstream>)> {
    let known = match &KNOWN.borrow()[place_of(host, port)] {
        Some(known) if known.port == port && *known.host == *host => {
            Some(known.pool.clone())
        }
        _ => None,
    };
    let pool = match known {
        // One that is not in use any more may have a successor.
        Some(pool) if !pool.is_dropped() => pool,
        _ => find(host, port)?,
    };
    let upstream = pool.take()?;
    Some((pool, upstream))
}

/// The pool of this address, by its name.
#[cold]
#[inline(never)]
fn find(host: &[u8], port: f64) -> Option<Rc<Pool>> {
    let mut name = Vec::with_capacity(host.len() + 8);
    name.extend_from_slice(host);
    name.push(b':');
    append_number(port, &mut name);
    let pool = pool::find(&name)?;
    let known = Known { host: host.into(), port, pool: pool.clone() };
    let old = KNOWN.borrow_mut()[place_of(host, port)].replace(known);
    drop(old);
    Some(pool)
}

/// Forgets all.
pub(super) fn free() {
    drop(KNOWN.take());
}
