//! The server without futures: one loop around the two queues.

mod common;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use ch13_completion::by_hand::echo;
use common::{driver, pattern, reset};
use conformance::watch;

/// Serves so many connections on a thread of its own. `None` if there is no ring here.
fn serve(connections: usize) -> Option<(SocketAddr, JoinHandle<io::Result<()>>)> {
    driver(1)?;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    Some((address, thread::spawn(move || echo(&listener, connections))))
}

fn end(server: JoinHandle<io::Result<()>>) {
    server.join().expect("it does not panic").expect("it had all that it needs");
}

fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).expect("it listens")
}

fn talk(client: &mut TcpStream, message: &[u8]) {
    client.write_all(message).expect("the connection is up");
    let mut answer = vec![0; message.len()];
    client.read_exact(&mut answer).expect("the connection is up");
    assert!(answer == message);
}

#[test]
fn what_a_client_says_comes_back_and_the_end_is_answered_with_an_end() {
    watch(|| {
        let Some((address, server)) = serve(1) else { return };
        let mut client = connect(address);
        for message in ["a", "hello", "and some more"] {
            talk(&mut client, message.as_bytes());
        }
        client.shutdown(Shutdown::Write).expect("the connection is up");
        assert_eq!(client.read(&mut [0; 8]).expect("it ends in good order"), 0);
        end(server);
    });
}

#[test]
fn for_nobody_it_returns_at_once() {
    watch(|| {
        let Some((_, server)) = serve(0) else { return };
        end(server);
    });
}

#[test]
fn three_hundred_clients_are_served_at_once_though_the_queue_is_shorter() {
    watch(|| {
        let Some((address, server)) = serve(300) else { return };
        let arrive = |number: usize| {
            let mut client = connect(address);
            // It has been accepted then, and the queue of the listener does not fill.
            talk(&mut client, number.to_string().as_bytes());
            client
        };
        let mut clients: Vec<TcpStream> = (0..300).map(arrive).collect();
        for round in 0..5 {
            // All have said something before the first one listens.
            let message = |number: usize| format!("client {number} in round {round}");
            for (number, client) in clients.iter_mut().enumerate() {
                client.write_all(message(number).as_bytes()).expect("the connection is up");
            }
            for (number, client) in clients.iter_mut().enumerate() {
                let mut answer = vec![0; message(number).len()];
                client.read_exact(&mut answer).expect("the connection is up");
                assert_eq!(answer, message(number).as_bytes());
            }
        }
        drop(clients);
        end(server);
    });
}

#[test]
fn a_mebibyte_goes_through_one_connection() {
    watch(|| {
        let Some((address, server)) = serve(1) else { return };
        let client = connect(address);
        let mut writer = client.try_clone().expect("a descriptor is left");
        let sending = thread::spawn(move || {
            writer.write_all(&pattern(1 << 20))?;
            writer.shutdown(Shutdown::Write)
        });
        let mut answer = Vec::new();
        let mut reader = client;
        reader.read_to_end(&mut answer).expect("the connection is up");
        assert!(answer == pattern(1 << 20));
        sending.join().expect("it does not panic").expect("the connection is up");
        end(server);
    });
}

#[test]
fn a_client_that_does_not_listen_for_a_while_misses_nothing() {
    watch(|| {
        let Some((address, server)) = serve(1) else { return };
        let mut client = connect(address);
        let (mut said, mut heard) = (0, Vec::new());
        let text = pattern(20 << 20);
        // Until all buffers are full, and the server cannot send what it has heard.
        client.set_nonblocking(true).expect("a socket can be non-blocking");
        let mut stuck = 0;
        while stuck < 1000 && said < text.len() {
            match client.write(&text[said..]) {
                Ok(length) => said += length,
                Err(_) => stuck += 1,
            }
            thread::yield_now();
        }
        client.set_nonblocking(false).expect("a socket can be blocking");
        client.shutdown(Shutdown::Write).expect("the connection is up");
        client.read_to_end(&mut heard).expect("it ends in good order");
        assert!(heard == text[..said]);
        end(server);
    });
}

#[test]
fn a_client_that_resets_its_connection_ends_that_alone() {
    watch(|| {
        let Some((address, server)) = serve(3) else { return };
        let (mut stays, mut goes) = (connect(address), connect(address));
        talk(&mut stays, b"here");
        talk(&mut goes, b"here, too");
        // With an answer on its way, and without one.
        goes.write_all(&pattern(100_000)).expect("the connection is up");
        reset(goes);
        let comes = connect(address);
        reset(comes);
        for _ in 0..100 {
            talk(&mut stays, b"still here");
        }
        drop(stays);
        end(server);
    });
}

#[test]
fn more_clients_than_were_asked_for_are_not_accepted() {
    watch(|| {
        let Some((address, server)) = serve(2) else { return };
        let (mut one, mut two, mut three) = (connect(address), connect(address), connect(address));
        three.write_all(b"hello?").expect("the kernel takes it");
        talk(&mut one, b"first");
        talk(&mut two, b"second");
        drop((one, two));
        end(server);
        // The listener has gone with the server, and those who were in its queue.
        let ended = three.read(&mut [0; 8]).expect_err("nobody has ever read what it said");
        assert_eq!(ended.kind(), ErrorKind::ConnectionReset);
    });
}
