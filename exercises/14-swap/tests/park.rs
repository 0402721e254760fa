//! A ring as a park: who ends its sleep, and when it ends by itself.

mod common;

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use ch05_executor::Park;
use ch06_reactor::Reactor;
use ch08_timers::Clock;
use ch13_completion::{Driver, Op};
use ch14_swap::{Doorbell, DriverKind, RingPark, TimeLimit, TimerQueue, open_driver, ops};
use common::{checked, counting, driver, runtime};
use conformance::skip;
use futures::channel::mpsc;
use futures::future::join_all;
use futures::{FutureExt, StreamExt};
use nix::sys::eventfd::EventFd;
use trace::{Direction, Event, OpKind, Recording};

const NOW: Option<Duration> = Some(Duration::ZERO);
const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A park, and the ring and the reactor that it sleeps on.
struct Bed {
    park: RingPark,
    driver: Rc<Driver>,
    reactor: Rc<Reactor>,
}

/// `None` where there is no io_uring.
fn bed(entries: u32, doorbell: io::Result<Doorbell>) -> Option<Bed> {
    Some(Bed::new(driver(entries)?, doorbell, TimeLimit::Argument))
}

/// Runs a body with each kind of doorbell and each kind of time limit: on a ring that has all that this
/// kernel has to offer, and on one as in 2021, whose completions interrupt the thread.
fn in_each(body: impl Fn(&Bed) + Send + 'static) {
    checked(move || {
        if driver(8).is_none() {
            return;
        }
        for open in [open_driver, Driver::new] {
            for doorbell in [Doorbell::once, Doorbell::multishot] {
                for limit in [TimeLimit::PerSleep, TimeLimit::standing(), TimeLimit::Argument] {
                    let driver = Rc::new(open(8).expect("descriptors are left"));
                    let bed = Bed::new(driver, doorbell(), limit);
                    println!("{:?}", bed.park);
                    body(&bed);
                }
            }
        }
    });
}

impl Bed {
    fn new(driver: Rc<Driver>, doorbell: io::Result<Doorbell>, time_limit: TimeLimit) -> Bed {
        let reactor = Rc::new(Reactor::new().expect("descriptors are left"));
        let doorbell = doorbell.expect("descriptors are left");
        let park = RingPark::new(driver.clone(), doorbell, time_limit, reactor.clone());
        Bed { park, driver, reactor }
    }

    fn park(&self, timeout: Option<Duration>) {
        self.park.park(timeout).expect("the kernel lets us sleep");
    }

    /// Sleeps again and again, until a future is done that nobody wakes.
    fn finish<F: Future + Unpin>(&self, timeout: Option<Duration>, mut future: F) -> F::Output {
        let cx = &mut Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(output) = future.poll_unpin(cx) {
                return output;
            }
            self.park(timeout);
        }
    }

    /// Sleeps, and looks whether the time was slept out.
    fn sleeps_out(&self, time: Duration) -> bool {
        let began = Instant::now();
        self.park(Some(time));
        began.elapsed() >= time
    }

    /// Sleeps until nothing ends the sleep any more. That should be the case at once, unless completions
    /// interrupt the thread: then each ring is a completion of its own.
    fn sleeps_undisturbed(&self) {
        let is_interrupted = !self.driver.parameters().is_setup_single_issuer();
        while !self.sleeps_out(5 * MS) {
            assert!(is_interrupted, "something is left of an earlier wake");
        }
    }
}

/// How many operations of this kind were submitted.
fn submitted(kind: OpKind) -> usize {
    let events = Recording::current().expect("`watch` records").events();
    events
        .iter()
        .filter(|event| matches!(event, Event::Sqe { kind: of, .. } if *of == kind))
        .count()
}

// The doorbell.

#[test]
fn an_unpark_before_the_sleep_ends_it_and_is_used_up() {
    in_each(|bed| {
        for _ in 0..3 {
            bed.park.unparker().wake();
            bed.park(None);
            bed.sleeps_undisturbed();
        }
    });
}

#[test]
fn an_unpark_after_a_sleep_ends_the_next_one() {
    in_each(|bed| {
        bed.park(NOW);
        for _ in 0..3 {
            bed.park.unparker().wake();
            bed.park(None);
        }
    });
}

#[test]
fn an_unpark_from_another_thread_ends_the_sleep_whenever_it_comes() {
    in_each(|bed| {
        let (ask, asked) = channel::<u32>();
        let unparker = bed.park.unparker();
        let other = thread::spawn(move || {
            for round in asked {
                // Some come before the sleep, some in the middle of going to sleep, some after.
                (0..round % 50 * 20).for_each(|_| std::hint::spin_loop());
                unparker.wake_by_ref();
            }
        });
        for round in 0..500 {
            ask.send(round).expect("the other thread listens");
            bed.park(None);
        }
        drop(ask);
        other.join().expect("ringing does not panic");
    });
}

