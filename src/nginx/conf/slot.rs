//! Values that nginx's own slot setters fill: a plain number whose greatest
//! value means "not set", so that a level can be merged with the one above it.

use ngx::ffi::{ngx_flag_t, ngx_msec_t};

/// Milliseconds.
pub type Msec = ngx_msec_t;
/// A number of bytes.
pub type Size = usize;
/// 0 or 1.
pub type Flag = ngx_flag_t;

/// A number that nginx knows as `NGX_CONF_UNSET_*` until a directive sets it.
pub trait Unset: Copy + PartialEq {
    const UNSET: Self;
}

impl Unset for usize {
    const UNSET: Self = usize::MAX;
}

impl Unset for isize {
    const UNSET: Self = -1;
}

/// A value of a configuration struct, at its own level.
#[repr(transparent)]
pub struct Slot<T>(T);

impl<T: Unset> Slot<T> {
    /// The value, when this level or one it was merged with has set it.
    pub fn get(&self) -> Option<T> {
        (self.0 != T::UNSET).then_some(self.0)
    }

    /// Takes what is not set here from the level above, then from `default`.
    pub fn merge(&mut self, above: &Slot<T>, default: T) {
        self.0 = self.get().or(above.get()).unwrap_or(default);
    }

    /// The same for a value that may stay unset.
    pub fn merge_unset(&mut self, above: &Slot<T>) {
        self.merge(above, T::UNSET);
    }
}

impl<T: Unset> Default for Slot<T> {
    fn default() -> Self {
        Slot(T::UNSET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_level_wins() {
        let slot = |n| Slot::<Msec>(n);
        let unset = Msec::UNSET;
        for (own, above, expected) in
            [(1, 2, 1), (unset, 2, 2), (unset, unset, 3), (0, 2, 0), (1, unset, 1)]
        {
            let mut own = slot(own);
            own.merge(&slot(above), 3);
            assert_eq!(own.get(), Some(expected));
        }
        let mut own = slot(unset);
        own.merge_unset(&slot(unset));
        assert_eq!(own.get(), None);
    }
}
