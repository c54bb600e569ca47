//! Where everything is in a zone: offsets in bytes from its start. They follow
//! from its size alone, so that processes need not tell each other.

use crate::nginx::memory::Memory;

/// A block by its offset in units of 16 bytes; 0 is none.
pub(super) type Ref = u32;

/// The size of a unit.
pub(super) const UNIT: usize = 16;
/// The units of a line of the cache.
pub(super) const LINE: u32 = 4;
/// A block may have less than so many units more than it was asked for: to the end
/// of its line, and one that would be too short for a block.
pub(super) const SPARE: u32 = LINE + 1;

/// The smallest and the largest zone.
pub const MIN_SIZE: usize = 16 * 1024;
pub const MAX_SIZE: usize = 16 * 1024 * 1024 * 1024;

/// Says that the zone is laid out, and how.
pub(super) const MAGIC: u64 = 0x5443_5044_4943_5405;

// The header: what is read always and written seldom.
pub(super) const MAGIC_AT: usize = 0;
/// Two words that hashes depend on.
pub(super) const SECRETS: usize = 8;
pub(super) const RECOVERY_LOCK: usize = 24;
/// How often the dictionary was flushed: entries of another time are dead.
pub(super) const FLUSHES: usize = 32;
/// Whether some stripe may have young entries or a stock.
pub(super) const UNEVEN: usize = 36;

// What the global lock guards.
pub(super) const GLOBAL: usize = 64;
pub(super) const GARBAGE: usize = GLOBAL + 16;
pub(super) const LRU_HEAD: usize = GLOBAL + 20;
pub(super) const LRU_TAIL: usize = GLOBAL + 24;
/// With so many free units blocks are whole lines of the cache.
pub(super) const PLENTY: usize = GLOBAL + 28;
pub(super) const FREE_UNITS: usize = GLOBAL + 32;
pub(super) const HAND: usize = GLOBAL + 36;
pub(super) const WHEEL: usize = GLOBAL + 40;
pub(super) const FL_MAP: usize = WHEEL + 4 * LEVELS * SLOTS;
pub(super) const SL_MAPS: usize = FL_MAP + 4;
pub(super) const FREE_LISTS: usize = SL_MAPS + 4 * FL_COUNT;
const GLOBAL_END: usize = FREE_LISTS + 4 * FL_COUNT * SL_COUNT;

/// The wheel of expiry times: levels of slots.
pub(super) const LEVELS: usize = 4;
pub(super) const SLOTS: usize = 32;

/// The classes of free blocks: powers of two, and steps between them.
pub(super) const FL_COUNT: usize = 28;
pub(super) const SL_COUNT: usize = 8;

/// Its journal: the number of records, and they, of eight bytes.
pub(super) const JOURNAL: usize = (GLOBAL_END + 63) & !63;
pub(super) const RECORDS: usize = 128;
const STRIPES: usize = (JOURNAL + 8 + 8 * RECORDS + 127) & !127;

// A stripe, at its lock: what an operation needs is in one line of the cache, as
// a rule.
pub(super) const LOCK: usize = 0;
/// Odd while it changes.
pub(super) const VERSION: usize = 8;
/// What part of an entry is being overwritten: where it is, in units of eight,
/// 2^32 times; and its length, or 0.
pub(super) const SAVING: usize = 16;
/// The number of records of its journal.
pub(super) const CHANGED: usize = 24;
/// How many entries it has.
pub(super) const COUNT: usize = 28;
/// What that part was, or the records; as far as there is room.
pub(super) const SAVED: usize = 32;
pub(super) const SAVED_LEN: usize = 32;

/// A stripe with the line before it: two lines of the cache, which are fetched
/// together.
const STRIPE_SIZE: usize = BEFORE + SAVED + SAVED_LEN;
/// There is a stripe for so many bytes of a zone.
const STRIPE_PART: usize = 16 * 1024;
/// More are of no use, and all have to be looked at now and then.
const MAX_STRIPES: usize = 16384;
/// Stripes that have a byte together which says whether one of them is uneven.
pub(super) const GROUP: usize = 64;

// An area: where a process saves what a stripe has no room for.
/// The process.
pub(super) const AREA_OWNER: usize = 0;
pub(super) const AREA_SAVED: usize = 8;

// In the line before: references of entries that are not in the LRU list and the
// wheel yet, and of free blocks, each with its units.
pub(super) const BEFORE: usize = 64;
pub(super) const YOUNG_SLOTS: usize = 8;
pub(super) const STOCK_SLOTS: usize = 4;
/// The largest block that is kept there, in units.
const STOCK_MAX: u32 = 128;
/// It is not more than such a part of the zone: in a small one, where a few
/// entries are many of all, their order is exact.
const STOCK_PART: usize = 4096;

// A block.
pub(super) const SIZE: usize = 0;
/// The block that what is in this one goes on in.
pub(super) const NEXT: usize = 4;

// An entry, in a block.
pub(super) const LRU_PREV: usize = 8;
pub(super) const LRU_NEXT: usize = 12;
/// The length of the key, and 65536 times the type of the value.
pub(super) const KEY_LEN: usize = 16;
/// The entry before it in its slot of the wheel, or IN_SLOT + that slot, or 0.
pub(super) const EXP_PREV: usize = 20;
pub(super) const EXP_NEXT: usize = 24;
/// The next entry of its bucket; of garbage: the next garbage.
pub(super) const CHAIN: usize = 28;
pub(super) const EXPIRES: usize = 32;
pub(super) const BORN: usize = 40;
pub(super) const FLAGS: usize = 44;
pub(super) const VALUE_LEN: usize = 48;
pub(super) const HASH: usize = 52;
pub(super) const DATA: usize = 56;

