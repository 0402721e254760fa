//! The run budget: nobody keeps the thread from its park.

mod common;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use ch05_executor::Park;
use ch06_reactor::Reactor;
use ch08_timers::{Clock, TimerPark, Timers, sleep};
use ch09_fairness::{Config, Executor, spawn};
use common::{
    Spinner, checked, coop_budget, panic_text, polls_between_visits, reactor, run_budget, visits,
    wake_itself,
};
use futures::channel::oneshot;

/// A reactor that calls a function after each visit.
struct Visited<F> {
    reactor: Rc<Reactor>,
    visited: F,
}

impl<F: Fn()> Park for Visited<F> {
    fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        Park::park(&self.reactor, timeout)?;
        (self.visited)();
        Ok(())
    }

    fn unparker(&self) -> Waker {
        Park::unparker(&self.reactor)
    }
}

#[test]
fn what_is_done_within_the_budget_visits_no_park() {
    checked(|| {
        let executor = Executor::new(reactor(), run_budget(61));
        executor.block_on(async {
            for _ in 0..10 {
                let (setter, done) = oneshot::channel();
                spawn(async move { setter.send(()).expect("the main future waits") });
                done.await.expect("the task ends");
            }
        });
        assert_eq!(visits(), []);
    });
}

#[test]
fn a_thread_that_has_nothing_to_do_sleeps_without_a_timeout() {
    checked(|| {
        let (setter, answer) = oneshot::channel();
        let setter = Cell::new(Some(setter));
        // The park itself lets the answer come, as a socket would.
        let visited = move || {
            setter.take().expect("one visit is enough").send(7).expect("the main future waits")
        };
        let park = Visited { reactor: reactor(), visited };
        park.unparker().wake();
        let executor = Executor::new(park, run_budget(61));
        assert_eq!(executor.block_on(answer), Ok(7));
        assert_eq!(visits(), [None]);
    });
}

#[test]
fn between_two_visits_to_the_park_there_are_at_most_so_many_polls() {
    for budget in [2, 3, 8, 61] {
        checked(move || {
            let executor = Executor::new(reactor(), run_budget(budget));
            executor.block_on(async {
                let spinner = Spinner::default();
                spawn(spinner.clone().spin());
                for _ in 0..5 {
                    spawn(async {
                        for _ in 0..50 {
                            wake_itself().await;
                        }
                    });
                }
                for _ in 0..20 {
                    wake_itself().await;
                }
                spinner.stop.set(true);
            });
            let polls = polls_between_visits();
            assert_eq!(polls.iter().max(), Some(&budget), "{polls:?}");
        });
    }
}

#[test]
fn a_visit_of_a_busy_thread_has_a_timeout_of_zero() {
    checked(|| {
        let executor = Executor::new(reactor(), run_budget(2));
        executor.block_on(async {
            for _ in 0..20 {
                wake_itself().await;
            }
        });
        assert_eq!(visits(), [Some(Duration::ZERO); 10]);
    });
}

#[test]
fn the_main_future_is_polled_beside_a_spinner() {
    checked(|| {
        let executor = Executor::new(reactor(), run_budget(10));
        let spinner = Spinner::default();
        executor.block_on(async {
            spawn(spinner.clone().spin());
            for turn in 0..100 {
                wake_itself().await;
                let polls = spinner.polls.get();
                assert!(polls <= 10 * (turn + 1), "turn {turn}: {polls} polls of the spinner");
            }
        });
    });
}

#[test]
fn a_wake_from_another_thread_is_heard_beside_a_spinner() {
    checked(|| {
        let (setter, answer) = oneshot::channel();
        let setter = Cell::new(Some(setter));
        let spinner = Spinner::default();
        let polls = spinner.polls.clone();
        // By the second visit, the spinner has had the thread for a while.
        let visits = Cell::new(0);
        let park = Visited {
            reactor: reactor(),
            visited: move || {
                visits.set(visits.get() + 1);
                if visits.get() == 2
                    && let Some(setter) = setter.take()
                {
                    let other = thread::spawn(move || setter.send(42));
                    other.join().expect("it does not panic").expect("the main future waits");
                }
            },
        };
        let executor = Executor::new(park, run_budget(10));
        let answer = executor.block_on(async {
            spawn(spinner.spin());
            answer.await
        });
        assert_eq!(answer, Ok(42));
        assert!(polls.get() <= 20, "{} polls of the spinner", polls.get());
    });
}

