//! The seam between the loop and what it sleeps on: what each side may rely on.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use ch03_block_on::{Parker, signal};
use ch05_executor::{Executor, Park, spawn};
use conformance::watch;
use conformance::{Probe, panic_text, yield_now};

/// A parker that calls a function first, which says how to go on.
struct Hooked<F> {
    parker: Parker,
    before: F,
}

enum Then {
    Sleep,
    Return,
    Fail,
}

fn hooked<F: Fn() -> Then>(before: F) -> Hooked<F> {
    let parker = Parker::new();
    Hooked { parker, before }
}

impl<F: Fn() -> Then> Park for Hooked<F> {
    fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        match (self.before)() {
            Then::Sleep => Park::park(&self.parker, timeout),
            Then::Return => Ok(()),
            Then::Fail => Err(io::Error::other("the sources are gone")),
        }
    }

    fn unparker(&self) -> Waker {
        self.parker.unparker()
    }
}

#[test]
fn a_wake_between_the_check_and_the_sleep_is_not_lost() {
    watch(|| {
        let (setter, answer) = signal();
        let setter = Cell::new(Some(setter));
        // The loop has looked and found nothing to do. Now the other thread runs, to its end.
        let executor = Executor::new(hooked(move || {
            if let Some(setter) = setter.take() {
                let other = thread::spawn(move || setter.set(42));
                other.join().expect("setting does not panic");
            }
            Then::Sleep
        }));
        assert_eq!(executor.block_on(answer), Some(42));
    });
}

#[test]
fn a_thread_that_is_unparked_finds_the_main_future_woken() {
    /// Unparks the thread, and gives it the time to answer before the wake goes on.
    struct Slow {
        unparker: Waker,
        polled: Mutex<Receiver<()>>,
    }

    impl Wake for Slow {
        fn wake(self: Arc<Self>) {
            self.unparker.wake_by_ref();
            // An error says that the executor is gone. The test has failed then.
            let _ = self.polled.lock().expect("nobody panics here").recv();
        }
    }

    struct OneSleep {
        parker: Parker,
        unparker: Waker,
        slept: Cell<bool>,
    }

    impl Park for OneSleep {
        fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
            assert!(!self.slept.replace(true), "unparked, but the main future is not woken");
            Park::park(&self.parker, timeout)
        }

        fn unparker(&self) -> Waker {
            self.unparker.clone()
        }
    }

    watch(|| {
        let parker = Parker::new();
        let (answer, polled) = channel();
        let slow = Slow { unparker: parker.unparker(), polled: polled.into() };
        let unparker = Arc::new(slow).into();
        let executor = Executor::new(OneSleep { parker, unparker, slept: false.into() });

        let mut other = None;
        executor.block_on(poll_fn(move |context| {
            if other.is_some() {
                answer.send(()).expect("the wake waits for it");
                return Poll::Ready(());
            }
            let waker = context.waker().clone();
            other = Some(thread::spawn(move || waker.wake()));
            Poll::Pending
        }));
    });
}

#[test]
fn a_park_that_returns_for_no_reason_causes_no_polls() {
    watch(|| {
        let (setter, answer) = signal();
        let (setter, parks) = (Cell::new(Some(setter)), Rc::new(Cell::new(0)));
        let count = parks.clone();
        let executor = Executor::new(hooked(move || {
            count.set(count.get() + 1);
            if count.get() == 100
                && let Some(setter) = setter.take()
            {
                setter.set(());
            }
            Then::Return
        }));

        let probe = Probe::default();
        let (inner, main_polls) = (probe.clone(), Cell::new(0));
        let mut answer = pin!(answer);
        executor.block_on(poll_fn(|context| {
            if main_polls.get() == 0 {
                spawn(inner.clone());
            }
            main_polls.set(main_polls.get() + 1);
            answer.as_mut().poll(context)
        }));
        assert_eq!((parks.get(), main_polls.get(), probe.polls.get()), (100, 2, 1));
    });
}

#[test]
fn a_park_may_wake_tasks_and_they_are_polled() {
    watch(|| {
        let probe = Probe::default();
        let source = probe.clone();
        let executor = Executor::new(hooked(move || {
            source.done.set(true);
            source.waker().wake();
            Then::Return
        }));
        executor.block_on(async {
            let (setter, ended) = signal();
            let inner = probe.clone();
            spawn(async move {
                inner.await;
                setter.set(());
            });
            ended.await
        });
        assert_eq!(probe.polls.get(), 2);
    });
}

#[test]
fn a_main_future_that_wakes_itself_does_not_let_the_thread_sleep() {
    watch(|| {
        let executor = Executor::new(hooked(|| panic!("the main future was woken")));
        executor.block_on(async {
            for _ in 0..10 {
                yield_now().await;
            }
        });
    });
}

#[test]
fn the_thread_sleeps_only_when_nobody_can_go_on() {
    watch(|| {
        let executor = Executor::new(hooked(|| panic!("there is something to run")));
        executor.block_on(async {
            let (setter, ended) = signal();
            spawn(async {
                for _ in 0..10 {
                    yield_now().await;
                }
                setter.set(());
            });
            for _ in 0..10 {
                yield_now().await;
            }
            ended.await;
        });
    });
}

#[test]
fn a_park_that_fails_ends_block_on_with_a_panic_that_says_why() {
    watch(|| {
        let executor = Executor::new(hooked(|| Then::Fail));
        let probe = Probe::default();
        let text = panic_text(|| {
            executor.block_on(async {
                spawn(probe.clone());
                Probe::default().await;
            })
        });
        assert!(text.contains("the executor's park failed"), "{text}");
        assert!(text.contains("the sources are gone"), "{text}");

        // The executor, and the task, are as they were.
        probe.waker().wake();
        executor.block_on(yield_now());
        assert_eq!(probe.polls.get(), 2);
    });
}

#[test]
fn an_rc_of_a_park_is_a_park_that_others_can_hold() {
    watch(|| {
        let probe = Probe::default();
        let source = probe.clone();
        let parks = Rc::new(Cell::new(0));
        let count = parks.clone();
        let park: Rc<dyn Park> = Rc::new(hooked(move || {
            count.set(count.get() + 1);
            if count.get() == 2 {
                source.done.set(true);
                source.waker().wake();
            }
            Then::Sleep
        }));

        // A token that was left before the first sleep ends it.
        park.unparker().wake();
        Executor::new(park.clone()).block_on(probe);
        assert_eq!(parks.get(), 2);
        assert_eq!(Rc::strong_count(&park), 1);
    });
}

/// What is still wrong with the loop, on purpose. (Fault S6, which chapter 9 mends.)
#[test]
fn a_task_that_wakes_itself_keeps_the_main_future_and_the_park_waiting() {
    watch(|| {
        let executor = Executor::new(hooked(|| panic!("nobody has time to look at the sources")));
        executor.block_on(async {
            let turns = Rc::new(Cell::new(0));
            let counted = turns.clone();
            spawn(async move {
                for _ in 0..100 {
                    counted.set(counted.get() + 1);
                    yield_now().await;
                }
            });
            let seen = turns.clone();
            spawn(async move {
                yield_now().await;
                assert_eq!(seen.get(), 2, "tasks take turns");
            });
            yield_now().await;
            assert_eq!(turns.get(), 100, "the main future was woken at once, and polled last");
        });
    });
}
