//! `ngx.re`: what `lua/regex.lua` makes its functions of. Offsets count from 0.

use std::ops::Range;
use std::rc::Rc;

use super::{flatten, regex_cache};
use crate::lua::captures::{Captures, with_found};
use crate::lua::value::build;
use crate::lua::{Call, Function, Outcome, Value, Values, function};
use crate::nginx::regex::{ERROR_NOMEMORY, Options, Regex, Span};
use crate::text::template::{self, Part};

pub const FUNCTIONS: &[Function] = &[
    function("re_compile", |call| compile(call).raised_above()),
    function("re_match", |call| find_all(call).raised_above()),
    function("re_find", |call| find_one(call).raised_above()),
    function("re_sub", |call| substitute(call).raised_above()),
];

/// No string of Lua's is larger.
const MAX_RESULT: usize = 0x7fff_ff00;

const BAD_TEMPLATE: &str = "failed to compile the replacement template";

/// A failure with nothing found: `nil, err`, or `nil, nil, err`.
#[derive(Clone, Copy)]
enum Form {
    Two,
    Three,
}

/// `re_compile(subject, pattern, options)`: true, or `nil, err`.
fn compile(call: &Call) -> Outcome {
    flatten((|| {
        regex(call, Form::Two)?;
        Ok(Outcome::one(Value::Boolean(true)))
    })())
}

/// `re_match(subject, pattern, options, start, checked, table)`: the table of what
/// was found, its first and last byte counted from 1, and the next start; nothing;
/// or `nil, err`. `checked`: not the first such call with this subject.
fn find_all(call: &Call) -> Outcome {
    flatten((|| {
        let (regex, options) = regex(call, Form::Two)?;
        let subject = call.bytes(1).unwrap_or_default();
        let start = start(call);
        let checked = call.boolean(5) == Some(true);
        with_found(|found| {
            let spans = &mut found.spans;
            let result = search(&regex, subject, start, checked, spans);
            let Some(whole) = result.map_err(|code| failed(Form::Two, code))? else {
                return Ok(Outcome::NONE);
            };
            found.next = regex.next_start(subject, start, &whole);
            found.set_names(regex.names(), options.lists);
            Ok(Outcome::Captures(Captures { subject: 1, into: 6 }))
        })
    })())
}

/// `re_find(subject, pattern, options, start, nth)`: the first and last byte of that
/// group, or nil twice; then nil or an error; then the last byte of the match.
fn find_one(call: &Call) -> Outcome {
    flatten((|| {
        let (regex, _) = regex(call, Form::Three)?;
        let subject = call.bytes(1).unwrap_or_default();
        let nth = call.number(5).unwrap_or(0.0).max(0.0) as usize;
        with_found(|found| {
            let spans = &mut found.spans;
            let result = search(&regex, subject, start(call), false, spans);
            let Some(whole) = result.map_err(|code| failed(Form::Three, code))? else {
                return Ok(Outcome::NONE);
            };
            let end = Value::Number(whole.end as f64);
            if nth >= regex.groups() {
                let err = Value::Str("nth out of bound");
                return Ok(values(&[Value::Nil, Value::Nil, err, end]));
            }
            let (from, to) = match spans.get(nth).cloned().flatten() {
                Some(span) => (
                    Value::Number(span.start as f64 + 1.0),
                    Value::Number(span.end as f64),
                ),
                None => (Value::Nil, Value::Nil),
            };
            Ok(values(&[from, to, Value::Nil, end]))
        })
    })())
}

