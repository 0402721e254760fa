//~ error: future cannot be sent between threads safely
//~ has type `std::sync::MutexGuard<'_, u32>` which is not `Send`
//! A task that lets the lock go before it waits. The compiler does not ask what was moved out of a
//! variable. It asks where its block ends.

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
    drop(guard);
    ready(()).await;
}
// ANCHOR_END: failing

// ANCHOR: mended
#[cfg(mended)]
async fn count(total: Arc<Mutex<u32>>) {
    add_one(&total);
    ready(()).await;
}

#[cfg(mended)]
fn add_one(total: &Mutex<u32>) {
    let mut guard = total.lock().expect("nobody panics");
    *guard += 1;
}
// ANCHOR_END: mended

pub fn start() {
    spawn(count(Arc::default()));
}