pub(super) const IN_SLOT: u32 = 1 << 31;
/// As LRU_PREV: it is young, and this + its slot.
pub(super) const IS_YOUNG: u32 = 1 << 31;
/// The fewest units of the first block of an entry.
pub(super) const MIN_ENTRY: u32 = 5;

// An element of a list, in a block.
pub(super) const NODE_PREV: usize = 8;
pub(super) const NODE_NEXT: usize = 12;
/// 65536 times the type of the value, where an entry has it.
pub(super) const NODE_TYPE: usize = KEY_LEN;
pub(super) const NODE_LEN: usize = 20;
pub(super) const NODE_DATA: usize = 32;
pub(super) const MIN_NODE: u32 = 3;

/// The parts of a zone whose place depends on its size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub stripes: usize,
    stripe_mask: u32,
    areas_at: usize,
    areas: usize,
    /// The largest block in stock.
    pub stock_max: u32,
    /// How much of an entry can be overwritten in place.
    pub saved_max: usize,
    groups_at: usize,
    uneven_at: usize,
    pub buckets_at: usize,
    pub buckets: usize,
    bucket_mask: u32,
    touched_at: usize,
    pub heap: Ref,
    pub heap_end: Ref,
}

impl Layout {
    pub fn new(len: usize) -> Layout {
        let stripes = 1 << (len / STRIPE_PART).clamp(1, MAX_STRIPES).ilog2();
        let areas_at = STRIPES + stripes * STRIPE_SIZE;
        // For so many processes, where zones are of a size that many may use.
        let areas = (len / (64 * 1024)).clamp(2, 64).max((len >> 20).min(256));
        let saved_max = if len >= 1024 * 1024 { 1280 } else { 256 };
        let groups_at = (areas_at + areas * area_size(saved_max) + 63) & !63;
        let uneven_at = (groups_at + stripes.div_ceil(GROUP) + 63) & !63;
        let buckets_at = (uneven_at + stripes + 63) & !63;
        let buckets = 1usize << (len / 128).max(stripes).ilog2();
        let touched_at = buckets_at + 4 * buckets;
        let heap_at = (touched_at + len / 64 + 1).next_multiple_of(64);
        let heap = (heap_at / UNIT) as Ref;
        // There is the end's mark, and room to look at an entry as a whole.
        let heap_end = (len / UNIT - 4) as Ref;
        Layout {
            stripes,
            stripe_mask: stripes as u32 - 1,
            areas_at,
            areas,
            stock_max: STOCK_MAX.min((len / STOCK_PART / UNIT) as u32),
            saved_max,
            groups_at,
            uneven_at,
            buckets_at,
            buckets,
            bucket_mask: buckets as u32 - 1,
            touched_at,
            heap,
            heap_end,
        }
    }

    #[inline(always)]
    pub fn stripe_at(&self, stripe: usize) -> usize {
        STRIPES + BEFORE + stripe * STRIPE_SIZE
    }

    /// Where the stripe of a hash is.
    #[inline(always)]
    pub fn home(&self, hash: u32) -> usize {
        self.stripe_at((hash & self.stripe_mask) as usize)
    }

    /// Where the areas are.
    pub fn areas(&self) -> impl Iterator<Item = usize> + use<> {
        let (first, size) = (self.areas_at, area_size(self.saved_max));
        (0..self.areas).map(move |i| first + i * size)
    }

    /// How many groups of stripes there are, and the byte that says whether one may
    /// have an uneven stripe.
    pub fn groups(&self) -> usize {
        self.stripes.div_ceil(GROUP)
    }

    #[inline(always)]
    pub fn group_at(&self, group: usize) -> usize {
        self.groups_at + group
    }

    /// The byte that says whether a stripe may have young entries or a stock.
    #[inline(always)]
    pub fn uneven_at(&self, stripe: usize) -> usize {
        self.uneven_at + stripe
    }

    #[inline(always)]
    pub fn stripe_of(&self, hash: u32) -> usize {
        (hash & self.stripe_mask) as usize
    }

    /// Where the first reference of a bucket is.
    #[inline(always)]
    pub fn bucket_at(&self, hash: u32) -> usize {
        // The low bits say the stripe: a bucket is in one stripe.
        self.buckets_at + 4 * (hash & self.bucket_mask) as usize
    }

    /// The byte that says whether the entry was used.
    #[inline(always)]
    pub fn touched_at(&self, entry: Ref) -> usize {
        self.touched_at + (entry as usize * UNIT / 64)
    }
}

/// Each has lines of its own.
const fn area_size(saved_max: usize) -> usize {
    (AREA_SAVED + saved_max + 63) & !63
}

/// Where the slot of a young entry is, of the stripe at `stripe`.
#[inline(always)]
pub(super) fn young_at(stripe: usize, slot: usize) -> usize {
    stripe - BEFORE + 4 * slot
}

/// Where a block of the stock is; behind it, its units.
#[inline(always)]
pub(super) fn stock_at(stripe: usize, slot: usize) -> usize {
    stripe - BEFORE + 4 * YOUNG_SLOTS + 8 * slot
}

/// The offset of a field of a block.
#[inline(always)]
pub(super) fn at(block: Ref, field: usize) -> usize {
    block as usize * UNIT + field
}

/// The size of a used or free block in units.
#[inline(always)]
pub(super) fn units(memory: &Memory, block: Ref) -> u32 {
    memory.load32(at(block, SIZE)) >> 2
}
