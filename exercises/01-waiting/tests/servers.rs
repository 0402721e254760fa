//! What holds for each of the four servers.

mod common;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;

use ch01_waiting::Serve;
use common::{
    Server, hang_up, large_message, listener, receive, reset, round_trip, send, stuff, suite,
};
use nix::sys::socket;
use std::os::fd::AsRawFd;

suite!([blocking threads spin callbacks] [
    what_a_client_sends_comes_back
    fifty_clients_get_back_what_is_theirs
    a_client_that_sends_before_it_reads_gets_all_of_it
    a_client_that_sends_while_it_reads_gets_all_of_it
    after_the_last_byte_the_connection_is_closed
    a_client_that_says_nothing_is_served_well
    a_reset_ends_that_connection_alone
    a_reset_while_the_server_writes_ends_that_connection_alone
    a_reset_before_accept_ends_that_connection_alone
    a_server_for_nobody_returns_at_once
    a_listener_that_is_shut_down_ends_the_server_with_an_error
]);

fn what_a_client_sends_comes_back(serve: Serve) {
    let server = Server::start(serve, 1);
    let mut client = server.connect();
    round_trip(&mut client, b"h");
    round_trip(&mut client, b"ello\n");
    round_trip(&mut client, &[7; 10_000]);
    hang_up(client);
    let stats = server.stats();
    assert_eq!((stats.served, stats.failed), (1, 0));
}

fn fifty_clients_get_back_what_is_theirs(serve: Serve) {
    let server = Server::start(serve, 50);
    thread::scope(|scope| {
        for number in 0..50 {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.connect();
                for _ in 0..10 {
                    round_trip(&mut client, &[number; 100]);
                }
                hang_up(client);
            });
        }
    });
    let stats = server.stats();
    assert_eq!((stats.served, stats.failed), (50, 0));
}

fn a_client_that_sends_before_it_reads_gets_all_of_it(serve: Serve) {
    let server = Server::start(serve, 1);
    let mut client = server.connect();
    let message = large_message();
    let sent = stuff(&mut client, &message);
    client.shutdown(Shutdown::Write).unwrap();
    receive(&mut client, &message[..sent]);
    assert_eq!(client.read(&mut [0]).unwrap(), 0, "then it is closed");
    assert_eq!(server.stats().failed, 0);
}

fn a_client_that_sends_while_it_reads_gets_all_of_it(serve: Serve) {
    let server = Server::start(serve, 1);
    let mut client = server.connect();
    let message = large_message();
    let sender = send(&client, &message);
    receive(&mut client, &message);
    sender.join().unwrap();
    hang_up(client);
    assert_eq!(server.stats().failed, 0);
}

fn after_the_last_byte_the_connection_is_closed(serve: Serve) {
    let server = Server::start(serve, 1);
    let mut client = server.connect();
    client.write_all(b"bye").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut received = Vec::new();
    client.read_to_end(&mut received).unwrap();
    assert_eq!(received, b"bye");
    assert_eq!(server.stats().failed, 0);
}

fn a_client_that_says_nothing_is_served_well(serve: Serve) {
    let server = Server::start(serve, 2);
    drop(server.connect());
    hang_up(server.connect());
    let stats = server.stats();
    assert_eq!((stats.served, stats.failed), (2, 0));
}

fn a_reset_ends_that_connection_alone(serve: Serve) {
    let server = Server::start(serve, 2);
    let mut first = server.connect();
    round_trip(&mut first, b"before");
    reset(first);
    let mut second = server.connect();
    round_trip(&mut second, b"after");
    hang_up(second);
    let stats = server.stats();
    assert_eq!((stats.served, stats.failed), (2, 1));
}

fn a_reset_while_the_server_writes_ends_that_connection_alone(serve: Serve) {
    let server = Server::start(serve, 2);
    let mut first = server.connect();
    stuff(&mut first, &large_message());
    reset(first);
    let mut second = server.connect();
    round_trip(&mut second, b"after");
    hang_up(second);
    let stats = server.stats();
    assert_eq!((stats.served, stats.failed), (2, 1));
}

fn a_reset_before_accept_ends_that_connection_alone(serve: Serve) {
    let listener = listener();
    let address = listener.local_addr().unwrap();
    reset(std::net::TcpStream::connect(address).unwrap());
    let server = Server::start_with(listener, serve, 2);
    let mut second = server.connect();
    round_trip(&mut second, b"after");
    hang_up(second);
    let stats = server.stats();
    assert_eq!((stats.served, stats.failed), (2, 1));
}

fn a_server_for_nobody_returns_at_once(serve: Serve) {
    assert_eq!(Server::start(serve, 0).stats().served, 0);
}

fn a_listener_that_is_shut_down_ends_the_server_with_an_error(serve: Serve) {
    let listener = listener();
    // Not a clone, which would keep a listener open that its server has left.
    let fd = listener.as_raw_fd();
    let server = Server::start_with(listener, serve, 2);
    hang_up(server.connect());
    socket::shutdown(fd, socket::Shutdown::Both).unwrap();
    let error = server.result().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(nix::libc::EINVAL), "{error}");
}
