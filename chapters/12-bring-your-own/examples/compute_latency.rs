//! Measures what an echo service suffers while something computes: eight tasks, each of which has one
//! batch of prime numbers counted after the other.
//!
//! `cargo run --release -p ch12-bring-your-own --example compute_latency`
//!
//! For each way to compute: the median, the 99th percentile and the longest of the round trips of a
//! client that pauses for a millisecond after each, how many batches are counted per second beside it,
//! and how many echoes a client gets per second that never pauses. Each way is measured three times, in
//! turn, and the time with the lowest 99th percentile is shown: the one that other programs have
//! disturbed least. Takes half a minute, prints a table, writes nothing.

use std::cell::Cell;
use std::hint::black_box;
use std::io;
use std::rc::Rc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use ch07_tcp::servers::echo;
use ch07_tcp::{TcpListener, TcpStream};
use ch08_timers::sleep;
use ch09_fairness::yield_now;
use ch10_join_cancel::{AbortOnDrop, spawn};
use ch11_threads::{Config, Runtime, spawn_blocking};
use ch12_bring_your_own::DedicatedExecutor;
use futures::{AsyncReadExt, AsyncWriteExt};

const ROUNDS: usize = 3;
const TIME: Duration = Duration::from_secs(1);
const TASKS: usize = 8;

/// A batch of work for the CPU: a millisecond or two.
fn count_primes() -> usize {
    let is_prime = |n: &u32| !(2..=n.isqrt()).any(|divisor| n.is_multiple_of(divisor));
    (2..40_000).filter(is_prime).count()
}

// ANCHOR: ways
#[derive(Clone)]
enum Way {
    Nothing,
    SameRuntime,
    Dedicated(Rc<DedicatedExecutor>),
    Blocking,
}

impl Way {
    /// Counts one batch.
    async fn compute(&self) {
        match self {
            Way::Nothing => std::future::pending().await,
            Way::SameRuntime => {
                black_box(count_primes());
                yield_now().await;
            }
            Way::Dedicated(executor) => {
                executor.spawn(async { count_primes() }).await.expect("it counts");
            }
            Way::Blocking => {
                spawn_blocking(count_primes).await.expect("it counts");
            }
        }
    }
}
// ANCHOR_END: ways

fn main() -> io::Result<()> {
    let cores = available_parallelism()?.get();
    let dedicated = |threads| io::Result::Ok(Rc::new(DedicatedExecutor::new("compute", threads)?));
    let ways = [
        ("nothing computes".into(), Way::Nothing),
        ("in the same runtime".into(), Way::SameRuntime),
        ("spawn_blocking".into(), Way::Blocking),
        ("DedicatedExecutor, 1 thread".into(), Way::Dedicated(dedicated(1)?)),
        (format!("DedicatedExecutor, {cores} threads"), Way::Dedicated(dedicated(cores)?)),
    ];
    let mut quietest: Vec<Option<Measured>> = ways.iter().map(|_| None).collect();
    for _ in 0..ROUNDS {
        for ((_, way), best) in ways.iter().zip(&mut quietest) {
            let measured = Runtime::new(Config::default())?.block_on(measure(way))?;
            if best.as_ref().is_none_or(|best| measured.p99 < best.p99) {
                *best = Some(measured);
            }
        }
    }
    println!("This machine has {cores} cores.");
    println!("{:28}   median      p99   longest  batches/s  echoes/s", "");
    for ((name, _), measured) in ways.iter().zip(quietest.into_iter().flatten()) {
        let Measured { median, p99, longest, batches, echoes } = measured;
        let [median, p99, longest] = [median, p99, longest].map(|time| time.as_micros());
        println!("{name:28} {median:5} µs {p99:5} µs {longest:6} µs {batches:10} {echoes:9}");
    }
    Ok(())
}

struct Measured {
    median: Duration,
    p99: Duration,
    longest: Duration,
    batches: u128,
    echoes: u128,
}

// ANCHOR: measure
async fn measure(way: &Way) -> io::Result<Measured> {
    let mut stream = connect_to_an_echo_server().await?;
    let batches = Rc::new(Cell::new(0));
    let computing: Vec<_> = (0..TASKS)
        .map(|_| {
            let (way, batches) = (way.clone(), batches.clone());
            AbortOnDrop(spawn(async move {
                loop {
                    way.compute().await;
                    batches.set(batches.get() + 1);
                }
            }))
        })
        .collect();

    // Most clients say nothing most of the time.
    let mut round_trips = Vec::new();
    let start = Instant::now();
    while start.elapsed() < TIME {
        round_trips.push(echo_once(&mut stream).await?);
        sleep(Duration::from_millis(1)).await;
    }
    let batches = per_second(batches.get(), start);

    // This one wants all that the thread can do.
    let mut echoes = 0;
    let start = Instant::now();
    while start.elapsed() < TIME {
        echo_once(&mut stream).await?;
        echoes += 1;
    }
    let echoes = per_second(echoes, start);

    drop(computing);
    round_trips.sort();
    let count = round_trips.len();
    let (median, p99) = (round_trips[count / 2], round_trips[count * 99 / 100]);
    Ok(Measured { median, p99, longest: round_trips[count - 1], batches, echoes })
}
// ANCHOR_END: measure

async fn echo_once(stream: &mut TcpStream) -> io::Result<Duration> {
    let sent = Instant::now();
    stream.write_all(b"hello").await?;
    stream.read_exact(&mut [0; 5]).await?;
    Ok(sent.elapsed())
}

fn per_second(count: u32, since: Instant) -> u128 {
    u128::from(count) * 1_000 / since.elapsed().as_millis()
}

async fn connect_to_an_echo_server() -> io::Result<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    // It ends with the client.
    drop(spawn(async move { echo(listener.accept().await?.0).await }));
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
