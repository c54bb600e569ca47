//! bench-async-nats: the jobs of bench/nats, done by async-nats.
//!
//! Listens on the loopback port of its first argument; a client sends a line,
//! "JOB COUNT SIZE", and gets the seconds that the job took. The second argument
//! is the port of the NATS server. All is done in one thread, as in a worker of
//! nginx, and each job has connections of its own.

#![forbid(unsafe_code)]

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use async_nats::{Client, ConnectOptions, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use tokio::runtime;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let port: u16 = arguments.next().ok_or("no port")?.parse()?;
    let server: u16 = arguments.next().ok_or("no port of the server")?.parse()?;
    for client in TcpListener::bind(("127.0.0.1", port))?.incoming() {
        if let Err(err) = answer(client?, server) {
            eprintln!("bench-async-nats: {err}");
        }
    }
    Ok(())
}

fn answer(mut client: TcpStream, server: u16) -> Result<()> {
    let mut line = String::new();
    BufReader::new(&client).read_line(&mut line)?;
    // Its end closes the connections and drops the tasks that are left.
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(job(&line, server)) {
        Ok(time) => writeln!(client, "{}", time.as_secs_f64())?,
        Err(err) => writeln!(client, "{err}")?,
    }
    Ok(())
}

async fn job(line: &str, server: u16) -> Result<Duration> {
    let words: Vec<_> = line.split_whitespace().collect();
    let &[name, count, size] = words.as_slice() else {
        return Err(format!("no job: {line}").into());
    };
    let (count, size) = (count.parse()?, size.parse()?);
    match name {
        "publish" => publish(server, count, size).await,
        "subscribe" => subscribe(server, count, size).await,
        "request" => request(server, count, size, 1).await,
        "requests" => request(server, count, size, 32).await,
        _ => Err(format!("no job {name}").into()),
    }
}

async fn publish(server: u16, count: usize, size: usize) -> Result<Duration> {
    let (client, mut barrier) = connect(server, 1).await?;
    let begin = Instant::now();
    publish_all(&client, "bench.publish", count, size).await?;
    barrier.pass(&client).await?;
    Ok(begin.elapsed())
}

async fn publish_all(
    client: &Client,
    subject: &'static str,
    count: usize,
    size: usize,
) -> Result<()> {
    let payload = payload(size);
    for _ in 0..count {
        client.publish(subject, payload.clone()).await?;
    }
    Ok(())
}

async fn subscribe(server: u16, count: usize, size: usize) -> Result<Duration> {
    let (publisher, _) = connect(server, 1).await?;
    let (subscriber, mut barrier) = connect(server, count).await?;
    let mut messages = subscriber.subscribe("bench.subscribe").await?;
    barrier.pass(&subscriber).await?;
    let begin = Instant::now();
    // A client that is dropped with its task would lose what is not sent yet.
    let client = publisher.clone();
    let publishing = tokio::spawn(async move {
        publish_all(&client, "bench.subscribe", count, size).await
    });
    for _ in 0..count {
        let message = messages.next().await.ok_or("subscription ended")?;
        if message.payload.len() != size {
            return Err("message of another size".into());
        }
    }
    let time = begin.elapsed();
    publishing.await??;
    Ok(time)
}

/// Requests, `flying` of them in flight, to a service behind another connection.
async fn request(
    server: u16,
    count: usize,
    size: usize,
    flying: usize,
) -> Result<Duration> {
    let (service, mut barrier) = connect(server, flying).await?;
    let (client, _) = connect(server, flying).await?;
    let mut requests = service.subscribe("bench.request").await?;
    barrier.pass(&service).await?;
    tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            let Some(reply) = request.reply else { continue };
            if service.publish(reply, request.payload).await.is_err() {
                return;
            }
        }
    });
    let begin = Instant::now();
    let each = count / flying;
    let askers = (0..flying).map(|_| tokio::spawn(ask(client.clone(), each, size)));
    for ended in join_all(askers).await {
        ended??;
    }
    Ok(begin.elapsed())
}

async fn ask(client: Client, count: usize, size: usize) -> Result<()> {
    let payload = payload(size);
    for _ in 0..count {
        let answer = client.request("bench.request", payload.clone()).await?;
        if answer.payload.len() != size {
            return Err("answer of another size".into());
        }
    }
    Ok(())
}

fn payload(size: usize) -> Bytes {
    Bytes::from(vec![b'x'; size])
}

/// A connection that keeps up to `pending` messages of a subscription.
async fn connect(server: u16, pending: usize) -> Result<(Client, Barrier)> {
    let options = ConnectOptions::new().subscription_capacity(pending.max(1024));
    let client = options.connect(format!("127.0.0.1:{server}")).await?;
    let mut barrier = Barrier::new(&client).await?;
    barrier.pass(&client).await?;
    Ok((client, barrier))
}

/// A subscription of the connection to a subject of its own. A message that has
/// come back by it shows that the server has all that was sent before; flush()
/// shows no more than that the kernel has it.
struct Barrier {
    subject: String,
    messages: Subscriber,
}

impl Barrier {
    async fn new(client: &Client) -> Result<Self> {
        let subject = client.new_inbox();
        let messages = client.subscribe(subject.clone()).await?;
        Ok(Self { subject, messages })
    }

    async fn pass(&mut self, client: &Client) -> Result<()> {
        client.publish(self.subject.clone(), Bytes::new()).await?;
        self.messages.next().await.ok_or("subscription ended")?;
        Ok(())
    }
}
