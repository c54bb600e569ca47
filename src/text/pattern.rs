//! The patterns of `receive`: where in the buffered bytes the answer ends.
//!
//! Called by the sockets of both sides with what they have buffered. A `Scanner`
//! lives for one receive call and is asked again after each read; it moves no
//! bytes and remembers how far it has looked, so that a line which comes in a
//! thousand pieces is searched once.
//!
//! What the caller keeps to:
//! - `buffered` begins at the same byte in every call, and grows at its end only;
//! - after `Done` or `Eof` the caller consumes `Found::consumed()` bytes and drops
//!   the scanner;
//! - if it gives up before (timeout, error), `partial` says what the script gets.
//!
//! What holds in return: where min and max are equal, and for lines and all, the
//! answer depends on the bytes alone and not on how reads cut them, also if it is too
//! long; `consumed()` never exceeds what is buffered; no byte is searched twice
//! for the end.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memmem};

/// What a receive call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// As soon as `min` bytes are there, up to `max` of them; `min <= max`.
    AtLeast { min: usize, max: usize },
    /// `*l`: a line, without its LF and without any CR in it. It has `max` bytes at
    /// most, its end among them, and so it is with the others.
    Line { max: usize },
    /// `*a`: everything until the peer closes.
    All { max: usize },
    /// Up to a delimiter: see `Scanner::until`.
    Until { max: usize },
}

/// What to look for, and how.
#[derive(Clone, Debug)]
struct Until {
    delimiter: Box<[u8]>,
    /// The delimiter is part of the result.
    inclusive: bool,
    /// No more than so many bytes at once.
    size: usize,
    /// The result ends at the delimiter.
    reached: bool,
}

/// Finds the end of one pattern in a growing buffer.
#[derive(Clone, Debug)]
pub struct Scanner {
    pattern: Pattern,
    /// Bytes looked at: none of them is an LF.
    scanned: usize,
    /// CRs among them.
    crs: usize,
    /// The result is left where it is.
    peeks: bool,
    until: Option<Box<Until>>,
}

/// The answer of `Scanner::scan`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// Read more and ask again.
    NeedMore,
    /// The pattern is complete, or too long to be.
    Done(Found),
    /// The peer closed before; what came until then is the partial result.
    Eof(Found),
}

/// A result at the start of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The first `take` bytes are the result, but for CRs.
    pub take: usize,
    /// As many bytes behind them are consumed with them: the end of the line.
    pub drop: usize,
    /// CRs inside the first `take` bytes, to be left out; 0 in a usual line.
    pub crs: usize,
    /// Nothing is consumed.
    pub stays: bool,
    /// It needs more than `max` bytes; the partial result is so many.
    pub too_long: bool,
}

impl Pattern {
    pub const LINE: Self = Self::Line { max: usize::MAX };
    pub const ALL: Self = Self::All { max: usize::MAX };

    /// The pattern of this name, `*l` or `*a`.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        match name {
            b"*l" => Some(Self::LINE),
            b"*a" => Some(Self::ALL),
            _ => None,
        }
    }

    /// Exactly `n` bytes.
    pub fn exact(n: usize) -> Self {
        Self::AtLeast { min: n, max: n }
    }
}

impl Scanner {
    pub fn new(pattern: Pattern) -> Self {
        Self { pattern, scanned: 0, crs: 0, peeks: false, until: None }
    }

    /// As new(), but leaves the result to the next call.
    pub fn peek(pattern: Pattern) -> Self {
        Self { peeks: true, ..Self::new(pattern) }
    }

    /// Everything up to a delimiter, `size` bytes at most. The delimiter is
    /// consumed with what is before it.
    pub fn until(delimiter: &[u8], inclusive: bool, size: usize) -> Self {
        let delimiter = delimiter.into();
        let until = Until { delimiter, inclusive, size, reached: false };
        let pattern = Pattern::Until { max: usize::MAX };
        Self { until: Some(Box::new(until)), ..Self::new(pattern) }
    }

    /// Takes no more bytes than this, where it is the peer who says how many come; 0
    /// is no limit.
    #[inline]
    pub fn limited(mut self, limit: impl FnOnce() -> usize) -> Self {
        let counted = || self.until.as_ref().is_some_and(|until| until.size < usize::MAX);
        match &mut self.pattern {
            Pattern::AtLeast { .. } => {}
            Pattern::Until { .. } if counted() => {}
            Pattern::Line { max } | Pattern::All { max } | Pattern::Until { max } => {
                *max = match limit() {
                    0 => usize::MAX,
                    limit => limit,
                };
            }
        }
        self
    }

    /// Whether the delimiter was found right behind the result; None where
    /// there is none to find.
    pub fn reached(&self) -> Option<bool> {
        self.until.as_ref().map(|until| until.reached)
    }

