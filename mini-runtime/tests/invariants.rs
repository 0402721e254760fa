//! The written invariants of the runtime. The other files look closer at the parts; here, each of the
//! invariants has a test that is named after it.
#![expect(clippy::async_yields_async, reason = "futures are taken out of the runtime")]

mod common;

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::mem;
use std::net;
use std::pin::pin;
use std::ptr;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::thread;
use std::time::Duration;

use common::{
    Buffer, Count, OnDrop, alone, descriptors, half, on_both_drivers, pair, poll_once, runtime,
    turns,
};
use conformance::Probe;
use futures::AsyncReadExt as Polled;
use mini_runtime::io::{AsyncReadOwned, AsyncWriteOwned};
use mini_runtime::net::{TcpListener, TcpStream};
use mini_runtime::task::JoinSet;
use mini_runtime::time::{Instant, interval, sleep, timeout};
use mini_runtime::{DriverKind, Handle, spawn, task};
use rustix::io::Errno;

const LONG: Duration = Duration::from_secs(1000);

thread_local! {
    static MEDDLED: Cell<usize> = const { Cell::new(0) };
    static IS_MEDDLING: Cell<bool> = const { Cell::new(false) };
}

/// Uses all parts of the runtime that runs on this thread. If one of them is borrowed, this panics.
fn meddle() {
    // What this does makes more of these calls.
    if Handle::try_current().is_none() || IS_MEDDLING.replace(true) {
        return;
    }
    let mut cx = Context::from_waker(Waker::noop());
    let mut nap = Box::pin(sleep(LONG));
    assert!(nap.as_mut().poll(&mut cx).is_pending());
    nap.as_mut().get_mut().reset(Instant::now() + LONG);
    assert!(nap.as_mut().poll(&mut cx).is_pending());
    let task = spawn(nap);
    task.abort();
    drop(task);
    drop(spawn(async {}));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    assert!(pin!(listener.accept()).poll(&mut cx).is_pending());
    let connecting = net::TcpStream::connect(address).expect("it listens");
    let stream = TcpStream::from_std(connecting).expect("it is a socket");
    assert!(pin!(stream.read(Vec::with_capacity(1))).poll(&mut cx).is_pending());
    MEDDLED.set(MEDDLED.get() + 1);
    IS_MEDDLING.set(false);
}

/// A waker whose last drop panics.
struct PanicsWhenDropped;

impl Wake for PanicsWhenDropped {
    fn wake(self: Arc<Self>) {}
}

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("as it should");
    }
}

/// A waker that meddles whenever it is cloned, woken or dropped.
fn meddler() -> Waker {
    const VTABLE: RawWakerVTable =
        RawWakerVTable::new(clone, |_| meddle(), |_| meddle(), |_| meddle());

    fn clone(data: *const ()) -> RawWaker {
        meddle();
        RawWaker::new(data, &VTABLE)
    }

    // SAFETY: the functions do not use the data, and what they use is the thread's own.
    unsafe { Waker::new(ptr::null(), &VTABLE) }
}

