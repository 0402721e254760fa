//! `yield_now`, and the queue of those who have yielded.

mod common;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use ch05_executor::Park;
use ch06_reactor::Reactor;
use ch09_fairness::{Config, Executor, spawn, yield_now};
use common::{
    Spinner, checked, events, forever, panic_text, reactor, run_budget, visits, wake_itself,
};
use conformance::watch;
use futures::channel::oneshot;
use futures::future::poll_immediate;
use trace::{Event, Recording};

fn executor() -> Executor {
    Executor::new(reactor(), Config::default())
}

/// Runs `count` tasks that yield `times` times each, until all are done.
async fn yielding(count: usize, times: usize) {
    let mut done = Vec::new();
    for _ in 0..count {
        let (setter, ended) = oneshot::channel();
        done.push(ended);
        spawn(async move {
            for _ in 0..times {
                yield_now().await;
            }
            setter.send(()).expect("the main future waits");
        });
    }
    for ended in done {
        ended.await.expect("the task ends");
    }
}

/// A main future is polled first after a visit, and the tasks after it.
async fn two_turns() {
    yield_now().await;
    yield_now().await;
}

#[test]
fn a_lone_task_that_yields_visits_the_park_once_for_each_yield() {
    checked(|| {
        executor().block_on(yielding(1, 10));
        assert_eq!(visits(), [Some(Duration::ZERO); 10]);
    });
}

#[test]
fn fifty_tasks_that_yield_share_their_visits() {
    checked(|| {
        executor().block_on(yielding(50, 10));
        assert_eq!(visits(), [Some(Duration::ZERO); 10]);
    });
}

#[test]
fn the_main_future_may_yield() {
    checked(|| {
        executor().block_on(async {
            for _ in 0..10 {
                yield_now().await;
            }
        });
        assert_eq!(visits(), [Some(Duration::ZERO); 10]);
    });
}

#[test]
fn everybody_who_is_queued_goes_first_and_so_does_what_the_park_has_to_say() {
    /// Wakes a task in its first visit, as a socket would.
    struct Woken(Rc<Reactor>, Cell<Option<oneshot::Sender<()>>>);

    impl Park for Woken {
        fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
            if let Some(setter) = self.1.take() {
                setter.send(()).expect("its task waits");
            }
            Park::park(&self.0, timeout)
        }

        fn unparker(&self) -> Waker {
            Park::unparker(&self.0)
        }
    }

    checked(|| {
        let (setter, readable) = oneshot::channel();
        let executor = Executor::new(Woken(reactor(), Cell::new(Some(setter))), Config::default());
        let log = RefCell::new(Vec::new());
        let log: &'static RefCell<Vec<&str>> = Box::leak(Box::new(log));
        executor.block_on(async {
            let (setter, done) = oneshot::channel();
            spawn(async move {
                readable.await.expect("the park sends");
                log.borrow_mut().push("the reader");
            });
            spawn(async move {
                log.borrow_mut().push("I yield");
                yield_now().await;
                log.borrow_mut().push("I go on");
                setter.send(()).expect("the main future waits");
            });
            spawn(async move {
                wake_itself().await;
                log.borrow_mut().push("another task");
            });
            done.await.expect("the task ends");
        });
        assert_eq!(*log.borrow(), ["I yield", "another task", "the reader", "I go on"]);
    });
}

#[test]
fn who_yields_beside_a_spinner_goes_on_after_one_budget() {
    checked(|| {
        let executor = Executor::new(reactor(), run_budget(10));
        executor.block_on(async {
            let spinner = Spinner::default();
            spawn(spinner.clone().spin());
            for turn in 0..100 {
                yield_now().await;
                let polls = spinner.polls.get();
                assert!(polls <= 10 * (turn + 1), "turn {turn}: {polls} polls of the spinner");
            }
        });
    });
}

#[test]
fn a_yield_that_is_dropped_costs_one_poll_in_vain() {
    checked(|| {
        let polls = Rc::new(Cell::new(0));
        let counted = polls.clone();
        let executor = executor();
        executor.block_on(async {
            spawn(async move {
                assert_eq!(poll_immediate(yield_now()).await, None);
                let mut never = pin!(forever());
                poll_fn(|cx| {
                    counted.set(counted.get() + 1);
                    never.as_mut().poll(cx)
                })
                .await;
            });
            for _ in 0..10 {
                yield_now().await;
            }
        });
        assert_eq!(polls.get(), 2);
    });
}

