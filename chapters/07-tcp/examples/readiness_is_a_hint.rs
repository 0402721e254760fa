//! Two tasks wait to read from the same connection, each through a descriptor of its own. One byte
//! arrives. The kernel reports both descriptors as readable, and both tasks are woken.
//!
//! Predict: what does the second task find when it reads?
//!
//! Run `cargo run -p ch07-tcp --example readiness_is_a_hint`, and then with `-- mended`.

use std::error::Error;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::Poll;

use ch05_executor::{Executor, spawn};
use ch06_reactor::{Direction, Reactor};
use ch07_tcp::Runtime;
use conformance::demo::{self, Version};
use futures::AsyncReadExt;
use futures::StreamExt;
use futures::channel::mpsc;
use trace::{Event, Io, emit};

fn main() -> ExitCode {
    demo::run(|version| match version {
        Version::Failing => trusting(),
        Version::Mended => trying(),
    })
}

/// A connection: two descriptors for its one end, and the other end.
fn connection() -> io::Result<([TcpStream; 2], TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let peer = TcpStream::connect(listener.local_addr()?)?;
    let one = listener.accept()?.0;
    Ok(([one.try_clone()?, one], peer))
}

// ANCHOR: trusting
// ANCHOR: trusting_read
/// Arms, waits for the wake, and reads in the belief that there is something to read.
async fn trusting_read(stream: Rc<TcpStream>, reactor: Rc<Reactor>) -> io::Result<u8> {
    let mut armed = false;
    poll_fn(|cx| {
        if armed {
            return Poll::Ready(Ok(()));
        }
        armed = true;
        match reactor.arm(stream.as_raw_fd(), Direction::Read, cx) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    })
    .await?;
    let mut byte = [0];
    let read = (&*stream).read_exact(&mut byte);
    let result = if read.is_ok() { Io::Done } else { Io::WouldBlock };
    emit!(Event::Try { fd: stream.as_raw_fd(), slot: trace::Direction::Read, result });
    read?;
    Ok(byte[0])
}
// ANCHOR_END: trusting_read

fn trusting() -> Result<(), Box<dyn Error>> {
    let (ends, mut peer) = connection()?;
    let reactor = Rc::new(Reactor::new()?);
    let executor = Executor::new(reactor.clone());
    executor.block_on(async {
        let (log, mut heard) = mpsc::unbounded();
        for (number, stream) in ends.map(Rc::new).into_iter().enumerate() {
            reactor.add(stream.clone())?;
            let (reactor, log) = (reactor.clone(), log.clone());
            spawn(async move {
                let result = trusting_read(stream, reactor).await;
                log.unbounded_send((number, result)).expect("the main future listens");
            });
        }
        peer.write_all(b"x")?;
        println!("One byte is on its way to two tasks that wait for it.");
        for _ in 0..2 {
            let (number, result) = heard.next().await.expect("a task reads");
            match result {
                Ok(byte) => println!("Task {number} was woken, and read {:?}.", byte as char),
                Err(error) => {
                    println!("Task {number} was woken, too.");
                    return Err(format!("Its read failed: {error}").into());
                }
            }
        }
        Ok(())
    })
}
// ANCHOR_END: trusting

// ANCHOR: trying
fn trying() -> Result<(), Box<dyn Error>> {
    let (ends, mut peer) = connection()?;
    Runtime::new()?.block_on(async {
        let (log, mut heard) = mpsc::unbounded();
        for (number, stream) in ends.into_iter().enumerate() {
            let mut stream = ch07_tcp::TcpStream::from_std(stream)?;
            let log = log.clone();
            spawn(async move {
                let mut byte = [0];
                let result = stream.read_exact(&mut byte).await.map(|()| byte[0] as char);
                log.unbounded_send((number, result)).expect("the main future listens");
            });
        }
        for sent in *b"xy" {
            peer.write_all(&[sent])?;
            let (number, result) = heard.next().await.expect("a task reads");
            println!("Sent {:?}: task {number} read {:?}.", sent as char, result?);
        }
        println!("Whoever found nothing had itself woken once more.");
        Ok(())
    })
}
// ANCHOR_END: trying