/// Polls a future with a meddler, then with an ordinary waker, so that the meddler is dropped, and then
/// with a meddler again, which is woken in the end.
fn poll_meddling<F: Future>(future: &mut std::pin::Pin<Box<F>>) {
    let before = MEDDLED.get();
    let meddler = meddler();
    for waker in [&meddler, Waker::noop(), &meddler] {
        assert!(future.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    assert!(MEDDLED.get() > before, "this future keeps wakers");
}

on_both_drivers! {
    /// The wakers here do whatever they like, whenever they are cloned, woken or dropped.
    fn nothing_is_woken_or_dropped_while_a_borrow_of_the_runtime_is_held(driver) {
        let runtime = runtime(driver);
        runtime.block_on(async {
            let probe = Probe::default();
            let mut join = Box::pin(spawn(probe.clone()));
            turns(1).await;
            poll_meddling(&mut join);

            let mut nap = Box::pin(sleep(Duration::from_millis(1)));
            poll_meddling(&mut nap);

            let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let mut accept = Box::pin(listener.accept());
            poll_meddling(&mut accept);

            let ((one, peer), (mut two, other_peer)) = (half().await, half().await);
            let ((third, third_peer), (fourth, fourth_peer)) = (half().await, half().await);
            let mut read = Box::pin(one.read(Vec::with_capacity(1)));
            poll_meddling(&mut read);
            assert!(third.try_read(&mut [0]).is_err());
            let mut readable = Box::pin(third.readable());
            poll_meddling(&mut readable);
            let several = vec![Vec::with_capacity(1), Vec::with_capacity(1)];
            let mut vectored = Box::pin(fourth.read_vectored(several));
            poll_meddling(&mut vectored);
            let mut limited = Box::pin(timeout(LONG, std::future::pending::<()>()));
            poll_meddling(&mut limited);
            let mut ticks = interval(LONG);
            ticks.tick().await;
            let mut tick = Box::pin(ticks.tick());
            poll_meddling(&mut tick);
            let mut set = JoinSet::new();
            set.spawn(sleep(Duration::from_millis(1)));
            let mut joins = Box::pin(async { set.join_next().await });
            poll_meddling(&mut joins);
            let mut byte = [0];
            let mut polled = Box::pin(Polled::read(&mut two, &mut byte));
            poll_meddling(&mut polled);

            let mut remote = Box::pin(Handle::current().spawn(|| async { 7 }));
            poll_meddling(&mut remote);

            // Now all of them are woken.
            let before = MEDDLED.get();
            probe.done.set(true);
            probe.waker().wake();
            (&peer).write_all(b"1").expect("it is connected");
            (&other_peer).write_all(b"2").expect("it is connected");
            (&third_peer).write_all(b"3").expect("it is connected");
            (&fourth_peer).write_all(b"4").expect("it is connected");
            let address = listener.local_addr().expect("it is bound");
            let _client = net::TcpStream::connect(address).expect("it listens");
            sleep(Duration::from_millis(2)).await;
            assert_eq!(read.await.0.expect("there is a byte"), 1);
            assert_eq!(polled.await.expect("there is a byte"), 1);
            readable.await.expect("there is a byte");
            assert_eq!(vectored.await.0.expect("there is a byte"), 1);
            joins.await.expect("there is a task").expect("it does not panic");
            accept.await.expect("there is a client");
            nap.await;
            join.await.expect("it does not panic");
            assert_eq!(remote.await.expect("it does not panic"), 7);
            assert!(MEDDLED.get() > before + 3, "they have meddled when they were woken");
        });
        drop(runtime);
    }

    /// The drop of a future, of an output and of a buffer may do whatever they like, too.
    fn what_is_dropped_may_use_the_runtime(driver) {
        runtime(driver).block_on(async {
            let before = MEDDLED.get();
            let task = spawn(async {
                let _in_the_future = OnDrop(meddle);
                OnDrop(meddle)
            });
            drop(task.await.expect("it does not panic"));
            let aborted = spawn(async {
                let _in_the_future = OnDrop(meddle);
                sleep(LONG).await;
            });
            turns(1).await;
            aborted.abort();
            assert!(aborted.await.expect_err("it was aborted").is_cancelled());
            assert_eq!(MEDDLED.get(), before + 3);
        });
    }

    /// Wakers may be anywhere. The future is not.
    fn a_future_is_polled_and_dropped_on_its_own_thread_only(driver) {
        let runtime = runtime(driver);
        let here = thread::current().id();
        let dropped = Rc::new(Cell::new(0));
        let (send, receive) = std::sync::mpsc::channel::<Waker>();
        let (answer, answered) = futures::channel::oneshot::channel();
        let other = thread::spawn(move || {
            let wakers: Vec<Waker> = receive.iter().take(20).collect();
            wakers.iter().cloned().for_each(Waker::wake);
            wakers.iter().for_each(Waker::wake_by_ref);
            answer.send(()).expect("somebody waits");
            // These outlive the tasks, and the runtime.
            let () = receive.iter().map(drop).collect();
            wakers.into_iter().for_each(Waker::wake);
        });
        runtime.block_on(async {
            let probes: Vec<Probe> = (0..20).map(|_| Probe::default()).collect();
            for probe in &probes {
                let (probe, dropped) = (probe.clone(), dropped.clone());
                drop(spawn(async move {
                    let _guard = OnDrop(move || {
                        assert_eq!(thread::current().id(), here);
                        dropped.set(dropped.get() + 1);
                    });
                    let mut probe = probe;
                    std::future::poll_fn(|cx| {
                        assert_eq!(thread::current().id(), here);
                        std::pin::Pin::new(&mut probe).poll(cx)
                    })
                    .await;
                }));
            }
            turns(1).await;
            probes.iter().for_each(|probe| send.send(probe.waker()).expect("it listens"));
            probes.iter().take(10).for_each(|probe| probe.done.set(true));
            answered.await.expect("it answers");
            while dropped.get() < 10 {
                turns(1).await;
            }
            // A waker of theirs is in the probe still: it owns nothing.
        });
        drop(runtime);
        assert_eq!(dropped.get(), 20);
        drop(send);
        other.join().expect("wakers that are late do no harm");
    }

    /// A ring has the buffer until it says that it is done.
    fn no_buffer_is_freed_before_its_completion(driver) {
        runtime(driver).block_on(async {
            let (stream, peer) = half().await;
            let freed = Count::default();
            let mut read = Box::pin(stream.read(Buffer::new(8, &freed)));
            assert!(poll_once(&mut read).await.is_pending());
            drop(read);
            let kept = usize::from(driver == DriverKind::IoUring);
            assert_eq!(freed.get(), 1 - kept, "with epoll, it was never lent");
            // Bytes come before the kernel has heard that nobody wants them.
            (&peer).write_all(b"12345678").expect("it is connected");
            while freed.get() == 0 {
                turns(1).await;
            }
            // The same for one that the kernel has had for a while, and whose socket is gone, too.
            let (stream, _peer) = half().await;
            let mut read = Box::pin(stream.read(Buffer::new(8, &freed)));
            assert!(poll_once(&mut read).await.is_pending());
            turns(200).await;
            drop(read);
            drop(stream);
            assert_eq!(freed.get(), 2 - kept);
            while freed.get() == 1 {
                turns(1).await;
            }
        });
    }

    /// Giving it up drops the waker of whoever has waited, and that may panic.
    fn no_buffer_is_freed_before_its_completion_by_a_waker_that_panics(driver) {
        runtime(driver).block_on(async {
            let (stream, peer) = half().await;
            let freed = Count::default();
            let mut read = Box::pin(async { stream.read(Buffer::new(8, &freed)).await });
            let bomb = Waker::from(Arc::new(PanicsWhenDropped));
            assert!(read.as_mut().poll(&mut Context::from_waker(&bomb)).is_pending());
            // Now the one that was kept is the last.
            drop(bomb);
            let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(read)));
            let kept = usize::from(driver == DriverKind::IoUring);
            assert_eq!(dropped.is_err(), kept == 1, "with epoll, the stream keeps the waker");
            assert_eq!(freed.get(), 1 - kept);
            (&peer).write_all(b"12345678").expect("it is connected");
            while freed.get() == 0 {
                turns(1).await;
            }
            let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(stream)));
            assert_eq!(dropped.is_err(), kept == 0);
        });
    }

    /// Tasks wait for all kinds of things when the runtime goes. When it has gone, so has all of that.
    fn dropping_the_runtime_cancels_and_waits_until_no_operation_is_in_flight(driver) {
        let before = descriptors();
        for visits in [0, 1, 200] {
            let runtime = runtime(driver);
            let freed = Count::default();
            runtime.block_on(async {
                for _ in 0..10 {
                    let ((one, one_peer), (mut two, two_peer)) = (pair().await, pair().await);
                    let freed = freed.clone();
                    drop(spawn(async move {
                        let _peer = one_peer;
                        drop(one.read(Buffer::new(100, &freed)).await);
                    }));
                    drop(spawn(async move {
                        let _peer = two_peer;
                        Polled::read(&mut two, &mut [0]).await
                    }));
                    drop(spawn(async {
                        TcpListener::bind("127.0.0.1:0")?.accept().await
                    }));
                }
                turns(visits).await;
            });
            drop(runtime);
            // Tasks that have never been polled have no buffer.
            if visits > 0 {
                assert_eq!(freed.get(), 10);
            }
            assert_eq!(descriptors(), before);
        }
    }

    /// A runtime that goes also gives up what streams wait for that go on living.
    fn what_outlives_the_runtime_is_not_in_flight_any_more(driver) {
        let before = descriptors();
        let freed = Count::default();
        let runtime = runtime(driver);
        let kept = runtime.block_on(async {
            let (mut stream, peer) = half().await;
            assert!(poll_once(Polled::read(&mut stream, &mut [0])).await.is_pending());
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
            assert!(poll_once(Box::pin(listener.accept())).await.is_pending());
            turns(100).await;
            (stream, peer, listener)
        });
        let kept_read = runtime.block_on(async {
            let (stream, _peer) = half().await;
            let buffer = Buffer::new(10, &freed);
            let mut read = Box::pin(async move { stream.read(buffer).await.0.map(drop) });
            assert!(poll_once(&mut read).await.is_pending());
            read
        });
        drop(runtime);
        assert_eq!(freed.get(), 0);
        drop((kept, kept_read));
        assert_eq!(freed.get(), 1);
        assert_eq!(descriptors(), before);
    }

    /// They are told, on both drivers, in the same words. Nobody waits for ever.
    fn who_still_waits_when_the_runtime_goes_is_told(driver) {
        let runtime = runtime(driver);
        let (streams, peers): (Vec<_>, Vec<_>) = runtime.block_on(async {
            vec![half().await, half().await, half().await, half().await]
        }).into_iter().unzip();
        let listener =
            runtime.block_on(async { TcpListener::bind("127.0.0.1:0").expect("a port is free") });
        let woken = Count::default();
        let (counts, bytes) = (woken.clone(), vec![7; 1 << 24]);
        let waker = common::waker(move || counts.add());
        let mut cx = Context::from_waker(&waker);
        let streams: Vec<_> = streams.into_iter().map(Rc::new).collect();
        let [one, two, three, four] = [0, 1, 2, 3].map(|which| streams[which].clone());
        let mut waits: Vec<std::pin::Pin<Box<dyn Future<Output = std::io::Result<()>>>>> = vec![
            Box::pin(async move { one.read(Vec::with_capacity(1)).await.0.map(drop) }),
            Box::pin(async move { two.write_all(bytes).await.0 }),
            Box::pin(async move { three.readable().await }),
            Box::pin(async move {
                let bufs = vec![Vec::with_capacity(1), Vec::with_capacity(1)];
                four.read_vectored(bufs).await.0.map(drop)
            }),
            Box::pin(async move { listener.accept().await.map(drop) }),
        ];
        runtime.block_on(async {
            streams.iter().for_each(|stream| assert!(stream.try_read(&mut [0]).is_err()));
            for wait in &mut waits {
                assert!(wait.as_mut().poll(&mut cx).is_pending());
            }
            turns(200).await;
        });
        let before = woken.get();
        drop(runtime);
        assert!(woken.get() > before, "nobody was woken");
        for wait in &mut waits {
            let Poll::Ready(Err(error)) = wait.as_mut().poll(&mut cx) else {
                panic!("it waits for ever");
            };
            assert_eq!(Errno::from_io_error(&error), Some(Errno::CANCELED), "{error}");
        }
        // And who comes after that.
        for stream in &streams {
            let late = stream.read(Vec::with_capacity(1));
            let Poll::Ready((Err(error), _)) = pin!(late).poll(&mut cx) else {
                panic!("it waits for ever");
            };
            assert_eq!(Errno::from_io_error(&error), Some(Errno::CANCELED), "{error}");
        }
        drop(peers);
    }

    /// Connections that came, and that nobody has fetched, are closed.
    fn results_of_cancelled_operations_are_not_lost_silently(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let address = listener.local_addr().expect("it is bound");
            assert!(poll_once(Box::pin(listener.accept())).await.is_pending());
            turns(100).await;
            let connect = |_| net::TcpStream::connect(address).expect("it listens");
            let clients: Vec<net::TcpStream> = (0..10).map(connect).collect();
            turns(100).await;
            let more: Vec<net::TcpStream> = (0..10).map(connect).collect();
            drop(listener);
            turns(100).await;
            for mut client in clients.into_iter().chain(more) {
                // The end, or a reset: either says that nobody is there.
                assert!(matches!(client.read(&mut [0]), Ok(0) | Err(_)));
            }
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    }

    /// The others go on, and so does the runtime.
    fn a_panic_in_a_task_ends_that_task_alone(driver) {
        runtime(driver).block_on(async {
            let sum = Rc::new(Cell::new(0));
            let tasks: Vec<_> = (0..30).map(|number| {
                let sum = sum.clone();
                spawn(async move {
                    turns(number % 3).await;
                    assert_ne!(number % 3, 1, "as it should");
                    sum.set(sum.get() + 1);
                })
            }).collect();
            let ended = futures::future::join_all(tasks).await;
            assert_eq!(ended.iter().filter(|end| end.is_err()).count(), 10);
            assert_eq!(sum.get(), 20);
        });
    }

    /// A panic that is no task's own: that of somebody else's waker. It ends nobody.
    fn a_panic_in_a_waker_ends_nobody(driver) {
        runtime(driver).block_on(async {
            let bomb = common::waker(|| panic!("as it should"));
            let mut cx = Context::from_waker(&bomb);
            let ((one, peer), (two, other_peer)) = (half().await, half().await);
            let mut nap = Box::pin(sleep(Duration::from_millis(1)));
            let mut join = Box::pin(spawn(turns(3)));
            let mut remote = Box::pin(Handle::current().spawn(|| async {}));
            let (go, waits) = mpsc::channel::<()>();
            let mut work = Box::pin(task::spawn_blocking(move || waits.recv().is_err()));
            let mut read = Box::pin(one.read(Vec::with_capacity(1)));
            let mut set = JoinSet::new();
            // Its waker is woken while it panics.
            set.spawn(async { panic!("as it should") });
            let _ = nap.as_mut().poll(&mut cx);
            assert!(join.as_mut().poll(&mut cx).is_pending());
            assert!(remote.as_mut().poll(&mut cx).is_pending());
            assert!(work.as_mut().poll(&mut cx).is_pending());
            drop(go);
            assert!(read.as_mut().poll(&mut cx).is_pending());
            assert!(set.poll_join_next(&mut cx).is_pending());
            // Somebody waits for the same things, in the same visit to the driver, and should not notice.
            let healthy = spawn(async move {
                let nap = sleep(Duration::from_millis(1));
                let read = two.read(Vec::with_capacity(1));
                let remote = Handle::current().spawn(|| async {});
                let ((), read, remote) = futures::join!(nap, read, remote);
                assert_eq!(read.0.expect("there is a byte"), 1);
                remote.expect("it does not panic");
            });
            turns(1).await;
            (&peer).write_all(b"1").expect("it is connected");
            (&other_peer).write_all(b"2").expect("it is connected");
            healthy.await.expect("it does not panic");
            nap.await;
            join.await.expect("it does not panic");
            remote.await.expect("it does not panic");
            assert!(work.await.expect("it does not panic"));
            assert_eq!(read.await.0.expect("there is a byte"), 1);
            assert!(set.join_next().await.expect("there is a task").expect_err("it panics").is_panic());
        });
    }

    /// In every order, and inside of another runtime.
    fn everything_can_be_dropped_after_or_outside_of_the_runtime(driver) {
        let make = || {
            let runtime = runtime(driver);
            let things = runtime.block_on(async {
                let (mut stream, peer) = half().await;
                assert!(poll_once(Polled::read(&mut stream, &mut [0])).await.is_pending());
                let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
                assert!(poll_once(Box::pin(listener.accept())).await.is_pending());
                let mut nap = Box::pin(sleep(LONG));
                assert!(poll_once(&mut nap).await.is_pending());
                let mut ticks = interval(LONG);
                ticks.tick().await;
                let waiting = spawn(sleep(LONG));
                let over = spawn(async { vec![7] });
                let panicked = spawn(async { panic!("as it should") });
                let remote = Handle::current().spawn(|| async { 7 });
                let blocking = task::spawn_blocking(|| 7);
                let probe = Probe::default();
                drop(spawn(probe.clone()));
                turns(100).await;
                let (one, _peer) = pair().await;
                let mut write = Box::pin(async move { one.write(vec![7; 1 << 24]).await.0 });
                drop(poll_once(&mut write).await);
                let things: Vec<Box<dyn std::any::Any>> = vec![
                    Box::new((stream, peer)), Box::new(listener), Box::new(nap), Box::new(ticks),
                    Box::new(waiting), Box::new(over), Box::new(panicked), Box::new(remote),
                    Box::new(blocking), Box::new(probe.waker()), Box::new(probe), Box::new(write),
                    Box::new(Handle::current()),
                ];
                things
            });
            (runtime, things)
        };
        let before = descriptors();

        let (first, things) = make();
        drop(first);
        drop(things);
        assert_eq!(descriptors(), before);

        let (first, things) = make();
        drop(things);
        drop(first);
        assert_eq!(descriptors(), before);

        let (first, things) = make();
        let second = runtime(driver);
        second.block_on(async {
            let things: Vec<_> = things.into_iter().map(|thing| async move { drop(thing) }).collect();
            for thing in things {
                spawn(thing).await.expect("the drop does not panic");
            }
            drop(first);
        });
        drop(second);
        assert_eq!(descriptors(), before);

        let (first, things) = make();
        let second = runtime(driver);
        second.block_on(async {
            drop(first);
            spawn(async move { drop(things) }).await.expect("the drop does not panic");
        });
        drop(second);
        assert_eq!(descriptors(), before);
    }
}

#[test]
fn what_is_left_in_a_thread_local_is_dropped_with_the_thread() {
    thread_local! {
        static LEFT: RefCell<Vec<Box<dyn std::any::Any>>> = const { RefCell::new(Vec::new()) };
    }
    let _alone = alone();
    conformance::watch(|| {
        thread::spawn(|| {
            let runtime = runtime(DriverKind::Auto);
            let (stream, peer) = runtime.block_on(async {
                let (mut stream, peer) = half().await;
                assert!(poll_once(Polled::read(&mut stream, &mut [0])).await.is_pending());
                drop(spawn(sleep(LONG)));
                turns(1).await;
                (stream, peer)
            });
            let things: Vec<Box<dyn std::any::Any>> =
                vec![Box::new(stream), Box::new(runtime), Box::new(peer)];
            LEFT.set(things);
        })
        .join()
        .expect("the thread ends without a panic");
    });
    assert_eq!(mem::size_of::<Waker>(), 16);
}
