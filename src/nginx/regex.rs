//! Regular expressions by the PCRE2 that nginx has loaded.
//!
//! `pcre2` is the table of its functions, found when first needed: nginx may be
//! built without, or with the PCRE before it. A match never calls back, so a
//! `Regex` is used from one place at a time.

mod pcre2;

use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::ptr;

pub use self::pcre2::ERROR_NOMEMORY;
use self::pcre2::{Code, Functions, MatchContext, MatchDataBlock};

/// What a script is told where there is no PCRE2.
const NO_PCRE2: &str = "no PCRE2 support";

/// What matching without the JIT may take, in KiB.
const HEAP_LIMIT_KIB: u32 = 128 * 1024;

/// What dfa_match() works in.
const WORKSPACE: usize = 4096;

/// How a pattern is compiled and matched; the letters are those of ngx.re.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    bits: u32,
    pub jit: bool,
    pub dfa: bool,
    pub once: bool,
    pub lists: bool,
}

impl Options {
    /// The options that a text of letters stands for, or the letter that is none.
    pub fn parse(letters: &[u8]) -> Result<Options, u8> {
        let mut options = Options::default();
        for &letter in letters {
            options.bits |= match letter {
                b'a' => pcre2::ANCHORED,
                b'i' => pcre2::CASELESS,
                b'm' => pcre2::MULTILINE,
                b's' => pcre2::DOTALL,
                b'u' => pcre2::UTF,
                b'U' => pcre2::UTF | pcre2::MATCH_INVALID_UTF,
                b'x' => pcre2::EXTENDED,
                // What PCRE's JAVASCRIPT_COMPAT has become.
                b'J' => {
                    pcre2::ALLOW_EMPTY_CLASS
                        | pcre2::ALT_BSUX
                        | pcre2::MATCH_UNSET_BACKREF
                }
                b'D' => {
                    options.lists = true;
                    pcre2::DUPNAMES
                }
                b'd' => {
                    options.dfa = true;
                    0
                }
                b'j' => {
                    options.jit = true;
                    0
                }
                b'o' => {
                    options.once = true;
                    0
                }
                other => return Err(other),
            };
        }
        Ok(options)
    }
}

/// Where a group has matched; None: it took no part.
pub type Span = Option<Range<usize>>;

/// A compiled pattern.
pub struct Regex {
    api: &'static Functions,
    code: *mut Code,
    limits: Limits,
    /// For the JIT, which leaves nothing in it that grows.
    data: Option<MatchData>,
    groups: usize,
    options: Options,
    utf: bool,
    invalid_utf: bool,
}

impl Regex {
    /// Compiles `pattern`; the error is what a script gets. `match_limit` is
    /// PCRE2's own if it is 0.
    pub fn new(
        pattern: &[u8],
        options: Options,
        match_limit: u32,
    ) -> Result<Regex, Vec<u8>> {
        let Some(api) = pcre2::functions() else { return Err(NO_PCRE2.into()) };
        let code = match compile(api, pattern, options.bits) {
            // This PCRE2 has no such option: what is not UTF-8 is an error.
            Err((pcre2::ERROR_BAD_OPTIONS, _)) => {
                compile(api, pattern, options.bits & !pcre2::MATCH_INVALID_UTF)
            }
            result => result,
        }
        .map_err(|(code, at)| compile_error(api, pattern, code, at))?;
        let mut regex = Regex {
            api,
            code,
            limits: Limits(api, ptr::null_mut()),
            data: None,
            groups: 1,
            options,
            utf: false,
            invalid_utf: false,
        };
        regex.limits =
            Limits::new(api, match_limit).ok_or_else(|| b"no memory".to_vec())?;
        regex.groups = regex.info(pcre2::INFO_CAPTURECOUNT) as usize + 1;
        let all = regex.info(pcre2::INFO_ALLOPTIONS);
        regex.utf = all & pcre2::UTF != 0;
        regex.invalid_utf = all & pcre2::MATCH_INVALID_UTF != 0;
        if options.jit && !options.dfa {
            // SAFETY: the code is live until drop().
            let done = unsafe { (api.jit_compile)(code, pcre2::JIT_COMPLETE) };
            if done == 0 {
                regex.data = MatchData::new(api, regex.groups);
            }
        }
        Ok(regex)
    }

