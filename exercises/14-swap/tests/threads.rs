//! What chapter 11 promises about other threads, kept in a ring.

mod common;

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use ch09_fairness::spawn;
use ch10_join_cancel::JoinError;
use ch11_threads::{Handle, oneshot, spawn_blocking};
use ch13_completion::{AsyncReadOwned, TcpListener, TcpStream, current};
use ch14_swap::{PollListener, TcpStream as EitherStream, ops};
use common::{all_is_home, checked, on_a_ring, ring, start, turns};
use conformance::{Probe, watch};
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};

#[test]
fn a_wake_from_another_thread_ends_the_sleep_and_polls_the_task() {
    on_a_ring(async || {
        for _ in 0..100 {
            let (give, waker) = oneshot::channel::<Waker>();
            let other = thread::spawn(move || {
                ch03_block_on::block_on(waker).expect("the task sends").wake();
            });
            let mut give = Some(give);
            // Nobody but the other thread can go on after its first poll.
            let woken = start(poll_fn(move |cx| match give.take() {
                Some(give) => {
                    give.send(cx.waker().clone()).expect("the other thread waits");
                    Poll::Pending
                }
                None => Poll::Ready(()),
            }));
            woken.await.expect("the task ends");
            other.join().expect("waking does not panic");
        }
    });
}

#[test]
fn the_main_future_is_woken_by_another_thread() {
    on_a_ring(async || {
        for number in 0..1000 {
            let (sender, receiver) = oneshot::channel();
            thread::spawn(move || sender.send(number)).join().expect("no panic").expect("it waits");
            assert_eq!(receiver.await, Ok(number));
        }
    });
}

#[test]
fn blocking_work_keeps_a_thread_of_its_own_and_not_the_ring() {
    on_a_ring(async || {
        let (tell, told) = channel();
        let blocked = spawn_blocking(move || told.recv().expect("somebody tells"));
        // Operations go on while the other thread is blocked.
        for _ in 0..10 {
            current()
                .submit(ops::Timeout::after(Duration::from_micros(10)))
                .await
                .expect("no error");
        }
        tell.send(7).expect("the work waits");
        assert_eq!(blocked.await.expect("it ends"), 7);
        let sums = join_all((0..100_u64).map(|n| spawn_blocking(move || n * n))).await;
        assert_eq!(sums.into_iter().map(|sum| sum.expect("it ends")).sum::<u64>(), 328_350);
    });
}

#[test]
fn a_handle_runs_futures_on_the_rings_thread_and_they_use_the_ring() {
    on_a_ring(async || {
        let handle = Handle::current();
        let home = thread::current().id();
        let (done, is_done) = oneshot::channel();
        let caller = thread::spawn(move || {
            for _ in 0..20 {
                let there = handle.block_on(async || {
                    let listener = TcpListener::bind("127.0.0.1:0")?;
                    let client = TcpStream::connect(listener.local_addr()?).await?;
                    drop(listener.accept().await?);
                    let (end, _) = client.read(vec![0]).await;
                    Ok::<_, std::io::Error>((end?, thread::current().id()))
                });
                assert_eq!(there.expect("it ends").expect("no error"), (0, home));
            }
            done.send(()).expect("the main future waits");
        });
        is_done.await.expect("the caller ends");
        caller.join().expect("the caller does not panic");
    });
}

#[test]
fn a_handle_of_a_runtime_that_is_gone_says_so() {
    watch(|| {
        let Some(runtime) = ring() else { return };
        let handle = runtime.handle();
        let never_started = handle.spawn(async || ());
        drop(runtime);
        for join in [never_started, handle.spawn(async || ())] {
            assert!(matches!(join.join(), Err(JoinError::Cancelled)));
        }
        all_is_home();
    });
}

#[test]
fn wakers_do_nothing_when_their_runtime_is_gone() {
    checked(|| {
        let Some(runtime) = ring() else { return };
        let probe = Probe::default();
        runtime.block_on(async {
            spawn(probe.clone());
            turns(1).await;
        });
        let waker = probe.waker();
        drop(runtime);
        for _ in 0..3 {
            waker.wake_by_ref();
            let abroad = waker.clone();
            thread::spawn(|| abroad.wake()).join().expect("no panic");
        }
        probe.kept.take();
        thread::spawn(|| drop(waker)).join().expect("no panic");
        assert_eq!(probe.polls.get(), 1);
    });
}

#[test]
fn a_runtime_that_is_dropped_with_a_thousand_operations_in_flight_waits_for_them() {
    checked(|| {
        let Some(runtime) = ring() else { return };
        let held = Rc::new(());
        // Some belong to tasks, some to a future that outlives the runtime, some to nobody.
        let ours = Rc::new(RefCell::new(FuturesUnordered::new()));
        runtime.block_on(async {
            let mut listener = PollListener::bind("127.0.0.1:0").expect("a free port");
            let address = listener.local_addr().expect("it is bound");
            let client = TcpStream::connect(address).await.expect("the listener listens");
            let server = Rc::new(listener.next().await.expect("no end").expect("a connection"));
            for number in 0..1000 {
                let recv = server.get_ref().start_recv(Vec::with_capacity(100));
                match number % 4 {
                    0 => ours.borrow_mut().push(recv),
                    1 => recv.detach(),
                    _ => {
                        let held = (held.clone(), server.clone());
                        spawn(async move {
                            recv.await.0.expect("no error");
                            drop(held);
                        });
                    }
                }
            }
            turns(3).await;
            let driver = current();
            assert!(driver.in_flight() >= 1000, "{} operations fly", driver.in_flight());
            spawn(async move {
                pending::<()>().await;
                drop(client);
            });
            turns(1).await;
        });
        drop(runtime);
        assert_eq!(Rc::strong_count(&held), 1);
        drop(ours);
    });
}

#[test]
fn a_future_that_is_kept_beyond_its_runtime_can_still_be_polled() {
    checked(|| {
        let Some(runtime) = ring() else { return };
        let mut stream = None;
        let mut peer = None;
        runtime.block_on(async {
            let mut listener = PollListener::bind("127.0.0.1:0").expect("a free port");
            let address = listener.local_addr().expect("it is bound");
            peer = Some(std::net::TcpStream::connect(address).expect("the listener listens"));
            stream = Some(listener.next().await.expect("no end").expect("a connection"));
        });
        drop(runtime);
        let mut stream = stream.expect("block_on has set it");
        // Nobody drives the ring any more, so nothing comes of it.
        let mut buffer = [0; 8];
        assert!(futures::AsyncReadExt::read(&mut stream, &mut buffer).now_or_never().is_none());
        drop((stream, peer));
    });
}

#[test]
fn two_runtimes_on_one_thread_take_turns() {
    // Both count their operations from 1, so the trace cannot tell them apart.
    watch(|| {
        let (Some(one), Some(other)) = (ring(), ring()) else { return };
        for _ in 0..10 {
            for runtime in [&one, &other] {
                runtime.block_on(async {
                    let mut listener = ch14_swap::TcpListener::bind("127.0.0.1:0").expect("a port");
                    let address = listener.local_addr().expect("it is bound");
                    let client = EitherStream::connect(address).await.expect("it listens");
                    let server = listener.next().await.expect("no end").expect("a connection");
                    assert!(matches!(server, EitherStream::Ring(_)));
                    drop(client);
                });
            }
        }
    });
}
