//! Ten thousand futures of each kind, dropped at random points: no descriptor is left, no buffer, no task, no
//! timer, and no slot of the driver.

mod common;

use std::net;
use std::pin::Pin;
use std::time::Duration;

use common::{
    Buffer, Count, Dice, OnDrop, descriptors, half, on_both_drivers, pair, poll_once, runtime,
    turns,
};
use futures::{AsyncReadExt as PolledRead, AsyncWriteExt as PolledWrite};
use mini_runtime::io::{AsyncReadOwned, AsyncWriteOwned};
use mini_runtime::net::{TcpListener, TcpStream};
use mini_runtime::task::spawn_blocking;
use mini_runtime::time::{interval, sleep, timeout};
use mini_runtime::{DriverKind, Runtime, spawn};

const TIMES: usize = 10_000;
/// More than a socket takes.
const MUCH: &[u8] = &[0; 1 << 22];

/// Makes things and drops them after so many turns, in one runtime. What `make` returns is polled once
/// before.
fn rounds<F>(driver: DriverKind, make: impl Fn(usize, TcpStream) -> F)
where
    F: Future<Output = ()> + 'static,
{
    let before = descriptors();
    let runtime = runtime(driver);
    runtime.block_on(async {
        let mut dice = Dice(0x5EED);
        for number in 0..TIMES / 20 {
            let mut flying = Vec::new();
            for _ in 0..20 {
                let (stream, peer) = half().await;
                let mut future = Box::pin(make(number, stream));
                if dice.roll(8) > 0 {
                    assert!(poll_once(&mut future).await.is_pending());
                }
                if dice.roll(2) == 0 {
                    let _ = std::io::Write::write(&mut &peer, b"bytes");
                }
                turns(dice.roll(3) as usize).await;
                flying.push((future, peer));
                if dice.roll(3) == 0 {
                    let which = dice.roll(flying.len() as u64) as usize;
                    flying.swap_remove(which);
                }
            }
            turns(dice.roll(100) as usize).await;
        }
        nothing_is_left(&runtime).await;
    });
    drop(runtime);
    assert_eq!(descriptors(), before);
}

/// Waits until the kernel has heard of the last ones, and has let go. If it does not, this never ends.
async fn nothing_is_left(runtime: &Runtime) {
    while !format!("{runtime:?}").contains("tasks: 0, timers: 0, slots: 0,") {
        turns(1).await;
    }
}

