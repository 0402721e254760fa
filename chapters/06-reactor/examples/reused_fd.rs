//! A descriptor's number is free again as soon as it is closed, and the next file gets it.
//!
//! A task waits to read from a pipe. It gives up: the pipe is deleted from the reactor, and closed.
//! Then a socket is opened, and its owner waits to write. A byte comes in on the socket. Predict: whom
//! does it wake, if `delete` tells the kernel and forgets the slots?
//!
//! ```text
//! cargo run -p ch06-reactor --example reused_fd
//! cargo run -p ch06-reactor --example reused_fd -- mended
//! ```

mod sketch;

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use ch05_executor::Park;
use ch06_reactor::{Direction, Reactor};
use conformance::demo::{self, Version};
use sketch::{Registry, Sketch};

struct Forgetful(Sketch);

impl Registry for Forgetful {
    // ANCHOR: fault
    fn delete(&self, fd: RawFd) -> io::Result<()> {
        // The kernel forgets the descriptor. The wakers stay where they are.
        self.0.unregister(fd)
    }
    // ANCHOR_END: fault

    fn add(&self, source: Rc<dyn AsFd>) -> io::Result<()> {
        self.0.add(source)
    }

    fn arm(&self, fd: RawFd, direction: Direction, cx: &mut Context<'_>) -> io::Result<()> {
        self.0.keep(fd, direction, cx);
        let [read, write] = [Direction::Read, Direction::Write].map(|side| self.0.keeps(fd, side));
        self.0.ask(fd, polling::Event::new(fd as usize, read, write))
    }
}

impl Park for Forgetful {
    fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.park(timeout)
    }

    fn unparker(&self) -> Waker {
        self.0.unparker()
    }
}

/// Somebody who waits, and counts.
#[derive(Default)]
struct Owner {
    wakes: AtomicUsize,
}

impl Wake for Owner {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Relaxed);
    }
}

fn wait(
    owner: &Arc<Owner>,
    reactor: &dyn Registry,
    fd: RawFd,
    direction: Direction,
) -> io::Result<()> {
    let waker = Waker::from(owner.clone());
    reactor.arm(fd, direction, &mut Context::from_waker(&waker))
}

fn main() -> ExitCode {
    demo::run(|version| {
        let reactor: Rc<dyn Registry> = match version {
            Version::Failing => Rc::new(Forgetful(Sketch::new()?)),
            Version::Mended => Rc::new(Reactor::new()?),
        };
        let (old, new) = (Arc::new(Owner::default()), Arc::new(Owner::default()));

        // ANCHOR: story
        let (pipe, _writer) = io::pipe()?;
        let fd = pipe.as_raw_fd();
        reactor.add(Rc::new(pipe))?;
        wait(&old, &*reactor, fd, Direction::Read)?;
        println!("old: I wait to read from fd {fd}, a pipe.");
        reactor.delete(fd)?;
        let kept = Arc::strong_count(&old) - 1;
        println!(
            "old: I give up. fd {fd} is deleted and closed. Wakers of mine still kept: {kept}."
        );

        let (socket, mut peer) = UnixStream::pair()?;
        if socket.as_raw_fd() != fd {
            return Err("The number was not used again, so there is nothing to see.".into());
        }
        socket.set_nonblocking(true)?;
        reactor.add(Rc::new(socket))?;
        println!("new: I have opened a socket. It is fd {fd}, too. I wait to write.");
        wait(&new, &*reactor, fd, Direction::Write)?;

        peer.write_all(b"x")?;
        println!("peer: I have sent a byte to the new socket.");
        reactor.park(None)?;
        // ANCHOR_END: story

        let (old, new) = (old.wakes.load(Relaxed), new.wakes.load(Relaxed));
        println!("Wakes: old {old}, new {new}.");
        if old > 0 {
            return Err(format!("What happens on the new fd {fd} has woken its old owner.").into());
        }
        Ok(())
    })
}
