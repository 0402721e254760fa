//~ error: future cannot be sent between threads safely
//~ has type `Rc<String>` which is not `Send`
//! A task that has an `Rc` in its hands while it waits.

use std::future::ready;
#[cfg(not(mended))]
use std::rc::Rc;
#[cfg(mended)]
use std::sync::Arc;

// ANCHOR: spawn
/// What an executor with many threads asks for.
fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    drop(future);
}
// ANCHOR_END: spawn

// ANCHOR: failing
#[cfg(not(mended))]
async fn greet(name: String) {
    let name = Rc::new(name);
    ready(()).await;
    println!("Hello, {name}");
}
// ANCHOR_END: failing

// ANCHOR: mended
#[cfg(mended)]
async fn greet(name: String) {
    let name = Arc::new(name);
    ready(()).await;
    println!("Hello, {name}");
}
// ANCHOR_END: mended

// ANCHOR: start
pub fn start() {
    spawn(greet("you".to_owned()));
}
// ANCHOR_END: start
