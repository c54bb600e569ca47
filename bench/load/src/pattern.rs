//! The bytes that are sent and that must come back: an endless periodic stream
//! of which any part is one slice, so that checking costs one memcmp.

use crate::Result;
use crate::args::{Mode, Options};

/// The longest slice that [`Pattern::at`] gives, at least.
const SPAN: usize = 256 * 1024;

/// Prime, so that a part that is lost or sent twice shows.
const BYTES_PERIOD: usize = 251;

/// Different lines before they repeat.
const LINES: usize = 61;

pub struct Pattern {
    period: usize,
    bytes: Vec<u8>,
    /// Distance of the places where two neighbouring connections start.
    stride: u64,
}

impl Pattern {
    pub fn new(options: &Options) -> Pattern {
        match options.mode {
            Mode::Line => Self::lines(options.size),
            _ => Self::counting(),
        }
    }

    /// What the server sends in bulk-down.
    pub fn hexadecimal() -> Pattern {
        Self::repeat(b"0123456789abcdef", 0)
    }

    fn counting() -> Pattern {
        let period: Vec<u8> = (0..BYTES_PERIOD).map(|n| n as u8).collect();
        Self::repeat(&period, 13)
    }

    /// Lines of `size` bytes, each with its line feed.
    fn lines(size: usize) -> Pattern {
        let mut period = Vec::with_capacity(LINES * size);
        for line in 0..LINES {
            period.extend((1..size).map(|column| b'!' + ((line + column) % 90) as u8));
            period.push(b'\n');
        }
        Self::repeat(&period, size as u64)
    }

    fn repeat(period: &[u8], stride: u64) -> Pattern {
        let bytes = period.iter().copied().cycle().take(period.len() + SPAN).collect();
        Pattern { period: period.len(), bytes, stride }
    }

    /// Where the stream of connection number `client` starts.
    pub fn start(&self, client: usize) -> u64 {
        client as u64 * self.stride
    }

    /// The stream from `pos` on, `len` bytes or as many as one slice holds.
    pub fn at(&self, pos: u64, len: u64) -> &[u8] {
        let from = (pos % self.period as u64) as usize;
        &self.bytes[from..from + len.min(SPAN as u64) as usize]
    }

    /// Compares what came at `pos` with what must come there.
    pub fn verify(&self, pos: u64, got: &[u8]) -> Result<()> {
        for (n, part) in got.chunks(SPAN).enumerate() {
            let pos = pos + (n * SPAN) as u64;
            let wanted = self.at(pos, part.len() as u64);
            if part != wanted {
                let place = part.iter().zip(wanted).position(|(a, b)| a != b);
                let place = place.unwrap_or(0);
                return Err(format!(
                    "wrong byte {} of the stream: {:?} instead of {:?}",
                    pos + place as u64,
                    part[place] as char,
                    wanted[place] as char,
                )
                .into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_continue_each_other() {
        for pattern in [Pattern::counting(), Pattern::lines(10), Pattern::hexadecimal()] {
            let whole = pattern.at(5, 2000).to_vec();
            for cut in [1, 10, 250, 251, 252, 1999] {
                let mut parts = pattern.at(5, cut).to_vec();
                parts.extend(pattern.at(5 + cut, 2000 - cut));
                assert_eq!(whole, parts, "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_line_has_one_line_feed_and_it_is_the_last_byte() {
        let pattern = Pattern::lines(7);
        for line in 0..200 {
            let line = pattern.at(line * 7, 7);
            assert_eq!(line.iter().position(|b| *b == b'\n'), Some(6));
        }
    }

    #[test]
    fn a_shifted_stream_is_refused() {
        let pattern = Pattern::counting();
        let mut part = pattern.at(100, 1000).to_vec();
        assert!(pattern.verify(100, &part).is_ok());
        assert!(pattern.verify(101, &part).is_err());
        part[999] ^= 1;
        assert!(pattern.verify(100, &part).is_err());
    }
}
