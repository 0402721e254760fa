//! The pool for work that blocks: how it grows and shrinks, what becomes of the work, and how it ends.

mod common;

use std::collections::HashSet;
use std::hint;
use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use ch11_threads::{Pool, PoolConfig, RemoteHandle, spawn_blocking};
use common::{all_is_well, executor_with, runtime};
use conformance::{panic_text, watch};
use futures::FutureExt;
use futures::future::join_all;

fn pool(max_threads: usize) -> Pool {
    Pool::new(PoolConfig { max_threads, ..PoolConfig::default() })
}

/// A pool whose threads go as soon as they find no work.
fn restless(max_threads: usize) -> Pool {
    Pool::new(PoolConfig { max_threads, keep_alive: Duration::ZERO, ..PoolConfig::default() })
}

fn this_thread() -> ThreadId {
    thread::current().id()
}

/// Work that has begun, and goes on until it is told to end.
struct Held {
    handle: RemoteHandle<ThreadId>,
    end: Sender<()>,
}

impl Held {
    /// Waits until the work has begun.
    fn on(pool: &Pool) -> Held {
        let (end, told) = channel();
        let (begins, begun) = channel();
        let handle = pool.spawn(move || {
            begins.send(()).expect("the test waits");
            wait(&told);
            this_thread()
        });
        wait(&begun);
        Held { handle, end }
    }

    /// Lets it end, and says on which thread it was.
    fn end(self) -> ThreadId {
        self.end.send(()).expect("the work waits");
        self.handle.join().expect("the work does not panic")
    }
}

fn wait(told: &Receiver<()>) {
    told.recv().expect("the other side is there");
}

/// Waits until the pool has so many threads.
fn until_there_are(threads: usize, pool: &Pool) {
    while pool.threads() != threads {
        thread::yield_now();
    }
}

#[test]
fn work_runs_on_a_thread_of_the_pool_and_gives_its_output() {
    watch(|| {
        let config = PoolConfig { thread_name: "stacker".to_owned(), ..PoolConfig::default() };
        let pool = Pool::new(config);
        assert_eq!(pool.threads(), 0, "nobody has asked for anything");
        let work = || (this_thread(), thread::current().name().map(str::to_owned));
        let (id, name) = pool.spawn(work).join().unwrap();
        assert_ne!(id, this_thread());
        assert_eq!(name.as_deref(), Some("stacker"));
        assert_eq!((pool.threads(), pool.queued()), (1, 0));
    });
}

#[test]
fn the_pool_grows_when_nobody_is_idle() {
    watch(|| {
        let pool = pool(512);
        // Each waits for all others, so each has a thread of its own.
        let together = Arc::new(Barrier::new(5));
        let work = || {
            let together = together.clone();
            pool.spawn(move || together.wait().is_leader())
        };
        let handles: Vec<_> = (0..5).map(|_| work()).collect();
        let leaders = handles.into_iter().filter_map(|handle| handle.join().unwrap().then_some(()));
        assert_eq!(leaders.count(), 1);
        assert_eq!(pool.threads(), 5);
    });
}

#[test]
fn a_thread_that_has_become_idle_is_used_again() {
    watch(|| {
        let pool = pool(usize::MAX);
        // A thread is idle a little after its output is there. Sooner or later one is in time.
        loop {
            let before = pool.threads();
            pool.spawn(|| ()).join().unwrap();
            if pool.threads() == before {
                break;
            }
            assert!(before < 200, "no thread is ever used again");
            thread::yield_now();
        }
    });
}

#[test]
fn at_its_bound_the_pool_queues_and_works_in_the_order_of_the_calls() {
    watch(|| {
        let pool = pool(1);
        let held = Held::on(&pool);
        let log = Arc::new(Mutex::new(Vec::new()));
        let handles: Vec<_> = (0..100)
            .map(|number| {
                let log = log.clone();
                pool.spawn(move || log.lock().unwrap().push(number))
            })
            .collect();
        assert_eq!((pool.threads(), pool.queued()), (1, 100));
        assert!(log.lock().unwrap().is_empty());
        held.end();
        handles.into_iter().for_each(|handle| handle.join().unwrap());
        assert_eq!(*log.lock().unwrap(), (0..100).collect::<Vec<_>>());
        assert_eq!((pool.threads(), pool.queued()), (1, 0));
    });
}

#[test]
fn no_more_work_runs_at_once_than_the_bound_says() {
    watch(|| {
        let pool = pool(3);
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = || {
            let (running, most) = (running.clone(), most.clone());
            pool.spawn(move || {
                most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                thread::yield_now();
                running.fetch_sub(1, SeqCst);
            })
        };
        let handles: Vec<_> = (0..300).map(|_| work()).collect();
        handles.into_iter().for_each(|handle| handle.join().unwrap());
        let most = most.load(SeqCst);
        assert!(most <= 3, "{most} at once");
    });
}

