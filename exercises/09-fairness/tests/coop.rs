//! The cooperative budget: whoever finds everything ready gives the thread back nevertheless.

mod common;

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{IoSlice, IoSliceMut};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use ch07_tcp::servers::echo;
use ch07_tcp::{TcpListener, TcpStream};
use ch09_fairness::{COOP_BUDGET, Config, Coop, Executor, Runtime, spawn, yield_now};
use common::{checked, coop_budget, events, forever, panic_text, reactor, visits};
use futures::channel::{mpsc, oneshot};
use futures::future::{join, join_all, poll_immediate};
use futures::stream::{self, FuturesUnordered, repeat, select_all};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, io};
use trace::{Event, MAIN, PollResult};

/// Counts the steps that its task has taken when another task has its first turn.
async fn steps_before_the_other_task<S, F: Future<Output = S>>(
    mut step: impl FnMut() -> F + 'static,
) -> usize {
    let steps = Rc::new(Cell::new(0));
    let counted = steps.clone();
    spawn(async move {
        for _ in 0..1000 {
            step().await;
            counted.set(counted.get() + 1);
        }
    });
    let (setter, other) = oneshot::channel();
    spawn(async move { setter.send(steps.get()).expect("the main future waits") });
    other.await.expect("the task ends")
}

#[test]
fn a_task_whose_stream_is_always_ready_takes_just_its_budget() {
    checked(|| {
        let steps = Executor::new(reactor(), coop_budget(10)).block_on(async {
            steps_before_the_other_task(|| async { Coop(repeat(())).next().await }).await
        });
        assert_eq!(steps, 10);
    });
}

#[test]
fn without_coop_it_takes_all_there_is() {
    checked(|| {
        let steps = Executor::new(reactor(), coop_budget(10))
            .block_on(steps_before_the_other_task(|| async { repeat(()).next().await }));
        assert_eq!(steps, 1000);
    });
}

#[test]
fn the_default_is_128_steps() {
    checked(|| {
        let steps = Executor::new(reactor(), Config::default())
            .block_on(steps_before_the_other_task(|| async { Coop(repeat(())).next().await }));
        assert_eq!((steps, COOP_BUDGET), (128, 128));
    });
}

#[test]
fn reads_and_writes_of_any_kind_are_steps() {
    async fn step() {
        let (mut reader, mut writer) = (Coop(io::repeat(7)), Coop(io::sink()));
        let mut byte = [0];
        assert_eq!(reader.read(&mut byte).await.expect("it is endless"), 1);
        let mut vectored = [IoSliceMut::new(&mut byte)];
        assert_eq!(reader.read_vectored(&mut vectored).await.expect("it is endless"), 1);
        assert_eq!(writer.write(&byte).await.expect("it takes all"), 1);
        assert_eq!(writer.write_vectored(&[IoSlice::new(&byte)]).await.expect("it takes all"), 1);
        // These move no bytes.
        writer.flush().await.expect("it takes all");
        writer.close().await.expect("it takes all");
    }

    checked(|| {
        let steps =
            Executor::new(reactor(), coop_budget(40)).block_on(steps_before_the_other_task(step));
        assert_eq!(steps, 10);
    });
}

#[test]
fn each_poll_has_a_budget_of_its_own_and_so_has_each_task() {
    checked(|| {
        let log = Rc::new(Cell::new(0));
        Executor::new(reactor(), coop_budget(5)).block_on(async {
            let mut tasks = Vec::new();
            for _ in 0..3 {
                let (setter, ended) = oneshot::channel();
                tasks.push(ended);
                let log = log.clone();
                spawn(async move {
                    let mut items = Coop(stream::iter(0..14));
                    while items.next().await.is_some() {
                        log.set(log.get() + 1);
                    }
                    setter.send(()).expect("the main future waits");
                });
            }
            join_all(tasks).await;
        });
        assert_eq!(log.get(), 3 * 14);
        for task in 1..=3 {
            // Five items, five, four and the end.
            let poll =
                |event: &&Event| matches!(event, Event::PollStart { task: id } if *id == task);
            assert_eq!(events().iter().filter(poll).count(), 3);
        }
    });
}

