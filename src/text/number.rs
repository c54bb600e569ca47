//! A Lua number as text, as LuaJIT's `tostring` writes it.
//!
//! Called by `api` for numbers among the arguments of `ngx.print` and its like.
//! Lua's format is C's "%.14g", but LuaJIT has a formatter of its own
//! (src/lj_strfmt_num.c): it rounds halves away from zero where C rounds them to
//! even, and never writes "-nan". A script may mix both ways, so this follows
//! LuaJIT to the digit.

use std::io::Write;

/// Significant digits: LuaJIT's STRFMT_G14.
const DIGITS: i32 = 14;

/// Longest text: "-1.2345678901234e-308".
pub const MAX_LEN: usize = 21;

/// Appends `n` to `out`.
///
/// ```
/// # use ngx_tcp_lua_module::text::number::append_number;
/// let mut out = Vec::new();
/// append_number(1.0, &mut out);
/// append_number(-0.25, &mut out);
/// append_number(1e20, &mut out);
/// assert_eq!(out, b"1-0.251e+20");
/// ```
pub fn append_number(n: f64, out: &mut Vec<u8>) {
    let int = n as i64;
    let is_int = int as f64 == n && !(int == 0 && n.is_sign_negative());

    if is_int && int.unsigned_abs() < 10_u64.pow(DIGITS as u32) {
        out.extend_from_slice(itoa::Buffer::new().format(int).as_bytes());
    } else if n.is_nan() {
        out.extend_from_slice(b"nan");
    } else {
        if n.is_sign_negative() {
            out.push(b'-');
        }
        append_float(n.abs(), out);
    }
}

/// Appends 0, infinity or a positive number.
fn append_float(n: f64, out: &mut Vec<u8>) {
    if n == 0.0 {
        out.push(b'0');
    } else if n.is_infinite() {
        out.extend_from_slice(b"inf");
    } else {
        let mut decimal = Decimal::half_to_even(n);
        if is_half(n, decimal.exponent) {
            // the next number up is past the half and rounds as LuaJIT does
            decimal = Decimal::half_to_even(n.next_up());
        }
        decimal.append(out);
    }
}

/// `0.ddd… * 10^(exponent + 1)`: 14 digits, the first of them not zero.
struct Decimal {
    digits: [u8; DIGITS as usize],
    exponent: i32,
}

impl Decimal {
    fn half_to_even(n: f64) -> Self {
        // "d.ddddddddddddde-308"
        let mut text = [0_u8; 24];
        let mut rest = &mut text[..];
        let written = write!(rest, "{:.*e}", DIGITS as usize - 1, n);
        debug_assert!(written.is_ok());

        let mut digits = [b'0'; DIGITS as usize];
        digits[0] = text[0];
        digits[1..].copy_from_slice(&text[2..][..DIGITS as usize - 1]);

        let exponent = &text[2 + DIGITS as usize..];
        let (negative, exponent) = match exponent.strip_prefix(b"-") {
            Some(rest) => (true, rest),
            None => (false, exponent),
        };
        let exponent = exponent
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .fold(0, |n, c| n * 10 + i32::from(c - b'0'));

        Self { digits, exponent: if negative { -exponent } else { exponent } }
    }

    /// The rules of %g: which notation, and no zeros at the end of a fraction.
    fn append(&self, out: &mut Vec<u8>) {
        let used = self.digits.iter().rposition(|&c| c != b'0').map_or(1, |i| i + 1);
        let digits = &self.digits[..used];

        if self.exponent < -4 || self.exponent >= DIGITS {
            append_with_point(digits, 1, out);
            let sign = if self.exponent < 0 { b'-' } else { b'+' };
            out.extend([b'e', sign]);
            if self.exponent.abs() < 10 {
                out.push(b'0');
            }
            out.extend_from_slice(
                itoa::Buffer::new().format(self.exponent.abs()).as_bytes(),
            );
        } else if self.exponent < 0 {
            let zeros = -self.exponent as usize - 1;
            out.extend_from_slice(&b"0.000"[..2 + zeros]);
            out.extend_from_slice(digits);
        } else {
            append_with_point(digits, self.exponent as usize + 1, out);
        }
    }
}

