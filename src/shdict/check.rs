//! Looks at every byte that means something, for tests: with all locks held.

use std::collections::HashSet;

use super::entry::{Head, MORE};
use super::hold::Hold;
use super::layout::{
    CHAIN, CHANGED, DATA, EXP_NEXT, EXP_PREV, GARBAGE, GROUP, IN_SLOT, JOURNAL, KEY_LEN,
    LEVELS, LRU_HEAD, LRU_NEXT, LRU_PREV, LRU_TAIL, NEXT, NODE_LEN, NODE_NEXT, NODE_PREV,
    NODE_TYPE, Ref, SAVING, SLOTS, STOCK_SLOTS, UNEVEN, VERSION, WHEEL, YOUNG_SLOTS, at,
    stock_at, units, young_at,
};
use super::young::slot_of;
use super::{Dict, heap, kind};

impl Dict {
    /// What is wrong with the dictionary, if something is.
    pub fn check(&self) -> Result<(), String> {
        let mut stripes: Vec<_> =
            (0..self.layout.stripes).map(|i| Hold::stripe_number(self, i)).collect();
        stripes[0].take_global();
        let result = self.check_held();
        // The global lock goes last.
        while stripes.len() > 1 {
            stripes.pop();
        }
        result
    }

    fn check_held(&self) -> Result<(), String> {
        let memory = &self.memory;
        let used = heap::check(memory, &self.layout)?;
        let mut blocks: HashSet<Ref> = used.into_iter().collect();
        let mut entries = HashSet::new();
        for stripe in 0..self.layout.stripes {
            self.check_stripe(stripe)?;
        }
        if memory.load32(JOURNAL) != 0 {
            return Err("the global journal is open".into());
        }
        for bucket in 0..self.layout.buckets {
            self.check_bucket(bucket, &mut entries, &mut blocks)?;
        }
        if self.count() as usize != entries.len() {
            return Err(format!("{} entries, {} counted", entries.len(), self.count()));
        }
        let young = self.check_young(&entries)?;
        for (block, size) in self.in_stock() {
            self.claim(block, &mut blocks)?;
            if size != units(memory, block) {
                return Err(format!("block {block} is not known to have {size} units"));
            }
        }
        let old = entries.difference(&young).copied().collect();
        self.check_lru(&old)?;
        self.check_wheel(&old)?;
        let mut garbage = memory.load32(GARBAGE);
        while garbage != 0 {
            self.claim(garbage, &mut blocks)?;
            if self.kind(garbage) == kind::LIST {
                self.check_list(garbage, &mut blocks, false)?;
            }
            garbage = memory.load32(at(garbage, CHAIN));
        }
        match blocks.len() {
            0 => Ok(()),
            n => Err(format!("{n} blocks are lost, as {:?}", blocks.iter().next())),
        }
    }

    fn check_stripe(&self, stripe: usize) -> Result<(), String> {
        let at = self.layout.stripe_at(stripe);
        let words = self.stripe(at);
        if !words.load64(VERSION).is_multiple_of(2) {
            return Err(format!("the version of stripe {stripe} is odd"));
        }
        if words.load64(SAVING) != 0 {
            return Err(format!("stripe {stripe} has saved something"));
        }
        if words.load32(CHANGED) != 0 {
            return Err(format!("the journal of stripe {stripe} is open"));
        }
        let slots = (0..YOUNG_SLOTS).map(|slot| young_at(at, slot));
        let stock = (0..STOCK_SLOTS).map(|slot| stock_at(at, slot));
        let is_even = slots.chain(stock).all(|place| self.memory.load32(place) == 0);
        let is_known = self.memory.load8(self.layout.uneven_at(stripe)) != 0
            && self.memory.load8(self.layout.group_at(stripe / GROUP)) != 0
            && self.memory.load32(UNEVEN) != 0;
        if !is_even && !is_known {
            return Err(format!("stripe {stripe} is not known to be uneven"));
        }
        Ok(())
    }

    /// The young entries.
    fn check_young(&self, entries: &HashSet<Ref>) -> Result<HashSet<Ref>, String> {
        let marked = |entry: &Ref| self.head(*entry).filter(Head::is_young);
        let is_young = |entry: &&Ref| marked(entry).is_some();
        let young: HashSet<Ref> = entries.iter().filter(is_young).copied().collect();
        let mut n = 0;
        for stripe in (0..self.layout.stripes).map(|i| self.layout.stripe_at(i)) {
            for slot in 0..YOUNG_SLOTS {
                let entry = self.memory.load32(young_at(stripe, slot));
                if entry == 0 {
                    continue;
                }
                n += 1;
                let is_home = self.layout.home(self.hash_of(entry)) == stripe;
                if !is_home || marked(&entry).map(slot_of) != Some(slot) {
                    return Err(format!("entry {entry} is in a wrong slot of the young"));
                }
            }
        }
        if n != young.len() {
            return Err(format!("{} entries are young, {n} in slots", young.len()));
        }
        Ok(young)
    }