#[test]
fn an_idle_thread_is_not_counted_twice() {
    let rounds = if cfg!(miri) { 10 } else { 300 };
    watch(move || {
        for _ in 0..rounds {
            let pool = pool(2);
            pool.spawn(|| ()).join().unwrap();
            // In most rounds, the only thread is idle by now.
            (0..5).for_each(|_| thread::yield_now());
            // Each of the two waits for the other one. One idle thread is not enough for both.
            let together = Arc::new(Barrier::new(2));
            let work = || {
                let together = together.clone();
                pool.spawn(move || _ = together.wait())
            };
            [work(), work()].into_iter().for_each(|handle| handle.join().unwrap());
            assert_eq!(pool.threads(), 2);
        }
    });
}

#[test]
fn idle_threads_go_and_come_back() {
    watch(|| {
        let pool = restless(512);
        for _ in 0..3 {
            let held = [(); 3].map(|()| Held::on(&pool));
            assert_eq!(pool.threads(), 3);
            held.into_iter().for_each(|held| _ = held.end());
            until_there_are(0, &pool);
        }
    });
}

#[test]
fn a_thread_stays_as_long_as_it_is_kept_alive() {
    watch(|| {
        let pool = pool(1);
        let first = Held::on(&pool).end();
        for _ in 0..100 {
            // With a bound of one thread, there is no other one that could do it.
            assert_eq!(Held::on(&pool).end(), first);
        }
        assert_eq!(pool.threads(), 1);
    });
}

// ANCHOR: last_moment
#[test]
fn work_that_comes_at_the_last_moment_of_a_thread_is_done() {
    let rounds = if cfg!(miri) { 50 } else { 5_000 };
    watch(move || {
        let (pool, began) = (restless(1), Instant::now());
        for round in 0..rounds {
            let mut handle = pool.spawn(|| ());
            // Without a sleep, or the next work would come long after this one.
            while (&mut handle).now_or_never().is_none() {
                thread::yield_now();
            }
            // A little later from round to round, to meet each step of a thread that is about to go.
            let (over, later) = (Instant::now(), Duration::from_micros(round % 150));
            while over.elapsed() < later {
                hint::spin_loop();
            }
            // On a machine that is busy with something else, fewer rounds have to do.
            if began.elapsed() > Duration::from_secs(1) {
                break;
            }
        }
    });
}
// ANCHOR_END: last_moment

#[test]
fn a_panic_comes_to_who_waits_and_the_thread_goes_on() {
    #[derive(Debug, PartialEq)]
    struct Custom(u32);

    watch(|| {
        let pool = pool(1);
        let home = pool.spawn(this_thread).join().unwrap();
        let error = pool.spawn(|| panic!("as it should")).join().unwrap_err();
        assert_eq!(error.panic_text(), Some("as it should"));
        let error = pool.spawn(|| panic_any(Custom(7))).join().unwrap_err();
        let payload = error.try_into_panic().expect("it is a panic");
        assert_eq!(payload.downcast_ref(), Some(&Custom(7)));
        assert_eq!(pool.spawn(this_thread).join().unwrap(), home);
        assert_eq!(pool.threads(), 1);
    });
}

/// Panics when it is dropped.
#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("as it should");
    }
}

#[test]
fn an_output_that_nobody_wants_and_that_panics_on_its_way_out_harms_nobody() {
    watch(|| {
        let pool = pool(1);
        let home = pool.spawn(this_thread).join().unwrap();
        let held = Held::on(&pool);
        drop(pool.spawn(|| Bomb));
        held.end();
        assert_eq!(pool.spawn(this_thread).join().unwrap(), home);
    });
}

#[test]
fn work_goes_on_when_its_handle_is_dropped() {
    watch(|| {
        let pool = pool(1);
        let held = Held::on(&pool);
        let (tell, told) = channel();
        drop(pool.spawn(move || tell.send(7).expect("the test waits")));
        held.end();
        assert_eq!(told.recv(), Ok(7));
    });
}

#[test]
fn what_the_work_holds_is_dropped_before_its_output_is_there() {
    watch(|| {
        let pool = pool(1);
        let held = Arc::new(());
        for _ in 0..100 {
            let inside = held.clone();
            pool.spawn(move || _ = &inside).join().unwrap();
            assert_eq!(Arc::strong_count(&held), 1);
        }
    });
}

// ANCHOR: dropped
#[test]
fn a_pool_that_is_dropped_cancels_what_was_not_begun_and_waits_for_what_was() {
    watch(|| {
        let pool = pool(1);
        let held = Held::on(&pool);
        let dropped = Arc::new(());
        let inside = dropped.clone();
        let never = pool.spawn(move || drop(inside));
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let drops = scope.spawn(|| {
                drop(pool);
                assert!(is_over.load(SeqCst), "the pool is gone, and its work runs");
            });
            // It has been dropped as far as that.
            assert!(never.join().unwrap_err().is_cancelled());
            is_over.store(true, SeqCst);
            held.end();
            drops.join().expect("the work was waited for");
        });
        assert_eq!(Arc::strong_count(&dropped), 1, "what was not begun was dropped");
    });
}
// ANCHOR_END: dropped

