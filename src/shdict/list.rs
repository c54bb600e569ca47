//! Values that are lists: an entry whose value is the references of its first
//! and last element. Elements are linked both ways.

use super::evict::Evict;
use super::get::Answer;
use super::hold::Hold;
use super::layout::{
    CHAIN, DATA, EXPIRES, GARBAGE, KEY_LEN, MIN_NODE, NEXT, NODE_DATA, NODE_LEN,
    NODE_NEXT, NODE_PREV, NODE_TYPE, Ref, VALUE_LEN, at,
};
use super::store::{New, Value};
use super::{Dict, Error, heap, kind};

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Left,
    Right,
}

impl End {
    /// The field of an element that leads away from this end.
    fn inward(self) -> usize {
        match self {
            End::Left => NODE_NEXT,
            End::Right => NODE_PREV,
        }
    }

    fn outward(self) -> usize {
        match self {
            End::Left => NODE_PREV,
            End::Right => NODE_NEXT,
        }
    }
}

impl Dict {
    /// Adds an element at an end; the new length. Nothing that lives has to go
    /// for it.
    pub fn push(
        &self,
        key: &[u8],
        value: Value,
        end: End,
        now: u64,
    ) -> Result<u32, Error> {
        self.set_now(now);
        let hash = self.hash(key);
        let mut hold = Hold::stripe(self, hash);
        let entry = self.find(hash, key);
        let live = entry != 0 && self.is_live(entry, now);
        if live && self.kind(entry) != kind::LIST {
            return Err(Error::NotAList);
        }
        hold.take_global();
        let entry = if live {
            entry
        } else {
            // It has expired until the element is in it.
            let (kind, bytes) = (kind::LIST, &[0; 8][..]);
            let new = New { hash, key, kind, bytes, expires: 1, flags: 0 };
            self.put(&mut hold, &new, Evict::Dead, &mut false)?
        };
        let mut short = [0; 8];
        let bytes = value.bytes(&mut short);
        let pushed = self.push_bytes(&mut hold, entry, value.kind(), bytes, end, live);
        if pushed.is_err() && !live {
            self.remove(&mut hold, entry);
        }
        pushed
    }

    fn push_bytes(
        &self,
        hold: &mut Hold,
        entry: Ref,
        kind: u32,
        bytes: &[u8],
        end: End,
        live: bool,
    ) -> Result<u32, Error> {
        let size = (NODE_DATA, bytes.len());
        let made = self.make(hold, size, MIN_NODE, Evict::Dead, &mut false);
        let made = made.ok_or(Error::NoMemory)?;
        let (memory, node) = (&self.memory, made.block);
        memory.store32(at(node, NODE_LEN), bytes.len() as u32);
        self.write(node, NODE_DATA, 0, bytes);

        let len = self.value_len(entry) as u32 + 1;
        let (first, last) = self.ends_at(entry, end);
        let mut change = hold.change();
        if made.several {
            self.take_from_garbage(&mut change, node);
        }
        change.set(at(node, NODE_TYPE), kind << 16);
        let next = change.get(first);
        change.set(at(node, end.outward()), 0);
        change.set(at(node, end.inward()), next);
        change.set(if next == 0 { last } else { at(next, end.outward()) }, node);
        change.set(first, node);
        change.set(at(entry, VALUE_LEN), len);
        if !live {
            change.set64(at(entry, EXPIRES), 0);
        }
        change.commit();
        self.touch(entry);
        Ok(len)
    }

    /// Takes the element at an end; nil if there is no list.
    pub fn pop(
        &self,
        key: &[u8],
        end: End,
        now: u64,
        answer: &mut impl Answer,
    ) -> Result<u32, Error> {
        self.set_now(now);
        let hash = self.hash(key);
        let mut hold = Hold::stripe(self, hash);
        let entry = self.find(hash, key);
        if entry == 0 || !self.is_live(entry, now) {
            return Ok(kind::NIL);
        }
        if self.kind(entry) != kind::LIST {
            return Err(Error::NotAList);
        }
        hold.take_global();
        let (first, last) = self.ends_at(entry, end);
        let node = self.memory.load32(first);
        let kind = self.memory.load32(at(node, NODE_TYPE)) >> 16;
        if kind == kind::NUMBER {
            let place = self.place(node, NODE_DATA, 0, 8);
            answer.set_number(f64::from_bits(self.memory.load64(place)));
        } else {
            let len = self.memory.load32(at(node, NODE_LEN)) as usize;
            self.answer(answer, len, |out| self.read(node, NODE_DATA, 0, out));
        }

        let mut change = hold.change();
        let next = change.get(at(node, end.inward()));
        change.set(first, next);
        change.set(if next == 0 { last } else { at(next, end.outward()) }, 0);
        change.set(at(entry, VALUE_LEN), self.value_len(entry) as u32 - 1);
        if next == 0 {
            self.unlink(&mut change, entry);
            self.discard(&mut change, entry);
        }
        if change.get(at(node, NEXT)) == 0 {
            heap::give(&mut change, node);
        } else {
            change.set(at(node, KEY_LEN), 0);
            change.set(at(node, CHAIN), change.get(GARBAGE));
            change.set(GARBAGE, node);
        }
        change.commit();
        if next != 0 {
            self.touch(entry);
        }
        self.free_garbage(&mut hold);
        Ok(kind)
    }

    /// The length of a list; 0 if there is none.
    pub fn list_len(&self, key: &[u8], now: u64) -> Result<u32, Error> {
        let hash = self.hash(key);
        let _hold = Hold::stripe(self, hash);
        let entry = self.find(hash, key);
        if entry == 0 || !self.is_live(entry, now) {
            return Ok(0);
        }
        if self.kind(entry) != kind::LIST {
            return Err(Error::NotAList);
        }
        self.touch(entry);
        Ok(self.value_len(entry) as u32)
    }

    /// Where the entry has its element at this end, and at the other.
    fn ends_at(&self, entry: Ref, end: End) -> (usize, usize) {
        let pos = Dict::value_pos(self.key_len(entry));
        let place = self.place(entry, DATA, pos, 8);
        match end {
            End::Left => (place, place + 4),
            End::Right => (place + 4, place),
        }
    }
}
