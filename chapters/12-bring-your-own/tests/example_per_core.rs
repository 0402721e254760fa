//! The example `per_core`, as a process.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use conformance::demo::{example, finish_within_deadline};
use conformance::{Server, watch};
use nix::sys::signal::Signal;

/// Asks once, on a connection of its own. Returns the number of the core that has answered.
fn ask(server: &Server) -> usize {
    let address = server.address.strip_prefix("http://").expect("a URL");
    let mut client = TcpStream::connect(address).expect("the server listens");
    let request = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    client.write_all(request).expect("the connection holds");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("the connection holds");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let (_, core) = answer.split_once("\r\n\r\nHello from core ").expect("a body");
    core.trim_end().trim_end_matches('.').parse().expect("a number")
}

#[test]
fn each_core_serves_some_of_the_clients_and_a_signal_ends_all_of_them() {
    watch(|| {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let server = Server::start("per_core", &["127.0.0.1:0", "3"]);
            let mut served = [0; 3];
            for _ in 0..1000 {
                served[ask(&server)] += 1;
                if !served.contains(&0) {
                    break;
                }
            }
            assert!(!served.contains(&0), "{served:?}");
            let outcome = server.stop(signal);
            assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
            let [zero, one, two] = served;
            let expected = format!(
                "Core 0 has served {zero} clients.\n\
                 Core 1 has served {one} clients.\n\
                 Core 2 has served {two} clients.\n\
                 Bye.\n"
            );
            assert_eq!(outcome.stdout, expected);
        }
    });
}

#[test]
fn it_has_as_many_threads_as_there_are_cores_if_nobody_says_otherwise() {
    watch(|| {
        let server = Server::start("per_core", &["127.0.0.1:0"]);
        let cores = std::thread::available_parallelism().expect("the system tells").get();
        let outcome = server.stop(Signal::SIGINT);
        assert_eq!(outcome.stdout.lines().count(), cores + 1, "{}", outcome.stdout);
    });
}

#[test]
fn a_busy_port_gives_one_line_and_status_1() {
    watch(|| {
        let busy = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = busy.local_addr().expect("it is bound").to_string();
        let outcome = finish_within_deadline(example("per_core").arg(&address));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""));
        let why = "Address already in use (os error 98)";
        assert_eq!(outcome.stderr, format!("per_core: cannot serve on {address}: {why}\n"));
    });
}

#[test]
fn it_says_how_it_is_used() {
    watch(|| {
        let wrong = [&[][..], &["127.0.0.1:0", "0"], &["127.0.0.1:0", "many"], &["1", "2", "3"]];
        for arguments in wrong {
            let outcome = finish_within_deadline(example("per_core").args(arguments));
            assert_eq!(outcome.status, Some(2));
            assert!(outcome.stderr.starts_with("usage: per_core ADDRESS [THREADS]"));
        }
        let outcome = finish_within_deadline(example("per_core").arg("nowhere"));
        assert_eq!(outcome.status, Some(1));
        assert!(outcome.stderr.starts_with("per_core: cannot serve on nowhere: "));
    });
}
