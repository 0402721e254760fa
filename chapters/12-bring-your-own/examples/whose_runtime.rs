//! A library reads a stream ahead, in the background. Its author has chosen tokio. This program has
//! chosen the runtime of this course. Both compile. Predict: how many items does `main` get, and what
//! does it hear?
//!
//! `cargo run -q -p ch12-bring-your-own --example whose_runtime` fails, and with `-- mended` behind
//! it, the library takes whatever executor it finds.

use std::pin::pin;
use std::process::ExitCode;

use ch11_threads::{Config, Runtime};
use ch12_bring_your_own::{Exec, ReadAhead};
use conformance::demo::{self, Version};
use futures::channel::mpsc::channel;
use futures::future::Either;
use futures::{SinkExt, Stream, StreamExt, stream};

// ANCHOR: library
fn read_ahead_on_tokio<T: Send + 'static>(
    source: impl Stream<Item = T> + Send + 'static,
) -> impl Stream<Item = T> + Unpin {
    let (mut sender, receiver) = channel(1);
    tokio::spawn(async move {
        let mut items = pin!(source);
        while let Some(item) = items.next().await {
            if sender.send(item).await.is_err() {
                return;
            }
        }
    });
    receiver
}
// ANCHOR_END: library

fn main() -> ExitCode {
    demo::run(|version| {
        Runtime::new(Config::default())?.block_on(async {
            println!("main: I run on chapter 11's runtime, and ask the library to read ahead.");
            // ANCHOR: program
            let source = stream::iter(1..=3);
            let mut items = match version {
                Version::Failing => Either::Left(read_ahead_on_tokio(source)),
                Version::Mended => Either::Right(ReadAhead::new(source, 2, &Exec::default())?),
            };
            while let Some(item) = items.next().await {
                println!("main: I have got item {item}.");
            }
            // ANCHOR_END: program
            Ok(())
        })
    })
}
