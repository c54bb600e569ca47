//! Connections that wait: how much memory of the server each of them holds.
//!
//! The memory "before" is taken after a few connections have come and gone, so
//! that what the server allocates once is not counted.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Result;
use crate::args::Options;
use crate::pattern::Pattern;
use crate::process;
use crate::report::{self, Latencies, Memory, Meter, Outcome};
use crate::socket::{Blocking, Connector};

/// The answer is here before the server has gone back to waiting.
const SETTLE: Duration = Duration::from_millis(500);

const STALLED: Duration = Duration::from_secs(10);

struct Load<'a> {
    options: &'a Options,
    connector: Connector,
    pattern: Pattern,
    end: Instant,
    latencies: Latencies,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let pattern = Pattern::new(options);
    let end = Instant::now() + options.time;
    let connector = Connector::new(options)?;
    let latencies = report::latencies();
    let mut load = Load { options, connector, pattern, end, latencies };

    for _ in 0..options.warmup {
        load.echo(&mut load.connect()?)?;
    }
    sleep(SETTLE);
    load.latencies = report::latencies();
    let before = process::pss(&options.pids)?;

    let meter = Meter::start(options)?;
    let mut streams = Vec::with_capacity(options.clients);
    for _ in 0..options.clients {
        let mut stream = load.connect()?;
        load.echo(&mut stream)?;
        streams.push(stream);
    }
    sleep(SETTLE);
    let parked = process::pss(&options.pids)?;

    for stream in &mut streams {
        load.echo(stream)?;
    }
    let operations = 2 * options.clients as u64;
    let bytes = operations * options.size as u64;
    let mut outcome = meter.outcome(options, operations, bytes, load.latencies)?;

    drop(streams);
    sleep(SETTLE);
    let after = process::pss(&options.pids)?;
    let connections = options.clients as u64;
    outcome.memory = Some(Memory { connections, before, parked, after });
    Ok(outcome)
}

impl Load<'_> {
    fn connect(&self) -> Result<Blocking> {
        if Instant::now() > self.end {
            return Err("not all connections could be opened in time".into());
        }
        let stream = TcpStream::connect(self.options.target)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(STALLED))?;
        self.connector.blocking(stream)
    }

    fn echo(&mut self, stream: &mut Blocking) -> Result<()> {
        let start = Instant::now();
        let mut answer = vec![0; self.options.size];
        stream.write_all(self.pattern.at(0, self.options.size as u64))?;
        stream.read_exact(&mut answer)?;
        self.pattern.verify(0, &answer)?;
        report::record(&mut self.latencies, start.elapsed(), 1);
        Ok(())
    }
}