    /// How many groups there are, the whole match being the first.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// The names of groups and their numbers, sorted by both.
    pub fn names(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let count = self.info(pcre2::INFO_NAMECOUNT) as usize;
        let size = self.info(pcre2::INFO_NAMEENTRYSIZE) as usize;
        let mut table: *const u8 = ptr::null();
        // SAFETY: the answer to this question is an address.
        unsafe {
            let place = (&raw mut table).cast::<c_void>();
            (self.api.pattern_info)(self.code, pcre2::INFO_NAMETABLE, place);
        }
        let table = match count {
            0 => &[][..],
            // SAFETY: the code, which lives as long as we are borrowed, has that
            // many entries of that size there.
            _ => unsafe { std::slice::from_raw_parts(table, count * size) },
        };
        table.chunks_exact(size.max(3)).map(|entry| {
            let name = entry[2..].split(|&b| b == 0).next().unwrap_or_default();
            (usize::from(u16::from_be_bytes([entry[0], entry[1]])), name)
        })
    }

    /// Looks for the pattern from byte `start` on. True: `spans` has all groups.
    /// The error is PCRE2's number. `checked`: this pattern has been matched
    /// against the same subject before.
    pub fn find(
        &self,
        subject: &[u8],
        start: usize,
        checked: bool,
        spans: &mut Vec<Span>,
    ) -> Result<bool, c_int> {
        spans.clear();
        if start > subject.len() {
            return Ok(false);
        }
        let mut flags = 0;
        // A match may end within a character (\C): PCRE2 sees that itself.
        if checked && self.utf && !self.invalid_utf && is_boundary(subject, start) {
            flags |= pcre2::NO_UTF_CHECK;
        }
        if let Some(data) = &self.data {
            match self.run(subject, start, flags, data, spans) {
                Err(pcre2::ERROR_JIT_STACKLIMIT) => flags |= pcre2::NO_JIT,
                result => return result,
            }
        }
        // Not kept: what it needs for a large subject is large.
        let groups = if self.options.dfa { 1 } else { self.groups };
        let Some(data) = MatchData::new(self.api, groups) else {
            return Err(pcre2::ERROR_NOMEMORY);
        };
        self.run(subject, start, flags, &data, spans)
    }

    /// Where to go on after a match: behind it, or, if it was empty, behind the
    /// character there. Past the end of the subject if that was its last.
    pub fn next_start(
        &self,
        subject: &[u8],
        start: usize,
        found: &Range<usize>,
    ) -> usize {
        // \K may begin a match behind its end, or before where we began.
        if found.end > found.start && found.end > start {
            return found.end;
        }
        let mut next = found.end.max(start) + 1;
        while self.utf && next < subject.len() && !is_boundary(subject, next) {
            next += 1;
        }
        next
    }

