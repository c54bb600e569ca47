//! What belongs to something and ends with it: the sockets of a host's scripts,
//! the jobs of a worker. Each knows its place, so that it is forgotten in
//! constant time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Something that can end with what it belongs to.
pub trait Resource: 'static {
    /// That has ended, and has forgotten it.
    fn end(self: Rc<Self>);
    /// Where it is kept.
    fn place(&self) -> &Cell<usize>;
}

/// Resources of one owner.
pub struct Resources(RefCell<Vec<Rc<dyn Resource>>>);

impl Resources {
    /// None yet.
    pub const fn new() -> Resources {
        Resources(RefCell::new(Vec::new()))
    }

    /// Keeps one.
    #[inline]
    pub fn own(&self, resource: Rc<dyn Resource>) {
        let mut resources = self.0.borrow_mut();
        resource.place().set(resources.len());
        resources.push(resource);
    }

    /// Forgets one that it keeps.
    #[inline]
    pub fn disown(&self, resource: &dyn Resource) {
        let mut resources = self.0.borrow_mut();
        let place = resource.place().get();
        let found = resources.get(place);
        if !found.is_some_and(|found| std::ptr::addr_eq(Rc::as_ptr(found), resource)) {
            return;
        }
        let gone = resources.swap_remove(place);
        if let Some(moved) = resources.get(place) {
            moved.place().set(place);
        }
        drop(resources);
        // Last: it may own anything.
        drop(gone);
    }

    /// Ends all, the last first, and those that begin meanwhile.
    pub fn end_all(&self) {
        loop {
            let resource = self.0.borrow_mut().pop();
            let Some(resource) = resource else { break };
            resource.end();
        }
        self.0.take();
    }
}

impl Default for Resources {
    fn default() -> Self {
        Self::new()
    }
}
