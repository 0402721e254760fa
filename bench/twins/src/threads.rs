use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::hint::spin_loop;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::house::House;
use crate::tasks::{CROWD, own_waker};
use crate::time::say_percentiles;

/// Long enough for a thread that has nothing to do to fall asleep.
const NAP: Duration = Duration::from_micros(50);

/// What the tasks of a crowd and the main future share.
#[derive(Default)]
struct Round {
    /// How many tasks were polled in this round.
    polled: Cell<usize>,
    /// The main future's waker.
    over: RefCell<Option<Waker>>,
}

impl Round {
    fn count(&self) {
        self.polled.set(self.polled.get() + 1);
        if self.polled.get() == CROWD {
            self.over.take().into_iter().for_each(Waker::wake);
        }
    }

    /// Ready when each of the crowd was polled once more.
    async fn wait(&self) {
        poll_fn(|cx| {
            if self.polled.get() == CROWD {
                self.polled.set(0);
                return Poll::Ready(());
            }
            *self.over.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Another thread wakes each of a crowd of tasks, while theirs waits for that, and reads nothing. Then all
/// of them are polled. `n` wakes and polls.
pub fn wakes_from_abroad<H: House>(house: &H, n: usize) {
    house.block_on(async {
        let round = Rc::new(Round::default());
        let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
        for _ in 0..CROWD {
            let (round, wakers) = (round.clone(), wakers.clone());
            drop(H::spawn(async move {
                let waker = own_waker().await;
                wakers.borrow_mut().push(waker);
                poll_fn(|_| {
                    round.count();
                    Poll::<()>::Pending
                })
                .await
            }));
        }
        round.wait().await;
        let wakers = wakers.take();
        for _ in 0..n / CROWD {
            thread::scope(|scope| {
                scope.spawn(|| wakers.iter().for_each(Waker::wake_by_ref));
            });
            round.wait().await;
        }
    });
}

/// Another thread wakes a task whose thread sleeps, and waits until it was polled. Says how long that took.
/// `n` times.
pub fn wakes_a_sleeper<H: House>(house: &H, n: usize) {
    let late = house.block_on(async {
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = polls.clone();
        let (send, receive) = futures::channel::oneshot::channel();
        drop(H::spawn(async move {
            // If nobody receives it, the program is at its end.
            let _ = send.send(own_waker().await);
            poll_fn(|_| {
                counted.fetch_add(1, Ordering::Release);
                Poll::<()>::Pending
            })
            .await
        }));
        let waker = receive.await.expect("the task sends it in its first poll");
        let (send, receive) = futures::channel::oneshot::channel();
        let waking = thread::spawn(move || {
            let late = (1..=n).map(|round| wake_and_wait(&waker, &polls, round)).collect();
            // If nobody receives it, the program is at its end.
            let _ = send.send(late);
        });
        let late: Vec<Duration> = receive.await.expect("the other thread measures all");
        waking.join().expect("the other thread does not panic");
        late
    });
    say_percentiles(late);
}

/// Spins, because a sleep of this thread would be a system call, too.
fn wake_and_wait(waker: &Waker, polls: &AtomicUsize, round: usize) -> Duration {
    let wait_for = |poll| {
        while polls.load(Ordering::Acquire) < poll {
            spin_loop();
        }
    };
    wait_for(round);
    let polled = Instant::now();
    while polled.elapsed() < NAP {
        spin_loop();
    }
    let began = Instant::now();
    waker.wake_by_ref();
    wait_for(round + 1);
    began.elapsed()
}
