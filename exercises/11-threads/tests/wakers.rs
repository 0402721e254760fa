//! A waker may be cloned, woken and dropped on any thread, at any time, also when its executor is gone.

mod common;

use std::cell::{Cell, RefCell, UnsafeCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{
    AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use std::sync::mpsc::channel as std_channel;
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use ch03_block_on::Parker;
use ch05_executor::Park;
use ch09_fairness::{spawn, yield_now};
use ch11_threads::{Config, Executor};
use common::{abroad, all_is_well, executor};
use conformance::{Probe, watch};
use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use waker_fn::waker_fn;

const THREADS: usize = 8;
const ROUNDS: usize = if cfg!(miri) { 20 } else { 10_000 };

/// On eight threads at once, each with a waker of its own: `round`, ten thousand times.
fn eight_threads(waker: &Waker, round: impl Fn(&Waker) + Sync) {
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let mine = waker.clone();
            let (start, round) = (&start, &round);
            scope.spawn(move || {
                start.wait();
                (0..ROUNDS).for_each(|_| round(&mine));
            });
        }
    });
}

/// All that can be done with a waker.
fn clone_wake_and_drop(waker: &Waker) {
    let (used_up, dropped) = (waker.clone(), waker.clone());
    dropped.wake_by_ref();
    used_up.wake();
    drop(dropped);
}

/// Runs a test whose executor is gone before the trace is looked at.
fn checked(body: impl FnOnce() + Send + 'static) {
    watch(|| {
        body();
        all_is_well();
    });
}

/// Starts a probe, which is polled once, and then waits.
async fn idle_probe() -> Probe {
    let probe = Probe::default();
    spawn(probe.clone());
    yield_now().await;
    assert_eq!(probe.polls.get(), 1);
    probe
}

/// Gives everybody else a few turns, messages from other threads included.
async fn turns() {
    for _ in 0..3 {
        yield_now().await;
    }
}

#[test]
fn a_wake_from_another_thread_polls_the_task() {
    checked(|| {
        executor().block_on(async {
            let probe = idle_probe().await;
            let waker = probe.waker();
            abroad(|| waker.wake());
            turns().await;
            assert_eq!(probe.polls.get(), 2);
        });
    });
}

#[test]
fn a_wake_from_another_thread_ends_the_sleep() {
    checked(|| {
        executor().block_on(async {
            let (give, waker) = oneshot::channel::<Waker>();
            let (tell, told) = oneshot::channel();
            let (alarm, is_over) = oneshot::channel::<()>();
            let (polls_again, is_polled) = std_channel();
            let other = thread::spawn(move || {
                // Dropped, and heard, only after the poll. Or if the wake panics.
                let _alarm = alarm;
                ch03_block_on::block_on(waker).expect("the task sends").wake();
                is_polled.recv()
            });
            let mut give = Some(give);
            spawn(async move {
                // Nobody but the other thread can go on after the first poll.
                poll_fn(|cx| match give.take() {
                    Some(give) => {
                        give.send(cx.waker().clone()).expect("the other thread waits");
                        Poll::Pending
                    }
                    None => Poll::Ready(()),
                })
                .await;
                tell.send(()).expect("the main future waits");
                polls_again.send(()).expect("the other thread waits");
            });
            match select(told, is_over).await {
                Either::Left((told, _)) => assert_eq!(told, Ok(())),
                Either::Right(_) => panic!("the other thread has panicked"),
            }
            assert_eq!(other.join().expect("waking does not panic"), Ok(()));
        });
    });
}

#[test]
fn many_wakes_from_other_threads_make_one_poll() {
    checked(|| {
        executor().block_on(async {
            let probe = idle_probe().await;
            let waker = probe.waker();
            for _ in 0..3 {
                abroad(|| waker.wake_by_ref());
            }
            waker.wake_by_ref();
            turns().await;
            assert_eq!(probe.polls.get(), 2);
        });
    });
}

#[test]
fn each_poll_can_be_asked_for_from_another_thread() {
    checked(|| {
        executor().block_on(async {
            let probe = idle_probe().await;
            for polls in 2..20 {
                let waker = probe.waker();
                abroad(|| waker.wake());
                turns().await;
                assert_eq!(probe.polls.get(), polls);
            }
        });
    });
}

