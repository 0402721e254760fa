//! A `block_on` over `std::thread::park`, and a future that uses a channel.
//!
//! Every thread has a parker from the start, with one token, so the loop below looks complete. But
//! the channels of std sleep by the same `park`. Predict: the signal is set before `block_on`
//! parks. Its wake left a token. Is it still there?
//!
//! `cargo run -p ch03-block-on --example stolen_token`
//! `cargo run -p ch03-block-on --example stolen_token -- mended`

use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use ch03_block_on::{block_on, signal};
use conformance::demo::{self, Version};
use trace::{Event, emit};
use waker_fn::waker_fn;

// ANCHOR: shared_token
fn block_on_shared_token<F: Future>(future: F) -> F::Output {
    let thread = thread::current();
    let waker = waker_fn(move || thread.unpark());
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => {
                emit!(Event::Park { timeout: None });
                thread::park();
                emit!(Event::Unpark);
            }
        }
    }
}
// ANCHOR_END: shared_token

fn main() -> ExitCode {
    demo::run(|version| {
        let answer = match version {
            Version::Failing => block_on_shared_token(answer())?,
            Version::Mended => block_on(answer())?,
        };
        println!("block_on returned {answer}.");
        Ok(())
    })
}

// ANCHOR: answer
/// A future that waits for a signal, and reads its mail in the meantime.
fn answer() -> impl Future<Output = Result<u32, Box<dyn Error>>> {
    let (setter, mut signal) = signal();
    let mut setter = Some(setter);

    poll_fn(move |context| {
        let poll = Pin::new(&mut signal).poll(context);
        if let Some(setter) = setter.take() {
            println!("future: the signal is not set. It has my waker now.");
            let other = thread::spawn(move || setter.set(42));
            if other.join().is_err() {
                return Poll::Ready(Err("the other thread panicked".into()));
            }
            println!("setter: the signal is set, and the waker was called.");
            let (_nobody_writes, mail) = channel::<String>();
            if mail.recv_timeout(Duration::from_millis(200)).is_err() {
                println!("future: no mail either. Pending.");
            }
        }
        poll.map(|answer| answer.ok_or("the signal was never set".into()))
    })
}
// ANCHOR_END: answer
