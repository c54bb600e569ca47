//! An entry: its fields, its key and its value, in one block or, if the heap
//! has no block that is large enough, in several.

use super::Dict;
use super::heap::room;
use super::layout::{
    BORN, CHAIN, DATA, EXPIRES, FLUSHES, HASH, IS_YOUNG, KEY_LEN, LRU_PREV, NEXT, Ref,
    SIZE, UNIT, VALUE_LEN, at, units,
};
use crate::nginx::memory::Near;

/// The type of a value, as Lua numbers them; lists are not Lua's.
pub mod kind {
    pub const NIL: u32 = 0;
    pub const BOOLEAN: u32 = 1;
    pub const NUMBER: u32 = 3;
    pub const STRING: u32 = 4;
    pub const LIST: u32 = 5;
    /// A string that has a block of its own. Nobody is told: it is a string.
    pub(in crate::shdict) const LONG: u32 = 6;
}

/// What a search comes to.
pub(super) enum Found<'a> {
    Entry(Ref, Head<'a>),
    Nothing,
    /// It was led astray, by links that are being changed.
    Unsure,
}

/// The header of a block that another one goes on in.
pub(super) const MORE: usize = 8;

/// The fixed part of an entry, and what follows it.
#[derive(Clone, Copy)]
pub(super) struct Head<'a>(Near<'a>);

/// Keys of so many bytes are compared and hashed as two words, which may overlap.
/// They are in the first block: each has room for them.
const TWO_WORDS: std::ops::RangeInclusive<usize> = 8..=16;

/// The two words of a key that is not too long or too short.
#[inline(always)]
pub(super) fn two_words(key: &[u8]) -> Option<(u64, u64)> {
    if !TWO_WORDS.contains(&key.len()) {
        return None;
    }
    let (first, last) = (key.first_chunk()?, key.last_chunk()?);
    Some((u64::from_le_bytes(*first), u64::from_le_bytes(*last)))
}

impl Head<'_> {
    #[inline(always)]
    pub fn get(&self, field: usize) -> u32 {
        self.0.load32(field)
    }

    #[inline(always)]
    pub fn set(&self, field: usize, value: u32) {
        self.0.store32(field, value);
    }

    #[inline(always)]
    pub fn expires(&self) -> u64 {
        self.0.load64(EXPIRES)
    }

    #[inline(always)]
    pub fn set_expires(&self, expires: u64) {
        self.0.store64(EXPIRES, expires);
    }

    #[inline(always)]
    pub fn kind(&self) -> u32 {
        self.get(KEY_LEN) >> 16
    }

    /// It is not in the LRU list and the wheel yet.
    #[inline(always)]
    pub fn is_young(&self) -> bool {
        self.get(LRU_PREV) & IS_YOUNG != 0
    }

    /// The size of its block in bytes.
    #[inline(always)]
    pub fn size(&self) -> usize {
        (self.get(SIZE) >> 2) as usize * UNIT
    }
}

