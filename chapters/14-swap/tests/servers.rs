//! The servers of chapters 7 and 12, as programs, on either driver.

mod common;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::thread;

use common::driver;
use conformance::demo::{example, finish_within_deadline};
use conformance::{Server, skip, watch};
use nix::sys::signal::Signal;

const EXAMPLES: [&str; 3] = ["swapped_echo", "swapped_http", "swapped_hyper"];

/// The words for the drivers that there are here, and what the server sleeps on then.
fn drivers() -> Vec<(&'static str, &'static str)> {
    match driver(8) {
        Some(_) => vec![("epoll", "epoll"), ("ring", "a ring"), ("auto", "a ring")],
        None => vec![("epoll", "epoll"), ("auto", "epoll")],
    }
}

/// Starts an example. Returns where it listens, and on what it sleeps.
fn started(server: &Server) -> (SocketAddr, &str) {
    let (address, sleeps_on) = server.address.split_once(", on ").expect("it says so");
    let address = address.strip_prefix("http://").unwrap_or(address);
    (address.parse().expect("an address"), sleeps_on)
}

/// Runs a client beside an example on each driver, and ends the example with a signal.
fn with_each(name: &'static str, client: impl Fn(SocketAddr) + Send + 'static) {
    watch(move || {
        for (word, expected) in drivers() {
            let server = Server::start(name, &["127.0.0.1:0", word]);
            let (address, sleeps_on) = started(&server);
            assert_eq!(sleeps_on, expected);
            client(address);
            says_bye(server, Signal::SIGINT);
        }
    });
}

fn says_bye(server: Server, signal: Signal) {
    let outcome = server.stop(signal);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "Bye.\n"));
    assert_eq!(outcome.stderr, "");
}

fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).expect("the server listens")
}

/// What is said, and what comes back until the server closes.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut client = connect(address);
    client.write_all(request.as_bytes()).expect("the connection holds");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("the connection holds");
    answer
}

/// What curl prints. `None` where there is none.
fn curl(arguments: &[&str]) -> Option<String> {
    let mut curl = Command::new("curl");
    let output = curl.args(["--silent", "--show-error", "--max-time", "20"]).args(arguments);
    let Output { status, stdout, stderr } = match output.output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            skip("there is no curl here");
            return None;
        }
        output => output.expect("curl can be started"),
    };
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).expect("a text"));
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
    Some(stdout)
}

#[test]
fn echo_sends_every_byte_back_to_many_clients() {
    with_each("swapped_echo", |address| {
        thread::scope(|scope| {
            for number in 0..16_u8 {
                scope.spawn(move || {
                    let mut client = connect(address);
                    let mut echo = vec![0; 1024];
                    for round in 0..50 {
                        let message = vec![number ^ round; 1024];
                        client.write_all(&message).expect("the connection holds");
                        client.read_exact(&mut echo).expect("the connection holds");
                        assert!(echo == message);
                    }
                });
            }
        });
        // More than any buffer, and a client that says that this was all.
        let mut client = connect(address);
        let mut reader = client.try_clone().expect("descriptors are left");
        let all: Vec<u8> = (0..1_000_000).map(|place| (place % 251) as u8).collect();
        let sent = all.clone();
        let writer = thread::spawn(move || {
            client.write_all(&sent).expect("the connection holds");
            client.shutdown(std::net::Shutdown::Write).expect("the connection holds");
            client
        });
        let mut heard = Vec::new();
        reader.read_to_end(&mut heard).expect("the connection holds");
        assert!(heard == all);
        drop(writer.join().expect("no panic"));
    });
}

#[test]
fn http_answers_request_after_request_on_one_connection() {
    let request = |path| format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n");
    let last = "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    for name in ["swapped_http", "swapped_hyper"] {
        let requests = [&request("/"), &request("/nowhere"), last].map(str::to_owned).concat();
        with_each(name, move |address| {
            let answers = ask(address, &requests);
            let status: Vec<&str> =
                answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
            assert_eq!(status, ["200", "404", "200"], "{answers}");
        });
    }
}

#[test]
fn curl_needs_one_connection_for_two_requests() {
    for name in ["swapped_http", "swapped_hyper"] {
        with_each(name, |address| {
            let url = format!("http://{address}/");
            let format = "%{http_code} %{num_connects}\n";
            let asked = ["--output", "/dev/null", "--write-out", format, &url];
            if let Some(text) = curl(&[&asked[..], &["--output", "/dev/null", &url]].concat()) {
                assert_eq!(text, "200 1\n200 0\n");
            }
        });
    }
}

#[test]
fn hyper_gives_back_what_is_posted_and_has_a_clock() {
    with_each("swapped_hyper", |address| {
        let body: String = (0..200_000).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
        let length = body.len();
        let answer = ask(
            address,
            &format!(
                "POST /echo HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
                 Content-Length: {length}\r\n\r\n{body}"
            ),
        );
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with(&body));
        let slow = "GET /slow HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        assert!(ask(address, slow).ends_with("A tenth of a second later.\n"));
    });
}

