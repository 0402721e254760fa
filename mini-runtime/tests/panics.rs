//! Panics: in polls, in drops of futures and outputs, in wakers, in the main future.
#![expect(clippy::async_yields_async, reason = "handles are taken out of the runtime")]

mod common;

use std::any::Any;
use std::cell::Cell;
use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::panic::{panic_any, resume_unwind};
use std::task::{Context, Poll};
use std::thread;

use common::{Buffer, Count, OnDrop, half, on_both_drivers, poll_once, runtime, turns, waker};
use conformance::panic_text;
use mini_runtime::io::{AsyncReadOwned, IoBuf, IoBufMut};
use mini_runtime::task::{JoinError, RemoteHandle, spawn_blocking};
use mini_runtime::{DriverKind, Handle, spawn};

fn text(error: JoinError) -> String {
    assert!(error.is_panic() && !error.is_cancelled());
    error.to_string()
}

/// Panics when it is dropped.
fn mine(text: &'static str) -> OnDrop<impl FnMut()> {
    OnDrop(move || panic!("{text}"))
}

/// A buffer that panics when it is dropped.
struct Mine(Buffer);

impl Drop for Mine {
    fn drop(&mut self) {
        panic!("the buffer's drop");
    }
}

// SAFETY: that of the buffer inside.
unsafe impl IoBuf for Mine {
    fn as_ptr(&self) -> *const u8 {
        self.0.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.0.bytes_init()
    }
}

// SAFETY: that of the buffer inside.
unsafe impl IoBufMut for Mine {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    fn bytes_total(&self) -> usize {
        self.0.bytes_total()
    }

    unsafe fn set_init(&mut self, length: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.0.set_init(length) };
    }
}

on_both_drivers! {
    /// In the first poll, or later: the handle has the payload, and the future is dropped.
    fn a_panic_in_a_poll_is_the_output(driver) {
        runtime(driver).block_on(async {
            for polls in 0..3 {
                let dropped = Count::default();
                let counts = dropped.clone();
                let task = spawn(async move {
                    let _guard = OnDrop(move || counts.add());
                    turns(polls).await;
                    panic!("number {polls}");
                });
                let error = task.await.expect_err("it panics");
                assert_eq!(text(error), format!("the task panicked: number {polls}"));
                assert_eq!(dropped.get(), 1);
            }
            let error = spawn(async { panic_any(7_u32) }).await.expect_err("it panics");
            assert_eq!(error.to_string(), "the task panicked");
            let payload = error.try_into_panic().expect("it is a panic");
            assert_eq!(payload.downcast_ref(), Some(&7_u32));
        });
    }

    /// While it is ready, while it is aborted, and while its poll panics.
    fn a_panic_in_the_drop_of_a_future_is_the_output(driver) {
        runtime(driver).block_on(async {
            let mut guard = Some(mine("the drop"));
            let ready = spawn(poll_fn(move |_| {
                let _ = &mut guard;
                Poll::Ready(7)
            }));
            assert_eq!(text(ready.await.expect_err("it panics")), "the task panicked: the drop");
            let guard = mine("the drop");
            let aborted = spawn(async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            });
            turns(1).await;
            aborted.abort();
            assert_eq!(text(aborted.await.expect_err("it panics")), "the task panicked: the drop");
        });
    }

    /// Both, one after the other: that is no abort of the process.
    fn a_future_and_an_output_that_both_panic_in_their_drops_end_one_task(driver) {
        runtime(driver).block_on(async {
            let mut guard = Some(mine("the future's drop"));
            let both = spawn(poll_fn(move |_| {
                let _ = &mut guard;
                Poll::Ready(mine("the output's drop"))
            }));
            let error = both.await.err().expect("it panics");
            assert_eq!(text(error), "the task panicked: the future's drop");
            assert_eq!(spawn(async { 7 }).await.expect("the runtime goes on"), 7);
        });
    }

    /// Nobody wants to know.
    fn a_panic_in_the_drop_of_an_output_that_nobody_wants_does_no_harm(driver) {
        let runtime = runtime(driver);
        runtime.block_on(async {
            drop(spawn(async { mine("nobody wants it") }));
            turns(3).await;
            assert_eq!(spawn(async { 7 }).await.expect("the runtime goes on"), 7);
            // It is the one who drops the handle who has the panic, if the task was over.
            let kept = spawn(async { mine("somebody has it") });
            turns(1).await;
            assert_eq!(panic_text(|| drop(kept)), "somebody has it");
        });
    }

    /// The others are dropped all the same.
    fn panics_in_drops_do_not_keep_the_runtime_from_dropping_the_others(driver) {
        let dropped = Count::default();
        let runtime = runtime(driver);
        runtime.block_on(async {
            for number in 0..10 {
                let counts = dropped.clone();
                drop(spawn(async move {
                    let _guard = OnDrop(move || {
                        counts.add();
                        assert_ne!(number % 2, 0, "as it should");
                    });
                    std::future::pending::<()>().await;
                }));
            }
            turns(1).await;
        });
        drop(runtime);
        assert_eq!(dropped.get(), 10);
    }

    /// The future of a ring's operation is gone: its buffer is dropped in the middle of the driver.
    fn a_panic_in_the_drop_of_a_buffer_hits_no_other_task(driver) {
        let freed = Count::default();
        let runtime = runtime(driver);
        runtime.block_on(async {
            for abort in [true, false] {
                for _ in 0..5 {
                    let (stream, peer) = half().await;
                    let buffer = Mine(Buffer::new(10, &freed));
                    let task = spawn(async move {
                        let _peer = peer;
                        let (_, buffer) = stream.read(buffer).await;
                        std::mem::forget(buffer);
                    });
                    turns(1).await;
                    if abort {
                        task.abort();
                        let _ = task.await;
                    }
                }
                turns(200).await;
            }
            assert_eq!(spawn(async { 7 }).await.expect("the runtime goes on"), 7);
            assert_eq!(freed.get(), 5);
        });
        drop(runtime);
        assert_eq!(freed.get(), 10);
    }

    /// It comes out of `block_on`, and the next one goes on.
    fn a_panic_in_the_main_future_leaves_the_tasks_alone(driver) {
        let runtime = runtime(driver);
        let mut task = None;
        let panic = panic_text(|| {
            runtime.block_on(async {
                task = Some(spawn(async {
                    turns(10).await;
                    7
                }));
                turns(2).await;
                panic!("in the main future");
            });
        });
        assert_eq!(panic, "in the main future");
        let task = task.expect("it was spawned");
        assert_eq!(runtime.block_on(task).expect("it goes on"), 7);
    }

    /// A waker that panics is not the runtime's, and leaves it whole.
    fn a_waker_that_panics_leaves_the_runtime_whole(driver) {
        let runtime = runtime(driver);
        let mine = || waker(|| panic!("in a waker"));
        let (mut one, other) = runtime.block_on(async {
            let mut one = spawn(async { 7 });
            let waker = mine();
            let polled = std::pin::Pin::new(&mut one).poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            (one, spawn(async { 8 }))
        });
        // The hook has told so. It is nobody's here.
        runtime.block_on(turns(3));
        runtime.block_on(async {
            assert!(poll_once(&mut one).await.is_ready());
            assert_eq!(other.await.expect("no panic"), 8);
        });
    }

    /// On another thread, or of another thread's task.
    fn panics_of_remote_work_are_the_outputs(driver) {
        let runtime = runtime(driver);
        let handle: Handle = runtime.handle();
        runtime.block_on(async {
            let blocking: RemoteHandle<()> = spawn_blocking(|| panic!("in the pool"));
            let error = blocking.await.expect_err("it panics");
            assert_eq!(text(error), "the task panicked: in the pool");
            let remote: RemoteHandle<()> = handle.spawn(|| async { panic!("in a task") });
            let error = remote.await.expect_err("it panics");
            assert_eq!(text(error), "the task panicked: in a task");
            let remote = handle.spawn(|| {
                assert!(Handle::try_current().is_none(), "in the making");
                async {}
            });
            assert_eq!(text(remote.await.expect_err("it panics")), "the task panicked: in the making");
            // An output whose drop panics, and that nobody wants.
            let (release, wait) = std::sync::mpsc::channel();
            drop(spawn_blocking(move || {
                wait.recv().expect("it is released");
                OnDrop(|| panic!("nobody wants it"))
            }));
            release.send(()).expect("it waits");
            assert_eq!(spawn_blocking(|| 7).await.expect("the pool goes on"), 7);
        });
    }
}

