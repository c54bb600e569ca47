//! Storing and counting: set, add, replace, delete, incr, expire.

use super::entry::{Found, Head};
use super::evict::Evict;
use super::hold::Hold;
use super::journal::{Change, forget_saved, save};
use super::layout::{
    BORN, DATA, EXP_PREV, EXPIRES, FLAGS, FLUSHES, HASH, KEY_LEN, MIN_ENTRY, NEXT, Ref,
    SIZE, UNIT, VALUE_LEN, at, units,
};
use super::lists::{link_lru, link_wheel, unlink_wheel};
use super::{Dict, Error, kind};

/// A value to be stored.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Boolean(bool),
    Number(f64),
    Str(&'a [u8]),
}

/// On which condition a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Always,
    /// The key is not there, or dead.
    Absent,
    /// The key is there.
    Present,
}

/// How a value is stored.
#[derive(Clone, Copy, Debug)]
pub struct Store {
    pub when: When,
    /// Live entries may go to make room.
    pub evict: bool,
    /// Milliseconds from now; 0 is for ever.
    pub ttl: u64,
    pub flags: u32,
}

impl<'a> Value<'a> {
    pub(super) fn kind(&self) -> u32 {
        match self {
            Value::Boolean(_) => kind::BOOLEAN,
            Value::Number(_) => kind::NUMBER,
            Value::Str(_) => kind::STRING,
        }
    }

    /// The bytes, which may be put into `short`.
    #[inline(always)]
    pub(super) fn bytes<'b>(&'b self, short: &'b mut [u8; 8]) -> &'b [u8] {
        match self {
            Value::Boolean(b) => {
                short[0] = u8::from(*b);
                &short[..1]
            }
            Value::Number(n) => {
                *short = n.to_bits().to_ne_bytes();
                short
            }
            Value::Str(s) => s,
        }
    }
}

impl Dict {
    /// Stores a value. Also says whether live entries had to go for it.
    pub fn store(
        &self,
        key: &[u8],
        value: Value,
        how: Store,
        now: u64,
    ) -> (Result<(), Error>, bool) {
        let mut short = [0; 8];
        let bytes = value.bytes(&mut short);
        let kind = value.kind();
        let hash = self.hash(key);
        let mut hold = Hold::stripe(self, hash);
        let found = self.search(hash, key, usize::MAX);
        if how.when != When::Always {
            let live = matches!(found, Found::Entry(_, head) if self.is_alive(head, now));
            match how.when {
                When::Absent if live => return (Err(Error::Exists), false),
                When::Present if !live => return (Err(Error::NotFound), false),
                _ => {}
            }
        }
        let expires = if how.ttl == 0 { 0 } else { now.saturating_add(how.ttl) };
        if let Found::Entry(entry, head) = found
            && let Some(over) = self.fits(head, kind, key.len(), bytes.len(), expires)
        {
            self.overwrite(&mut hold, (entry, head), (bytes, over), expires, how.flags);
            return (Ok(()), false);
        }
        self.set_now(now);
        let evict = if how.evict { Evict::Live } else { Evict::Dead };
        let (value, fields) = ((kind, bytes), (expires, how.flags));
        let mut forced = false;
        let put = self.put(&mut hold, hash, key, value, fields, evict, &mut forced);
        (put.map(|_| ()), forced)
    }

    /// Removes a key.
    pub fn delete(&self, key: &[u8], now: u64) {
        self.set_now(now);
        let hash = self.hash(key);
        let mut hold = Hold::stripe(self, hash);
        let entry = self.find(hash, key);
        if entry != 0 {
            hold.take_global();
            self.remove(&mut hold, entry);
        }
    }

