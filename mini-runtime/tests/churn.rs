//! Connections opened, used and closed, 20,000 of them, or as many as the environment variable `CHURN` says:
//! no descriptor, no task, no slot and no byte is left behind. Alone in its file, because it counts what is
//! allocated.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::env;
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use common::{descriptors, on_both_drivers, runtime, turns};
use futures::{AsyncReadExt as PolledRead, AsyncWriteExt as PolledWrite};
use mini_runtime::io::{AsyncReadOwned, AsyncWriteOwned};
use mini_runtime::net::{TcpListener, TcpStream};
use mini_runtime::task::JoinSet;
use mini_runtime::time::timeout;
use mini_runtime::{Runtime, spawn};
use rustix::net::sockopt::set_socket_linger;

const CLIENTS: usize = 50;

/// The system's allocator, and how much it has given to each thread, and not got back from it.
struct Counting;

thread_local! {
    static BLOCKS: Cell<isize> = const { Cell::new(0) };
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

fn count(blocks: isize, bytes: isize) {
    BLOCKS.set(BLOCKS.get() + blocks);
    BYTES.set(BYTES.get() + bytes);
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: the work is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-1, -(layout.size() as isize));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) };
    }
}

/// What there is at a time.
#[derive(Debug)]
struct Held {
    descriptors: usize,
    blocks: isize,
    bytes: isize,
}

impl Held {
    fn now() -> Held {
        let descriptors = descriptors();
        Held { descriptors, blocks: BLOCKS.get(), bytes: BYTES.get() }
    }
}

/// How many connections there are to be.
fn connections() -> usize {
    let wanted = env::var("CHURN").ok();
    wanted.map_or(20_000, |number| number.parse().expect("CHURN is a number of connections"))
}

/// Answers until the other side is done, in one of the two styles.
async fn serve(mut stream: TcpStream, style: usize) {
    let mut buffer = vec![0; 64];
    loop {
        let read = if style.is_multiple_of(2) {
            buffer.clear();
            let read;
            (read, buffer) = stream.read(buffer).await;
            read
        } else {
            buffer.resize(64, 0);
            PolledRead::read(&mut stream, &mut buffer).await
        };
        // The end, or a reset.
        let Ok(length @ 1..) = read else { return };
        buffer.truncate(length);
        let written;
        if style.is_multiple_of(2) {
            (written, buffer) = stream.write_all(buffer).await;
        } else {
            written = PolledWrite::write_all(&mut stream, &buffer).await;
        }
        if written.is_err() {
            return;
        }
    }
}

/// Connects, asks, hears the answer, and goes in one of several ways.
async fn ask(address: SocketAddr, number: usize) {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let question = number.to_ne_bytes().to_vec();
    stream.write_all(question).await.0.expect("it is connected");
    let answer = stream.read_exact(Vec::with_capacity(8));
    let (read, answer) = timeout(Duration::from_secs(1000), answer).await.expect("it answers");
    read.expect("it answers");
    assert_eq!(answer, number.to_ne_bytes());
    match number % 4 {
        0 => {}
        1 => {
            stream.shutdown(Shutdown::Write).expect("it is connected");
            let (end, _) = stream.read(Vec::with_capacity(8)).await;
            assert_eq!(end.expect("it closes, too"), 0);
        }
        2 => set_socket_linger(&stream, Some(Duration::ZERO)).expect("it is a socket"),
        _ => {
            // In the middle of something.
            let read = stream.read(Vec::with_capacity(8));
            assert!(timeout(Duration::ZERO, read).await.is_err());
        }
    }
}

/// So many connections, and then a look at what is left.
async fn churn(runtime: &Runtime, port: u16, connections: usize) -> Held {
    let mut clients = JoinSet::new();
    let next = Rc::new(Cell::new(0));
    for _ in 0..CLIENTS {
        let next = next.clone();
        clients.spawn(async move {
            while next.get() < connections {
                let number = next.replace(next.get() + 1);
                // On one address, the system would run out of ports.
                let address = SocketAddr::from(([127, 0, 0, 1 + (number % 200) as u8], port));
                ask(address, number).await;
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.expect("it does not panic");
    }
    drop((clients, next));
    // The listener stays, and who waits for it.
    while !format!("{runtime:?}").contains("tasks: 1, timers: 0, slots: 1,") {
        turns(1).await;
    }
    Held::now()
}

on_both_drivers! {
    /// After a first few thousand, by which all tables have the size that they need.
    fn what_was_opened_used_and_closed_leaves_nothing_behind(driver) {
        // What a process allocates once.
        drop(runtime(driver));
        let before = Held::now();
        let runtime = runtime(driver);
        runtime.block_on(async {
            let listener = TcpListener::bind("0.0.0.0:0").expect("a port is free");
            let port = listener.local_addr().expect("it is bound").port();
            let server = spawn(async move {
                for style in 0.. {
                    let (stream, _) = listener.accept().await.expect("descriptors are left");
                    drop(spawn(serve(stream, style)));
                }
            });
            let early = churn(&runtime, port, 4000).await;
            let late = churn(&runtime, port, connections()).await;
            assert_eq!(late.descriptors, early.descriptors);
            // A table that grows once more is no leak. One block for each connection would be.
            assert!(late.blocks <= early.blocks + 20, "{early:?}, later {late:?}");
            assert!(late.bytes <= early.bytes + 16 * 1024, "{early:?}, later {late:?}");
            server.abort();
            assert!(server.await.expect_err("it was aborted").is_cancelled());
        });
        drop(runtime);
        let after = Held::now();
        assert_eq!(after.descriptors, before.descriptors);
        assert!(after.blocks <= before.blocks + 5, "{before:?}, later {after:?}");
    }
}
