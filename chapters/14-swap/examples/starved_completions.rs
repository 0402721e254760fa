//! A park with a shortcut, under a task that wakes itself in each poll.
//!
//! A ring needs no call of the kernel to be told of completions: they stand in memory. So this park
//! thinks: if I am asked not to sleep, there is somebody to run, and I need not do anything at all.
//! Client and server are tasks on that ring, and chapter 9's executor visits the park after 61 polls at
//! most. Predict: when does the client hear its echo?
//!
//! `cargo run -p ch14-swap --example starved_completions`
//! `cargo run -p ch14-swap --example starved_completions -- mended`

use std::future::poll_fn;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use ch05_executor::{Park, spawn};
use ch06_reactor::Reactor;
use ch07_tcp::servers::echo;
use ch09_fairness::{Config, Executor};
use ch14_swap::{Doorbell, RingPark, TcpListener, TcpStream, TimeLimit, open_driver};
use conformance::demo::{self, Version};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};

// ANCHOR: fault
/// A ring that is not looked at unless somebody has the time to sleep.
struct Shortcut {
    ring: RingPark,
    version: Version,
}

impl Park for Shortcut {
    fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        let somebody_can_run = timeout == Some(Duration::ZERO);
        if somebody_can_run && self.version == Version::Failing {
            return Ok(());
        }
        self.ring.park(timeout)
    }

    fn unparker(&self) -> Waker {
        self.ring.unparker()
    }
}
// ANCHOR_END: fault

// ANCHOR: program
async fn program() -> io::Result<()> {
    let mut listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    spawn(async move {
        if let Some(Ok(stream)) = listener.next().await {
            // It ends with the program.
            let _ = echo(stream).await;
        }
    });
    let mut stream = TcpStream::connect(address).await?;
    println!("client: I am connected. Now I spawn the spinner, and ask for an echo.");
    spawn(poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
    stream.write_all(b"x").await?;
    stream.read_exact(&mut [0]).await?;
    println!("client: I have my echo.");
    Ok(())
}
// ANCHOR_END: program

fn main() -> ExitCode {
    demo::run(|version| {
        let driver = Rc::new(open_driver(64)?);
        let reactor = Rc::new(Reactor::new()?);
        let bell = Doorbell::multishot()?;
        let ring = RingPark::new(driver.clone(), bell, TimeLimit::Argument, reactor);
        let executor = Executor::new(Shortcut { ring, version }, Config::default());
        ch13_completion::enter(&driver, || executor.block_on(program()))?;
        Ok(())
    })
}