    /// Adds to a number. `init` is what it starts from, and for how long, if it
    /// is not there. Also says whether live entries had to go for it.
    pub fn incr(
        &self,
        key: &[u8],
        by: f64,
        init: Option<(f64, u64)>,
        now: u64,
    ) -> (Result<f64, Error>, bool) {
        let hash = self.hash(key);
        let hold = Hold::stripe(self, hash);
        if let Found::Entry(entry, head) = self.search(hash, key, usize::MAX)
            && self.is_alive(head, now)
        {
            if head.get(KEY_LEN) >> 16 != kind::NUMBER {
                return (Err(Error::NotANumber), false);
            }
            // One store: nobody sees half of it.
            let place = self.place(entry, DATA, Dict::value_pos(key.len()), 8);
            let number = f64::from_bits(self.memory.load64(place)) + by;
            self.memory.store64(place, number.to_bits());
            self.touch(entry);
            return (Ok(number), false);
        }
        let Some((init, ttl)) = init else { return (Err(Error::NotFound), false) };
        drop(hold);
        self.incr_new(key, by, init + by, ttl, now)
    }

    #[cold]
    fn incr_new(
        &self,
        key: &[u8],
        by: f64,
        number: f64,
        ttl: u64,
        now: u64,
    ) -> (Result<f64, Error>, bool) {
        let how = Store { when: When::Absent, evict: true, ttl, flags: 0 };
        match self.store(key, Value::Number(number), how, now) {
            (Ok(()), forced) => (Ok(number), forced),
            // Another worker was first.
            (Err(Error::Exists), _) => self.incr(key, by, Some((number - by, ttl)), now),
            (Err(error), forced) => (Err(error), forced),
        }
    }

    /// Sets when a key expires.
    pub fn expire(&self, key: &[u8], ttl: u64, now: u64) -> Result<(), Error> {
        self.set_now(now);
        let hash = self.hash(key);
        let mut hold = Hold::stripe(self, hash);
        let Found::Entry(entry, head) = self.search(hash, key, usize::MAX) else {
            return Err(Error::NotFound);
        };
        if !self.is_alive(head, now) {
            return Err(Error::NotFound);
        }
        let expires = if ttl == 0 { 0 } else { now.saturating_add(ttl) };
        if self.wheel_allows(head, expires) {
            // One store: nobody sees half of it.
            self.memory.store64(at(entry, EXPIRES), expires);
        } else {
            hold.take_global();
            let mut change = hold.change();
            unlink_wheel(&mut change, entry);
            link_wheel(&mut change, entry, expires);
            change.set64(at(entry, EXPIRES), expires);
            change.commit();
        }
        self.touch(entry);
        Ok(())
    }

    /// How much of an entry a new value is written over, from where it says
    /// when it expires; None if it cannot stay where it is.
    #[inline(always)]
    fn fits(
        &self,
        head: Head,
        kind: u32,
        key_len: usize,
        len: usize,
        expires: u64,
    ) -> Option<usize> {
        let end = DATA + Dict::value_pos(key_len) + len;
        let (size, needed) = (head.get(SIZE) >> 2, end.div_ceil(UNIT) as u32);
        // A block may be a unit longer than it was asked for.
        let fits = end - EXPIRES <= self.layout.saved_max
            && (needed == size || needed + 1 == size)
            && head.get(KEY_LEN) >> 16 == kind
            && head.get(NEXT) == 0
            && head.get(BORN) == self.memory.load32(FLUSHES)
            && self.wheel_allows(head, expires);
        fits.then_some(end - EXPIRES)
    }

    /// Whether the entry finds its new time where it is in the wheel. It may
    /// be there too early: it is looked at again then.
    #[inline(always)]
    fn wheel_allows(&self, head: Head, expires: u64) -> bool {
        expires == 0
            || head.get(EXP_PREV) != 0 && {
                let old = head.expires();
                old != 0 && expires >= old
            }
    }

