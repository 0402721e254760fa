//! Wakers on every thread, in every phase of a task.

mod common;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::task::{Poll, Waker};
use std::thread;

use common::{Count, on_both_drivers, runtime, turns};
use conformance::Probe;
use futures::channel::{mpsc, oneshot};
use futures::{SinkExt, StreamExt};
use mini_runtime::{Handle, Runtime, spawn};

const THREADS: usize = 8;
const TIMES: usize = 10_000;

/// Clones, wakes and drops it, on many threads at once.
fn storm(waker: &Waker) {
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (waker, barrier) = (waker.clone(), &barrier);
            scope.spawn(move || {
                barrier.wait();
                for time in 0..TIMES {
                    let copy = waker.clone();
                    match (time + thread) % 4 {
                        0 => copy.wake(),
                        1 => copy.wake_by_ref(),
                        2 => drop(copy),
                        _ => assert!(copy.will_wake(&waker)),
                    }
                }
            });
        }
    });
}

/// A task that is pending, after its first poll.
async fn pending() -> Probe {
    let probe = Probe::default();
    drop(spawn(probe.clone()));
    turns(1).await;
    assert_eq!(probe.polls.get(), 1);
    probe
}

on_both_drivers! {
    /// All these wakes make at least one poll, and not more than one for each time somebody looked.
    fn a_storm_of_wakes_for_an_idle_task_polls_it_once(driver) {
        runtime(driver).block_on(async {
            let probe = pending().await;
            storm(&probe.waker());
            while probe.polls.get() == 1 {
                turns(1).await;
            }
            turns(200).await;
            assert_eq!(probe.polls.get(), 2);
        });
    }

    /// It is queued already, so the storm changes nothing.
    fn a_storm_of_wakes_for_a_queued_task_polls_it_at_most_once_more(driver) {
        runtime(driver).block_on(async {
            let probe = pending().await;
            probe.waker().wake();
            storm(&probe.waker());
            turns(200).await;
            assert!((2..=3).contains(&probe.polls.get()));
        });
    }

    /// A wake during a poll is not lost, whichever thread it comes from.
    fn a_storm_of_wakes_for_a_task_that_is_being_polled_polls_it_again(driver) {
        runtime(driver).block_on(async {
            let polls = Rc::new(Cell::new(0));
            let counts = polls.clone();
            spawn(poll_fn(move |cx| {
                counts.set(counts.get() + 1);
                if counts.get() == 2 {
                    return Poll::Ready(());
                }
                storm(cx.waker());
                Poll::Pending
            }))
            .await
            .expect("it does not panic");
            turns(200).await;
            assert_eq!(polls.get(), 2);
        });
    }

    /// Nobody is there any more.
    fn a_storm_of_wakes_for_a_task_that_is_done_does_nothing(driver) {
        runtime(driver).block_on(async {
            let probe = pending().await;
            probe.done.set(true);
            probe.waker().wake();
            turns(1).await;
            let polls = probe.polls.get();
            // The place is used again, by a stranger who is not woken.
            let stranger = pending().await;
            storm(&probe.waker());
            turns(200).await;
            assert_eq!((probe.polls.get(), stranger.polls.get()), (polls, 1));
        });
    }

    /// Neither when the runtime is gone, nor when the next one has its number.
    fn a_storm_of_wakes_for_a_runtime_that_is_gone_does_no_harm(driver) {
        let first = runtime(driver);
        let late = first.block_on(pending()).waker();
        let main = first.block_on(poll_fn(|cx| Poll::Ready(cx.waker().clone())));
        drop(first);
        storm(&late);
        storm(&main);
        for _ in 0..3 {
            let next = runtime(driver);
            next.block_on(async {
                let probes: Vec<Probe> = (0..10).map(|_| Probe::default()).collect();
                probes.iter().for_each(|probe| drop(spawn(probe.clone())));
                turns(1).await;
                storm(&late);
                storm(&main);
                turns(200).await;
                // Somebody may be taken for the one who was meant, and looks once for nothing.
                let polls: usize = probes.iter().map(|probe| probe.polls.get()).sum();
                assert!(polls <= 11, "{polls} polls");
                for probe in probes {
                    probe.done.set(true);
                    probe.waker().wake();
                }
                turns(1).await;
            });
        }
    }

    /// The main future's wakers go by the same rules.
    fn a_storm_of_wakes_for_the_main_future_is_not_lost(driver) {
        let runtime = runtime(driver);
        let mut polls = 0;
        let stale = runtime.block_on(poll_fn(|cx| Poll::Ready(cx.waker().clone())));
        runtime.block_on(poll_fn(|cx| {
            polls += 1;
            storm(&stale);
            storm(cx.waker());
            if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
        }));
        assert_eq!(polls, 3);
    }

    /// It is another future's task.
    fn wakers_of_an_earlier_main_future_do_not_poll_the_later_one(driver) {
        let runtime = runtime(driver);
        let stale = runtime.block_on(poll_fn(|cx| Poll::Ready(cx.waker().clone())));
        let mut polls = 0;
        let mut task = None;
        runtime.block_on(poll_fn(|cx| {
            polls += 1;
            stale.wake_by_ref();
            let task = task.get_or_insert_with(|| spawn(turns(200)));
            std::pin::Pin::new(task).poll(cx).map(drop)
        }));
        assert_eq!(polls, 2);
    }

    /// While it is stormy, tasks end and others begin, over and over.
    fn tasks_come_and_go_while_others_wake_them(driver) {
        let runtime = runtime(driver);
        let is_over = Arc::new(AtomicBool::new(false));
        let wakers = THREADS / 2;
        let (senders, threads): (Vec<_>, Vec<_>) = (0..wakers).map(|_| {
            let (send, receive) = std::sync::mpsc::channel::<Waker>();
            let is_over = is_over.clone();
            let thread = thread::spawn(move || {
                let mut kept = Vec::new();
                while !is_over.load(SeqCst) {
                    kept.extend(receive.try_iter());
                    kept.iter().for_each(Waker::wake_by_ref);
                    kept.drain(..kept.len().saturating_sub(10));
                    thread::yield_now();
                }
            });
            (send, thread)
        }).unzip();
        runtime.block_on(async {
            for round in 0..1000 {
                let probe = Probe::default();
                let task = spawn(probe.clone());
                turns(1).await;
                senders[round % wakers].send(probe.waker()).expect("it listens");
                probe.done.set(true);
                if round % 2 == 0 {
                    probe.waker().wake();
                    task.await.expect("it does not panic");
                } else {
                    // Only the other thread wakes this one.
                    task.await.expect("it does not panic");
                }
            }
        });
        drop(runtime);
        is_over.store(true, SeqCst);
        threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
    }

    /// The tasks that are here do not keep the wakes of other threads out.
    fn wakes_of_other_threads_are_heard_while_a_task_spins(driver) {
        let runtime = runtime(driver);
        runtime.block_on(async {
            drop(spawn(async {
                loop {
                    turns(1).await;
                }
            }));
            let (ask, asked) = std::sync::mpsc::channel::<oneshot::Sender<()>>();
            let other = thread::spawn(move || {
                asked.iter().for_each(|sender| sender.send(()).expect("somebody waits"));
            });
            for _ in 0..1000 {
                let (sender, receiver) = oneshot::channel();
                ask.send(sender).expect("it listens");
                receiver.await.expect("it answers");
            }
            drop(ask);
            other.join().expect("it does not panic");
        });
    }

    /// A thread that ends drops what is in its thread-locals: so may the runtime's own, which outlives it.
    fn wakers_work_in_the_last_moments_of_a_thread(driver) {
        thread_local! {
            static LAST: RefCell<Option<InTheEnd>> = const { RefCell::new(None) };
        }

        struct InTheEnd(Vec<Waker>);

        impl Drop for InTheEnd {
            fn drop(&mut self) {
                self.0.clone().into_iter().for_each(Waker::wake);
                self.0.iter().for_each(Waker::wake_by_ref);
            }
        }

        let runtime = runtime(driver);
        let late = runtime.block_on(async {
            let probe = pending().await;
            let (polls, wakers) = (probe.polls.get(), vec![probe.waker()]);
            let other = thread::spawn(move || LAST.set(Some(InTheEnd(wakers))));
            other.join().expect("it does not panic");
            while probe.polls.get() == polls {
                turns(1).await;
            }
            probe.waker()
        });
        let main = runtime.block_on(poll_fn(|cx| Poll::Ready(cx.waker().clone())));
        // The next two are used when the runtime is gone, and its thread is going.
        LAST.set(Some(InTheEnd(vec![late, main])));
        drop(runtime);
    }

    /// Each of the two sleeps until the other one wakes it, ten thousand times.
    fn two_runtimes_on_two_threads_play_ping_pong(driver) {
        let (mut ping, mut pings) = mpsc::channel::<usize>(1);
        let (mut pong, mut pongs) = mpsc::channel::<usize>(1);
        let other = thread::spawn(move || {
            runtime(driver).block_on(async {
                while let Some(number) = pings.next().await {
                    pong.send(number + 1).await.expect("it listens");
                }
            });
        });
        runtime(driver).block_on(async {
            for number in 0..TIMES {
                ping.send(number).await.expect("it listens");
                assert_eq!(pongs.next().await, Some(number + 1));
            }
            drop(ping);
        });
        other.join().expect("it does not panic");
    }

    /// The runtime holds one inbox for all of them, and all come through.
    fn many_threads_start_tasks_and_each_gets_its_answer(driver) {
        let runtime = runtime(driver);
        let handle = runtime.handle();
        let over = Count::default();
        let threads: Vec<_> = (0..THREADS).map(|thread| {
            let (handle, over): (Handle, Count) = (handle.clone(), over.clone());
            thread::spawn(move || {
                for number in 0..500 {
                    let answer = handle.block_on(move || async move {
                        turns(number % 3).await;
                        number * thread
                    });
                    assert_eq!(answer.expect("it does not panic"), number * thread);
                }
                over.add();
            })
        }).collect();
        runtime.block_on(async {
            while over.get() < THREADS {
                turns(1).await;
            }
        });
        threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
    }
}

#[test]
fn a_waker_works_where_there_is_no_runtime_of_its_own_but_another() {
    conformance::watch(|| {
        let (one, two): (Runtime, Runtime) =
            (runtime(mini_runtime::DriverKind::Auto), runtime(mini_runtime::DriverKind::Auto));
        let probe = one.block_on(pending());
        // It is of the other runtime, on the same thread: it goes through its inbox.
        two.block_on(async { probe.waker().wake() });
        let mut polls = 0;
        one.block_on(async {
            let mut turn = pin!(turns(200));
            poll_fn(|cx| {
                polls += 1;
                turn.as_mut().poll(cx)
            })
            .await;
        });
        assert_eq!((probe.polls.get(), polls), (2, 201));
    });
}