#[test]
fn the_main_future_has_a_budget_like_any_task() {
    checked(|| {
        let first = Cell::new(None);
        Executor::new(reactor(), coop_budget(10)).block_on(async {
            let (setter, mut other) = oneshot::channel();
            spawn(async move { setter.send(()).expect("the main future waits") });
            let mut items = Coop(stream::iter(0..100));
            while let Some(item) = items.next().await {
                if first.get().is_none() && other.try_recv() == Ok(Some(())) {
                    first.set(Some(item));
                }
            }
        });
        assert_eq!(first.get(), Some(10));
    });
}

#[test]
fn a_poll_that_the_budget_has_ended_is_owed_a_wake_after_the_park() {
    checked(|| {
        Executor::new(reactor(), coop_budget(10)).block_on(async {
            let mut items = Coop(stream::iter(0..19));
            while items.next().await.is_some() {}
        });
        let told: Vec<Event> = events()
            .into_iter()
            .filter(|event| !matches!(event, Event::WakerClone { .. } | Event::WakerDrop { .. }))
            .filter(|event| !matches!(event, Event::FdAdd { .. } | Event::Interest { .. }))
            .collect();
        let pending = PollResult::Pending;
        assert!(
            matches!(
                told[..],
                [
                    Event::PollStart { task: MAIN },
                    Event::PollEnd { task: MAIN, result, wakers: 1 },
                    Event::Park { .. },
                    Event::Unpark,
                    Event::Wake { task: MAIN, .. },
                    Event::PollStart { task: MAIN },
                    Event::PollEnd { task: MAIN, result: PollResult::Ready, .. },
                ] if result == pending
            ),
            "{told:?}"
        );
    });
}

/// Sends 100 numbers into each of seven channels, a few at a time.
fn seven_channels() -> Vec<Coop<mpsc::UnboundedReceiver<u64>>> {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..7).map(|_| mpsc::unbounded()).unzip();
    spawn(async move {
        for number in 0..100 {
            for sender in &senders {
                sender.unbounded_send(number).expect("somebody receives");
            }
            if number % 3 == 0 {
                yield_now().await;
            }
        }
    });
    receivers.into_iter().map(Coop).collect()
}

const SUM: u64 = 7 * (99 * 100 / 2);

#[test]
fn a_join_of_several_streams_loses_no_item() {
    checked(|| {
        let sum: u64 = Executor::new(reactor(), coop_budget(4)).block_on(async {
            let sums = seven_channels().into_iter().map(|channel| channel.fold(0, add));
            join_all(sums).await.into_iter().sum()
        });
        assert_eq!(sum, SUM);
    });
}

#[test]
fn a_select_of_several_streams_loses_no_item() {
    checked(|| {
        let executor = Executor::new(reactor(), coop_budget(4));
        let sum = executor.block_on(async { select_all(seven_channels()).fold(0, add).await });
        assert_eq!(sum, SUM);
    });
}

#[test]
fn futures_with_wakers_of_their_own_lose_no_item() {
    checked(|| {
        let sum = Executor::new(reactor(), coop_budget(4)).block_on(async {
            let sums = seven_channels().into_iter().map(|channel| channel.fold(0, add));
            sums.collect::<FuturesUnordered<_>>().fold(0, add).await
        });
        assert_eq!(sum, SUM);
    });
}

async fn add(sum: u64, number: u64) -> u64 {
    sum + number
}

#[test]
fn a_step_that_is_pending_costs_nothing() {
    checked(|| {
        Executor::new(reactor(), coop_budget(2)).block_on(async {
            // More streams than steps, and only the last of them ever brings something.
            let (senders, receivers): (Vec<_>, Vec<_>) = (0..5).map(|_| mpsc::unbounded()).unzip();
            spawn(async move {
                senders[4].unbounded_send("at last").expect("somebody receives");
                forever().await;
                drop(senders);
            });
            let mut any = select_all(receivers.into_iter().map(Coop));
            let mut polls = 0;
            let item = poll_fn(|cx| {
                polls += 1;
                assert!(polls < 10, "the streams that are pending take what the last one needs");
                any.poll_next_unpin(cx)
            });
            assert_eq!(item.await, Some("at last"));
        });
        assert_eq!(visits(), [], "nobody has yielded");
    });
}

