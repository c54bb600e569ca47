//! Dates as text: `ngx.tcp_time` (`ngx.http_time`), `ngx.utctime`,
//! `ngx.localtime`, `ngx.today`, and the calendar below them and `http_date`.
//!
//! Called by `api` with seconds since 1970 from nginx's cached clock; for local
//! time the caller adds the zone's offset first. The calendar is two functions
//! of H. Hinnant's "chrono-compatible low-level date algorithms", which is less
//! than a crate would bring. As in nginx (ngx_gmtime() in src/core/ngx_times.c)
//! times before 1970 print as its first second, and those past 9999 as its last.

const SECONDS_A_DAY: i64 = 86400;

/// 9999-12-31 23:59:59.
const LAST_SECOND: i64 = 253_402_300_799;

const WEEK: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

pub(super) const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct",
    b"Nov", b"Dec",
];

/// A moment of the Gregorian calendar, without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DateTime {
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub min: i64,
    pub sec: i64,
}

/// Appends "Thu, 18 Nov 2010 11:27:35 GMT", the IMF-fixdate of RFC 9110 5.6.7.
pub fn append_http_time(secs: i64, out: &mut Vec<u8>) {
    let secs = secs.clamp(0, LAST_SECOND);
    let t = DateTime::from_secs(secs);
    // 1970-01-01 was a Thursday
    let weekday = (secs / SECONDS_A_DAY + 4) % 7;

    out.extend_from_slice(WEEK[weekday as usize].as_bytes());
    out.extend_from_slice(b", ");
    append_digits(t.day, 2, out);
    out.push(b' ');
    out.extend_from_slice(MONTHS[t.month as usize - 1]);
    out.push(b' ');
    append_digits(t.year, 4, out);
    out.push(b' ');
    append_clock(&t, out);
    out.extend_from_slice(b" GMT");
}

/// Appends "Thu, 18-Nov-10 11:27:35 GMT", the date of cookies as browsers have
/// always taken it; after 2037 with four digits of the year, as nginx does.
pub fn append_cookie_time(secs: i64, out: &mut Vec<u8>) {
    let secs = secs.clamp(0, LAST_SECOND);
    let t = DateTime::from_secs(secs);
    let weekday = (secs / SECONDS_A_DAY + 4) % 7;

    out.extend_from_slice(&WEEK[weekday as usize].as_bytes()[..3]);
    out.extend_from_slice(b", ");
    append_digits(t.day, 2, out);
    out.push(b'-');
    out.extend_from_slice(MONTHS[t.month as usize - 1]);
    out.push(b'-');
    if t.year > 2037 {
        append_digits(t.year, 4, out);
    } else {
        append_digits(t.year % 100, 2, out);
    }
    out.push(b' ');
    append_clock(&t, out);
    out.extend_from_slice(b" GMT");
}

/// Appends "YYYY-MM-DD hh:mm:ss".
pub fn append_datetime(secs: i64, out: &mut Vec<u8>) {
    let t = DateTime::from_secs(secs.clamp(0, LAST_SECOND));
    append_day(&t, out);
    out.push(b' ');
    append_clock(&t, out);
}

/// Appends "YYYY-MM-DD".
pub fn append_date(secs: i64, out: &mut Vec<u8>) {
    append_day(&DateTime::from_secs(secs.clamp(0, LAST_SECOND)), out);
}

impl DateTime {
    /// For `secs` from 0 on.
    fn from_secs(secs: i64) -> Self {
        let (days, clock) = (secs / SECONDS_A_DAY, secs % SECONDS_A_DAY);

        // years begin in March, so that the leap day is the last of its year
        let days = days + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524
            - day_of_era / 146_096)
            / 365;
        let day_of_year =
            day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;

        Self {
            year: era * 400 + year_of_era + i64::from(month >= 10),
            month: if month < 10 { month + 3 } else { month - 9 },
            day: day_of_year - (153 * month + 2) / 5 + 1,
            hour: clock / 3600,
            min: clock / 60 % 60,
            sec: clock % 60,
        }
    }

    pub fn to_secs(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let month = (self.month + 9) % 12;
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * month + 2) / 5 + self.day - 1;
        let day_of_era =
            365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;

        days * SECONDS_A_DAY + self.hour * 3600 + self.min * 60 + self.sec
    }
}

pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn append_day(t: &DateTime, out: &mut Vec<u8>) {
    append_digits(t.year, 4, out);
    out.push(b'-');
    append_digits(t.month, 2, out);
    out.push(b'-');
    append_digits(t.day, 2, out);
}

fn append_clock(t: &DateTime, out: &mut Vec<u8>) {
    append_digits(t.hour, 2, out);
    out.push(b':');
    append_digits(t.min, 2, out);
    out.push(b':');
    append_digits(t.sec, 2, out);
}

fn append_digits(n: i64, width: u32, out: &mut Vec<u8>) {
    out.extend((0..width).rev().map(|i| b'0' + (n / 10_i64.pow(i) % 10) as u8));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(append: fn(i64, &mut Vec<u8>), secs: i64) -> String {
        let mut out = Vec::new();
        append(secs, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn print_table() {
        let cases = [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01 00:00:00"),
            (-1, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01 00:00:00"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06 08:49:37"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT", "2000-02-28 23:59:59"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-29 00:00:00"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT", "2000-03-01 00:00:00"),
            (1_290_079_655, "Thu, 18 Nov 2010 11:27:35 GMT", "2010-11-18 11:27:35"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT", "2100-02-28 23:59:59"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT", "2100-03-01 00:00:00"),
            (LAST_SECOND, "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31 23:59:59"),
            (LAST_SECOND + 1, "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31 23:59:59"),
            (i64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31 23:59:59"),
        ];
        for (secs, http, datetime) in cases {
            assert_eq!(text(append_http_time, secs), http);
            assert_eq!(text(append_datetime, secs), datetime);
            assert_eq!(text(append_date, secs), datetime[..10]);
        }
    }

    #[test]
    fn every_day_there_and_back() {
        let (mut day, mut month, mut year) = (1, 1, 1970);
        for days in 0..=LAST_SECOND / SECONDS_A_DAY {
            let secs = days * SECONDS_A_DAY + days % SECONDS_A_DAY;
            let t = DateTime::from_secs(secs);
            assert_eq!((t.year, t.month, t.day), (year, month, day));
            assert_eq!(t.to_secs(), secs);

            day += 1;
            if day > days_in_month(year, month) {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
        assert_eq!(year, 10000);
    }
}
