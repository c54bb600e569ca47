//! Reading a value, as a rule without a lock: whoever changes something of a
//! stripe makes its version odd before and even afterwards, and a reader that
//! has seen an odd or two different ones begins again.

use std::sync::atomic::{Ordering, fence};

use super::entry::{Found, Head, MORE};
use super::hold::Held;
use super::layout::{DATA, FLAGS, NEXT, Ref, VALUE_LEN, VERSION, at};
use super::lock::Stripe;
use super::{Dict, Error, kind};

/// How often a reader tries before it takes the lock. It may have to: a worker
/// that died while it changed something leaves an odd version behind.
const TRIES: usize = 16;

/// How many entries of a bucket a reader without a lock looks at; it may have
/// been led in a circle.
const CHAIN_MAX: usize = 64;

/// Where a value goes that is read.
pub trait Answer {
    /// Memory for a string; not always for the longest.
    fn buffer(&mut self) -> &mut [u8];
    /// The string is the first `len` bytes of the buffer.
    fn set_len(&mut self, len: usize);
    /// The string is too long for the buffer.
    fn set_long(&mut self, bytes: Vec<u8>);
    /// The number, or 0 or 1 for a boolean.
    fn set_number(&mut self, number: f64);
    /// The entry's flags.
    fn set_flags(&mut self, flags: u32);
    /// Whether it has expired or was flushed, for get_stale().
    fn set_stale(&mut self, is_stale: bool);
}

/// A reader's look at a stripe: what it sees counts as long as the version is the
/// same. Under the lock it is.
#[derive(Clone, Copy)]
struct Look<'a> {
    stripe: Stripe<'a>,
    version: u64,
}

impl<'a> Look<'a> {
    #[inline(always)]
    fn begin(stripe: Stripe<'a>) -> Look<'a> {
        let version = stripe.load64(VERSION);
        fence(Ordering::Acquire);
        Look { stripe, version }
    }

    /// Whether the stripe changes just now.
    #[inline(always)]
    fn is_changing(&self) -> bool {
        !self.version.is_multiple_of(2)
    }

    /// Whether what was seen so far counts.
    #[inline(always)]
    fn is_valid(&self) -> bool {
        fence(Ordering::Acquire);
        self.stripe.load64(VERSION) == self.version
    }
}

impl Dict {
    /// Reads the value of a key; its type, nil if it is not there. The elements of
    /// a list are not read.
    #[inline(always)]
    pub fn get(&self, key: &[u8], now: u64, answer: &mut impl Answer) -> u32 {
        self.get_if::<false>(key, now, answer)
    }

    /// As get(), also of the dead.
    pub fn get_stale(&self, key: &[u8], now: u64, answer: &mut impl Answer) -> u32 {
        self.get_if::<true>(key, now, answer)
    }

    #[inline(always)]
    fn get_if<const STALE: bool>(
        &self,
        key: &[u8],
        now: u64,
        answer: &mut impl Answer,
    ) -> u32 {
        match self.look::<STALE>(key, now, answer) {
            Some(kind) => kind,
            None => self.get_again::<STALE>(key, now, answer),
        }
    }

    #[cold]
    #[inline(never)]
    fn get_again<const STALE: bool>(
        &self,
        key: &[u8],
        now: u64,
        answer: &mut impl Answer,
    ) -> u32 {
        for _ in 0..TRIES {
            if let Some(kind) = self.look::<STALE>(key, now, answer) {
                return kind;
            }
            std::hint::spin_loop();
        }
        let hash = self.hash(key);
        let held = Held::stripe(self, hash);
        let mut kind = kind::NIL;
        if let Found::Entry(entry, head) = self.search(hash, key, usize::MAX) {
            let (stripe, found) = (held.home().1, (entry, head));
            let look = Look { stripe, version: stripe.load64(VERSION) };
            let copied = self.copy_out::<STALE>(found, key.len(), now, answer, look);
            kind = copied.unwrap_or(kind::NIL);
            self.touch(entry);
        }
        held.release();
        kind
    }

