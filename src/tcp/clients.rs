//! The ids that clients are known by, one table for all servers of a worker.
//!
//! A session has one id at most, and an id is of one session: the last that took
//! it. Each taking has a number, by which both know each other, so that a session
//! can only give up what is still its own. `api/clients.rs` asks; sessions leave
//! when their script ends.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::rc::{Rc, Weak};

use super::session::Session;
use crate::nginx::local::Local;

#[derive(Default)]
struct Clients {
    by_id: HashMap<Rc<[u8]>, u64>,
    /// In the order in which they took their ids.
    by_number: BTreeMap<u64, Client>,
    last: u64,
}

struct Client {
    id: Rc<[u8]>,
    session: Weak<Session>,
}

static CLIENTS: Local<RefCell<Option<Clients>>> = Local::new(RefCell::new(None));

/// Gives the session an id, which nobody else has then; false if it has another.
pub fn set(session: &Rc<Session>, id: &[u8]) -> bool {
    let mut clients = CLIENTS.borrow_mut();
    let clients = clients.get_or_insert_with(Clients::default);
    let own = session.client_number.get();
    let known = clients.by_id.get(id).copied();
    if own != 0 {
        return known == Some(own);
    }
    if let Some(number) = known {
        clients.remove(number);
    }
    let id: Rc<[u8]> = id.into();
    clients.last += 1;
    let number = clients.last;
    clients.by_id.insert(id.clone(), number);
    let client = Client { id, session: Rc::downgrade(session) };
    clients.by_number.insert(number, client);
    session.client_number.set(number);
    true
}

/// The session with this id.
pub fn find(id: &[u8]) -> Option<Rc<Session>> {
    let clients = CLIENTS.borrow();
    let clients = clients.as_ref()?;
    clients.by_number.get(clients.by_id.get(id)?)?.session.upgrade()
}

/// Takes an id from whoever has it; false if nobody has.
pub fn remove(id: &[u8]) -> bool {
    let mut clients = CLIENTS.borrow_mut();
    let Some(clients) = clients.as_mut() else { return false };
    match clients.by_id.get(id).copied() {
        Some(number) => {
            clients.remove(number);
            true
        }
        None => false,
    }
}

/// The session's script has ended: it has no id any more.
#[inline]
pub fn leave(session: &Session) {
    let number = session.client_number.get();
    if number != 0
        && let Some(clients) = CLIENTS.borrow_mut().as_mut()
    {
        clients.remove(number);
    }
}

/// The number of the id that was taken last.
pub fn last() -> u64 {
    CLIENTS.borrow().as_ref().map_or(0, |clients| clients.last)
}

/// The first id that was taken after `number`, up to `last`, and is still there.
pub fn next(number: u64, last: u64) -> Option<(u64, Rc<[u8]>)> {
    if number >= last {
        return None;
    }
    let range = (Bound::Excluded(number), Bound::Included(last));
    let clients = CLIENTS.borrow();
    let (number, client) = clients.as_ref()?.by_number.range(range).next()?;
    Some((*number, client.id.clone()))
}

/// Frees the table, when the worker exits.
pub fn free_all() {
    drop(CLIENTS.take());
}

impl Clients {
    fn remove(&mut self, number: u64) {
        let Some(client) = self.by_number.remove(&number) else { return };
        self.by_id.remove(&client.id);
        if let Some(session) = client.session.upgrade() {
            session.client_number.set(0);
        }
    }
}
