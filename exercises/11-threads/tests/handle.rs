//! A handle reaches an executor from any thread, and tells what became of it.

mod common;

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, ThreadId};

use ch05_executor::spawn;
use ch09_fairness::yield_now;
use ch11_threads::{Handle, RemoteHandle, oneshot, spawn_blocking};
use common::{abroad, all_is_well, executor, executor_with};
use conformance::{Probe, panic_text, watch};
use futures::future::join_all;

const OUTSIDE: &str =
    "this was called outside of block_on: no executor of chapter 11 runs on this thread";
const BLOCKED: &str =
    "this thread runs an executor, which would be blocked: await the handle instead";

fn this_thread() -> ThreadId {
    thread::current().id()
}

fn wait<T>(told: &Receiver<T>) -> T {
    told.recv().expect("the other side is there")
}

/// An executor on a thread of its own, until this is dropped.
struct Elsewhere {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Elsewhere {
    fn start() -> Elsewhere {
        let (give, given) = channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let executor = executor();
            give.send(executor.handle()).expect("the test waits");
            executor.block_on(stopped).expect("the test stops it");
        });
        Elsewhere { handle: wait(&given), stop: Some(stop), thread: Some(thread) }
    }

    fn thread(&self) -> ThreadId {
        self.thread.as_ref().expect("it runs").thread().id()
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let stopped = self.stop.take().expect("it is dropped once").send(());
        let joined = self.thread.take().expect("it is dropped once").join();
        if !thread::panicking() {
            assert!(stopped.is_ok() && joined.is_ok(), "the executor has panicked");
        }
    }
}

#[test]
fn a_task_is_started_from_another_thread_and_its_future_may_be_of_any_kind() {
    watch(|| {
        let elsewhere = Elsewhere::start();
        let handle = elsewhere.handle.spawn(|| {
            // Made there, and never sent.
            let local = Rc::new(Cell::new(0));
            async move {
                for _ in 0..3 {
                    yield_now().await;
                    local.set(local.get() + 1);
                }
                (local.get(), this_thread())
            }
        });
        assert_eq!(handle.join().unwrap(), (3, elsewhere.thread()));
    });
}

#[test]
fn a_handle_can_be_awaited_by_a_task_of_another_executor() {
    watch(|| {
        let elsewhere = Elsewhere::start();
        executor().block_on(async {
            let theirs = elsewhere.handle.spawn(async || this_thread()).await.unwrap();
            assert_eq!(theirs, elsewhere.thread());
        });
        all_is_well();
    });
}

#[test]
fn a_task_that_is_started_this_way_may_start_others_and_reach_its_executor() {
    watch(|| {
        let elsewhere = Elsewhere::start();
        let sum = elsewhere.handle.block_on(async || {
            let (tell, told) = oneshot::channel();
            spawn(async move { tell.send(1).expect("the task waits") });
            let again = Handle::current().spawn(async || 2);
            told.await.unwrap() + again.await.unwrap() + spawn_blocking(|| 4).await.unwrap()
        });
        assert_eq!(sum.unwrap(), 7);
    });
}

#[test]
fn tasks_start_in_the_order_of_the_calls() {
    watch(|| {
        let log = Arc::new(Mutex::new(Vec::new()));
        let executor = executor();
        let handle = executor.handle();
        let tasks: Vec<_> = (0..100)
            .map(|number| {
                let log = log.clone();
                handle.spawn(async move || log.lock().unwrap().push(number))
            })
            .collect();
        executor.block_on(async {
            assert!(log.lock().unwrap().is_empty(), "the main future has not waited yet");
            join_all(tasks).await;
        });
        assert_eq!(*log.lock().unwrap(), (0..100).collect::<Vec<_>>());
        drop(executor);
        all_is_well();
    });
}

#[test]
fn nothing_starts_outside_of_block_on() {
    watch(|| {
        let executor = executor();
        let (tell, told) = channel();
        let handle = executor.handle();
        let remote = abroad(|| handle.spawn(async move || tell.send(7).expect("the test waits")));
        assert!(told.try_recv().is_err());
        executor.block_on(remote).unwrap();
        assert_eq!(told.recv(), Ok(7));
    });
}

#[test]
fn a_panic_in_the_future_comes_to_who_waits_and_harms_nobody() {
    watch(|| {
        let elsewhere = Elsewhere::start();
        let error = elsewhere.handle.block_on(async || -> u32 {
            yield_now().await;
            panic!("as it should")
        });
        assert_eq!(error.unwrap_err().panic_text(), Some("as it should"));
        assert_eq!(elsewhere.handle.block_on(async || 7).unwrap(), 7);
    });
}

