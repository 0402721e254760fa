//! One thread, never blocked: it asks every client in turn whether there is something to read. A
//! client says hello, and then nothing for half a second.
//!
//! Predict: how often does the server ask in that time? How much CPU time does it use?
//!
//! `cargo run -p ch01-waiting --example spin_burns`            serves the client with `spin`
//! `cargo run -p ch01-waiting --example spin_burns -- mended`  serves the client with `callbacks`

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use ch01_waiting::{callbacks, spin};
use conformance::demo::{self, Version};
use nix::sys::resource::{UsageWho, getrusage};

/// How long the client says nothing.
const SILENCE: Duration = Duration::from_millis(500);

/// The two servers ask in vain either never or all the time. This tells the one from the other.
const MANY: u64 = 1000;

fn main() -> ExitCode {
    demo::run(|version| {
        let serve = match version {
            Version::Failing => spin::serve,
            Version::Mended => callbacks::serve,
        };
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = thread::spawn(move || Ok::<_, io::Error>((serve(listener, 1)?, cpu_time()?)));

        let mut client = TcpStream::connect(address)?;
        client.write_all(b"hello")?;
        client.read_exact(&mut [0; 5])?;
        println!("The client said hello and got it back. Now it says nothing for {SILENCE:?}.");
        thread::sleep(SILENCE);
        drop(client);

        let (stats, cpu_time) = server.join().map_err(|_| "the server panicked")??;
        println!("The server asked in vain {} times.", stats.would_block);
        println!("It was woken by epoll {} times.", stats.wakeups);
        println!("It used {} ms of CPU time.", cpu_time.as_millis());
        if stats.would_block > MANY {
            return Err("A client that says nothing keeps a core busy.".into());
        }
        Ok(())
    })
}

/// The CPU time that this thread has used so far.
fn cpu_time() -> io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    let [user, system] = [usage.user_time(), usage.system_time()]
        .map(|time| Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1000));
    Ok(user + system)
}