/// What the budget does not do: it is the task's, and not one for each of its parts.
#[test]
fn the_first_of_two_futures_in_one_task_may_take_the_whole_budget() {
    checked(|| {
        let second = Cell::new(0);
        Executor::new(reactor(), coop_budget(10)).block_on(async {
            let first = Coop(stream::iter(0..100)).for_each(async |_| {
                assert_eq!(second.get(), 0, "the second future has had a step");
            });
            let second = Coop(stream::iter(0..100)).for_each(async |_| second.update(|n| n + 1));
            join(first, second).await;
        });
        assert_eq!(second.get(), 100);
    });
}

/// What would become of a `block_on` inside of a poll, which waits for its own waker.
#[test]
fn a_wake_that_the_budget_owes_does_not_come_before_the_poll_is_over() {
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    checked(|| {
        Executor::new(reactor(), coop_budget(1)).block_on(async {
            let wakes = Arc::new(Count::default());
            let inner = Waker::from(wakes.clone());
            let mut inner = Context::from_waker(&inner);
            let mut items = Coop(repeat(()));
            assert!(items.poll_next_unpin(&mut inner).is_ready());
            assert!(items.poll_next_unpin(&mut inner).is_pending());
            assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
            yield_now().await;
            assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        });
    });
}

#[test]
fn outside_of_any_task_there_is_no_limit() {
    checked(assert_no_limit);
}

fn assert_no_limit() {
    let mut items = Coop(repeat(()));
    let mut cx = Context::from_waker(Waker::noop());
    let mut poll = || Pin::new(&mut items).poll_next_unpin(&mut cx).is_ready();
    assert!((0..1000).all(|_| poll()));
}

#[test]
fn on_an_executor_of_another_chapter_there_is_no_limit() {
    checked(|| {
        let executor = ch05_executor::Executor::new(reactor());
        let count = executor.block_on(Coop(stream::iter(0..1000)).count());
        assert_eq!(count, 1000);
        let polls = events().iter().filter(|e| matches!(e, Event::PollStart { .. })).count();
        assert_eq!(polls, 1);
    });
}

#[test]
fn a_poll_that_panics_leaves_no_budget_behind() {
    checked(|| {
        let executor = Executor::new(reactor(), coop_budget(1));
        panic_text(|| {
            executor.block_on(async {
                spawn(async {
                    Coop(repeat(())).next().await;
                    panic!("as it should");
                });
                forever().await;
            })
        });
        assert_no_limit();
    });
}

#[test]
fn a_budget_that_is_used_up_is_no_reason_to_lose_an_item() {
    checked(|| {
        Executor::new(reactor(), coop_budget(1)).block_on(async {
            let mut items = Coop(stream::iter(1..=2));
            assert_eq!(items.next().await, Some(1));
            // Refused, and dropped.
            assert_eq!(poll_immediate(items.next()).await, None);
            assert_eq!(items.next().await, Some(2));
        });
    });
}

#[test]
fn a_server_of_chapter_7_runs_unchanged_on_a_stream_with_a_budget() {
    checked(|| {
        let runtime = Runtime::new(coop_budget(3)).expect("descriptors are left");
        let answer: std::io::Result<Vec<u8>> = runtime.block_on(async {
            let mut listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            spawn(async move {
                let stream = listener.next().await.expect("it does not end").expect("accept");
                echo(Coop(stream)).await.expect("the client reads");
            });
            let (mut reader, mut writer) = TcpStream::connect(address).await?.into_split();
            let mut answer = Vec::new();
            let write = async {
                writer.write_all(&vec![7; 1 << 20]).await?;
                writer.close().await
            };
            let (written, read) = join(write, reader.read_to_end(&mut answer)).await;
            written.and(read).map(|_| answer)
        });
        assert_eq!(answer.expect("loopback connections do not fail"), vec![7; 1 << 20]);
    });
}

#[test]
fn a_step_of_your_own_is_charged_as_well() {
    checked(|| {
        let steps =
            Executor::new(reactor(), coop_budget(10)).block_on(steps_before_the_other_task(|| {
                poll_fn(|cx| ch09_fairness::poll_step(cx, |_| Poll::Ready(())))
            }));
        assert_eq!(steps, 10);
    });
}