#[test]
fn a_panic_where_the_future_is_made_comes_to_who_waits() {
    watch(|| {
        let elsewhere = Elsewhere::start();
        let make = || -> std::future::Ready<u32> { panic!("no future today") };
        let error = elsewhere.handle.block_on(make).unwrap_err();
        assert_eq!(error.panic_text(), Some("no future today"));
        assert_eq!(elsewhere.handle.block_on(async || 7).unwrap(), 7);
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
        let elsewhere = Elsewhere::start();
        let (tell, told) = oneshot::channel::<()>();
        let unwanted = elsewhere.handle.spawn(async move || {
            told.await.expect("the test sends");
            Bomb
        });
        drop(unwanted);
        tell.send(()).expect("the task waits");
        assert_eq!(elsewhere.handle.block_on(async || 7).unwrap(), 7);
    });
}

#[test]
fn a_future_that_panics_while_its_executor_drops_it_was_cancelled_and_so_were_the_others() {
    watch(|| {
        let executor = executor();
        let handle = executor.handle();
        let explodes = handle.spawn(async || {
            let _bomb = Bomb;
            pending::<()>().await;
        });
        let held = Arc::new(());
        let inside = held.clone();
        let other = handle.spawn(async move || {
            let _inside = inside;
            Probe::default().await;
        });
        executor.block_on(yield_now());
        drop(executor);
        assert!(explodes.join().unwrap_err().is_cancelled());
        assert!(other.join().unwrap_err().is_cancelled());
        assert_eq!(Arc::strong_count(&held), 1);
    });
}

#[test]
fn a_task_goes_on_when_its_handle_is_dropped() {
    watch(|| {
        let elsewhere = Elsewhere::start();
        let (tell, told) = channel();
        drop(elsewhere.handle.spawn(async move || {
            yield_now().await;
            tell.send(7).expect("the test waits");
        }));
        assert_eq!(wait(&told), 7);
    });
}

/// Starts a task that never ends. Says when it runs.
fn never_ends(handle: &Handle, runs: Sender<()>) -> RemoteHandle<()> {
    handle.spawn(async move || {
        runs.send(()).expect("the test waits");
        Probe::default().await;
    })
}

#[test]
fn a_task_that_had_not_started_when_its_executor_went_was_cancelled() {
    watch(|| {
        let executor = executor();
        let (runs, running) = channel();
        let task = never_ends(&executor.handle(), runs);
        drop(executor);
        assert!(task.join().unwrap_err().is_cancelled());
        assert!(running.recv().is_err(), "what the closure held was dropped");
    });
}

#[test]
fn a_task_that_was_running_when_its_executor_went_was_cancelled() {
    watch(|| {
        let executor = executor();
        let (runs, running) = channel();
        let task = never_ends(&executor.handle(), runs);
        executor.block_on(yield_now());
        wait(&running);
        let waits = thread::spawn(|| task.join());
        drop(executor);
        assert!(waits.join().expect("it does not panic").unwrap_err().is_cancelled());
        all_is_well();
    });
}

#[test]
fn a_task_for_an_executor_that_is_gone_is_cancelled() {
    watch(|| {
        let handle = executor().handle();
        let held = Arc::new(());
        let inside = held.clone();
        let task = handle.spawn(async move || drop(inside));
        assert!(task.join().unwrap_err().is_cancelled());
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(handle.block_on(async || ()).unwrap_err().is_cancelled());
    });
}

#[test]
fn what_is_dropped_unread_with_the_inbox_may_use_the_handle() {
    struct Asks(Handle);

    impl Drop for Asks {
        fn drop(&mut self) {
            assert!(self.0.block_on(async || ()).unwrap_err().is_cancelled());
        }
    }

    watch(|| {
        let executor = executor();
        let asks = Asks(executor.handle());
        let task = executor.handle().spawn(async move || drop(asks));
        drop(executor);
        assert!(task.join().unwrap_err().is_cancelled());
    });
}

#[test]
fn block_on_works_from_a_plain_thread() {
    let calls = if cfg!(miri) { 5 } else { 100 };
    watch(move || {
        let elsewhere = Elsewhere::start();
        let handles = [(); 4].map(|()| elsewhere.handle.clone());
        let threads = handles.map(|handle| {
            thread::spawn(move || {
                for number in 0..calls {
                    let echoed = handle.block_on(async move || {
                        yield_now().await;
                        number
                    });
                    assert_eq!(echoed.unwrap(), number);
                }
            })
        });
        threads.into_iter().for_each(|thread| thread.join().expect("all were answered"));
    });
}

