//! The three things that hyper asks for, each by itself.

mod common;

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ch08_timers::Timers;
use ch11_threads::oneshot;
use ch12_bring_your_own::{DedicatedExecutor, HyperExecutor, HyperIo, HyperTimer};
use common::{Count, run, run_alone, turns};
use conformance::{panic_text, watch};
use futures::{AsyncRead, AsyncWrite, FutureExt};
use hyper::rt::{Executor, Read, ReadBuf, Timer, Write};

const SECOND: Duration = Duration::from_secs(1);

/// Answers each read with the next of these, and notes how much room there was, and what is written.
#[derive(Default)]
struct Script {
    reads: Vec<Poll<io::Result<usize>>>,
    rooms: Rc<RefCell<Vec<usize>>>,
    written: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.rooms.borrow_mut().push(buffer.len());
        let read = self.reads.remove(0);
        if let Poll::Ready(Ok(length)) = read {
            let length = length.min(buffer.len());
            buffer[..length].fill(b'x');
        }
        read
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written.borrow_mut().push(bytes.to_vec());
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut written = self.written.borrow_mut();
        written.extend(slices.iter().map(|slice| slice.to_vec()));
        // One byte less than there were.
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum::<usize>() - 1))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.written.borrow_mut().push(b"(flush)".to_vec());
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.written.borrow_mut().push(b"(close)".to_vec());
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_read_fills_what_is_left_of_the_buffer_and_says_how_much() {
    let mut cx = Context::from_waker(Waker::noop());
    let reads = vec![Poll::Ready(Ok(3)), Poll::Pending, Poll::Ready(Ok(1)), Poll::Ready(Ok(0))];
    let rooms = Rc::<RefCell<Vec<usize>>>::default();
    let script = Script { reads, rooms: rooms.clone(), ..Script::default() };
    let mut io = pin!(HyperIo(script));
    let mut memory = [b'-'; 5];
    let mut buffer = ReadBuf::new(&mut memory);
    for expected in ["xxx", "xxx", "xxxx", "xxxx"] {
        let poll = io.as_mut().poll_read(&mut cx, buffer.unfilled());
        assert!(matches!(poll, Poll::Ready(Ok(())) | Poll::Pending));
        assert_eq!(buffer.filled(), expected.as_bytes());
    }
    assert_eq!(*rooms.borrow(), [5, 2, 2, 1], "what is left of the buffer at each read");
}

#[test]
fn a_read_that_fails_is_an_error_and_fills_nothing() {
    let mut cx = Context::from_waker(Waker::noop());
    let reads = vec![Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))];
    let mut io = pin!(HyperIo(Script { reads, ..Script::default() }));
    let mut memory = [0; 5];
    let mut buffer = ReadBuf::new(&mut memory);
    let Poll::Ready(Err(error)) = io.as_mut().poll_read(&mut cx, buffer.unfilled()) else {
        panic!("an error is ready");
    };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert!(buffer.filled().is_empty());
}

#[test]
fn a_stream_that_lies_about_the_length_panics() {
    let text = panic_text(|| {
        let mut cx = Context::from_waker(Waker::noop());
        let reads = vec![Poll::Ready(Ok(6))];
        let mut io = pin!(HyperIo(Script { reads, ..Script::default() }));
        let mut memory = [0; 5];
        let mut buffer = ReadBuf::new(&mut memory);
        let _ = io.as_mut().poll_read(&mut cx, buffer.unfilled());
    });
    assert_eq!(text, "a stream read more than there was room for");
}

#[test]
fn writes_go_through_in_one_piece_or_in_many() {
    let mut cx = Context::from_waker(Waker::noop());
    let written = Rc::<RefCell<Vec<Vec<u8>>>>::default();
    let mut io = pin!(HyperIo(Script { written: written.clone(), ..Script::default() }));
    assert!(io.is_write_vectored());
    assert!(matches!(io.as_mut().poll_write(&mut cx, b"one"), Poll::Ready(Ok(3))));
    let slices = [IoSlice::new(b"two"), IoSlice::new(b"three")];
    assert!(matches!(io.as_mut().poll_write_vectored(&mut cx, &slices), Poll::Ready(Ok(7))));
    assert!(matches!(io.as_mut().poll_flush(&mut cx), Poll::Ready(Ok(()))));
    assert!(matches!(io.as_mut().poll_shutdown(&mut cx), Poll::Ready(Ok(()))));
    let expected: [&[u8]; 5] = [b"one", b"two", b"three", b"(flush)", b"(close)"];
    assert_eq!(*written.borrow(), expected);
}

#[test]
fn the_executor_runs_futures_that_are_not_send() {
    run_alone(|| async {
        let ran = Rc::new(Cell::new(false));
        let runs = ran.clone();
        HyperExecutor.execute(async move {
            turns().await;
            runs.set(true);
        });
        assert!(!ran.get());
        while !ran.get() {
            turns().await;
        }
    });
}

