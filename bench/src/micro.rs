//! The rows that need one process alone: the same code for all runtimes.

use std::future::poll_fn;
use std::hint;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::mpsc;
use futures::task::AtomicWaker;
use futures::{SinkExt, StreamExt};

use crate::cpu;
use crate::rows::{Metric, Row};
use crate::runtimes::Runtime;
use crate::stats::quantile;

/// How many tasks yield, and wait under a timeout.
const TASKS: u64 = 1_000;
/// How many tasks are spawned before the first of them is waited for.
const MANY: u64 = 10_000;
/// How many tasks sleep, and how many are woken in a storm.
const CROWD: u64 = 100;
/// A timeout that never fires.
const NEVER: Duration = Duration::from_secs(60);
/// After so long, a runtime has gone to sleep.
const ASLEEP: Duration = Duration::from_micros(50);
/// After so long, a wake is lost.
const LOST: Duration = Duration::from_secs(10);

/// Makes a runtime, warms it up, and does `operations` of a row on it. Returns what was measured.
pub fn run<R: Runtime>(row: Row, operations: u64) -> io::Result<Vec<(Metric, f64)>> {
    R::block_on(async |runtime: R| match row {
        Row::SpawnJoin => {
            per_operation(operations, 10_000, async |n| spawn_join(runtime, n).await).await
        }
        Row::SpawnMany => {
            per_operation(operations, MANY, async |n| spawn_many(runtime, n).await).await
        }
        Row::Yield => {
            per_operation(operations, 10 * TASKS, async |n| yields(runtime, n).await).await
        }
        Row::PingPong => {
            per_operation(operations, 10_000, async |n| ping_pong(runtime, n).await).await
        }
        Row::Timeout => {
            per_operation(operations, 10 * TASKS, async |n| timeouts(runtime, n).await).await
        }
        Row::Sleep => {
            sleeps(runtime, CROWD).await;
            let mut late = sleeps(runtime, operations).await;
            late.sort_unstable_by(f64::total_cmp);
            vec![(Metric::LateP50, quantile(&late, 0.5)), (Metric::LateP99, quantile(&late, 0.99))]
        }
        Row::Wake => {
            wakes(runtime, 1, 50).await;
            vec![(Metric::Nanos, wakes(runtime, 1, operations).await)]
        }
        Row::WakeStorm => {
            wakes(runtime, CROWD, 10).await;
            let each = wakes(runtime, CROWD, operations / CROWD).await / CROWD as f64;
            vec![(Metric::Nanos, each)]
        }
        Row::Echo(_) => unreachable!("an echo server has a client"),
    })
}

/// The number of operations for warming up is always the same. So it drops out when two runs are subtracted
/// from one another.
async fn per_operation(
    operations: u64,
    warm_up: u64,
    run: impl AsyncFn(u64),
) -> Vec<(Metric, f64)> {
    run(warm_up).await;
    let begin = Instant::now();
    run(operations).await;
    vec![(Metric::Nanos, begin.elapsed().as_nanos() as f64 / operations as f64)]
}

async fn spawn_join<R: Runtime>(runtime: R, operations: u64) {
    let mut sum = 0;
    for number in 0..operations {
        sum += runtime.spawn(async move { number }).await;
    }
    assert_eq!(sum, sum_below(operations), "each task has its own output");
}

async fn spawn_many<R: Runtime>(runtime: R, operations: u64) {
    let mut done = 0;
    while done < operations {
        let many = MANY.min(operations - done);
        let tasks: Vec<_> = (0..many).map(|number| runtime.spawn(async move { number })).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await;
        }
        assert_eq!(sum, sum_below(many), "each task has its own output");
        done += many;
    }
}

async fn yields<R: Runtime>(runtime: R, operations: u64) {
    in_tasks(runtime, operations, async move |each| {
        for _ in 0..each {
            runtime.yield_now().await;
        }
    })
    .await;
}

async fn timeouts<R: Runtime>(runtime: R, operations: u64) {
    in_tasks(runtime, operations, async move |each| {
        for _ in 0..each {
            let in_time = runtime.timeout(NEVER, runtime.yield_now()).await;
            assert!(in_time, "the timeout was not over");
        }
    })
    .await;
}

