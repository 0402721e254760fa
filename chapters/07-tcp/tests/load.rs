//! The load, as a program.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use conformance::demo::{self, Outcome};
use conformance::{Server, watch};

fn load(arguments: &[&str]) -> Outcome {
    demo::finish_within_deadline(demo::example("load").args(arguments))
}

#[test]
fn it_counts_the_messages_that_came_back() {
    watch(|| {
        let server = Server::start("echo", &["127.0.0.1:0"]);
        let outcome = load(&[&server.address, "3", "4"]);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        assert!(outcome.stdout.starts_with("12 messages in "), "{outcome:?}");
        assert!(outcome.stdout.ends_with(" messages per second\n"), "{outcome:?}");
    });
}

/// A server that answers its only client's first 1 KiB by `answer`.
fn answering(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    thread::spawn(move || {
        let mut client = listener.accept().expect("the load connects").0;
        client.read_exact(&mut [0; 1024]).expect("the load sends");
        // The load may have seen enough before it has all.
        let _ = client.write_all(&answer);
        let _ = client.read_to_end(&mut Vec::new());
    });
    address
}

#[test]
fn it_fails_in_one_line() {
    watch(|| {
        let sent: Vec<u8> = (0..1024).map(|place| place as u8).collect();
        let mut one_wrong = sent.clone();
        one_wrong[1023] ^= 1;
        let one_more = [sent.as_slice(), b"!"].concat();
        let nobody = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
        let nobody = nobody.expect("a port is free").to_string();
        for (server, reason) in [
            (answering(one_wrong), "the echo of message 0 differs from it"),
            (answering(one_more), "the server sends more than it was sent"),
            (nobody, "Connection refused (os error 111)"),
        ] {
            let outcome = load(&[&server, "1", "1"]);
            assert_eq!(outcome.status, Some(1), "{outcome:?}");
            assert_eq!(outcome.stderr, format!("load: connection 0: {reason}\n"));
            assert_eq!(outcome.stdout, "");
        }
    });
}

#[test]
fn wrong_usage_gets_one_line_and_status_2() {
    for arguments in [&["127.0.0.1:7000", "1"][..], &["nonsense", "1", "1"], &["[::1]:1", "x", "1"]]
    {
        let outcome = load(arguments);
        assert_eq!(outcome.status, Some(2), "{outcome:?}");
        assert!(outcome.stderr.starts_with("usage: load ADDRESS"), "{outcome:?}");
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    }
}
