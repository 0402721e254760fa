//! The first way: one thread, one client at a time.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::errors::{PAUSE, Retry, after_failed_accept, uninterrupted};
use crate::{BUFFER, Stats};

/// Serves one client to its end, then the next.
///
/// # Errors
/// See [`Serve`](crate::Serve).
pub fn serve(listener: TcpListener, connections: usize) -> io::Result<Stats> {
    let mut stats = Stats::default();
    for _ in 0..connections {
        let stream = accept(&listener)?;
        stats.over(echo(stream));
    }
    Ok(stats)
}

/// Sends back what one client sends, until it has no more to say.
pub(crate) fn echo(mut stream: TcpStream) -> io::Result<()> {
    // EXERCISE 01.1: Echo until the client has no more to say
    todo!("01.1: send back what the client sends, until it has no more to say");
    // END 01.1
}

/// Waits for the next connection, whatever happens to those before it.
pub(crate) fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    loop {
        match listener.accept() {
            Ok((stream, _)) => return Ok(stream),
            Err(error) => match after_failed_accept(error)? {
                Retry::Now => {}
                Retry::Later => thread::sleep(PAUSE),
            },
        }
    }
}
