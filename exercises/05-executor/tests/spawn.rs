//! The thread-local by which `spawn` finds an executor.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use ch03_block_on::Parker;
use ch05_executor::{Executor, enter, is_entered, spawn};
use conformance::watch;
use conformance::{Probe, panic_text, yield_now};
use futures::executor::LocalPool;
use futures::task::LocalSpawn;

#[test]
fn spawn_outside_of_block_on_says_so() {
    let text = panic_text(|| spawn(async {}));
    assert!(text.contains("spawn was called outside of block_on"), "{text}");
}

#[test]
fn block_on_inside_of_block_on_says_so() {
    watch(|| {
        let text = panic_text(|| {
            Executor::new(Parker::new()).block_on(async {
                Executor::new(Parker::new()).block_on(async {});
            })
        });
        assert!(text.contains("block_on was called inside of block_on"), "{text}");
        assert!(!is_entered());
    });
}

#[test]
fn an_executor_is_entered_just_while_block_on_runs() {
    watch(|| {
        assert!(!is_entered());
        assert!(Executor::new(Parker::new()).block_on(async { is_entered() }));
        assert!(!is_entered());
    });
}

#[test]
fn spawn_starts_tasks_on_another_executor_that_was_entered() {
    watch(|| {
        let mut pool = LocalPool::new();
        let spawner: Rc<dyn LocalSpawn> = Rc::new(pool.spawner());
        let probe = Probe::default();
        enter(&spawner, || {
            pool.run_until(async { spawn(probe.clone()) });
            pool.run_until_stalled();
            probe.waker().wake();
            pool.run_until_stalled();
        });
        assert_eq!(probe.polls.get(), 2);
    });
}

#[test]
fn spawn_on_an_executor_that_has_shut_down_says_so() {
    let spawner: Rc<dyn LocalSpawn> = Rc::new(LocalPool::new().spawner());
    let text = enter(&spawner, || panic_text(|| spawn(async {})));
    assert!(text.contains("the executor has shut down"), "{text}");
}

#[test]
fn what_the_main_future_spawns_while_it_is_dropped_runs_in_the_next_block_on() {
    struct SpawnOnDrop(Probe);
    impl Drop for SpawnOnDrop {
        fn drop(&mut self) {
            spawn(self.0.clone());
        }
    }

    watch(|| {
        let executor = Executor::new(Parker::new());
        let probe = Probe::default();
        let held = SpawnOnDrop(probe.clone());
        // Ready, while `held` is still inside of the future.
        executor.block_on(poll_fn(move |_| {
            let _held = &held;
            Poll::Ready(())
        }));
        assert_eq!(probe.polls.get(), 0);
        executor.block_on(yield_now());
        assert_eq!(probe.polls.get(), 1);
    });
}
