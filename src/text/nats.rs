//! NATS's protocol as a client sees it: frames out of what the server has sent,
//! and the head of what it publishes.
//!
//! Lines end in CRLF or LF, verbs are in any case, blanks are spaces and tabs.

use memchr::memchr;

/// No line but INFO is longer.
const MAX_LINE: usize = 64 * 1024;
/// INFO of a large cluster names all its servers.
const MAX_INFO: usize = 1024 * 1024;
/// No message is longer, headers included.
const MAX_PAYLOAD: usize = 64 * 1024 * 1024;

/// What the server has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// MSG, or HMSG.
    Message(Message<'a>),
    /// A JSON text.
    Info(&'a [u8]),
    Ping,
    Pong,
    Ok,
    /// The text of -ERR.
    Error(&'a [u8]),
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub subject: &'a [u8],
    pub sid: &'a [u8],
    pub reply: Option<&'a [u8]>,
    /// The header block as it came: status line, headers, empty line.
    pub headers: Option<&'a [u8]>,
    pub payload: &'a [u8],
}

/// What a look at bytes came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// A frame, which is so long.
    Frame(Frame<'a>, usize),
    /// At least so many bytes more have to come.
    Missing(usize),
    /// This is not NATS.
    Bad(&'static str),
}

/// How far the first frame of a stream was looked at: no byte is looked at again
/// and again while the rest of its frame is on its way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parser {
    /// No line ends before this.
    scanned: usize,
    /// The frame is so long, if that is known.
    length: usize,
}

impl Parser {
    /// Whether it is a message whose line has come, and whose payload has not.
    pub fn is_in_message(&self) -> bool {
        self.length > 0
    }

    /// Looks for a frame at the beginning of `bytes`, which are those of the last
    /// call and what has come since; after a frame, what is behind it.
    #[inline]
    pub fn parse<'a>(&mut self, bytes: &'a [u8]) -> Parsed<'a> {
        if bytes.len() < self.length {
            return Parsed::Missing(self.length - bytes.len());
        }
        let line = if self.scanned == 0 { whole_line(bytes) } else { None };
        let parsed = match line {
            Some((words, end)) => {
                self.scanned = end;
                words.message::<false>(bytes, end + 1)
            }
            None => self.parse_any(bytes),
        };
        match parsed {
            Parsed::Frame(..) => *self = Parser::default(),
            Parsed::Missing(n) if self.is_at_line_end(bytes) => {
                self.length = bytes.len() + n;
            }
            Parsed::Missing(_) | Parsed::Bad(_) => {}
        }
        parsed
    }

    /// As parse(), for a message without headers of this subject and subscription
    /// that is there as a whole: most messages are of those of the one before. None:
    /// see what parse() says.
    #[inline]
    pub fn parse_expected<'a>(
        &mut self,
        bytes: &'a [u8],
        subject: &'a [u8],
        sid: &'a [u8],
    ) -> Option<(Message<'a>, usize)> {
        if bytes.len() < self.length || subject.is_empty() || sid.is_empty() {
            return None;
        }
        let rest = bytes.strip_prefix(b"MSG ")?;
        let rest = rest.strip_prefix(subject)?.strip_prefix(b" ")?;
        let rest = rest.strip_prefix(sid)?.strip_prefix(b" ")?;
        let (reply, (total, rest)) = match last_size(rest) {
            Some(end) => (None, end),
            None => {
                let word = rest.iter().take(SHORT).position(|&b| b <= b' ')?;
                let (reply, rest) = rest.split_at(word);
                (Some(reply), last_size(rest.strip_prefix(b" ")?)?)
            }
        };
        let payload = rest.get(..total)?;
        let rest = rest[total..].strip_prefix(b"\r\n")?;
        if reply == Some(b"") || total > MAX_PAYLOAD {
            return None;
        }
        *self = Parser::default();
        let message = Message { subject, sid, reply, headers: None, payload };
        Some((message, bytes.len() - rest.len()))
    }

    /// Whether a line was found, which ends at `scanned`.
    fn is_at_line_end(&self, bytes: &[u8]) -> bool {
        self.scanned < bytes.len()
    }

    /// Whatever is not a whole line of MSG that begins here.
    #[cold]
    fn parse_any<'a>(&mut self, bytes: &'a [u8]) -> Parsed<'a> {
        let rest = bytes.get(self.scanned..).unwrap_or_default();
        let Some(end) = memchr(b'\n', rest) else {
            self.scanned = bytes.len();
            return match bytes.len() > max_line(bytes) {
                true => Parsed::Bad(TOO_LONG),
                false => Parsed::Missing(1),
            };
        };
        self.scanned += end;
        let line = &bytes[..self.scanned];
        match line.len() > max_line(line) {
            true => Parsed::Bad(TOO_LONG),
            false => parse_line(line, bytes),
        }
    }
}