#[test]
fn tasks_are_polled_in_the_order_in_which_another_thread_wakes_them() {
    checked(|| {
        let log = Rc::new(RefCell::new(Vec::new()));
        executor().block_on(async {
            let mut wakers = Vec::new();
            for number in 0..10 {
                let log = log.clone();
                let probe = Probe::default();
                let inner = probe.clone();
                spawn(async move {
                    inner.await;
                    log.borrow_mut().push(number);
                });
                yield_now().await;
                probe.done.set(true);
                wakers.push(probe.waker());
            }
            abroad(|| wakers.into_iter().rev().for_each(Waker::wake));
            turns().await;
        });
        assert_eq!(*log.borrow(), (0..10).rev().collect::<Vec<_>>());
    });
}

#[test]
fn wakers_of_an_idle_task_are_cloned_and_dropped_by_eight_threads_and_then_wake_it_once() {
    checked(|| {
        executor().block_on(async {
            let probe = idle_probe().await;
            let waker = probe.waker();
            eight_threads(&waker, |waker| drop(waker.clone()));
            turns().await;
            assert_eq!(probe.polls.get(), 1, "nobody has woken it");
            eight_threads(&waker, clone_wake_and_drop);
            turns().await;
            assert_eq!(probe.polls.get(), 2);
        });
    });
}

#[test]
fn wakers_of_a_queued_task_are_used_by_eight_threads_and_it_is_polled_once() {
    checked(|| {
        executor().block_on(async {
            let probe = idle_probe().await;
            // In the run queue already.
            probe.waker().wake();
            eight_threads(&probe.waker(), clone_wake_and_drop);
            turns().await;
            assert_eq!(probe.polls.get(), 2);
        });
    });
}

#[test]
fn wakers_of_a_task_that_is_being_polled_are_used_by_eight_threads_and_it_is_polled_once_more() {
    checked(|| {
        let polls = Rc::new(Cell::new(0));
        let seen = polls.clone();
        executor().block_on(async {
            spawn(poll_fn(move |cx| {
                seen.set(seen.get() + 1);
                if seen.get() == 1 {
                    eight_threads(cx.waker(), clone_wake_and_drop);
                    return Poll::Pending;
                }
                Poll::Ready(())
            }));
            turns().await;
        });
        assert_eq!(polls.get(), 2);
    });
}

#[test]
fn wakers_of_a_task_that_is_done_are_used_by_eight_threads_and_it_is_polled_no_more() {
    checked(|| {
        executor().block_on(async {
            let probe = idle_probe().await;
            let waker = probe.waker();
            probe.done.set(true);
            waker.wake_by_ref();
            turns().await;
            assert_eq!(probe.polls.get(), 2);
            probe.done.set(false);
            eight_threads(&waker, clone_wake_and_drop);
            turns().await;
            assert_eq!(probe.polls.get(), 2);
        });
    });
}

#[test]
fn wakers_are_used_by_eight_threads_when_the_executor_is_gone() {
    checked(|| {
        let executor = executor();
        let mut probe = None;
        executor.block_on(async { probe = Some(idle_probe().await) });
        let probe = probe.expect("block_on has set it");
        drop(executor);
        let waker = probe.waker();
        probe.kept.take();
        eight_threads(&waker, clone_wake_and_drop);
        assert_eq!(probe.polls.get(), 1);
    });
}

#[test]
fn wakers_are_used_by_eight_threads_while_the_executor_goes() {
    checked(|| {
        for _ in 0..10 {
            let executor = executor();
            let mut probe = None;
            executor.block_on(async { probe = Some(idle_probe().await) });
            let waker = probe.expect("block_on has set it").waker();
            let rounds = AtomicUsize::new(0);
            thread::scope(|scope| {
                let wakes = scope.spawn(|| {
                    eight_threads(&waker, |waker| {
                        clone_wake_and_drop(waker);
                        rounds.fetch_add(1, SeqCst);
                    });
                });
                // In the middle of it, or after a panic.
                while rounds.load(SeqCst) < ROUNDS && !wakes.is_finished() {
                    thread::yield_now();
                }
                drop(executor);
            });
        }
    });
}

