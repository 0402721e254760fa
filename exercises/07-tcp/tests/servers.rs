//! The echo server's loop, without a program around it: in memory, and over a socket.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

use ch07_tcp::servers::echo;
use ch07_tcp::{Runtime, TcpListener, TcpStream};
use conformance::{check_trace, watch};
use futures::executor::block_on;
use futures::future::join;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};

/// A client in memory, whose bytes come and go in pieces.
struct Client<'a> {
    /// What it still has to say.
    to_say: &'a [u8],
    said: usize,
    heard: Vec<u8>,
    /// The longest pieces that it says, and hears.
    pieces: (usize, usize),
    /// Whether it was told that this was all.
    closed: bool,
}

impl<'a> Client<'a> {
    fn new(to_say: &'a [u8], pieces: (usize, usize)) -> Client<'a> {
        Client { to_say, said: 0, heard: Vec::new(), pieces, closed: false }
    }
}

impl AsyncRead for Client<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        assert_eq!(self.heard.len(), self.said, "bytes heard, before more is read");
        let length = self.pieces.0.min(buffer.len()).min(self.to_say.len());
        let (piece, rest) = self.to_say.split_at(length);
        buffer[..length].copy_from_slice(piece);
        self.to_say = rest;
        self.said += length;
        Poll::Ready(Ok(length))
    }
}

impl AsyncWrite for Client<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let length = self.pieces.1.min(bytes.len());
        self.heard.extend_from_slice(&bytes[..length]);
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closed = true;
        Poll::Ready(Ok(()))
    }
}

/// More than any buffer holds, with a period that no buffer size shares.
fn long() -> Vec<u8> {
    (0..100_000).map(|place| (place % 251) as u8).collect()
}

#[test]
fn echo_sends_back_what_has_come_before_it_reads_on() {
    watch(|| {
        let long = long();
        for pieces in [(1000, usize::MAX), (usize::MAX, usize::MAX)] {
            let mut client = Client::new(&long, pieces);
            block_on(echo(&mut client)).expect("nothing breaks in memory");
            assert!(client.heard == long);
        }
    });
}

#[test]
fn echo_sends_all_of_it_to_a_client_that_takes_it_in_small_pieces() {
    watch(|| {
        let long = long();
        for pieces in [(1000, 1), (usize::MAX, 999)] {
            let mut client = Client::new(&long, pieces);
            block_on(echo(&mut client)).expect("nothing breaks in memory");
            assert!(client.heard == long);
        }
    });
}

#[test]
fn echo_closes_its_side_when_the_client_has_said_all() {
    watch(|| {
        for text in ["", "some words"] {
            let mut client = Client::new(text.as_bytes(), (4, 4));
            block_on(echo(&mut client)).expect("nothing breaks in memory");
            assert_eq!((client.heard.as_slice(), client.closed), (text.as_bytes(), true));
        }
    });
}

fn over_a_socket<F>(talk: impl FnOnce(TcpStream) -> F + Send + 'static) -> io::Result<()>
where
    F: Future<Output = io::Result<()>>,
{
    watch(|| {
        let runtime = Runtime::new()?;
        let echoed = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let connect = TcpStream::connect(listener.local_addr()?);
            let (accepted, client) = join(listener.accept(), connect).await;
            let (echoed, talked) = join(echo(accepted?.0), talk(client?)).await;
            talked.expect("the client has no trouble");
            echoed
        });
        drop(runtime);
        check_trace();
        echoed
    })
}

#[test]
fn echo_ends_without_an_error_when_the_client_closes_its_side() {
    over_a_socket(async |mut client| {
        let mut answer = [0; 5];
        for _ in 0..10 {
            client.write_all(b"hello").await?;
            client.read_exact(&mut answer).await?;
            assert_eq!(answer, *b"hello");
        }
        client.close().await?;
        assert_eq!(client.read(&mut answer).await?, 0);
        Ok(())
    })
    .expect("the connection has not broken");
}

#[test]
fn echo_ends_with_the_error_of_a_connection_that_breaks() {
    let error = over_a_socket(async |client| {
        let at_once = linger { l_onoff: 1, l_linger: 0 };
        setsockopt(&client, sockopt::Linger, &at_once)?;
        Ok(())
    })
    .expect_err("the client has reset the connection");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}
