//~ error: future cannot be sent between threads safely
//~ await occurs here on type `impl Future<Output = ()>`, which is not `Send`
//! A library that spawns what a trait's `async fn` returns. Whether that is `Send` is up to each
//! implementation, and the trait does not say that it has to be.

fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    drop(future);
}

// ANCHOR: failing
#[cfg(not(mended))]
pub trait Backend: Send + Sync + 'static {
    async fn refresh(&self);
}
// ANCHOR_END: failing

// ANCHOR: mended
#[cfg(mended)]
pub trait Backend: Send + Sync + 'static {
    fn refresh(&self) -> impl Future<Output = ()> + Send;
}
// ANCHOR_END: mended

// ANCHOR: use
pub fn refresh_in_the_background(backend: impl Backend) {
    spawn(async move { backend.refresh().await });
}
// ANCHOR_END: use

/// Who implements the mended trait may still write an `async fn`.
pub struct Memory;

impl Backend for Memory {
    async fn refresh(&self) {}
}
