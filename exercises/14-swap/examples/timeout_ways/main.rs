//! Four ways to get a timeout into a ring, and what each costs:
//! `cargo run -q -p ch14-swap --example timeout_ways`. Not with `--release`: the numbers are counted in the
//! trace, which a release build leaves out.
//!
//! The first table is a task that sleeps for a millisecond again and again. In the second, a client asks
//! an echo server on the same ring, and allows each answer a minute, which none of them needs. In the
//! third, 64 clients do so at once.

mod ways;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use ch05_executor::spawn;
use ch07_tcp::servers::echo;
use ch08_timers::{sleep, timeout};
use ch14_swap::{TcpListener, TcpStream};
use futures::channel::mpsc;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use trace::{Event, OpKind, Recording};
use ways::{Bench, Way};

const SLEEPS: u64 = 500;
const REQUESTS: u64 = 6_400;

type Failure = Box<dyn Error>;

/// What was counted.
#[derive(Clone, Copy)]
struct Counts {
    timeouts: u64,
    cancels: u64,
    submissions: u64,
    enters: u64,
}

impl Counts {
    /// What there is so far.
    fn take(bench: &Bench, recording: &Recording) -> Counts {
        let (mut timeouts, mut cancels) = (0, 0);
        for event in recording.events() {
            match event {
                Event::Sqe { kind: OpKind::Timeout, .. } => timeouts += 1,
                Event::OpCancel { .. } => cancels += 1,
                _ => {}
            }
        }
        let counts = bench.driver.counts();
        Counts { timeouts, cancels, submissions: counts.submissions, enters: counts.enters }
    }

    /// What has come since then.
    fn since(self, earlier: Counts) -> [u64; 4] {
        [
            self.timeouts - earlier.timeouts,
            self.cancels - earlier.cancels,
            self.submissions - earlier.submissions,
            self.enters - earlier.enters,
        ]
    }
}

async fn sleep_again_and_again() -> Result<(), Failure> {
    for _ in 0..SLEEPS {
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

async fn ask(mut stream: TcpStream, requests: u64) -> Result<(), Failure> {
    let mut answer = [0; 64];
    for _ in 0..requests {
        timeout(Duration::from_secs(60), async {
            stream.write_all(&[7; 64]).await?;
            stream.read_exact(&mut answer).await
        })
        .await??;
    }
    Ok(())
}

async fn connect_to_an_echo_server(clients: u64) -> Result<Vec<TcpStream>, Failure> {
    let mut listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let mut connected = Vec::new();
    for _ in 0..clients {
        connected.push(TcpStream::connect(address).await?);
        let stream = listener.next().await.ok_or("the listener has ended")??;
        spawn(async move {
            // It ends with its client.
            let _ = echo(stream).await;
        });
    }
    Ok(connected)
}

/// Runs a load with each of the four ways, and prints a line for each.
fn table<F>(
    what: &str,
    number: u64,
    clients: u64,
    load: impl Fn(Option<TcpStream>) -> F,
) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>> + 'static,
{
    println!("\n{what}");
    println!("                 timeouts    cancels   submissions     calls   calls for each");
    for way in Way::ALL {
        let recording = Recording::new();
        let _attached = recording.attach();
        let bench = Bench::new(way)?;
        let spent = bench.block_on(async {
            let streams = connect_to_an_echo_server(clients).await?;
            sleep(Duration::from_millis(1)).await;
            let before = Counts::take(&bench, &recording);
            let (finish, mut finished) = mpsc::unbounded();
            // As tasks, because a main future rings the bell when it is woken.
            let mut streams = streams.into_iter();
            for _ in 0..clients.max(1) {
                let (task, finish) = (load(streams.next()), finish.clone());
                spawn(async move {
                    // Nobody listens any more if another one has failed.
                    let _ = finish.unbounded_send(task.await);
                });
            }
            drop(finish);
            while let Some(result) = finished.next().await {
                result?;
            }
            Ok::<_, Failure>(Counts::take(&bench, &recording).since(before))
        })?;
        let [timeouts, cancels, submissions, enters] = spent;
        let each = enters as f64 / number as f64;
        println!(
            "{:<14} {timeouts:>10} {cancels:>10} {submissions:>13} {enters:>9} {each:>16.2}",
            format!("{way:?}")
        );
    }
    Ok(())
}

fn run() -> Result<(), Failure> {
    if !trace::ENABLED {
        return Err("a release build has no trace to count in: leave out --release".into());
    }
    table(&format!("{SLEEPS} sleeps of 1 ms, one after the other"), SLEEPS, 0, |_| {
        sleep_again_and_again()
    })?;
    for clients in [1, 64] {
        let requests = REQUESTS / clients;
        let who = if clients == 1 { "one client" } else { "64 clients at once" };
        let what = format!("{REQUESTS} requests of {who}, each with a timeout that never fires");
        table(&what, REQUESTS, clients, |stream| async move {
            ask(stream.ok_or("there is a stream for each client")?, requests).await
        })?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("timeout_ways: {error}");
            ExitCode::FAILURE
        }
    }
}
