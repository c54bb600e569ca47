//! Sizes and times inside a parameter, `rcvbuf=8k` or `so_keepalive=30s::10`,
//! with the units of nginx's `ngx_parse_size` and `ngx_parse_time`. Whole
//! arguments are read by nginx's own setters.

/// Seconds in each unit; those of one time stand in this order.
const UNITS: [(u8, i64); 7] = [
    (b'y', 365 * 86_400),
    (b'M', 30 * 86_400),
    (b'w', 7 * 86_400),
    (b'd', 86_400),
    (b'h', 3_600),
    (b'm', 60),
    (b's', 1),
];

/// A number that is not negative.
pub fn integer(text: &[u8]) -> Option<i32> {
    i32::try_from(digits(text)?).ok()
}

/// A number of bytes: `4096`, `8k`, `1m`.
pub fn size(text: &[u8]) -> Option<i32> {
    let (number, scale) = match text.split_last()? {
        (b'k' | b'K', number) => (number, 1 << 10),
        (b'm' | b'M', number) => (number, 1 << 20),
        _ => (text, 1),
    };
    i32::try_from(digits(number)?.checked_mul(scale)?).ok()
}

/// A number of seconds: `30`, `30s`, `1h30m`.
pub fn seconds(text: &[u8]) -> Option<i32> {
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let len = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let number = digits(&rest[..len])?;
        let scale = match rest.get(len) {
            Some(b) => units.find(|(unit, _)| unit == b)?.1,
            None => 1,
        };
        total = total.checked_add(number.checked_mul(scale)?)?;
        rest = rest.get(len + 1..).unwrap_or_default();
    }
    if text.is_empty() { None } else { i32::try_from(total).ok() }
}

fn digits(text: &[u8]) -> Option<i64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for (text, expected) in [
            ("0", Some(0)),
            ("511", Some(511)),
            ("2147483647", Some(i32::MAX)),
            ("2147483648", None),
            ("99999999999999999999", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1x", None),
        ] {
            assert_eq!(integer(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("4096", Some(4096)),
            ("8k", Some(8192)),
            ("8K", Some(8192)),
            ("1m", Some(1 << 20)),
            ("2M", Some(2 << 20)),
            ("1g", None),
            ("k", None),
            ("", None),
            ("2048m", None),
            ("9223372036854775807k", None),
        ] {
            assert_eq!(size(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn times() {
        for (text, expected) in [
            ("30", Some(30)),
            ("30s", Some(30)),
            ("2m", Some(120)),
            ("1h30m", Some(5400)),
            ("1h30", Some(3630)),
            ("1d1s", Some(86_401)),
            ("30m1h", None),
            ("1s1s", None),
            ("1ms", None),
            ("30x", None),
            ("s", None),
            ("", None),
            ("100y", None),
        ] {
            assert_eq!(seconds(text.as_bytes()), expected, "{text}");
        }
    }
}
