//! Kept connections on which every message comes back: echo and line.
//!
//! A connection is three positions in its stream of bytes: what may be sent
//! (`issued`), what was (`sent`), and what came back (`received`).

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use crate::Result;
use crate::args::{Options, Window};
use crate::pattern::Pattern;
use crate::report::{self, Latencies, Meter, Outcome};
use crate::socket::{Connector, Socket};

const READ_SIZE: usize = 256 * 1024;

/// After the time of the run, what is outstanding may still come for so long.
const GRACE: Duration = Duration::from_secs(20);

struct Client {
    stream: Socket,
    issued: u64,
    sent: u64,
    received: u64,
    /// When each outstanding message was issued.
    waiting: VecDeque<Instant>,
    /// Bytes of the oldest outstanding message that are back already.
    partial: usize,
}

struct Load<'a> {
    options: &'a Options,
    pattern: Pattern,
    poll: Poll,
    clients: Vec<Client>,
    buffer: Vec<u8>,
    /// Messages that may still be issued.
    left: u64,
    outstanding: u64,
    done: u64,
    latencies: Latencies,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let mut load = Load::new(options)?;

    let warmup = options.warmup.max(1) * options.clients as u64;
    load.drive(warmup, GRACE)?;
    load.done = 0;
    load.latencies = report::latencies();

    let meter = Meter::start(options)?;
    load.drive(options.count, options.time)?;
    let bytes = load.done * options.size as u64;
    meter.outcome(options, load.done, bytes, load.latencies)
}

impl<'a> Load<'a> {
    fn new(options: &'a Options) -> Result<Load<'a>> {
        let pattern = Pattern::new(options);
        let poll = Poll::new()?;
        let connector = Connector::new(options)?;
        let mut clients = Vec::with_capacity(options.clients);

        for number in 0..options.clients {
            let stream = net::TcpStream::connect(options.target)?;
            stream.set_nodelay(true)?;
            let mut stream = connector.shake_hands(stream)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            stream.register(poll.registry(), Token(number), interest)?;
            let start = pattern.start(number);
            clients.push(Client {
                stream,
                issued: start,
                sent: start,
                received: start,
                waiting: VecDeque::with_capacity(options.depth),
                partial: 0,
            });
        }

        Ok(Load {
            options,
            pattern,
            poll,
            clients,
            buffer: vec![0; READ_SIZE],
            left: 0,
            outstanding: 0,
            done: 0,
            latencies: report::latencies(),
        })
    }

    /// Sends `count` messages, or as many as `time` allows, and reads all answers.
    fn drive(&mut self, count: u64, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        let mut events = Events::with_capacity(1024);

        self.left = count;
        for number in 0..self.clients.len() {
            self.issue(number, self.options.depth)?;
        }

        while self.outstanding > 0 {
            self.poll.poll(&mut events, Some(Duration::from_millis(100)))?;
            let now = Instant::now();
            if now > end {
                self.left = 0;
            }
            if now > end + GRACE {
                return Err(
                    format!("{} messages without answer", self.outstanding).into()
                );
            }
            for event in &events {
                let Token(number) = event.token();
                if event.is_readable() {
                    self.receive(number)
                        .map_err(|err| format!("client {number}: {err}"))?;
                }
                if event.is_writable() {
                    self.send(number)?;
                }
            }
        }
        Ok(())
    }

    fn receive(&mut self, number: usize) -> Result<()> {
        let mut completed = 0;
        loop {
            let client = &mut self.clients[number];
            let n = match client.stream.read(&mut self.buffer) {
                Ok(0) => return Err("closed by the server".into()),
                Ok(n) => n,
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => break,
                Err(err) => return Err(err.into()),
            };
            self.pattern.verify(client.received, &self.buffer[..n])?;
            client.received += n as u64;
            client.partial += n;
            let last = n < self.buffer.len() && client.stream.short_read_is_last();
            completed += self.complete(number)?;
            // A short read emptied the socket; the next byte is a new edge.
            if last {
                break;
            }
        }

        match self.options.window {
            Window::Batch if self.clients[number].waiting.is_empty() => {
                self.issue(number, self.options.depth)
            }
            Window::Batch => Ok(()),
            Window::Sliding => self.issue(number, completed),
        }
    }

    /// Takes whole messages off what came; gives their number.
    fn complete(&mut self, number: usize) -> Result<usize> {
        let client = &mut self.clients[number];
        let completed = client.partial / self.options.size;
        if completed == 0 {
            return Ok(0);
        }

        client.partial %= self.options.size;
        let now = Instant::now();
        for _ in 0..completed {
            let since =
                client.waiting.pop_front().ok_or("more came back than was sent")?;
            report::record(&mut self.latencies, now - since, 1);
        }
        self.outstanding -= completed as u64;
        self.done += completed as u64;
        Ok(completed)
    }

    fn issue(&mut self, number: usize, messages: usize) -> Result<()> {
        let messages = self.left.min(messages as u64);
        if messages == 0 {
            return Ok(());
        }

        self.left -= messages;
        self.outstanding += messages;
        let client = &mut self.clients[number];
        client.issued += messages * self.options.size as u64;
        let now = Instant::now();
        client.waiting.extend((0..messages).map(|_| now));
        self.send(number)
    }

    fn send(&mut self, number: usize) -> Result<()> {
        let client = &mut self.clients[number];
        while client.sent < client.issued {
            let part = self.pattern.at(client.sent, client.issued - client.sent);
            match client.stream.write(part) {
                Ok(n) => client.sent += n as u64,
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => break,
                Err(err) => return Err(err.into()),
            }
        }
        client.stream.flush()?;
        Ok(())
    }
}
