//! The examples, as programs that run.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;

use conformance::demo::{self, Outcome};
use conformance::{Server, skip, watch};
use mini_runtime::{Builder, DriverKind};
use nix::sys::signal::Signal;

/// The names of the drivers that there are here.
fn drivers() -> Vec<&'static str> {
    let mut drivers = vec!["epoll"];
    match Builder::new().driver(DriverKind::IoUring).build() {
        Ok(_) => drivers.push("io_uring"),
        Err(error) => skip(format_args!("no io_uring here: {error}")),
    }
    drivers
}

fn example(name: &str, driver: &str, arguments: &[&str]) -> Command {
    let mut command = demo::example(name);
    command.args(arguments).env("MINI_RUNTIME_DRIVER", driver);
    command
}

fn finish(name: &str, driver: &str, arguments: &[&str]) -> Outcome {
    demo::finish_within_deadline(&mut example(name, driver, arguments))
}

/// Runs a server, and something with its address. No descriptor is left when the clients have gone.
fn with_server(name: &'static str, talk: fn(&str)) {
    watch(move || {
        for driver in drivers() {
            let server = Server::run(&mut example(name, driver, &["127.0.0.1:0"]));
            talk(&server.address);
            let outcome = server.stop(Signal::SIGTERM);
            assert_eq!(outcome.signal, Some(Signal::SIGTERM as i32), "{outcome:?}");
            assert!(outcome.stdout.contains(&format!("on {driver}")), "{outcome:?}");
            assert_eq!(outcome.stderr, "");
        }
    });
}

fn connect(address: &str) -> BufReader<TcpStream> {
    BufReader::new(TcpStream::connect(address).expect("it listens"))
}

fn say(stream: &mut BufReader<TcpStream>, text: &str) {
    stream.get_mut().write_all(text.as_bytes()).expect("it is connected");
}

fn line(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).expect("it is connected");
    line
}

/// The head of an answer, and its body.
fn answer(stream: &mut BufReader<TcpStream>, has_body: bool) -> (String, String) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let line = line(stream);
        assert!(!line.is_empty(), "it ends in the middle: {head:?}");
        head.push_str(&line);
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let length: usize = length.expect("it says how long it is").parse().expect("a number");
    let mut body = vec![0; if has_body { length } else { 0 }];
    stream.read_exact(&mut body).expect("it is all there");
    (head, String::from_utf8(body).expect("it is text"))
}