#[test]
fn many_rings_are_one_wake() {
    in_each(|bed| {
        for _ in 0..3 {
            (0..1000).for_each(|_| bed.park.unparker().wake());
            bed.park(None);
            bed.sleeps_undisturbed();
        }
    });
}

#[test]
fn rings_of_many_threads_are_heard() {
    in_each(|bed| {
        let unparker = bed.park.unparker();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..100).for_each(|_| unparker.wake_by_ref()));
            }
        });
        bed.park(None);
        bed.sleeps_undisturbed();
    });
}

#[test]
fn a_bell_may_be_rung_when_its_park_is_gone() {
    checked(|| {
        for doorbell in [Doorbell::once, Doorbell::multishot] {
            let Some(bed) = bed(8, doorbell()) else { return };
            bed.park(NOW);
            let unparker = bed.park.unparker();
            drop(bed);
            unparker.wake_by_ref();
            thread::spawn(|| drop(unparker)).join().expect("a drop that does not panic");
        }
    });
}

#[test]
fn a_bell_that_is_watched_once_is_watched_anew_after_each_ring_and_not_before() {
    checked(|| {
        let Some(bed) = bed(8, Doorbell::once()) else { return };
        bed.park(NOW);
        let before = bed.driver.counts().submissions;
        (0..10).for_each(|_| bed.park(NOW));
        assert_eq!(bed.driver.counts().submissions, before);
        for rings in 1..=10 {
            bed.park.unparker().wake();
            bed.park(None);
            // The watch that has ended is followed by one at the next sleep.
            bed.park(NOW);
            assert_eq!(bed.driver.counts().submissions, before + rings);
        }
    });
}

#[test]
fn a_bell_that_is_watched_for_ever_is_watched_by_one_submission() {
    checked(|| {
        let Some(bed) = bed(8, Doorbell::multishot()) else { return };
        bed.park(NOW);
        let before = bed.driver.counts().submissions;
        for _ in 0..1000 {
            bed.park.unparker().wake();
            bed.park(None);
        }
        assert_eq!(bed.driver.counts().submissions, before);
    });
}

/// The kernel ends a multishot operation whose completion finds no room.
#[test]
fn a_watch_that_the_kernel_has_ended_is_begun_again() {
    checked(|| {
        // There is room for 8 completions.
        let Some(bed) = bed(4, Doorbell::multishot()) else { return };
        let mut renewed = 0;
        for _ in 0..100 {
            bed.park(NOW);
            let signal = Rc::new(EventFd::new().expect("descriptors are left"));
            let waiting: Vec<Op<ops::Poll<Rc<EventFd>>>> =
                (0..12).map(|_| bed.driver.submit(ops::Poll::once(signal.clone()))).collect();
            bed.park(NOW);
            let before = bed.driver.counts().submissions;

            signal.write(1).expect("an eventfd takes one more");
            bed.park.unparker().wake();
            bed.finish(None, join_all(waiting));
            bed.park(NOW);
            renewed += bed.driver.counts().submissions - before;
            // Whether it was renewed or not, the next ring is heard.
            thread::scope(|scope| {
                let unparker = bed.park.unparker();
                scope.spawn(move || unparker.wake());
                bed.park(None);
            });
        }
        if renewed == 0 {
            skip("this kernel has not ended the watch, which it may do");
        }
    });
}

// The time.

#[test]
fn a_sleep_ends_when_its_time_has_come_and_not_before() {
    in_each(|bed| {
        for ms in [1, 5, 20, 3] {
            assert!(bed.sleeps_out(ms * MS));
        }
    });
}

#[test]
fn an_event_ends_a_sleep_before_its_time() {
    in_each(|bed| {
        for limit in [HOUR, Duration::MAX, Duration::from_secs(u64::MAX / 2), HOUR] {
            let unparker = bed.park.unparker();
            thread::scope(|scope| {
                scope.spawn(|| unparker.wake());
                bed.park(Some(limit));
            });
            let timeout = bed.driver.submit(ops::Timeout::after(MS));
            bed.finish(Some(limit), timeout).expect("the time comes");
        }
    });
}