on_both_drivers! {
    /// Also when both come back, and there is room for one.
    fn two_reads_of_one_stream_have_a_slot_each(driver) {
        let runtime = runtime(driver);
        runtime.block_on(async {
            let (stream, mut peer) = half().await;
            for _ in 0..3 {
                let mut one = Box::pin(stream.read(Vec::with_capacity(1)));
                let mut other = Box::pin(stream.read(Vec::with_capacity(1)));
                assert!(poll_once(&mut one).await.is_pending());
                assert!(poll_once(&mut other).await.is_pending());
                // epoll has one for the stream.
                let slots = if driver == DriverKind::IoUring { 2 } else { 1 };
                assert!(format!("{runtime:?}").contains(&format!("slots: {slots},")), "{runtime:?}");
                std::io::Write::write_all(&mut peer, b"ab").unwrap();
                let ((length, one), (other_length, other)) = futures::join!(one, other);
                assert_eq!((length.unwrap(), other_length.unwrap()), (1, 1));
                let mut bytes = [one, other].concat();
                bytes.sort_unstable();
                assert_eq!(bytes, b"ab");
            }
            drop(stream);
            nothing_is_left(&runtime).await;
        });
    }

    /// With a buffer that tells when it is freed.
    fn ten_thousand_owned_reads_that_are_dropped_leave_nothing_behind(driver) {
        let made = Count::default();
        let (counts, freed_all) = (made.clone(), Count::default());
        let all = freed_all.clone();
        rounds(driver, move |_, stream| {
            counts.add();
            let buffer = Buffer::new(64, &all);
            async move {
                drop(stream.read(buffer).await);
                std::future::pending().await
            }
        });
        assert_eq!((made.get(), freed_all.get()), (TIMES, TIMES));
    }

    /// The buffer is the stream's own here.
    fn ten_thousand_polled_reads_that_are_dropped_leave_nothing_behind(driver) {
        rounds(driver, |_, mut stream| async move {
            let _ = PolledRead::read(&mut stream, &mut [0; 16]).await;
            std::future::pending().await
        });
    }

    /// More than the socket takes, so that they have to wait.
    fn ten_thousand_writes_that_are_dropped_leave_nothing_behind(driver) {
        rounds(driver, |number, mut stream| async move {
            if number % 2 == 0 {
                let _ = stream.write(MUCH).await;
            } else {
                let _ = PolledWrite::write_all(&mut stream, MUCH).await;
            }
            std::future::pending().await
        });
    }

    /// Several buffers at once, which tell when they are freed.
    fn ten_thousand_vectored_reads_and_writes_that_are_dropped_leave_nothing_behind(driver) {
        let freed = Count::default();
        let all = freed.clone();
        rounds(driver, move |number, stream| {
            let first = all.clone();
            let first = Buffer::with(vec![7; 1 << 20], move || first.add());
            let bufs = vec![first, Buffer::new(64, &all)];
            async move {
                if number % 2 == 0 {
                    drop(stream.read_vectored(bufs).await);
                } else {
                    drop(stream.write_vectored(bufs).await);
                }
                std::future::pending().await
            }
        });
        assert_eq!(freed.get(), 2 * TIMES);
    }

    /// Waiting for readiness, in both directions.
    fn ten_thousand_waits_for_readiness_that_are_dropped_leave_nothing_behind(driver) {
        rounds(driver, |number, stream| async move {
            if number % 4 == 0 {
                while stream.try_write(MUCH).is_ok() {}
                let _ = stream.writable().await;
                std::future::pending().await
            }
            while stream.try_read(&mut [0; 16]).is_err() {
                let _ = stream.readable().await;
            }
            std::future::pending().await
        });
    }

    /// Half of them with a deadline that comes, or with one that does not.
    fn ten_thousand_sleeps_timeouts_and_ticks_that_are_dropped_leave_no_timer_behind(driver) {
        let runtime = runtime(driver);
            runtime.block_on(async {
            let mut dice = Dice(9);
            let mut flying: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
            for number in 0..3 * TIMES {
                let length = Duration::from_micros(1 + dice.roll(2000));
                let length = if dice.roll(2) == 0 { length } else { 1000 * length };
                flying.push(match number % 3 {
                    0 => Box::pin(async move {
                        sleep(length).await;
                        std::future::pending().await
                    }),
                    1 => Box::pin(async move {
                        let _ = timeout(length, std::future::pending::<()>()).await;
                        std::future::pending().await
                    }),
                    _ => Box::pin(async move {
                        let mut ticks = interval(length);
                        loop {
                            ticks.tick().await;
                        }
                    }),
                });
                let which = dice.roll(flying.len() as u64) as usize;
                let _ = poll_once(&mut flying[which]).await;
                if dice.roll(8) == 0 {
                    turns(dice.roll(100) as usize).await;
                }
                if flying.len() > 100 {
                    let which = dice.roll(flying.len() as u64) as usize;
                    drop(flying.swap_remove(which));
                }
            }
            drop(flying);
            nothing_is_left(&runtime).await;
        });
    }

    /// What is left of them on the other thread does no harm, and is not left for long.
    fn ten_thousand_remote_tasks_and_blocking_work_that_nobody_waits_for_leave_nothing_behind(driver) {
        let runtime = runtime(driver);
        let (handle, dropped) = (runtime.handle(), Count::default());
            runtime.block_on(async {
            let mut dice = Dice(13);
            for number in 0..TIMES {
                let counts = dropped.clone();
                let guard = OnDrop(move || counts.add());
                let mut remote = if number % 2 == 0 {
                    handle.spawn(move || async move { drop(guard) })
                } else {
                    spawn_blocking(move || drop(guard))
                };
                if dice.roll(2) == 0 {
                    let _ = poll_once(&mut remote).await;
                }
                turns(dice.roll(3) as usize).await;
                drop(remote);
            }
            while dropped.get() < TIMES {
                turns(1).await;
            }
            nothing_is_left(&runtime).await;
        });
    }

    /// Some of them come too late to be cancelled: then there is a connection to be closed.
    fn ten_thousand_connects_that_are_dropped_leave_nothing_behind(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
            runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let address = listener.local_addr().expect("it is bound");
            let server = spawn(async move {
                loop {
                    drop(listener.accept().await);
                }
            });
            let mut dice = Dice(3);
            let mut flying = Vec::new();
            for _ in 0..TIMES {
                let mut connect = Box::pin(TcpStream::connect(address));
                if poll_once(&mut connect).await.is_pending() {
                    flying.push(connect);
                }
                if dice.roll(4) == 0 {
                    turns(dice.roll(4) as usize).await;
                    let half = flying.len() / 2;
                    flying.drain(..half);
                }
                if flying.len() > 50 {
                    flying.clear();
                }
            }
            drop(flying);
            server.abort();
            assert!(server.await.is_err());
            nothing_is_left(&runtime).await;
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    }

    /// Dropped and made again, no client is lost.
    fn accepts_that_are_dropped_lose_no_connection(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
            runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let address = listener.local_addr().expect("it is bound");
            let mut dice = Dice(11);
            for round in 0..TIMES / 100 {
                for _ in 0..100 {
                    let mut accept = Box::pin(listener.accept());
                    assert!(poll_once(&mut accept).await.is_pending());
                    turns(dice.roll(2) as usize).await;
                }
                let clients: Vec<net::TcpStream> = (0..10)
                    .map(|_| net::TcpStream::connect(address).expect("it listens"))
                    .collect();
                let mut peers = Vec::new();
                while peers.len() < clients.len() {
                    let mut accept = Box::pin(listener.accept());
                    for _ in 0..=dice.roll(3) {
                        if let std::task::Poll::Ready(accepted) = poll_once(&mut accept).await {
                            peers.push(accepted.expect("there is a client").1);
                            break;
                        }
                        turns(1).await;
                    }
                }
                let locals: Vec<_> =
                    clients.iter().map(|client| client.local_addr().expect("bound")).collect();
                peers.sort();
                let mut sorted = locals.clone();
                sorted.sort();
                assert_eq!(peers, sorted, "round {round}");
            }
            drop(listener);
            nothing_is_left(&runtime).await;
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    }

    /// Tasks that are aborted in each of their states.
    fn ten_thousand_tasks_that_are_aborted_leave_nothing_behind(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
            runtime.block_on(async {
            let (dropped, mut dice) = (Count::default(), Dice(5));
            for _ in 0..TIMES / 100 {
                let (stream, _peer) = pair().await;
                let stream = std::rc::Rc::new(stream);
                let tasks: Vec<_> = (0..100).map(|number| {
                    let (buffer, stream) = (Buffer::new(8, &dropped), stream.clone());
                    spawn(async move {
                        match number % 4 {
                            0 => drop(stream.read(buffer).await),
                            1 => { sleep(Duration::from_secs(1000)).await; drop(buffer) }
                            2 => { turns(number / 4).await; drop(buffer) }
                            _ => drop(buffer),
                        }
                    })
                }).collect();
                turns(dice.roll(4) as usize).await;
                tasks.iter().for_each(|task| task.abort());
                for task in tasks {
                    drop(task.await);
                }
            }
            while dropped.get() < TIMES {
                turns(1).await;
            }
            nothing_is_left(&runtime).await;
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    }
}
