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
        let Some(end) = memchr(b'\n', bytes.get(self.scanned..).unwrap_or_default())
        else {
            self.scanned = bytes.len();
            return match bytes.len() > max_line(bytes) {
                true => Parsed::Bad(TOO_LONG),
                false => Parsed::Missing(1),
            };
        };
        let end = self.scanned + end;
        let line = &bytes[..end];
        let parsed = match line.strip_suffix(b"\r").unwrap_or(line) {
            [b'M' | b'm', b'S' | b's', b'G' | b'g', b' ' | b'\t', arguments @ ..]
                if end <= MAX_LINE =>
            {
                message::<false>(arguments, bytes, end + 1)
            }
            line => other(line, bytes, end + 1),
        };
        match parsed {
            Parsed::Frame(..) => *self = Parser::default(),
            Parsed::Missing(n) => {
                self.scanned = end;
                self.length = bytes.len() + n;
            }
            Parsed::Bad(_) => {}
        }
        parsed
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

/// A line that is not MSG.
#[cold]
fn other<'a>(line: &'a [u8], bytes: &'a [u8], start: usize) -> Parsed<'a> {
    if start - 1 > max_line(line) {
        return Parsed::Bad(TOO_LONG);
    }
    let verb = line.iter().position(|&b| is_blank(b)).unwrap_or(line.len());
    let (verb, rest) = line.split_at(verb);
    let text = trim(rest);
    let is = |word: &[u8]| verb.eq_ignore_ascii_case(word);
    let frame = if is(b"HMSG") {
        return message::<true>(text, bytes, start);
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

/// A message whose line has these arguments, and whose payload begins at `start`:
/// `subject sid [reply] size`, with headers `subject sid [reply] size size`.
#[inline]
fn message<'a, const HEADERS: bool>(
    arguments: &'a [u8],
    bytes: &'a [u8],
    start: usize,
) -> Parsed<'a> {
    let mut words: [&[u8]; 5] = [b""; 5];
    let mut n = 0;
    let mut at = 0;
    while at < arguments.len() {
        let begin = at;
        while at < arguments.len() && !is_blank(arguments[at]) {
            at += 1;
        }
        if begin < at {
            let Some(word) = words.get_mut(n) else { return Parsed::Bad(BAD_MESSAGE) };
            *word = &arguments[begin..at];
            n += 1;
        }
        at += 1;
    }
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
    // As if there was a dot before it.
    let mut last = b'.';
    for &byte in subject {
        if byte <= b' ' && matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0)
            || byte == b'.' && last == b'.'
        {
            return false;
        }
        last = byte;
    }
    last != b'.'
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
