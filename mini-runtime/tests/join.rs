//! Join handles: outputs, detaching, aborting.
#![expect(clippy::async_yields_async, reason = "handles are taken out of the runtime")]

mod common;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use common::{Count, OnDrop, on_both_drivers, poll_once, runtime, turns};
use conformance::{Probe, panic_text};
use mini_runtime::spawn;
use mini_runtime::task::{JoinHandle, yield_now};

on_both_drivers! {
    /// Whether the task ends before it is awaited, or after.
    fn a_handle_gives_the_output(driver) {
        runtime(driver).block_on(async {
            assert_eq!(spawn(async { vec![7] }).await.expect("no panic"), [7]);
            let early = spawn(async { "early" });
            turns(1).await;
            assert!(early.is_finished());
            assert_eq!(early.await.expect("no panic"), "early");
            let late = spawn(async {
                turns(10).await;
                "late"
            });
            assert!(!late.is_finished());
            assert_eq!(late.await.expect("no panic"), "late");
        });
    }

    /// The output stays until it is taken, once.
    fn a_handle_that_is_awaited_by_reference_loses_nothing(driver) {
        runtime(driver).block_on(async {
            let mut handle = spawn(async {
                yield_now().await;
                7
            });
            assert!(poll_once(&mut handle).await.is_pending());
            turns(2).await;
            assert_eq!((&mut handle).await.expect("no panic"), 7);
            let again = panic_text(|| {
                let waker = std::task::Waker::noop();
                let _ = std::pin::Pin::new(&mut handle)
                    .poll(&mut std::task::Context::from_waker(waker));
            });
            assert_eq!(again, "a JoinHandle was polled after it was ready");
        });
    }

    /// The last one to poll is woken.
    fn a_handle_that_moves_to_another_task_wakes_that_one(driver) {
        runtime(driver).block_on(async {
            let probe = Probe::default();
            let mut inner = spawn(probe.clone());
            assert!(poll_once(&mut inner).await.is_pending());
            let outer = spawn(inner);
            turns(2).await;
            probe.done.set(true);
            probe.waker().wake();
            outer.await.expect("no panic").expect("no panic");
        });
    }

    /// It runs to its end, and its output is dropped at once.
    fn a_task_whose_handle_is_dropped_goes_on(driver) {
        runtime(driver).block_on(async {
            for turns_before in 0..4 {
                let (ran, dropped) = (Rc::new(Cell::new(false)), Count::default());
                let (runs, counts) = (ran.clone(), dropped.clone());
                let handle = spawn(async move {
                    turns(2).await;
                    runs.set(true);
                    OnDrop(move || counts.add())
                });
                turns(turns_before).await;
                drop(handle);
                turns(5).await;
                assert!(ran.get());
                assert_eq!(dropped.get(), 1);
            }
        });
    }

    /// Before its first poll, between two polls, by itself, and after its end.
    fn an_abort_drops_the_future_and_says_cancelled(driver) {
        runtime(driver).block_on(async {
            for turns_before in 0..3 {
                let dropped = Count::default();
                let counts = dropped.clone();
                let handle = spawn(async move {
                    let _guard = OnDrop(move || counts.add());
                    std::future::pending::<()>().await;
                });
                turns(turns_before).await;
                handle.abort();
                handle.abort();
                assert!(!handle.is_finished(), "it is asked, and not stopped");
                let error = handle.await.expect_err("it was aborted");
                assert!(error.is_cancelled() && !error.is_panic());
                assert_eq!(error.to_string(), "the task was cancelled");
                // One that was never polled has not made the guard.
                assert_eq!(dropped.get(), usize::from(turns_before > 0));
            }
            let over = spawn(async { 7 });
            turns(1).await;
            over.abort();
            assert_eq!(over.await.expect("it was over before"), 7);
        });
    }

    /// The output wins if the task is ready in the poll in which it aborts itself.
    fn a_task_that_aborts_itself_ends_after_its_poll(driver) {
        runtime(driver).block_on(async {
            for is_ready in [false, true] {
                let own: Rc<RefCell<Option<JoinHandle<u32>>>> = Rc::default();
                let handle = own.clone();
                let polls = Rc::new(Cell::new(0));
                let counts = polls.clone();
                let task = spawn(poll_fn(move |_| {
                    counts.set(counts.get() + 1);
                    handle.borrow().as_ref().expect("it was put there").abort();
                    if is_ready { Poll::Ready(7) } else { Poll::Pending }
                }));
                own.replace(Some(task));
                turns(3).await;
                let task = own.take().expect("it is there");
                assert_eq!((task.await.ok(), polls.get()), (is_ready.then_some(7), 1));
            }
        });
    }

    /// The one who is waited for, and the one who waits.
    fn a_task_may_abort_others_and_drop_its_own_handle(driver) {
        runtime(driver).block_on(async {
            let victim = spawn(std::future::pending::<()>());
            let own: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
            let handle = own.clone();
            own.replace(Some(spawn(async move {
                victim.abort();
                assert!(victim.await.expect_err("it was aborted").is_cancelled());
                drop(handle.take());
                turns(2).await;
            })));
            turns(20).await;
            assert!(own.borrow().is_none());
        });
    }

    /// Between two `block_on`s, and after the runtime.
    fn an_abort_works_outside_of_block_on(driver) {
        let runtime = runtime(driver);
        let handle = runtime.block_on(async {
            let handle = spawn(std::future::pending::<()>());
            turns(1).await;
            handle
        });
        handle.abort();
        assert!(runtime.block_on(handle).expect_err("it was aborted").is_cancelled());
        let handle = runtime.block_on(async { spawn(std::future::pending::<()>()) });
        drop(runtime);
        assert!(handle.is_finished());
        handle.abort();
        assert!(format!("{handle:?}").contains("is_finished: true"));
        let next = common::runtime(driver);
        assert!(next.block_on(handle).expect_err("its runtime has gone").is_cancelled());
    }

    /// An output of no size, and one of a strict alignment.
    fn outputs_of_every_shape_come_through(driver) {
        #[derive(Debug, PartialEq)]
        #[repr(align(128))]
        struct Aligned([u8; 300]);

        runtime(driver).block_on(async {
            assert!(spawn(async {}).await.is_ok());
            let big = spawn(async { Aligned([7; 300]) }).await.expect("no panic");
            assert_eq!(big, Aligned([7; 300]));
            assert_eq!(std::ptr::from_ref(&big).addr() % 128, 0);
            let captured = Aligned([9; 300]);
            let inside = spawn(async move {
                yield_now().await;
                assert_eq!(std::ptr::from_ref(&captured).addr() % 128, 0);
                captured.0[299]
            });
            assert_eq!(inside.await.expect("no panic"), 9);
        });
    }

    /// However deep, and however many.
    fn a_chain_of_ten_thousand_tasks_ends(driver) {
        runtime(driver).block_on(async {
            let mut last = spawn(async { 0 });
            for _ in 0..10_000 {
                last = spawn(async move { last.await.expect("no panic") + 1 });
            }
            assert_eq!(last.await.expect("no panic"), 10_000);
        });
    }

    /// They are dropped one after the other, and not each inside of the one before.
    fn a_hundred_thousand_queued_tasks_are_dropped_with_the_runtime(driver) {
        let dropped = Count::default();
        let runtime = runtime(driver);
        runtime.block_on(async {
            for _ in 0..100_000 {
                let guard = OnDrop({
                    let dropped = dropped.clone();
                    move || dropped.add()
                });
                drop(spawn(async move { drop(guard) }));
            }
        });
        assert_eq!(dropped.get(), 0);
        drop(runtime);
        assert_eq!(dropped.get(), 100_000);
    }
}
