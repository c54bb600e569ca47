//! Replacement templates of `ngx.re.sub` and `ngx.re.gsub`: `$0`, `$1`, `${1}`
//! are what groups have matched, `$$` is a dollar.

/// A part of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    Text(&'a [u8]),
    Group(usize),
}

/// The template has a dollar that stands for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTemplate;

/// The parts of a template.
pub fn parse(template: &[u8]) -> Result<Vec<Part<'_>>, BadTemplate> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(at) = memchr::memchr(b'$', rest) {
        let (text, dollar) = rest.split_at(at);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        let (part, left) = variable(dollar).ok_or(BadTemplate)?;
        parts.push(part);
        rest = left;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

/// What a dollar and what follows it stand for, and what is behind.
fn variable(dollar: &[u8]) -> Option<(Part<'_>, &[u8])> {
    let name = &dollar[1..];
    match name.first()? {
        b'$' => Some((Part::Text(&name[..1]), &name[1..])),
        b'{' => {
            let (n, rest) = number(&name[1..])?;
            Some((Part::Group(n), rest.strip_prefix(b"}")?))
        }
        _ => {
            let (n, rest) = number(name)?;
            Some((Part::Group(n), rest))
        }
    }
}

/// A number, as large as it may be, and what is behind its digits.
fn number(text: &[u8]) -> Option<(usize, &[u8])> {
    let len = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(len);
    let add = |n: usize, digit: &u8| {
        n.saturating_mul(10).saturating_add(usize::from(digit - b'0'))
    };
    (len > 0).then(|| (digits.iter().fold(0, add), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates() {
        use Part::{Group, Text};
        let table: &[(&str, &[Part])] = &[
            ("", &[]),
            ("a", &[Text(b"a")]),
            ("$0", &[Group(0)]),
            ("a$1b", &[Text(b"a"), Group(1), Text(b"b")]),
            ("$12", &[Group(12)]),
            ("${1}2", &[Group(1), Text(b"2")]),
            ("$$1", &[Text(b"$"), Text(b"1")]),
            ("$1$$", &[Group(1), Text(b"$")]),
            ("$99999999999999999999999", &[Group(usize::MAX)]),
        ];
        for (template, parts) in table {
            assert_eq!(parse(template.as_bytes()).as_deref(), Ok(*parts), "{template}");
        }
    }

    #[test]
    fn dollars_that_stand_for_nothing() {
        for template in ["$", "a$", "$a", "${", "${}", "${1", "${a}", "$-1", "$ 1"] {
            assert_eq!(parse(template.as_bytes()), Err(BadTemplate), "{template}");
        }
    }
}
