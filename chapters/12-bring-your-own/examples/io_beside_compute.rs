//! A client says something to an echo server, again and again. Beside them a task counts prime
//! numbers. It does not block, it does not sleep, it is plain work: less than a tenth of a second for a
//! CPU, in which a thousand answers would have their place.
//!
//! Predict: how many answers does the client get while the primes are counted?
//!
//! `cargo run -p ch12-bring-your-own --example io_beside_compute`
//! `cargo run -p ch12-bring-your-own --example io_beside_compute -- mended`

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;

use ch07_tcp::servers::echo;
use ch07_tcp::{TcpListener, TcpStream};
use ch10_join_cancel::{AbortOnDrop, spawn};
use ch11_threads::{Config, Runtime};
use ch12_bring_your_own::DedicatedExecutor;
use conformance::demo::{self, Version};
use futures::{AsyncReadExt, AsyncWriteExt};

const END: u32 = 200_000;

/// Counts the primes below [`END`], the slow way.
async fn count_primes() -> usize {
    let is_prime = |n: &u32| !(2..=n.isqrt()).any(|divisor| n.is_multiple_of(divisor));
    (2..END).filter(is_prime).count()
}

fn main() -> ExitCode {
    demo::run(|version| Runtime::new(Config::default())?.block_on(run(version)))
}

async fn run(version: Version) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let server = listener.local_addr()?;
    let _server = AbortOnDrop(spawn(async move { echo(listener.accept().await?.0).await }));
    let answers = Rc::new(Cell::new(0));
    let _client = AbortOnDrop(spawn(ask(server, answers.clone())));
    while answers.get() < 3 {
        ch09_fairness::yield_now().await;
    }
    println!("client: I say hello to the server, and get an answer each time.");

    // ANCHOR: compute
    println!("main: let us count the primes below {END}.");
    let before = answers.get();
    let primes = match version {
        Version::Failing => spawn(count_primes()).await?,
        Version::Mended => {
            let executor = DedicatedExecutor::new("compute", 1)?;
            executor.spawn(count_primes()).await?
        }
    };
    println!("main: there are {primes}.");
    let meanwhile = answers.get() - before;
    // ANCHOR_END: compute

    match meanwhile {
        0 => Err("The client has had no answer meanwhile. One task had the thread.".into()),
        _ => {
            println!("The client was answered meanwhile.");
            Ok(())
        }
    }
}

async fn ask(server: SocketAddr, answers: Rc<Cell<u32>>) -> io::Result<()> {
    let mut stream = TcpStream::connect(server).await?;
    loop {
        stream.write_all(b"hello").await?;
        stream.read_exact(&mut [0; 5]).await?;
        answers.set(answers.get() + 1);
    }
}
