//! The examples that are of use: what they do, and what they say when they cannot.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use common::{driver, pattern, reset};
use conformance::demo::{Outcome, example, finish_within_deadline};
use conformance::{Server, watch};
use nix::sys::signal::Signal;
use tempfile::NamedTempFile;

fn run(name: &str, arguments: &[&str]) -> Outcome {
    finish_within_deadline(example(name).args(arguments))
}

#[test]
fn cat_prints_a_file_byte_by_byte_as_it_is() {
    if driver(1).is_none() {
        return;
    }
    let text: String = pattern(200_000).into_iter().map(|byte| char::from(byte % 128)).collect();
    for text in ["", "hello", &text] {
        let file = NamedTempFile::new().expect("there is room for a file");
        fs::write(file.path(), text).expect("there is room in the file");
        let outcome =
            run("cat", &[file.path().to_str().expect("a temporary file has a plain name")]);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
        assert!(outcome.stdout == *text);
    }
}

#[test]
fn cat_says_what_it_cannot_print() {
    if driver(1).is_none() {
        return;
    }
    let said = |arguments: &[&str]| {
        let outcome = run("cat", arguments);
        assert_eq!(outcome.stdout, "");
        (outcome.status, outcome.stderr)
    };
    let (status, sentence) = said(&["/no/such/file"]);
    assert_eq!(status, Some(1));
    assert!(
        sentence.starts_with("cat: /no/such/file cannot be printed: No such file"),
        "{sentence}"
    );
    let (status, sentence) = said(&["/"]);
    assert_eq!(status, Some(1));
    assert!(sentence.starts_with("cat: / cannot be printed: Is a directory"), "{sentence}");
    assert_eq!(said(&[]), (Some(2), "usage: cat FILE\n".into()));
}

#[test]
fn both_echo_servers_answer_many_clients_and_survive_one_that_resets() {
    if driver(1).is_none() {
        return;
    }
    for arguments in [&["127.0.0.1:0"][..], &["127.0.0.1:0", "by-hand"]] {
        watch(|| {
            let server = Server::start("ring_echo", arguments);
            let connect = || TcpStream::connect(&server.address).expect("it listens");
            let mut clients: Vec<TcpStream> = (0..20).map(|_| connect()).collect();
            for round in 0..10 {
                let message = format!("round {round}");
                for client in &mut clients {
                    client.write_all(message.as_bytes()).expect("the connection is up");
                }
                for client in &mut clients {
                    let mut answer = vec![0; message.len()];
                    client.read_exact(&mut answer).expect("the connection is up");
                    assert_eq!(answer, message.as_bytes());
                }
                reset(clients.pop().expect("there are more clients than rounds"));
            }
            for mut client in clients {
                client.shutdown(Shutdown::Write).expect("the connection is up");
                assert_eq!(client.read(&mut [0; 8]).expect("it ends in good order"), 0);
            }
            // Not SIGINT: a program that was started in the background of a script ignores that.
            let outcome = server.stop(Signal::SIGTERM);
            assert_eq!((outcome.signal, outcome.stderr.as_str()), (Some(15), ""));
        });
    }
}

#[test]
fn an_echo_server_says_why_it_cannot_serve() {
    if driver(1).is_none() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let busy = listener.local_addr().expect("it is bound").to_string();
    for how in [&[][..], &["by-hand"]] {
        let outcome = run("ring_echo", &[&[busy.as_str()], how].concat());
        assert_eq!(outcome.status, Some(1));
        let said = format!("ring_echo: cannot serve on {busy}: Address already in use");
        assert!(outcome.stderr.starts_with(&said), "{}", outcome.stderr);
        let outcome = run("ring_echo", &[&["nowhere"], how].concat());
        assert_eq!(outcome.status, Some(1));
        let said = "ring_echo: cannot serve on nowhere: invalid socket address";
        assert!(outcome.stderr.starts_with(said), "{}", outcome.stderr);
    }
    for arguments in [&[][..], &["127.0.0.1:0", "by-foot"]] {
        let outcome = run("ring_echo", arguments);
        assert_eq!(outcome.status, Some(2));
        assert!(outcome.stderr.starts_with("usage: ring_echo ADDRESS"), "{}", outcome.stderr);
    }
}