#[test]
fn http_answers_request_after_request_and_knows_what_it_does_not_know() {
    with_server("mini_http", |address| {
        let mut client = connect(address);
        say(&mut client, "GET / HTTP/1.1\r\nHost: here\r\n\r\n");
        let (head, body) = answer(&mut client, true);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(body, "Hello from mini-runtime.\n");
        // Two at once, and the second one in pieces.
        say(&mut client, "POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloHEAD / HT");
        assert_eq!(answer(&mut client, true).1, "hello");
        say(&mut client, "TP/1.1\r\n\r\n");
        let (head, _) = answer(&mut client, false);
        assert!(head.contains("Content-Length: 25\r\n"), "{head}");
        // A body that is longer than one read.
        let long = "x".repeat(50_000);
        say(&mut client, &format!("POST /echo HTTP/1.1\r\nContent-Length: 50000\r\n\r\n{long}"));
        assert_eq!(answer(&mut client, true).1, long);
        for (request, status) in [
            ("GET /nothing HTTP/1.1\r\n\r\n", "404 Not Found"),
            ("DELETE / HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
        ] {
            say(&mut client, request);
            assert!(answer(&mut client, true).0.contains(status));
        }
        say(&mut client, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
        assert!(answer(&mut client, true).0.contains("Connection: close\r\n"));
        assert_eq!(line(&mut client), "", "that was the last");
        for (request, status) in [
            ("nonsense\r\n\r\n", "400 Bad Request"),
            ("POST /echo HTTP/1.1\r\nContent-Length: many\r\n\r\n", "400 Bad Request"),
            ("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "501 Not Implemented"),
            ("POST /echo HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n", "413 Content Too Large"),
        ] {
            let mut client = connect(address);
            say(&mut client, request);
            assert!(answer(&mut client, true).0.contains(status));
            assert_eq!(line(&mut client), "", "nobody knows where the next one begins");
        }
    });
}

/// Connects to the chat, and waits until everybody knows.
fn enter(address: &str, name: &str, others: usize) -> BufReader<TcpStream> {
    let mut client = connect(address);
    say(&mut client, &format!("{name}\n"));
    assert_eq!(line(&mut client), format!("* welcome, {name}: {others} others are here\n"));
    client
}

#[test]
fn in_the_chat_everybody_hears_the_others() {
    with_server("mini_chat", |address| {
        let mut ada = enter(address, "Ada", 0);
        let mut bob = enter(address, "Bob", 1);
        assert_eq!(line(&mut ada), "* Bob is here\n");
        say(&mut bob, "hello\r\nare you ");
        assert_eq!(line(&mut ada), "Bob: hello\n");
        say(&mut ada, "I am\n");
        assert_eq!(line(&mut bob), "Ada: I am\n");
        say(&mut bob, "there?\n");
        assert_eq!(line(&mut ada), "Bob: are you there?\n");
        let mut eve = enter(address, "Eve", 2);
        assert_eq!(line(&mut ada), "* Eve is here\n");
        assert_eq!(line(&mut bob), "* Eve is here\n");
        drop(bob);
        assert_eq!(line(&mut ada), "* Bob has gone\n");
        assert_eq!(line(&mut eve), "* Bob has gone\n");
        say(&mut eve, &"x".repeat(5000));
        assert_eq!(line(&mut ada), "* Eve has gone\n");
    });
}

#[test]
fn a_client_of_the_chat_that_does_not_read_is_cut_off() {
    with_server("mini_chat", |address| {
        let mut mute = enter(address, "Mute", 0);
        let mut loud = enter(address, "Loud", 1);
        assert_eq!(line(&mut mute), "* Loud is here\n");
        // More than the sockets and the channel hold. Nobody waits for the one who does not read.
        let text = "x".repeat(1000);
        for _ in 0..20_000 {
            say(&mut loud, &format!("{text}\n"));
        }
        let mut heard = Vec::new();
        mute.read_to_end(&mut heard).expect("it is closed, and not reset");
        assert!(heard.len() < 20_000 * 1000);
        drop(mute);
        // Alone now, and still heard.
        assert_eq!(line(&mut loud), "* Mute has gone\n");
    });
}

#[test]
fn the_timer_storm_ends_and_tells_how_late_the_sleeps_were() {
    for driver in drivers() {
        let outcome = finish("mini_timer_storm", driver, &["2000"]);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
        let first = format!("2000 sleeps on {driver}, late by\n");
        assert!(outcome.stdout.starts_with(&first), "{outcome:?}");
        assert_eq!(outcome.stdout.lines().count(), 4);
    }
    let outcome = finish("mini_timer_storm", "auto", &["many"]);
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stderr.starts_with("usage: "), "{outcome:?}");
}

#[test]
fn the_workers_of_the_cross_thread_example_serve_all_clients() {
    for driver in drivers() {
        let outcome = finish("mini_cross_thread", driver, &[]);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
        let last = format!("together 1000 clients, on {driver}\n");
        assert!(outcome.stdout.ends_with(&last), "{outcome:?}");
        let served = outcome.stdout.lines().filter(|line| line.contains("has served"));
        assert_eq!(served.count(), 2);
    }
}

#[test]
fn a_busy_port_and_a_bad_address_are_told_in_a_sentence() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let busy = holder.local_addr().expect("it is bound").to_string();
    for name in ["mini_echo", "mini_http", "mini_chat"] {
        for (address, why) in [(busy.as_str(), "in use"), ("nowhere", "needs a port")] {
            let outcome = finish(name, "auto", &[address]);
            assert_eq!(outcome.status, Some(1), "{outcome:?}");
            let start = format!("{name}: cannot serve on {address}: ");
            assert!(outcome.stderr.starts_with(&start), "{outcome:?}");
            assert!(outcome.stderr.contains(why), "{outcome:?}");
        }
        assert_eq!(finish(name, "auto", &[]).status, Some(2));
    }
}

#[test]
fn echo_sends_back_what_it_is_sent() {
    watch(|| {
        for driver in drivers() {
            let server = Server::run(&mut example("mini_echo", driver, &["127.0.0.1:0"]));
            let (address, on) = server.address.split_once(", on ").expect("it says what it is on");
            assert_eq!(on, driver);
            let mut client = connect(address);
            say(&mut client, "hello\n");
            assert_eq!(line(&mut client), "hello\n");
        }
    });
}