/// `re_sub(subject, pattern, options, template, all)`: the text and how often the
/// pattern was found; nil and 0 if it was not; or `nil, nil, err`.
fn substitute(call: &Call) -> Outcome {
    flatten((|| {
        let (regex, _) = regex(call, Form::Three)?;
        let subject = call.bytes(1).unwrap_or_default();
        let all = call.boolean(5) == Some(true);
        let Ok(parts) = template::parse(call.bytes(4).unwrap_or_default()) else {
            return Err(failure(Form::Three, BAD_TEMPLATE.as_bytes()));
        };
        let mut count = Ok(0);
        let text = build(|out| {
            count = with_found(|found| {
                replace(&regex, subject, &parts, all, &mut found.spans, out)
            });
        });
        Ok(match count.map_err(|code| failed(Form::Three, code))? {
            0 => values(&[Value::Nil, Value::Number(0.0)]),
            n => values(&[text, Value::Number(n as f64)]),
        })
    })())
}

/// Writes the subject with what was found replaced; how often it was.
fn replace(
    regex: &Regex,
    subject: &[u8],
    parts: &[Part],
    all: bool,
    spans: &mut Vec<Span>,
    out: &mut Vec<u8>,
) -> Result<usize, i32> {
    let (mut start, mut copied, mut count) = (0, 0, 0usize);
    while let Some(whole) = search(regex, subject, start, count > 0, spans)? {
        count += 1;
        append(out, subject.get(copied..whole.start).unwrap_or_default())?;
        for part in parts {
            append(
                out,
                match *part {
                    Part::Text(text) => text,
                    Part::Group(n) => match spans.get(n) {
                        Some(Some(span)) => subject.get(span.clone()).unwrap_or_default(),
                        _ => &[],
                    },
                },
            )?;
        }
        copied = whole.end.max(copied);
        start = regex.next_start(subject, start, &whole);
        if !all {
            break;
        }
    }
    append(out, &subject[copied.min(subject.len())..])?;
    Ok(count)
}

/// Appends what a string of Lua's has room for: a short template and a large subject
/// may make more than there is memory.
fn append(out: &mut Vec<u8>, text: &[u8]) -> Result<(), i32> {
    let fits = out.len() + text.len() <= MAX_RESULT;
    if !fits || out.try_reserve(text.len()).is_err() {
        return Err(ERROR_NOMEMORY);
    }
    out.extend_from_slice(text);
    Ok(())
}

/// Where the pattern is found next; the error is PCRE2's number.
fn search(
    regex: &Regex,
    subject: &[u8],
    start: usize,
    checked: bool,
    spans: &mut Vec<Span>,
) -> Result<Option<Range<usize>>, i32> {
    let found = regex.find(subject, start, checked, spans)?;
    Ok(if found { spans.first().cloned().flatten() } else { None })
}

/// A search that PCRE2 has given up.
fn failed(form: Form, code: i32) -> Outcome {
    match code {
        ERROR_NOMEMORY => failure(form, b"no memory"),
        // The words that scripts know.
        code => failure(form, format!("pcre_exec() failed: {code}").as_bytes()),
    }
}

fn failure(form: Form, text: &[u8]) -> Outcome {
    let err = build(|out| out.extend_from_slice(text));
    match form {
        Form::Two => values(&[Value::Nil, err]),
        Form::Three => values(&[Value::Nil, Value::Nil, err]),
    }
}

/// The pattern that is argument 2, compiled with the options of argument 3.
fn regex(call: &Call, form: Form) -> Result<(Rc<Regex>, Options), Outcome> {
    let letters = call.bytes(3).unwrap_or_default();
    let options = Options::parse(letters).map_err(|letter| {
        let (letter, letters) = (char::from(letter), String::from_utf8_lossy(letters));
        Outcome::raise(format_args!("unknown flag \"{letter}\" (flags \"{letters}\")"))
    })?;
    let pattern = call.bytes(2).unwrap_or_default();
    match regex_cache::get(pattern, options) {
        Ok(regex) => Ok((regex, options)),
        Err(text) => Err(failure(form, &text)),
    }
}

/// Argument 4, an offset.
fn start(call: &Call) -> usize {
    call.number(4).unwrap_or(0.0) as usize
}

fn values(list: &[Value]) -> Outcome {
    Outcome::Return(Values::list(list))
}