#[test]
fn the_executors_tasks_end_alone_when_they_panic() {
    run_alone(|| async {
        HyperExecutor.execute(async { panic!("as it should") });
        turns().await;
    });
}

/// Runs a test on a clock that jumps, and says how long it took.
fn elapsed<F: Future<Output = ()>>(body: impl FnOnce() -> F + Send + 'static) -> Duration {
    let (sender, receiver) = oneshot::channel();
    run_alone(|| async {
        let timers = Timers::current();
        let start = timers.clock().now();
        body().await;
        turns().await;
        assert!(timers.is_empty(), "timers are left");
        sender.send(timers.clock().now() - start).expect("it is waited for");
    });
    futures::executor::block_on(receiver).expect("it is sent")
}

#[test]
fn a_sleep_takes_its_time() {
    assert_eq!(elapsed(|| HyperTimer.sleep(5 * SECOND)), 5 * SECOND);
}

#[test]
fn a_sleep_until_a_time_ends_then() {
    let took = elapsed(|| async {
        let start = HyperTimer.now();
        HyperTimer.sleep_until(start + 5 * SECOND).await;
        HyperTimer.sleep_until(start + 3 * SECOND).await;
        assert_eq!(HyperTimer.now(), start + 5 * SECOND);
    });
    assert_eq!(took, 5 * SECOND);
}

#[test]
fn now_is_the_time_of_the_runtimes_clock() {
    let took = elapsed(|| async {
        let start = HyperTimer.now();
        ch08_timers::sleep(3600 * SECOND).await;
        assert_eq!(HyperTimer.now(), start + 3600 * SECOND);
    });
    assert_eq!(took, 3600 * SECOND);
}

#[test]
fn a_sleep_counts_from_when_it_was_made() {
    let took = elapsed(|| async {
        let sleep = HyperTimer.sleep(5 * SECOND);
        ch08_timers::sleep(4 * SECOND).await;
        sleep.await;
    });
    assert_eq!(took, 5 * SECOND);
}

#[test]
fn a_sleep_that_is_reset_forgets_the_old_deadline() {
    let took = elapsed(|| async {
        let start = HyperTimer.now();
        for (first, second) in [(3, 5), (9, 6)] {
            let mut sleep = HyperTimer.sleep_until(start + first * SECOND);
            turns().await;
            HyperTimer.reset(&mut sleep, start + second * SECOND);
            turns().await;
            assert_eq!(Timers::current().len(), 1, "the old deadline is gone");
            sleep.await;
            assert_eq!(HyperTimer.now(), start + second * SECOND);
        }
    });
    assert_eq!(took, 6 * SECOND);
}

#[test]
fn a_sleep_that_is_dropped_ends_its_task_and_takes_its_deadline_back() {
    let took = elapsed(|| async {
        let asleep = HyperTimer.sleep(5 * SECOND);
        let mut polled = HyperTimer.sleep(7 * SECOND);
        assert_eq!((&mut polled).now_or_never(), None);
        turns().await;
        assert_eq!(Timers::current().len(), 2);
        drop((asleep, polled));
        turns().await;
        assert_eq!(Timers::current().len(), 0);
    });
    assert_eq!(took, Duration::ZERO);
}

#[test]
fn a_sleep_is_ready_as_often_as_it_is_asked_when_it_is_over() {
    elapsed(|| async {
        let mut sleep = HyperTimer.sleep(SECOND);
        (&mut sleep).await;
        assert_eq!((&mut sleep).now_or_never(), Some(()));
    });
}

#[test]
fn a_sleep_may_be_awaited_and_dropped_on_another_thread() {
    run(|| async {
        let dedicated = DedicatedExecutor::new("abroad", 1).expect("threads are left");
        let (short, long) =
            (HyperTimer.sleep(Duration::from_millis(1)), HyperTimer.sleep(3600 * SECOND));
        dedicated.spawn(short).await.expect("it ends");
        dedicated.spawn(async { drop(long) }).await.expect("it ends");
        // The drop's message was in the inbox before the output was.
        turns().await;
        assert!(Timers::current().is_empty(), "a deadline is left");
    });
}

#[test]
fn outside_of_a_runtime_they_say_what_is_missing() {
    watch(|| {
        let text = panic_text(|| drop(HyperTimer.sleep(SECOND)));
        assert!(text.contains("no clock runs on this thread"), "{text}");
        let text = panic_text(|| _ = HyperTimer.now());
        assert!(text.contains("no clock runs on this thread"), "{text}");
        let count = Count::default();
        let token = count.token();
        let text = panic_text(|| HyperExecutor.execute(async move { drop(token) }));
        assert!(text.contains("outside of block_on"), "{text}");
        assert_eq!(count.get(), 1);
    });
}
