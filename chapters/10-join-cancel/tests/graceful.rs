//! The example `graceful`, as a process.

use std::io::{Read, Write};
use std::net::TcpStream;

use conformance::demo::{example, finish_within_deadline};
use conformance::{Server, watch};
use nix::sys::signal::Signal;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";

/// Connects, and has one answer. The connection stays open.
fn served(server: &Server) -> TcpStream {
    let mut client = TcpStream::connect(&server.address).expect("the server listens");
    client.write_all(GET).expect("the connection is up");
    let mut answer = Vec::new();
    while !answer.ends_with(b"client.</p>\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).expect("the server answers");
        answer.extend(byte);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    client
}

#[test]
fn it_drains_clients_that_leave_when_they_are_told() {
    watch(|| {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let server = Server::start("graceful", &["127.0.0.1:0", "30"]);
            let clients: Vec<_> = (0..3).map(|_| served(&server)).collect();
            // They read to the server's end, on threads of their own, and leave.
            let leave: Vec<_> = clients
                .into_iter()
                .map(|mut client| {
                    std::thread::spawn(move || client.read_to_end(&mut Vec::new()).map(drop))
                })
                .collect();
            let outcome = server.stop(signal);
            for client in leave {
                client.join().expect("reading does not panic").expect("a clean close");
            }
            assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
            let text = "Told to end. Nobody is accepted any more.\n\
                        3 connections came to their end, 0 were cut off. Bye.\n";
            assert_eq!(outcome.stdout, text);
        }
    });
}

#[test]
fn it_cuts_off_clients_that_stay() {
    watch(|| {
        let server = Server::start("graceful", &["127.0.0.1:0", "0"]);
        let _stay = [served(&server), served(&server)];
        let outcome = server.stop(Signal::SIGINT);
        assert_eq!(outcome.status, Some(0));
        assert!(
            outcome.stdout.ends_with("0 connections came to their end, 2 were cut off. Bye.\n")
        );
    });
}

#[test]
fn it_says_how_it_is_used_and_why_it_cannot_serve() {
    for arguments in [&[][..], &["127.0.0.1:0", "soon"], &["127.0.0.1:0", "-1"], &["1", "2", "3"]] {
        let outcome = finish_within_deadline(example("graceful").args(arguments));
        assert_eq!(outcome.status, Some(2));
        assert!(outcome.stderr.starts_with("usage: graceful ADDRESS [SECONDS]"));
    }
    let outcome = finish_within_deadline(example("graceful").arg("nowhere"));
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.stderr.starts_with("graceful: cannot serve on nowhere: "));
}
