//! The echo server, as a program.

use std::io::{self, Write};
use std::net::SocketAddr;

use ch05_executor::spawn;
use ch07_tcp::{Runtime, TcpStream};
use conformance::{Server, demo, watch};
use futures::channel::oneshot;
use futures::{AsyncReadExt, AsyncWriteExt};
use nix::sys::signal::Signal;

/// Sends messages of 1 KiB, each different from the one before, and holds every echo against what
/// was sent. Returns the number of messages.
async fn talk(server: SocketAddr, client: usize, messages: usize) -> io::Result<usize> {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let mut answer = vec![0; 1024];
    for number in 0..messages {
        let message: Vec<u8> = (0..1024).map(|place| (client + number + place) as u8).collect();
        stream.write_all(&message).await?;
        stream.read_exact(&mut answer).await?;
        assert!(answer == message, "client {client}, message {number}");
    }
    stream.close().await?;
    assert_eq!(stream.read(&mut answer).await?, 0, "the server closes its side, too");
    Ok(messages)
}

fn load(server: SocketAddr, clients: usize, messages: usize) -> usize {
    Runtime::new()
        .expect("descriptors are left")
        .block_on(async {
            let mut answers = Vec::new();
            for client in 0..clients {
                let (sender, receiver) = oneshot::channel();
                spawn(async move {
                    let _ = sender.send(talk(server, client, messages).await);
                });
                answers.push(receiver);
            }
            let mut total = 0;
            for answer in answers {
                total += answer.await.expect("the task ends")?;
            }
            io::Result::Ok(total)
        })
        .expect("loopback connections do not fail")
}

#[test]
fn every_byte_comes_back_and_no_descriptor_is_left_behind() {
    watch(|| {
        let server = Server::start("echo", &["127.0.0.1:0"]);
        let address = server.address.parse().expect("the server prints an address");
        let before = server.descriptors().len();

        assert_eq!(load(address, 64, 100), 6_400);
        assert_eq!(load(address, 400, 5), 2_000);

        // The last sockets are closed a moment after the client has seen the end.
        while server.descriptors().len() > before {
            std::thread::yield_now();
        }
        assert_eq!(server.stop(Signal::SIGINT).status, Some(0));
    });
}

#[test]
fn a_client_that_breaks_its_connection_ends_nothing_else() {
    watch(|| {
        let server = Server::start("echo", &["127.0.0.1:0"]);
        let address: SocketAddr = server.address.parse().expect("the server prints an address");

        let mut rude = std::net::TcpStream::connect(address).expect("the server listens");
        rude.write_all(b"to be echoed, and never read").expect("the connection is up");
        // The echo is in the receive buffer when this peek returns: closing now sends a reset.
        rude.peek(&mut [0]).expect("the server echoes");
        drop(rude);

        assert_eq!(load(address, 1, 1), 1);
        assert_eq!(server.stop(Signal::SIGTERM).status, Some(0));
    });
}

#[test]
fn ctrl_c_ends_the_server_although_a_client_is_connected() {
    watch(|| {
        let server = Server::start("echo", &["127.0.0.1:0"]);
        let client = std::net::TcpStream::connect(&server.address).expect("the server listens");
        let outcome = server.stop(Signal::SIGINT);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "Bye.\n"));
        assert_eq!(outcome.stderr, "");
        drop(client);
    });
}

#[test]
fn a_bad_or_busy_address_gets_one_line_and_status_1() {
    watch(|| {
        let busy = Server::start("echo", &["127.0.0.1:0"]);
        for (address, reason) in
            [(busy.address.as_str(), "in use"), ("nonsense", "invalid"), ("192.0.2.1:7", "assign")]
        {
            let outcome = demo::finish_within_deadline(demo::example("echo").arg(address));
            assert_eq!(outcome.status, Some(1), "{outcome:?}");
            assert_eq!(outcome.stdout, "");
            let lines: Vec<&str> = outcome.stderr.lines().collect();
            let [line] = lines.as_slice() else { panic!("more than a line: {outcome:?}") };
            assert!(line.starts_with(&format!("echo: cannot serve on {address}: ")), "{line}");
            assert!(line.contains(reason), "{line}");
        }
        let outcome = demo::finish_within_deadline(&mut demo::example("echo"));
        assert_eq!(outcome.status, Some(2));
        assert!(outcome.stderr.starts_with("usage: echo ADDRESS"), "{outcome:?}");
    });
}
