//! Tasks that belong together.

mod common;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use common::{Count, OnDrop, on_both_drivers, runtime, turns};
use conformance::Probe;
use mini_runtime::spawn;
use mini_runtime::task::{JoinSet, yield_now};

on_both_drivers! {
    /// And not in that in which they were spawned.
    fn outputs_come_in_the_order_in_which_the_tasks_end(driver) {
        runtime(driver).block_on(async {
            let mut set = JoinSet::new();
            for number in [3, 1, 2] {
                set.spawn(async move {
                    turns(number).await;
                    number
                });
            }
            assert_eq!((set.len(), set.try_join_next().is_none()), (3, true));
            for expected in 1..=3 {
                let output = set.join_next().await.expect("there are more");
                assert_eq!(output.expect("no panic"), expected);
            }
            assert!(set.is_empty());
            assert!(set.join_next().await.is_none());
        });
    }

    /// And the tasks beside it go on.
    fn a_task_that_panics_is_an_error_of_its_own(driver) {
        runtime(driver).block_on(async {
            let mut set = JoinSet::new();
            set.spawn(async { panic!("only I") });
            set.spawn(async {
                turns(5).await;
                7
            });
            let first = set.join_next().await.expect("there are two").expect_err("it panics");
            assert!(first.is_panic());
            assert_eq!(set.join_next().await.expect("there is one").expect("no panic"), 7);
        });
    }

    /// Those that were never polled, and those that wait; and all are told of.
    fn a_set_that_is_shut_down_has_dropped_the_futures_of_all_tasks(driver) {
        runtime(driver).block_on(async {
            let (mut set, dropped) = (JoinSet::new(), Count::default());
            for number in 0..100 {
                let counts = dropped.clone();
                let alive = OnDrop(move || counts.add());
                set.spawn(async move {
                    let _alive = alive;
                    poll_fn(|_| Poll::<()>::Pending).await;
                });
                turns(number % 2).await;
            }
            set.shutdown().await;
            assert_eq!((set.len(), dropped.get()), (0, 100));
        });
    }

    /// Both leave the set empty.
    fn dropping_a_set_aborts_its_tasks_and_detaching_does_not(driver) {
        runtime(driver).block_on(async {
            for detach in [false, true] {
                let (mut set, ended) = (JoinSet::new(), Rc::new(Cell::new(0)));
                for _ in 0..10 {
                    let ended = ended.clone();
                    set.spawn(async move {
                        yield_now().await;
                        ended.set(ended.get() + 1);
                    });
                }
                if detach {
                    set.detach_all();
                    assert!(set.is_empty());
                }
                drop(set);
                turns(5).await;
                assert_eq!(ended.get(), if detach { 10 } else { 0 });
                assert_eq!(Rc::strong_count(&ended), 1, "their futures are gone in any case");
            }
        });
    }

    /// Whoever asks while the future of a task is being dropped is asked again.
    fn a_task_that_is_just_ending_is_joined_later(driver) {
        runtime(driver).block_on(async {
            let set = Rc::new(RefCell::new(JoinSet::new()));
            let (within, asked) = (set.clone(), Rc::new(Cell::new(false)));
            let asks = asked.clone();
            // A future that was never polled is dropped after what the set has put beside it.
            let looks = OnDrop(move || {
                asks.set(true);
                assert!(within.borrow_mut().try_join_next().is_none());
            });
            set.borrow_mut().spawn(async move { drop(looks) });
            set.borrow().abort_all();
            let next = poll_fn(|cx| set.borrow_mut().poll_join_next(cx)).await;
            let error = next.expect("it is there").expect_err("it was aborted");
            assert_eq!((error.is_cancelled(), asked.get()), (true, true));
        });
    }

    /// Who looks without waiting does not take the place of who waits.
    fn whoever_waits_for_the_next_task_is_woken_also_if_others_have_looked_meanwhile(driver) {
        runtime(driver).block_on(async {
            let set = Rc::new(RefCell::new(JoinSet::new()));
            let probe = Probe::default();
            // Once while the task runs, and once while its future is being dropped.
            let (within, task) = (set.clone(), probe.clone());
            let looks = OnDrop(move || assert!(within.borrow_mut().try_join_next().is_none()));
            set.borrow_mut().spawn(async move {
                let _looks = looks;
                task.await;
            });
            let waited_for = set.clone();
            let waits = spawn(poll_fn(move |cx| waited_for.borrow_mut().poll_join_next(cx)));
            turns(1).await;
            assert!(set.borrow_mut().try_join_next().is_none());
            probe.done.set(true);
            probe.waker().wake();
            let ended = waits.await.expect("no panic").expect("there is one");
            ended.expect("no panic");
        });
    }

    /// There will be no next one, and nobody waits for it in vain.
    fn whoever_waits_for_the_next_task_is_told_when_all_are_detached(driver) {
        runtime(driver).block_on(async {
            let set = Rc::new(RefCell::new(JoinSet::new()));
            set.borrow_mut().spawn(Probe::default());
            let waited_for = set.clone();
            let waits = spawn(poll_fn(move |cx| waited_for.borrow_mut().poll_join_next(cx)));
            turns(1).await;
            set.borrow_mut().detach_all();
            assert!(waits.await.expect("no panic").is_none());
        });
    }

    /// A thousand that end one after the other, each of them started by the one before.
    fn tasks_can_be_added_while_others_are_waited_for(driver) {
        runtime(driver).block_on(async {
            let (mut set, mut outputs) = (JoinSet::new(), 0);
            let probe = Probe::default();
            set.spawn(probe.clone());
            let wakes = spawn(async move {
                turns(1).await;
                probe.done.set(true);
                probe.waker().wake();
            });
            while let Some(ended) = set.join_next().await {
                ended.expect("no panic");
                outputs += 1;
                if outputs < 1000 {
                    set.spawn(async {});
                }
            }
            wakes.await.expect("no panic");
            assert_eq!(outputs, 1000);
        });
    }
}
