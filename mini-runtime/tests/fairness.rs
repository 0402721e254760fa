//! Who has much to do lets the others have their turn.

mod common;

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use common::{half, on_both_drivers, runtime, turns};
use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use mini_runtime::net::unix::SocketAddr;
use mini_runtime::net::{UdpSocket, UnixListener, UnixStream};
use mini_runtime::task::yield_now;
use mini_runtime::time::{interval, sleep, timeout};
use mini_runtime::{io, spawn};

/// Counts its turns, until somebody is done.
async fn turns_until(done: Rc<Cell<bool>>) -> usize {
    let mut turns = 0;
    while !done.get() {
        turns += 1;
        yield_now().await;
    }
    turns
}

fn udp() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").expect("a port is free")
}

/// Is ready again and again, and never over.
async fn busy() {
    loop {
        sleep(Duration::ZERO).await;
    }
}

on_both_drivers! {
    /// 10,000 bytes that are all there, read one by one and in both styles: at most 128 in one poll.
    fn a_task_with_much_to_read_gives_the_thread_back_now_and_then(driver) {
        runtime(driver).block_on(async {
            let (mut stream, mut peer) = half().await;
            peer.write_all(&[7; 10_000]).expect("there is room");
            let done = Rc::new(Cell::new(false));
            let other = spawn(turns_until(done.clone()));
            for _ in 0..5000 {
                let mut byte = [0];
                stream.read_exact(&mut byte).await.expect("it is there");
                let owned = io::AsyncReadOwned::read(&stream, Vec::with_capacity(1));
                let (read, owned) = owned.await;
                read.expect("it is there");
                assert_eq!((byte, &owned[..]), ([7], &[7][..]));
            }
            done.set(true);
            let turns = other.await.expect("no panic");
            assert!(turns >= 10_000 / 128 - 1, "it had {turns} turns");
        });
    }

    /// A thousand small writes, for all of which there is room.
    fn a_task_with_much_to_write_gives_the_thread_back_now_and_then(driver) {
        runtime(driver).block_on(async {
            let (mut stream, _peer) = half().await;
            let done = Rc::new(Cell::new(false));
            let other = spawn(turns_until(done.clone()));
            for _ in 0..1000 {
                stream.write_all(b"a little").await.expect("there is room");
            }
            done.set(true);
            let turns = other.await.expect("no panic");
            assert!(turns >= 1000 / 128 - 1, "it had {turns} turns");
        });
    }

    /// A task that has slept for long enough has all ticks at once, and no end of them.
    fn ticks_that_come_faster_than_they_are_dealt_with_let_others_run(driver) {
        runtime(driver).block_on(async {
            let dealt_with = Rc::new(Cell::new(0_u64));
            let counts = dealt_with.clone();
            drop(spawn(async move {
                let mut ticks = interval(Duration::from_nanos(1));
                loop {
                    ticks.tick().await;
                    counts.set(counts.get() + 1);
                }
            }));
            turns(10).await;
            assert!(dealt_with.get() > 0, "it has had some");
        });
    }

    /// What the future inside has spent is not missing when the time is over.
    fn a_timeout_ends_a_future_that_has_more_to_do_all_the_time(driver) {
        runtime(driver).block_on(async {
            for limit in [Duration::ZERO, Duration::from_millis(1)] {
                timeout(limit, busy()).await.expect_err("it never ends");
            }
        });
    }

    /// Each of them is over at once, whether the future inside has spent all there was or nothing.
    fn timeouts_that_are_over_at_once_let_others_run(driver) {
        runtime(driver).block_on(async {
            for is_busy in [false, true] {
                let ended = Rc::new(Cell::new(0_u64));
                let counts = ended.clone();
                let task = spawn(async move {
                    loop {
                        let over = match is_busy {
                            true => timeout(Duration::ZERO, busy()).await,
                            false => timeout(Duration::ZERO, pending()).await,
                        };
                        over.expect_err("it never ends");
                        counts.set(counts.get() + 1);
                    }
                });
                turns(10).await;
                assert!(ended.get() > 0, "some have ended");
                task.abort();
            }
        });
    }

    /// Datagrams, for all of which there is room, or which are lost.
    fn a_task_with_many_datagrams_gives_the_thread_back_now_and_then(driver) {
        runtime(driver).block_on(async {
            let (to, from) = (udp(), udp());
            let address = to.local_addr().expect("it is bound");
            let done = Rc::new(Cell::new(false));
            let other = spawn(turns_until(done.clone()));
            for _ in 0..1000 {
                from.send_to(b"a little", address).await.0.expect("it is sent");
            }
            from.connect(address).await.expect("it is an address");
            for _ in 0..1000 {
                from.send(b"a little").await.0.expect("it is sent");
            }
            done.set(true);
            let turns = other.await.expect("no panic");
            assert!(turns >= 2000 / 128 - 1, "it had {turns} turns");
        });
    }

    /// Each of them is there at once. Nobody has to accept it for that.
    fn a_task_with_many_connections_gives_the_thread_back_now_and_then(driver) {
        runtime(driver).block_on(async {
            let name = format!("fairness-{}-{driver}", std::process::id());
            let address = SocketAddr::from_abstract_name(name).expect("it is short");
            let _listener = UnixListener::bind_addr(&address).expect("nobody has that name");
            let done = Rc::new(Cell::new(false));
            let other = spawn(turns_until(done.clone()));
            for _ in 0..400 {
                drop(UnixStream::connect_addr(&address).await.expect("it listens"));
            }
            done.set(true);
            let turns = other.await.expect("no panic");
            assert!(turns >= 400 / 128 - 1, "it had {turns} turns");
        });
    }

    /// Before anything was read, and with a byte that `AsyncRead` has read ahead.
    fn a_task_that_peeks_until_there_is_enough_lets_others_write(driver) {
        runtime(driver).block_on(async {
            for (reads_ahead, peeks) in [(false, true), (true, true), (false, false), (true, false)] {
                let (mut stream, mut peer) = half().await;
                if reads_ahead {
                    peer.write_all(b"012").expect("there is room");
                    stream.read_exact(&mut [0]).await.expect("it is connected");
                } else {
                    peer.write_all(b"1").expect("there is room");
                }
                let other = spawn(async move {
                    peer.write_all(b"2").expect("there is room");
                    peer
                });
                while !other.is_finished() {
                    if peeks {
                        assert!(stream.peek(&mut [0; 2]).await.expect("it is connected") > 0);
                    } else {
                        stream.readable().await.expect("it is connected");
                    }
                }
            }
            let (to, from) = (udp(), udp());
            let address = to.local_addr().expect("it is bound");
            from.send_to(b"1", address).await.0.expect("it is sent");
            let other = spawn(async {});
            while !other.is_finished() {
                assert_eq!(to.peek(&mut [0; 2]).await.expect("it is there"), 1);
            }
        });
    }

    /// Three hundred of them: more than a task may have at once, and nothing is there.
    fn a_task_that_waits_for_many_reads_rests(driver) {
        runtime(driver).block_on(async {
            let (mut streams, mut peers) = (Vec::new(), Vec::new());
            for _ in 0..300 {
                let (stream, peer) = half().await;
                streams.push(stream);
                peers.push(peer);
            }
            let polls = Rc::new(Cell::new(0));
            let counts = polls.clone();
            let task = spawn(poll_fn(move |cx| {
                counts.set(counts.get() + 1);
                for stream in &mut streams {
                    let polled = Pin::new(stream).poll_read(cx, &mut [0; 8]);
                    assert!(polled.is_pending(), "nobody has written");
                }
                Poll::<()>::Pending
            }));
            turns(1000).await;
            assert!(polls.get() < 10, "{} polls", polls.get());
            task.abort();
        });
    }
}