#[test]
fn no_wake_is_lost_while_eight_threads_wake_a_task_that_runs() {
    watch(|| {
        let count = Arc::new(AtomicUsize::new(0));
        let counts = count.clone();
        let (give, waker) = oneshot::channel::<Waker>();
        let (wakes, have_woken) = oneshot::channel();
        let other = thread::spawn(move || {
            let waker = ch03_block_on::block_on(waker).expect("the task sends");
            eight_threads(&waker, |waker| {
                count.fetch_add(1, SeqCst);
                clone_wake_and_drop(waker);
            });
            wakes.send(()).expect("the main future waits");
        });
        let mut give = Some(give);
        executor().block_on(async {
            let task = ch10_join_cancel::spawn(poll_fn(move |cx| {
                if let Some(give) = give.take() {
                    give.send(cx.waker().clone()).expect("the other thread waits");
                }
                // Whoever counts last wakes after that. If this wake is lost, all sleep.
                match counts.load(SeqCst) == THREADS * ROUNDS {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            }));
            have_woken.await.expect("waking does not panic");
            task.await.expect("the task does not panic");
        });
        other.join().expect("waking does not panic");
        all_is_well();
    });
}

/// Notes on which thread it was dropped.
struct DropsAt(Arc<Mutex<Option<ThreadId>>>);

impl Drop for DropsAt {
    fn drop(&mut self) {
        *self.0.lock().expect("nobody panics") = Some(thread::current().id());
    }
}

/// Starts a task that waits until its probe is done. Returns where its future will have been dropped.
async fn homebound() -> (Probe, Arc<Mutex<Option<ThreadId>>>) {
    let place = Arc::new(Mutex::new(None));
    let (held, probe) = (DropsAt(place.clone()), Probe::default());
    let inner = probe.clone();
    spawn(async move {
        let _held = held;
        inner.await;
    });
    yield_now().await;
    (probe, place)
}

#[test]
fn a_future_is_dropped_at_home_when_its_last_waker_is_used_abroad() {
    checked(|| {
        executor().block_on(async {
            let (probe, place) = homebound().await;
            probe.done.set(true);
            let waker = probe.kept.take().expect("it was polled");
            abroad(|| waker.wake());
            turns().await;
            assert_eq!(*place.lock().unwrap(), Some(thread::current().id()));
        });
    });
}

#[test]
fn a_future_is_dropped_at_home_when_its_last_waker_is_dropped_abroad() {
    checked(|| {
        let executor = executor();
        let (mut waker, mut place) = (None, None);
        executor.block_on(async {
            let (probe, dropped_at) = homebound().await;
            waker = probe.kept.take();
            place = Some(dropped_at);
        });
        let place = place.expect("block_on has set it");
        // Without it, nobody can wake the task any more. That is no end.
        let (waker, clone) = (waker.clone(), waker);
        abroad(|| drop(waker));
        assert_eq!(*place.lock().unwrap(), None);
        drop(executor);
        assert_eq!(*place.lock().unwrap(), Some(thread::current().id()));
        abroad(|| clone.expect("it was polled").wake());
    });
}

#[test]
fn a_future_that_wakes_other_tasks_while_its_executor_goes_does_no_harm() {
    struct WakesAbroad(Waker);

    impl Drop for WakesAbroad {
        fn drop(&mut self) {
            abroad(|| self.0.wake_by_ref());
            self.0.wake_by_ref();
        }
    }

    checked(|| {
        let executor = executor();
        let mut last = None;
        executor.block_on(async {
            let probe = idle_probe().await;
            let wakes = WakesAbroad(probe.waker());
            spawn(async move {
                let _wakes = wakes;
                Probe::default().await;
            });
            turns().await;
            last = Some(probe);
        });
        drop(executor);
        assert_eq!(last.expect("block_on has set it").polls.get(), 1);
    });
}

/// Not atomic: Miri and ThreadSanitizer see whether anything orders the write before the read.
struct News(UnsafeCell<u32>);

// SAFETY: a thread writes it and then wakes the task, and the poll that is asked for reads it. Nobody
// touches it in between. That a wake orders the two is what the test is about.
unsafe impl Sync for News {}

#[test]
fn what_a_thread_has_written_before_its_wake_is_seen_by_the_poll() {
    checked(|| {
        // Miri looks for another order each time.
        (0..5).for_each(|_| executor().block_on(two_threads_have_news()));
    });
}

/// Runs its closure when it is dropped, also by a panic.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

async fn two_threads_have_news() {
    let news = Arc::new([0, 0].map(|nothing| News(UnsafeCell::new(nothing))));
    // Relaxed: this orders nothing.
    let over = Arc::new(AtomicUsize::new(0));
    let seen = Rc::new(Cell::new([0, 0]));
    let (told, sees) = (news.clone(), seen.clone());
    let (give, waker) = oneshot::channel();
    let mut give = Some(give);
    spawn(poll_fn(move |cx| match give.take() {
        Some(give) => {
            give.send(cx.waker().clone()).expect("the main future waits");
            Poll::Pending
        }
        None => {
            // SAFETY: both threads have written before their wakes.
            sees.set([0, 1].map(|number| unsafe { *told[number].0.get() }));
            Poll::Ready(())
        }
    }));
    let waker = waker.await.expect("the task sends");
    let threads = [0, 1].map(|number| {
        let (news, over, waker) = (news.clone(), over.clone(), waker.clone());
        thread::spawn(move || {
            // The second one comes when the first one has woken the task.
            while over.load(Relaxed) < number {
                thread::yield_now();
            }
            let _over = OnDrop(|| over.store(number + 1, Relaxed));
            // SAFETY: the poll that reads it comes after the wake.
            unsafe { *news[number].0.get() = 7 };
            waker.wake();
        })
    });
    // The task has no turn before both have woken it.
    while over.load(Relaxed) < 2 {
        thread::yield_now();
    }
    turns().await;
    assert_eq!(seen.get(), [7, 7]);
    threads.into_iter().for_each(|thread| thread.join().expect("nobody panics"));
}

/// Chapter 3's parker, with a count of the unparks.
struct Counted {
    parker: Parker,
    unparks: Arc<AtomicUsize>,
}

impl Park for Counted {
    fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        Park::park(&self.parker, timeout)
    }

    fn unparker(&self) -> Waker {
        let (unparker, unparks) = (self.parker.unparker(), self.unparks.clone());
        waker_fn(move || {
            unparks.fetch_add(1, SeqCst);
            unparker.wake_by_ref();
        })
    }
}

