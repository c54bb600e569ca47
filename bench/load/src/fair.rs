//! One client that sends a message now and then, beside clients that flood: the
//! latencies are those of the one, all else is the flood's.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::args::Options;
use crate::kept;
use crate::pattern::Pattern;
use crate::report::{self, Latencies, Outcome};

const STALLED: Duration = Duration::from_secs(10);

pub fn run(options: &Options) -> Result<Outcome> {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let paced = scope.spawn(|| paced(options, &ended).map_err(|err| err.to_string()));
        let flood = kept::run(options);
        ended.store(true, Ordering::Relaxed);
        let latencies = paced.join().map_err(|_| "the paced client panicked")??;
        Ok(Outcome { latencies, ..flood? })
    })
}

/// A message each `options.pace`, in a thread of its own: it waits for nothing
/// but the server.
fn paced(options: &Options, ended: &AtomicBool) -> Result<Latencies> {
    let pattern = Pattern::new(options);
    let mut stream = TcpStream::connect(options.target)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(STALLED))?;
    let mut answer = vec![0; options.size];
    let mut latencies = report::latencies();

    let mut position = 0;
    let mut number = 0;
    while !ended.load(Ordering::Relaxed) {
        let start = Instant::now();
        stream.write_all(pattern.at(position, options.size as u64))?;
        stream.read_exact(&mut answer)?;
        let latency = start.elapsed();
        pattern.verify(position, &answer)?;
        position += options.size as u64;
        number += 1;
        if number > options.warmup {
            report::record(&mut latencies, latency, 1);
        }
        thread::sleep(options.pace.saturating_sub(latency));
    }
    Ok(latencies)
}
