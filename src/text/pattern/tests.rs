//! Every pattern over every cut of its input.

use super::*;

/// How a call ended, its result, and what stays in the buffer.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    eof: bool,
    result: String,
    rest: String,
}

fn done(result: &str, rest: &str) -> Outcome {
    Outcome { eof: false, result: result.into(), rest: rest.into() }
}

fn closed(result: &str) -> Outcome {
    Outcome { eof: true, result: result.into(), rest: String::new() }
}

/// Feeds `src` in reads that end at `cuts`, then the end of the stream. Bytes
/// after the read that completes the pattern count as rest.
fn run(pattern: Pattern, src: &[u8], cuts: &[usize]) -> Outcome {
    let mut scanner = Scanner::new(pattern);

    for &end in cuts.iter().chain([&src.len()]) {
        if let Scan::Done(found) = scanner.scan(&src[..end], false) {
            return outcome(false, found, src, end);
        }
    }

    match scanner.scan(src, true) {
        Scan::NeedMore => panic!("wants more after the end"),
        Scan::Done(found) => outcome(false, found, src, src.len()),
        Scan::Eof(found) => outcome(true, found, src, src.len()),
    }
}

fn outcome(eof: bool, found: Found, src: &[u8], end: usize) -> Outcome {
    assert!(found.consumed() <= end);
    Outcome {
        eof,
        result: String::from_utf8(found.result(&src[..end]).into_owned()).unwrap(),
        rest: String::from_utf8(src[found.consumed()..].to_vec()).unwrap(),
    }
}

/// Pattern, stream, outcome.
fn cases() -> Vec<(Pattern, &'static str, Outcome)> {
    const LINE: Pattern = Pattern::LINE;
    const ALL: Pattern = Pattern::ALL;

    vec![
        (LINE, "", closed("")),
        (LINE, "abc", closed("abc")),
        (LINE, "\n", done("", "")),
        (LINE, "abc\n", done("abc", "")),
        (LINE, "abc\r\n", done("abc", "")),
        (LINE, "abc\r\ndef\r\n", done("abc", "def\r\n")),
        (LINE, "abc\n\r\n", done("abc", "\r\n")),
        (LINE, "\r\n", done("", "")),
        (LINE, "\r\r\r\n", done("", "")),
        (LINE, "a\rb\nc", done("ab", "c")),
        (LINE, "\ra\r\rb\r\r\nc", done("ab", "c")),
        (LINE, "abc\r", closed("abc")),
        (LINE, "a\rb\r\r", closed("ab")),
        (LINE, "\r", closed("")),
        (ALL, "", done("", "")),
        (ALL, "a\r\nb", done("a\r\nb", "")),
        (Pattern::exact(0), "abc", done("", "abc")),
        (Pattern::exact(1), "", closed("")),
        (Pattern::exact(3), "ab", closed("ab")),
        (Pattern::exact(3), "abc", done("abc", "")),
        (Pattern::exact(3), "a\r\nd", done("a\r\n", "d")),
    ]
}

#[test]
fn every_split_into_two_and_three_reads() {
    for (pattern, src, want) in cases() {
        for first in 0..=src.len() {
            for second in first..=src.len() {
                let got = run(pattern, src.as_bytes(), &[first, second]);
                assert_eq!(got, want, "{pattern:?} {src:?} at {first} and {second}");
            }
        }
    }
}

#[test]
fn one_byte_at_a_time() {
    for (pattern, src, want) in cases() {
        let cuts: Vec<usize> = (0..src.len()).collect();
        assert_eq!(run(pattern, src.as_bytes(), &cuts), want, "{pattern:?} {src:?}");
    }
}

/// All strings of up to seven of these bytes, in every split into two reads,
/// against the plain definition of a line.
#[test]
fn lines_as_defined() {
    let alphabet = b"a\r\n";
    for len in 0..=7_u32 {
        for mut n in 0..3_usize.pow(len) {
            let mut src = Vec::new();
            for _ in 0..len {
                src.push(alphabet[n % 3]);
                n /= 3;
            }

            let text = String::from_utf8(src.clone()).unwrap();
            let want = match text.split_once('\n') {
                Some((line, rest)) => done(&line.replace('\r', ""), rest),
                None => closed(&text.replace('\r', "")),
            };
            for cut in 0..=src.len() {
                assert_eq!(run(Pattern::LINE, &src, &[cut]), want, "{text:?} at {cut}");
            }
        }
    }
}

