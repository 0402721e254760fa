//! A server on a thread of its own, and what its clients do.
#![allow(dead_code, reason = "each file of tests is a crate, and uses a part of this")]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ch01_waiting::{Serve, Stats};
use nix::libc;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{Linger, RcvBuf, SndBuf};

pub struct Server {
    pub address: SocketAddr,
    thread: JoinHandle<io::Result<Stats>>,
}

impl Server {
    /// Starts a server that returns after so many connections.
    pub fn start(serve: Serve, connections: usize) -> Server {
        Server::start_with(listener(), serve, connections)
    }

    pub fn start_with(listener: TcpListener, serve: Serve, connections: usize) -> Server {
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || serve(listener, connections));
        Server { address, thread }
    }

    pub fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(self.address).unwrap();
        setsockopt(&client, RcvBuf, &SOCKET_BUFFER).unwrap();
        setsockopt(&client, SndBuf, &SOCKET_BUFFER).unwrap();
        client
    }

    /// Waits until the server returns.
    pub fn result(self) -> io::Result<Stats> {
        self.thread.join().unwrap()
    }

    pub fn stats(self) -> Stats {
        self.result().unwrap()
    }
}

/// What each socket may keep, in each direction. (The kernel doubles it, for its own needs.) Where
/// it is free to choose, it takes many megabytes, and a write seldom has to wait.
const SOCKET_BUFFER: usize = 64 << 10;

pub fn listener() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // The connections that it accepts inherit these.
    setsockopt(&listener, RcvBuf, &SOCKET_BUFFER).unwrap();
    setsockopt(&listener, SndBuf, &SOCKET_BUFFER).unwrap();
    listener
}

/// Sends a message, and waits until it is back.
pub fn round_trip(client: &mut TcpStream, message: &[u8]) {
    client.write_all(message).unwrap();
    receive(client, message);
}

/// Waits for these bytes, and no others.
pub fn receive(client: &mut TcpStream, expected: &[u8]) {
    let mut received = vec![0; expected.len()];
    client.read_exact(&mut received).unwrap();
    assert!(received == expected, "other bytes came back");
}

/// Says that there is no more to say, and waits until the server has closed its side too.
pub fn hang_up(mut client: TcpStream) {
    client.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"", "nothing was left to send");
}

/// Ends a connection without a goodbye: the server is told ECONNRESET.
pub fn reset(client: TcpStream) {
    let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
    setsockopt(&client, Linger, &at_once).unwrap();
    drop(client);
}

/// Far more than all the buffers between a client's `write` and its `read` can hold. It repeats
/// after 251 bytes, a number that no buffer's size is a multiple of.
pub fn large_message() -> Vec<u8> {
    let block: Vec<u8> = (0..=250).collect();
    block.repeat((64 * SOCKET_BUFFER) / block.len())
}

/// Sends and does not read, until every buffer between here and the server's `write` is full.
/// Gives the number of bytes that went out.
pub fn stuff(client: &mut TcpStream, message: &[u8]) -> usize {
    // If 100 ms are not enough, the buffers are not quite full, and the test proves a bit less.
    client.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut sent = 0;
    loop {
        match client.write(&message[sent..]) {
            Ok(n) => sent += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
        assert!(sent < message.len(), "the buffers hold less than this");
    }
    client.set_write_timeout(None).unwrap();
    sent
}