#[test]
fn a_main_future_that_wakes_itself_for_ever_starves_neither_the_tasks_nor_the_park() {
    for budget in [2, 61] {
        checked(move || {
            let visits = Rc::new(Cell::new(0));
            let count = visits.clone();
            let visited = move || count.set(count.get() + 1);
            let executor =
                Executor::new(Visited { reactor: reactor(), visited }, run_budget(budget));
            let turns = Rc::new(Cell::new(0));
            let counted = turns.clone();
            let mut polls = 0;
            executor.block_on(poll_fn(move |cx| {
                polls += 1;
                assert!(polls < 10_000, "the tasks starve, or the park");
                if polls == 1 {
                    let counted = counted.clone();
                    spawn(async move {
                        for _ in 0..10 {
                            wake_itself().await;
                            counted.set(counted.get() + 1);
                        }
                    });
                }
                cx.waker().wake_by_ref();
                match visits.get() > 10 && counted.get() == 10 {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            }));
            assert_eq!(turns.get(), 10);
        });
    }
}

#[test]
fn tasks_that_spawn_their_successors_for_ever_starve_nobody() {
    fn generation(stop: Rc<Cell<bool>>, count: Rc<Cell<usize>>) {
        spawn(async move {
            count.set(count.get() + 1);
            assert!(count.get() < 10_000, "the main future starves");
            if !stop.get() {
                generation(stop, count);
            }
        });
    }

    checked(|| {
        let executor = Executor::new(reactor(), run_budget(10));
        let (stop, count) = (Rc::default(), Rc::default());
        executor.block_on(async {
            generation(Rc::clone(&stop), Rc::clone(&count));
            for _ in 0..10 {
                wake_itself().await;
            }
        });
        let generations = Cell::get(&count);
        assert!(generations <= 100, "{generations} generations in ten turns of the main future");
        stop.set(true);
    });
}

#[test]
fn the_budget_does_not_change_whose_turn_it_is() {
    checked(|| {
        let executor = Executor::new(reactor(), run_budget(3));
        let log = Rc::new(RefCell::new(Vec::new()));
        executor.block_on(async {
            let (setter, done) = oneshot::channel();
            let mut setter = Some(setter);
            for name in 0..10 {
                let log = log.clone();
                let last = setter.take_if(|_| name == 9);
                spawn(async move {
                    for _ in 0..5 {
                        log.borrow_mut().push(name);
                        wake_itself().await;
                    }
                    if let Some(setter) = last {
                        setter.send(()).expect("the main future waits");
                    }
                });
            }
            done.await.expect("the task ends");
        });
        let rounds: Vec<i32> = (0..5).flat_map(|_| 0..10).collect();
        assert_eq!(*log.borrow(), rounds);
    });
}

#[test]
fn a_deadline_is_missed_by_one_budget_at_most() {
    checked(|| {
        let timers = Rc::new(Timers::new(Clock::virtual_now()));
        let park = TimerPark::new(reactor(), timers.clone());
        let executor = Executor::new(park, run_budget(10));
        ch08_timers::enter(&timers, || {
            executor.block_on(async {
                // A millisecond passes in each poll of this one.
                let clock = timers.clone();
                spawn(async move {
                    for _ in 0..10_000 {
                        clock.clock().advance(Duration::from_millis(1));
                        wake_itself().await;
                    }
                });
                let start = timers.clock().now();
                sleep(Duration::from_millis(100)).await;
                let late = timers.clock().now() - start - Duration::from_millis(100);
                assert!(late <= Duration::from_millis(10), "late by {late:?}");
            });
        });
    });
}

#[test]
fn budgets_that_would_let_nobody_go_on_are_refused() {
    checked(|| {
        let refused = |config: Config| panic_text(|| drop(Executor::new(reactor(), config)));
        assert!(refused(run_budget(0)).contains("a run budget of less than 2"));
        assert!(refused(run_budget(1)).contains("a run budget of less than 2"));
        assert!(refused(coop_budget(0)).contains("a cooperative budget of 0"));
    });
}
