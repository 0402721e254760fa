//! How the four servers differ: who waits for whom, and how often the kernel is asked in vain.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use ch01_waiting::{Serve, Stats};
use common::{Server, hang_up, large_message, receive, round_trip, stuff, suite};
use conformance::watch;

/// How many messages one client exchanges while others wait.
const ROUND_TRIPS: u64 = 100;

#[test]
fn the_blocking_server_leaves_the_second_client_waiting_for_the_first() {
    watch(|| {
        let server = Server::start(ch01_waiting::blocking::serve, 2);
        let (mut first, mut second) = (server.connect(), server.connect());
        second.write_all(b"me too").unwrap();
        for _ in 0..ROUND_TRIPS {
            round_trip(&mut first, b"me");
        }

        second.set_nonblocking(true).unwrap();
        let error = second.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "it has got nothing");

        second.set_nonblocking(false).unwrap();
        hang_up(first);
        receive(&mut second, b"me too");
        hang_up(second);
        server.stats();
    });
}

suite!([threads spin callbacks] [
    a_silent_client_holds_up_nobody_else
    a_client_that_does_not_read_holds_up_nobody_else
]);

fn a_silent_client_holds_up_nobody_else(serve: Serve) {
    let server = Server::start(serve, 2);
    let (mut silent, mut talker) = (greeted(&server), greeted(&server));
    for _ in 0..ROUND_TRIPS {
        round_trip(&mut talker, b"ping");
    }
    round_trip(&mut silent, b"still here");
    hang_up(silent);
    hang_up(talker);
    server.stats();
}

fn a_client_that_does_not_read_holds_up_nobody_else(serve: Serve) {
    let server = Server::start(serve, 2);
    let mut first = server.connect();
    let message = large_message();
    let sent = stuff(&mut first, &message);

    let mut second = greeted(&server);
    for _ in 0..ROUND_TRIPS {
        round_trip(&mut second, b"ping");
    }
    hang_up(second);
    receive(&mut first, &message[..sent]);
    hang_up(first);
    server.stats();
}

#[test]
fn spinning_asks_every_silent_client_in_vain_on_every_round() {
    let stats = watch(|| serve_beside_silent_clients(ch01_waiting::spin::serve, 10));
    assert!(stats.would_block >= 10 * ROUND_TRIPS, "{stats:?}");
}

#[test]
fn with_epoll_nobody_is_asked_in_vain() {
    let stats = watch(|| serve_beside_silent_clients(ch01_waiting::callbacks::serve, 10));
    assert_eq!(stats.would_block, 0, "{stats:?}");
}

#[test]
fn with_epoll_the_thread_is_woken_only_when_something_happens() {
    let stats = watch(|| serve_beside_silent_clients(ch01_waiting::callbacks::serve, 10));
    // Eleven clients connect, say hello and leave. One of them says something ROUND_TRIPS times.
    assert!(stats.wakeups <= 3 * 11 + ROUND_TRIPS, "{stats:?}");
}

#[test]
fn with_epoll_a_client_that_does_not_read_is_not_tried_again_and_again() {
    let stats = watch(|| {
        let server = Server::start(ch01_waiting::callbacks::serve, 1);
        let mut client = server.connect();
        let message = large_message();
        let sent = stuff(&mut client, &message);
        receive(&mut client, &message[..sent]);
        hang_up(client);
        server.stats()
    });
    // A write is in vain when the socket is full, and is made again when a third of it is free:
    // a few dozen times at most. To wait for the wrong readiness here makes a hundred thousand.
    assert!(stats.would_block < 1000, "{stats:?}");
}

/// One client exchanges messages with the server while others have nothing to say.
fn serve_beside_silent_clients(serve: Serve, silent: usize) -> Stats {
    let server = Server::start(serve, silent + 1);
    let silent: Vec<TcpStream> = (0..silent).map(|_| greeted(&server)).collect();
    let mut talker = greeted(&server);
    for _ in 0..ROUND_TRIPS {
        round_trip(&mut talker, b"ping");
    }
    hang_up(talker);
    silent.into_iter().for_each(hang_up);
    server.stats()
}

/// A client that the server has accepted for sure, because it answered.
fn greeted(server: &Server) -> TcpStream {
    let mut client = server.connect();
    round_trip(&mut client, b"hello");
    client
}
