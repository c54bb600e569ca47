//! Memory that several processes have in common, as bytes at offsets.
//!
//! Nothing here says who may touch what when: that is the business of whoever
//! lays the memory out. All single accesses are atomic, so that a reader
//! without a lock sees old or new words and never undefined behaviour; what
//! lies outside reads as zero, because such a reader may follow a reference
//! that is out of date. Writing outside is a mistake and panics.

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

/// What is copied in two words.
const SHORT: usize = 16;

/// A range of shared memory.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    base: NonNull<u8>,
    len: usize,
    /// Below it a word of any size is inside.
    limit: usize,
    /// Below it all of a `Near` is.
    near: usize,
}

/// How many bytes a `Near` has.
pub const NEAR: usize = 128;

/// The bytes from a place on that is a multiple of eight, whose range was looked
/// at once for all.
#[derive(Clone, Copy)]
pub struct Near<'a>(&'a [AtomicU64; NEAR / 8]);

impl Near<'_> {
    /// The place of `n` bytes.
    #[inline(always)]
    fn place(&self, at: usize, n: usize) -> *const u8 {
        assert!(at <= NEAR - n);
        // SAFETY: inside of the array (checked).
        unsafe { ptr::from_ref(self.0).cast::<u8>().add(at) }
    }

    #[inline(always)]
    fn word32(&self, at: usize) -> &AtomicU32 {
        // SAFETY: inside, and aligned as the array is.
        unsafe { &*self.place(at & !3, 4).cast() }
    }

    #[inline(always)]
    fn word64(&self, at: usize) -> &AtomicU64 {
        // SAFETY: as above.
        unsafe { &*self.place(at & !7, 8).cast() }
    }

    #[inline(always)]
    pub fn load32(&self, at: usize) -> u32 {
        self.word32(at).load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub fn load64(&self, at: usize) -> u64 {
        self.word64(at).load(Ordering::Relaxed)
    }

    /// Eight bytes anywhere.
    #[inline(always)]
    pub fn load_unaligned(&self, at: usize) -> u64 {
        // SAFETY: inside; a volatile read takes bytes that change as they come.
        unsafe { self.place(at, 8).cast::<Unaligned64>().read_volatile().0 }
    }

    #[inline(always)]
    pub fn store32(&self, at: usize, value: u32) {
        hook();
        self.word32(at).store(value, Ordering::Release);
    }

    #[inline(always)]
    pub fn store64(&self, at: usize, value: u64) {
        hook();
        self.word64(at).store(value, Ordering::Release);
    }

    /// Replaces `old` by `new`; whether it was there.
    #[inline(always)]
    pub fn swap64(&self, at: usize, old: u64, new: u64) -> bool {
        hook();
        let word = self.word64(at);
        word.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

impl Memory {
    /// There are at least `NEAR` bytes.
    ///
    /// # Safety
    /// - `len` bytes at `base`, which is aligned to 64, are mapped for as long as the
    ///   value and its copies are used, and are touched through them only.
    pub unsafe fn new(base: NonNull<u8>, len: usize) -> Memory {
        assert!(len >= NEAR, "a shared memory zone of {len} bytes");
        let (limit, near) = (len - 7, len - (NEAR - 1));
        Memory { base, len, limit, near }
    }

    /// How many bytes there are.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline(always)]
    pub fn load8(&self, at: usize) -> u8 {
        self.byte(at).map_or(0, |byte| byte.load(Ordering::Relaxed))
    }

    #[inline(always)]
    pub fn load32(&self, at: usize) -> u32 {
        self.word32(at).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    #[inline(always)]
    pub fn load64(&self, at: usize) -> u64 {
        self.word64(at).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// What is read after it is at least as new.
    #[inline(always)]
    pub fn load32_acquire(&self, at: usize) -> u32 {
        self.word32(at).map_or(0, |word| word.load(Ordering::Acquire))
    }

    /// The bytes from `at` on, if all of them are there.
    #[inline(always)]
    pub fn near(&self, at: usize) -> Option<Near<'_>> {
        // SAFETY: inside (checked), mapped, see new(), and aligned as the base.
        (at < self.near)
            .then(|| Near(unsafe { &*self.base.as_ptr().add(at & !7).cast() }))
    }

    /// The first bytes.
    #[inline(always)]
    pub fn start(&self) -> Near<'_> {
        // SAFETY: new() has seen that so many are there; else as near().
        Near(unsafe { &*self.base.as_ptr().cast() })
    }

    /// Is seen by nobody before what was stored earlier.
    #[inline(always)]
    pub fn store8(&self, at: usize, value: u8) {
        hook();
        self.byte(at).unwrap_or_else(|| outside()).store(value, Ordering::Release);
    }

    /// Likewise.
    #[inline(always)]
    pub fn store32(&self, at: usize, value: u32) {
        hook();
        self.word32(at).unwrap_or_else(|| outside()).store(value, Ordering::Release);
    }

    /// Likewise.
    #[inline(always)]
    pub fn store64(&self, at: usize, value: u64) {
        hook();
        self.word64(at).unwrap_or_else(|| outside()).store(value, Ordering::Release);
    }

    /// Replaces `old` by `new`; whether it was there.
    #[inline(always)]
    pub fn swap64(&self, at: usize, old: u64, new: u64) -> bool {
        hook();
        let word = self.word64(at).unwrap_or_else(|| outside());
        word.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Copies bytes out. What others write meanwhile comes mixed: the caller
    /// holds a lock, or throws the copy away if anything has changed.
    #[inline(always)]
    pub fn read(&self, at: usize, out: &mut [u8]) {
        if !self.has(at, out.len()) {
            return;
        }
        // SAFETY: both ranges are there, and are distinct because `out` is
        // memory of this process. The call is opaque to the compiler, which
        // so assumes nothing about bytes that another process changes.
        unsafe {
            libc::memcpy(
                out.as_mut_ptr().cast(),
                self.base.as_ptr().add(at).cast(),
                out.len(),
            );
        }
    }

    /// As read() of the first `len` bytes, which may leave others behind them in
    /// `out`.
    #[inline(always)]
    pub fn read_start(&self, at: usize, len: usize, out: &mut [u8]) {
        if len > SHORT || at >= self.near || out.len() < SHORT {
            return self.read(at, &mut out[..len]);
        }
        // SAFETY: both ranges are there, SHORT is less than NEAR; unaligned volatile
        // reads take bytes that change as they come.
        unsafe {
            let from = self.base.as_ptr().add(at).cast::<Unaligned64>();
            let to = out.as_mut_ptr().cast::<Unaligned64>();
            to.write(from.read_volatile());
            to.add(1).write(from.add(1).read_volatile());
        }
    }

    /// Copies bytes in, under a lock.
    #[inline(always)]
    pub fn write(&self, at: usize, bytes: &[u8]) {
        if !self.has(at, bytes.len()) {
            outside()
        }
        let bytes = half_written(self, at, bytes);
        if (8..=SHORT).contains(&bytes.len()) {
            // Two words, which may overlap.
            let last = bytes.len() - 8;
            // SAFETY: both ranges are there.
            unsafe {
                let (from, to) = (bytes.as_ptr(), self.base.as_ptr().add(at));
                let a = from.cast::<Unaligned64>().read();
                let b = from.add(last).cast::<Unaligned64>().read();
                to.cast::<Unaligned64>().write(a);
                to.add(last).cast::<Unaligned64>().write(b);
            }
            return;
        }
        // SAFETY: as in read(); the caller's lock keeps other writers away.
        unsafe {
            libc::memcpy(
                self.base.as_ptr().add(at).cast(),
                bytes.as_ptr().cast(),
                bytes.len(),
            );
        }
    }

    /// Writes bytes over others, under a lock. First these go to `old`, which is
    /// before them, and then `kept` is called.
    #[inline(always)]
    pub fn overwrite(&self, at: usize, bytes: &[u8], old: usize, kept: impl FnOnce()) {
        let len = bytes.len();
        if !self.has(at, len) || len > at || old > at - len {
            outside()
        }
        hook();
        // SAFETY: as in write(), for both ranges: the end of the one is at most the
        // beginning of the other (checked).
        unsafe {
            let base = self.base.as_ptr();
            libc::memcpy(base.add(old).cast(), base.add(at).cast(), len);
        }
        kept();
        let bytes = half_written(self, at, bytes);
        // SAFETY: as in write().
        unsafe {
            libc::memcpy(self.base.as_ptr().add(at).cast(), bytes.as_ptr().cast(), len);
        }
    }

    /// Copies bytes from one place to another; the two do not overlap.
    #[inline(always)]
    pub fn copy(&self, from: usize, to: usize, len: usize) {
        hook();
        let apart = from.abs_diff(to) >= len;
        if !(self.has(from, len) && self.has(to, len) && apart) {
            outside()
        }
        // SAFETY: as in write(); the ranges are apart (checked).
        unsafe {
            let base = self.base.as_ptr();
            libc::memcpy(base.add(to).cast(), base.add(from).cast(), len);
        }
    }

    /// Whether these bytes are there; under a lock, or as read().
    #[inline(always)]
    pub fn equals(&self, at: usize, bytes: &[u8]) -> bool {
        if !self.has(at, bytes.len()) {
            return false;
        }
        let n = bytes.len();
        // SAFETY: both ranges are there; unaligned volatile reads have no
        // other duty, and take bytes that change as they come.
        unsafe {
            let (a, b) = (self.base.as_ptr().add(at).cast_const(), bytes.as_ptr());
            let same64 = |i: usize| {
                a.add(i).cast::<Unaligned64>().read_volatile().0
                    == b.add(i).cast::<u64>().read_unaligned()
            };
            if n >= 8 {
                // The last eight first: keys often begin alike.
                if !same64(n - 8) || !same64(0) {
                    return false;
                }
                return n <= 16 || (8..n - 8).step_by(8).all(same64);
            }
            (0..n).all(|i| a.add(i).read_volatile() == *b.add(i))
        }
    }

    /// Sets a range to zero.
    pub fn clear(&self, at: usize, len: usize) {
        if !self.has(at, len) {
            outside()
        }
        // SAFETY: the range is there; the caller's lock, or that nobody knows
        // the memory yet, keeps others away.
        unsafe { libc::memset(self.base.as_ptr().add(at).cast(), 0, len) };
    }

    #[inline(always)]
    fn has(&self, at: usize, len: usize) -> bool {
        at <= self.len && len <= self.len - at
    }

    #[inline(always)]
    fn byte(&self, at: usize) -> Option<&AtomicU8> {
        // SAFETY: inside (checked), and mapped, see new().
        (at < self.limit).then(|| unsafe { &*self.base.as_ptr().add(at).cast() })
    }

    #[inline(always)]
    fn word32(&self, at: usize) -> Option<&AtomicU32> {
        // SAFETY: as above; aligned, as the base is.
        (at < self.limit).then(|| unsafe { &*self.base.as_ptr().add(at & !3).cast() })
    }

    #[inline(always)]
    fn word64(&self, at: usize) -> Option<&AtomicU64> {
        // SAFETY: as above.
        (at < self.limit).then(|| unsafe { &*self.base.as_ptr().add(at & !7).cast() })
    }
}

/// Eight bytes at any address.
#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Unaligned64(u64);

#[cold]
#[inline(never)]
fn outside() -> ! {
    panic!("a write outside of a shared memory zone")
}

#[cfg(not(test))]
#[inline(always)]
fn hook() {}

#[cfg(not(test))]
#[inline(always)]
fn half_written<'a>(_: &Memory, _: usize, bytes: &'a [u8]) -> &'a [u8] {
    bytes
}

#[cfg(test)]
pub use watched::{Owned, hook, watch};

#[cfg(test)]
fn half_written<'a>(memory: &Memory, at: usize, bytes: &'a [u8]) -> &'a [u8] {
    hook();
    let half = bytes.len() / 2;
    // SAFETY: write() has checked the range.
    unsafe {
        let to = memory.base.as_ptr().add(at);
        libc::memcpy(to.cast(), bytes.as_ptr().cast(), half);
    }
    hook();
    bytes
}

