//! A thread for each client. 100 clients connect, say hello, and then nothing.
//!
//! Predict: how many threads does the server have now? How much memory do they take, and how much
//! of it is in use?
//!
//! `cargo run -p ch01-waiting --example silent_clients`            serves them with `threads`
//! `cargo run -p ch01-waiting --example silent_clients -- mended`  serves them with `callbacks`

use std::error::Error;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;

use ch01_waiting::{callbacks, threads};
use conformance::demo::{self, Version};

const CLIENTS: usize = 100;

fn main() -> ExitCode {
    demo::run(|version| {
        let serve = match version {
            Version::Failing => threads::serve,
            Version::Mended => callbacks::serve,
        };
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = thread::spawn(move || serve(listener, 1 + CLIENTS));

        // The server is up, with all that it needs for itself, when the first one has its answer.
        let mut clients = hello(address, 1)?;
        let before = Cost::now()?;
        clients.extend(hello(address, CLIENTS)?);
        let now = Cost::now()?;
        let threads = now.threads.saturating_sub(before.threads);
        println!("{CLIENTS} clients said hello and got it back. Now they say nothing.");
        println!("More threads than before: {threads}.");
        println!("More address space: {} MiB.", now.virt.saturating_sub(before.virt) >> 10);
        println!("More memory in use: {} KiB.", now.resident.saturating_sub(before.resident));

        drop(clients);
        server.join().map_err(|_| "the server panicked")??;
        if threads >= CLIENTS {
            return Err("Each client that says nothing costs a thread that does nothing.".into());
        }
        Ok(())
    })
}

fn hello(server: SocketAddr, clients: usize) -> io::Result<Vec<TcpStream>> {
    let mut greeted = Vec::new();
    for _ in 0..clients {
        let mut client = TcpStream::connect(server)?;
        client.write_all(b"hello")?;
        greeted.push(client);
    }
    for client in &mut greeted {
        client.read_exact(&mut [0; 5])?;
    }
    Ok(greeted)
}

/// What the process holds, as the kernel counts it. Memory is in KiB.
struct Cost {
    threads: usize,
    virt: usize,
    resident: usize,
}

impl Cost {
    fn now() -> Result<Cost, Box<dyn Error>> {
        let status = fs::read_to_string("/proc/self/status")?;
        let field = |name: &str| -> Result<usize, Box<dyn Error>> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let word = line.and_then(|line| line.split_whitespace().next());
            Ok(word.ok_or_else(|| format!("no {name} in the status"))?.parse()?)
        };
        Ok(Cost {
            threads: field("Threads:")?,
            virt: field("VmSize:")?,
            resident: field("VmRSS:")?,
        })
    }
}