    /// Looks at the bytes that came since the last call; `eof` means that no
    /// more will come.
    ///
    /// ```
    /// # use ngx_tcp_lua_module::text::pattern::*;
    /// let mut scanner = Scanner::new(Pattern::LINE);
    /// assert_eq!(scanner.scan(b"GET /", false), Scan::NeedMore);
    /// let Scan::Done(found) = scanner.scan(b"GET / x\r\nHost", false) else { panic!() };
    /// assert_eq!(&*found.result(b"GET / x\r\nHost"), b"GET / x");
    /// assert_eq!(found.consumed(), 9);
    /// ```
    #[inline]
    pub fn scan(&mut self, buffered: &[u8], eof: bool) -> Scan {
        let done = match self.pattern {
            Pattern::AtLeast { min, max } => {
                (buffered.len() >= min).then(|| Found::all(buffered.len().min(max)))
            }
            Pattern::Line { max } => self.scan_line(buffered, max),
            Pattern::All { max } if buffered.len() > max => Some(Found::too_long(max)),
            Pattern::All { .. } => eof.then(|| Found::all(buffered.len())),
            Pattern::Until { max } => self.scan_until(buffered, max),
        };
        let done = done.map(|found| Found { stays: self.peeks, ..found });

        match done {
            Some(found) => Scan::Done(found),
            None if eof => Scan::Eof(self.partial(buffered)),
            None => Scan::NeedMore,
        }
    }

    /// What a call that ends without success returns as its third value.
    pub fn partial(&self, buffered: &[u8]) -> Found {
        match self.pattern {
            Pattern::Line { .. } => {
                let unseen = buffered.get(self.scanned..).unwrap_or_default();
                let crs = self.crs + memchr_iter(b'\r', unseen).count();
                Found::without_last_crs(buffered, crs)
            }
            Pattern::AtLeast { max, .. } => {
                let found = Found::all(buffered.len().min(max));
                Found { stays: self.peeks, ..found }
            }
            Pattern::All { .. } | Pattern::Until { .. } => Found::all(buffered.len()),
        }
    }

    /// Looks for nothing any more: neither for the end nor for a delimiter.
    #[cold]
    pub fn give_up(&mut self) {
        *self = Self::new(Pattern::exact(0));
    }

    /// After give_up().
    pub fn has_given_up(&self) -> bool {
        self.pattern == Pattern::exact(0)
    }

    /// Whether it waits for the end of the stream.
    pub fn is_all(&self) -> bool {
        matches!(self.pattern, Pattern::All { .. })
    }

    /// How many more bytes are needed at least: how long to wait for, and how
    /// far to grow the buffer.
    pub fn missing(&self, buffered: &[u8]) -> usize {
        match self.pattern {
            Pattern::AtLeast { min, .. } => min.saturating_sub(buffered.len()),
            Pattern::Line { .. } | Pattern::All { .. } | Pattern::Until { .. } => 1,
        }
    }

    #[inline(never)]
    fn scan_until(&mut self, buffered: &[u8], max: usize) -> Option<Found> {
        match self.look_for_delimiter(buffered) {
            Some(found) if found.consumed() > max => self.too_long_until(buffered, max),
            None if buffered.len() > max => self.too_long_until(buffered, max),
            found => found,
        }
    }

    /// Leaves what may be the begin of the delimiter: cut in two, it would not be found
    /// by who reads on for it.
    #[cold]
    fn too_long_until(&self, buffered: &[u8], max: usize) -> Option<Found> {
        let begun = begun(&buffered[..max], &self.until.as_ref()?.delimiter);
        // With a limit below the delimiter's length it would never go on.
        Some(Found::too_long(if begun == max { max } else { max - begun }))
    }

    fn look_for_delimiter(&mut self, buffered: &[u8]) -> Option<Found> {
        let until = self.until.as_mut()?;
        let delimiter = &until.delimiter;
        // It may have begun in what was looked at before.
        let from = self.scanned.saturating_sub(delimiter.len() - 1);
        let found = memmem::find(buffered.get(from..)?, delimiter).map(|at| from + at);
        self.scanned = buffered.len();
        let before = match found {
            Some(at) => at,
            None => buffered.len() - begun(buffered, delimiter),
        };
        if before >= until.size {
            // Also if the delimiter is right behind it: whether that has come
            // yet makes no difference. The next call looks for it anew.
            return Some(Found::all(until.size));
        }
        let at = found?;
        until.reached = true;
        Some(if until.inclusive {
            Found::all(at + delimiter.len())
        } else {
            Found { drop: delimiter.len(), ..Found::all(at) }
        })
    }

