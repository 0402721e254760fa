//! A library that reads in the background, on an executor that others bring.

mod common;

use std::sync::mpsc;
use std::thread;

use ch09_fairness::yield_now;
use ch12_bring_your_own::{DedicatedExecutor, Exec, NoExecutor, ReadAhead};
use common::{Count, run, run_alone, runtime, turns, wait_until};
use conformance::watch;
use futures::channel::mpsc::unbounded;
use futures::executor::block_on;
use futures::{FutureExt, Stream, StreamExt, stream};

/// The numbers from 0, and how many of them were taken.
fn numbers() -> (impl Stream<Item = usize> + Send, Count) {
    let taken = Count::default();
    let counted = taken.clone();
    let source = stream::iter(0..1000).inspect(move |_| counted.add());
    (source, taken)
}

async fn reads_all(exec: &Exec) {
    for depth in [0, 1, 2, 10, 2000] {
        let (source, taken) = numbers();
        let read = ReadAhead::new(source, depth, exec).expect("there is an executor");
        let read: Vec<usize> = read.collect().await;
        assert!(read.into_iter().eq(0..1000), "depth {depth}");
        assert_eq!(taken.get(), 1000);
    }
}

#[test]
fn all_items_come_in_order_on_a_runtime_of_ours() {
    run_alone(|| async { reads_all(&Exec::default()).await });
}

#[test]
fn all_items_come_in_order_on_another_threads_runtime() {
    watch(|| {
        let (send, sent) = mpsc::channel();
        let (end, ended) = ch11_threads::oneshot::channel::<()>();
        let server = thread::spawn(move || {
            let runtime = runtime();
            send.send(runtime.handle()).expect("it is waited for");
            runtime.block_on(ended)
        });
        let exec = Exec::own(sent.recv().expect("it is sent"));
        block_on(reads_all(&exec));
        end.send(()).expect("the runtime is there");
        server.join().expect("no panic").expect("it was sent");
    });
}

#[test]
fn all_items_come_in_order_on_dedicated_threads() {
    run(|| async {
        let dedicated = DedicatedExecutor::new("read-ahead", 2).expect("threads are left");
        reads_all(&Exec::own(dedicated)).await;
    });
}

#[test]
fn all_items_come_in_order_on_tokio() {
    watch(|| {
        let tokio = tokio::runtime::Builder::new_current_thread().build().expect("no driver");
        let handle = tokio.handle().clone();
        let exec = Exec::own(move |future| drop(handle.spawn(future)));
        tokio.block_on(reads_all(&exec));
    });
}

#[test]
fn all_items_come_in_order_on_a_thread_for_each_future() {
    watch(|| {
        let exec = Exec::own(|future| drop(thread::spawn(|| block_on(future))));
        block_on(reads_all(&exec));
    });
}

async fn wait_for(taken: &Count, number: usize) {
    while taken.get() < number {
        yield_now().await;
    }
    // Nothing more comes.
    turns().await;
    assert_eq!(taken.get(), number);
}

#[test]
fn depth_items_are_read_ahead_and_no_more() {
    run_alone(|| async {
        for depth in [1, 2, 5] {
            let (source, taken) = numbers();
            let mut read = ReadAhead::new(source, depth, &Exec::default()).expect("one runs here");
            wait_for(&taken, depth).await;
            for number in 0..10 {
                // It is here already.
                assert_eq!(read.next().now_or_never(), Some(Some(number)));
                wait_for(&taken, depth + number + 1).await;
            }
        }
    });
}

#[test]
fn a_depth_of_zero_counts_as_one() {
    run_alone(|| async {
        let (source, taken) = numbers();
        let _read = ReadAhead::new(source, 0, &Exec::default()).expect("one runs here");
        wait_for(&taken, 1).await;
    });
}

#[test]
fn dropping_it_ends_the_task_at_its_next_item() {
    run_alone(|| async {
        let (sender, source) = unbounded();
        let read = ReadAhead::new(source, 3, &Exec::default()).expect("one runs here");
        turns().await;
        drop(read);
        turns().await;
        sender.unbounded_send(()).expect("the source is still there");
        while !sender.is_closed() {
            yield_now().await;
        }
    });
}

#[test]
fn dropping_it_while_it_is_full_ends_the_task_too() {
    run_alone(|| async {
        let (source, taken) = numbers();
        let dropped = Count::default();
        let token = dropped.token();
        let source = source.map(move |number| (number, &token).0);
        let read = ReadAhead::new(source, 2, &Exec::default()).expect("one runs here");
        wait_for(&taken, 2).await;
        drop(read);
        while dropped.get() == 0 {
            yield_now().await;
        }
    });
}

#[test]
fn items_that_nobody_has_taken_are_dropped_with_it() {
    run_alone(|| async {
        let (made, dropped) = (Count::default(), Count::default());
        let (counted, tokens) = (made.clone(), dropped.clone());
        let source = stream::repeat_with(move || {
            counted.add();
            tokens.token()
        });
        let read = ReadAhead::new(source, 3, &Exec::default()).expect("one runs here");
        wait_for(&made, 3).await;
        assert_eq!(dropped.get(), 0);
        drop(read);
        // The three, and the next one, at which the task ends.
        wait_for(&dropped, 4).await;
        assert_eq!(made.get(), 4);
    });
}

#[test]
fn a_next_that_is_dropped_loses_nothing() {
    run_alone(|| async {
        let (sender, source) = unbounded();
        let mut read = ReadAhead::new(source, 2, &Exec::default()).expect("one runs here");
        for number in 0..10 {
            assert_eq!(read.next().now_or_never(), None);
            sender.unbounded_send(number).expect("it is being read");
            turns().await;
            assert_eq!(read.next().now_or_never(), Some(Some(number)));
        }
    });
}

#[test]
fn a_source_that_panics_ends_the_stream() {
    run_alone(|| async {
        let source = stream::iter(0..3).map(|number| {
            assert!(number < 2, "this one panics, as it should");
            number
        });
        let read = ReadAhead::new(source, 1, &Exec::default()).expect("one runs here");
        assert_eq!(read.collect::<Vec<_>>().await, [0, 1]);
    });
}

#[test]
fn an_executor_that_goes_ends_the_stream() {
    watch(|| {
        let dedicated = DedicatedExecutor::new("goes", 1).expect("threads are left");
        let (source, taken) = numbers();
        let exec = Exec::own(dedicated);
        let read = ReadAhead::new(source, 2, &exec).expect("it has its own");
        wait_until(|| taken.get() == 2);
        drop(exec);
        assert_eq!(block_on(read.collect::<Vec<_>>()), [0, 1]);
    });
}

#[test]
fn without_an_executor_the_source_is_dropped() {
    let dropped = Count::default();
    let token = dropped.token();
    let source = stream::iter(0..3).map(move |number| (number, &token).0);
    assert_eq!(ReadAhead::new(source, 1, &Exec::default()).map(drop), Err(NoExecutor));
    assert_eq!(dropped.get(), 1);
}