#[test]
fn a_short_sleep_after_a_long_one_is_short() {
    in_each(|bed| {
        for _ in 0..3 {
            bed.park.unparker().wake();
            bed.park(Some(HOUR));
            // A sleep of an hour would be ended by the watchdog.
            while !bed.sleeps_out(5 * MS) {}
        }
    });
}

#[test]
fn a_timeout_that_is_not_needed_any_more_does_not_stay_in_the_ring() {
    in_each(|bed| {
        for round in 0..100 {
            bed.park.unparker().wake();
            // Each is shorter than the one before.
            bed.park(Some(HOUR - round * MS));
        }
        bed.park(NOW);
        bed.park(NOW);
        // The bell, the reactor, and a timeout that stands.
        let flying = bed.driver.in_flight();
        assert!(flying <= 3, "{flying} operations fly");
    });
}

#[test]
fn a_park_of_no_time_does_not_sleep_and_hears_what_has_come() {
    in_each(|bed| {
        let timeout = bed.driver.submit(ops::Timeout::after(MS));
        bed.finish(NOW, timeout).expect("the time comes");
    });
}

// What else there is to hear.

#[test]
fn a_completion_ends_the_sleep_and_wakes_its_operation_alone() {
    in_each(|bed| {
        let signals = [(); 3].map(|()| Rc::new(EventFd::new().expect("descriptors are left")));
        let woken = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
        let mut polls: Vec<_> = (0..3)
            .map(|number| {
                let mut poll = bed.driver.submit(ops::Poll::once(signals[number].clone()));
                let waker = counting(&woken[number]);
                assert!(poll.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
                poll
            })
            .collect();
        let mut expected = [0; 3];
        for number in [1, 0, 2] {
            signals[number].write(1).expect("an eventfd takes one more");
            expected[number] = 1;
            while woken[number].load(SeqCst) == 0 {
                bed.park(None);
            }
            assert_eq!(woken.each_ref().map(|count| count.load(SeqCst)), expected);
            bed.finish(NOW, &mut polls[number]).expect("an eventfd can be polled");
        }
    });
}

#[test]
fn what_the_reactor_behind_the_ring_waits_for_ends_the_sleep_again_and_again() {
    in_each(|bed| {
        let (reader, writer) = io::pipe().expect("descriptors are left");
        let reader = Rc::new(reader);
        let fd = reader.as_raw_fd();
        bed.reactor.add(reader.clone()).expect("a pipe can be registered");
        let heard = Arc::new(AtomicUsize::new(0));
        let waker = counting(&heard);
        for round in 1..=20 {
            let waiting = &mut Context::from_waker(&waker);
            bed.reactor.arm(fd, Direction::Read, waiting).expect("it is registered");
            (&writer).write_all(b"x").expect("a pipe takes a byte");
            while heard.load(SeqCst) < round {
                bed.park(None);
            }
            (&*reader).read_exact(&mut [0]).expect("a byte is there");
        }
        assert_eq!(heard.load(SeqCst), 20);
        bed.reactor.delete(fd).expect("it is registered");
    });
}

#[test]
fn two_rings_on_two_threads_play_ping_pong() {
    checked(|| {
        // Eight balls are in the air, so that a busy machine does not make each of them wait.
        const BALLS: u32 = 8;
        const ROUNDS: u32 = 10_000 / BALLS;
        if driver(8).is_none() {
            return;
        }
        let (serve, mut served) = mpsc::unbounded();
        let (answer, mut answers) = mpsc::unbounded();
        let other = thread::spawn(move || {
            let runtime = runtime(DriverKind::Ring, TimerQueue::Wheel, Clock::real());
            runtime.block_on(async {
                while let Some(ball) = served.next().await {
                    answer.unbounded_send(ball + BALLS).expect("the other side plays on");
                }
            });
        });
        runtime(DriverKind::Ring, TimerQueue::Wheel, Clock::real()).block_on(async {
            let mut played = [0; BALLS as usize];
            (0..BALLS).for_each(|ball| serve.unbounded_send(ball).expect("the other side plays"));
            for _ in 0..BALLS * ROUNDS {
                let ball = answers.next().await.expect("the other side plays on");
                let rounds: &mut u32 = &mut played[(ball % BALLS) as usize];
                *rounds += 1;
                if *rounds < ROUNDS {
                    serve.unbounded_send(ball).expect("the other side plays on");
                }
            }
            assert_eq!(played, [ROUNDS; BALLS as usize]);
            drop(serve);
        });
        other.join().expect("the other side does not panic");
        // One watch each. This thread's are recorded: the bell, and the reactor.
        if trace::ENABLED {
            assert_eq!(submitted(OpKind::Poll), 2);
        }
    });
}
