//~ error[E0373]: async block may outlive the current function, but it borrows `name`
//! A task that looks at a variable of the function that has started it.

fn spawn(future: impl Future<Output = ()> + 'static) {
    drop(future);
}

// ANCHOR: failing
#[cfg(not(mended))]
pub fn start(name: String) {
    spawn(async { println!("Hello, {name}") });
}
// ANCHOR_END: failing

// ANCHOR: mended
#[cfg(mended)]
pub fn start(name: String) {
    spawn(async move { println!("Hello, {name}") });
}
// ANCHOR_END: mended
