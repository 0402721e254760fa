//~ error[E0038]: the trait `Backend` is not dyn compatible
//! A list of backends of several types. The future of an `async fn` has a type and a size of its own in
//! each implementation, and a table of methods has no room for that.

#[cfg(mended)]
use std::pin::Pin;

// ANCHOR: failing
#[cfg(not(mended))]
pub trait Backend {
    async fn fetch(&self, key: u32) -> String;
}
// ANCHOR_END: failing

// ANCHOR: mended
#[cfg(mended)]
pub trait Backend {
    fn fetch(&self, key: u32) -> Pin<Box<dyn Future<Output = String> + Send + '_>>;
}
// ANCHOR_END: mended

// ANCHOR: use
pub async fn fetch_everywhere(backends: &[Box<dyn Backend>]) {
    for backend in backends {
        println!("{}", backend.fetch(7).await);
    }
}
// ANCHOR_END: use
