//! The command line: what to do, against whom, and the bounds of the run.

use std::net::SocketAddr;
use std::time::Duration;

use lexopt::prelude::*;

use crate::Result;

pub const USAGE: &str = "\
usage: tcp-load MODE ADDRESS:PORT [options]

modes
  echo        what is sent comes back; kept connections
  line        the same with lines: each message ends in a line feed
  job         \"NAME:CLIENTS:BEFORE:BATCH\\n\" is sent; the server does BEFORE
              operations, then BATCH, and answers with what the latter took
  fair        echo --sliding, and one client more that sends a message each
              --pace: the latencies are that client's
  connect     connect, send a request, read the answer up to the end, close
  idle        open connections, one echo on each, measure, one echo, close
  bulk-down   \"BYTES\\n\" is sent; that many bytes \"0123456789abcdef...\" come
  bulk-echo   BYTES go through an echo on one connection, both ways at once

options
  --clients N     connections at a time (50)
  --size B        bytes of a message, of a line with its line feed (10)
  --depth D       messages outstanding on a connection (1)
  --sliding       refill with every answer; else when all of a batch are back
  --count N       operations at most; bytes for bulk (1000000; 1 GiB)
  --seconds S     time at most (10)
  --warmup N      unmeasured messages of each connection before (20)
  --job NAME      for job: which one
  --before K      for job: operations before, not counted (0)
  --batch N       for job: operations of each job (1000)
  --http          for job: asked for by HTTP, as GET /?NAME:CLIENTS:BEFORE:BATCH
  --pace MS       for fair: from one message of the paced client to the next (5)
  --expect TEXT   for connect: nothing is sent, this is what comes
  --tls HOW       for echo, line, connect, idle: by TLS, HOW is full (each handshake
                  is a whole one) or resumed (it goes on with a session)
  --pid PID       server process whose CPU and memory to measure; repeatable
  --json          one JSON object instead of text
  --label TEXT    copied into the JSON object
";

/// What the run does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Echo,
    Line,
    Job,
    Fair,
    Connect,
    Idle,
    BulkDown,
    BulkEcho,
}

/// When a connection may send its next messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// All of the batch have been answered: a whole batch follows in one write.
    Batch,
    /// Any was answered: as many follow. A server that prefers one connection
    /// shows in the tail of the latencies.
    Sliding,
}

/// Whether connections have TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    No,
    /// Each handshake is a whole one.
    Full,
    /// A handshake goes on with a session of one before.
    Resumed,
}

pub struct Options {
    pub mode: Mode,
    pub target: SocketAddr,
    pub clients: usize,
    pub size: usize,
    pub depth: usize,
    pub window: Window,
    pub count: u64,
    pub time: Duration,
    pub warmup: u64,
    pub job: String,
    pub before: u64,
    pub batch: u64,
    pub http: bool,
    pub pace: Duration,
    pub expect: Option<String>,
    pub tls: Tls,
    pub pids: Vec<u32>,
    pub json: bool,
    pub label: String,
}

impl Mode {
    const NAMES: [(&'static str, Mode); 8] = [
        ("echo", Mode::Echo),
        ("line", Mode::Line),
        ("job", Mode::Job),
        ("fair", Mode::Fair),
        ("connect", Mode::Connect),
        ("idle", Mode::Idle),
        ("bulk-down", Mode::BulkDown),
        ("bulk-echo", Mode::BulkEcho),
    ];

    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, mode)| *mode == self).map_or("", |(name, _)| name)
    }

    fn parse(text: &str) -> Result<Mode> {
        Self::NAMES
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, mode)| *mode)
            .ok_or_else(|| format!("unknown mode \"{text}\"\n{USAGE}").into())
    }
}

impl Tls {
    fn parse(text: &str) -> Result<Tls> {
        match text {
            "full" => Ok(Tls::Full),
            "resumed" => Ok(Tls::Resumed),
            _ => Err(format!("--tls {text}: neither full nor resumed").into()),
        }
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            mode: Mode::Echo,
            target: SocketAddr::from(([127, 0, 0, 1], 0)),
            clients: 50,
            size: 10,
            depth: 1,
            window: Window::Batch,
            count: 0,
            time: Duration::from_secs(10),
            warmup: 20,
            job: String::new(),
            before: 0,
            batch: 1000,
            http: false,
            pace: Duration::from_millis(5),
            expect: None,
            tls: Tls::No,
            pids: Vec::new(),
            json: false,
            label: String::new(),
        }
    }
}

impl Options {
    pub fn from_env() -> Result<Options> {
        let mut parser = lexopt::Parser::from_env();
        let mut places = Vec::new();
        let mut count = None;
        let mut options = Options::default();

        while let Some(arg) = parser.next()? {
            match arg {
                Long("clients") => options.clients = parser.value()?.parse()?,
                Long("size") => options.size = parser.value()?.parse()?,
                Long("depth") => options.depth = parser.value()?.parse()?,
                Long("sliding") => options.window = Window::Sliding,
                Long("count") => count = Some(parser.value()?.parse()?),
                Long("seconds") => {
                    options.time = Duration::try_from_secs_f64(parser.value()?.parse()?)?;
                }
                Long("warmup") => options.warmup = parser.value()?.parse()?,
                Long("job") => options.job = parser.value()?.string()?,
                Long("before") => options.before = parser.value()?.parse()?,
                Long("batch") => options.batch = parser.value()?.parse()?,
                Long("http") => options.http = true,
                Long("pace") => {
                    options.pace = Duration::from_millis(parser.value()?.parse()?);
                }
                Long("expect") => options.expect = Some(parser.value()?.string()?),
                Long("tls") => options.tls = Tls::parse(&parser.value()?.string()?)?,
                Long("pid") => options.pids.push(parser.value()?.parse()?),
                Long("json") => options.json = true,
                Long("label") => options.label = parser.value()?.string()?,
                Short('h') | Long("help") => return Err(USAGE.into()),
                Value(value) => places.push(value.string()?),
                _ => return Err(arg.unexpected().into()),
            }
        }

        let [mode, target] = places.as_slice() else {
            return Err(format!("MODE and ADDRESS:PORT are needed\n{USAGE}").into());
        };
        options.mode = Mode::parse(mode)?;
        options.target = target.parse()?;
        options.count = count.unwrap_or(match options.mode {
            Mode::BulkDown | Mode::BulkEcho => 1 << 30,
            _ => 1_000_000,
        });
        if matches!(options.mode, Mode::BulkDown | Mode::BulkEcho) {
            options.clients = 1;
        }
        if options.mode == Mode::Fair {
            options.window = Window::Sliding;
        }
        options.check()?;
        Ok(options)
    }

    fn check(&self) -> Result<()> {
        if !self.target.ip().is_loopback() {
            return Err("only loopback addresses are loaded".into());
        }
        if self.clients == 0 || self.size < 2 || self.depth == 0 || self.batch == 0 {
            return Err("--clients, --depth and --batch start at 1, --size at 2".into());
        }
        if (self.mode == Mode::Job) == self.job.is_empty() {
            return Err("--job goes with the mode job, and with no other".into());
        }
        let by_tls = [Mode::Echo, Mode::Line, Mode::Connect, Mode::Idle];
        if self.tls != Tls::No && !by_tls.contains(&self.mode) {
            return Err("--tls goes with echo, line, connect and idle".into());
        }
        Ok(())
    }
}
