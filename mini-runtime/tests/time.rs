//! Sleeping, timeouts, intervals, and a clock that can be moved.

mod common;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use common::{Count, Dice, half, on_both_drivers, poll_once, runtime, turns, waker};
use conformance::panic_text;
use futures::channel::oneshot;
use futures::future::join_all;
use mini_runtime::io::AsyncReadOwned;
use mini_runtime::spawn;
use mini_runtime::task::yield_now;
use mini_runtime::time::MissedTickBehavior::{Burst, Delay, Skip};
use mini_runtime::time::{
    self, Instant, interval, interval_at, sleep, sleep_until, timeout, timeout_at,
};

const SECOND: Duration = Duration::from_secs(1);

fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

on_both_drivers! {
    /// The clock is the system's, and looked at after the fact.
    fn a_sleep_never_ends_early(driver) {
        runtime(driver).block_on(async {
            let naps = (0..500_u64).map(|number| async move {
                let length = Duration::from_nanos(number * 30_011);
                let start = std::time::Instant::now();
                sleep(length).await;
                assert!(start.elapsed() >= length);
            });
            join_all(naps).await;
        });
    }

    /// A hundred thousand, in the order of their deadlines.
    fn sleeps_end_in_the_order_of_their_deadlines(driver) {
        runtime(driver).block_on(async {
            time::pause();
            let start = Instant::now();
            let (mut dice, ends) = (Dice(7), Rc::new(RefCell::new(Vec::new())));
            for number in 0..100_000_u32 {
                let deadline = start + Duration::from_micros(dice.roll(10_000_000_000));
                let ends = ends.clone();
                drop(spawn(async move {
                    sleep_until(deadline).await;
                    assert_eq!(Instant::now(), deadline, "a clock that jumps is exact");
                    ends.borrow_mut().push((deadline, number));
                }));
            }
            while ends.borrow().len() < 100_000 {
                sleep(SECOND).await;
            }
            assert!(ends.borrow().is_sorted_by_key(|(deadline, _)| *deadline));
        });
    }

    /// Those with the same deadline end in the order in which they began.
    fn sleeps_with_the_same_deadline_end_in_order(driver) {
        runtime(driver).block_on(async {
            time::pause();
            let (deadline, ends) = (Instant::now() + SECOND, Rc::new(RefCell::new(Vec::new())));
            let tasks = (0..10_000).map(|number| {
                let ends = ends.clone();
                spawn(async move {
                    sleep_until(deadline).await;
                    ends.borrow_mut().push(number);
                })
            });
            join_all(tasks.collect::<Vec<_>>()).await;
            assert!(ends.borrow().is_sorted());
        });
    }

    /// For ever is no deadline, and no overflow.
    fn a_sleep_for_ever_does_not_end(driver) {
        runtime(driver).block_on(async {
            time::pause();
            for length in [Duration::MAX, Duration::MAX / 2, Duration::from_secs(1 << 40)] {
                let mut nap = Box::pin(sleep(length));
                assert!(timeout(Duration::from_secs(1 << 35), &mut nap).await.is_err());
                assert!(!nap.is_elapsed());
            }
            assert_eq!(sleep(Duration::MAX).deadline(), None);
            assert_eq!(timeout(Duration::MAX, async { 7 }).await, Ok(7));
            let mut ticks = interval(Duration::MAX);
            ticks.tick().await;
            assert!(timeout(SECOND, ticks.tick()).await.is_err());
        });
    }

    /// With the system's clock: a long sleep neither ends nor keeps others from theirs.
    fn sleeps_of_centuries_wait_beside_short_ones(driver) {
        runtime(driver).block_on(async {
            let long = [1 << 20, 1 << 30, 1 << 33, 1 << 36, 1 << 40];
            for secs in long {
                drop(spawn(async move {
                    sleep(Duration::from_secs(secs)).await;
                    unreachable!("nobody lives that long");
                }));
            }
            for _ in 0..20 {
                sleep(millis(1)).await;
            }
        });
    }

    /// No time, and a time that is past, are no wait.
    fn a_sleep_of_no_time_is_ready_at_once(driver) {
        runtime(driver).block_on(async {
            assert!(poll_once(Box::pin(sleep(Duration::ZERO))).await.is_ready());
            let past = Instant::now().checked_sub(SECOND).expect("the machine is up for a second");
            assert!(poll_once(Box::pin(sleep_until(past))).await.is_ready());
            assert!(timeout(Duration::ZERO, std::future::pending::<()>()).await.is_err());
        });
    }

    /// A clock that is paused does not jump while somebody can run, however long that takes.
    fn a_paused_clock_stands_while_somebody_runs(driver) {
        runtime(driver).block_on(async {
            time::pause();
            let start = Instant::now();
            let task = spawn(sleep(SECOND));
            turns(10_000).await;
            assert!(!task.is_finished());
            assert_eq!(Instant::now(), start);
            task.await.expect("it does not panic");
            assert_eq!(start.elapsed(), SECOND);
        });
    }

    /// Bytes that are there count as somebody who can run, one hop after the other.
    fn a_paused_clock_does_not_overtake_bytes_that_are_there(driver) {
        runtime(driver).block_on(async {
            let mut links = Vec::new();
            for _ in 0..20 {
                links.push(half().await);
            }
            time::pause();
            let mut chain = Vec::new();
            let mut next: Option<std::net::TcpStream> = None;
            for (stream, peer) in links {
                let onward = next.replace(peer);
                chain.push(spawn(async move {
                    let (read, bytes) = stream.read(Vec::with_capacity(1)).await;
                    read.expect("there is a byte");
                    if let Some(mut onward) = onward {
                        std::io::Write::write_all(&mut onward, &bytes).expect("it is connected");
                    }
                }));
            }
            turns(200).await;
            std::io::Write::write_all(&mut next.expect("there are links"), b"x").expect("connected");
            let all = timeout(SECOND, join_all(chain)).await;
            assert!(all.is_ok(), "the clock has overtaken the bytes");
        });
    }

    /// Those whose deadline is passed run before `advance` is over.
    fn advance_lets_those_run_whose_deadlines_it_passes(driver) {
        runtime(driver).block_on(async {
            time::pause();
            let woken = Rc::new(Cell::new(0));
            for number in 1..=10 {
                let woken = woken.clone();
                drop(spawn(async move {
                    sleep(number * SECOND).await;
                    woken.set(woken.get() + 1);
                }));
            }
            yield_now().await;
            for number in 1..=5 {
                time::advance(SECOND).await;
                assert_eq!(woken.get(), number);
            }
            time::advance(millis(999)).await;
            assert_eq!(woken.get(), 5);
            time::advance(4001 * millis(1)).await;
            assert_eq!(woken.get(), 10);
        });
    }

    /// Also when it was moved: it goes on from there, as fast as the system's, and never back.
    fn after_resume_the_clock_goes_on_from_where_it_stood(driver) {
        runtime(driver).block_on(async {
            let mut latest = Instant::now();
            let mut never_back = || {
                let before = std::mem::replace(&mut latest, Instant::now());
                assert!(latest >= before && latest < before + 3000 * SECOND);
                latest
            };
            time::pause();
            drop(spawn(sleep(3600 * SECOND)));
            time::advance(1800 * SECOND).await;
            never_back();
            time::advance(1800 * SECOND).await;
            turns(200).await;
            never_back();
            time::resume();
            let (real, start) = (std::time::Instant::now(), never_back());
            let long = spawn(sleep(1000 * SECOND));
            let short = spawn(sleep(millis(5)));
            let longer = spawn(sleep(2000 * SECOND));
            // A deadline that is taken back leaves nothing that keeps the thread awake.
            assert!(timeout(500 * SECOND, yield_now()).await.is_ok());
            short.await.expect("it does not panic");
            assert!(real.elapsed() >= millis(5));
            assert!(never_back().duration_since(start) >= millis(5));
            assert!(!long.is_finished() && !longer.is_finished());
            // Once more, from a clock that is not the system's.
            time::pause();
            let stands = never_back();
            long.await.expect("it does not panic");
            assert!(stands.elapsed() > 900 * SECOND);
            never_back();
            time::resume();
            never_back();
        });
    }

    /// The clock is paused or not: a second time is a mistake.
    fn the_clock_says_when_it_is_misused(driver) {
        runtime(driver).block_on(async {
            assert!(panic_text(time::resume).contains("not paused"));
            time::pause();
            assert!(panic_text(time::pause).contains("paused already"));
            let far = panic_text(|| {
                let mut far = Box::pin(time::advance(Duration::MAX));
                let _ = far.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            });
            assert!(far.contains("later than an Instant can tell"), "{far}");
            time::resume();
        });
        assert!(panic_text(|| drop(sleep(SECOND))).contains("no runtime runs on this thread"));
        assert!(panic_text(|| drop(interval(SECOND))).contains("no runtime runs on this thread"));
    }

    /// One sleep, polled by one task and then by another: the last one is woken.
    fn a_sleep_wakes_who_has_polled_it_last(driver) {
        runtime(driver).block_on(async {
            time::pause();
            let mut nap = Box::pin(sleep(SECOND));
            let early = Arc::new(AtomicUsize::new(0));
            let counts = early.clone();
            let first = waker(move || _ = counts.fetch_add(1, SeqCst));
            assert!(nap.as_mut().poll(&mut Context::from_waker(&first)).is_pending());
            spawn(nap).await.expect("it does not panic");
            assert_eq!(early.load(SeqCst), 0);
        });
    }

    /// The old deadline wakes nobody any more.
    fn a_sleep_that_is_reset_ends_at_its_new_deadline(driver) {
        runtime(driver).block_on(async {
            time::pause();
            let start = Instant::now();
            let mut nap = Box::pin(sleep(SECOND));
            assert!(poll_once(&mut nap).await.is_pending());
            nap.as_mut().get_mut().reset(start + 3 * SECOND);
            assert_eq!(nap.deadline(), Some(start + 3 * SECOND));
            nap.as_mut().await;
            assert_eq!(start.elapsed(), 3 * SECOND);
            assert!(nap.is_elapsed());
            // Used again, after it was ready.
            Pin::get_mut(nap.as_mut()).reset(start + 4 * SECOND);
            nap.await;
            assert_eq!(start.elapsed(), 4 * SECOND);
        });
    }

    /// Whichever comes first; the future, if both do.
    fn a_timeout_ends_with_its_future_or_its_time(driver) {
        runtime(driver).block_on(async {
            time::pause();
            let start = Instant::now();
            assert_eq!(timeout(2 * SECOND, async { sleep(SECOND).await; 7 }).await, Ok(7));
            assert_eq!(start.elapsed(), SECOND);
            let error = timeout(SECOND, sleep(2 * SECOND)).await.expect_err("it is too long");
            assert_eq!(start.elapsed(), 2 * SECOND);
            assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::TimedOut);
            assert!(timeout_at(start + 3 * SECOND, sleep(SECOND)).await.is_ok());
            assert!(timeout_at(start, std::future::pending::<()>()).await.is_err());
            assert_eq!(timeout_at(start, async { 7 }).await, Ok(7));
            // It counts from the call, and not from the first poll.
            let limited = Box::pin(timeout(SECOND, std::future::pending::<()>()));
            assert!(format!("{limited:?}").contains("deadline: Some"));
            sleep(2 * SECOND).await;
            assert_eq!(poll_once(limited).await, Poll::Ready(Err(error)));
            // Nested, the shorter one counts.
            let nested = timeout(5 * SECOND, timeout(SECOND, std::future::pending::<()>())).await;
            assert!(nested.expect("the outer one is longer").is_err());
        });
    }

    /// What is left of a timeout is no deadline any more.
    fn timeouts_that_never_fire_leave_no_deadline_behind(driver) {
        runtime(driver).block_on(async {
            time::pause();
            let start = Instant::now();
            for _ in 0..10_000 {
                assert!(timeout(SECOND, yield_now()).await.is_ok());
            }
            assert_eq!(Instant::now(), start);
            sleep(10 * SECOND).await;
            assert_eq!(start.elapsed(), 10 * SECOND);
        });
    }

    /// At once, and then in its rhythm, which does not drift.
    fn an_interval_ticks_at_once_and_then_in_its_rhythm(driver) {
        runtime(driver).block_on(async {
            time::pause();
            let start = Instant::now();
            let mut ticks = interval(SECOND);
            for number in 0..5 {
                assert_eq!(ticks.tick().await, start + number * SECOND);
                sleep(millis(300)).await;
            }
            let mut ticks = interval_at(start + 60 * SECOND, SECOND);
            assert_eq!(ticks.tick().await, start + 60 * SECOND);
            assert_eq!(Instant::now(), start + 60 * SECOND);
            // A tick that nobody waits for any more comes to the next who waits.
            assert!(timeout(millis(500), ticks.tick()).await.is_err());
            assert_eq!(ticks.tick().await, start + 61 * SECOND);
            ticks.reset();
            assert_eq!(ticks.tick().await, start + 62 * SECOND);
            assert!(panic_text(|| drop(interval(Duration::ZERO))).contains("no time"));
        });
    }

    /// Burst, delay and skip, after three and a half periods without a look.
    fn an_interval_makes_up_for_missed_ticks_as_it_was_told(driver) {
        runtime(driver).block_on(async {
            time::pause();
            let cases = [
                (Burst, [3500, 3500, 3500, 4000, 5000]),
                (Delay, [3500, 4500, 5500, 6500, 7500]),
                (Skip, [3500, 4000, 5000, 6000, 7000]),
            ];
            for (behavior, expected) in cases {
                let start = Instant::now();
                let mut ticks = interval(SECOND);
                ticks.set_missed_tick_behavior(behavior);
                assert_eq!((ticks.missed_tick_behavior(), ticks.period()), (behavior, SECOND));
                ticks.tick().await;
                time::advance(millis(3500)).await;
                let mut times = Vec::new();
                for _ in 0..expected.len() {
                    ticks.tick().await;
                    times.push(start.elapsed().as_millis());
                }
                assert_eq!(times, expected, "{behavior:?}");
            }
        });
    }

    /// By a fifth of a period, and by a whole one, which is when the next is due.
    fn a_tick_that_is_late_is_followed_by_the_next_in_its_rhythm_or_after_a_period(driver) {
        runtime(driver).block_on(async {
            time::pause();
            let cases = [
                (1200, [(Burst, 2000), (Delay, 2200), (Skip, 2000)]),
                (2000, [(Burst, 2000), (Delay, 3000), (Skip, 3000)]),
            ];
            for (late, next) in cases {
                for (behavior, expected) in next {
                    let mut ticks = interval(SECOND);
                    ticks.set_missed_tick_behavior(behavior);
                    let start = ticks.tick().await;
                    time::advance(millis(late)).await;
                    assert_eq!(ticks.tick().await, start + SECOND, "{behavior:?}");
                    assert_eq!(ticks.tick().await, start + millis(expected), "{behavior:?}");
                    assert_eq!(Instant::now(), start + millis(expected), "{behavior:?}");
                }
            }
        });
    }

    /// Whichever runs when it ticks: another one, or none.
    fn an_interval_goes_by_the_clock_of_its_own_runtime(driver) {
        let (own, other) = (runtime(driver), runtime(driver));
        let nano = Duration::from_nanos(1);
        let mut cx = Context::from_waker(Waker::noop());
        for behavior in [Delay, Skip] {
            let mut ticks = own.block_on(async {
                time::pause();
                interval(nano)
            });
            ticks.set_missed_tick_behavior(behavior);
            // Meanwhile, the system's clock goes on, and this one stands.
            assert!(ticks.poll_tick(&mut cx).is_ready());
            own.block_on(time::advance(nano));
            assert!(other.block_on(async { ticks.poll_tick(&mut cx).is_ready() }));
            ticks.reset();
            own.block_on(async {
                time::advance(nano).await;
                assert!(ticks.poll_tick(&mut cx).is_ready(), "{behavior:?}");
                time::resume();
            });
        }
    }

    /// Whoever waits already is woken, and told like whoever comes later: in another runtime, and in none.
    fn who_waits_for_a_sleep_whose_runtime_is_gone_is_told(driver) {
        let gone = runtime(driver);
        let woken = Count::default();
        let (nap, new, ahead, limited, mut ticks) = gone.block_on(async {
            let mut nap = Box::pin(sleep(1000 * SECOND));
            let count = woken.clone();
            let waker = waker(move || count.add());
            assert!(nap.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            let mut ticks = interval(1000 * SECOND);
            ticks.tick().await;
            let limited = timeout(1000 * SECOND, std::future::pending::<()>());
            (nap, sleep_until(Instant::now() + 1000 * SECOND), sleep(1000 * SECOND), limited, ticks)
        });
        let other = runtime(driver);
        let told = other.block_on(async move {
            let waits = spawn(async move { ticks.tick().await });
            yield_now().await;
            assert_eq!(woken.get(), 0);
            drop(gone);
            assert_eq!(woken.get(), 1);
            let told = [
                waits.await.map(drop),
                spawn(nap).await,
                spawn(new).await,
                spawn(limited).await.map(drop),
            ];
            told.map(|told| told.expect_err("it panics").into_panic())
        });
        let ahead = catch_unwind(AssertUnwindSafe(|| futures::executor::block_on(ahead)));
        for panic in told.into_iter().chain([ahead.expect_err("it panics")]) {
            let text = *panic.downcast::<&str>().expect("a panic with a text");
            assert!(text.contains("the runtime of this sleep is gone"), "{text}");
        }
    }

    /// What has come before, and what is past by now, is past.
    fn a_sleep_that_was_ready_when_its_runtime_went_stays_ready(driver) {
        let gone = runtime(driver);
        let (none, fired, past, passed, limited, ahead) = gone.block_on(async {
            time::pause();
            let (mut fired, mut ahead) = (Box::pin(sleep(SECOND)), Box::pin(sleep(3 * SECOND)));
            assert!(poll_once(&mut fired).await.is_pending());
            assert!(poll_once(&mut ahead).await.is_pending());
            let (past, passed) = (sleep(SECOND), sleep_until(Instant::now() + SECOND));
            let limited = timeout(SECOND, std::future::pending::<()>());
            time::advance(2 * SECOND).await;
            (sleep(Duration::ZERO), fired, past, passed, limited, ahead)
        });
        drop(gone);
        let other = runtime(driver);
        let (mut ahead, mut passed) = other.block_on(async move {
            none.await;
            fired.await;
            past.await;
            assert!(limited.await.is_err());
            (ahead, Box::pin(passed))
        });
        futures::executor::block_on(&mut passed);
        // A second time, as before.
        futures::executor::block_on(&mut passed);
        assert!(passed.is_elapsed() && !ahead.is_elapsed());
        // And what is told to wait for something else goes by the clock that stands.
        let due = passed.deadline().expect("it has one");
        ahead.as_mut().get_mut().reset(due);
        futures::executor::block_on(ahead);
    }

    /// It is dropped, asked and put off; and who sleeps for ever, or does not look, is not disturbed.
    fn a_sleep_whose_runtime_is_gone_can_be_dropped(driver) {
        let gone = runtime(driver);
        let (mut kept, never, limited) = gone.block_on(async {
            let mut naps: Vec<_> = (0..10).map(|_| Box::pin(sleep(1000 * SECOND))).collect();
            for nap in naps.iter_mut().take(5) {
                assert!(poll_once(nap).await.is_pending());
            }
            let mut limited = Box::pin(timeout(1000 * SECOND, yield_now()));
            assert!(poll_once(&mut limited).await.is_pending());
            (naps, Box::pin(sleep(Duration::MAX)), limited)
        });
        drop(kept.pop());
        drop(kept.remove(0));
        drop(gone);
        assert!(kept.iter().all(|nap| !nap.is_elapsed() && nap.deadline().is_some()));
        let later = Instant::now() + 2000 * SECOND;
        kept[0].as_mut().get_mut().reset(later);
        drop(kept);
        let other = runtime(driver);
        other.block_on(async move {
            assert!(poll_once(never).await.is_pending());
            assert_eq!(limited.await, Ok(()));
        });
    }

    /// A timer ends the sleep of the thread, and another thread does, too.
    fn a_sleeping_thread_is_woken_by_others_before_its_deadline(driver) {
        runtime(driver).block_on(async {
            drop(spawn(sleep(1000 * SECOND)));
            let (sender, receiver) = oneshot::channel();
            let other = thread::spawn(move || sender.send(7));
            assert_eq!(receiver.await, Ok(7));
            other.join().expect("it does not panic").expect("somebody waits");
        });
    }
}

#[test]
fn an_instant_counts_as_the_standard_librarys() {
    let std = std::time::Instant::now();
    let (one, two) = (Instant::from_std(std), Instant::from(std) + SECOND);
    assert_eq!((two - one, one - two), (SECOND, Duration::ZERO));
    assert_eq!(two.duration_since(one), SECOND);
    assert_eq!(one.into_std(), std::time::Instant::from(one));
    assert_eq!((one.checked_add(Duration::MAX), one.checked_sub(Duration::MAX)), (None, None));
    let mut three = one;
    three += 2 * SECOND;
    three -= SECOND;
    assert_eq!((three, three - SECOND), (two, one));
    assert!(Instant::now().elapsed() < 1000 * SECOND);
}
