use super::*;

/// A frame that owns what it consists of, or what is wrong.
#[derive(Debug, PartialEq)]
enum Event {
    Message([Vec<u8>; 3], Option<Vec<u8>>, Option<Vec<u8>>),
    Info(Vec<u8>),
    Ping,
    Pong,
    Ok,
    Error(Vec<u8>),
    Bad(&'static str),
}

fn event(frame: Frame<'_>) -> Event {
    match frame {
        Frame::Message(m) => Event::Message(
            [m.subject.to_vec(), m.sid.to_vec(), m.payload.to_vec()],
            m.reply.map(<[u8]>::to_vec),
            m.headers.map(<[u8]>::to_vec),
        ),
        Frame::Info(text) => Event::Info(text.to_vec()),
        Frame::Ping => Event::Ping,
        Frame::Pong => Event::Pong,
        Frame::Ok => Event::Ok,
        Frame::Error(text) => Event::Error(text.to_vec()),
    }
}

/// Names of which some messages are.
const EXPECTED: &[(&str, &str)] =
    &[("a", "1"), ("a.b", "1"), ("c", "22"), ("x", "1"), ("", "1"), ("a", "")];

/// What is found when the pieces come one after the other; and what is left.
fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Vec<u8>) {
    let (mut parser, mut buffer, mut events) = (Parser::default(), Vec::new(), vec![]);
    let mut missing = 0;
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let mut quick = parser;
            let expected = EXPECTED.iter().find_map(|(subject, sid)| {
                quick.parse_expected(&buffer, subject.as_bytes(), sid.as_bytes())
            });
            let parsed = parser.parse(&buffer);
            if let Some((message, n)) = expected {
                assert_eq!(parsed, Parsed::Frame(Frame::Message(message), n));
                assert!(!quick.is_in_message());
            }
            match parsed {
                Parsed::Frame(frame, n) => {
                    assert!(n <= buffer.len(), "a frame of bytes that have not come");
                    assert!(missing <= buffer.len(), "less was missing than was said");
                    missing = 0;
                    events.push(event(frame));
                    buffer.drain(..n);
                }
                Parsed::Missing(n) => {
                    assert!(n > 0);
                    assert!(buffer.len() + n >= missing, "more is missing than was");
                    missing = buffer.len() + n;
                    break;
                }
                Parsed::Bad(text) => {
                    events.push(Event::Bad(text));
                    return (events, buffer);
                }
            }
        }
    }
    (events, buffer)
}

fn events(bytes: &str) -> Vec<Event> {
    feed([bytes.as_bytes()]).0
}

fn message(words: [&str; 3], reply: Option<&str>, headers: Option<&str>) -> Event {
    let own = |text: &str| text.as_bytes().to_vec();
    Event::Message(words.map(own), reply.map(own), headers.map(own))
}

/// What a server may say, in its usual forms and its odd ones.
const STREAMS: &[&str] = &[
    "INFO {\"server_id\":\"x\"} \r\nPING\r\nPONG\r\n+OK\r\n-ERR 'Stale Connection'\r\n",
    "MSG a.b 1 5\r\nhello\r\nMSG a.b 1 re.ply 5\r\nhello\r\nMSG c 22 0\r\n\r\nPING\r\n",
    "HMSG a 1 12 17\r\nNATS/1.0\r\n\r\nhello\r\nHMSG a 1 r 12 12\r\nNATS/1.0\r\n\r\n\r\n",
    "msg a 1 2\nhi\r\nMsg\ta\t 1\t2 \r\nhi\r\nping\nhmsg a 1 0 1\r\nx\r\n",
    "MSG  a   1  14 \r\nMSG x 1 1\r\na\r\n\r\nPING \r\nPONG x\r\n",
    "MSG a 1 3\r\n\0\n\r\r\n-ERR Unknown\r\n-ERR\r\nINFO\r\n",
    "MSG a\rb 1\r2 1\r\nx\r\nMSG a\x01 1 1\r\nx\r\n",
    "MSG a 1 2\r\nhi\nPING\r\n",
    "MSG a 1 2\r\nhiPING\r\n",
    "MSG a 1 x\r\n",
    "MSG a 1 -1\r\n",
    "MSG a 1\r\n",
    "MSG a 1 b c 1\r\n",
    "MSG a 1 99999999999999999999999999\r\n",
    "MSG a 1 67108865\r\n",
    "MSG a 1 1 \r\nx\r\nHMSG a 1 3 2\r\n",
    "HMSG a 1 2\r\n",
    "MSG\r\n",
    "PING\r\n\r\nPING\r\n",
    "HTTP/1.1 400 Bad Request\r\n",
    "\n",
];