fn counted() -> (Executor, Arc<AtomicUsize>) {
    let unparks = Arc::new(AtomicUsize::new(0));
    let park = Counted { parker: Parker::new(), unparks: unparks.clone() };
    (Executor::new(park, Config::default()), unparks)
}

#[test]
fn many_messages_ask_for_one_unpark() {
    checked(|| {
        let (executor, unparks) = counted();
        let mut probes = Vec::new();
        executor.block_on(async {
            for _ in 0..10 {
                probes.push(idle_probe().await);
            }
        });
        for round in 1..=3 {
            let before = unparks.load(SeqCst);
            let wakers: Vec<Waker> = probes.iter().map(Probe::waker).collect();
            let handle = executor.handle();
            abroad(move || {
                wakers.into_iter().for_each(Waker::wake);
                drop(handle.spawn(async || {}));
            });
            assert_eq!(unparks.load(SeqCst) - before, 1, "round {round}");
            executor.block_on(turns());
            assert_eq!(probes[0].polls.get(), round + 1);
        }
    });
}

#[test]
fn a_wake_at_home_asks_for_no_unpark() {
    checked(|| {
        let (executor, unparks) = counted();
        executor.block_on(async {
            let probe = idle_probe().await;
            let before = unparks.load(SeqCst);
            probe.waker().wake();
            assert_eq!(unparks.load(SeqCst), before);
            turns().await;
            assert_eq!(probe.polls.get(), 2);
        });
    });
}

#[test]
fn wakes_between_two_block_ons_are_read_by_the_next_one_without_a_park() {
    /// A park in which nobody may sleep.
    struct Sleepless;

    impl Park for Sleepless {
        fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
            assert_eq!(timeout, Some(Duration::ZERO), "the thread would sleep for ever");
            Ok(())
        }

        fn unparker(&self) -> Waker {
            Waker::noop().clone()
        }
    }

    checked(|| {
        let executor = Executor::new(Sleepless, Config::default());
        let mut probe = None;
        executor.block_on(async { probe = Some(idle_probe().await) });
        let probe = probe.expect("block_on has set it");
        for wake in [|waker: Waker| waker.wake(), |waker: Waker| abroad(|| waker.wake())] {
            let before = probe.polls.get();
            wake(probe.waker());
            assert_eq!(probe.polls.get(), before, "nothing runs between two block_ons");
            // Ready in its second poll, for which nobody but the probe's turn wakes it.
            let mut first = true;
            executor.block_on(poll_fn(|cx| {
                if !std::mem::take(&mut first) {
                    return Poll::Ready(());
                }
                let main = cx.waker().clone();
                spawn(async move { main.wake() });
                Poll::Pending
            }));
            assert_eq!(probe.polls.get(), before + 1);
        }
    });
}

