//! The compiled patterns of a worker.
//!
//! Those of calls with `o` stay, up to `lua_regex_cache_max_entries`. Of the
//! others the last few do: the iterations of one `gmatch` and `gsub` come here
//! again and again, and hold nothing that a script could forget to let go.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::nginx::local::Local;
use crate::nginx::log::{Level, Log};
use crate::nginx::regex::{Options, Regex};

/// How many patterns without `o` are kept.
const RECENT: usize = 16;

type Patterns = HashMap<Box<[u8]>, Rc<Regex>>;

struct Cache {
    /// Those with `o`, by options: there are but a few of these.
    once: Vec<(Options, Patterns)>,
    count: usize,
    max: usize,
    match_limit: u32,
    /// It has been logged that there are too many.
    warned: bool,
    recent: Vec<(Options, Box<[u8]>, Rc<Regex>)>,
    /// Which of these goes next.
    oldest: usize,
    /// How many VMs there are that use it.
    users: usize,
}

impl Cache {
    const fn new() -> Cache {
        Cache {
            once: Vec::new(),
            count: 0,
            max: 0,
            match_limit: 0,
            warned: false,
            recent: Vec::new(),
            oldest: 0,
            users: 0,
        }
    }

    fn get(&self, pattern: &[u8], options: Options) -> Option<Rc<Regex>> {
        if options.once
            && let Some((_, patterns)) = self.once.iter().find(|(o, _)| *o == options)
            && let Some(regex) = patterns.get(pattern)
        {
            return Some(regex.clone());
        }
        let mut recent = self.recent.iter();
        let found = recent.find(|(o, p, _)| *o == options && **p == *pattern);
        found.map(|(_, _, regex)| regex.clone())
    }

    fn add(&mut self, pattern: &[u8], options: Options, regex: Rc<Regex>) {
        if options.once && self.count < self.max {
            self.count += 1;
            let place = self.once.iter().position(|(o, _)| *o == options);
            let place = place.unwrap_or_else(|| {
                self.once.push((options, Patterns::new()));
                self.once.len() - 1
            });
            self.once[place].1.insert(pattern.into(), regex);
            return;
        }
        if options.once && !self.warned {
            self.warned = true;
            let max = self.max;
            let text = format_args!("lua exceeding regex cache max entries ({max})");
            Log::cycle().write(Level::Warn, 0, text);
        }
        let entry = (options, pattern.into(), regex);
        if self.recent.len() < RECENT {
            self.recent.push(entry);
        } else {
            self.recent[self.oldest] = entry;
            self.oldest = (self.oldest + 1) % RECENT;
        }
    }
}

static CACHE: Local<RefCell<Cache>> = Local::new(RefCell::new(Cache::new()));

/// The compiled pattern; the error is what a script gets.
pub fn get(pattern: &[u8], options: Options) -> Result<Rc<Regex>, Vec<u8>> {
    let mut cache = CACHE.borrow_mut();
    if let Some(regex) = cache.get(pattern, options) {
        return Ok(regex);
    }
    let regex = Rc::new(Regex::new(pattern, options, cache.match_limit)?);
    cache.add(pattern, options, regex.clone());
    Ok(regex)
}

/// A VM that uses the cache. The last one leaves it empty.
pub struct Use(());

impl Use {
    /// From now on the cache keeps to what a new configuration says.
    pub fn new(max: usize, match_limit: u32) -> Use {
        let mut cache = CACHE.borrow_mut();
        let users = cache.users + 1;
        *cache = Cache { max, match_limit, users, ..Cache::new() };
        Use(())
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        let mut cache = CACHE.borrow_mut();
        cache.users -= 1;
        if cache.users == 0 {
            *cache = Cache::new();
        }
    }
}
