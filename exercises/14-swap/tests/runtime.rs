//! Which driver a runtime has, and what runs on both.

mod common;

use std::io;
use std::net;

use ch05_executor::spawn;
use ch07_tcp::servers::{echo, serve};
use ch08_timers::Clock;
use ch14_swap::{Config, DriverKind, Runtime, TcpListener, TcpStream, TimerQueue, open_driver};
use common::{checked, driver, start};
use conformance::panic_text;
use futures::future::{join_all, pending};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};

fn runtime(driver: DriverKind) -> Runtime {
    common::runtime(driver, TimerQueue::Wheel, Clock::real())
}

#[test]
fn each_kind_has_the_driver_that_it_names_and_auto_has_a_ring_where_there_is_one() {
    checked(|| {
        assert!(runtime(DriverKind::Epoll).ring().is_none());
        let has_ring = driver(8).is_some();
        assert_eq!(runtime(DriverKind::Auto).ring().is_some(), has_ring);
        if has_ring {
            assert!(runtime(DriverKind::Ring).ring().is_some());
        }
    });
}

#[test]
fn by_default_the_driver_is_chosen_here_and_the_timers_are_in_a_wheel() {
    checked(|| {
        let Config { driver: kind, timers, entries, .. } = Config::default();
        assert_eq!((kind, timers, entries), (DriverKind::Auto, TimerQueue::Wheel, 256));
        let runtime = Runtime::new(Config::default()).expect("descriptors are left");
        assert_eq!(runtime.ring().is_some(), driver(8).is_some());
        assert_eq!(runtime.pool().threads(), 0);
    });
}

#[test]
fn sockets_are_of_the_driver_that_runs_on_the_thread() {
    checked(|| {
        for kind in [DriverKind::Epoll, DriverKind::Ring] {
            if kind == DriverKind::Ring && driver(8).is_none() {
                return;
            }
            runtime(kind).block_on(async {
                let mut listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
                let address = listener.local_addr().expect("it is bound");
                let client = TcpStream::connect(address).await.expect("it listens");
                let server = listener.next().await.expect("no end").expect("a connection");
                let is_ring = kind == DriverKind::Ring;
                assert_eq!(matches!(listener, TcpListener::Ring(_)), is_ring);
                for stream in [&client, &server] {
                    assert_eq!(matches!(stream, TcpStream::Ring(_)), is_ring);
                    stream.set_nodelay(true).expect("it is connected");
                }
                let there = client.local_addr().expect("it is connected");
                assert_eq!(server.peer_addr().expect("it is connected"), there);
                assert_eq!(server.local_addr().expect("it is connected"), address);
                assert_eq!(client.peer_addr().expect("it is connected"), address);
            });
        }
    });
}

#[test]
fn errors_are_the_same_on_both() {
    checked(|| {
        let busy = net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let busy = busy.local_addr().map(|address| (address, busy)).expect("it is bound");
        for kind in [DriverKind::Epoll, DriverKind::Ring] {
            if kind == DriverKind::Ring && driver(8).is_none() {
                return;
            }
            runtime(kind).block_on(async {
                let error = TcpListener::bind(busy.0).expect_err("somebody listens there");
                assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
                let error = TcpListener::bind("nonsense").expect_err("no address");
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
                let error = TcpStream::connect("nonsense").await.expect_err("no address");
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            });
        }
    });
}

#[test]
fn a_socket_that_is_made_outside_of_a_runtime_panics_and_says_why() {
    let text = panic_text(|| drop(TcpListener::bind("127.0.0.1:0")));
    assert!(text.contains("outside of"), "{text}");
}

#[test]
fn a_ring_has_room_for_as_many_submissions_as_it_was_made_for_and_for_twice_as_many_completions() {
    checked(|| {
        if driver(8).is_none() {
            return;
        }
        for entries in [1, 4, 64, 1024] {
            let parameters = open_driver(entries).expect("descriptors are left").parameters();
            assert_eq!((parameters.sq_entries(), parameters.cq_entries()), (entries, 2 * entries));
        }
        assert!(open_driver(0).is_err());
    });
}

/// Chapter 7's servers and clients in one runtime: so many clients, so many messages each.
async fn echoes(clients: usize, messages: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let handle = |stream: TcpStream| async { echo(stream).await.expect("the client stays") };
    spawn(serve(listener, pending::<()>(), handle, |error| panic!("{error}")));
    let talk = |client: usize| async move {
        let mut stream = TcpStream::connect(address).await?;
        let mut echo = [0; 1024];
        for number in 0..messages {
            let message: [u8; 1024] = std::array::from_fn(|place| (client + number + place) as u8);
            stream.write_all(&message).await?;
            stream.read_exact(&mut echo).await?;
            assert!(echo == message);
        }
        stream.close().await?;
        assert_eq!(stream.read(&mut echo).await?, 0);
        io::Result::Ok(())
    };
    for client in join_all((0..clients).map(|client| start(talk(client)))).await {
        client.expect("the task ends").expect("loopback connections do not fail");
    }
}

#[test]
fn sixty_four_connections_make_a_call_of_the_kernel_for_five_requests_at_most() {
    checked(|| {
        if driver(8).is_none() {
            return;
        }
        let runtime = runtime(DriverKind::Ring);
        runtime.block_on(echoes(64, 100));
        let enters = runtime.ring().expect("it is on a ring").counts().enters;
        assert!(5 * enters <= 6_400, "{enters} calls for 6,400 requests");
    });
}

#[test]
fn a_ring_with_room_for_few_submissions_serves_many_connections() {
    checked(|| {
        if driver(8).is_none() {
            return;
        }
        for entries in [1, 4] {
            let config = Config { driver: DriverKind::Ring, entries, ..Config::default() };
            Runtime::new(config).expect("descriptors are left").block_on(echoes(100, 5));
        }
    });
}
