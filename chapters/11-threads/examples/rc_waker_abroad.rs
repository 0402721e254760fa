//! Fault S4. A task waits for an answer, and shares its waker with the thread that has to find it. That
//! thread wants a waker of its own, and clones the shared one.
//!
//! Predict: nobody has woken anything yet, and nothing was dropped. What could be wrong with a clone?
//!
//! Run `cargo run -p ch11-threads --example rc_waker_abroad`, and then with `-- mended`: the same
//! program on this chapter's executor.

use std::error::Error;
use std::future::poll_fn;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};

use ch05_executor::spawn;
use ch11_threads::oneshot;
use conformance::demo::{self, Version};

// ANCHOR: main
fn main() -> ExitCode {
    demo::run(|version| {
        match version {
            // Its tasks are chapter 4's.
            Version::Failing => ch09_fairness::Runtime::new(Default::default())?.block_on(ask()),
            Version::Mended => ch11_threads::Runtime::new(Default::default())?.block_on(ask()),
        }?;
        Ok::<(), Box<dyn Error>>(())
    })
}
// ANCHOR_END: main

// ANCHOR: ask
async fn ask() -> Result<(), oneshot::Canceled> {
    let (tell, told) = oneshot::channel();
    // In a task, because the main future's waker may travel since chapter 5.
    spawn(async move {
        let answer = answer_of_another_thread().await;
        println!("task: the answer is {answer}.");
        tell.send(()).expect("the main future waits");
    });
    told.await
}

async fn answer_of_another_thread() -> u32 {
    let answer = Arc::new(OnceLock::new());
    let mut shared: Option<Arc<Waker>> = None;
    poll_fn(|cx| {
        if let Some(answer) = answer.get() {
            return Poll::Ready(*answer);
        }
        println!("task: no answer yet. I share my waker with another thread.");
        let waker = shared.insert(Arc::new(cx.waker().clone())).clone();
        let answer = answer.clone();
        demo::spawn_when_asleep(move || {
            println!("thread: I take a waker of my own.");
            let own = Waker::clone(&waker);
            drop(waker);
            println!("thread: I have it. And I have the answer, so I wake the task.");
            let _ = answer.set(42);
            own.wake();
        });
        Poll::Pending
    })
    .await
}
// ANCHOR_END: ask