    #[inline(never)]
    fn scan_line(&mut self, buffered: &[u8], max: usize) -> Option<Found> {
        let unseen = buffered.get(self.scanned..)?;

        let (end, crs) = line_end(unseen);
        self.crs += crs;
        let Some(end) = end else {
            self.scanned = buffered.len();
            return (buffered.len() > max).then(|| too_long_line(buffered, max));
        };
        if self.scanned + end >= max {
            return Some(too_long_line(buffered, max));
        }

        let mut found =
            Found::without_last_crs(&buffered[..self.scanned + end], self.crs);
        found.drop += 1;
        Some(found)
    }
}

impl Found {
    #[cold]
    fn too_long(take: usize) -> Self {
        Self { too_long: true, ..Self::all(take) }
    }

    fn all(take: usize) -> Self {
        Self { take, drop: 0, crs: 0, stays: false, too_long: false }
    }

    /// `line`, which has `crs` CRs: those at its end need not be copied around.
    fn without_last_crs(line: &[u8], crs: usize) -> Self {
        if crs == 0 {
            return Self::all(line.len());
        }
        let last = line.iter().rev().take_while(|&&c| c == b'\r').count();
        Self { drop: last, crs: crs - last, ..Self::all(line.len() - last) }
    }

    /// The bytes to remove from the front of the buffer.
    #[inline]
    pub fn consumed(&self) -> usize {
        if self.stays { 0 } else { self.take + self.drop }
    }

    /// The bytes for the script; copied only if there are CRs to leave out.
    #[inline]
    pub fn result<'a>(&self, buffered: &'a [u8]) -> Cow<'a, [u8]> {
        let taken = &buffered[..self.take];
        if self.crs == 0 {
            return Cow::Borrowed(taken);
        }

        let mut out = Vec::with_capacity(taken.len() - self.crs);
        out.extend(taken.iter().filter(|&&c| c != b'\r'));
        Cow::Owned(out)
    }
}

/// The begin of a line, without its CRs.
#[cold]
fn too_long_line(buffered: &[u8], max: usize) -> Found {
    let line = &buffered[..max];
    let found = Found::without_last_crs(line, memchr_iter(b'\r', line).count());
    Found { too_long: true, ..found }
}

/// How many bytes at the end may be the begin of the delimiter.
fn begun(bytes: &[u8], delimiter: &[u8]) -> usize {
    let most = bytes.len().min(delimiter.len() - 1);
    (1..=most).rev().find(|&n| bytes.ends_with(&delimiter[..n])).unwrap_or(0)
}

/// Where the LF is, and how many CRs are before it (or in all, without LF).
fn line_end(bytes: &[u8]) -> (Option<usize>, usize) {
    // Setting memchr's vectors up costs more than to look at a few bytes.
    if let Some((first, last)) = two_words(bytes) {
        let (end, crs) = word_end(first);
        if end < 8 {
            return (Some(end), crs);
        }
        let (end, more) = word_end(last);
        return ((end < 8).then_some(8 + end), crs + more);
    }
    if bytes.len() < 8 {
        let mut crs = 0;
        for (i, &c) in bytes.iter().enumerate() {
            match c {
                b'\n' => return (Some(i), crs),
                b'\r' => crs += 1,
                _ => {}
            }
        }
        return (None, crs);
    }
    let end = memchr(b'\n', bytes);
    let line = &bytes[..end.unwrap_or(bytes.len())];
    // Most lines have none, or one at their end.
    let crs = memchr(b'\r', line).map_or(0, |_| memchr_iter(b'\r', line).count());
    (end, crs)
}

/// 8 to 16 bytes as two words: the first eight, and the others with zeros behind
/// them.
#[inline(always)]
fn two_words(bytes: &[u8]) -> Option<(u64, u64)> {
    if bytes.len() > 16 {
        return None;
    }
    let first = u64::from_le_bytes(*bytes.first_chunk()?);
    let last = u64::from_le_bytes(*bytes.last_chunk()?);
    // Without those of the first, which it begins with.
    let known = 8 * (16 - bytes.len() as u32);
    Some((first, last.checked_shr(known).unwrap_or(0)))
}

/// As line_end(), of eight bytes; 8 without LF.
#[inline(always)]
fn word_end(word: u64) -> (usize, usize) {
    let lfs = bytes_that_are(b'\n', word);
    let mut crs = bytes_that_are(b'\r', word);
    if crs != 0 {
        // Those below the LF.
        crs &= (lfs & lfs.wrapping_neg()).wrapping_sub(1);
    }
    let count = if crs == 0 { 0 } else { crs.count_ones() as usize };
    (lfs.trailing_zeros() as usize / 8, count)
}

/// The highest bit of each byte that is `c`.
#[inline(always)]
fn bytes_that_are(c: u8, word: u64) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let other = word ^ u64::from_ne_bytes([c; 8]);
    !(((other & LOW) + LOW) | other | LOW)
}

#[cfg(test)]
mod tests;
