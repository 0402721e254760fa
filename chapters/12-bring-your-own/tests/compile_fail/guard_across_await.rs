//~ error: future cannot be sent between threads safely
//~ has type `std::sync::MutexGuard<'_, u32>` which is not `Send`
//! A task that holds a lock while it waits.

use std::future::ready;
use std::sync::{Arc, Mutex};

fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    drop(future);
}

// ANCHOR: failing
#[cfg(not(mended))]
async fn count(total: Arc<Mutex<u32>>) {
    let mut guard = total.lock().expect("nobody panics");
    *guard += 1;
    ready(()).await;
}
// ANCHOR_END: failing

// ANCHOR: mended
#[cfg(mended)]
async fn count(total: Arc<Mutex<u32>>) {
    {
        let mut guard = total.lock().expect("nobody panics");
        *guard += 1;
    }
    ready(()).await;
}
// ANCHOR_END: mended

pub fn start() {
    spawn(count(Arc::default()));
}
