//! Reaching a runtime from other threads.

mod common;

use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use common::{Count, OnDrop, on_both_drivers, runtime, turns};
use conformance::panic_text;
use futures::channel::oneshot;
use mini_runtime::task::{RemoteHandle, spawn_blocking};
use mini_runtime::{Handle, spawn};

on_both_drivers! {
    /// The future is made there, so it need not be `Send`.
    fn a_task_that_is_started_from_elsewhere_runs_on_the_runtimes_thread(driver) {
        let runtime = runtime(driver);
        let (handle, here) = (runtime.handle(), thread::current().id());
        let other = thread::spawn(move || {
            let answer = handle.block_on(move || async move {
                let not_send = Rc::new(7);
                turns(3).await;
                assert_eq!(thread::current().id(), here);
                *not_send
            });
            answer.expect("no panic")
        });
        runtime.block_on(async {
            while !other.is_finished() {
                turns(1).await;
            }
        });
        assert_eq!(other.join().expect("no panic"), 7);
    }

    /// A thread that sleeps in the kernel wakes up for that.
    fn a_sleeping_runtime_wakes_up_for_a_task(driver) {
        let runtime = runtime(driver);
        let handle = runtime.handle();
        let (sender, receiver) = oneshot::channel();
        let other = thread::spawn(move || {
            for _ in 0..1000 {
                handle.block_on(|| async {}).expect("no panic");
            }
            handle.spawn(move || async move { sender.send(7) }).join().expect("no panic")
        });
        assert_eq!(runtime.block_on(receiver), Ok(7));
        // The answer may still be on its way.
        runtime.block_on(async {
            while !other.is_finished() {
                turns(1).await;
            }
        });
        assert!(other.join().expect("no panic").is_ok());
    }

    /// In the order in which they were asked for.
    fn what_comes_before_block_on_waits_for_it(driver) {
        let runtime = runtime(driver);
        let handle = runtime.handle();
        let (sender, order) = mpsc::channel();
        let tasks: Vec<_> = (0..100).map(|number| {
            let sender = sender.clone();
            handle.spawn(move || async move { sender.send(number).expect("it listens") })
        }).collect();
        assert!(order.try_recv().is_err());
        runtime.block_on(async {
            for task in tasks {
                task.await.expect("no panic");
            }
        });
        assert_eq!(order.try_iter().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    }

    /// Before it starts, while it runs, and long after: whoever waits is told.
    fn a_runtime_that_goes_tells_those_who_wait(driver) {
        let gone = runtime(driver);
        let handle = gone.handle();
        let dropped = Count::default();
        let guard = |dropped: &Count| {
            let dropped = dropped.clone();
            OnDrop(move || dropped.add())
        };
        let in_the_middle = (handle.clone(), guard(&dropped));
        let (started, is_started) = oneshot::channel();
        let waits = thread::spawn(move || {
            let (handle, guard) = in_the_middle;
            handle.block_on(move || async move {
                let _guard = guard;
                started.send(()).expect("somebody waits");
                std::future::pending::<()>().await;
            })
        });
        gone.block_on(is_started).expect("it starts");
        let never_started = handle.spawn({
            let guard = guard(&dropped);
            move || async move { drop(guard) }
        });
        drop(gone);
        assert!(waits.join().expect("no panic").expect_err("it has gone").is_cancelled());
        assert!(never_started.join().expect_err("it has gone").is_cancelled());
        assert_eq!(dropped.get(), 2);
        // The next one has its number, and is not taken for it.
        let next = runtime(driver);
        let late: RemoteHandle<()> =
            handle.spawn(|| async { unreachable!("this is another runtime") });
        next.block_on(turns(100));
        assert!(late.join().expect_err("it has gone").is_cancelled());
        assert_eq!(next.handle().spawn(|| async { 7 }).join_in(&next), 7);
    }

    /// It would wait for itself.
    fn a_thread_that_runs_a_runtime_is_not_blocked_by_mistake(driver) {
        assert!(Handle::try_current().is_none());
        assert!(panic_text(|| _ = Handle::current()).contains("no runtime runs"));
        let runtime = runtime(driver);
        runtime.block_on(async {
            let handle = Handle::current();
            let started = Count::default();
            let counts = started.clone();
            let text = panic_text(|| drop(handle.block_on(move || async move { counts.add() })));
            assert!(text.contains("await the handle instead"), "{text}");
            handle.spawn(|| async {}).await.expect("no panic");
            assert_eq!(started.get(), 0, "what cannot be waited for is not begun");
        });
    }

    /// The way out of async code and back in, several times over.
    fn sync_and_async_code_may_call_each_other_in_turns(driver) {
        fn down(handle: Handle, depth: u32) -> u32 {
            if depth == 0 {
                return 0;
            }
            let again = handle.clone();
            let below = handle.block_on(move || async move {
                spawn_blocking(move || down(again, depth - 1)).await.expect("no panic")
            });
            below.expect("no panic") + 1
        }

        runtime(driver).block_on(async {
            let handle = Handle::current();
            let depth = spawn_blocking(move || down(handle, 20));
            assert_eq!(depth.await.expect("no panic"), 20);
        });
    }

    /// As tasks that are detached do.
    fn a_remote_task_whose_handle_is_dropped_goes_on(driver) {
        runtime(driver).block_on(async {
            let over = Count::default();
            let counts = over.clone();
            drop(Handle::current().spawn(move || async move {
                spawn(turns(3)).await.expect("no panic");
                counts.add();
            }));
            while over.get() == 0 {
                turns(1).await;
            }
        });
    }
}

/// Waits in a runtime.
trait JoinIn<T> {
    fn join_in(self, runtime: &mini_runtime::Runtime) -> T;
}

impl<T> JoinIn<T> for RemoteHandle<T> {
    fn join_in(self, runtime: &mini_runtime::Runtime) -> T {
        runtime.block_on(self).expect("no panic")
    }
}
