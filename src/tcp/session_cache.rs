//! `ssl_session_cache shared:name:size`: the TLS sessions of clients, and the keys of
//! their tickets, in a zone that all workers share and that outlives a reload. Inside it
//! is a dictionary as scripts have them: it makes room itself, and survives the death of
//! a worker.

use std::cell::OnceCell;
use std::hash::{BuildHasher, Hasher, RandomState};

use crate::nginx::conf::block::Registered;
use crate::nginx::conf::{Conf, ConfError, ConfResult};
use crate::nginx::ssl::SessionStore;
use crate::nginx::time::current_msec;
use crate::nginx::zone::{self, Mapping, Owner};
use crate::shdict::{Answer, Dict, MIN_SIZE, Store, Value, When, kind};
use crate::tcp::directives::client_ssl::ClientSsl;

/// A cache of a configuration.
pub struct SessionCache {
    size: usize,
    /// There when nginx has made the zone. The dictionary goes first.
    dict: OnceCell<Dict>,
    mapping: OnceCell<Mapping>,
}

/// The cache for contexts of TLS.
pub struct Shared(pub &'static SessionCache);

impl SessionCache {
    /// The cache whose name is a part of the directive's argument `i`; servers may
    /// name the same.
    pub fn declare(
        cf: &mut Conf,
        i: usize,
        name: std::ops::Range<usize>,
        size: usize,
    ) -> Result<&'static SessionCache, ConfError> {
        let size = size.max(MIN_SIZE);
        let made: &'static SessionCache = cf.alloc(SessionCache {
            size,
            dict: OnceCell::new(),
            mapping: OnceCell::new(),
        })?;
        zone::declare_or_find(cf, (i, name), size, ClientSsl::RECORD, made)
    }

    /// The process has forked: from now on its locks are its own.
    pub fn adopt(&self) {
        if let Some(dict) = self.dict.get() {
            dict.adopt();
        }
    }

    fn store(&self, key: &[u8], value: &[u8], seconds: u64, when: When) -> bool {
        let Some(dict) = self.dict.get() else { return false };
        let how = Store { when, evict: true, ttl: seconds * 1000, flags: 0 };
        dict.store(key, Value::Str(value), how, current_msec() as u64).0.is_ok()
    }
}

impl Owner for SessionCache {
    fn ready(&'static self, mapping: Mapping, is_new: bool) -> ConfResult {
        let memory = mapping.memory();
        if is_new {
            Dict::forget(memory);
        }
        let random = || RandomState::new().build_hasher().finish();
        let secrets = [random(), random()];
        let dict = Dict::open(memory, self.size, current_msec() as u64, secrets);
        let _ = self.dict.set(dict);
        let _ = self.mapping.set(mapping);
        Ok(())
    }
}

impl SessionStore for Shared {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = Bytes(vec![0; 1024]);
        let found = self.0.dict.get()?.get(key, current_msec() as u64, &mut bytes);
        (found == kind::STRING).then_some(bytes.0)
    }

    fn put(&self, key: &[u8], value: &[u8], seconds: u64) {
        self.0.store(key, value, seconds, When::Always);
    }

    fn add(&self, key: &[u8], value: &[u8], seconds: u64) -> bool {
        // Another worker's counts as well.
        self.0.store(key, value, seconds, When::Absent) || self.get(key).is_some()
    }

    fn remove(&self, key: &[u8]) {
        if let Some(dict) = self.0.dict.get() {
            dict.delete(key, current_msec() as u64);
        }
    }
}

/// The string that was found.
struct Bytes(Vec<u8>);

impl Answer for Bytes {
    fn buffer(&mut self) -> &mut [u8] {
        &mut self.0
    }

    fn set_len(&mut self, len: usize) {
        self.0.truncate(len);
    }

    fn set_long(&mut self, bytes: Vec<u8>) {
        self.0 = bytes;
    }

    fn set_number(&mut self, _: f64) {}
    fn set_flags(&mut self, _: u32) {}
    fn set_stale(&mut self, _: bool) {}
}
