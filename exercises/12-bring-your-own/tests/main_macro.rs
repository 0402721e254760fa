//! An async `main` is an ordinary one that calls `block_on`.

use std::num::ParseIntError;
use std::time::Duration;

use ch11_threads::{Handle, spawn_blocking};
use conformance::{panic_text, watch};

/// Shows whether a runtime is there: tasks, a clock, other threads.
async fn uses_it() -> u32 {
    ch08_timers::sleep(Duration::from_millis(1)).await;
    ch10_join_cancel::spawn(async { 1 }).await.expect("no panic")
        + spawn_blocking(|| 2).await.expect("no panic")
}

mod without_output {
    ch12_bring_your_own::main! {
        async fn main() {
            assert_eq!(super::uses_it().await, 3);
        }
    }

    pub fn call() {
        main();
    }
}

mod with_an_output {
    use super::*;

    ch12_bring_your_own::main! {
        /// It may have attributes.
        #[inline(never)]
        #[must_use]
        async fn main() -> Result<u32, ParseIntError> {
            let number: u32 = "7".parse()?;
            let wrong: u32 = if uses_it().await == 3 { "seven".parse()? } else { 0 };
            Ok(number + wrong)
        }
    }

    pub fn call() -> Result<u32, ParseIntError> {
        main()
    }
}

mod that_panics {
    ch12_bring_your_own::main! {
        async fn main() -> u32 {
            panic!("as it should")
        }
    }

    pub fn call() -> u32 {
        main()
    }
}

#[test]
fn a_main_without_an_output_runs_on_a_runtime() {
    watch(without_output::call);
}

#[test]
fn a_main_with_an_output_returns_it_and_may_use_the_question_mark() {
    watch(|| {
        let error = with_an_output::call().expect_err("seven is no number");
        assert_eq!(error.to_string(), "invalid digit found in string");
    });
}

#[test]
fn a_main_that_panics_panics() {
    let text = panic_text(|| {
        watch(|| drop(that_panics::call().to_string()));
    });
    assert_eq!(text, "as it should");
}

#[test]
fn afterwards_no_runtime_is_there() {
    watch(|| {
        let handle = ch12_bring_your_own::run(async { Handle::current() });
        assert!(Handle::try_current().is_none());
        assert!(handle.spawn(async || ()).join().expect_err("it has gone").is_cancelled());
    });
}