/// Runs `body` in a thousand tasks. It gets the number of operations that each of them has to do.
async fn in_tasks<R, B>(runtime: R, operations: u64, body: B)
where
    R: Runtime,
    B: AsyncFn(u64) + Clone + 'static,
{
    let each = operations / TASKS;
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let body = body.clone();
            runtime.spawn(async move { body(each).await })
        })
        .collect();
    for task in tasks {
        task.await;
    }
}

async fn ping_pong<R: Runtime>(runtime: R, operations: u64) {
    let (mut to_other, mut from_us) = mpsc::channel::<u64>(1);
    let (mut to_us, mut from_other) = mpsc::channel::<u64>(1);
    let other = runtime.spawn(async move {
        while let Some(number) = from_us.next().await {
            to_us.send(number).await.expect("we are still there");
        }
    });
    for number in 0..operations {
        to_other.send(number).await.expect("the other is still there");
        assert_eq!(from_other.next().await, Some(number));
    }
    drop(to_other);
    other.await;
}

/// Returns by how many microseconds each sleep was late.
async fn sleeps<R: Runtime>(runtime: R, operations: u64) -> Vec<f64> {
    let each = operations / CROWD;
    let tasks: Vec<_> = (0..CROWD)
        .map(|task| {
            runtime.spawn(async move {
                // By xorshift: other times in each task, and the same in each run.
                let mut random = 0x9e37_79b9_7f4a_7c15 ^ (task + 1);
                let mut late = Vec::with_capacity(each as usize);
                for _ in 0..each {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    let duration = Duration::from_nanos(1_000_000 + random % 4_000_000);
                    let begin = Instant::now();
                    runtime.sleep(duration).await;
                    let slept = begin.elapsed();
                    assert!(slept >= duration, "a sleep of {duration:?} ended after {slept:?}");
                    late.push((slept - duration).as_nanos() as f64 / 1000.0);
                }
                late
            })
        })
        .collect();
    let mut all = Vec::with_capacity(operations as usize);
    for task in tasks {
        all.extend(task.await);
    }
    all
}

/// What a thread and a task tell each other.
#[derive(Default)]
struct Bell {
    rung: AtomicU64,
    waker: AtomicWaker,
}

impl Bell {
    /// Waits until it was rung so many times.
    async fn rung(&self, times: u64) {
        poll_fn(|cx| {
            self.waker.register(cx.waker());
            match self.rung.load(Ordering::Acquire) >= times {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    fn ring(&self) {
        self.rung.fetch_add(1, Ordering::Release);
        self.waker.wake();
    }
}

/// Another thread wakes `crowd` tasks, waits until all have answered, and lets the runtime go to sleep again,
/// `times` over. Returns the median of the nanoseconds from the first wake to the last answer.
async fn wakes<R: Runtime>(runtime: R, crowd: u64, times: u64) -> f64 {
    let bells: Arc<Vec<Bell>> = Arc::new((0..crowd).map(|_| Bell::default()).collect());
    let answers = Arc::new(AtomicU64::new(0));
    let waker = thread::spawn({
        let (bells, answers) = (bells.clone(), answers.clone());
        move || {
            cpu::pin(1);
            ring_all(&bells, &answers, times)
        }
    });
    let tasks: Vec<_> = (0..crowd as usize)
        .map(|task| {
            let (bells, answers) = (bells.clone(), answers.clone());
            runtime.spawn(async move {
                for time in 1..=times {
                    bells[task].rung(time).await;
                    answers.fetch_add(1, Ordering::Release);
                }
            })
        })
        .collect();
    for task in tasks {
        pin!(task).await;
    }
    let mut took = waker.join().expect("no wake was lost");
    took.sort_unstable_by(f64::total_cmp);
    quantile(&took, 0.5)
}

fn ring_all(bells: &[Bell], answers: &AtomicU64, times: u64) -> Vec<f64> {
    let mut took = Vec::with_capacity(times as usize);
    for time in 1..=times {
        // Awake itself, because the sleep of this thread is not what is measured.
        let begin = Instant::now();
        while begin.elapsed() < ASLEEP {
            hint::spin_loop();
        }
        let begin = Instant::now();
        bells.iter().for_each(Bell::ring);
        while answers.load(Ordering::Acquire) < time * bells.len() as u64 {
            hint::spin_loop();
            assert!(begin.elapsed() < LOST, "a wake was lost");
        }
        took.push(begin.elapsed().as_nanos() as f64);
    }
    took
}

fn sum_below(number: u64) -> u64 {
    number * (number - 1) / 2
}
