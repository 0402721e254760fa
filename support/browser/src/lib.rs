//! The built book in a real browser: headless Chromium, driven through chromedriver.
//!
//! - [`Book`] knows the pages, and what they weigh.
//! - [`Server`] serves them on the loopback interface. Tests that break a page do it here.
//! - [`Browser`] opens a page in a [`View`] and says what the page complains of.
//! - [`pages`] holds what every page has to keep.
//! - [`replay`] walks through the replays of a page by real keys.
//!
//! Nothing here fails at the first fault. Each look at a page gives a list of sentences that name what
//! is wrong with it, and a test holds that the list is empty. `tests/book.rs` looks at the book,
//! `tests/pages.rs` at the pages that `cargo x replay` makes, and `tests/broken.rs` at pages that are broken
//! by intent, of which every fault has to be seen.

mod book;
mod browser;
pub mod pages;
pub mod replay;
mod server;

pub use book::Book;
pub use browser::{Browser, Scripts, Theme, View, with_browser};
pub use server::Server;

use anyhow::{Result, ensure};

/// Holds that nothing was found.
///
/// # Errors
/// With all that was found, a line for each.
pub fn none(problems: &[String]) -> Result<()> {
    ensure!(problems.is_empty(), "{} faults:\n{}", problems.len(), problems.join("\n"));
    Ok(())
}
