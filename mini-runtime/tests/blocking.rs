//! Work that blocks.
#![expect(clippy::async_yields_async, reason = "handles are taken out of the runtime")]

mod common;

use std::collections::HashSet;
use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use common::{Count, OnDrop, on_both_drivers, runtime, turns};
use conformance::panic_text;
use futures::future::join_all;
use mini_runtime::Builder;
use mini_runtime::task::spawn_blocking;

on_both_drivers! {
    /// On another thread, while the tasks go on.
    fn tasks_go_on_while_work_blocks(driver) {
        runtime(driver).block_on(async {
            let here = thread::current().id();
            let (release, wait) = mpsc::channel::<()>();
            let work = spawn_blocking(move || {
                wait.recv().expect("it is released");
                thread::current().id()
            });
            turns(1000).await;
            release.send(()).expect("it waits");
            assert_ne!(work.await.expect("no panic"), here);
        });
    }

    /// They can all be in the middle of it at the same time.
    fn there_are_as_many_threads_as_work_up_to_the_bound(driver) {
        let runtime = Builder::new().driver(driver).max_blocking_threads(20).build();
        runtime.expect("descriptors are left").block_on(async {
            let all_here = Arc::new(Barrier::new(20));
            let work = (0..20).map(|_| {
                let all_here = all_here.clone();
                spawn_blocking(move || all_here.wait())
            });
            join_all(work.collect::<Vec<_>>()).await;
        });
    }

    /// The others wait, in their order, and nobody is forgotten.
    fn work_above_the_bound_waits_for_a_thread(driver) {
        for bound in [1, 3] {
            let runtime = Builder::new().driver(driver).max_blocking_threads(bound).build();
            runtime.expect("descriptors are left").block_on(async {
                let work = (0..1000).map(|number| {
                    spawn_blocking(move || (number, thread::current().id()))
                });
                let work = join_all(work.collect::<Vec<_>>()).await;
                let ids: HashSet<_> =
                    work.iter().map(|done| done.as_ref().expect("no panic").1).collect();
                assert!(ids.len() <= bound);
                let order = work.iter().map(|done| done.as_ref().expect("no panic").0);
                assert!(order.eq(0..1000));
            });
        }
    }

    /// Threads that go for lack of work, and work that comes at that moment.
    fn work_that_meets_a_thread_on_its_way_out_is_done(driver) {
        let runtime = Builder::new()
            .driver(driver)
            .thread_keep_alive(Duration::from_micros(50))
            .max_blocking_threads(2)
            .build();
        runtime.expect("descriptors are left").block_on(async {
            for number in 0..3000 {
                assert_eq!(spawn_blocking(move || number).await.expect("no panic"), number);
            }
        });
    }

    /// What was begun is waited for; what was not, is dropped, and whoever waits is told.
    fn a_runtime_that_goes_waits_for_what_was_begun_and_drops_the_rest(driver) {
        let runtime = Builder::new().driver(driver).max_blocking_threads(1).build();
        let runtime = runtime.expect("descriptors are left");
        let (begun, dropped, over) = (Count::default(), Count::default(), Count::default());
        let (release, wait) = mpsc::channel::<()>();
        let (first, second) = runtime.block_on(async {
            let (begins, ends) = (begun.clone(), over.clone());
            let first = spawn_blocking(move || {
                begins.add();
                wait.recv().expect("it is released");
                ends.add();
            });
            while begun.get() == 0 {
                turns(1).await;
            }
            let counts = dropped.clone();
            let guard = OnDrop(move || {
                counts.add();
                release.send(()).expect("it waits");
            });
            (first, spawn_blocking(move || drop(guard)))
        });
        // The second is dropped first, and releases the first.
        drop(runtime);
        assert_eq!((over.get(), dropped.get()), (1, 1));
        assert!(first.join().is_ok());
        assert!(second.join().expect_err("nobody has begun it").is_cancelled());
    }

    /// It stays, and its output is dropped on its thread.
    fn work_whose_handle_is_dropped_is_done_all_the_same(driver) {
        let done = Count::default();
        let runtime = runtime(driver);
        runtime.block_on(async {
            let counts = done.clone();
            drop(spawn_blocking(move || OnDrop(move || counts.add())));
            while done.get() == 0 {
                turns(1).await;
            }
        });
    }

    /// A handle can be awaited, and also joined, on a thread without a runtime.
    fn a_handle_can_be_joined_elsewhere(driver) {
        let runtime = runtime(driver);
        let handle = runtime.block_on(async { spawn_blocking(|| 7) });
        assert_eq!(thread::spawn(|| handle.join()).join().expect("no panic").expect("no panic"), 7);
    }
}

#[test]
fn there_is_no_pool_without_a_runtime_and_no_pool_without_threads() {
    let text = panic_text(|| drop(spawn_blocking(|| ())));
    assert!(text.contains("no runtime runs on this thread"), "{text}");
    let text = panic_text(|| _ = Builder::new().max_blocking_threads(0));
    assert!(text.contains("never does anything"), "{text}");
}