/// The pieces of a stream that comes in two reads, as a reader with a size gives
/// them; `|` where one says that the delimiter is behind it.
fn pieces(src: &[u8], delimiter: &[u8], size: usize, cut: usize) -> String {
    let (mut begin, mut pieces) = (0, Vec::new());
    loop {
        let mut scanner = Scanner::until(delimiter, false, size);
        let mut scan = Scan::NeedMore;
        if begin <= cut {
            scan = scanner.scan(&src[begin..cut], false);
        }
        if scan == Scan::NeedMore {
            scan = scanner.scan(&src[begin..], true);
        }
        let (Scan::Done(found) | Scan::Eof(found)) = scan else {
            panic!("wants more after the end")
        };
        let result = found.result(&src[begin..]);
        let end = if scanner.reached() == Some(true) { "|" } else { "" };
        pieces.push(format!("{}{end}", String::from_utf8_lossy(&result)));
        begin += found.consumed();
        if let Scan::Eof(_) = scan {
            return pieces.join(" ");
        }
    }
}

#[test]
fn pieces_do_not_depend_on_how_the_bytes_came() {
    for (size, want) in [
        (1, "a b | - c d | e "),
        (2, "ab | -c d| e"),
        (3, "ab| -cd | e"),
        (4, "ab| -cd| e"),
    ] {
        let src = b"ab==-cd==e";
        for cut in 0..=src.len() {
            assert_eq!(pieces(src, b"==", size, cut), want, "{size} bytes, cut {cut}");
        }
    }
}

#[test]
fn at_least_takes_what_one_read_gave() {
    let pattern = Pattern::AtLeast { min: 3, max: 10 };
    let src = b"0123456789abc";

    for first in 0..=src.len() {
        let got = run(pattern, src, &[first]);
        let take = if first >= 3 { first.min(10) } else { 10 };
        let text = |s: &[u8]| String::from_utf8(s.to_vec()).unwrap();
        assert_eq!(got, done(&text(&src[..take]), &text(&src[take..])), "{first}");
    }
    assert_eq!(run(pattern, b"01", &[1]), closed("01"));
    assert_eq!(run(pattern, b"0123", &[1]), done("0123", ""));
}

#[test]
fn partial_before_the_end() {
    let mut scanner = Scanner::new(Pattern::LINE);
    assert_eq!(scanner.scan(b"a\rb", false), Scan::NeedMore);
    assert_eq!(&*scanner.partial(b"a\rb\rc\r").result(b"a\rb\rc\r"), b"abc");
    assert_eq!(scanner.partial(b"a\rb\rc\r").consumed(), 6);

    let scanner = Scanner::new(Pattern::exact(5));
    assert_eq!(scanner.partial(b"ab"), Found::all(2));
}

#[test]
fn usual_lines_are_not_copied() {
    for src in [b"abc\n".as_slice(), b"abc\r\n", b"abc\r\r\n"] {
        let Scan::Done(found) = Scanner::new(Pattern::LINE).scan(src, false) else {
            panic!("no line");
        };
        assert!(matches!(found.result(src), Cow::Borrowed(b"abc")));
    }
}

/// Short ones are searched by words.
#[test]
fn short_lines_as_byte_by_byte() {
    for len in 0..=24 {
        for a in 0..=len {
            for b in 0..=len {
                for c in 0..=len {
                    let mut src = vec![0x8a; len];
                    for (place, byte) in [(a, b'\r'), (b, b'\r'), (c, b'\n')] {
                        if let Some(found) = src.get_mut(place) {
                            *found = byte;
                        }
                    }
                    let end = src.iter().position(|&c| c == b'\n');
                    let line = &src[..end.unwrap_or(len)];
                    let crs = line.iter().filter(|&&c| c == b'\r').count();
                    assert_eq!(line_end(&src), (end, crs), "{src:?}");
                }
            }
        }
    }
}