/// Whether `n`, of this decimal exponent, lies exactly half-way between two
/// numbers of 14 digits.
///
/// With n = m * 2^t, m odd, that means that m * 2^t * 10^(13 - exponent) is an
/// odd number of halves: the powers of two leave 2^-1, and those of five, where
/// they divide, leave no rest. That `exponent` is the one after rounding does no
/// harm: a half that rounds up to the next power of ten needs no correction, and
/// no number so near to a power of ten meets the condition for that power.
fn is_half(n: f64, exponent: i32) -> bool {
    const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;

    let bits = n.to_bits();
    let fraction = bits & ((1 << MANTISSA_BITS) - 1);
    let (mantissa, power) = match (bits >> MANTISSA_BITS) as i32 {
        0 => (fraction, -1074),
        biased => (fraction | 1 << MANTISSA_BITS, biased - 1075),
    };

    let zeros = mantissa.trailing_zeros();
    if power + zeros as i32 != exponent - DIGITS {
        return false;
    }

    match u32::try_from(exponent - (DIGITS - 1)) {
        Ok(fives) => 5_u64
            .checked_pow(fives)
            .is_some_and(|divisor| (mantissa >> zeros).is_multiple_of(divisor)),
        Err(_) => true,
    }
}

/// Appends `digits` with a decimal point after the first `whole` of them, which
/// may be more than there are.
fn append_with_point(digits: &[u8], whole: usize, out: &mut Vec<u8>) {
    match digits.split_at_checked(whole) {
        Some((digits, [])) => out.extend_from_slice(digits),
        Some((digits, fraction)) => {
            out.extend_from_slice(digits);
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
        None => {
            out.extend_from_slice(digits);
            out.resize(out.len() + whole - digits.len(), b'0');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(n: f64) -> String {
        let mut out = Vec::new();
        append_number(n, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn named_values() {
        let cases = [
            (f64::NAN, "nan"),
            (-f64::NAN, "nan"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.0, "-1"),
            (255.0, "255"),
            (0.1, "0.1"),
            (-1.5, "-1.5"),
            (1.0 / 3.0, "0.33333333333333"),
            (2.0 / 3.0, "0.66666666666667"),
            (123_456.789, "123456.789"),
            (1_700_000_000.123, "1700000000.123"),
            (9_007_199_254_740_993.0, "9.007199254741e+15"),
            (f64::MAX, "1.7976931348623e+308"),
            (-f64::MIN_POSITIVE, "-2.2250738585072e-308"),
            (5e-324, "4.9406564584125e-324"),
        ];
        for (n, want) in cases {
            assert_eq!(text(n), want, "{n:e}");
        }
    }

    #[test]
    fn where_the_notation_changes() {
        let cases = [
            (99_999_999_999_999.0, "99999999999999"),
            (-99_999_999_999_999.0, "-99999999999999"),
            (1e14, "1e+14"),
            (-1e14, "-1e+14"),
            (99_999_999_999_999.4, "99999999999999"),
            (99_999_999_999_999.6, "1e+14"),
            (1e15, "1e+15"),
            (1e100, "1e+100"),
            (0.0001, "0.0001"),
            (0.000_123_456, "0.000123456"),
            (0.00001, "1e-05"),
            (0.000_099_999_999_999_999_99, "0.0001"),
            (1.25e-10, "1.25e-10"),
            (1e-100, "1e-100"),
        ];
        for (n, want) in cases {
            assert_eq!(text(n), want, "{n:e}");
        }
    }

    /// LuaJIT rounds these up; C's printf would round them to even.
    #[test]
    fn halves_go_away_from_zero() {
        let cases = [
            (123_456_789_012_345.0, "1.2345678901235e+14"),
            (-123_456_789_012_345.0, "-1.2345678901235e+14"),
            (999_999_999_999_995.0, "1e+15"),
            (99_999_999_999_999.5, "1e+14"),
            (5_017_188_150_744.25, "5017188150744.3"),
            (863.517_822_265_625, "863.51782226563"),
            (4.768_371_582_031_25e-6, "4.7683715820313e-06"),
            (35_255_250_390_706_500.0, "3.5255250390707e+16"),
        ];
        for (n, want) in cases {
            assert_eq!(text(n), want, "{n:e}");
        }
    }

    /// Each line of the table is the bits of a number and LuaJIT 2.1's text for
    /// it: random bits, scaled random fractions, integers and halves.
    #[test]
    fn as_luajit() {
        let table = include_str!("number_luajit.txt");
        assert!(table.lines().count() > 500);

        for line in table.lines() {
            let (bits, want) = line.split_once(' ').unwrap();
            let n = f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
            assert_eq!(text(n), want, "{bits}");
            assert!(want.len() <= MAX_LEN);
        }
    }

    /// Reading the text back gives a number that prints the same.
    #[test]
    fn text_is_stable() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..100_000 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let n = f64::from_bits(seed);
            if !n.is_finite() {
                continue;
            }
            let first = text(n);
            let read: f64 = first.parse().unwrap();
            assert!(read.is_infinite() || text(read) == first, "{n:e} {first}");
        }
    }
}
