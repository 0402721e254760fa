//! The fourth way: one thread that sleeps for all clients at once, and calls back.
//!
//! `event_loop.rs` knows epoll, and nothing of echoing. This file is the echo server, cut into
//! pieces at each place where it has to wait.

mod event_loop;

use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::epoll::EpollFlags;

use crate::Stats;
use crate::connection::Connection;
use crate::errors::{Retry, after_failed_accept};
use event_loop::EventLoop;

/// Serves all clients on one thread that sleeps in `epoll_wait` while nobody says anything.
///
/// # Errors
/// See [`Serve`](crate::Serve).
pub fn serve(listener: TcpListener, connections: usize) -> io::Result<Stats> {
    listener.set_nonblocking(true)?;
    let mut events = EventLoop::new()?;
    events.add(&listener)?;
    let listener = Listener { socket: listener, left: connections };
    listen(&mut events, listener)?;
    events.run()?;
    Ok(events.stats)
}

struct Listener {
    socket: TcpListener,
    /// How many connections are still to be accepted.
    left: usize,
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Waits for the next connection, or closes the listener if none is left to accept.
fn listen(events: &mut EventLoop, listener: Listener) -> io::Result<()> {
    match listener.left {
        0 => Ok(()),
        _ => events.when(EpollFlags::EPOLLIN, listener, on_connection),
    }
}

fn on_connection(events: &mut EventLoop, mut listener: Listener) -> io::Result<()> {
    match listener.socket.accept() {
        Ok((stream, _)) => {
            listener.left -= 1;
            match start(events, stream) {
                Ok(connection) => events.when(EpollFlags::EPOLLIN, connection, on_readable)?,
                Err(error) => over(events, Err(error))?,
            }
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => events.stats.would_block += 1,
        Err(error) => {
            if after_failed_accept(error)? == Retry::Later {
                // The listener is still readable: with epoll, it would be back at once.
                events.after_a_pause(listener, on_connection);
                return Ok(());
            }
        }
    }
    listen(events, listener)
}

fn start(events: &EventLoop, stream: TcpStream) -> io::Result<Connection> {
    let connection = Connection::new(stream)?;
    events.add(&connection)?;
    Ok(connection)
}

fn on_readable(events: &mut EventLoop, mut connection: Connection) -> io::Result<()> {
    match connection.read() {
        Ok(0) => over(events, Ok(())),
        Ok(_) => on_writable(events, connection),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            events.stats.would_block += 1;
            events.when(EpollFlags::EPOLLIN, connection, on_readable)
        }
        Err(error) => over(events, Err(error)),
    }
}

fn on_writable(events: &mut EventLoop, mut connection: Connection) -> io::Result<()> {
    // EXERCISE 01.4: Ask to be called back
    todo!("01.4: write, and say what to wait for and what to call then");
    // END 01.4
}

/// The end of one connection. What the server goes on with is up to the others.
fn over(events: &mut EventLoop, result: io::Result<()>) -> io::Result<()> {
    events.stats.over(result);
    Ok(())
}