/// The scanner goes on where it was and does not begin again.
#[test]
fn long_line_in_small_reads() {
    let mut src = vec![b'x'; 1 << 20];
    src.push(b'\n');
    let mut scanner = Scanner::new(Pattern::LINE);

    for end in 1..src.len() {
        assert_eq!(scanner.scan(&src[..end], false), Scan::NeedMore);
        assert_eq!(scanner.scanned, end);
    }
    let found = Found { drop: 1, ..Found::all(src.len() - 1) };
    assert_eq!(scanner.scan(&src, false), Scan::Done(found));
}

#[test]
fn missing_bytes() {
    let scanner = Scanner::new(Pattern::AtLeast { min: 3, max: 10 });
    assert_eq!(scanner.missing(b""), 3);
    assert_eq!(scanner.missing(b"ab"), 1);
    assert_eq!(scanner.missing(b"abcd"), 0);
    assert_eq!(Scanner::new(Pattern::LINE).missing(b"abc"), 1);
}

#[test]
fn names() {
    assert_eq!(Pattern::from_name(b"*l"), Some(Pattern::LINE));
    assert_eq!(Pattern::from_name(b"*a"), Some(Pattern::ALL));
    for name in [b"".as_slice(), b"*", b"l", b"*L", b"*ll", b"*n"] {
        assert_eq!(Pattern::from_name(name), None);
    }
}

/// How a call with a limit ends whose reads end at `cut` and at the end.
fn run_limited(scanner: &Scanner, limit: usize, src: &[u8], cut: usize) -> String {
    let mut scanner = scanner.clone().limited(|| limit);
    for (end, eof) in [(cut, false), (src.len(), false), (src.len(), true)] {
        let (name, found) = match scanner.scan(&src[..end], eof) {
            Scan::NeedMore => continue,
            Scan::Done(found) if found.too_long => ("too long", found),
            Scan::Done(found) => ("done", found),
            Scan::Eof(found) => ("eof", found),
        };
        let result = found.result(&src[..end]).into_owned();
        return format!(
            "{name} {} + {}",
            String::from_utf8(result).unwrap(),
            src.len() - found.consumed()
        );
    }
    panic!("wants more after the end")
}

#[test]
fn what_the_peer_ends_is_limited_however_it_comes() {
    let (line, all) = (Scanner::new(Pattern::LINE), Scanner::new(Pattern::ALL));
    let until = Scanner::until(b"--", false, usize::MAX);
    let inclusive = Scanner::until(b"--", true, usize::MAX);
    let cases: [(&Scanner, usize, &str, &str); 19] = [
        (&line, 4, "abc\nx", "done abc + 1"),
        (&line, 4, "abcd\nx", "too long abcd + 2"),
        (&line, 4, "a\r\r\r\n", "too long a + 1"),
        (&line, 4, "\ra\rb\nx", "too long ab + 2"),
        (&line, 4, "abcd", "eof abcd + 0"),
        (&line, 4, "abcde", "too long abcd + 1"),
        (&line, 1, "\n", "done  + 0"),
        (&line, 0, "abcdefgh\n", "done abcdefgh + 0"),
        (&all, 4, "abcd", "done abcd + 0"),
        (&all, 4, "abcde", "too long abcd + 1"),
        (&all, 0, "abcde", "done abcde + 0"),
        (&until, 4, "ab--x", "done ab + 1"),
        (&until, 4, "abc--x", "too long abc + 3"),
        (&until, 4, "abc-x--", "too long abc + 4"),
        (&until, 4, "abcd--", "too long abcd + 2"),
        (&until, 1, "--x", "too long - + 2"),
        (&inclusive, 4, "ab--x", "done ab-- + 1"),
        (&inclusive, 4, "abc--", "too long abc + 2"),
        (&until, 4, "abcd", "eof abcd + 0"),
    ];
    for (scanner, limit, src, want) in cases {
        for cut in 0..=src.len() {
            let got = run_limited(scanner, limit, src.as_bytes(), cut);
            assert_eq!(got, want, "{src:?} cut at {cut}");
        }
    }
}

#[test]
fn what_the_script_has_counted_is_not_limited() {
    let exact = Scanner::new(Pattern::exact(8));
    assert_eq!(run_limited(&exact, 4, b"abcdefgh", 3), "done abcdefgh + 0");
    let pieces = Scanner::until(b"--", false, 6);
    assert_eq!(run_limited(&pieces, 4, b"abcdefgh--", 3), "done abcdef + 4");
}
