//! Who has much to do lets the others have their turn.

mod common;

use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;

use common::{half, on_both_drivers, runtime};
use futures::{AsyncReadExt, AsyncWriteExt};
use mini_runtime::spawn;
use mini_runtime::task::yield_now;

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
}
