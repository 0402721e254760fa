use std::rc::Rc;

use futures::task::{LocalSpawn, LocalSpawnExt};
use scoped_tls::scoped_thread_local;

scoped_thread_local!(static SPAWNER: Rc<dyn LocalSpawn>);

/// Starts a task on the executor that runs on this thread. The task is polled after the caller has
/// given the thread back, in the order of spawning.
///
/// The future stays on this thread, so it need not be `Send`. It is dropped when it is done, or
/// with the executor.
///
/// See the section "How `spawn` finds the executor" of chapter 5.
///
/// # Panics
/// If no executor runs on this thread, or if the executor takes no tasks any more.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    assert!(is_entered(), "spawn was called outside of block_on: no executor runs on this thread");
    SPAWNER.with(|spawner| spawner.spawn_local(future)).expect("the executor has shut down");
}

/// Makes `spawner` the one that [`spawn`] finds on this thread, while `body` runs. Executors call
/// this around their loop.
///
/// See the section "How `spawn` finds the executor" of chapter 5.
///
/// # Panics
/// If an executor runs on this thread already: it could not go on before the inner one has ended.
pub fn enter<R>(spawner: &Rc<dyn LocalSpawn>, body: impl FnOnce() -> R) -> R {
    assert!(
        !is_entered(),
        "block_on was called inside of block_on: this thread runs an executor already, so await the \
         future instead"
    );
    SPAWNER.set(spawner, body)
}

/// Whether an executor runs on this thread.
pub fn is_entered() -> bool {
    SPAWNER.is_set()
}