/// For tests: memory of the process, and something that runs before each store.
#[cfg(test)]
mod watched {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        static WATCHER: RefCell<Option<Box<dyn FnMut()>>> = const { RefCell::new(None) };
    }

    /// Runs before each store, and in the middle of copies.
    pub fn hook() {
        WATCHER.with(|watcher| {
            // Not while the watcher itself stores.
            if let Ok(mut watcher) = watcher.try_borrow_mut()
                && let Some(f) = watcher.as_mut()
            {
                f();
            }
        });
    }

    /// Sets what hook() does.
    pub fn watch(watcher: Option<Box<dyn FnMut()>>) {
        WATCHER.with(|slot| *slot.borrow_mut() = watcher);
    }

    /// Memory that is freed with the value.
    pub struct Owned {
        lines: Vec<[u64; 8]>,
    }

    impl Owned {
        pub fn new(len: usize) -> Owned {
            Owned { lines: vec![[0; 8]; len / 64 + 1] }
        }

        pub fn memory(&mut self) -> Memory {
            let len = (self.lines.len() - 1) * 64;
            let base = self.lines.as_mut_ptr().cast::<u8>();
            // SAFETY: one line more than is used leaves room to align.
            unsafe {
                let base = base.add(base.align_offset(64));
                Memory::new(NonNull::new(base).expect("allocated"), len)
            }
        }

        pub fn bytes(memory: &Memory) -> Vec<u8> {
            let mut out = vec![0; memory.len()];
            memory.read(0, &mut out);
            out
        }
    }
}
