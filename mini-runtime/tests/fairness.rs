//! Who has much to do lets the others have their turn.

mod common;

use std::cell::Cell;
use std::future::poll_fn;
use std::io::Write;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use common::{half, on_both_drivers, runtime, turns};
use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use mini_runtime::spawn;
use mini_runtime::task::yield_now;
use mini_runtime::time::interval;

/// Counts its turns, until somebody is done.
async fn turns_until(done: Rc<Cell<bool>>) -> usize {
    let mut turns = 0;
    while !done.get() {
        turns += 1;
        yield_now().await;
    }
    turns
}

on_both_drivers! {
    /// 10,000 bytes that are all there, read one by one: at most 128 in one poll.
    fn a_task_with_much_to_read_gives_the_thread_back_now_and_then(driver) {
        runtime(driver).block_on(async {
            let (mut stream, mut peer) = half().await;
            peer.write_all(&[7; 10_000]).expect("there is room");
            let done = Rc::new(Cell::new(false));
            let other = spawn(turns_until(done.clone()));
            let mut byte = [0];
            for _ in 0..10_000 {
                stream.read_exact(&mut byte).await.expect("it is there");
                assert_eq!(byte, [7]);
            }
            done.set(true);
            let turns = other.await.expect("no panic");
            assert!(turns >= 10_000 / 128 - 1, "it had {turns} turns");
        });
    }

    /// A thousand small writes, for all of which there is room.
    fn a_task_with_much_to_write_gives_the_thread_back_now_and_then(driver) {
        runtime(driver).block_on(async {
            let (mut stream, _peer) = half().await;
            let done = Rc::new(Cell::new(false));
            let other = spawn(turns_until(done.clone()));
            for _ in 0..1000 {
                stream.write_all(b"a little").await.expect("there is room");
            }
            done.set(true);
            let turns = other.await.expect("no panic");
            assert!(turns >= 1000 / 128 - 1, "it had {turns} turns");
        });
    }

    /// A task that has slept for long enough has all ticks at once, and no end of them.
    fn ticks_that_come_faster_than_they_are_dealt_with_let_others_run(driver) {
        runtime(driver).block_on(async {
            let dealt_with = Rc::new(Cell::new(0_u64));
            let counts = dealt_with.clone();
            drop(spawn(async move {
                let mut ticks = interval(Duration::from_nanos(1));
                loop {
                    ticks.tick().await;
                    counts.set(counts.get() + 1);
                }
            }));
            turns(10).await;
            assert!(dealt_with.get() > 0, "it has had some");
        });
    }

    /// Three hundred of them: more than a task may have at once, and nothing is there.
    fn a_task_that_waits_for_many_reads_rests(driver) {
        runtime(driver).block_on(async {
            let (mut streams, mut peers) = (Vec::new(), Vec::new());
            for _ in 0..300 {
                let (stream, peer) = half().await;
                streams.push(stream);
                peers.push(peer);
            }
            let polls = Rc::new(Cell::new(0));
            let counts = polls.clone();
            let task = spawn(poll_fn(move |cx| {
                counts.set(counts.get() + 1);
                for stream in &mut streams {
                    let polled = Pin::new(stream).poll_read(cx, &mut [0; 8]);
                    assert!(polled.is_pending(), "nobody has written");
                }
                Poll::<()>::Pending
            }));
            turns(1000).await;
            assert!(polls.get() < 10, "{} polls", polls.get());
            task.abort();
        });
    }
}
