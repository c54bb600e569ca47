//! An entry: its fields, its key and its value, in one block or, if the heap
//! has no block that is large enough, in several.

use super::Dict;
use super::heap::room;
use super::layout::{
    BORN, CHAIN, DATA, EXPIRES, FLUSHES, HASH, KEY_LEN, NEXT, Ref, SIZE, UNIT, VALUE_LEN,
    at, units,
};
use crate::nginx::memory::Words;

/// The type of a value, as Lua numbers them; lists are not Lua's.
pub mod kind {
    pub const NIL: u32 = 0;
    pub const BOOLEAN: u32 = 1;
    pub const NUMBER: u32 = 3;
    pub const STRING: u32 = 4;
    pub const LIST: u32 = 5;
}

/// What a search comes to.
pub(super) enum Found<'a> {
    Entry(Ref, Head<'a>),
    Nothing,
    /// It was led astray, by links that are being changed.
    Unsure,
}

/// The header of a block that another one goes on in.
const MORE: usize = 8;

/// The fixed part of an entry, for a look at several fields.
#[derive(Clone, Copy)]
pub(super) struct Head<'a>(Words<'a, { DATA / 4 }>);

impl Head<'_> {
    #[inline(always)]
    pub fn get(&self, field: usize) -> u32 {
        self.0.load(field / 4)
    }

    #[inline(always)]
    pub fn set(&self, field: usize, value: u32) {
        self.0.store(field / 4, value);
    }

    #[inline(always)]
    pub fn expires(&self) -> u64 {
        u64::from(self.get(EXPIRES)) | u64::from(self.get(EXPIRES + 4)) << 32
    }
}

impl Dict {
    /// None if this is not a place for an entry.
    #[inline(always)]
    pub(super) fn head(&self, entry: Ref) -> Option<Head<'_>> {
        self.memory.words(at(entry, 0)).map(Head)
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
        let memory = &self.memory;
        if DATA + key.len() <= (head.get(SIZE) >> 2) as usize * UNIT {
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
        (expires == 0 || expires > now) && head.get(BORN) == self.memory.load32(FLUSHES)
    }

    #[inline(always)]
    pub(super) fn is_flushed(&self, entry: Ref) -> bool {
        self.memory.load32(at(entry, BORN)) != self.memory.load32(FLUSHES)
    }

    /// Where in its contents the value begins, behind the key.
    #[inline(always)]
    pub(super) fn value_pos(key_len: usize) -> usize {
        (key_len + 7) & !7
    }

    /// Where a value is that is in one piece.
    #[inline(always)]
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
