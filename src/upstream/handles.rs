//! Numbers for what objects of scripts stand for.

use std::cell::RefCell;
use std::rc::Rc;

/// Values by number. A number is in use until its object is collected, and no
/// script sees it, so that none is ever out of date.
pub struct Handles<T>(RefCell<Places<T>>);

struct Places<T> {
    places: Vec<Option<Rc<T>>>,
    free: Vec<usize>,
}

impl<T> Default for Handles<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Handles<T> {
    /// None yet.
    pub const fn new() -> Handles<T> {
        Handles(RefCell::new(Places { places: Vec::new(), free: Vec::new() }))
    }

    /// Gives a value its number.
    pub fn add(&self, value: Rc<T>) -> f64 {
        let mut table = self.0.borrow_mut();
        let place = match table.free.pop() {
            Some(place) => {
                table.places[place] = Some(value);
                place
            }
            None => {
                table.places.push(Some(value));
                table.places.len() - 1
            }
        };
        place as f64
    }

    /// The value with this number.
    pub fn get(&self, id: f64) -> Option<Rc<T>> {
        self.0.borrow().places.get(id as usize)?.clone()
    }

    /// Lets a value go. With the last one goes the table.
    pub fn remove(&self, id: f64) {
        let mut table = self.0.borrow_mut();
        let place = id as usize;
        let value = table.places.get_mut(place).and_then(Option::take);
        if value.is_some() {
            table.free.push(place);
        }
        if table.free.len() == table.places.len() {
            table.places = Vec::new();
            table.free = Vec::new();
        }
        drop(table);
        // Last: it may own anything.
        drop(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again() {
        let handles = Handles::new();
        let (a, b) = (handles.add(Rc::new("a")), handles.add(Rc::new("b")));
        assert_eq!(handles.get(a).as_deref(), Some(&"a"));
        handles.remove(a);
        handles.remove(a);
        assert_eq!(handles.get(a), None);
        assert_eq!(handles.add(Rc::new("c")), a);
        handles.remove(a);
        handles.remove(b);
        assert_eq!(handles.0.borrow().places.capacity(), 0);
        assert_eq!(handles.get(f64::NAN), None);
    }
}