    fn check_bucket(
        &self,
        bucket: usize,
        entries: &mut HashSet<Ref>,
        blocks: &mut HashSet<Ref>,
    ) -> Result<(), String> {
        let memory = &self.memory;
        let first = self.layout.buckets_at + 4 * bucket;
        let mut keys = HashSet::new();
        let mut entry = self.memory.load32(first);
        while entry != 0 {
            if !entries.insert(entry) {
                return Err(format!("entry {entry} is twice in buckets"));
            }
            self.claim(entry, blocks)?;
            let mut key = vec![0; self.key_len(entry)];
            if !self.read(entry, DATA, 0, &mut key) {
                return Err(format!("entry {entry} is shorter than its key"));
            }
            let hash = self.hash(&key);
            if hash != self.hash_of(entry) || self.layout.bucket_at(hash) != first {
                return Err(format!("entry {entry} is in a wrong bucket"));
            }
            if !keys.insert(key) {
                return Err(format!("the key of entry {entry} is there twice"));
            }
            let pos = Dict::value_pos(self.key_len(entry));
            let kind = self.kind(entry);
            let len = match kind {
                kind::LIST | kind::NUMBER => 8,
                kind::STRING | kind::LONG => self.value_len(entry),
                kind::BOOLEAN => 1,
                _ => return Err(format!("entry {entry} has a value of type {kind}")),
            };
            let next = memory.load32(at(entry, NEXT));
            let has_value = match kind {
                kind::LONG => {
                    next != 0
                        && memory.load32(at(next, NEXT)) == 0
                        && MORE + len <= heap::room(units(memory, next), 0)
                }
                _ => self.pieces(entry, DATA, pos, len, |_, _| true),
            };
            if !has_value {
                return Err(format!("entry {entry} is shorter than its value"));
            }
            if kind == kind::LIST {
                self.check_list(entry, blocks, true)?;
            }
            entry = self.memory.load32(at(entry, CHAIN));
        }
        Ok(())
    }

    fn check_list(
        &self,
        entry: Ref,
        blocks: &mut HashSet<Ref>,
        whole: bool,
    ) -> Result<(), String> {
        let memory = &self.memory;
        let place = self.place(entry, DATA, Dict::value_pos(self.key_len(entry)), 8);
        let (mut prev, mut node, mut n) = (0, memory.load32(place), 0);
        while node != 0 {
            self.claim(node, blocks)?;
            if whole && memory.load32(at(node, NODE_PREV)) != prev {
                return Err(format!("element {node} has a wrong link"));
            }
            let len = memory.load32(at(node, NODE_LEN)) as usize;
            let kind = memory.load32(at(node, NODE_TYPE));
            if whole && kind != kind::NUMBER << 16 && kind != kind::STRING << 16 {
                return Err(format!("element {node} has a value of type {kind}"));
            }
            let node_data = super::layout::NODE_DATA;
            if whole && !self.pieces(node, node_data, 0, len, |_, _| true) {
                return Err(format!("element {node} is shorter than its value"));
            }
            n += 1;
            (prev, node) = (node, memory.load32(at(node, NODE_NEXT)));
        }
        if whole && (memory.load32(place + 4) != prev || self.value_len(entry) != n) {
            return Err(format!("list {entry} is wrong about its end or length"));
        }
        Ok(())
    }

    /// Takes a block, and those it goes on in, from the used ones.
    fn claim(&self, first: Ref, blocks: &mut HashSet<Ref>) -> Result<(), String> {
        let mut block = first;
        while block != 0 {
            if !blocks.remove(&block) {
                return Err(format!("block {block} is not used, or twice"));
            }
            block = self.memory.load32(at(block, NEXT));
        }
        Ok(())
    }

    fn check_lru(&self, entries: &HashSet<Ref>) -> Result<(), String> {
        let (mut prev, mut entry, mut n) = (0, self.memory.load32(LRU_HEAD), 0);
        let mut flushed = false;
        while entry != 0 {
            if !entries.contains(&entry)
                || self.memory.load32(at(entry, LRU_PREV)) != prev
            {
                return Err(format!("entry {entry} has a wrong link of use"));
            }
            if flushed && !self.is_flushed(entry) {
                return Err(format!("entry {entry} is behind flushed ones"));
            }
            flushed = self.is_flushed(entry);
            n += 1;
            if n > entries.len() {
                return Err("the list of use does not end".into());
            }
            (prev, entry) = (entry, self.memory.load32(at(entry, LRU_NEXT)));
        }
        if n != entries.len() || self.memory.load32(LRU_TAIL) != prev {
            return Err(format!("{} entries, {n} in the list of use", entries.len()));
        }
        Ok(())
    }

    fn check_wheel(&self, entries: &HashSet<Ref>) -> Result<(), String> {
        let memory = &self.memory;
        let mut seen = HashSet::new();
        for slot in 0..LEVELS * SLOTS {
            let mut prev = IN_SLOT | slot as u32;
            let mut entry = memory.load32(WHEEL + 4 * slot);
            while entry != 0 {
                if !entries.contains(&entry) || memory.load32(at(entry, EXP_PREV)) != prev
                {
                    return Err(format!("entry {entry} has a wrong link of time"));
                }
                if !seen.insert(entry) {
                    return Err(format!("entry {entry} is twice in the wheel"));
                }
                (prev, entry) = (entry, memory.load32(at(entry, EXP_NEXT)));
            }
        }
        for &entry in entries {
            let linked = memory.load32(at(entry, EXP_PREV)) != 0;
            let expires = self.expires(entry);
            if linked != seen.contains(&entry) {
                return Err(format!("entry {entry} is wrong about the wheel"));
            }
            // 1: a list that somebody died over.
            if expires > 1 && !linked {
                let kind = memory.load32(at(entry, KEY_LEN)) >> 16;
                return Err(format!("entry {entry} of type {kind} is not in the wheel"));
            }
        }
        Ok(())
    }
}
