//! Panics of code that is not ours, and that nobody waits for.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a waker, or the drop of something that nobody wants. If that panics, the panic hook has told so,
/// and it goes no further: whoever happens to run this is not the one to blame.
pub(crate) fn contain(body: impl FnOnce()) {
    let Err(payload) = catch_unwind(AssertUnwindSafe(body)) else { return };
    // What was thrown may panic in its drop again, and so on: there has to be an end.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(payload);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::contain;

    struct Again;

    impl Drop for Again {
        fn drop(&mut self) {
            panic_any(Again);
        }
    }

    #[test]
    fn a_panic_goes_no_further_also_if_what_it_throws_panics_when_it_is_dropped() {
        contain(|| panic!("as it should"));
        contain(|| panic_any(Again));
    }
}
