//! Shared dictionaries: what `ngx.shared.NAME` is, in the memory of a zone.
//!
//! Knows neither Lua nor nginx: `api/shared.rs` calls it, with the time, and it
//! calls `nginx/memory.rs`. docs/design.md says why it is so; here is what is
//! where (`layout.rs`).
//!
//! ```text
//! zone   | nginx's header, its mutex | memory of the dictionary              |
//!
//! memory | header | global | journal | stripes | areas | uneven | buckets | marks | heap |
//!          secrets  lock     old       up to     2 to    bytes    4 bytes   a byte  blocks
//!          flushes  LRU list words     16384     256     for 64   each, a   for 64
//!          uneven   wheel              of these  of      and for  power of  bytes of
//!                   free lists                   these   a stripe two       the heap
//!                   garbage
//!
//! stripe | 8 young, 4 in stock | lock | version | saving | changed, count | saved |
//!          one line of the cache   another, with 32 bytes that are saved
//!
//! area   | process | what it saves that a stripe has no room for |
//!
//! bucket ---> entry ---> entry ---> 0          the same stripe's
//!
//! entry  | block: size, next | LRU prev, next | key length, type | wheel prev,
//!          next | bucket's next | expires | flushes | flags | value length |
//!          hash | key, to a multiple of 8 | value                            |
//!
//! long   its value alone, in the block that the entry's goes on in (`long.rs`)
//!
//! list   a value that is |first|last| ---> element <---> element <--- last
//! ```
//!
//! References are offsets in units of 16 bytes, so that every process may map
//! the zone where it likes. Who may change what:
//!
//! | guarded by | |
//! |---|---|
//! | the stripe's lock | buckets and their links, keys, values, expiry times, flags |
//! | the same | the slots of the young and of the stock |
//! | the global lock | LRU and wheel with their links in entries, blocks, garbage, uneven |
//! | its process | an area |
//! | nothing | marks |
//!
//! An entry is added or removed under both, as a rule. Of a block in the stripe's
//! stock it is made under the stripe's lock alone: it is young then, and comes into
//! LRU and wheel later (`young.rs`).
#![forbid(unsafe_code)]

mod area;
mod check;
mod entry;
mod evict;
mod get;
mod heap;
mod hold;
mod journal;
mod layout;
mod list;
mod lists;
mod lock;
mod long;
mod owner;
mod scan;
mod store;
mod young;

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::fmt;

pub use entry::kind;
pub use get::Answer;
pub use layout::{MAX_SIZE, MIN_SIZE};
pub use list::End;
pub use scan::Keys;
pub use store::{Store, Value, When};

use crate::nginx::memory::Memory;
use area::Area;
use layout::{HAND, Layout, MAGIC, MAGIC_AT, SECRETS};
use owner::Identity;

/// The longest key.
pub const MAX_KEY: usize = 65535;

/// Why an operation has done nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The key is there, and was to be added.
    Exists,
    /// The key is not there, or has expired.
    NotFound,
    NotANumber,
    NotAList,
    /// It does not fit, whatever is removed, or nothing may be.
    NoMemory,
}

impl Error {
    /// The word that scripts are told.
    pub const fn text(self) -> &'static str {
        match self {
            Error::Exists => "exists",
            Error::NotFound => "not found",
            Error::NotANumber => "not a number",
            Error::NotAList => "value not a list",
            Error::NoMemory => "no memory",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// A dictionary as a process sees it.
pub struct Dict {
    memory: Memory,
    layout: Layout,
    secrets: [u64; 2],
    me: Identity,
    area: Area,
    capacity: usize,
    /// The time of the operation that is going on.
    now: Cell<u64>,
}

impl Dict {
    /// Opens the dictionary in `memory`, part of a zone of `capacity` bytes, or
    /// makes an empty one there. Nobody else uses the memory while that is
    /// done.
    pub fn open(memory: Memory, capacity: usize, now: u64, secrets: [u64; 2]) -> Dict {
        let layout = Layout::new(memory.len());
        if memory.load64(MAGIC_AT) != MAGIC {
            memory.clear(0, layout.heap as usize * layout::UNIT);
            memory.store64(SECRETS, secrets[0] | 1);
            memory.store64(SECRETS + 8, secrets[1] | 1);
            memory.store32(HAND, (now / 1000) as u32);
            heap::format(&memory, &layout);
            memory.store64(MAGIC_AT, MAGIC);
        }
        let secrets = [memory.load64(SECRETS), memory.load64(SECRETS + 8)];
        let (me, area, now) = (Identity::new(), Area::default(), Cell::new(now));
        Dict { memory, layout, secrets, me, area, capacity, now }
    }

    /// Makes of the memory a new dictionary when it is opened next.
    pub fn forget(memory: Memory) {
        memory.store64(MAGIC_AT, 0);
    }

    /// The process has forked: from now on its locks are its own.
    pub fn adopt(&self) {
        self.me.refresh();
        self.area.forget();
    }

    #[inline(always)]
    fn set_now(&self, now: u64) {
        self.now.set(now);
    }

    fn now(&self) -> u64 {
        self.now.get()
    }

    /// A hash of a key: by multiplication, whose halves are folded. What a word of
    /// the key meets is the zone's secret, so that nobody can choose keys that
    /// make a product of 0, or that meet in one bucket.
    #[inline(always)]
    fn hash(&self, key: &[u8]) -> u32 {
        let [a, b] = self.secrets;
        let (first, last, state) = match entry::two_words(key) {
            Some((first, last)) => (first, last, b ^ key.len() as u64),
            None => self.hash_other(key),
        };
        let hash = fold(fold(first ^ a, last ^ state) ^ b, a);
        hash as u32 ^ (hash >> 32) as u32
    }

    /// The first and last words of a key that is short or long, and what a long one
    /// has come to before them.
    #[inline(never)]
    fn hash_other(&self, key: &[u8]) -> (u64, u64, u64) {
        let [a, b] = self.secrets;
        let mut state = b ^ key.len() as u64;
        let Some(last) = key.last_chunk() else {
            let bytes = key.iter().fold(0, |sum, &b| sum << 8 | u64::from(b));
            return (bytes, 0, state);
        };
        let (chunks, _) = key.as_chunks();
        for chunk in &chunks[..(key.len() - 1) / 16] {
            let (left, right) = halves(chunk);
            state = fold(left ^ a, right ^ state) ^ b;
        }
        let (left, right) = halves(last);
        (left, right, state)
    }
}

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    wide as u64 ^ (wide >> 64) as u64
}

fn halves(bytes: &[u8; 16]) -> (u64, u64) {
    let all = u128::from_le_bytes(*bytes);
    (all as u64, (all >> 64) as u64)
}
