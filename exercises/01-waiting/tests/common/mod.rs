//! A server on a thread of its own, and what its clients do.
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "each file of tests is a crate, and uses a part of this"
)]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, Builder, JoinHandle};
use std::time::Duration;

use ch01_waiting::{Serve, Stats};
use nix::libc;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{Linger, RcvBuf, SndBuf};

/// Makes a test of each function for each of the servers, called with its `serve`.
macro_rules! suite {
    ([$($way:ident)*] $tests:tt) => {
        $(suite!($way $tests);)*
    };
    ($way:ident [$($test:ident)*]) => {
        mod $way {
            $(
                #[test]
                fn $test() {
                    conformance::watch(|| super::$test(ch01_waiting::$way::serve));
                }
            )*
        }
    };
}
pub(crate) use suite;

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
        let serving = move || {
            let result = serve(listener, connections);
            // For those who ask why a test has failed.
            eprintln!("The server has returned {result:?}.");
            result
        };
        let thread = Builder::new().name("server".to_string()).spawn(serving).unwrap();
        Server { address, thread }
    }

    #[track_caller]
    pub fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(self.address).expect("the server listens");
        setsockopt(&client, RcvBuf, &SOCKET_BUFFER).unwrap();
        setsockopt(&client, SndBuf, &SOCKET_BUFFER).unwrap();
        client
    }

    /// Waits until the server returns.
    #[track_caller]
    pub fn result(self) -> io::Result<Stats> {
        self.thread.join().expect("the server does not panic")
    }

    #[track_caller]
    pub fn stats(self) -> Stats {
        self.result().expect("the server ends well")
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
#[track_caller]
pub fn round_trip(client: &mut TcpStream, message: &[u8]) {
    client.write_all(message).expect("the server is there");
    receive(client, message);
}

/// Sends a message from a thread of its own, so that the client can read meanwhile.
pub fn send(client: &TcpStream, message: &[u8]) -> JoinHandle<()> {
    let (mut client, message) = (client.try_clone().unwrap(), message.to_vec());
    thread::spawn(move || client.write_all(&message).unwrap())
}

/// Waits for these bytes, and no others.
#[track_caller]
pub fn receive(client: &mut TcpStream, expected: &[u8]) {
    let mut received = vec![0; expected.len()];
    client.read_exact(&mut received).expect("the server sends back what it was sent");
    assert!(received == expected, "other bytes came back");
}

/// Says that there is no more to say, and waits until the server has closed its side too.
#[track_caller]
pub fn hang_up(mut client: TcpStream) {
    client.shutdown(Shutdown::Write).expect("the server is there");
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).expect("the server closes its side");
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
#[track_caller]
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
