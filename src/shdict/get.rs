//! Reading a value, as a rule without a lock: whoever changes something of a
//! stripe makes its version odd before and even afterwards, and a reader that
//! has seen an odd or two different ones begins again.

use std::sync::atomic::{Ordering, fence};

use super::hold::Hold;
use super::layout::{CHAIN, DATA, FLAGS, HASH, Ref, VERSION, at};
use super::{Dict, Error, kind};

/// How often a reader tries before it takes the lock. It may have to: a worker
/// that died while it changed something leaves an odd version behind.
const TRIES: usize = 16;

/// How many entries of a bucket a reader without a lock looks at; it may have
/// been led in a circle.
const CHAIN_MAX: usize = 64;

/// What was read. The buffer of the bytes stays from one to the next.
#[derive(Debug, Default)]
pub struct Reply {
    pub kind: u32,
    pub flags: u32,
    /// It has expired, or was flushed.
    pub stale: bool,
    pub number: f64,
    /// The first `len` bytes are the string.
    pub bytes: Vec<u8>,
    pub len: usize,
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
        let version_at =
            self.layout.stripe_at(self.layout.stripe_of(hash)) + VERSION;
        let version = self.memory.load32_acquire(version_at);
        let unchanged = || {
            fence(Ordering::Acquire);
            self.memory.load32(version_at) == version
        };
        if version % 2 == 0
            && let Seen::Whole = self.look(hash, key, stale, now, reply, unchanged)
        {
        } else {
            self.get_again(hash, key, stale, now, reply);
        }
        if reply.kind == kind::LIST { Err(Error::IsList) } else { Ok(()) }
    }

    #[cold]
    fn get_again(&self, hash: u32, key: &[u8], stale: bool, now: u64, reply: &mut Reply) {
        let version_at =
            self.layout.stripe_at(self.layout.stripe_of(hash)) + VERSION;
        for _ in 0..TRIES {
            let version = self.memory.load32_acquire(version_at);
            let unchanged = || {
                fence(Ordering::Acquire);
                self.memory.load32(version_at) == version
            };
            if version % 2 == 0
                && let Seen::Whole = self.look(hash, key, stale, now, reply, unchanged)
            {
                return;
            }
            std::hint::spin_loop();
        }
        let _hold = Hold::stripe(self, hash);
        let entry = self.find(hash, key);
        self.reply_with(entry, key.len(), stale, now, reply, || true);
    }

    #[inline(always)]
    fn look(
        &self,
        hash: u32,
        key: &[u8],
        stale: bool,
        now: u64,
        reply: &mut Reply,
        unchanged: impl Fn() -> bool,
    ) -> Seen {
        let mut entry = self.memory.load32(self.layout.bucket_at(hash));
        let mut steps = 0;
        while entry != 0 {
            if self.memory.load32(at(entry, HASH)) == hash && self.has_key(entry, key) {
                break;
            }
            entry = self.memory.load32(at(entry, CHAIN));
            steps += 1;
            if steps == CHAIN_MAX {
                return Seen::Changing;
            }
        }
        self.reply_with(entry, key.len(), stale, now, reply, unchanged)
    }

    #[inline(always)]
    fn reply_with(
        &self,
        entry: Ref,
        key_len: usize,
        stale: bool,
        now: u64,
        reply: &mut Reply,
        unchanged: impl Fn() -> bool,
    ) -> Seen {
        reply.kind = kind::NIL;
        if entry != 0 {
            reply.stale = !self.is_live(entry, now);
            if stale || !reply.stale {
                reply.kind = self.kind(entry);
                reply.flags = self.memory.load32(at(entry, FLAGS));
                let pos = Dict::value_pos(key_len);
                if reply.kind == kind::STRING {
                    reply.len = self.value_len(entry);
                    // Nothing is asked of a length that was never stored.
                    if reply.len > reply.bytes.len()
                        && !(unchanged() && reply.make_room(self.memory.len()))
                    {
                        return Seen::Changing;
                    }
                    let len = reply.len;
                    if !self.read(entry, DATA, pos, &mut reply.bytes[..len]) {
                        return Seen::Changing;
                    }
                } else if reply.kind != kind::LIST {
                    let bits = self.memory.load64(self.place(entry, DATA, pos, 8));
                    reply.number = match reply.kind {
                        kind::NUMBER => f64::from_bits(bits),
                        _ => (bits.to_ne_bytes()[0]).into(),
                    };
                }
            }
        }
        if !unchanged() {
            return Seen::Changing;
        }
        if entry != 0 {
            self.touch(entry);
        }
        Seen::Whole
    }

    /// The entry of a key, dead or alive, or 0; under the lock of its stripe.
    #[inline(always)]
    pub(super) fn find(&self, hash: u32, key: &[u8]) -> Ref {
        let mut entry = self.memory.load32(self.layout.bucket_at(hash));
        while entry != 0 {
            if self.memory.load32(at(entry, HASH)) == hash && self.has_key(entry, key) {
                break;
            }
            entry = self.memory.load32(at(entry, CHAIN));
        }
        entry
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

impl Reply {
    /// With nothing in it.
    pub const fn new() -> Reply {
        Reply {
            kind: kind::NIL,
            flags: 0,
            stale: false,
            number: 0.0,
            bytes: Vec::new(),
            len: 0,
        }
    }

    /// Makes the buffer long enough for `len`, if values can be so long.
    #[cold]
    pub(super) fn make_room(&mut self, max: usize) -> bool {
        if self.len > max {
            return false;
        }
        self.bytes.resize(self.len.next_power_of_two().max(4096), 0);
        true
    }
}