#[test]
fn what_a_server_sends() {
    assert_eq!(
        events(STREAMS[0]),
        [
            Event::Info(b"{\"server_id\":\"x\"}".to_vec()),
            Event::Ping,
            Event::Pong,
            Event::Ok,
            Event::Error(b"Stale Connection".to_vec()),
        ]
    );
    assert_eq!(
        events(STREAMS[1]),
        [
            message(["a.b", "1", "hello"], None, None),
            message(["a.b", "1", "hello"], Some("re.ply"), None),
            message(["c", "22", ""], None, None),
            Event::Ping,
        ]
    );
    let block = "NATS/1.0\r\n\r\n";
    assert_eq!(
        events(STREAMS[2]),
        [
            message(["a", "1", "hello"], None, Some(block)),
            message(["a", "1", ""], Some("r"), Some(block)),
        ]
    );
    assert_eq!(
        events(STREAMS[3]),
        [
            message(["a", "1", "hi"], None, None),
            message(["a", "1", "hi"], None, None),
            Event::Ping,
            message(["a", "1", "x"], None, Some("")),
        ]
    );
    assert_eq!(
        events(STREAMS[4]),
        [message(["a", "1", "MSG x 1 1\r\na\r\n"], None, None), Event::Ping, Event::Pong,]
    );
    assert_eq!(
        events(STREAMS[5]),
        [
            message(["a", "1", "\0\n\r"], None, None),
            Event::Error(b"Unknown".to_vec()),
            Event::Error(vec![]),
            Event::Info(vec![]),
        ]
    );
}

#[test]
fn what_is_not_nats() {
    for (stream, text) in [
        ("MSG a 1 2\r\nhi\nPING\r\n", NO_END),
        ("MSG a 1 2\r\nhiPING\r\n", NO_END),
        ("MSG a 1 x\r\n", BAD_MESSAGE),
        ("MSG a 1 +1\r\n", BAD_MESSAGE),
        ("MSG a 1\r\n", BAD_MESSAGE),
        ("MSG a 1 b c 1\r\n", BAD_MESSAGE),
        ("MSG a 1 b c d e f g 1\r\n", BAD_MESSAGE),
        ("MSG a 1 99999999999999999999999999\r\n", TOO_LARGE),
        ("MSG a 1 67108865\r\n", TOO_LARGE),
        ("HMSG a 1 3 2\r\n", BAD_MESSAGE),
        ("HMSG a 1 2\r\n", BAD_MESSAGE),
        ("\r\n", UNKNOWN),
        (" PING\r\n", UNKNOWN),
        ("PINGS\r\n", UNKNOWN),
        ("MSGS a 1 1\r\n", UNKNOWN),
    ] {
        assert_eq!(events(stream), [Event::Bad(text)], "{stream:?}");
    }
    // What is large but not too large is waited for.
    assert_eq!(events("MSG a 1 67108864\r\n"), []);
}

#[test]
fn lines_that_are_too_long() {
    for (begin, max) in [("PING ", MAX_LINE), ("MSG a 1 ", MAX_LINE), ("Info ", MAX_INFO)]
    {
        for end in ["", "\n"] {
            let line = format!("{begin}{}{end}", "1".repeat(max + 1 - begin.len()));
            let whole = feed([line.as_bytes()]).0;
            assert_eq!(whole, [Event::Bad(TOO_LONG)], "{begin}");
            let cut = feed(line.as_bytes().chunks(1000)).0;
            assert_eq!(cut, [Event::Bad(TOO_LONG)], "{begin} cut");
        }
    }
    let info = format!("INFO {}\r\nPING\r\n", "x".repeat(MAX_INFO - 6));
    assert_eq!(events(&info).len(), 2);
}

#[test]
fn every_split_gives_the_same() {
    for stream in STREAMS {
        let bytes = stream.as_bytes();
        let whole = feed([bytes]);
        let single = feed(bytes.chunks(1));
        assert_eq!(single.0, whole.0, "{stream:?} byte by byte");
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let parts = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                let cut = feed(parts).0;
                assert_eq!(cut, whole.0, "{stream:?} cut at {first} and {second}");
            }
        }
    }
}

/// A generator of pseudo-random numbers: xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }
}

