//! Storing and counting: set, add, replace, delete, incr, expire.

use super::entry::{Found, Head, MORE};
use super::evict::Evict;
use super::hold::{Held, Hold};
use super::journal::{Change, SHORT, forget_saved, save, save_and_write};
use super::layout::{
    BORN, DATA, EXP_PREV, EXPIRES, FLAGS, HASH, KEY_LEN, MIN_ENTRY, NEXT, Ref, SPARE,
    UNIT, VALUE_LEN, at, units,
};
use super::lists::{link_lru, link_wheel, unlink_wheel};
use super::lock::{begin_change, end_change};
use super::long::LONG_MIN;
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

/// What becomes an entry.
#[derive(Clone, Copy)]
pub(super) struct New<'a> {
    pub hash: u32,
    pub key: &'a [u8],
    pub kind: u32,
    pub bytes: &'a [u8],
    pub expires: u64,
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

/// The heap has room for an entry's head in each block.
#[cold]
fn no_entry() -> ! {
    panic!("an entry outside of a shared memory zone")
}

impl Dict {
    /// Stores a value. Also says whether live entries had to go for it.
    #[inline(always)]
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
        let held = Held::stripe(self, hash);
        let found = self.search(hash, key, usize::MAX);
        if how.when != When::Always {
            let live = matches!(found, Found::Entry(_, head) if self.is_alive(head, now));
            let refused = match how.when {
                When::Absent if live => Some(Error::Exists),
                When::Present if !live => Some(Error::NotFound),
                _ => None,
            };
            if let Some(error) = refused {
                held.release();
                return (Err(error), false);
            }
        }
        let expires = if how.ttl == 0 { 0 } else { now.saturating_add(how.ttl) };
        // Made where it is needed: what is the same for all is kept in registers.
        let new = || New { hash, key, kind, bytes, expires, flags: how.flags };
        let stored = match found {
            Found::Entry(entry, head) => {
                self.overwrite(&held, (entry, head), &new())
                    || self.exchange(&held, (entry, head), &new())
            }
            _ => self.add_young(&held, &new()),
        };
        if stored {
            held.release();
            return (Ok(()), false);
        }
        self.set_now(now);
        let evict = if how.evict { Evict::Live } else { Evict::Dead };
        self.store_new(held, new(), evict)
    }

    #[inline(never)]
    fn store_new(&self, held: Held, new: New, evict: Evict) -> (Result<(), Error>, bool) {
        if new.bytes.len() >= LONG_MIN
            && let Found::Entry(entry, head) = self.search(new.hash, new.key, usize::MAX)
            && self.overwrite_long(&held, (entry, head), &new)
        {
            held.release();
            return (Ok(()), false);
        }
        let mut hold = held.more();
        let mut forced = false;
        hold.take_global();
        self.settle(&mut hold);
        let put = self.put(&mut hold, &new, evict, &mut forced);
        (put.map(|_| ()), forced)
    }

    /// Removes a key.
    #[inline(always)]
    pub fn delete(&self, key: &[u8], now: u64) {
        let hash = self.hash(key);
        let held = Held::stripe(self, hash);
        match self.search(hash, key, usize::MAX) {
            Found::Entry(entry, head)
                if !self.remove_young(&held, (entry, head), hash) =>
            {
                self.set_now(now);
                self.delete_old(held, entry);
            }
            _ => held.release(),
        }
    }

    #[inline(never)]
    fn delete_old(&self, held: Held, entry: Ref) {
        let mut hold = held.more();
        hold.take_global();
        self.remove_to_stock(&mut hold, entry);
    }

    /// Adds to a number. `init` is what it starts from, and for how long, if it
    /// is not there. Also says whether live entries had to go for it.
    #[inline(always)]
    pub fn incr(
        &self,
        key: &[u8],
        by: f64,
        init: Option<(f64, u64)>,
        now: u64,
    ) -> (Result<f64, Error>, bool) {
        let hash = self.hash(key);
        let held = Held::stripe(self, hash);
        if let Found::Entry(entry, head) = self.search(hash, key, usize::MAX)
            && self.is_alive(head, now)
        {
            let result = if head.kind() == kind::NUMBER {
                // One store: nobody sees half of it.
                let place = self.number_at((entry, head), key.len());
                let number = f64::from_bits(self.memory.load64(place)) + by;
                self.memory.store64(place, number.to_bits());
                self.touch(entry);
                Ok(number)
            } else {
                Err(Error::NotANumber)
            };
            held.release();
            return (result, false);
        }
        held.release();
        let Some((init, ttl)) = init else { return (Err(Error::NotFound), false) };
        self.incr_new(key, by, init + by, ttl, now)
    }

    #[cold]
    #[inline(never)]
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

    /// Whether the entry finds its new time where it is in the wheel. It may
    /// be there too early: it is looked at again then. The young are put there
    /// later.
    #[inline(always)]
    pub(super) fn wheel_allows(&self, head: Head, expires: u64) -> bool {
        expires == 0
            || head.is_young()
            || head.get(EXP_PREV) != 0 && {
                let old = head.expires();
                old != 0 && expires >= old
            }
    }

    /// Writes a new value over the old one, if it can stay where it is.
    #[inline(always)]
    fn overwrite(&self, held: &Held, (entry, head): (Ref, Head), new: &New) -> bool {
        let (memory, stripe) = (&self.memory, held.home());
        let len = new.bytes.len();
        let value = DATA + Dict::value_pos(new.key.len());
        let end = value + len;
        let spare = head.size().wrapping_sub(end);
        let fits = spare < SPARE as usize * UNIT
            && head.kind() == new.kind
            && head.get(NEXT) == 0
            && head.get(BORN) == self.flushes();
        if !fits {
            return false;
        }
        let is_same = head.expires() == new.expires
            && head.get(FLAGS) == new.flags
            && head.get(VALUE_LEN) == len as u32;
        let from = if is_same { value } else { EXPIRES };
        if !is_same && !self.wheel_allows(head, new.expires)
            || len >= LONG_MIN && self.gets_long(stripe, len)
        {
            return false;
        }
        let Some(room) = self.room(stripe, end - from) else { return false };
        let version = begin_change(stripe.1);
        if is_same && len > SHORT {
            save_and_write(memory, room, at(entry, value), new.bytes);
        } else {
            save(memory, room, at(entry, from), end - from);
            if !is_same {
                head.set_expires(new.expires);
                head.set(FLAGS, new.flags);
                head.set(VALUE_LEN, len as u32);
            }
            memory.write(at(entry, value), new.bytes);
        }
        forget_saved(stripe.1);
        end_change(stripe.1, version);
        self.touch(entry);
        true
    }

    /// Makes a new entry, in place of an old one of the same key.
    #[inline(never)]
    pub(super) fn put(
        &self,
        hold: &mut Hold,
        new: &New,
        evict: Evict,
        forced: &mut bool,
    ) -> Result<Ref, Error> {
        let &New { hash, key, bytes, expires, .. } = new;
        hold.take_global();
        let len = Dict::value_pos(key.len()) + bytes.len();
        let long = self.make_long(hold, new);
        let kind = if long.is_some() { kind::LONG } else { new.kind };
        let made =
            long.or_else(|| self.make(hold, (DATA, len), MIN_ENTRY, Evict::Dead, forced));
        let made = made.or_else(|| {
            // What is replaced makes room before others do.
            let old = self.find(hash, key);
            if old != 0 && (evict == Evict::Live || self.would_fit(old, DATA + len)) {
                self.remove(hold, old);
            }
            self.make(hold, (DATA, len), MIN_ENTRY, evict, forced)
        });
        let made = made.ok_or(Error::NoMemory)?;

        let entry = made.block;
        // Of several, nobody may think that they have a key or are a list.
        let new = New { kind, ..*new };
        self.fill(entry, &new, if made.several { None } else { Some(kind) });

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
            if kind == kind::LONG {
                self.keep_long(&mut change, old);
            }
            self.discard(&mut change, old);
        }
        change.commit();
        self.free_garbage(hold);
        Ok(entry)
    }

    /// Writes the fields, the key and the value of a new entry, which nobody knows
    /// yet; its type, too, if it is given.
    #[inline(always)]
    pub(super) fn fill(&self, entry: Ref, new: &New, kind: Option<u32>) {
        let (key, bytes) = (new.key, new.bytes);
        let head = self.head(entry).unwrap_or_else(|| no_entry());
        if let Some(kind) = kind {
            head.set(KEY_LEN, kind << 16 | key.len() as u32);
        }
        head.set_expires(new.expires);
        head.set(BORN, self.flushes());
        head.set(FLAGS, new.flags);
        head.set(VALUE_LEN, if new.kind == kind::LIST { 0 } else { bytes.len() as u32 });
        head.set(HASH, new.hash);
        head.set(EXP_PREV, 0);
        self.write(entry, DATA, 0, key);
        if new.kind == kind::LONG {
            self.memory.write(at(head.get(NEXT), MORE), bytes);
        } else {
            self.write(entry, DATA, Dict::value_pos(key.len()), bytes);
        }
        self.forget_use(entry);
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

    /// A new entry has not been used.
    #[inline(always)]
    fn forget_use(&self, entry: Ref) {
        let touched = self.layout.touched_at(entry);
        if self.memory.load8(touched) != 0 {
            self.memory.store8(touched, 0);
        }
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
