//! Blocks of any size, with a list of free blocks for each class of sizes (as
//! in TLSF: Masmano et al., "A new dynamic memory allocator for real-time
//! systems", 2004). Neighbours that are free are always one block, so taking
//! and giving back need a few steps whatever was before. All under the global
//! lock.
//!
//! As long as much is free, blocks are whole lines of the cache: what a worker writes
//! into an entry does not take the line of the next one, which the other workers
//! read, out of their caches.
//!
//! ```text
//! used  | size, used, prev used | next |  ... what it holds ...            |
//! free  | size,       prev used |      | prev free | next free | ... | size |
//! ```

use super::journal::Change;
use super::layout::{
    FL_MAP, FREE_LISTS, FREE_UNITS, LINE, Layout, NEXT, PLENTY, Ref, SIZE, SL_COUNT,
    SL_MAPS, UNIT, at,
};
use crate::nginx::memory::Memory;

const USED: u32 = 1;
const PREV_USED: u32 = 2;
const PREV_FREE: usize = 8;
const NEXT_FREE: usize = 12;
/// The smallest block.
pub(super) const MIN_BLOCK: u32 = 2;
/// When such a part of the heap is used, room is worth more than lines.
const DENSE_PART: u32 = 4;
/// How many blocks of a class are looked at for one that is large enough.
const TRIES: usize = 8;

/// Makes one free block of the whole heap. Nobody else knows the zone yet.
pub(super) fn format(memory: &Memory, layout: &Layout) {
    let all = layout.heap_end - layout.heap;
    memory.store32(at(layout.heap, SIZE), all << 2 | PREV_USED);
    memory.store32(at(layout.heap_end, SIZE), USED);
    memory.store32(PLENTY, all - all / DENSE_PART);
    let mut change = Change::new(memory);
    insert(&mut change, layout.heap, all);
    change.set(FREE_UNITS, all);
    change.commit();
}

/// Takes a block of `units`, or a little more (SPARE).
pub(super) fn take(change: &mut Change, units: u32) -> Option<Ref> {
    let is_plenty = change.get(FREE_UNITS) >= change.get(PLENTY);
    let units = if is_plenty { units.next_multiple_of(LINE) } else { units };
    let block = find(change, units)?;
    Some(cut(change, block, units))
}

/// Whether a block of `units` can be taken. Without the global lock this is but
/// likely.
pub(super) fn has(memory: &Memory, units: u32) -> bool {
    find(&Change::new(memory), units).is_some()
}

/// Takes the largest block, or as much of it as is wanted, if it has `least`.
pub(super) fn take_part(change: &mut Change, units: u32, least: u32) -> Option<Ref> {
    let fl = change.get(FL_MAP).checked_ilog2()? as usize;
    let sl = change.get(SL_MAPS + 4 * fl).checked_ilog2()? as usize;
    let block = change.get(list_at(fl, sl));
    let size = size_of(change, block);
    (size >= least).then(|| cut(change, block, units.min(size)))
}

/// Gives a block back.
pub(super) fn give(change: &mut Change, block: Ref) {
    let head = change.get(at(block, SIZE));
    let mut size = head >> 2;
    change.set(FREE_UNITS, change.get(FREE_UNITS) + size);
    let mut start = block;
    let after = block + size;
    let after_head = change.get(at(after, SIZE));
    if after_head & USED == 0 {
        remove(change, after, after_head >> 2);
        size += after_head >> 2;
    }
    if head & PREV_USED == 0 {
        let before = change.get(at(block, 0) - 4);
        start = block - before;
        remove(change, start, before);
        size += before;
    }
    change.set(at(start, SIZE), size << 2 | PREV_USED);
    let end = start + size;
    change.set(at(end, SIZE), change.get(at(end, SIZE)) & !PREV_USED);
    insert(change, start, size);
}

/// The units of a block.
pub(super) fn size_of(change: &Change, block: Ref) -> u32 {
    change.get(at(block, SIZE)) >> 2
}

fn find(change: &Change, units: u32) -> Option<Ref> {
    // Every block of this class is large enough.
    let (fl, sl) = class_above(units);
    if fl < super::layout::FL_COUNT {
        let map = change.get(SL_MAPS + 4 * fl) & (!0 << sl);
        if map != 0 {
            return Some(change.get(list_at(fl, map.trailing_zeros() as usize)));
        }
        let fls = change.get(FL_MAP) & (!0u32).checked_shl(fl as u32 + 1).unwrap_or(0);
        if fls != 0 {
            let fl = fls.trailing_zeros() as usize;
            let map = change.get(SL_MAPS + 4 * fl);
            return Some(change.get(list_at(fl, map.trailing_zeros() as usize)));
        }
    }
    // Some of its own class may be.
    let (fl, sl) = class(units);
    let mut block = change.get(list_at(fl, sl));
    for _ in 0..TRIES {
        if block == 0 {
            return None;
        }
        if size_of(change, block) >= units {
            return Some(block);
        }
        block = change.get(at(block, NEXT_FREE));
    }
    None
}

/// Makes a used block of the first `units` of a free one.
fn cut(change: &mut Change, block: Ref, units: u32) -> Ref {
    let size = size_of(change, block);
    remove(change, block, size);
    // The words that tell of a free block are brought back if the change is
    // undone; what is between them means nothing.
    let links = [PREV_FREE, NEXT_FREE].map(|field| at(block, field));
    links.into_iter().for_each(|link| change.set(link, 0));
    let mut taken = size;
    let after = block + size;
    if size - units >= MIN_BLOCK {
        taken = units;
        let rest = block + units;
        change.set(at(rest, SIZE), (size - units) << 2 | PREV_USED);
        insert(change, rest, size - units);
    } else {
        change.set(at(after, SIZE), change.get(at(after, SIZE)) | PREV_USED);
        // Its last word is overwritten unseen.
        change.set(at(after, 0) - 4, 0);
    }
    change.set(at(block, SIZE), taken << 2 | PREV_USED | USED);
    change.set(at(block, NEXT), 0);
    change.set(FREE_UNITS, change.get(FREE_UNITS) - taken);
    block
}