#[test]
fn a_pool_that_is_dropped_sends_its_idle_threads_home_at_once() {
    watch(|| {
        // Idle for an hour, if nobody told them.
        let keep_alive = Duration::from_secs(3600);
        let pool = Pool::new(PoolConfig { keep_alive, ..PoolConfig::default() });
        let held = [(); 3].map(|()| Held::on(&pool));
        held.into_iter().for_each(|held| _ = held.end());
        assert_eq!(pool.threads(), 3);
        drop(pool);
    });
}

#[test]
fn a_pool_that_is_dropped_by_its_own_work_does_not_wait_for_itself() {
    watch(|| {
        let (tell, told) = channel::<()>();
        let shared = Arc::new(pool(1));
        let own = shared.clone();
        let last = shared.spawn(move || {
            wait(&told);
            // The last one: this drops the pool.
            drop(own);
            7
        });
        let never = shared.spawn(|| ());
        drop(shared);
        tell.send(()).expect("the work waits");
        assert_eq!(last.join().unwrap(), 7);
        assert!(never.join().unwrap_err().is_cancelled());
    });
}

#[test]
fn work_may_give_more_work_to_its_pool() {
    watch(|| {
        let pool = Arc::new(pool(2));
        let inner = pool.clone();
        let work = pool.spawn(move || inner.spawn(|| 7).join().unwrap());
        assert_eq!(work.join().unwrap(), 7);
    });
}

#[test]
fn a_pool_without_threads_is_refused() {
    watch(|| {
        let text = panic_text(|| drop(pool(0)));
        assert_eq!(text, "a pool of no threads never does anything");
    });
}

#[test]
fn a_name_that_no_thread_can_have_is_refused() {
    watch(|| {
        let config = PoolConfig { thread_name: "two\0parts".to_owned(), ..PoolConfig::default() };
        let text = panic_text(|| drop(Pool::new(config)));
        assert_eq!(text, "a thread's name has no zero byte in it");
    });
}

#[test]
fn spawn_blocking_outside_of_block_on_panics_with_a_sentence() {
    watch(|| {
        let text = panic_text(|| drop(spawn_blocking(|| ())));
        assert!(text.starts_with("this was called outside of block_on"), "{text}");
        // A thread of the pool runs no executor.
        let error = pool(1).spawn(|| drop(spawn_blocking(|| ()))).join().unwrap_err();
        assert_eq!(error.panic_text(), Some(&*text));
    });
}

#[test]
fn who_awaits_what_blocks_is_woken_and_the_others_go_on_meanwhile() {
    watch(|| {
        let executor = executor_with(1);
        executor.block_on(async {
            let (tell, told) = channel();
            // It waits for the task, which waits for the same thread.
            let blocks = spawn_blocking(move || wait(&told));
            let task = ch10_join_cancel::spawn(async move {
                ch09_fairness::yield_now().await;
                tell.send(()).expect("the work waits");
                spawn_blocking(|| 7).await
            });
            blocks.await.unwrap();
            // After this, the only thread has done with the task's work.
            spawn_blocking(|| ()).await.unwrap();
            ch09_fairness::yield_now().await;
            ch09_fairness::yield_now().await;
            assert!(task.is_finished(), "nobody has woken the task");
            assert_eq!(task.await.unwrap().unwrap(), 7);
        });
        drop(executor);
        all_is_well();
    });
}

#[test]
#[cfg_attr(miri, ignore = "takes Miri too long")]
fn a_thousand_calls_at_once_on_four_threads_all_come_to_their_end() {
    watch(|| {
        let runtime = runtime(4);
        let (outputs, threads) = runtime.block_on(async {
            let seen = Arc::new(Mutex::new(HashSet::new()));
            let works = (0..1_000).map(|number| {
                let seen = seen.clone();
                spawn_blocking(move || {
                    seen.lock().unwrap().insert(this_thread());
                    thread::yield_now();
                    number
                })
            });
            let outputs = join_all(works.collect::<Vec<_>>()).await;
            let threads = seen.lock().unwrap().len();
            (outputs, threads)
        });
        let outputs: Vec<i32> = outputs.into_iter().map(Result::unwrap).collect();
        assert_eq!(outputs, (0..1_000).collect::<Vec<_>>());
        assert!((1..=4).contains(&threads), "{threads} threads");
        assert!(runtime.pool().threads() <= 4);
        drop(runtime);
        all_is_well();
    });
}

#[test]
fn what_was_queued_when_the_executor_goes_is_cancelled() {
    watch(|| {
        let executor = executor_with(1);
        let Held { handle, end } = Held::on(executor.pool());
        let never = executor.pool().spawn(|| ());
        let waits = thread::spawn(move || {
            assert!(never.join().unwrap_err().is_cancelled());
            end.send(()).expect("the work waits");
        });
        // Waits for the work that has begun, which ends when the other one was cancelled.
        drop(executor);
        waits.join().expect("it was cancelled");
        handle.join().expect("it has ended");
    });
}
