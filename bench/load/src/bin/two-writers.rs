//! two-writers: the most that two writers of the same thousand words can do together,
//! as the bound of what bench/dict measures.
//!
//! A step takes a lock, adds 1 and unlocks; lock and word are in one line of the
//! cache, which is fetched when the step begins. Before that it works for itself, so
//! long that the whole takes one writer as many nanoseconds as is asked for. Each
//! writer is a thread with a CPU of its own; they go the same way through the words,
//! from opposite places. Usage: two-writers SECONDS NANOSECONDS...; for each
//! NANOSECONDS a line: millions of steps in a second by one, and by two together.

use std::io;
use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const LINES: usize = 1000;
/// From one line to the next; prime to their number.
const STRIDE: usize = 977;
/// Steps between two looks at whether to stop.
const CHUNK: u64 = 1000;
/// How often the length of the work is corrected.
const TRIALS: u32 = 8;
const TRIAL: Duration = Duration::from_millis(20);

/// CPUs fetch lines by two.
#[derive(Default)]
#[repr(align(128))]
struct Line {
    lock: AtomicBool,
    word: AtomicU64,
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
        let lines: Vec<Line> = (0..LINES).map(|_| Line::default()).collect();
        let rounds = calibrate(&lines, length, first);
        let one = rate(&lines, rounds, &[first], time);
        let two = rate(&lines, rounds, &[first, second], time);
        println!("{:.3} {:.3}", one / 1e6, two / 1e6);
    }
    Ok(())
}

/// How much work makes a step of one writer that long.
fn calibrate(lines: &[Line], nanoseconds: f64, cpu: usize) -> u32 {
    let mut rounds = 1.0;
    for _ in 0..TRIALS {
        let bare = 1e9 / rate(lines, 0, &[cpu], TRIAL);
        let took = 1e9 / rate(lines, rounds as u32, &[cpu], TRIAL);
        let one = ((took - bare) / rounds).max(0.05);
        rounds = ((nanoseconds - bare) / one).max(1.0);
    }
    rounds as u32
}

/// Steps in a second that writers on these CPUs do together.
fn rate(lines: &[Line], rounds: u32, cpus: &[usize], time: Duration) -> f64 {
    let (ready, stop) = (Barrier::new(cpus.len() + 1), AtomicBool::new(false));
    thread::scope(|scope| {
        let writer = |(number, &cpu): (usize, &usize)| {
            let (ready, stop) = (&ready, &stop);
            scope.spawn(move || {
                let bound = bind(cpu);
                ready.wait();
                let start = Instant::now();
                let steps = write(lines, number * LINES / 2, rounds, stop);
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
fn write(lines: &[Line], start: usize, rounds: u32, stop: &AtomicBool) -> u64 {
    let (mut at, mut steps, mut numbers) = (start, 0, [1u64, 2, 3]);
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..CHUNK {
            at = (at + STRIDE) % LINES;
            let line = &lines[at];
            fetch(line);
            for round in 0..rounds {
                // Three chains, as much as a CPU does at once in usual code.
                numbers = numbers.map(|n| (n + 1) ^ u64::from(round));
            }
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
    std::hint::black_box(numbers);
    steps
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
