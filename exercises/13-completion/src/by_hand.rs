//! An echo server in one loop around the two queues of a ring.
//!
//! No futures, no tasks: what comes next is decided by what has just been completed. It is chapter 1's
//! server with callbacks once more, and its shape is the reason for all that follows.

use std::io;
use std::mem;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use io_uring::types::Fd;
use io_uring::{IoUring, opcode, squeue};
use nix::libc::{MSG_NOSIGNAL, SOCK_CLOEXEC};

const ENTRIES: u32 = 256;
const BUFFER: usize = 4096;
/// The number of the accept in the user data. All others are those of connections.
const ACCEPT: u64 = u64::MAX;

struct Connection {
    socket: OwnedFd,
    /// Lent to the kernel for as long as the connection lives.
    buffer: Vec<u8>,
    turn: Turn,
}

enum Turn {
    /// The kernel writes to the buffer.
    Receive,
    /// The kernel reads this part of the buffer.
    Send { from: usize, to: usize },
}

impl Connection {
    fn entry(&mut self, number: usize) -> squeue::Entry {
        let socket = Fd(self.socket.as_raw_fd());
        let entry = match self.turn {
            Turn::Receive => {
                opcode::Recv::new(socket, self.buffer.as_mut_ptr(), BUFFER as u32).build()
            }
            Turn::Send { from, to } => {
                let bytes = &self.buffer[from..to];
                opcode::Send::new(socket, bytes.as_ptr(), bytes.len() as u32)
                    .flags(MSG_NOSIGNAL)
                    .build()
            }
        };
        entry.user_data(number as u64)
    }

    /// What comes after so many bytes were received or sent. `None` at the end.
    fn next_turn(&self, done: usize) -> Option<Turn> {
        match self.turn {
            Turn::Receive if done == 0 => None,
            Turn::Receive => Some(Turn::Send { from: 0, to: done }),
            Turn::Send { from, to } if from + done < to => {
                Some(Turn::Send { from: from + done, to })
            }
            Turn::Send { .. } => Some(Turn::Receive),
        }
    }
}

/// Accepts this many connections, one after the other, and sends back what each of them says. Returns
/// when all have come and gone.
///
/// See the section "Two queues" of chapter 13.
///
/// # Errors
/// If there is no ring, or if the kernel accepts no more connections.
pub fn echo(listener: &TcpListener, connections: usize) -> io::Result<()> {
    let ring = crate::open(&IoUring::builder(), ENTRIES)?;
    let mut server = Server { ring, open: Vec::new(), flying: 0 };
    let mut outcome = Ok(());
    if connections > 0 {
        server.accept(listener)?;
    }
    while server.flying > 0 {
        // All that was pushed goes to the kernel, and the thread sleeps until something is done.
        server.wait()?;
        while let Some((number, done)) = server.next_completion() {
            match (number, done) {
                (ACCEPT, Ok(fd)) => {
                    server.welcome(fd as RawFd);
                    if server.open.len() < connections {
                        outcome = server.accept(listener);
                    }
                }
                (ACCEPT, Err(error)) => outcome = Err(error),
                (number, done) => server.go_on(number as usize, done),
            }
        }
    }
    outcome
}

struct Server {
    ring: IoUring,
    /// By number. `None` for those that have gone.
    open: Vec<Option<Connection>>,
    /// How many operations the kernel has, or is about to get.
    flying: usize,
}

impl Server {
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        let accept =
            opcode::Accept::new(Fd(listener.as_raw_fd()), ptr::null_mut(), ptr::null_mut())
                .flags(SOCK_CLOEXEC)
                .build()
                .user_data(ACCEPT);
        // SAFETY: it points to nothing, and the caller keeps the listener until nothing flies.
        unsafe { self.push(&accept) }
    }

    fn welcome(&mut self, fd: RawFd) {
        // SAFETY: the kernel has just made this descriptor, and told nobody else.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let buffer = vec![0; BUFFER];
        self.open.push(Some(Connection { socket, buffer, turn: Turn::Receive }));
        self.start(self.open.len() - 1);
    }

    /// So many bytes were received or sent: on to what comes after that.
    fn go_on(&mut self, number: usize, done: io::Result<usize>) {
        let connection = self.open[number].as_mut().expect("it is there until its last turn");
        match done.ok().and_then(|done| connection.next_turn(done)) {
            Some(turn) => {
                connection.turn = turn;
                self.start(number);
            }
            // The kernel has let go of the buffer: it can be freed, and the socket closed.
            None => self.open[number] = None,
        }
    }

    fn start(&mut self, number: usize) {
        let connection = self.open[number].as_mut().expect("it is there until its last turn");
        let entry = connection.entry(number);
        // SAFETY: the buffer is on the heap, and stays there until `go_on` hears of the completion.
        if unsafe { self.push(&entry) }.is_err() {
            self.open[number] = None;
        }
    }

    /// # Errors
    /// If the queue is full, and the kernel does not empty it. The entry is not in the queue then.
    ///
    /// # Safety
    /// What the entry points to is valid until its completion.
    unsafe fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: as the caller promises.
        while unsafe { self.ring.submission().push(entry) }.is_err() {
            self.ring.submit()?;
        }
        self.flying += 1;
        Ok(())
    }

    fn next_completion(&mut self) -> Option<(u64, io::Result<usize>)> {
        let completion = self.ring.completion().next()?;
        self.flying -= 1;
        // A negative result is the number of an error.
        let done = usize::try_from(completion.result())
            .map_err(|_| io::Error::from_raw_os_error(-completion.result()));
        Some((completion.user_data(), done))
    }

    fn wait(&mut self) -> io::Result<()> {
        match self.ring.submit_and_wait(1) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                // Nobody can tell any more when the kernel lets go of the buffers.
                mem::forget(mem::take(&mut self.open));
                Err(error)
            }
            _ => Ok(()),
        }
    }
}