#[test]
fn a_wake_that_comes_while_block_on_returns_is_not_lost() {
    checked(|| {
        let executor = executor();
        let mut probe = None;
        executor.block_on(async {
            let idle = idle_probe().await;
            let waker = idle.waker();
            abroad(|| waker.wake());
            // Ready without another park: the message lies unread.
            probe = Some(idle);
        });
        let probe = probe.expect("block_on has set it");
        assert_eq!(probe.polls.get(), 1);
        executor.block_on(turns());
        assert_eq!(probe.polls.get(), 2);
    });
}

#[test]
fn a_wake_for_one_executor_in_the_block_on_of_another_one_waits_for_its_own() {
    checked(|| {
        let (first, second) = (executor(), executor());
        let mut probe = None;
        first.block_on(async { probe = Some(idle_probe().await) });
        let probe = probe.expect("block_on has set it");
        second.block_on(async {
            probe.waker().wake();
            turns().await;
            assert_eq!(probe.polls.get(), 1, "the other one's tasks are not ours");
        });
        first.block_on(turns());
        assert_eq!(probe.polls.get(), 2);
    });
}

/// Sits beside the others, keeps its waker, and is woken by nobody. A wake that goes astray finds it.
async fn bystander() {
    let mut kept = None;
    poll_fn(|cx| {
        let before = kept.replace(cx.waker().clone());
        assert!(before.is_none(), "a task was polled that nobody has woken");
        Poll::<()>::Pending
    })
    .await;
}

#[test]
fn two_executors_on_two_threads_wake_each_others_tasks() {
    let rounds = if cfg!(miri) { 50 } else { 10_000 };
    watch(move || {
        let (to_second, mut at_second) = mpsc::unbounded();
        let (to_first, mut at_first) = mpsc::unbounded();
        let (alarm, is_over) = oneshot::channel::<()>();
        // The two tasks that play have different numbers, and each bystander has the other one's.
        let second = thread::spawn(move || {
            // Heard at the end of this thread, which is too early after a panic.
            let _alarm = alarm;
            executor().block_on(async {
                let player = ch10_join_cancel::spawn(async move {
                    while let Some(number) = at_second.next().await {
                        // At the end, the other side is gone.
                        let _ = to_first.unbounded_send(number + 1);
                    }
                });
                spawn(bystander());
                player.await
            })
        });
        executor().block_on(async {
            spawn(bystander());
            let player = ch10_join_cancel::spawn(async move {
                for number in 0..rounds {
                    to_second.unbounded_send(number).expect("the other thread listens");
                    assert_eq!(at_first.next().await, Some(number + 1));
                }
            });
            if let Either::Left((played, _)) = select(player, is_over).await {
                played.expect("all came back");
            }
        });
        second.join().expect("no wake goes astray").expect("the player does not panic");
        all_is_well();
    });
}

#[test]
fn a_waker_in_a_static_outlives_the_thread_of_its_task() {
    static KEPT: Mutex<Option<Waker>> = Mutex::new(None);

    thread_local! {
        /// Goes with the thread, after everything else.
        static EXECUTOR: Executor = executor();
    }

    watch(|| {
        let place = thread::spawn(|| {
            EXECUTOR.with(|executor| {
                executor.block_on(async {
                    let (probe, place) = homebound().await;
                    *KEPT.lock().unwrap() = Some(probe.waker());
                    (place, thread::current().id())
                })
            })
        });
        let (place, home) = place.join().expect("the executor goes quietly");
        assert_eq!(*place.lock().unwrap(), Some(home), "the future went with its thread");
        let waker = KEPT.lock().unwrap().take().expect("it was kept");
        eight_threads(&waker, clone_wake_and_drop);
        waker.wake();
    });
}

#[test]
fn a_task_that_is_woken_abroad_has_its_turn_beside_one_that_never_waits() {
    checked(|| {
        executor().block_on(async {
            let spins = Rc::new(Cell::new(0));
            let (probe, seen) = (idle_probe().await, spins.clone());
            let waker = probe.waker();
            // A whole budget until the park is visited, and one poll until it is the other's turn.
            let enough = 100 + 2 * Config::default().fairness.run_budget;
            spawn(async move {
                loop {
                    seen.set(seen.get() + 1);
                    if seen.get() == 100 {
                        abroad(|| waker.wake_by_ref());
                    }
                    if seen.get() == enough {
                        break;
                    }
                    // In the run queue again at once.
                    conformance::yield_now().await;
                }
            });
            while probe.polls.get() == 1 {
                conformance::yield_now().await;
                assert!(spins.get() < enough, "the other one starves");
            }
        });
    });
}
