//! two-writers: what two writers of the same thousand words do together, which tells
//! bench/dict how near the CPUs are to each other.
//!
//! A step has the line of its word fetched and works for itself; then it takes a
//! lock, adds 1 and unlocks, all in that line of the cache. The work is so long that
//! the whole takes one writer as many nanoseconds as is asked for. Each writer is a
//! thread with a CPU of its own, and goes a round of its own through all lines: in
//! no order, as the CPU fetches what lies at equal distances unasked, which no table
//! of keys has from it; and not the other's, as the faster would come up to it and
//! meet it at each line.
//!
//! Usage: two-writers SECONDS NANOSECONDS...; for each length of a step a line:
//! millions of steps in a second by one, and by two together.

use std::io;
use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const LINES: usize = 1000;
/// Words that the work reads, all of them in the nearest cache.
const TABLE: usize = 512;
/// Steps between two looks at whether to stop.
const CHUNK: u64 = 1000;
/// How often the length of the work is corrected.
const CORRECTIONS: u32 = 4;
const TRIES: u32 = 4;
const TRIAL: Duration = Duration::from_millis(5);

/// CPUs fetch lines by two.
#[derive(Default)]
#[repr(align(128))]
struct Line {
    lock: AtomicBool,
    word: AtomicU64,
}

/// What both writers share.
struct Words {
    lines: Vec<Line>,
    /// For each writer, each of their numbers once.
    rounds: [Vec<usize>; 2],
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("two-writers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let args = std::env::args().skip(1);
    let numbers: Vec<f64> = args.map(|arg| arg.parse()).collect::<Result<_, _>>()?;
    let [seconds, lengths @ ..] = &numbers[..] else {
        return Err("usage: two-writers SECONDS NANOSECONDS...".into());
    };
    let time = Duration::try_from_secs_f64(*seconds)?;
    let cpus = cpus()?;
    let [first, second, ..] = cpus[..] else {
        return Err("there is one CPU only".into());
    };
    for &length in lengths {
        let words = Words::new();
        let work = calibrate(&words, length, first);
        let one = rate(&words, work, &[first], time);
        let two = rate(&words, work, &[first, second], time);
        println!("{:.3} {:.3}", one / 1e6, two / 1e6);
    }
    Ok(())
}

impl Words {
    fn new() -> Words {
        let mut random = 1u64;
        let rounds = std::array::from_fn(|_| {
            let mut round: Vec<usize> = (0..LINES).collect();
            for last in (1..LINES).rev() {
                random = next(random);
                round.swap(last, random as usize % (last + 1));
            }
            round
        });
        Words { lines: (0..LINES).map(|_| Line::default()).collect(), rounds }
    }
}

/// Xorshift.
fn next(mut random: u64) -> u64 {
    random ^= random << 13;
    random ^= random >> 7;
    random ^ random << 17
}

/// How much work makes a step of one writer that long.
fn calibrate(words: &Words, length: f64, cpu: usize) -> u32 {
    // The shortest of some, as other programs only make it longer.
    let nanoseconds = |work| {
        let took = || 1e9 / rate(words, work, &[cpu], TRIAL);
        (0..TRIES).map(|_| took()).fold(f64::INFINITY, f64::min)
    };
    let one = (nanoseconds(128) - nanoseconds(64)) / 64.0;
    let mut work = 0.0;
    for _ in 0..CORRECTIONS {
        work = f64::max(work + (length - nanoseconds(work as u32)) / one, 0.0);
    }
    work as u32
}

/// Steps in a second that writers on these CPUs do together.
fn rate(words: &Words, work: u32, cpus: &[usize], time: Duration) -> f64 {
    let (ready, stop) = (Barrier::new(cpus.len() + 1), AtomicBool::new(false));
    thread::scope(|scope| {
        let writer = |(number, &cpu): (usize, &usize)| {
            let (ready, stop) = (&ready, &stop);
            scope.spawn(move || {
                let bound = bind(cpu);
                ready.wait();
                let start = Instant::now();
                let steps = write(words, number, work, stop);
                bound.map(|()| steps as f64 / start.elapsed().as_secs_f64())
            })
        };
        let writers: Vec<_> = cpus.iter().enumerate().map(writer).collect();
        ready.wait();
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        let rates = writers.into_iter().map(|writer| writer.join().expect("a writer"));
        rates.map(|rate| rate.expect("a CPU of this process")).sum()
    })
}

/// How many steps were done until the stop.
fn write(words: &Words, number: usize, work: u32, stop: &AtomicBool) -> u64 {
    let table: [u64; TABLE] = std::array::from_fn(|at| at as u64 * 5);
    let mut state = (std::hint::black_box(table), [1u64, 2, 3]);
    let (round, mut at, mut steps) = (&words.rounds[number], 0, 0);
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..CHUNK {
            at = if at + 1 == LINES { 0 } else { at + 1 };
            let line = &words.lines[round[at]];
            fetch(line);
            toil(&mut state, work);
            let taken = || {
                let (old, new) = (Ordering::Acquire, Ordering::Relaxed);
                line.lock.compare_exchange(false, true, old, new).is_ok()
            };
            while !taken() {
                std::hint::spin_loop();
            }
            let word = line.word.load(Ordering::Relaxed);
            line.word.store(word + 1, Ordering::Relaxed);
            line.lock.store(false, Ordering::Release);
        }
        steps += CHUNK;
    }
    std::hint::black_box(state);
    steps
}

/// Three chains at once, each of a load and some sums: as much as a CPU has under way
/// in usual code.
#[inline(always)]
fn toil((table, numbers): &mut ([u64; TABLE], [u64; 3]), rounds: u32) {
    for round in 0..rounds {
        *numbers = numbers.map(|n| (table[n as usize % TABLE] + n) ^ u64::from(round));
    }
}

/// Has the line come for writing.
fn fetch(line: &Line) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, of a line that is there; nothing is changed by it.
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) line, options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    std::hint::black_box(line);
}

/// The CPUs that this process may use.
fn cpus() -> io::Result<Vec<usize>> {
    // SAFETY: all zeros are a set without any; the kernel writes one of that size.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of_val(&set), &mut set) != 0 {
            return Err(io::Error::last_os_error());
        }
        set
    };
    // SAFETY: below the number of CPUs that a set has room for.
    let is_in = |cpu: &usize| unsafe { libc::CPU_ISSET(*cpu, &set) };
    Ok((0..libc::CPU_SETSIZE as usize).filter(is_in).collect())
}

/// Has this thread run on one CPU.
fn bind(cpu: usize) -> io::Result<()> {
    // SAFETY: as above; the number is from a set.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        match libc::sched_setaffinity(0, size_of_val(&set), &set) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