impl Dict {
    /// None if this is not a place for an entry.
    #[inline(always)]
    pub(super) fn head(&self, entry: Ref) -> Option<Head<'_>> {
        self.memory.near(at(entry, 0)).map(Head)
    }

    /// The entry of a key in its bucket, among so many at most.
    #[inline(always)]
    pub(super) fn search(&self, hash: u32, key: &[u8], max: usize) -> Found<'_> {
        let mut entry = self.memory.load32(self.layout.bucket_at(hash));
        for _ in 0..max {
            if entry == 0 {
                return Found::Nothing;
            }
            let Some(head) = self.head(entry) else { return Found::Unsure };
            if head.get(HASH) == hash && self.is_key(entry, head, key) {
                return Found::Entry(entry, head);
            }
            entry = head.get(CHAIN);
        }
        Found::Unsure
    }

    #[inline(always)]
    fn is_key(&self, entry: Ref, head: Head, key: &[u8]) -> bool {
        if head.get(KEY_LEN) & 0xffff != key.len() as u32 {
            return false;
        }
        match two_words(key) {
            Some((first, last)) => {
                head.0.load64(DATA).to_le() == first
                    && head.0.load_unaligned(DATA + key.len() - 8).to_le() == last
            }
            None => self.is_other_key(entry, head, key),
        }
    }

    #[inline(never)]
    fn is_other_key(&self, entry: Ref, head: Head, key: &[u8]) -> bool {
        let memory = &self.memory;
        if DATA + key.len() <= head.size() {
            return memory.equals(at(entry, DATA), key);
        }
        self.pieces(entry, DATA, 0, key.len(), |at, part| memory.equals(at, &key[part]))
    }

    #[inline(always)]
    pub(super) fn hash_of(&self, entry: Ref) -> u32 {
        self.memory.load32(at(entry, HASH))
    }

    #[inline(always)]
    pub(super) fn key_len(&self, entry: Ref) -> usize {
        self.memory.load32(at(entry, KEY_LEN)) as usize & 0xffff
    }

    #[inline(always)]
    pub(super) fn kind(&self, entry: Ref) -> u32 {
        self.memory.load32(at(entry, KEY_LEN)) >> 16
    }

    #[inline(always)]
    pub(super) fn value_len(&self, entry: Ref) -> usize {
        self.memory.load32(at(entry, VALUE_LEN)) as usize
    }

    #[inline(always)]
    pub(super) fn expires(&self, entry: Ref) -> u64 {
        self.memory.load64(at(entry, EXPIRES))
    }

    /// Whether it has neither expired nor been flushed.
    #[inline(always)]
    pub(super) fn is_live(&self, entry: Ref, now: u64) -> bool {
        let expires = self.expires(entry);
        (expires == 0 || expires > now) && !self.is_flushed(entry)
    }

    #[inline(always)]
    pub(super) fn is_alive(&self, head: Head, now: u64) -> bool {
        let expires = head.expires();
        (expires == 0 || expires > now) && head.get(BORN) == self.flushes()
    }

    #[inline(always)]
    pub(super) fn is_flushed(&self, entry: Ref) -> bool {
        self.memory.load32(at(entry, BORN)) != self.flushes()
    }

    /// How often the dictionary was flushed.
    #[inline(always)]
    pub(super) fn flushes(&self) -> u32 {
        self.memory.start().load32(FLUSHES)
    }

    /// Where in its contents the value begins, behind the key.
    #[inline(always)]
    pub(super) fn value_pos(key_len: usize) -> usize {
        (key_len + 7) & !7
    }

    /// Where the value of a number is.
    #[inline(always)]
    pub(super) fn number_at(&self, (entry, head): (Ref, Head), key_len: usize) -> usize {
        let pos = Dict::value_pos(key_len);
        if DATA + pos + 8 <= head.size() {
            return at(entry, DATA + pos);
        }
        self.place(entry, DATA, pos, 8)
    }

    /// Where a value is that is in one piece.
    #[inline(never)]
    pub(super) fn place(
        &self,
        first: Ref,
        header: usize,
        pos: usize,
        len: usize,
    ) -> usize {
        let mut place = 0;
        self.pieces(first, header, pos, len, |at, _| {
            place = at;
            true
        });
        place
    }

    /// Copies contents out.
    #[inline(always)]
    pub(super) fn read(
        &self,
        first: Ref,
        header: usize,
        pos: usize,
        out: &mut [u8],
    ) -> bool {
        let memory = &self.memory;
        self.pieces(first, header, pos, out.len(), |at, part| {
            memory.read(at, &mut out[part]);
            true
        })
    }

    /// Copies contents in, where no reader looks yet.
    #[inline(always)]
    pub(super) fn write(&self, first: Ref, header: usize, pos: usize, bytes: &[u8]) {
        let memory = &self.memory;
        let all = self.pieces(first, header, pos, bytes.len(), |at, part| {
            memory.write(at, &bytes[part]);
            true
        });
        assert!(all, "an entry of a shared dictionary is too short");
    }

    /// Calls `f` for each piece of a part of the contents, which begin behind
    /// the header, until it says false. False if they are shorter.
    #[inline(always)]
    pub(super) fn pieces(
        &self,
        first: Ref,
        header: usize,
        pos: usize,
        len: usize,
        mut f: impl FnMut(usize, std::ops::Range<usize>) -> bool,
    ) -> bool {
        let size = units(&self.memory, first) as usize * UNIT;
        if header + pos + len <= size {
            return f(at(first, header + pos), 0..len);
        }
        self.more_pieces(first, header, pos, len, &mut f)
    }

    #[cold]
    fn more_pieces(
        &self,
        first: Ref,
        header: usize,
        pos: usize,
        len: usize,
        f: &mut dyn FnMut(usize, std::ops::Range<usize>) -> bool,
    ) -> bool {
        let (mut block, mut header, mut skip, mut done) = (first, header, pos, 0);
        while block != 0 {
            let size = units(&self.memory, block);
            if size < super::heap::MIN_BLOCK || header >= room(size, 0) {
                return false; // no block of ours: a reader came too late
            }
            let room = room(size, header);
            if skip < room {
                let n = (room - skip).min(len - done);
                if !f(at(block, header + skip), done..done + n) {
                    return false;
                }
                done += n;
                skip = 0;
            } else {
                skip -= room;
            }
            if done == len {
                return true;
            }
            block = self.memory.load32(at(block, NEXT));
            header = MORE;
        }
        false
    }
}
