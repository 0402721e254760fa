//! Fault S3: two tasks wait for one socket, and one of them is forgotten.
//!
//! One task wants to write, but the socket is full. Another wants to read, but nothing has come.
//! Both leave their wakers with a reactor that asks the kernel for what was armed, just as it is
//! armed. Then the peer makes room. Predict: who is woken?
//!
//! ```text
//! cargo run -p ch06-reactor --example reader_disarms_writer
//! cargo run -p ch06-reactor --example reader_disarms_writer -- mended
//! ```

mod sketch;

use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ch05_executor::{Executor, Park, spawn};
use ch06_reactor::{Direction, Reactor};
use conformance::demo::{self, Version};
use futures::channel::oneshot;
use sketch::{Registry, Sketch};

struct AsArmed(Sketch);

impl Registry for AsArmed {
    // ANCHOR: fault
    fn arm(&self, fd: RawFd, direction: Direction, cx: &mut Context<'_>) -> io::Result<()> {
        self.0.keep(fd, direction, cx);
        let interest = match direction {
            Direction::Read => polling::Event::readable(fd as usize),
            Direction::Write => polling::Event::writable(fd as usize),
        };
        self.0.ask(fd, interest)
    }
    // ANCHOR_END: fault

    fn add(&self, source: Rc<dyn AsFd>) -> io::Result<()> {
        self.0.add(source)
    }

    fn delete(&self, fd: RawFd) -> io::Result<()> {
        self.0.unregister(fd)
    }
}

impl Park for AsArmed {
    fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.park(timeout)
    }

    fn unparker(&self) -> Waker {
        self.0.unparker()
    }
}

fn main() -> ExitCode {
    demo::run(|version| {
        let reactor: Rc<dyn Registry> = match version {
            Version::Failing => Rc::new(AsArmed(Sketch::new()?)),
            Version::Mended => Rc::new(Reactor::new()?),
        };
        let (socket, peer) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        peer.set_nonblocking(true)?;
        let socket = Rc::new(socket);
        reactor.add(socket.clone())?;

        Executor::new(reactor.clone()).block_on(async {
            let (written, is_written) = oneshot::channel();
            let writer = start(writer(reactor.clone(), socket.clone(), written));
            let reader = start(reader(reactor.clone(), socket.clone()));
            let peer = start(answer(peer, is_written));
            for task in [writer, reader, peer] {
                task.await??;
            }
            reactor.delete(socket.as_raw_fd())?;
            println!("All three tasks are done.");
            Ok(())
        })
    })
}

// ANCHOR: tasks
/// Wants to write.
async fn writer(
    reactor: Rc<dyn Registry>,
    socket: Rc<UnixStream>,
    written: oneshot::Sender<()>,
) -> io::Result<()> {
    fill(&socket)?;
    println!("writer: the socket is full. I wait until there is room.");
    when(&*reactor, &socket, Direction::Write, |mut socket| socket.write(b"?")).await?;
    println!("writer: there is room, and my question is sent.");
    // The peer is there until it has heard of this.
    let _ = written.send(());
    Ok(())
}

/// Wants to read.
async fn reader(reactor: Rc<dyn Registry>, socket: Rc<UnixStream>) -> io::Result<()> {
    println!("reader: there is nothing to read. I wait until something comes.");
    when(&*reactor, &socket, Direction::Read, |mut socket| socket.read(&mut [0])).await?;
    println!("reader: I have read the answer.");
    Ok(())
}

/// Makes room, waits for the question, answers it.
async fn answer(peer: UnixStream, is_written: oneshot::Receiver<()>) -> io::Result<()> {
    drain(&peer)?;
    println!("peer:   I have taken everything out. There is room in the socket now.");
    if is_written.await.is_ok() {
        (&peer).write_all(b"!")?;
        println!("peer:   I have sent an answer.");
    }
    Ok(())
}
// ANCHOR_END: tasks

/// Tries. If that would block, leaves a waker with the reactor, and tries again when it is woken.
async fn when<T>(
    reactor: &dyn Registry,
    socket: &UnixStream,
    direction: Direction,
    mut operation: impl FnMut(&UnixStream) -> io::Result<T>,
) -> io::Result<T> {
    poll_fn(|cx| match operation(socket) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            reactor.arm(socket.as_raw_fd(), direction, cx)?;
            Poll::Pending
        }
        result => Poll::Ready(result),
    })
    .await
}

/// Spawns a task, and gives back what tells its end.
fn start(
    task: impl Future<Output = io::Result<()>> + 'static,
) -> oneshot::Receiver<io::Result<()>> {
    let (done, is_done) = oneshot::channel();
    spawn(async move {
        // Nobody listens any more when another task has failed.
        let _ = done.send(task.await);
    });
    is_done
}

fn fill(mut socket: &UnixStream) -> io::Result<()> {
    until_it_would_block(|| socket.write(&[0; 65536]))
}

fn drain(mut socket: &UnixStream) -> io::Result<()> {
    let mut buffer = [0; 65536];
    until_it_would_block(|| socket.read(&mut buffer))
}

fn until_it_would_block(mut operation: impl FnMut() -> io::Result<usize>) -> io::Result<()> {
    loop {
        match operation() {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
