//! Reading a value, as a rule without a lock: whoever changes something of a
//! stripe makes its version odd before and even afterwards, and a reader that
//! has seen an odd or two different ones begins again.

use std::sync::atomic::{Ordering, fence};

use super::entry::{Found, Head};
use super::hold::Hold;
use super::layout::{DATA, FLAGS, KEY_LEN, Ref, VALUE_LEN, VERSION};
use super::lock::Stripe;
use super::{Dict, Error, kind};

/// How often a reader tries before it takes the lock. It may have to: a worker
/// that died while it changed something leaves an odd version behind.
const TRIES: usize = 16;

/// How many entries of a bucket a reader without a lock looks at; it may have
/// been led in a circle.
const CHAIN_MAX: usize = 64;

/// What was read.
#[derive(Debug)]
pub struct Reply<'a> {
    pub kind: u32,
    pub flags: u32,
    /// It has expired, or was flushed.
    pub stale: bool,
    pub number: f64,
    /// The length of a string: in `short` if it is not longer, or in `long`.
    pub len: usize,
    pub short: &'a mut [u8],
    pub long: Vec<u8>,
}

enum Seen {
    Whole,
    Changing,
}

impl Dict {
    /// Reads the value of a key; nil if it is not there. The dead are read
    /// only if `stale`.
    #[inline(always)]
    pub fn get(
        &self,
        key: &[u8],
        stale: bool,
        now: u64,
        reply: &mut Reply,
    ) -> Result<(), Error> {
        let hash = self.hash(key);
        let stripe = self.stripe(self.layout.stripe_at(self.layout.stripe_of(hash)));
        if let Seen::Changing = self.look(stripe, hash, key, stale, now, reply) {
            self.get_again(stripe, hash, key, stale, now, reply);
        }
        if reply.kind == kind::LIST { Err(Error::IsList) } else { Ok(()) }
    }

    #[cold]
    fn get_again(
        &self,
        stripe: Stripe,
        hash: u32,
        key: &[u8],
        stale: bool,
        now: u64,
        reply: &mut Reply,
    ) {
        for _ in 0..TRIES {
            if let Seen::Whole = self.look(stripe, hash, key, stale, now, reply) {
                return;
            }
            std::hint::spin_loop();
        }
        let _hold = Hold::stripe(self, hash);
        reply.kind = kind::NIL;
        if let Found::Entry(entry, head) = self.search(hash, key, usize::MAX) {
            self.copy_out((entry, head), key.len(), stale, now, reply, || true);
            self.touch(entry);
        }
    }

    #[inline(always)]
    fn look(
        &self,
        stripe: Stripe,
        hash: u32,
        key: &[u8],
        stale: bool,
        now: u64,
        reply: &mut Reply,
    ) -> Seen {
        let version = stripe.load(VERSION);
        fence(Ordering::Acquire);
        if !version.is_multiple_of(2) {
            return Seen::Changing;
        }
        let unchanged = || {
            fence(Ordering::Acquire);
            stripe.load(VERSION) == version
        };
        let found = match self.search(hash, key, CHAIN_MAX) {
            Found::Unsure => return Seen::Changing,
            Found::Nothing => {
                reply.kind = kind::NIL;
                0
            }
            Found::Entry(entry, head) => {
                let found = (entry, head);
                match self.copy_out(found, key.len(), stale, now, reply, unchanged) {
                    Seen::Changing => return Seen::Changing,
                    Seen::Whole => entry,
                }
            }
        };
        if !unchanged() {
            return Seen::Changing;
        }
        if found != 0 {
            self.touch(found);
        }
        Seen::Whole
    }

    #[inline(always)]
    fn copy_out(
        &self,
        (entry, head): (Ref, Head),
        key_len: usize,
        stale: bool,
        now: u64,
        reply: &mut Reply,
        unchanged: impl Fn() -> bool,
    ) -> Seen {
        reply.stale = !self.is_alive(head, now);
        if reply.stale && !stale {
            reply.kind = kind::NIL;
            return Seen::Whole;
        }
        reply.kind = head.get(KEY_LEN) >> 16;
        reply.flags = head.get(FLAGS);
        let pos = Dict::value_pos(key_len);
        if reply.kind == kind::STRING {
            reply.len = head.get(VALUE_LEN) as usize;
            let out = if reply.len <= reply.short.len() {
                &mut reply.short[..reply.len]
            } else {
                // No memory is asked for a length that never was.
                if !unchanged() || reply.len > self.memory.len() {
                    return Seen::Changing;
                }
                reply.long = vec![0; reply.len];
                &mut reply.long
            };
            if !self.read(entry, DATA, pos, out) {
                return Seen::Changing;
            }
        } else if reply.kind != kind::LIST {
            let bits = self.memory.load64(self.place(entry, DATA, pos, 8));
            reply.number = match reply.kind {
                kind::NUMBER => f64::from_bits(bits),
                _ => (bits.to_ne_bytes()[0]).into(),
            };
        }
        Seen::Whole
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
        let _hold = Hold::stripe(self, hash);
        let entry = self.find(hash, key);
        if entry == 0 || !self.is_live(entry, now) {
            return Err(Error::NotFound);
        }
        self.touch(entry);
        Ok(self.expires(entry).saturating_sub(now))
    }
}

impl<'a> Reply<'a> {
    /// With nothing in it, and room for a short string.
    #[inline(always)]
    pub fn new(short: &'a mut [u8]) -> Reply<'a> {
        let long = Vec::new();
        Reply {
            kind: kind::NIL,
            flags: 0,
            stale: false,
            number: 0.0,
            len: 0,
            short,
            long,
        }
    }

    /// The string.
    pub fn bytes(&self) -> &[u8] {
        if self.len <= self.short.len() { &self.short[..self.len] } else { &self.long }
    }
}
