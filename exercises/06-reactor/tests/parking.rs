//! What the reactor promises as a `Park`.

mod common;

use std::io::{self, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use ch05_executor::Park;
use ch06_reactor::Direction::Read as Reading;
use ch06_reactor::Reactor;
use common::{NOW, Waiter, asked, assert_registrations, checked, number, pair, park};
use common::{this_thread, until_it_sleeps_in};

/// Whether no unpark is left over: then a timed park takes its whole time.
fn sleeps(reactor: &Reactor) -> bool {
    let limit = Duration::from_millis(20);
    let start = Instant::now();
    park(reactor, Some(limit));
    start.elapsed() >= limit
}

#[test]
fn an_unpark_before_the_park_ends_it_at_once() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        for timeout in [None, Some(Duration::MAX)] {
            reactor.unparker().wake();
            park(&reactor, timeout);
        }
    });
}

#[test]
fn an_unpark_from_another_thread_ends_a_park_that_sleeps() {
    for timeout in [None, Some(Duration::MAX), Some(Duration::from_secs(3600))] {
        checked(move || {
            let reactor = Reactor::new().unwrap();
            let (unparker, epoll, sleeper) = (reactor.unparker(), number(&reactor), this_thread());
            let unparked = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    until_it_sleeps_in(&sleeper, epoll);
                    unparked.store(true, SeqCst);
                    unparker.wake();
                });
                park(&reactor, timeout);
                assert!(unparked.load(SeqCst), "the park ended by itself");
            });
        });
    }
}

#[test]
fn many_unparks_end_one_park() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let unparker = reactor.unparker();
        for unparker in [unparker.clone(), unparker, reactor.unparker()] {
            unparker.wake_by_ref();
            unparker.wake();
        }
        park(&reactor, None);
        assert!(sleeps(&reactor));
    });
}

#[test]
fn a_look_takes_the_unpark_too() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        reactor.unparker().wake();
        park(&reactor, NOW);
        assert!(sleeps(&reactor));
    });
}

#[test]
fn no_unpark_is_lost_between_two_threads_that_take_turns() {
    const ROUNDS: usize = 5_000;
    checked(|| {
        let ping = Reactor::new().unwrap();
        let wake_ping = ping.unparker();
        let (to_us, from_them) = std::sync::mpsc::channel();
        let them = thread::spawn(move || {
            let pong = Reactor::new().unwrap();
            to_us.send(pong.unparker()).unwrap();
            for _ in 0..ROUNDS {
                pong.park(None).unwrap();
                wake_ping.wake_by_ref();
            }
        });
        let wake_pong = from_them.recv().unwrap();
        for _ in 0..ROUNDS {
            wake_pong.wake_by_ref();
            ping.park(None).unwrap();
        }
        them.join().unwrap();
    });
}

#[test]
fn an_unpark_wakes_nobody_and_leaves_the_waiters_waiting() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (ours, peer) = pair();
        reactor.add(ours.clone()).unwrap();
        let waiter = Waiter::armed(&reactor, &ours, Reading);
        for _ in 0..3 {
            reactor.unparker().wake();
            park(&reactor, None);
        }
        assert_eq!((waiter.wakes(), waiter.kept()), (0, 1));
        assert_registrations(&reactor, [asked(&ours, true, false)]);
        (&*peer).write_all(b"x").unwrap();
        park(&reactor, None);
        assert_eq!(waiter.wakes(), 1);
    });
}

#[test]
fn an_unparker_may_outlive_its_reactor() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let unparker = reactor.unparker();
        drop(reactor);
        for unparker in [unparker.clone(), unparker.clone()] {
            thread::spawn(move || unparker.wake()).join().expect("unparking nobody is no error");
        }
        unparker.wake_by_ref();
    });
}

#[test]
fn two_reactors_of_one_thread_are_unparked_one_by_one() {
    checked(|| {
        let (mine, yours) = (Reactor::new().unwrap(), Reactor::new().unwrap());
        mine.unparker().wake();
        assert!(sleeps(&yours));
        park(&mine, None);
    });
}

#[test]
fn a_park_without_time_returns_and_takes_what_is_ready() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        for _ in 0..100 {
            park(&reactor, NOW);
        }
        let (reader, mut writer) = io::pipe().unwrap();
        let reader = Rc::new(reader);
        reactor.add(reader.clone()).unwrap();
        let waiter = Waiter::armed(&reactor, &reader, Reading);
        writer.write_all(b"x").unwrap();
        park(&reactor, NOW);
        assert_eq!(waiter.wakes(), 1);
    });
}

#[test]
fn a_park_that_ran_out_of_time_leaves_the_reactor_usable() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        for limit in [Duration::from_nanos(1), Duration::from_micros(1), Duration::from_millis(1)] {
            park(&reactor, Some(limit));
        }
        assert!(sleeps(&reactor));
        reactor.unparker().wake();
        park(&reactor, None);
    });
}
