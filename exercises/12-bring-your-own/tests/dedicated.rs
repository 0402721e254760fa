//! Threads of their own for work that computes, and the jobs on them.

mod common;

use std::future::pending;
use std::io::{Read, Write};
use std::net;
use std::sync::{Arc, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use ch07_tcp::servers::echo;
use ch08_timers::sleep;
use ch10_join_cancel::JoinError;
use ch11_threads::oneshot;
use ch12_bring_your_own::{DedicatedExecutor, Executor, Job};
use common::{Count, run, threads_called, turns, wait_until};
use conformance::{panic_text, watch};
use futures::executor::block_on;
use futures::future::{Either, join_all, select};
use futures::{FutureExt, StreamExt};
use rustix::process::getpriority_process;

/// Threads of this name. The kernel keeps 15 bytes of it, and each test has its own.
fn dedicated(name: &str, threads: usize) -> DedicatedExecutor {
    assert!(name.len() <= 15);
    DedicatedExecutor::new(name, threads).expect("threads are left")
}

/// Keeps the only thread of an executor inside of one poll, until what is returned is dropped.
fn keep_busy(executor: &DedicatedExecutor) -> mpsc::Sender<()> {
    let (busy, is_busy) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    executor
        .spawn(async move {
            busy.send(()).expect("it is waited for");
            // An error is what it waits for.
            let _ = released.recv();
        })
        .detach();
    is_busy.recv().expect("it has begun");
    release
}

/// Sends the thread on which it is dropped.
fn tells_where(sender: mpsc::Sender<ThreadId>) -> impl Drop + Send {
    common::OnDrop(move || sender.send(thread::current().id()).expect("it is waited for"))
}

#[test]
fn a_job_runs_on_a_thread_of_the_executor() {
    run(|| async {
        let executor = dedicated("compute", 1);
        let job = executor.spawn(async {
            let thread = thread::current();
            (thread.id(), thread.name().expect("it has one").to_owned())
        });
        let (id, name) = job.await.expect("it ends");
        assert_eq!(name, "compute");
        assert_ne!(id, thread::current().id());
    });
}

#[test]
fn its_threads_step_back_and_the_others_do_not() {
    watch(|| {
        let niceness = || getpriority_process(None).expect("the kernel tells");
        let before = niceness();
        let executor = dedicated("nice", 1);
        let there = block_on(executor.spawn(async move { niceness() })).expect("it ends");
        assert_eq!(there, (before + 10).min(19));
        assert_eq!(niceness(), before);
        assert_eq!(thread::spawn(niceness).join().expect("no panic"), before);
    });
}

#[test]
fn a_panic_comes_with_its_payload_and_the_thread_goes_on() {
    run(|| async {
        let executor = dedicated("panics", 1);
        let here = || async { thread::current().id() };
        let before = executor.spawn(here()).await.expect("it ends");
        let error = executor.spawn(async { std::panic::panic_any(7) }).await.expect_err("a panic");
        let JoinError::Panicked(payload) = error else { panic!("{error}") };
        assert_eq!(payload.downcast_ref(), Some(&7));
        assert_eq!(executor.spawn(here()).await.expect("it ends"), before);
    });
}

#[test]
fn an_output_that_nobody_wants_and_that_panics_on_its_way_out_harms_nobody() {
    watch(|| {
        let executor = dedicated("way-out", 1);
        let busy = keep_busy(&executor);
        executor.spawn(async { common::OnDrop(|| panic!("as it should")) }).detach();
        drop(busy);
        assert_eq!(block_on(executor.spawn(async { 7 })).expect("it ends"), 7);
        assert_eq!(block_on(executor.spawn(async { 8 })).expect("it ends"), 8);
    });
}

#[test]
fn a_job_that_is_dropped_before_it_has_begun_never_begins() {
    watch(|| {
        let executor = dedicated("not-begun", 1);
        let worker = block_on(executor.spawn(async { thread::current().id() })).expect("it ends");
        let busy = keep_busy(&executor);
        let began = Count::default();
        let (sender, dropped_on) = mpsc::channel();
        let (begins, token) = (began.clone(), tells_where(sender));
        let job = executor.spawn(async move {
            begins.add();
            drop(token);
        });
        drop(job);
        drop(busy);
        assert_eq!(dropped_on.recv(), Ok(worker));
        block_on(executor.spawn(async {})).expect("it ends");
        assert_eq!(began.get(), 0);
    });
}

#[test]
fn a_job_that_is_dropped_while_it_waits_is_dropped_on_its_own_thread() {
    watch(|| {
        let executor = dedicated("waits", 1);
        let (begin, begun) = mpsc::channel();
        let (sender, dropped_on) = mpsc::channel();
        let token = tells_where(sender);
        let job = executor.spawn(async move {
            let _token = token;
            begin.send(thread::current().id()).expect("it is waited for");
            pending::<()>().await
        });
        let worker = begun.recv().expect("it has begun");
        assert_eq!(dropped_on.try_recv(), Err(mpsc::TryRecvError::Empty));
        drop(job);
        assert_eq!(dropped_on.recv(), Ok(worker));
    });
}

#[test]
fn a_job_that_is_dropped_after_its_end_drops_its_output() {
    watch(|| {
        let executor = dedicated("ended", 1);
        let dropped = Count::default();
        let token = dropped.token();
        let job = executor.spawn(async { token });
        block_on(executor.spawn(async {})).expect("it ends");
        assert_eq!(dropped.get(), 0);
        drop(job);
        assert_eq!(dropped.get(), 1);
    });
}

#[test]
fn a_job_that_is_cancelled_does_not_disturb_the_others() {
    run(|| async {
        let executor = dedicated("others", 1);
        let (send, sent) = oneshot::channel();
        let waits = executor.spawn(sent);
        drop(executor.spawn(pending::<()>()));
        turns().await;
        send.send(7).expect("it is waited for");
        assert_eq!(waits.await.expect("it ends"), Ok(7));
    });
}

#[test]
fn a_detached_job_goes_on() {
    run(|| async {
        let executor = dedicated("detached", 1);
        let (send, sent) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let job = executor.spawn(async move {
            let number: u32 = sent.await.expect("it is sent");
            tell.send(number + 1).expect("it is waited for");
        });
        job.detach();
        executor.spawn(async {}).await.expect("it ends");
        send.send(7).expect("it waits");
        assert_eq!(told.await, Ok(8));
    });
}

#[test]
fn a_job_may_be_detached_after_its_end() {
    run(|| async {
        let executor = dedicated("too-late", 1);
        let dropped = Count::default();
        let token = dropped.token();
        let job = executor.spawn(async { token });
        executor.spawn(async {}).await.expect("it ends");
        job.detach();
        assert_eq!(dropped.get(), 1);
    });
}

#[test]
fn a_job_that_is_awaited_by_reference_and_loses_a_select_loses_nothing() {
    run(|| async {
        let executor = dedicated("select", 1);
        let (send, sent) = oneshot::channel();
        let mut job = executor.spawn(sent);
        for _ in 0..3 {
            let Either::Right(_) = select(&mut job, Box::pin(turns())).await else {
                panic!("nothing was sent yet");
            };
        }
        send.send(7).expect("it is waited for");
        assert_eq!(job.await.expect("it ends"), Ok(7));
    });
}

#[test]
fn execute_is_a_spawn_that_nobody_joins() {
    run(|| async {
        let executor = dedicated("execute", 1);
        let (tell, told) = oneshot::channel();
        executor.execute(Box::pin(async move {
            let name = thread::current().name().map(str::to_owned);
            tell.send(name).expect("it is waited for");
        }));
        assert_eq!(told.await, Ok(Some("execute".into())));
    });
}

#[test]
fn jobs_are_given_out_in_turn() {
    watch(|| {
        let executor = dedicated("in-turn", 3);
        let jobs = (0..9).map(|_| executor.spawn(async { thread::current().id() }));
        let threads: Vec<ThreadId> =
            block_on(join_all(jobs)).into_iter().map(|id| id.expect("it ends")).collect();
        assert_eq!(threads[..3], threads[3..6]);
        assert_eq!(threads[..3], threads[6..]);
        assert!(threads[0] != threads[1] && threads[1] != threads[2] && threads[0] != threads[2]);
    });
}

#[test]
fn many_threads_may_spawn_at_once() {
    watch(|| {
        let executor = dedicated("at-once", 2);
        let sum: u64 = thread::scope(|scope| {
            let spawners: Vec<_> = (0..8)
                .map(|spawner| {
                    let executor = &executor;
                    scope.spawn(move || {
                        let jobs: Vec<Job<u64>> = (0..1000)
                            .map(|number| executor.spawn(async move { spawner * 1000 + number }))
                            .collect();
                        let outputs = block_on(join_all(jobs));
                        outputs.into_iter().map(|output| output.expect("it ends")).sum::<u64>()
                    })
                })
                .collect();
            spawners.into_iter().map(|spawner| spawner.join().expect("no panic")).sum()
        });
        assert_eq!(sum, (0..8000).sum::<u64>());
    });
}

#[test]
fn a_job_may_start_jobs_and_await_them() {
    watch(|| {
        let executor = Arc::new(dedicated("nested", 1));
        let inner = executor.clone();
        let job = executor.spawn(async move {
            let jobs = (0..10).map(|number| inner.spawn(async move { number }));
            join_all(jobs).await.into_iter().map(|job| job.expect("it ends")).sum::<u32>()
        });
        assert_eq!(block_on(job).expect("it ends"), 45);
    });
}

/// Sleeps, and then serves one client. Not `Send`, because it holds a sleep and a socket.
async fn serve_one(tell: mpsc::Sender<net::SocketAddr>) {
    sleep(Duration::from_millis(1)).await;
    let mut listener = ch07_tcp::TcpListener::bind("127.0.0.1:0").expect("a free port");
    tell.send(listener.local_addr().expect("it is bound")).expect("it is waited for");
    let stream = listener.next().await.expect("it does not end").expect("a client");
    echo(stream).await.expect("the client stays");
}

#[test]
fn sleeps_and_sockets_work_on_its_threads() {
    watch(|| {
        let executor = dedicated("sockets", 1);
        let (tell, told) = mpsc::channel();
        // A job has to be `Send`. What is not is made there, and stays there.
        executor.spawn(async { ch09_fairness::spawn(serve_one(tell)) }).detach();
        let address = told.recv().expect("it is told");
        let mut client = net::TcpStream::connect(address).expect("it listens");
        client.write_all(b"hello").expect("the connection holds");
        client.shutdown(net::Shutdown::Write).expect("the connection holds");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("the connection holds");
        assert_eq!(answer, "hello");
    });
}

#[test]
fn after_a_shutdown_all_jobs_say_cancelled() {
    watch(|| {
        let executor = dedicated("shutdown", 2);
        let dropped = Count::default();
        let waiting: Vec<Job<()>> = (0..10)
            .map(|_| {
                let token = dropped.token();
                executor.spawn(async move {
                    let _token = token;
                    pending().await
                })
            })
            .collect();
        let mut ended = executor.spawn(async { 7 });
        wait_until(|| (&mut ended).now_or_never().is_some_and(|output| output.is_ok()));
        executor.shutdown();
        for output in block_on(join_all(waiting)) {
            assert!(output.expect_err("it was cancelled").is_cancelled());
        }
        assert_eq!(dropped.get(), 10);
        // Also those that come later, while the executor is still there.
        let began = Count::default();
        for _ in 0..10 {
            let begins = began.clone();
            let late = executor.spawn(async move { begins.add() });
            assert!(block_on(late).expect_err("it was cancelled").is_cancelled());
        }
        assert_eq!(began.get(), 0);
        executor.shutdown();
        wait_until(|| threads_called("shutdown") == 0);
    });
}

#[test]
fn what_is_spawned_after_the_shutdown_does_not_begin_even_if_the_thread_has_not_heard_of_it() {
    watch(|| {
        let executor = dedicated("late", 1);
        let busy = keep_busy(&executor);
        executor.shutdown();
        let began = Count::default();
        let begins = began.clone();
        let late = executor.spawn(async move { begins.add() });
        drop(busy);
        assert!(block_on(late).expect_err("it was cancelled").is_cancelled());
        assert_eq!(began.get(), 0);
    });
}

#[test]
fn an_output_that_was_there_before_the_shutdown_stays() {
    watch(|| {
        let executor = dedicated("stays", 1);
        let job = executor.spawn(async { 7 });
        block_on(executor.spawn(async {})).expect("it ends");
        executor.join();
        assert_eq!(block_on(job).expect("it has ended before"), 7);
    });
}

#[test]
fn a_shutdown_does_not_wait_and_a_join_does() {
    watch(|| {
        let executor = dedicated("does-wait", 1);
        let (release, released) = mpsc::channel::<()>();
        let busy = Count::default();
        let ends = busy.clone();
        executor
            .spawn(async move {
                ends.add();
                let _ = released.recv();
                ends.add();
            })
            .detach();
        wait_until(|| busy.get() == 1);
        executor.shutdown();
        // It is still in its poll, which goes on when `release` is dropped.
        assert_eq!((busy.get(), threads_called("does-wait")), (1, 1));
        let counted = busy.clone();
        let waiter = thread::spawn(move || {
            executor.join();
            counted.get()
        });
        drop(release);
        assert_eq!(waiter.join().expect("no panic"), 2);
        // The kernel needs another moment to forget a thread that has ended.
        wait_until(|| threads_called("does-wait") == 0);
    });
}

#[test]
fn dropping_the_executor_waits_for_its_threads() {
    watch(|| {
        let executor = dedicated("dropped", 3);
        wait_until(|| threads_called("dropped") == 3);
        let ended = Count::default();
        let (begin, begun) = mpsc::channel();
        for _ in 0..3 {
            let (begin, ended) = (begin.clone(), ended.clone());
            executor
                .spawn(async move {
                    begin.send(()).expect("it is waited for");
                    (0..1000).for_each(|_| thread::yield_now());
                    ended.add();
                })
                .detach();
        }
        begun.iter().take(3).for_each(drop);
        drop(executor);
        assert_eq!(ended.get(), 3);
        wait_until(|| threads_called("dropped") == 0);
    });
}

#[test]
fn a_job_may_own_its_own_executor() {
    watch(|| {
        let executor = Arc::new(dedicated("owned", 2));
        let inner = executor.clone();
        let (go, told) = oneshot::channel::<()>();
        let mut job = executor.spawn(async move {
            let _ = told.await;
            // The last one: the thread shuts itself down, and waits for the other one alone.
            drop(inner);
        });
        assert!((&mut job).now_or_never().is_none());
        drop(executor);
        go.send(()).expect("it waits");
        block_on(job).expect("it ends");
        wait_until(|| threads_called("owned") == 0);
    });
}

#[test]
fn ten_thousand_jobs_end_with_the_executor() {
    watch(|| {
        let executor = dedicated("many", 2);
        let dropped = Count::default();
        let jobs: Vec<Job<()>> = (0..10_000)
            .map(|_| {
                let token = dropped.token();
                executor.spawn(async move {
                    let _token = token;
                    pending().await
                })
            })
            .collect();
        drop(executor);
        assert_eq!(dropped.get(), 10_000);
        for output in block_on(join_all(jobs)) {
            assert!(output.expect_err("it was cancelled").is_cancelled());
        }
    });
}

#[test]
fn ten_thousand_jobs_may_be_dropped_at_once() {
    watch(|| {
        let executor = dedicated("drops", 2);
        let dropped = Count::default();
        let jobs: Vec<Job<()>> = (0..10_000)
            .map(|_| {
                let token = dropped.token();
                executor.spawn(async move {
                    let _token = token;
                    pending().await
                })
            })
            .collect();
        drop(jobs);
        wait_until(|| dropped.get() == 10_000);
        block_on(executor.spawn(async {})).expect("it ends");
    });
}

#[test]
fn an_executor_without_threads_or_with_an_impossible_name_is_refused() {
    let text = panic_text(|| drop(DedicatedExecutor::new("none", 0)));
    assert_eq!(text, "an executor without threads never does anything");
    let text = panic_text(|| drop(DedicatedExecutor::new("zero\0byte", 1)));
    assert!(text.contains("null bytes"), "{text}");
}