    #[inline(always)]
    fn overwrite(
        &self,
        hold: &mut Hold,
        (entry, head): (Ref, Head),
        (bytes, over): (&[u8], usize),
        expires: u64,
        flags: u32,
    ) {
        let (memory, stripe) = (&self.memory, hold.home());
        hold.begin();
        let from = at(entry, EXPIRES);
        save(memory, stripe, from, over);
        head.set(EXPIRES, expires as u32);
        head.set(EXPIRES + 4, (expires >> 32) as u32);
        head.set(FLAGS, flags);
        head.set(VALUE_LEN, bytes.len() as u32);
        memory.write(from + over - bytes.len(), bytes);
        forget_saved(stripe.1);
        self.touch(entry);
    }

    /// Makes a new entry, in place of an old one of the same key.
    #[allow(clippy::too_many_arguments)]
    #[inline(never)]
    pub(super) fn put(
        &self,
        hold: &mut Hold,
        hash: u32,
        key: &[u8],
        (kind, bytes): (u32, &[u8]),
        (expires, flags): (u64, u32),
        evict: Evict,
        forced: &mut bool,
    ) -> Result<Ref, Error> {
        hold.take_global();
        let pos = Dict::value_pos(key.len());
        let len = pos + bytes.len();
        let made = self.make(hold, (DATA, len), MIN_ENTRY, Evict::Dead, forced);
        let made = made.or_else(|| {
            // What is replaced makes room before others do.
            let old = self.find(hash, key);
            if old != 0 && (evict == Evict::Live || self.would_fit(old, DATA + len)) {
                self.remove(hold, old);
            }
            self.make(hold, (DATA, len), MIN_ENTRY, evict, forced)
        });
        let made = made.ok_or(Error::NoMemory)?;

        let (memory, entry) = (&self.memory, made.block);
        if !made.several {
            // Of several, nobody may think that they have a key or are a list.
            memory.store32(at(entry, KEY_LEN), kind << 16 | key.len() as u32);
        }
        memory.store64(at(entry, EXPIRES), expires);
        memory.store32(at(entry, BORN), memory.load32(FLUSHES));
        memory.store32(at(entry, FLAGS), flags);
        let value_len = if kind == kind::LIST { 0 } else { bytes.len() };
        memory.store32(at(entry, VALUE_LEN), value_len as u32);
        memory.store32(at(entry, HASH), hash);
        memory.store32(at(entry, super::layout::EXP_PREV), 0);
        self.write(entry, DATA, 0, key);
        self.write(entry, DATA, pos, bytes);
        memory.store8(self.layout.touched_at(entry), 0);

        let old = self.find(hash, key);
        let mut change = hold.change();
        if made.several {
            self.take_from_garbage(&mut change, entry);
            change.set(at(entry, KEY_LEN), kind << 16 | key.len() as u32);
        }
        if old != 0 {
            self.unlink(&mut change, old);
        }
        self.link_bucket(&mut change, entry, hash);
        link_lru(&mut change, entry);
        // A list that is being made counts as dead, but is not to be found so.
        if expires != 0 && kind != kind::LIST {
            link_wheel(&mut change, entry, expires);
        }
        if old != 0 {
            self.discard(&mut change, old);
        }
        change.commit();
        self.free_garbage(hold);
        Ok(entry)
    }

    /// New blocks are no garbage any more.
    pub(super) fn take_from_garbage(&self, change: &mut Change, block: Ref) {
        use super::layout::{CHAIN, GARBAGE};
        change.set(GARBAGE, change.get(at(block, CHAIN)));
    }

    /// Whether there is room for so many bytes without this entry. Lists count
    /// with their first block only.
    fn would_fit(&self, entry: Ref, bytes: usize) -> bool {
        let mut free = self.free_units() as usize;
        let mut block = entry;
        while block != 0 {
            free += units(&self.memory, block) as usize;
            block = self.memory.load32(at(block, NEXT));
        }
        // In pieces it needs some more.
        free * UNIT >= bytes + bytes / 4 + UNIT
    }

    /// Marks an entry as used.
    #[inline(always)]
    pub(super) fn touch(&self, entry: Ref) {
        let touched = self.layout.touched_at(entry);
        if self.memory.load8(touched) == 0 {
            self.memory.store8(touched, 1);
        }
    }
}
