use std::fmt::Display;
use std::io::{self, Write};
use std::thread;

/// Says why this test, or a part of it, is left out on this machine. The line cannot be overlooked: it goes
/// past the test harness, which shows nothing of a test that passes. And `cargo x` does not take a test that
/// says it for one that has passed.
pub fn skip(why: impl Display) {
    let thread = thread::current();
    let test = thread.name().unwrap_or("a test");
    // With nobody there to read it, there is nobody to be told.
    let _ = writeln!(io::stderr(), "SKIPPED: {test}: {why}");
}