#[test]
fn block_on_works_from_a_thread_of_the_pool_whose_work_is_awaited() {
    watch(|| {
        let executor = executor_with(1);
        let home = this_thread();
        executor.block_on(async {
            let handle = Handle::current();
            let work = spawn_blocking(move || handle.block_on(async || this_thread()).unwrap());
            assert_eq!(work.await.unwrap(), home);
        });
        drop(executor);
        all_is_well();
    });
}

#[test]
fn block_on_and_join_panic_on_a_thread_that_runs_an_executor() {
    watch(|| {
        let elsewhere = Elsewhere::start();
        let (theirs, task) = (elsewhere.handle.clone(), elsewhere.handle.spawn(async || ()));
        executor().block_on(async move {
            // Its own one, which would wait for itself.
            let own = Handle::current();
            assert_eq!(panic_text(|| _ = own.block_on(async || ())), BLOCKED);
            // Another one, which would answer. But all tasks of this one would wait.
            assert_eq!(panic_text(|| _ = theirs.block_on(async || ())), BLOCKED);
            assert_eq!(panic_text(|| _ = task.join()), BLOCKED);
        });
        // So does an executor of another chapter.
        let older = ch05_executor::Executor::new(ch03_block_on::Parker::new());
        older.block_on(async {
            let task = elsewhere.handle.spawn(async || ());
            assert_eq!(panic_text(|| _ = task.join()), BLOCKED);
        });
    });
}

#[test]
fn the_current_handle_is_that_of_the_executor_that_runs_here() {
    watch(|| {
        assert_eq!(panic_text(|| drop(Handle::current())), OUTSIDE);
        let executor = executor();
        let handle = executor.block_on(async { Handle::current() });
        assert_eq!(panic_text(|| drop(Handle::current())), OUTSIDE);
        let task = handle.spawn(async || this_thread());
        assert_eq!(executor.block_on(task).unwrap(), this_thread());
        // An executor of another chapter is none to be reached.
        let older = ch05_executor::Executor::new(ch03_block_on::Parker::new());
        older.block_on(async { assert_eq!(panic_text(|| drop(Handle::current())), OUTSIDE) });
    });
}

#[test]
fn an_executor_that_goes_while_its_pool_waits_for_a_task_does_not_hang() {
    watch(|| {
        let executor = executor_with(2);
        let (begins, begun) = channel();
        let (blocked, asked) = executor.block_on(async {
            let (never, answer) = oneshot::channel::<()>();
            spawn(async move {
                // Waits until its receiver goes, and that is never.
                let mut never = never;
                never.closed().await;
            });
            let (begins_too, handle) = (begins.clone(), Handle::current());
            // One waits for a task that is there, the other one for one that it starts.
            let blocked = spawn_blocking(move || {
                begins.send(()).expect("the test waits");
                ch03_block_on::block_on(answer)
            });
            let asked = spawn_blocking(move || {
                begins_too.send(()).expect("the test waits");
                handle.block_on(async || Probe::default().await)
            });
            (blocked, asked)
        });
        wait(&begun);
        wait(&begun);
        drop(executor);
        assert_eq!(blocked.join().unwrap(), Err(oneshot::Canceled));
        assert!(asked.join().unwrap().unwrap_err().is_cancelled());
        all_is_well();
    });
}

#[test]
fn a_future_that_waits_in_its_drop_for_a_thread_that_asks_the_executor_does_not_hang() {
    struct Joins(Option<JoinHandle<()>>);

    impl Drop for Joins {
        fn drop(&mut self) {
            let asks = self.0.take().expect("it is dropped once");
            if !thread::panicking() {
                asks.join().expect("it does not panic");
            }
        }
    }

    watch(|| {
        let executor = executor();
        let (tell, told) = channel::<()>();
        executor.block_on(async {
            let handle = Handle::current();
            let asks = thread::spawn(move || {
                // Asks when nobody runs the executor any more.
                wait(&told);
                assert!(handle.block_on(async || ()).unwrap_err().is_cancelled());
            });
            let joins = Joins(Some(asks));
            spawn(async move {
                let _joins = joins;
                Probe::default().await;
            });
            yield_now().await;
        });
        tell.send(()).expect("the thread waits");
        drop(executor);
        all_is_well();
    });
}
