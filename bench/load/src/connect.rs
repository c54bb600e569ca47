//! Connections of one request each: connect, send, read to the end, close.
//!
//! The server closes first, so that the ports that wait in TIME_WAIT are its
//! own and the run does not run out of client ports.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::Result;
use crate::args::Options;
use crate::pattern::Pattern;
use crate::report::{self, Latencies, Meter, Outcome};
use crate::socket::{Connector, Socket};

const GRACE: Duration = Duration::from_secs(20);

struct Client {
    stream: Socket,
    start: Instant,
    request_sent: bool,
    answer: Vec<u8>,
}

struct Load<'a> {
    options: &'a Options,
    connector: Connector,
    poll: Poll,
    clients: Vec<Option<Client>>,
    request: Vec<u8>,
    answer: Vec<u8>,
    left: u64,
    open: usize,
    done: u64,
    latencies: Latencies,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let (request, answer) = match &options.expect {
        Some(text) => (Vec::new(), text.clone().into_bytes()),
        None => {
            let request = Pattern::new(options).at(0, options.size as u64).to_vec();
            (request.clone(), request)
        }
    };
    let mut load = Load {
        options,
        connector: Connector::new(options)?,
        poll: Poll::new()?,
        clients: (0..options.clients).map(|_| None).collect(),
        request,
        answer,
        left: 0,
        open: 0,
        done: 0,
        latencies: report::latencies(),
    };

    load.drive(options.warmup.max(1) * options.clients as u64, GRACE)?;
    load.done = 0;
    load.latencies = report::latencies();

    let meter = Meter::start(options)?;
    load.drive(options.count, options.time)?;
    let bytes = load.done * load.answer.len() as u64;
    meter.outcome(options, load.done, bytes, load.latencies)
}

impl Load<'_> {
    fn drive(&mut self, count: u64, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        let mut events = Events::with_capacity(1024);

        self.left = count;
        for number in 0..self.clients.len() {
            self.open(number)?;
        }

        while self.open > 0 {
            self.poll.poll(&mut events, Some(Duration::from_millis(100)))?;
            let now = Instant::now();
            if now > end {
                self.left = 0;
            }
            if now > end + GRACE {
                return Err(format!("{} connections without end", self.open).into());
            }
            for event in &events {
                let Token(number) = event.token();
                if event.is_writable() {
                    self.send(number)?;
                }
                if event.is_readable() && self.receive(number)? {
                    self.open(number)?;
                }
            }
        }
        Ok(())
    }

    fn open(&mut self, number: usize) -> Result<()> {
        if self.left == 0 {
            return Ok(());
        }

        self.left -= 1;
        let start = Instant::now();
        let stream = TcpStream::connect(self.options.target)?;
        let mut stream = self.connector.begin(stream)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        stream.register(self.poll.registry(), Token(number), interest)?;
        let answer = Vec::with_capacity(self.answer.len());
        self.clients[number] =
            Some(Client { stream, start, request_sent: false, answer });
        self.open += 1;
        Ok(())
    }

    fn send(&mut self, number: usize) -> Result<()> {
        let Some(client) = &mut self.clients[number] else {
            return Ok(());
        };
        if client.request_sent || self.request.is_empty() {
            return Ok(client.stream.flush()?);
        }

        if let Some(err) = client.stream.take_error()? {
            return Err(err.into());
        }
        let n = client.stream.write(&self.request)?;
        if n < self.request.len() {
            return Err("the request does not fit into the socket's buffer".into());
        }
        client.request_sent = true;
        Ok(())
    }

    /// Reads what is there; true when the server has closed the connection.
    fn receive(&mut self, number: usize) -> Result<bool> {
        let Some(client) = &mut self.clients[number] else {
            return Ok(false);
        };
        let mut buffer = [0; 4096];
        loop {
            match client.stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => client.answer.extend_from_slice(&buffer[..n]),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(err) => return Err(err.into()),
            }
        }

        if client.answer != self.answer {
            let answer = client.answer.escape_ascii().to_string();
            return Err(format!("wrong answer \"{answer}\"").into());
        }
        report::record(&mut self.latencies, client.start.elapsed(), 1);
        self.clients[number] = None;
        self.open -= 1;
        self.done += 1;
        Ok(true)
    }
}
