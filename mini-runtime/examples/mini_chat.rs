//! A chat over TCP: `cargo run --release -q -p mini-runtime --example mini_chat -- 127.0.0.1:4000`, then
//! `nc 127.0.0.1 4000` in two terminals. The first line is your name.
//!
//! Two tasks for each client: one reads its lines and hands them to everybody, one writes what is handed to
//! it. Between them are channels. A client that does not read what it is sent is cut off when its channel
//! is full, so that it keeps nobody waiting.

use std::cell::RefCell;
use std::collections::HashMap;
use std::env;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;

use futures::StreamExt;
use futures::channel::mpsc;
use mini_runtime::io::{AsyncReadOwned, AsyncWriteOwned, IoBuf};
use mini_runtime::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use mini_runtime::net::{TcpListener, TcpStream};
use mini_runtime::task::JoinHandle;
use mini_runtime::{Runtime, spawn};

/// A line may have as many bytes. What is longer ends the connection.
const MAX_LINE: usize = 1024;
/// How many lines may wait for a client.
const MAX_WAITING: usize = 100;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address] = arguments.as_slice() else {
        eprintln!("usage: mini_chat ADDRESS, for example: mini_chat 127.0.0.1:4000");
        return ExitCode::from(2);
    };
    match run(address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mini_chat: cannot serve on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(address: &str) -> io::Result<()> {
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address)?;
        println!("Listening on {}", listener.local_addr()?);
        println!("on {}", runtime.driver());
        let room = Rc::new(Room::default());
        loop {
            match listener.accept().await {
                Ok((stream, from)) => drop(spawn(talk(stream, from, room.clone()))),
                // It concerns one client, or is over as soon as another one has gone.
                Err(error) => eprintln!("mini_chat: {error}"),
            }
        }
    })
}

/// Everybody who is there. All tasks are on one thread, so they share it without a lock.
#[derive(Default)]
struct Room(RefCell<HashMap<SocketAddr, Member>>);

struct Member {
    lines: mpsc::Sender<Rc<str>>,
    writing: JoinHandle<()>,
}

impl Room {
    /// Lets a client in, and greets it.
    fn enter(&self, client: SocketAddr, name: &str, writer: OwnedWriteHalf) {
        let (mut lines, handed_over) = mpsc::channel(MAX_WAITING);
        let others = self.0.borrow().len();
        // There is room for the first line.
        let _ = lines.try_send(format!("* welcome, {name}: {others} others are here\n").into());
        let writing = spawn(deliver(handed_over, writer));
        self.0.borrow_mut().insert(client, Member { lines, writing });
    }

    fn has(&self, client: SocketAddr) -> bool {
        self.0.borrow().contains_key(&client)
    }

    fn leave(&self, client: SocketAddr) {
        if let Some(member) = self.0.borrow_mut().remove(&client) {
            member.writing.abort();
        }
    }

    /// Hands a line to everybody but its author.
    fn say(&self, author: SocketAddr, line: &str) {
        let line: Rc<str> = line.into();
        self.0.borrow_mut().retain(|client, member| {
            let is_heard = *client == author || member.lines.try_send(line.clone()).is_ok();
            if !is_heard {
                // Too slow, or gone already.
                member.writing.abort();
            }
            is_heard
        });
    }
}

// ANCHOR: talk
/// From the first line of a client to its last.
async fn talk(stream: TcpStream, client: SocketAddr, room: Rc<Room>) {
    let (reader, writer) = stream.into_split();
    let mut lines = Lines { reader, received: Vec::new() };
    // An error is the end of a client, as the end is.
    let Ok(Some(name)) = lines.next().await else { return };
    room.enter(client, &name, writer);
    room.say(client, &format!("* {name} is here\n"));
    while let Ok(Some(line)) = lines.next().await
        && room.has(client)
    {
        room.say(client, &format!("{name}: {line}\n"));
    }
    room.leave(client);
    room.say(client, &format!("* {name} has gone\n"));
}
// ANCHOR_END: talk

/// Writes what is handed over. Its end drops the writing half, and the client reads that this was all.
async fn deliver(mut lines: mpsc::Receiver<Rc<str>>, writer: OwnedWriteHalf) {
    let mut bytes = Vec::new();
    while let Some(line) = lines.next().await {
        bytes.clear();
        bytes.extend_from_slice(line.as_bytes());
        let written;
        (written, bytes) = writer.write_all(bytes).await;
        if written.is_err() {
            return;
        }
    }
}

/// Cuts what comes into lines.
struct Lines {
    reader: OwnedReadHalf,
    received: Vec<u8>,
}

impl Lines {
    /// The next line, without its end. `None` if there is none.
    ///
    /// # Errors
    /// That of the connection, and `InvalidData` if a line is too long.
    async fn next(&mut self) -> io::Result<Option<String>> {
        let mut searched = 0;
        loop {
            if let Some(length) = self.received[searched..].iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=searched + length).collect();
                return Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()));
            }
            searched = self.received.len();
            if searched > MAX_LINE {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let mut buffer = std::mem::take(&mut self.received);
            buffer.reserve(MAX_LINE);
            let room = buffer.capacity();
            let (read, slice) = self.reader.read(buffer.slice(searched..room)).await;
            self.received = slice.into_inner();
            if read? == 0 {
                return Ok(None);
            }
        }
    }
}
