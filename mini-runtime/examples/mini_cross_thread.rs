//! A runtime on each of several threads, and how they reach one another:
//! `cargo run --release -q -p mini-runtime --example mini_cross_thread`.
//!
//! Each worker thread serves the same port, and the kernel deals out the clients (`SO_REUSEPORT`). The main
//! thread has a runtime of its own: it plays the clients, asks each worker in its own thread how many it has
//! served, and tells it to go. Nothing that a task owns is shared, so nothing is locked.

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use futures::channel::oneshot;
use mini_runtime::io::{AsyncReadOwned, AsyncWriteOwned};
use mini_runtime::net::{TcpListener, TcpSocket, TcpStream};
use mini_runtime::{Handle, Runtime, spawn};

const WORKERS: usize = 2;
const CLIENTS: usize = 1000;

thread_local! {
    /// How many clients this worker has served.
    static SERVED: Cell<usize> = const { Cell::new(0) };
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mini_cross_thread: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    // The first one chooses a port, and the others take the same.
    let mut address = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut workers = Vec::new();
    for number in 0..WORKERS {
        let (ready, is_ready) = mpsc::channel();
        let (stop, is_stopped) = oneshot::channel();
        let name = format!("worker {number}");
        let start = move || work(address, ready, is_stopped);
        let thread = thread::Builder::new().name(name).spawn(start)?;
        // Without an answer, the worker has failed: the thread says why.
        let Ok((handle, here)) = is_ready.recv() else {
            thread.join().expect("a worker does not panic")?;
            return Err("a worker has gone before it was told to".into());
        };
        address = here;
        workers.push((thread, handle, stop));
    }

    let runtime = Runtime::new()?;
    runtime.block_on(async {
        for number in 0..CLIENTS {
            ask(address, number).await?;
        }
        let mut all = 0;
        for (number, (_, handle, _)) in workers.iter().enumerate() {
            // This closure travels to the worker's thread, and its answer comes back.
            let served = handle.spawn(|| async { SERVED.get() }).await;
            let served = served.map_err(|error| io::Error::other(error.to_string()))?;
            println!("worker {number} has served {served}");
            all += served;
        }
        println!("together {all} clients, on {}", runtime.driver());
        io::Result::Ok(())
    })?;

    for (thread, _, stop) in workers {
        // The worker may have gone: then its result says why.
        let _ = stop.send(());
        thread.join().expect("a worker does not panic")?;
    }
    Ok(())
}

/// What each worker does: a runtime, a listener, and a task for each client.
fn work(
    address: SocketAddr,
    ready: mpsc::Sender<(Handle, SocketAddr)>,
    is_stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        let listener = socket.listen(1024)?;
        let here = listener.local_addr()?;
        let serving = spawn(serve(listener));
        // If nobody waits for this any more, nobody waits for the end, either.
        let _ = ready.send((runtime.handle(), here));
        let _ = is_stopped.await;
        serving.abort();
        Ok(())
    })
}

async fn serve(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(spawn(answer(stream))),
            Err(error) => eprintln!("mini_cross_thread: {error}"),
        }
    }
}

async fn answer(stream: TcpStream) {
    let (read, question) = stream.read_exact(Vec::with_capacity(8)).await;
    // Counted before the client can know of it.
    SERVED.set(SERVED.get() + 1);
    if read.is_ok() {
        // A client that has gone is answered in vain.
        let _ = stream.write_all(question).await;
    }
}

async fn ask(address: SocketAddr, number: usize) -> io::Result<()> {
    let stream = TcpStream::connect(address).await?;
    stream.write_all(number.to_ne_bytes().to_vec()).await.0?;
    let (read, answer) = stream.read_exact(Vec::with_capacity(8)).await;
    read?;
    if answer != number.to_ne_bytes() {
        return Err(io::Error::other("this is the answer to another question"));
    }
    Ok(())
}