    fn run(
        &self,
        subject: &[u8],
        start: usize,
        flags: u32,
        data: &MatchData,
        spans: &mut Vec<Span>,
    ) -> Result<bool, c_int> {
        let (text, len) = (subject.as_ptr(), subject.len());
        let (code, limits) = (self.code.cast_const(), self.limits.1);
        // SAFETY: code, limits and data are live and ours alone while we are
        // borrowed; the subject is borrowed, `start` is within it; nothing calls
        // back.
        let count = unsafe {
            if self.options.dfa {
                let mut space = vec![0; WORKSPACE];
                (self.api.dfa_match)(
                    code,
                    text,
                    len,
                    start,
                    flags,
                    data.1,
                    limits,
                    space.as_mut_ptr(),
                    WORKSPACE,
                )
            } else {
                (self.api.r#match)(code, text, len, start, flags, data.1, limits)
            }
        };
        if count == pcre2::ERROR_NOMATCH {
            return Ok(false);
        }
        if count < 0 {
            return Err(count);
        }
        // With `d` all matches are counted, of which there is room for one.
        let set = if self.options.dfa { 1 } else { count as usize };
        // SAFETY: the vector has two numbers for each group that the data was
        // made for, and `set` is not more than these.
        let found = unsafe {
            let vector = (self.api.get_ovector_pointer)(data.1);
            std::slice::from_raw_parts(vector, 2 * set)
        };
        spans.extend(found.chunks_exact(2).map(|pair| match *pair {
            [from, to] if from != pcre2::UNSET && to != pcre2::UNSET => {
                Some(from.min(len)..to.min(len))
            }
            _ => None,
        }));
        spans.resize(self.groups, None);
        Ok(true)
    }

    fn info(&self, what: u32) -> u32 {
        let mut answer = 0u32;
        // SAFETY: the code is live, and the answers asked for are of this type.
        unsafe {
            let place = (&raw mut answer).cast::<c_void>();
            (self.api.pattern_info)(self.code, what, place);
        }
        answer
    }
}

impl Drop for Regex {
    fn drop(&mut self) {
        // SAFETY: ours alone, and not used again.
        unsafe { (self.api.code_free)(self.code) };
    }
}

/// Frees its data.
struct MatchData(&'static Functions, *mut MatchDataBlock);

impl MatchData {
    fn new(api: &'static Functions, groups: usize) -> Option<MatchData> {
        // SAFETY: null stands for malloc(); freed in drop().
        let data = unsafe { (api.match_data_create)(groups as u32, ptr::null_mut()) };
        (!data.is_null()).then_some(MatchData(api, data))
    }
}

impl Drop for MatchData {
    fn drop(&mut self) {
        // SAFETY: ours alone, and not used again.
        unsafe { (self.0.match_data_free)(self.1) };
    }
}

/// What a match may take; frees its context.
struct Limits(&'static Functions, *mut MatchContext);

impl Limits {
    fn new(api: &'static Functions, match_limit: u32) -> Option<Limits> {
        // SAFETY: null stands for malloc(); freed in drop().
        unsafe {
            let context = (api.match_context_create)(ptr::null_mut());
            if context.is_null() {
                return None;
            }
            (api.set_heap_limit)(context, HEAP_LIMIT_KIB);
            if match_limit > 0 {
                (api.set_match_limit)(context, match_limit);
            }
            Some(Limits(api, context))
        }
    }
}

impl Drop for Limits {
    fn drop(&mut self) {
        // SAFETY: ours alone, and not used again; null is allowed.
        unsafe { (self.0.match_context_free)(self.1) };
    }
}

/// The code, or the error's number and where in the pattern it is.
fn compile(
    api: &Functions,
    pattern: &[u8],
    options: u32,
) -> Result<*mut Code, (c_int, usize)> {
    let (mut error, mut at) = (0, 0);
    // An empty slice's address is none that C code may look at.
    let text = if pattern.is_empty() { c"".as_ptr().cast() } else { pattern.as_ptr() };
    // SAFETY: the pattern is borrowed; null stands for the default context.
    let code = unsafe {
        let context = ptr::null_mut();
        (api.compile)(text, pattern.len(), options, &mut error, &mut at, context)
    };
    if code.is_null() { Err((error, at)) } else { Ok(code) }
}

/// The text for a pattern that does not compile.
fn compile_error(api: &Functions, pattern: &[u8], code: c_int, at: usize) -> Vec<u8> {
    let mut text = [0u8; 256];
    // SAFETY: it writes no more than there is room for, with a NUL.
    unsafe { (api.get_error_message)(code, text.as_mut_ptr(), text.len()) };
    let text = text.split(|&b| b == 0).next().unwrap_or_default();
    let mut line =
        [b"pcre2_compile() failed: ", text, b" in \"", pattern, b"\""].concat();
    if let Some(rest) = pattern.get(at..).filter(|rest| !rest.is_empty()) {
        line.extend_from_slice(&[b" at \"", rest, b"\""].concat());
    }
    line
}

/// Whether a character of UTF-8 may begin at `at`.
fn is_boundary(subject: &[u8], at: usize) -> bool {
    subject.get(at).is_none_or(|byte| byte & 0xc0 != 0x80)
}
