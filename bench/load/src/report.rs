//! What a run found, as text and as one line of JSON.

use std::fmt::Write;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::Result;
use crate::args::Options;
use crate::process::Cpu;

/// Latencies above this are counted as this.
const LONGEST_NS: u64 = 100_000_000_000;

/// Latencies in nanoseconds.
pub type Latencies = Histogram<u64>;

pub struct Outcome {
    pub operations: u64,
    /// Payload received.
    pub bytes: u64,
    pub elapsed: Duration,
    pub latencies: Latencies,
    /// CPU of the server's processes; None without --pid.
    pub server: Option<Cpu>,
    /// CPU of the generator itself: near `elapsed`, it is the bottleneck.
    pub own: Cpu,
    pub memory: Option<Memory>,
}

/// Proportional set sizes of the server's processes.
pub struct Memory {
    pub connections: u64,
    pub before: u64,
    pub parked: u64,
    pub after: u64,
}

/// Time and CPU since the measured part began.
pub struct Meter {
    start: Instant,
    server: Option<Cpu>,
    own: Cpu,
}

impl Memory {
    pub fn per_connection(&self) -> f64 {
        (self.parked as f64 - self.before as f64) / self.connections as f64
    }
}

impl Meter {
    pub fn start(options: &Options) -> Result<Meter> {
        Ok(Meter {
            server: server_cpu(options)?,
            own: Cpu::own()?,
            start: Instant::now(),
        })
    }

    pub fn outcome(
        &self,
        options: &Options,
        operations: u64,
        bytes: u64,
        latencies: Latencies,
    ) -> Result<Outcome> {
        let elapsed = self.start.elapsed();
        let server = server_cpu(options)?.zip(self.server).map(|(b, a)| b.since(a));
        let own = Cpu::own()?.since(self.own);
        Ok(Outcome { operations, bytes, elapsed, latencies, server, own, memory: None })
    }
}

impl Outcome {
    fn per_second(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }

    fn mib_per_second(&self) -> f64 {
        self.bytes as f64 / f64::from(1 << 20) / self.elapsed.as_secs_f64()
    }

    fn us_per_operation(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 1e6 / self.operations.max(1) as f64
    }

    fn busy(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() / self.elapsed.as_secs_f64()
    }

    fn latency_us(&self, quantile: f64) -> f64 {
        self.latencies.value_at_quantile(quantile) as f64 / 1e3
    }
}

/// Three digits: an error below 0.1 %.
pub fn latencies() -> Latencies {
    Latencies::new_with_max(LONGEST_NS, 3).expect("the bounds are valid constants")
}

pub fn record(latencies: &mut Latencies, time: Duration, times: u64) {
    latencies.saturating_record_n(time.as_nanos() as u64, times);
}

pub fn text(options: &Options, outcome: &Outcome) -> String {
    let mut text = format!(
        "{}: {} operations on {} connections in {:.2} s: {:.0}/s, {:.1} MiB/s back",
        options.mode.name(),
        outcome.operations,
        options.clients,
        outcome.elapsed.as_secs_f64(),
        outcome.per_second(),
        outcome.mib_per_second(),
    );
    if !outcome.latencies.is_empty() {
        let _ = write!(
            text,
            "\n  latency us: p50 {:.1}, p99 {:.1}, p99.9 {:.1}, max {:.1}",
            outcome.latency_us(0.5),
            outcome.latency_us(0.99),
            outcome.latency_us(0.999),
            outcome.latency_us(1.0),
        );
    }
    if let Some(cpu) = outcome.server {
        let _ = write!(
            text,
            "\n  server: {:.3} us CPU an operation (user {:.3}, system {:.3}), busy {:.0} %",
            outcome.us_per_operation(cpu.run),
            outcome.us_per_operation(cpu.user),
            outcome.us_per_operation(cpu.system),
            outcome.busy(cpu.run) * 100.0,
        );
    }
    let _ = write!(
        text,
        "\n  generator: busy {:.0} %",
        outcome.busy(outcome.own.run) * 100.0
    );
    if let Some(memory) = &outcome.memory {
        let _ = write!(
            text,
            "\n  memory: {:.0} bytes a connection (PSS {} before, {} parked, {} after)",
            memory.per_connection(),
            memory.before,
            memory.parked,
            memory.after,
        );
    }
    text
}

pub fn json(options: &Options, outcome: &Outcome) -> String {
    let mut text = format!(
        "{{\"mode\":\"{}\",\"label\":\"{}\",\"clients\":{},\"size\":{},\"depth\":{},\
         \"operations\":{},\"bytes\":{},\"seconds\":{:.6},\"per_second\":{:.1},\
         \"mib_per_second\":{:.2},\"generator_busy\":{:.3}",
        options.mode.name(),
        options.label.escape_default(),
        options.clients,
        options.size,
        options.depth,
        outcome.operations,
        outcome.bytes,
        outcome.elapsed.as_secs_f64(),
        outcome.per_second(),
        outcome.mib_per_second(),
        outcome.busy(outcome.own.run),
    );
    if !outcome.latencies.is_empty() {
        for (name, quantile) in
            [("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)]
        {
            let _ = write!(text, ",\"{name}_us\":{:.2}", outcome.latency_us(quantile));
        }
    }
    if let Some(cpu) = outcome.server {
        let _ = write!(
            text,
            ",\"cpu_us\":{:.4},\"user_us\":{:.4},\"system_us\":{:.4},\"server_busy\":{:.3}",
            outcome.us_per_operation(cpu.run),
            outcome.us_per_operation(cpu.user),
            outcome.us_per_operation(cpu.system),
            outcome.busy(cpu.run),
        );
    }
    if let Some(memory) = &outcome.memory {
        let _ = write!(
            text,
            ",\"memory_per_connection\":{:.1},\"pss_before\":{},\"pss_parked\":{},\
             \"pss_after\":{}",
            memory.per_connection(),
            memory.before,
            memory.parked,
            memory.after,
        );
    }
    text.push('}');
    text
}

fn server_cpu(options: &Options) -> Result<Option<Cpu>> {
    if options.pids.is_empty() {
        return Ok(None);
    }
    Cpu::of(&options.pids).map(Some)
}