#[test]
fn an_error_that_is_no_panic_says_so() {
    let handle = {
        let runtime = runtime(DriverKind::Auto);
        runtime.block_on(async { spawn(std::future::pending::<()>()) })
    };
    let runtime = runtime(DriverKind::Auto);
    let error = runtime.block_on(handle).expect_err("its runtime has gone");
    assert_eq!(format!("{error:?}"), "JoinError::Cancelled");
    let error = error.try_into_panic().expect_err("it is no panic");
    let text = panic_text(|| drop(error.into_panic()));
    assert!(text.contains("it was cancelled"), "{text}");
}

/// Threads share it, whatever was thrown, and `?` makes of it what others return.
#[test]
fn an_error_can_be_told_on_any_thread_and_as_any_error() {
    fn told(error: JoinError) -> Result<(), Box<dyn Error + Send + Sync>> {
        Err(error)?
    }

    fn told_by_io(error: JoinError) -> io::Result<()> {
        Err(error)?
    }

    let runtime = runtime(DriverKind::Auto);
    let thrown = |payload: Box<dyn Any + Send>| {
        let task = spawn(async { resume_unwind(payload) });
        async { task.await.map(|never: Infallible| match never {}).expect_err("it panics") }
    };
    runtime.block_on(async {
        // A cell is not to be shared, and is not looked at.
        for payload in [Box::new("text") as Box<dyn Any + Send>, Box::new(Cell::new(7))] {
            let error = thrown(payload).await;
            let here = format!("{error} {error:?}");
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| assert_eq!(format!("{error} {error:?}"), here));
                }
            });
        }
        let error = told(thrown(Box::new("text")).await).expect_err("it is one");
        assert_eq!(error.to_string(), "the task panicked: text");
        let error = told_by_io(thrown(Box::new("text")).await).expect_err("it is one");
        assert_eq!(error.to_string(), "the task panicked: text");
        let inner = error.into_inner().expect("it is in there").downcast::<JoinError>();
        assert!(inner.expect("it is one").is_panic());
    });
}
