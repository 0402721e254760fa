//! You call an async function. Has it begun?
//!
//! Predict: which lines does the failing version print, and in what order?
//!
//! ```text
//! cargo run -p ch02-future --example calling_does_not_start
//! cargo run -p ch02-future --example calling_does_not_start -- mended
//! ```

use std::cell::RefCell;
use std::pin::pin;
use std::process::ExitCode;
use std::task::Waker;

use ch02_future::poll_once;
use conformance::demo::{self, Version};

async fn save(letter: &str, disk: &RefCell<Vec<String>>) {
    println!("save: writing \"{letter}\"");
    disk.borrow_mut().push(letter.to_string());
}

fn main() -> ExitCode {
    demo::run(|version| {
        let disk = RefCell::new(Vec::new());

        // ANCHOR: difference
        println!("main: calling save");
        let saving = pin!(save("Dear reader", &disk));
        println!("main: save has returned");

        if version == Version::Mended {
            println!("main: polling what it returned");
            let _ready = poll_once(saving, Waker::noop());
        }
        // ANCHOR_END: difference

        match disk.borrow().len() {
            0 => Err("The disk is empty: the letter was never written.".into()),
            letters => {
                println!("The disk holds {letters} letter.");
                Ok(())
            }
        }
    })
}