#[test]
fn http_serves_the_files_of_a_directory() {
    watch(|| {
        for (word, _) in drivers() {
            let chapter = env!("CARGO_MANIFEST_DIR");
            let server = Server::start("swapped_http", &["127.0.0.1:0", word, chapter]);
            let (address, _) = started(&server);
            let request = "GET /src/lib.rs HTTP/1.0\r\n\r\n";
            assert!(ask(address, request).ends_with(include_str!("../src/lib.rs")));
            says_bye(server, Signal::SIGTERM);
        }
    });
}

// ANCHOR: signals
#[test]
fn a_signal_ends_each_of_them_although_clients_stay() {
    watch(|| {
        for name in EXAMPLES {
            for (word, _) in drivers() {
                for signal in [Signal::SIGINT, Signal::SIGTERM] {
                    let server = Server::start(name, &["127.0.0.1:0", word]);
                    let (address, _) = started(&server);
                    let clients = [(); 3].map(|()| connect(address));
                    says_bye(server, signal);
                    drop(clients);
                }
            }
        }
    });
}
// ANCHOR_END: signals

#[test]
fn a_busy_or_bad_address_gets_one_line_and_status_1() {
    watch(|| {
        let busy = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let busy = busy.local_addr().expect("it is bound").to_string();
        for name in EXAMPLES {
            for (word, _) in drivers() {
                for address in [busy.as_str(), "nonsense"] {
                    let outcome = finish_within_deadline(example(name).args([address, word]));
                    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""));
                    let said = format!("{name}: cannot serve on {address}: ");
                    assert!(outcome.stderr.starts_with(&said), "{}", outcome.stderr);
                    assert_eq!(outcome.stderr.lines().count(), 1);
                }
            }
        }
    });
}

#[test]
fn they_say_how_they_are_used() {
    watch(|| {
        for name in EXAMPLES {
            for arguments in [&[][..], &["127.0.0.1:0", "kqueue"], &["1", "ring", "3", "4"]] {
                let outcome = finish_within_deadline(example(name).args(arguments));
                assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""));
                let usage = format!("usage: {name} ADDRESS [auto|epoll|ring");
                assert!(outcome.stderr.starts_with(&usage), "{}", outcome.stderr);
            }
        }
    });
}

// ANCHOR: no_ring
/// The command that runs an example where `io_uring_setup` fails like this. `None` where strace cannot
/// be used.
fn without_io_uring(error: &str, name: &str, driver: &str) -> Option<Command> {
    let inject = format!("inject=io_uring_setup:error={error}");
    // With -D the example is the child, and the tracer is not.
    let strace = |command: &[&str]| {
        let mut strace = Command::new("strace");
        strace.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", &inject]).args(command);
        strace
    };
    match strace(&["true"]).output() {
        Ok(output) if output.status.success() && output.stderr.is_empty() => {}
        _ => {
            skip("there is no strace here, or it may not trace");
            return None;
        }
    }
    let example = example(name);
    let program = example.get_program().to_str().expect("a path that is a text");
    Some(strace(&[program, "127.0.0.1:0", driver]))
}

#[test]
fn where_io_uring_fails_the_ring_is_refused_in_a_sentence_and_auto_takes_epoll() {
    watch(|| {
        for (error, why) in [("EPERM", "io_uring is forbidden here"), ("ENOSYS", "no io_uring")] {
            for name in EXAMPLES {
                let Some(mut ring) = without_io_uring(error, name, "ring") else { return };
                let outcome = finish_within_deadline(&mut ring);
                assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""));
                let said = &outcome.stderr;
                assert!(said.starts_with(&format!("{name}: ")) && said.contains(why), "{said}");
                assert_eq!(said.lines().count(), 1);
            }
            let Some(mut auto) = without_io_uring(error, "swapped_echo", "auto") else { return };
            assert_eq!(echoes_once(&mut auto), "epoll");
        }
    });
}
// ANCHOR_END: no_ring

/// Starts an echo server, has an echo, and ends it. Returns what it slept on.
fn echoes_once(command: &mut Command) -> String {
    let server = Server::run(command);
    let (address, sleeps_on) = started(&server);
    let sleeps_on = sleeps_on.to_owned();
    let mut client = connect(address);
    client.write_all(b"hello").expect("the connection holds");
    client.read_exact(&mut [0; 5]).expect("the connection holds");
    drop(client);
    says_bye(server, Signal::SIGINT);
    sleeps_on
}

// ANCHOR: older
#[test]
fn a_kernel_that_does_not_know_the_newer_flags_gives_an_older_kind_of_ring() {
    watch(|| {
        if driver(8).is_none() {
            return;
        }
        // The flags of 6.1 are refused, and then those of 5.19, too.
        for refused in ["EINVAL:when=1", "EINVAL:when=1..2"] {
            let Some(mut ring) = without_io_uring(refused, "swapped_echo", "ring") else { return };
            assert_eq!(echoes_once(&mut ring), "a ring");
        }
        let Some(mut ring) = without_io_uring("EINVAL", "swapped_echo", "ring") else { return };
        assert_eq!(finish_within_deadline(&mut ring).status, Some(1));
    });
}
// ANCHOR_END: older