    /// None if the stripe was changed meanwhile.
    #[inline(always)]
    fn look<const STALE: bool>(
        &self,
        key: &[u8],
        now: u64,
        answer: &mut impl Answer,
    ) -> Option<u32> {
        let hash = self.hash(key);
        let look = Look::begin(self.stripe(self.layout.home(hash)));
        if look.is_changing() {
            return None;
        }
        match self.search(hash, key, CHAIN_MAX) {
            Found::Unsure => None,
            Found::Nothing => look.is_valid().then_some(kind::NIL),
            Found::Entry(entry, head) => {
                let found = (entry, head);
                let kind = self.copy_out::<STALE>(found, key.len(), now, answer, look)?;
                if !look.is_valid() {
                    return None;
                }
                self.touch(entry);
                Some(kind)
            }
        }
    }

    #[inline(always)]
    fn copy_out<const STALE: bool>(
        &self,
        (entry, head): (Ref, Head),
        key_len: usize,
        now: u64,
        answer: &mut impl Answer,
        look: Look,
    ) -> Option<u32> {
        let is_alive = self.is_alive(head, now);
        if !STALE && !is_alive {
            return Some(kind::NIL);
        }
        answer.set_flags(head.get(FLAGS));
        if STALE {
            answer.set_stale(!is_alive);
        }
        let (kind, pos) = (head.kind(), Dict::value_pos(key_len));
        if kind == kind::STRING {
            let len = head.get(VALUE_LEN) as usize;
            let out = answer.buffer();
            if DATA + pos + len <= head.size() && len <= out.len() {
                self.memory.read_start(at(entry, DATA + pos), len, out);
                answer.set_len(len);
            } else if !self.copy_other((entry, DATA), pos, len, answer, look) {
                return None;
            }
        } else if kind == kind::LONG {
            let (len, value) = (head.get(VALUE_LEN) as usize, head.get(NEXT));
            if let Some(out) = answer.buffer().get_mut(..len) {
                self.memory.read(at(value, MORE), out);
                answer.set_len(len);
            } else if !self.copy_other((value, MORE), 0, len, answer, look) {
                return None;
            }
            return Some(kind::STRING);
        } else if kind != kind::LIST {
            let bits = self.memory.load64(self.number_at((entry, head), key_len));
            answer.set_number(match kind {
                kind::NUMBER => f64::from_bits(bits),
                _ => (bits.to_ne_bytes()[0]).into(),
            });
        }
        Some(kind)
    }

    /// Copies out a string that is in several pieces or too long for the buffer.
    /// False if it is none any more.
    #[inline(never)]
    fn copy_other(
        &self,
        (block, header): (Ref, usize),
        pos: usize,
        len: usize,
        answer: &mut impl Answer,
        look: Look,
    ) -> bool {
        // No memory is asked for a length that never was.
        if !look.is_valid() || len > self.memory.len() {
            return false;
        }
        self.answer(answer, len, |out| self.read(block, header, pos, out))
    }

    /// Answers with a string that `read` reads, if it can.
    pub(super) fn answer(
        &self,
        answer: &mut impl Answer,
        len: usize,
        read: impl Fn(&mut [u8]) -> bool,
    ) -> bool {
        if let Some(out) = answer.buffer().get_mut(..len) {
            let done = read(out);
            answer.set_len(len);
            return done;
        }
        let mut long = vec![0; len];
        let done = read(&mut long);
        answer.set_long(long);
        done
    }

    /// The entry of a key, dead or alive, or 0; under the lock of its stripe.
    #[inline(always)]
    pub(super) fn find(&self, hash: u32, key: &[u8]) -> Ref {
        match self.search(hash, key, usize::MAX) {
            Found::Entry(entry, _) => entry,
            _ => 0,
        }
    }

    /// Milliseconds until a key expires; 0 if it never does.
    pub fn ttl(&self, key: &[u8], now: u64) -> Result<u64, Error> {
        let hash = self.hash(key);
        let held = Held::stripe(self, hash);
        let entry = self.find(hash, key);
        let ttl = if entry == 0 || !self.is_live(entry, now) {
            Err(Error::NotFound)
        } else {
            self.touch(entry);
            Ok(self.expires(entry).saturating_sub(now))
        };
        held.release();
        ttl
    }
}
