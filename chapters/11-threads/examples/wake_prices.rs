//! Measures what a wake costs: at home with wakers that count with an `Rc` (chapter 9) and with an
//! `Arc` (this chapter), and from another thread. And what it costs to have a closure called there.
//!
//! `cargo run --release -p ch11-threads --example wake_prices`
//!
//! Each number is the lowest of ten rounds: the one that other programs have disturbed least. Takes
//! about five seconds, prints a table, writes nothing.

use std::cell::RefCell;
use std::error::Error;
use std::future::{pending, poll_fn};
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use ch03_block_on::Parker;
use ch05_executor::{Park, spawn};
use ch06_reactor::Reactor;
use ch11_threads::{Config, Executor, oneshot, spawn_blocking};
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

const ROUNDS: usize = 10;
const WAKES: u32 = 1_000_000;
const TASKS: usize = 10_000;
const ROUND_TRIPS: u32 = 2_000;
const CALLS: u32 = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let chapter9 = lowest(|| {
        let fairness = ch09_fairness::Config::default();
        Ok(ch09_fairness::Executor::new(Parker::new(), fairness).block_on(wakes_itself()))
    })?;
    let chapter11 = lowest(|| Ok(executor(Parker::new()).block_on(wakes_itself())))?;
    println!("A task wakes itself, and is polled:");
    println!("  wakers with an Rc             {:7} ns", chapter9.as_nanos());
    println!("  wakers with an Arc            {:7} ns", chapter11.as_nanos());
    println!("Another thread wakes {TASKS} tasks, one after the other, for each:");
    let abroad = lowest(|| executor(Reactor::new()?).block_on(woken_from_abroad()))?;
    println!("  one unpark for all of them    {:7} ns", abroad.as_nanos());
    println!("Another thread wakes a task whose thread sleeps, until the task runs:");
    let asleep = lowest(there_and_back)?;
    println!("  one unpark for each           {:7} ns", asleep.as_nanos());
    println!("A task has a closure called on another thread, and awaits it:");
    let new = lowest(|| executor(Reactor::new()?).block_on(in_a_task(on_a_new_thread())))?;
    println!("  on a new thread               {:7} ns", new.as_nanos());
    let idle = lowest(|| executor(Reactor::new()?).block_on(in_a_task(on_an_idle_thread())))?;
    println!("  on an idle one of the pool    {:7} ns", idle.as_nanos());
    Ok(())
}

type Measured = Result<Duration, Box<dyn Error>>;

fn lowest(mut round: impl FnMut() -> Measured) -> Measured {
    let mut lowest = Duration::MAX;
    for _ in 0..ROUNDS {
        lowest = lowest.min(round()?);
    }
    Ok(lowest)
}

fn executor(park: impl Park + 'static) -> Executor {
    Executor::new(park, Config::default())
}

// ANCHOR: home
/// A task that wakes itself in each poll.
async fn wakes_itself() -> Duration {
    let (done, is_done) = oneshot::channel();
    spawn(async move {
        let start = Instant::now();
        let mut left = WAKES;
        poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        // Whoever has asked has gone, if this fails.
        let _ = done.send(start.elapsed() / WAKES);
    });
    is_done.await.expect("the task runs to its end")
}
// ANCHOR_END: home

/// Another thread wakes many tasks, while this one waits for it and reads nothing.
async fn woken_from_abroad() -> Measured {
    let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
    for _ in 0..TASKS {
        let wakers = wakers.clone();
        spawn(async move {
            poll_fn(|cx| {
                wakers.borrow_mut().push(cx.waker().clone());
                Poll::Ready(())
            })
            .await;
            pending().await
        });
    }
    while wakers.borrow().len() < TASKS {
        ch09_fairness::yield_now().await;
    }
    let wakers = wakers.take();
    let other = thread::spawn(move || {
        let start = Instant::now();
        wakers.iter().for_each(Waker::wake_by_ref);
        start.elapsed() / TASKS as u32
    });
    other.join().map_err(|_| "the other thread has panicked".into())
}

/// Half of a round trip between tasks of two threads, each of which sleeps while the other one runs.
fn there_and_back() -> Measured {
    let (there, from_here) = unbounded();
    let (back, from_there) = unbounded();
    let other = thread::spawn(move || {
        executor(Reactor::new()?).block_on(in_a_task(echo(from_here, back)));
        io::Result::Ok(())
    });
    let took = executor(Reactor::new()?).block_on(in_a_task(ask(there, from_there)));
    other.join().map_err(|_| "the other thread has panicked")??;
    Ok(took / ROUND_TRIPS / 2)
}

/// Runs in a task of its own: the waker of a main future never took the way through the inbox.
async fn in_a_task<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
    let (done, is_done) = oneshot::channel();
    spawn(async move {
        let output = future.await;
        // Whoever has asked has gone, if this fails.
        let _ = done.send(output);
    });
    is_done.await.expect("the task runs to its end")
}

async fn echo(mut from_here: UnboundedReceiver<u32>, back: UnboundedSender<u32>) {
    while let Some(number) = from_here.next().await {
        // The other side ends first, and has what it wants.
        let _ = back.unbounded_send(number);
    }
}

async fn ask(there: UnboundedSender<u32>, mut from_there: UnboundedReceiver<u32>) -> Duration {
    let start = Instant::now();
    for number in 0..ROUND_TRIPS {
        // If the other side has gone, the next line says so.
        let _ = there.unbounded_send(number);
        assert_eq!(from_there.next().await, Some(number), "the other thread has gone");
    }
    start.elapsed()
}

async fn on_a_new_thread() -> Measured {
    let start = Instant::now();
    for _ in 0..CALLS {
        let (done, is_done) = oneshot::channel();
        let thread = thread::spawn(move || done.send(()));
        is_done.await?;
        // It has sent, and has nothing more to do.
        let _ = thread.join();
    }
    Ok(start.elapsed() / CALLS)
}

async fn on_an_idle_thread() -> Measured {
    spawn_blocking(|| ()).await?;
    let start = Instant::now();
    for _ in 0..CALLS {
        spawn_blocking(|| ()).await?;
    }
    Ok(start.elapsed() / CALLS)
}
