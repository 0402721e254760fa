//! Prints a file that is read through the ring:
//! `cargo run -q -p ch13-completion --example cat -- README.md`.

use std::env;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::rc::Rc;

use ch13_completion::{Driver, File, block_on};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [path] = arguments.as_slice() else {
        eprintln!("usage: cat FILE");
        return ExitCode::from(2);
    };
    let printed = Driver::new(8).and_then(|driver| block_on(&Rc::new(driver), print(path)));
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read this has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cat: {path} cannot be printed: {error}");
            ExitCode::FAILURE
        }
    }
}

// ANCHOR: print
async fn print(path: &str) -> io::Result<()> {
    let file = File::open(path)?;
    let (mut buffer, mut offset) = (Vec::with_capacity(64 * 1024), 0);
    loop {
        let (length, read) = file.read_at(buffer, offset).await;
        offset += length? as u64;
        if read.is_empty() {
            return file.close().await;
        }
        io::stdout().write_all(&read)?;
        buffer = read;
    }
}
// ANCHOR_END: print
