//! One connection, as many bytes as it carries. An operation is 64 KiB.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::args::Options;
use crate::pattern::Pattern;
use crate::report::{self, Meter, Outcome};

const OPERATION: u64 = 64 * 1024;

const BUFFER: usize = 256 * 1024;

const STALLED: Duration = Duration::from_secs(10);

/// From the server to here.
pub fn down(options: &Options) -> Result<Outcome> {
    let mut stream = connect(options)?;
    let meter = Meter::start(options)?;
    stream.write_all(format!("{}\n", options.count).as_bytes())?;
    let bytes = receive(options, &mut stream, &Pattern::hexadecimal())?;
    finish(options, &meter, bytes)
}

/// To the server and back: one thread writes, this one reads.
pub fn echo(options: &Options) -> Result<Outcome> {
    let mut stream = connect(options)?;
    let mut to_server = stream.try_clone()?;
    let pattern = Pattern::new(options);
    let meter = Meter::start(options)?;

    let bytes = thread::scope(|scope| {
        let writer = scope.spawn(|| send(options.count, &mut to_server, &pattern));
        let bytes = receive(options, &mut stream, &pattern);
        // Also ends a writer that nobody reads from any more.
        let _ = stream.shutdown(Shutdown::Both);
        let sent = writer.join().map_err(|_| "the writing thread panicked")?;
        let bytes = bytes?;
        if bytes == options.count {
            sent?;
        }
        Ok::<u64, Box<dyn std::error::Error>>(bytes)
    })?;
    finish(options, &meter, bytes)
}

fn connect(options: &Options) -> Result<TcpStream> {
    let stream = TcpStream::connect(options.target)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(STALLED))?;
    Ok(stream)
}

fn finish(options: &Options, meter: &Meter, bytes: u64) -> Result<Outcome> {
    meter.outcome(options, bytes.div_ceil(OPERATION), bytes, report::latencies())
}

fn send(count: u64, stream: &mut TcpStream, pattern: &Pattern) -> std::io::Result<()> {
    let mut sent = 0;
    while sent < count {
        let part = pattern.at(sent, (count - sent).min(OPERATION));
        stream.write_all(part)?;
        sent += part.len() as u64;
    }
    Ok(())
}

/// Reads up to `count` bytes, or what comes within the time; gives their number.
fn receive(options: &Options, stream: &mut TcpStream, pattern: &Pattern) -> Result<u64> {
    let end = Instant::now() + options.time;
    let mut buffer = vec![0; BUFFER];
    let mut received = 0;
    while received < options.count && Instant::now() < end {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Err(format!("closed by the server after {received} bytes").into());
        }
        pattern.verify(received, &buffer[..n])?;
        received += n as u64;
    }
    Ok(received)
}