const TOO_LONG: &str = "protocol error: line too long";
const UNKNOWN: &str = "protocol error: unknown operation";
const BAD_MESSAGE: &str = "protocol error: bad message";
const TOO_LARGE: &str = "protocol error: message too large";
const NO_END: &str = "protocol error: message without end";

#[inline]
fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn max_line(line: &[u8]) -> usize {
    match line.get(..4) {
        Some(word) if word.eq_ignore_ascii_case(b"INFO") => MAX_INFO,
        _ => MAX_LINE,
    }
}

/// What the frame is that begins with this line, without its LF.
fn parse_line<'a>(line: &'a [u8], bytes: &'a [u8]) -> Parsed<'a> {
    let start = line.len() + 1;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let verb = line.iter().position(|&b| is_blank(b)).unwrap_or(line.len());
    let (verb, rest) = line.split_at(verb);
    let is = |word: &[u8]| verb.eq_ignore_ascii_case(word);
    let text = trim(rest);
    let frame = if is(b"MSG") {
        return Words::of(text).message::<false>(bytes, start);
    } else if is(b"HMSG") {
        return Words::of(text).message::<true>(bytes, start);
    } else if is(b"PING") {
        Frame::Ping
    } else if is(b"PONG") {
        Frame::Pong
    } else if is(b"+OK") {
        Frame::Ok
    } else if is(b"INFO") {
        Frame::Info(text)
    } else if is(b"-ERR") {
        let inner = text.strip_prefix(b"'").and_then(|text| text.strip_suffix(b"'"));
        Frame::Error(inner.unwrap_or(text))
    } else {
        return Parsed::Bad(UNKNOWN);
    };
    Parsed::Frame(frame, start)
}

