//! Jobs that the server does by itself: each client asks for a number of
//! operations in one line (or one HTTP request) and reads the answer when they
//! are done. The answer says what the operations alone took, so that neither
//! the request nor what came before them is in the figures.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::Result;
use crate::args::Options;
use crate::process::Cpu;
use crate::report::{self, Meter, Outcome};

/// After the time of the run, the last round may still take so long.
const GRACE: Duration = Duration::from_secs(60);

/// What the operations of one round took, in all clients together.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
struct Cost {
    cpu: Duration,
    wall: Duration,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let round = options.batch * options.clients as u64;
    let end = Instant::now() + options.time;
    let meter = Meter::start(options)?;

    let mut done = 0;
    let mut sum = Cost::default();
    while done < options.count && (done == 0 || Instant::now() < end) {
        let cost = one_round(options, end + GRACE)?;
        sum.cpu += cost.cpu;
        sum.wall += cost.wall;
        done += round;
    }

    let mut outcome = meter.outcome(options, done, 0, report::latencies())?;
    outcome.elapsed = sum.wall;
    outcome.server = Some(Cpu { run: sum.cpu, ..Cpu::default() });
    outcome.own = Cpu::default();
    Ok(outcome)
}

/// A job on each of new connections. They run at once, and each measures the
/// time of the server's process: the longest has all of it.
fn one_round(options: &Options, end: Instant) -> Result<Cost> {
    let request = request(options);
    let mut streams = Vec::with_capacity(options.clients);
    for _ in 0..options.clients {
        let mut stream = TcpStream::connect(options.target)?;
        stream.write_all(request.as_bytes())?;
        streams.push(stream);
    }

    let mut round = Cost::default();
    for (number, stream) in streams.iter_mut().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .map_err(|err| format!("job of client {number}: {err}"))?;
        let cost = cost(options, &answer)
            .ok_or_else(|| format!("client {number} got as answer: {answer:?}"))?;
        round.cpu = round.cpu.max(cost.cpu);
        round.wall = round.wall.max(cost.wall);
    }
    Ok(round)
}

fn request(options: &Options) -> String {
    let Options { job, clients, before, batch, .. } = options;
    let job = format!("{job}:{clients}:{before}:{batch}");
    if options.http {
        format!("GET /?{job} HTTP/1.0\r\n\r\n")
    } else {
        format!("{job}\n")
    }
}

/// Reads an answer: nanoseconds of CPU and of time, after HTTP's header if any.
fn cost(options: &Options, answer: &str) -> Option<Cost> {
    let line = if options.http {
        let (header, body) = answer.split_once("\r\n\r\n")?;
        header.split(' ').nth(1).filter(|status| *status == "200")?;
        body
    } else {
        answer
    };
    let (cpu, wall) = line.strip_suffix('\n')?.split_once(' ')?;
    Some(Cost {
        cpu: Duration::from_nanos(cpu.parse().ok()?),
        wall: Duration::from_nanos(wall.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let raw = Options::default();
        let http = Options { http: true, ..Options::default() };
        let cost_of = |cpu, wall| {
            Some(Cost {
                cpu: Duration::from_nanos(cpu),
                wall: Duration::from_nanos(wall),
            })
        };
        for (options, answer, wanted) in [
            (&raw, "12 345\n", cost_of(12, 345)),
            (&raw, "12 345", None),
            (&raw, "12\n", None),
            (&raw, "", None),
            (&http, "HTTP/1.1 200 OK\r\nA: b\r\n\r\n1 2\n", cost_of(1, 2)),
            (&http, "HTTP/1.1 500 Error\r\nA: b\r\n\r\n1 2\n", None),
            (&http, "HTTP/1.1 200 OK\r\n\r\n", None),
            (&http, "1 2\n", None),
        ] {
            assert_eq!(cost(options, answer), wanted, "{answer:?}");
        }
    }
}
