//! A runtime that is gone leaves nothing open. Alone in its file: the descriptors are the process's.

mod common;

use std::fs;
use std::net;

use ch05_executor::spawn;
use ch07_tcp::ShutdownSignal;
use ch08_timers::Clock;
use ch14_swap::{
    Doorbell, DriverKind, PollListener, PollStream, Runtime, TcpListener, TcpStream, TimerQueue,
};
use common::{all_is_home, driver, runtime, turns};
use conformance::watch;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, poll};

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("there is a /proc").count()
}

/// Leaves operations of all kinds in the air, and everything else that has a descriptor.
fn leave_in_the_middle(runtime: &Runtime) {
    let kept = runtime.block_on(async {
        let mut listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let mut clients = Vec::new();
        for _ in 0..10 {
            let mut client = TcpStream::connect(address).await.expect("it listens");
            let mut server = listener.next().await.expect("no end").expect("a connection");
            assert!(poll!(server.read(&mut [0])).is_pending());
            // It is begun on a ring, and done on epoll.
            let _ = poll!(client.write(&[7; 100_000]));
            spawn(async move {
                // Nothing comes before the runtime is dropped.
                drop(server.read(&mut [0]).await);
            });
            clients.push(client);
        }
        // A connection that nobody fetches, and one that nobody waits for.
        let waiting = net::TcpStream::connect(address).expect("it listens");
        drop(poll!(Box::pin(TcpStream::connect(address))));
        let shutdown = ShutdownSignal::new().expect("descriptors are left");
        spawn(async move { drop(shutdown.recv().await) });
        turns(3).await;
        (clients, waiting, listener)
    });
    drop(kept);
}

#[test]
fn no_descriptor_is_left() {
    watch(|| {
        let before = descriptors();
        for _ in 0..20 {
            let epoll = runtime(DriverKind::Epoll, TimerQueue::Wheel, Clock::real());
            leave_in_the_middle(&epoll);
            drop(epoll);
            assert_eq!(descriptors(), before);
        }
        if driver(8).is_none() {
            return;
        }
        for _ in 0..20 {
            let ring = runtime(DriverKind::Ring, TimerQueue::Wheel, Clock::real());
            leave_in_the_middle(&ring);
            drop(ring);
            assert_eq!(descriptors(), before);
        }
        all_is_home();

        // While the runtime lives on, what was dropped is closed soon: at the next visits to the ring.
        let ring = runtime(DriverKind::Ring, TimerQueue::Wheel, Clock::real());
        let idle = ring.block_on(async {
            turns(3).await;
            descriptors()
        });
        for _ in 0..20 {
            ring.block_on(async {
                let mut listener = PollListener::bind("127.0.0.1:0").expect("a free port");
                let address = listener.local_addr().expect("it is bound");
                let peer = net::TcpStream::connect(address).expect("it listens");
                let mut stream: PollStream =
                    listener.next().await.expect("no end").expect("a connection");
                assert!(poll!(stream.read(&mut [0])).is_pending());
                assert!(poll!(listener.next()).is_pending());
                turns(3).await;
                drop((peer, stream, listener));
                turns(3).await;
            });
        }
        assert_eq!(descriptors(), idle);
        drop(ring);
        for _ in 0..20 {
            let bells = [Doorbell::once(), Doorbell::multishot()];
            drop(bells.map(|bell| bell.expect("descriptors are left").ringer()));
        }
        assert_eq!(descriptors(), before);
    });
}