/// Two streams, joined, with some bytes changed, dropped, doubled or put in.
fn mutated(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..2 {
        bytes.extend_from_slice(STREAMS[random.below(STREAMS.len())].as_bytes());
    }
    const ODD: &[u8] = b" \t\r\n0159.-'\0\xffMSGHPINO+{";
    for _ in 0..random.below(6) {
        let at = random.below(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
        let odd = ODD[random.below(ODD.len())];
        match random.below(5) {
            0 => bytes.insert(at, odd),
            1 => drop(bytes.splice(at..at, bytes[at..].to_vec())),
            2 => bytes.truncate(at),
            _ if bytes.is_empty() => {}
            3 => drop(bytes.remove(at)),
            _ => bytes[at] = odd,
        }
    }
    bytes
}

#[test]
fn what_is_wrong_does_no_harm_and_comes_to_the_same_in_pieces() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..1_000_000 {
        let bytes = mutated(&mut random);
        let whole = feed([bytes.as_slice()]).0;
        let mut pieces = Vec::new();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(1 + random.below(rest.len().min(9)));
            pieces.push(piece);
            rest = more;
        }
        assert_eq!(feed(pieces).0, whole, "{}", bytes.escape_ascii());
    }
}

#[test]
fn no_byte_is_looked_at_again_and_again() {
    // A megabyte, byte by byte, in a line and in a payload: were each looked at
    // anew, this would take hours.
    for begin in ["INFO ", "MSG a 1 1000000\r\n"] {
        let mut bytes = begin.as_bytes().to_vec();
        bytes.resize(begin.len() + 1_000_000, b'x');
        bytes.extend_from_slice(b"\r\n");
        let mut parser = Parser::default();
        let mut calls = 0;
        let mut n = begin.len();
        while let Parsed::Missing(missing) = parser.parse(&bytes[..n]) {
            n += if begin.starts_with("MSG") { missing.min(1) } else { 1 };
            calls += 1;
        }
        assert!(calls > 900_000);
        assert_eq!(n, bytes.len());
    }
}

#[test]
fn subjects() {
    for subject in [
        "a",
        "a.b",
        "foo.bar.baz",
        "a-b_c",
        "$JS.API.INFO",
        "_INBOX.x.*",
        "a.>",
        "ü.ö",
        "12345678",
        "1234567.9",
        "a.b.c.d.e.f.g.h.i.j",
        "a./.b/.c.0.1.2.3",
        "a\x01b",
        "abcdefgh\x7f.ijk",
        "abcdefgh\x01ijk",
    ] {
        assert!(is_subject(subject.as_bytes()), "{subject:?}");
    }
    for subject in [
        "",
        ".",
        "..",
        ".a",
        "a.",
        "a..b",
        "a b",
        "a\tb",
        "a\rb",
        "a\nb",
        "a\0b",
        " a",
        "a ",
        "1234567..9",
        "12345678..a",
        "123456..8",
        "123456789012 ",
        "\n12345678",
        "1234567\r89",
        "a.b.c.d.e.f..g.h",
        "1234567.",
        "12345678901234.",
    ] {
        assert!(!is_subject(subject.as_bytes()), "{subject:?}");
    }
    // Wherever it is wrong, and whatever is beside it.
    for len in 2..40 {
        for at in 0..len {
            let mut subject = vec![b'a'; len];
            subject[at] = b' ';
            assert!(!is_subject(&subject), "{len} {at}");
            if at + 1 < len {
                subject[at..at + 2].copy_from_slice(b"..");
                assert!(!is_subject(&subject), "{len} {at}");
                subject[at..at + 2].copy_from_slice(b"./");
                assert_eq!(is_subject(&subject), at > 0, "{len} {at}");
            }
        }
    }
}

#[test]
fn what_is_published() {
    let publish = |reply: Option<&str>, headers: Option<&str>, payload: &str| {
        let mut out = b"x".to_vec();
        let [reply, headers] = [reply, headers].map(|text| text.map(str::as_bytes));
        super::publish(&mut out, b"a.b", reply, headers, payload.as_bytes());
        String::from_utf8(out).unwrap()
    };
    assert_eq!(publish(None, None, ""), "xPUB a.b 0\r\n\r\n");
    assert_eq!(publish(Some("r"), None, "hello"), "xPUB a.b r 5\r\nhello\r\n");
    let block = "NATS/1.0\r\n\r\n";
    assert_eq!(
        publish(None, Some(block), "hello"),
        format!("xHPUB a.b 12 17\r\n{block}hello\r\n")
    );
    assert_eq!(
        publish(Some("r"), Some(block), ""),
        format!("xHPUB a.b r 12 12\r\n{block}\r\n")
    );
}

#[test]
fn a_server_that_leaves() {
    for (info, leaves) in [
        ("{\"ldm\":true}", true),
        ("{\"a\":1, \"ldm\" : true }", true),
        ("{\"ldm\":false}", false),
        ("{\"x\":\"\\\"ldm\",\"ldm\":true}", true),
        ("{\"ldm\"", false),
        ("", false),
    ] {
        assert_eq!(is_leaving(info.as_bytes()), leaves, "{info}");
    }
}
