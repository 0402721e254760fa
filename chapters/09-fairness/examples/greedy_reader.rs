//! A task that reads a stream in which there is always one more item.
//!
//! Nothing is wrong with the reader. It awaits each item. Nothing is wrong with the stream: it has the
//! item, and says so. A second task wants to run as well. Predict: how many items are read before it
//! has its first turn? There are 1,000,000, and the run budget is the default, 61.
//!
//! `cargo run -p ch09-fairness --example greedy_reader`
//! `cargo run -p ch09-fairness --example greedy_reader -- mended`

use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;

use ch09_fairness::{Config, Coop, Runtime, spawn};
use conformance::demo::{self, Version};
use futures::channel::oneshot;
use futures::{Stream, StreamExt, stream};

// ANCHOR: reader
async fn read_all(mut items: impl Stream<Item = u32> + Unpin, read: Rc<Cell<u32>>) {
    while items.next().await.is_some() {
        read.set(read.get() + 1);
    }
}
// ANCHOR_END: reader

fn main() -> ExitCode {
    demo::run(|version| {
        let before = Runtime::new(Config::default())?.block_on(async {
            let read = Rc::new(Cell::new(0));
            // ANCHOR: spawn
            let items = stream::iter(0..1_000_000);
            match version {
                Version::Failing => spawn(read_all(items, read.clone())),
                Version::Mended => spawn(read_all(Coop(items), read.clone())),
            }
            // ANCHOR_END: spawn
            let (tell, told) = oneshot::channel();
            spawn(async move {
                println!("other task: my first turn. {} items have been read.", read.get());
                tell.send(read.get()).expect("the main future waits");
            });
            told.await
        })?;
        match before {
            1_000_000 => Err("The reader gave the thread back when there was nothing left.".into()),
            _ => Ok(()),
        }
    })
}
