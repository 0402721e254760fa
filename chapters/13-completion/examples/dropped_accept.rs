//! A server waits for a client, has enough of it, and drops the future: three times. Each time a client
//! comes when it is too late.
//!
//! Predict: how many file descriptors are open at the end that were not open at the beginning?
//!
//! Run `cargo run -p ch13-completion --example dropped_accept`, and then with `-- mended`.

use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::ptr;
use std::rc::Rc;
use std::time::Duration;

use ch13_completion::{Driver, enter, open};
use conformance::demo::{self, Version};
use conformance::replay::say;
use io_uring::types::Fd;
use io_uring::{IoUring, opcode};
use trace::{Event, OpKind, emit};

const ROUNDS: u64 = 3;

fn main() -> ExitCode {
    demo::run(|version| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let left_open = match version {
            Version::Failing => failing(listener)?,
            Version::Mended => mended(listener)?,
        };
        println!("{ROUNDS} clients came too late, and have gone again.");
        match left_open {
            0 => println!("All descriptors are closed."),
            left => {
                return Err(format!("{left} descriptors are open, and nobody knows them.").into());
            }
        }
        Ok(())
    })
}

fn descriptors() -> io::Result<usize> {
    Ok(fs::read_dir("/proc/self/fd")?.count())
}

fn a_client_comes_and_goes(address: SocketAddr) -> io::Result<()> {
    TcpStream::connect(address).map(drop)
}

// ANCHOR: failing
fn failing(listener: TcpListener) -> Result<usize, Box<dyn Error>> {
    let mut ring = open(&IoUring::builder(), 8)?;
    let before = descriptors()?;
    // The numbers of those futures that wait.
    let mut waiting = HashSet::new();
    for number in 1..=ROUNDS {
        let accept =
            opcode::Accept::new(Fd(listener.as_raw_fd()), ptr::null_mut(), ptr::null_mut());
        // SAFETY: the entry points to nothing, and the listener stays open.
        unsafe { ring.submission().push(&accept.build().user_data(number)) }?;
        emit!(Event::Sqe { op: number, kind: OpKind::Accept });
        waiting.insert(number);
        let count = ring.submit()?;
        emit!(Event::Submit { count });

        // The future is dropped, and does not wait any more.
        waiting.remove(&number);

        a_client_comes_and_goes(listener.local_addr()?)?;
        ring.submit_and_wait(1)?;
        for completion in ring.completion() {
            emit!(Event::Cqe { op: completion.user_data(), ok: completion.result() >= 0 });
            if waiting.contains(&completion.user_data()) {
                println!("Descriptor {} is for {number}.", completion.result());
            }
            // Otherwise it is for nobody: on to the next one.
        }
        say(format!("Open, and not at the beginning: {}.", descriptors()? - before));
    }
    Ok(descriptors()? - before)
}
// ANCHOR_END: failing

// ANCHOR: mended
fn mended(listener: TcpListener) -> Result<usize, Box<dyn Error>> {
    let driver = Rc::new(Driver::new(8)?);
    let listener = enter(&driver, || ch13_completion::TcpListener::from_std(listener));
    let before = descriptors()?;
    for _ in 0..ROUNDS {
        let accept = listener.start_accept();
        driver.wait(Some(Duration::ZERO))?;

        a_client_comes_and_goes(listener.local_addr()?)?;
        // The operation stays with the driver. What comes of it is an `OwnedFd`, which is dropped.
        drop(accept);
        while driver.in_flight() > 0 {
            driver.wait(None)?;
        }
        say(format!("Open, and not at the beginning: {}.", descriptors()? - before));
    }
    Ok(descriptors()? - before)
}
// ANCHOR_END: mended
