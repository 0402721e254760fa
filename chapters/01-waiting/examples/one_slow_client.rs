//! One thread, one client at a time. Ann connects, says half a word, and thinks. Then Bob connects,
//! and says a whole one.
//!
//! Predict: what does Bob get, and when?
//!
//! `cargo run -p ch01-waiting --example one_slow_client`            serves them with `blocking`
//! `cargo run -p ch01-waiting --example one_slow_client -- mended`  serves them with `threads`

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;

use ch01_waiting::{blocking, threads};
use conformance::demo::{self, Version};

fn main() -> ExitCode {
    demo::run(|version| {
        // ANCHOR: difference
        let serve = match version {
            Version::Failing => blocking::serve,
            Version::Mended => threads::serve,
        };
        // ANCHOR_END: difference
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = thread::spawn(move || serve(listener, 2));

        let mut ann = TcpStream::connect(address)?;
        ann.write_all(b"hel")?;
        ann.read_exact(&mut [0; 3])?;
        println!("Ann said \"hel\" and got it back. Now she thinks.");

        let mut bob = TcpStream::connect(address)?;
        bob.write_all(b"hello")?;
        println!("Bob said \"hello\", and waits for it to come back.");
        bob.read_exact(&mut [0; 5])?;
        println!("Bob got it back, while Ann still thinks.");

        drop((ann, bob));
        let stats = server.join().map_err(|_| "the server panicked")??;
        println!("Both hung up. {} clients were served.", stats.served);
        Ok(())
    })
}