fn trim(text: &[u8]) -> &[u8] {
    let Some(start) = text.iter().position(|&b| !is_blank(b)) else { return b"" };
    let end = text.iter().rposition(|&b| !is_blank(b)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// The arguments of a message: `subject sid [reply] size`, with headers `subject sid
/// [reply] size size`.
struct Words<'a> {
    words: [&'a [u8]; 5],
    /// How many there are; 6 stands for more.
    n: usize,
}

/// So long is the usual line of a message at most.
const SHORT: usize = 256;

/// The words of a whole line of MSG, and where its LF is: what most frames begin
/// with, in one pass. None: it is something else, or not usual.
#[inline]
fn whole_line(bytes: &[u8]) -> Option<(Words<'_>, usize)> {
    let [b'M', b'S', b'G', b' ', ..] = bytes else { return None };
    let bytes = &bytes[..bytes.len().min(SHORT)];
    let mut words = Words { words: [b""; 5], n: 0 };
    let (mut begin, mut at) = (4, 4);
    while at < bytes.len() {
        let mut blanks = blanks_of(eight_at(bytes, at));
        while blanks != 0 {
            let here = at + (blanks.trailing_zeros() / 8) as usize;
            blanks &= blanks - 1;
            match bytes[here] {
                b' ' => {
                    words.push(&bytes[begin..here]);
                    begin = here + 1;
                }
                b'\n' => {
                    let last = &bytes[begin..here];
                    words.push(last.strip_suffix(b"\r").unwrap_or(last));
                    return Some((words, here));
                }
                b'\r' => {}
                _ => return None,
            }
        }
        at += 8;
    }
    None
}

const EACH: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = EACH << 7;

/// Eight bytes, the first one lowest; those behind the end are no blanks.
#[inline]
fn eight_at(bytes: &[u8], at: usize) -> u64 {
    let rest = &bytes[at..];
    u64::from_le_bytes(match rest.first_chunk() {
        Some(eight) => *eight,
        None => {
            let mut eight = [b'x'; 8];
            eight[..rest.len()].copy_from_slice(rest);
            eight
        }
    })
}

/// Which of eight bytes are blanks or control characters, by their highest bits.
#[inline]
fn blanks_of(eight: u64) -> u64 {
    !(((eight & !HIGH) + EACH * (0x80 - 0x21)) | eight) & HIGH
}

impl<'a> Words<'a> {
    fn of(text: &'a [u8]) -> Words<'a> {
        let mut words = Words { words: [b""; 5], n: 0 };
        text.split(|&b| is_blank(b)).for_each(|word| words.push(word));
        words
    }

    #[inline(always)]
    fn push(&mut self, word: &'a [u8]) {
        if word.is_empty() {
            return;
        }
        if let Some(place) = self.words.get_mut(self.n) {
            *place = word;
        }
        self.n = (self.n + 1).min(6);
    }

    /// The message with these arguments, whose payload begins at `start`.
    #[inline]
    fn message<const HEADERS: bool>(self, bytes: &'a [u8], start: usize) -> Parsed<'a> {
        let Words { words, n } = self;
        let sizes = if HEADERS { 2 } else { 1 };
        if n != 2 + sizes && n != 3 + sizes {
            return Parsed::Bad(BAD_MESSAGE);
        }
        let Some(total) = size(words[n - 1]) else { return Parsed::Bad(BAD_MESSAGE) };
        let block = match HEADERS {
            true => size(words[n - 2]).filter(|&block| block <= total),
            false => Some(0),
        };
        let Some(block) = block else { return Parsed::Bad(BAD_MESSAGE) };
        if total > MAX_PAYLOAD {
            return Parsed::Bad(TOO_LARGE);
        }
        let end = start + total;
        let Some(line_end) = bytes.get(end..end + 2) else {
            return Parsed::Missing(end + 2 - bytes.len());
        };
        if line_end != b"\r\n" {
            return Parsed::Bad(NO_END);
        }
        let message = Message {
            subject: words[0],
            sid: words[1],
            reply: (n == 3 + sizes).then_some(words[2]),
            headers: HEADERS.then(|| &bytes[start..start + block]),
            payload: &bytes[start + block..end],
        };
        Parsed::Frame(Frame::Message(message), end + 2)
    }
}

/// A size that is the end of a line, and what is behind that.
#[inline]
fn last_size(text: &[u8]) -> Option<(usize, &[u8])> {
    let mut size = 0;
    // One with more digits is too large.
    for (n, byte) in text.iter().enumerate().take(10) {
        let digit = byte.wrapping_sub(b'0');
        if digit >= 10 {
            return match n {
                0 => None,
                _ => text[n..].strip_prefix(b"\r\n").map(|rest| (size, rest)),
            };
        }
        size = size * 10 + usize::from(digit);
    }
    None
}

/// A number of digits alone; one that is absurd is but large.
#[inline]
fn size(word: &[u8]) -> Option<usize> {
    if word.is_empty() {
        return None;
    }
    word.iter().try_fold(0usize, |n, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| n.saturating_mul(10).saturating_add(usize::from(digit)))
    })
}

/// Whether INFO says that the server is about to leave.
pub fn is_leaving(info: &[u8]) -> bool {
    let key = b"\"ldm\"";
    memchr::memmem::find_iter(info, key).any(|at| {
        let value = info[at + key.len()..].trim_ascii_start();
        value
            .strip_prefix(b":")
            .is_some_and(|value| value.trim_ascii_start().starts_with(b"true"))
    })
}

/// Whether one can publish to it: words between dots, with no blank in them.
#[inline]
pub fn is_subject(subject: &[u8]) -> bool {
    match subject {
        [] | [b'.', ..] | [.., b'.'] => false,
        [one] => is_good((one, &b'.')),
        _ => looks_good(subject) || subject.iter().zip(&subject[1..]).all(is_good),
    }
}

/// Whether there is nothing in it that could be wrong, looking at eight bytes at
/// once; each two that follow each other are in one of those.
#[inline]
fn looks_good(subject: &[u8]) -> bool {
    let good = |at: usize| {
        let Some(eight) = subject.get(at..).and_then(|rest| rest.first_chunk()) else {
            return false;
        };
        let eight = u64::from_le_bytes(*eight);
        let control = eight.wrapping_sub(EACH * 33) & !eight & HIGH;
        let dot = eight ^ (EACH * u64::from(b'.'));
        let dots = dot.wrapping_sub(EACH) & !dot & HIGH;
        control == 0 && dots & (dots << 8) == 0
    };
    let Some(last) = subject.len().checked_sub(8) else { return false };
    (0..last).step_by(7).all(good) && good(last)
}

/// Whether a byte can be in a subject before the other one.
fn is_good((byte, next): (&u8, &u8)) -> bool {
    let blank = |byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0);
    !(blank(*byte) || blank(*next) || *byte == b'.' && *next == b'.')
}

/// Adds a message to publish.
#[inline]
pub fn publish(
    out: &mut Vec<u8>,
    subject: &[u8],
    reply: Option<&[u8]>,
    headers: Option<&[u8]>,
    payload: &[u8],
) {
    let block = headers.map_or(0, <[u8]>::len);
    // Two sizes of 20 digits, blanks and line ends.
    let most = subject.len() + reply.map_or(0, <[u8]>::len) + block + payload.len() + 64;
    out.reserve(most);
    out.extend_from_slice(if headers.is_some() { b"HPUB " } else { b"PUB " });
    out.extend_from_slice(subject);
    out.push(b' ');
    if let Some(reply) = reply {
        out.extend_from_slice(reply);
        out.push(b' ');
    }
    let mut digits = itoa::Buffer::new();
    if let Some(headers) = headers {
        out.extend_from_slice(digits.format(block).as_bytes());
        out.push(b' ');
        out.extend_from_slice(digits.format(block + payload.len()).as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(headers);
    } else {
        out.extend_from_slice(digits.format(payload.len()).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
