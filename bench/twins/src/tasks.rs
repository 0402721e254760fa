use std::future::poll_fn;
use std::hint::black_box;
use std::task::{Poll, Waker};

use crate::house::House;

/// How many tasks there are, where there are many.
pub const CROWD: usize = 1000;

/// The waker of the task that calls this.
pub async fn own_waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

/// Runs a future as a task, and waits for it. A main future has a waker of another kind.
pub fn in_a_task<H: House, T: 'static>(house: &H, future: impl Future<Output = T> + 'static) -> T {
    house.block_on(async { H::spawn(future).await })
}

/// Wakes itself, so that it is polled again after all others that are queued.
async fn wakes_itself(times: usize) {
    for _ in 0..times {
        let mut woken = false;
        poll_fn(|cx| {
            if woken {
                return Poll::Ready(());
            }
            woken = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

/// A crowd of tasks, each of which wakes itself in each poll: `n` wakes and polls.
pub fn yields<H: House>(house: &H, n: usize) {
    house.block_on(async {
        let tasks: Vec<_> = (0..CROWD).map(|_| H::spawn(wakes_itself(n / CROWD))).collect();
        for task in tasks {
            task.await;
        }
    });
}

/// One task that yields, in the way of its runtime, where nobody else has anything to do.
pub fn yields_alone<H: House>(house: &H, n: usize) {
    in_a_task(house, async move {
        for _ in 0..n {
            H::yield_now().await;
        }
    });
}

/// A task that clones its waker, and drops it.
pub fn clones_its_waker<H: House>(house: &H, n: usize) {
    in_a_task(house, async move {
        let waker = own_waker().await;
        for _ in 0..n {
            drop(black_box(waker.clone()));
        }
    });
}

/// A task that wakes itself again, when it is woken already.
pub fn wakes_again<H: House>(house: &H, n: usize) {
    in_a_task(house, async move {
        let waker = own_waker().await;
        for _ in 0..n {
            black_box(&waker).wake_by_ref();
        }
    });
}

/// Tasks with an output, one after the other.
pub fn spawns_and_joins<H: House>(house: &H, n: usize) {
    house.block_on(async {
        for number in 0..n {
            assert_eq!(H::spawn(async move { black_box(number) }).await, number);
        }
    });
}