#[test]
fn a_wake_may_yield_itself() {
    /// A waker that runs code, as any may.
    struct Yields;

    impl Wake for Yields {
        fn wake(self: Arc<Self>) {
            let poll = pin!(yield_now()).poll(&mut Context::from_waker(Waker::noop()));
            assert_eq!(poll, Poll::Pending);
        }
    }

    checked(|| {
        executor().block_on(async {
            let waker = Waker::from(Arc::new(Yields));
            let mut foreign = pin!(yield_now());
            assert_eq!(foreign.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
            yield_now().await;
            yield_now().await;
        });
    });
}

#[test]
fn a_task_that_has_yielded_goes_on_in_the_next_block_on() {
    checked(|| {
        let went_on = Rc::new(Cell::new(false));
        let seen = went_on.clone();
        let executor = executor();
        executor.block_on(async {
            spawn(async move {
                yield_now().await;
                seen.set(true);
            });
            wake_itself().await;
        });
        assert!(!went_on.get(), "nobody has visited the park yet");
        executor.block_on(two_turns());
        assert!(went_on.get());
    });
}

#[test]
fn an_executor_knows_nothing_of_who_yielded_on_another_one() {
    // Without the invariants: tasks of two executors have the same numbers.
    watch(|| {
        let (one, other) = (executor(), executor());
        let went_on = Rc::new(Cell::new(false));
        let seen = went_on.clone();
        one.block_on(async {
            spawn(async move {
                yield_now().await;
                seen.set(true);
            });
            wake_itself().await;
        });
        let before = events().len();
        for _ in 0..3 {
            other.block_on(yield_now());
        }
        let woken = |event: &Event| matches!(event, Event::Wake { task: 1, .. });
        assert!(!events()[before..].iter().any(woken), "a task of the first executor was woken");
        one.block_on(two_turns());
        assert!(went_on.get());
    });
}

#[test]
fn an_executor_that_is_dropped_takes_the_yielded_wakers_along() {
    checked(|| {
        let executor = executor();
        executor.block_on(async {
            spawn(yield_now());
            wake_itself().await;
        });
        drop(executor);
        let count = |which: fn(&Event) -> bool| events().iter().filter(|e| which(e)).count();
        assert_eq!(
            count(|event| matches!(event, Event::WakerClone { .. })),
            count(|event| matches!(event, Event::WakerDrop { .. })),
        );
    });
}

#[test]
fn who_has_yielded_when_the_park_fails_goes_on_in_the_next_block_on() {
    struct FailsOnce(Rc<Reactor>, Cell<bool>);

    impl Park for FailsOnce {
        fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
            match self.1.replace(true) {
                true => Park::park(&self.0, timeout),
                false => Err(io::Error::other("the sources are gone")),
            }
        }

        fn unparker(&self) -> Waker {
            Park::unparker(&self.0)
        }
    }

    checked(|| {
        let went_on = Rc::new(Cell::new(false));
        let seen = went_on.clone();
        let executor = Executor::new(FailsOnce(reactor(), Cell::new(false)), Config::default());
        let text = panic_text(|| {
            executor.block_on(async {
                spawn(async move {
                    yield_now().await;
                    seen.set(true);
                });
                forever().await;
            })
        });
        assert!(text.contains("the executor's park failed"), "{text}");
        executor.block_on(two_turns());
        assert!(went_on.get());
    });
}

#[test]
fn on_an_executor_of_another_chapter_yield_now_wakes_at_once() {
    checked(|| {
        let executor = ch05_executor::Executor::new(reactor());
        executor.block_on(async {
            for _ in 0..10 {
                yield_now().await;
            }
        });
        assert_eq!(visits(), []);
    });
}

#[test]
fn after_a_panic_nobody_finds_the_queue_of_the_executor_that_has_ended() {
    checked(|| {
        let first = executor();
        panic_text(|| first.block_on(async { panic!("as it should") }));
        let recording = Recording::new();
        let attached = recording.attach();
        ch05_executor::Executor::new(reactor()).block_on(yield_now());
        drop(attached);
        assert!(!recording.events().iter().any(|event| matches!(event, Event::Park { .. })));
    });
}
