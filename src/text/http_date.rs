//! `ngx.parse_tcp_time` (`ngx.parse_http_time`): an HTTP date as seconds.
//!
//! Called by `api`. Takes the forms that ngx_parse_http_time() takes (nginx,
//! src/core/ngx_parse_time.c); the calendar is that of `time`.

use super::time::{DateTime, MONTHS, days_in_month};

/// Seconds since 1970 of an HTTP date, or None.
///
/// Three forms: `Tue, 10 Nov 2002 23:50:13 GMT` (RFC 9110, RFC 822),
/// `Tuesday, 10-Dec-02 23:50:13 GMT` (RFC 850; years below 70 are 20xx) and
/// `Tue Dec 10 23:50:13 2002` (asctime, a day of one digit may follow two
/// spaces). As in nginx the day of the week and everything after the time is
/// not looked at, and there is no second 60. Unlike nginx, which looks at two
/// letters of the month at most, the month must be one of the twelve and the
/// day at least 1.
pub fn parse_http_time(src: &[u8]) -> Option<i64> {
    let end_of_week = src.iter().position(|&c| c == b',' || c == b' ')?;
    let asctime = src[end_of_week] == b' ';
    let rest = &src[end_of_week + 1..];
    let spaces = rest.iter().take_while(|&&c| c == b' ').count();
    let mut p = Cursor(&rest[spaces..]);

    let t = if asctime { p.asctime()? } else { p.day_first()? };

    let valid = t.hour <= 23
        && t.min <= 59
        && t.sec <= 59
        && (1..=days_in_month(t.year, t.month)).contains(&t.day);

    valid.then(|| t.to_secs())
}

/// What is left of a date; each method takes one piece of it from the front.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// "10 Nov 2002 23:50:13" or "10-Nov-02 23:50:13".
    fn day_first(&mut self) -> Option<DateTime> {
        let day = self.digits(2)?;
        let separator = *self.0.first()?;
        if separator != b' ' && separator != b'-' {
            return None;
        }

        self.byte(separator)?;
        let month = self.month()?;
        self.byte(separator)?;
        let year = if separator == b' ' {
            self.digits(4)?
        } else {
            let year = self.digits(2)?;
            year + if year < 70 { 2000 } else { 1900 }
        };
        self.byte(b' ')?;
        let (hour, min, sec) = self.clock()?;

        Some(DateTime { year, month, day, hour, min, sec })
    }

    /// "Dec 10 23:50:13 2002" or "Dec  1 23:50:13 2002".
    fn asctime(&mut self) -> Option<DateTime> {
        let month = self.month()?;
        self.byte(b' ')?;
        let _ = self.byte(b' ');
        let day =
            if self.0.get(1) == Some(&b' ') { self.digits(1)? } else { self.digits(2)? };
        self.byte(b' ')?;
        let (hour, min, sec) = self.clock()?;
        self.byte(b' ')?;
        let year = self.digits(4)?;

        Some(DateTime { year, month, day, hour, min, sec })
    }

    fn clock(&mut self) -> Option<(i64, i64, i64)> {
        let hour = self.digits(2)?;
        self.byte(b':')?;
        let min = self.digits(2)?;
        self.byte(b':')?;
        Some((hour, min, self.digits(2)?))
    }

    fn month(&mut self) -> Option<i64> {
        let (name, rest) = self.0.split_first_chunk::<3>()?;
        self.0 = rest;
        MONTHS.iter().position(|m| *m == name).map(|i| i as i64 + 1)
    }

    fn digits(&mut self, width: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(width)?;
        self.0 = rest;
        digits
            .iter()
            .try_fold(0, |n, c| c.is_ascii_digit().then(|| n * 10 + i64::from(c - b'0')))
    }

    fn byte(&mut self, c: u8) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        if *first != c {
            return None;
        }
        self.0 = rest;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::time::append_http_time;

    #[test]
    fn parse_table() {
        let cases = [
            ("Thu, 18 Nov 2010 11:27:35 GMT", Some(1_290_079_655)),
            ("Thursday, 18-Nov-10 11:27:35 GMT", Some(1_290_079_655)),
            ("Thu Nov 18 11:27:35 2010", Some(1_290_079_655)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("Sun Nov 06 08:49:37 1994", Some(784_111_777)),
            ("Sun Nov 6 08:49:37 1994", Some(784_111_777)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Wednesday, 31-Dec-69 00:00:00 GMT", Some(3_155_673_600)),
            ("Thursday, 01-Jan-70 00:00:00 GMT", Some(0)),
            // neither the weekday nor what follows the time is looked at
            ("x, 06 Nov 1994 08:49:37", Some(784_111_777)),
            (",06 Nov 1994 08:49:37", Some(784_111_777)),
            ("Sun,    06 Nov 1994 08:49:37 +0800", Some(784_111_777)),
            ("Tue, 29 Feb 2000 00:00:00 GMT", Some(951_782_400)),
            ("Wed, 31 Dec 1969 23:59:59 GMT", Some(-1)),
            ("Mon, 01 Jan 0001 00:00:00 GMT", Some(-62_135_596_800)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799)),
            ("", None),
            (",", None),
            ("Thu", None),
            ("Thu, ", None),
            ("06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 6 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06/Nov/1994 08:49:37 GMT", None),
            ("Sun, 06-Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nax 1994 08:49:37 GMT", None),
            ("Sun, 06 nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 94 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 8:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49", None),
            ("Sun, 06 Nov 1994 08-49-37 GMT", None),
            ("Sun, 06 Nov 1994 24:00:00 GMT", None),
            ("Sun, 06 Nov 1994 23:60:00 GMT", None),
            ("Thu, 01 Jan 1970 00:00:60 GMT", None),
            ("Fri, 30 Feb 2000 00:00:00 GMT", None),
            ("Mon, 29 Feb 1900 00:00:00 GMT", None),
            ("Thu, 31 Apr 2010 00:00:00 GMT", None),
            ("Thu, 00 Jan 1970 00:00:00 GMT", None),
            ("Sun Nov  6 08:49:37 94", None),
            ("Sun Nov   6 08:49:37 1994", None),
        ];
        for (src, want) in cases {
            assert_eq!(parse_http_time(src.as_bytes()), want, "{src:?}");
        }
    }

    /// Every cut of a valid date fails; only "GMT" may be missing.
    #[test]
    fn parse_cut_dates() {
        let cases = [
            "Thu, 18 Nov 2010 11:27:35",
            "Thu, 18-Nov-10 11:27:35",
            "Thu Nov 18 11:27:35 2010",
        ];
        for src in cases {
            assert!(parse_http_time(src.as_bytes()).is_some());
            for end in 0..src.len() {
                assert_eq!(
                    parse_http_time(&src.as_bytes()[..end]),
                    None,
                    "{}",
                    &src[..end]
                );
            }
        }
    }

    #[test]
    fn parse_undoes_print() {
        for secs in (0..253_402_300_799).step_by(86400 * 37 + 3671) {
            let mut date = Vec::new();
            append_http_time(secs, &mut date);
            assert_eq!(parse_http_time(&date), Some(secs), "{}", date.escape_ascii());
        }
    }
}