fn insert(change: &mut Change, block: Ref, size: u32) {
    let (fl, sl) = class(size);
    let list = list_at(fl, sl);
    let first = change.get(list);
    change.set(at(block, PREV_FREE), 0);
    change.set(at(block, NEXT_FREE), first);
    change.set(at(block + size, 0) - 4, size);
    if first != 0 {
        change.set(at(first, PREV_FREE), block);
    } else {
        change.set(SL_MAPS + 4 * fl, change.get(SL_MAPS + 4 * fl) | 1 << sl);
        change.set(FL_MAP, change.get(FL_MAP) | 1 << fl);
    }
    change.set(list, block);
}

fn remove(change: &mut Change, block: Ref, size: u32) {
    let (fl, sl) = class(size);
    let prev = change.get(at(block, PREV_FREE));
    let next = change.get(at(block, NEXT_FREE));
    if next != 0 {
        change.set(at(next, PREV_FREE), prev);
    }
    if prev != 0 {
        change.set(at(prev, NEXT_FREE), next);
        return;
    }
    change.set(list_at(fl, sl), next);
    if next == 0 {
        let map = change.get(SL_MAPS + 4 * fl) & !(1 << sl);
        change.set(SL_MAPS + 4 * fl, map);
        if map == 0 {
            change.set(FL_MAP, change.get(FL_MAP) & !(1 << fl));
        }
    }
}

fn list_at(fl: usize, sl: usize) -> usize {
    FREE_LISTS + 4 * (fl * SL_COUNT + sl)
}

/// The class that a block of this size is in.
pub(super) fn class(size: u32) -> (usize, usize) {
    if size < SL_COUNT as u32 {
        return (0, size as usize);
    }
    let log = size.ilog2();
    ((log - 2) as usize, (size >> (log - 3)) as usize & (SL_COUNT - 1))
}

/// The first class whose blocks all have this size.
fn class_above(size: u32) -> (usize, usize) {
    if size < 2 * SL_COUNT as u32 {
        return class(size);
    }
    class(size + (1 << (size.ilog2() - 3)) - 1)
}

/// Checks the heap from end to end; the blocks that are used, or what is wrong.
pub(super) fn check(memory: &Memory, layout: &Layout) -> Result<Vec<Ref>, String> {
    let mut used = Vec::new();
    let (mut free, mut free_units, mut prev_used) = (0usize, 0, true);
    let mut block = layout.heap;
    while block != layout.heap_end {
        let head = memory.load32(at(block, SIZE));
        let size = head >> 2;
        if size < MIN_BLOCK || size > layout.heap_end - block {
            return Err(format!("block {block} has {size} units"));
        }
        if (head & PREV_USED != 0) != prev_used {
            return Err(format!("block {block} is wrong about the one before"));
        }
        prev_used = head & USED != 0;
        if prev_used {
            used.push(block);
        } else {
            if memory.load32(at(block + size, 0) - 4) != size {
                return Err(format!("free block {block} ends in another size"));
            }
            if head & PREV_USED == 0 {
                return Err(format!("free block {block} is after a free one"));
            }
            free += 1;
            free_units += size;
        }
        block += size;
    }
    let end = memory.load32(at(block, SIZE));
    if end != USED | (u32::from(prev_used) * PREV_USED) {
        return Err("the end of the heap is wrong about the one before".into());
    }
    if memory.load32(FREE_UNITS) != free_units {
        let counted = memory.load32(FREE_UNITS);
        return Err(format!("{free_units} units are free, {counted} are counted"));
    }
    check_lists(memory, free)?;
    Ok(used)
}

fn check_lists(memory: &Memory, free: usize) -> Result<(), String> {
    let mut listed = 0;
    for fl in 0..super::layout::FL_COUNT {
        let map = memory.load32(SL_MAPS + 4 * fl);
        if (memory.load32(FL_MAP) & 1 << fl != 0) != (map != 0) {
            return Err(format!("the map of free classes is wrong about {fl}"));
        }
        for sl in 0..SL_COUNT {
            let (mut prev, mut block) = (0, memory.load32(list_at(fl, sl)));
            if (map & 1 << sl != 0) != (block != 0) {
                return Err(format!("the map of free class {fl} is wrong about {sl}"));
            }
            while block != 0 {
                let head = memory.load32(at(block, SIZE));
                if head & USED != 0 || class(head >> 2) != (fl, sl) {
                    return Err(format!("block {block} is in a wrong free list"));
                }
                if memory.load32(at(block, PREV_FREE)) != prev {
                    return Err(format!("free block {block} has a wrong link"));
                }
                listed += 1;
                if listed > free {
                    return Err("a free list does not end".into());
                }
                (prev, block) = (block, memory.load32(at(block, NEXT_FREE)));
            }
        }
    }
    if listed != free {
        return Err(format!("{free} blocks are free, {listed} are listed"));
    }
    Ok(())
}

/// The bytes that a block of `units` has for its contents after `header`.
pub(super) fn room(units: u32, header: usize) -> usize {
    units as usize * UNIT - header
}
