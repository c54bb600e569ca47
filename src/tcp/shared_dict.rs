//! `lua_shared_dict`: a dictionary as a configuration declares it, and its zone.

use std::cell::{Cell, OnceCell};
use std::hash::{BuildHasher, Hasher, RandomState};

use super::conf::MainConf;
use super::directives::lua::Lua;
use super::lifecycle;
use crate::nginx::conf::block::Registered;
use crate::nginx::conf::{Conf, ConfError, ConfResult, lossy};
use crate::nginx::time::current_msec;
use crate::nginx::zone::{self, Mapping, Owner};
use crate::shdict::{Dict, MAX_SIZE, MIN_SIZE};

/// The size that the original and OpenResty ask for.
const LEAST: usize = 8192;

/// A dictionary of a configuration.
pub struct SharedDict {
    name: Vec<u8>,
    /// The configuration, once it has been read.
    main: Cell<Option<&'static MainConf>>,
    /// There when nginx has made the zone. The dictionary goes first.
    dict: OnceCell<Dict>,
    mapping: OnceCell<Mapping>,
    size: usize,
}

impl SharedDict {
    /// Declares what the directive being read says.
    pub fn declare(cf: &mut Conf) -> Result<&'static SharedDict, ConfError> {
        let (name, size) = (cf.arg(1).to_vec(), cf.arg(2));
        let shown = lossy(&name);
        if name.is_empty() {
            let text = format!("invalid lua shared dict name \"{shown}\"");
            return Err(ConfError::text(text));
        }
        let parsed = zone::parse_size(size).filter(|n| (LEAST..=MAX_SIZE).contains(n));
        let Some(mut n) = parsed else {
            let text = format!("invalid lua shared dict size \"{}\"", lossy(size));
            return Err(ConfError::text(text));
        };
        if n < MIN_SIZE {
            cf.notice(&format!(
                "lua_shared_dict \"{shown}\" gets {MIN_SIZE} bytes instead of {n}"
            ));
            n = MIN_SIZE;
        }
        let declared: &'static SharedDict = cf.alloc(SharedDict {
            name,
            main: Cell::new(None),
            dict: OnceCell::new(),
            mapping: OnceCell::new(),
            size: n,
        })?;
        if !zone::declare(cf, 1, n, Lua::RECORD, declared)? {
            let text =
                format!("lua_shared_dict \"{shown}\" is already defined as \"{shown}\"");
            return Err(ConfError::text(text));
        }
        Ok(declared)
    }

    /// The name in `ngx.shared`.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The dictionary; not before nginx has made the zone.
    pub fn dict(&self) -> Option<&Dict> {
        self.dict.get()
    }

    /// All of the configuration has been read.
    pub(super) fn configured(&self, main: &'static MainConf) {
        self.main.set(Some(main));
    }
}

impl Owner for SharedDict {
    fn ready(&'static self, mapping: Mapping, is_new: bool) -> ConfResult {
        let memory = mapping.memory();
        if is_new {
            Dict::forget(memory);
        }
        // The standard library's hash maps have random keys, from the kernel.
        let random = || RandomState::new().build_hasher().finish();
        let secrets = [random(), random()];
        let dict = Dict::open(memory, self.size, current_msec() as u64, secrets);
        let first = self.dict.set(dict).is_ok() && self.mapping.set(mapping).is_ok();
        match self.main.get() {
            Some(main)
                if first && main.shared_dicts().iter().all(|d| d.dict().is_some()) =>
            {
                lifecycle::zones_ready(main)
            }
            _ => Ok(()),
        }
    }
}
