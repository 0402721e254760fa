//! The bridges of the example: what goes over them, and what comes back if it goes wrong.

mod common;

#[path = "../examples/bridges.rs"]
#[expect(dead_code, reason = "its `main` is started by tests/demos.rs")]
mod bridges;

use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use bridges::{by_channel, by_handle, by_spawn_blocking, by_thread, serve};
use ch11_threads::Handle;
use common::{all_is_well, runtime};
use conformance::watch;
use futures::channel::oneshot;
use futures::future::select;

type FromSync = fn(&Handle, SocketAddr) -> io::Result<u32>;
const FROM_SYNC: [FromSync; 2] = [by_handle, by_channel];

/// Runs `body` beside a runtime on another thread.
fn beside_a_runtime(body: impl FnOnce(&Handle)) {
    let (give, given) = channel();
    let (stop, stopped) = oneshot::channel();
    let elsewhere = thread::spawn(move || {
        let runtime = runtime(4);
        give.send(runtime.handle()).expect("the test waits");
        runtime.block_on(stopped)
    });
    body(&given.recv().expect("the runtime runs"));
    stop.send(()).expect("the runtime runs");
    elsewhere.join().expect("it does not panic").expect("it was told");
}

/// A port at which nobody listens any more.
fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address")
}

/// A server for one client. Says when it has one, and what it is told to say.
fn server(say: Receiver<&'static str>) -> (SocketAddr, oneshot::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    let (comes, has_come) = oneshot::channel();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client comes");
        // Not every test wants to know.
        let _ = comes.send(());
        if let Ok(words) = say.recv() {
            client.write_all(words.as_bytes()).expect("the client reads");
        }
    });
    (address, has_come)
}

#[test]
#[cfg_attr(miri, ignore = "needs sockets")]
fn the_number_comes_over_each_bridge() {
    watch(|| {
        let address = serve(42).expect("a port is free");
        beside_a_runtime(|handle| {
            for bridge in FROM_SYNC {
                assert_eq!(bridge(handle, address).unwrap(), 42);
            }
        });
        runtime(4).block_on(async {
            assert_eq!(by_spawn_blocking(address).await.unwrap(), 42);
            assert_eq!(by_thread(address).await.unwrap(), 42);
        });
        all_is_well();
    });
}

#[test]
#[cfg_attr(miri, ignore = "needs sockets")]
fn an_error_comes_over_each_bridge_as_it_was() {
    watch(|| {
        let address = closed_port();
        let is_refused = |result: io::Result<u32>| {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        };
        beside_a_runtime(|handle| {
            for bridge in FROM_SYNC {
                is_refused(bridge(handle, address));
            }
        });
        runtime(4).block_on(async {
            is_refused(by_spawn_blocking(address).await);
            is_refused(by_thread(address).await);
        });
        all_is_well();
    });
}

#[test]
#[cfg_attr(miri, ignore = "needs sockets")]
fn words_that_are_no_number_are_an_error() {
    watch(|| {
        let (say, says) = channel();
        let (address, _) = server(says);
        say.send("forty-two").expect("the server waits");
        beside_a_runtime(|handle| {
            assert_eq!(by_handle(handle, address).unwrap_err().kind(), ErrorKind::InvalidData);
        });
    });
}

#[test]
#[cfg_attr(miri, ignore = "needs sockets")]
fn a_bridge_to_a_runtime_that_is_gone_says_so() {
    watch(|| {
        let handle = runtime(4).handle();
        for bridge in FROM_SYNC {
            assert_eq!(bridge(&handle, closed_port()).unwrap_err().kind(), ErrorKind::Other);
        }
    });
}

#[test]
#[cfg_attr(miri, ignore = "needs sockets")]
fn a_bridge_whose_runtime_goes_while_somebody_waits_on_it_says_so() {
    watch(|| {
        for bridge in FROM_SYNC {
            let (_says_nothing, says) = channel();
            let (address, has_come) = server(says);
            let runtime = runtime(4);
            let handle = runtime.handle();
            let (alarm, is_over) = oneshot::channel::<()>();
            let waits = thread::spawn(move || {
                // Heard too early if the bridge breaks.
                let _alarm = alarm;
                bridge(&handle, address)
            });
            runtime.block_on(select(has_come, is_over));
            drop(runtime);
            let error = waits.join().expect("it does not panic").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Other);
        }
    });
}

#[test]
#[cfg_attr(miri, ignore = "needs sockets")]
fn other_tasks_go_on_while_a_bridge_to_sync_blocks() {
    watch(|| {
        runtime(4).block_on(async {
            for by_hand in [false, true] {
                let (say, says) = channel();
                let (address, _) = server(says);
                let number = ch10_join_cancel::spawn(async move {
                    match by_hand {
                        true => by_thread(address).await,
                        false => by_spawn_blocking(address).await,
                    }
                });
                // The answer needs a turn of another task.
                drop(ch10_join_cancel::spawn(async move {
                    ch09_fairness::yield_now().await;
                    say.send("7").expect("the server waits");
                }));
                assert_eq!(number.await.unwrap().unwrap(), 7);
            }
        });
        all_is_well();
    });
}

#[test]
#[cfg_attr(miri, ignore = "needs sockets")]
fn many_threads_go_over_the_bridges_at_once() {
    watch(|| {
        let address = serve(42).expect("a port is free");
        beside_a_runtime(|handle| {
            thread::scope(|scope| {
                for number in 0..20 {
                    let bridge = FROM_SYNC[number % 2];
                    scope.spawn(move || assert_eq!(bridge(handle, address).unwrap(), 42));
                }
            });
        });
    });
}
