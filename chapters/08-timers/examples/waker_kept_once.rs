//! A sleep that moves. Task 1 polls it once, and gives it to task 2, which awaits it.
//!
//! Somebody has saved a line: a sleep that is in the map of deadlines already is not put there
//! again. Predict: who is woken when the deadline comes?
//!
//! `cargo run -p ch08-timers --example waker_kept_once`
//! `cargo run -p ch08-timers --example waker_kept_once -- mended`

use std::future::poll_fn;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};
use std::time::Duration;

use ch03_block_on::signal;
use ch05_executor::spawn;
use ch08_timers::{Runtime, Sleep, sleep};
use conformance::demo::{self, Version};
use futures::poll;

// ANCHOR: fault
/// A sleep that leaves its waker with the timers at the first poll, and never again.
struct KeptOnce {
    sleep: Sleep,
    has_left_its_waker: bool,
}

impl Future for KeptOnce {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_left_its_waker && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.has_left_its_waker = true;
        Pin::new(&mut self.sleep).poll(cx)
    }
}
// ANCHOR_END: fault

// ANCHOR: program
async fn program(mut sleep: impl Future<Output = ()> + Unpin + 'static) {
    let (give, take) = signal();
    spawn(async move {
        assert!(poll!(&mut sleep).is_pending());
        println!("task 1: I have polled the sleep. Now I give it to task 2.");
        give.set(sleep);
        until_woken().await;
        println!("task 1: somebody has woken me. I do not know why.");
    });

    let (done, is_done) = signal();
    spawn(async move {
        let Some(sleep) = take.await else { return };
        println!("task 2: I have the sleep, and await it.");
        sleep.await;
        println!("task 2: I am awake.");
        done.set(());
    });
    is_done.await;
}
// ANCHOR_END: program

/// Is pending once.
async fn until_woken() {
    let mut polled = false;
    poll_fn(|_| match std::mem::replace(&mut polled, true) {
        false => Poll::Pending,
        true => Poll::Ready(()),
    })
    .await
}

fn main() -> ExitCode {
    demo::run(|version| {
        Runtime::new()?.block_on(async {
            let sleep = sleep(Duration::from_millis(200));
            match version {
                Version::Failing => program(KeptOnce { sleep, has_left_its_waker: false }).await,
                Version::Mended => program(sleep).await,
            }
        });
        println!("block_on returned.");
        Ok(())
    })
}
