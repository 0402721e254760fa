//~ error: future cannot be sent between threads safely
//~ has type `&Cell<u32>` which is not `Send`
//! A task that has a reference to a `Cell` while it waits. A `Cell` may travel. A reference may travel
//! only if two threads may use what it points to.

#[cfg(not(mended))]
use std::cell::Cell;
use std::future::ready;
#[cfg(mended)]
use std::sync::atomic::{AtomicU32, Ordering};

fn spawn(future: impl Future<Output = ()> + Send) {
    drop(future);
}

// ANCHOR: failing
#[cfg(not(mended))]
async fn count(total: &Cell<u32>) {
    ready(()).await;
    total.set(total.get() + 1);
}
// ANCHOR_END: failing

// ANCHOR: mended
#[cfg(mended)]
async fn count(total: &AtomicU32) {
    ready(()).await;
    total.fetch_add(1, Ordering::Relaxed);
}
// ANCHOR_END: mended

pub fn start() {
    let total = Default::default();
    spawn(count(&total));
}
