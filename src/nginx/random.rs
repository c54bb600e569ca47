//! Random bytes of the kernel.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Error, Read};

use super::cycle;
use super::local::Local;

/// How many bytes the kernel is asked for at once.
const SIZE: usize = 256;

/// Bytes that nobody has got yet, and the process that they are of: a worker must
/// not have those that its master has left.
struct Pool {
    bytes: [u8; SIZE],
    left: usize,
    pid: i32,
}

static POOL: Local<RefCell<Pool>> =
    Local::new(RefCell::new(Pool { bytes: [0; SIZE], left: 0, pid: 0 }));

const DIGITS: &[u8; 62] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Adds so many letters and digits, each as likely as any other.
pub fn append_token(n: usize, out: &mut Vec<u8>) -> Result<(), Error> {
    let end = out.len() + n;
    while out.len() < end {
        let byte = usize::from(byte()?);
        // What is above the last whole alphabet would favour the first letters.
        if byte < 256 / DIGITS.len() * DIGITS.len() {
            out.push(DIGITS[byte % DIGITS.len()]);
        }
    }
    Ok(())
}

fn byte() -> Result<u8, Error> {
    let mut pool = POOL.borrow_mut();
    let pid = cycle::pid();
    if pool.left == 0 || pool.pid != pid {
        fill(&mut pool.bytes)?;
        pool.left = SIZE;
        pool.pid = pid;
    }
    pool.left -= 1;
    let left = pool.left;
    // None stays in memory that was given.
    Ok(std::mem::take(&mut pool.bytes[left]))
}

fn fill(bytes: &mut [u8; SIZE]) -> Result<(), Error> {
    // SAFETY: the bytes of a slice may be written. Up to 256 come whole, unless a
    // signal ends the wait for the kernel's first ones: getrandom(2).
    let n = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), SIZE, 0) };
    if usize::try_from(n) == Ok(SIZE) {
        return Ok(());
    }
    File::open("/dev/urandom")?.read_exact(bytes)
}
