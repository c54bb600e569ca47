//! An entry: its fields, its key and its value, in one block or, if the heap
//! has no block that is large enough, in several.

use super::Dict;
use super::heap::room;
use super::layout::{
    BORN, DATA, EXPIRES, FLUSHES, HASH, KEY_LEN, NEXT, Ref, VALUE_LEN, at, units,
};

/// The type of a value, as Lua numbers them; lists are not Lua's.
pub mod kind {
    pub const NIL: u32 = 0;
    pub const BOOLEAN: u32 = 1;
    pub const NUMBER: u32 = 3;
    pub const STRING: u32 = 4;
    pub const LIST: u32 = 5;
}

/// The header of a block that another one goes on in.
const MORE: usize = 8;

impl Dict {
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
    pub(super) fn is_flushed(&self, entry: Ref) -> bool {
        self.memory.load32(at(entry, BORN)) != self.memory.load32(FLUSHES)
    }

    /// Where in its contents the value begins, behind the key.
    #[inline(always)]
    pub(super) fn value_pos(key_len: usize) -> usize {
        (key_len + 7) & !7
    }

    #[inline(always)]
    pub(super) fn has_key(&self, entry: Ref, key: &[u8]) -> bool {
        let memory = &self.memory;
        memory.load32(at(entry, KEY_LEN)) & 0xffff == key.len() as u32
            && self
                .pieces(entry, DATA, 0, key.len(), |at, part| memory.equals(at, &key[part]))
    }

    /// Where a value is that is in one piece.
    #[inline(always)]
    pub(super) fn place(&self, first: Ref, header: usize, pos: usize, len: usize) -> usize {
        let mut place = 0;
        self.pieces(first, header, pos, len, |at, _| {
            place = at;
            true
        });
        place
    }

    /// Copies contents out.
    #[inline(always)]
    pub(super) fn read(&self, first: Ref, header: usize, pos: usize, out: &mut [u8]) -> bool {
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
        let size = units(&self.memory, first) as usize * super::layout::UNIT;
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
