//! As `bare_uring`, and the kernel picks the buffers: each connection has one receive that goes on for ever,
//! and what has come in is sent from where it is. It shows what provided buffers are worth at best, because
//! nothing is copied, and no caller wants to have a buffer of his own.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::{BufRingEntry, Fd};
use io_uring::{IoUring, SubmissionQueue, cqueue, opcode, squeue};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

use super::bare_uring::{ACCEPT, ENTRIES, accepted, full, result, ring};
use super::{BUFFER, announce};

/// As many buffers as there may be operations.
const BUFFERS: u16 = ENTRIES as u16;
const GROUP: u16 = 0;
/// The bit of the user data by which a send is told from a receive.
const SEND: u64 = 1 << 32;

/// Memory that the kernel picks buffers from, and the ring in which they are given to it. Both are never
/// unmapped: after an error, the kernel may still write to them.
struct Buffers {
    ring: NonNull<BufRingEntry>,
    memory: NonNull<u8>,
    tail: u16,
}

impl Buffers {
    fn new(ring: &IoUring) -> io::Result<Buffers> {
        let buffers = Buffers {
            ring: map(usize::from(BUFFERS) * mem::size_of::<BufRingEntry>())?.cast(),
            memory: map(usize::from(BUFFERS) * BUFFER)?,
            tail: 0,
        };
        let address = buffers.ring.as_ptr().expose_provenance() as u64;
        // SAFETY: it is a mapping of its own, of that many entries, and is never unmapped.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(address, BUFFERS, GROUP, 0)?;
        }
        Ok(buffers)
    }

    fn at(&self, buffer: u16) -> *mut u8 {
        assert!(buffer < BUFFERS, "the kernel picks a buffer that there is");
        // SAFETY: the memory has room for all buffers.
        unsafe { self.memory.as_ptr().add(usize::from(buffer) * BUFFER) }
    }

    /// Gives a buffer to the kernel.
    fn give(&mut self, buffer: u16) {
        let address = self.at(buffer).expose_provenance() as u64;
        // SAFETY: the place is one of the mapping, and the kernel reads it only after the tail says so. It
        // is zeroed, so it is an entry. The tail is where a part of the first entry is that is no entry's.
        unsafe {
            let entry = &mut *self.ring.as_ptr().add(usize::from(self.tail % BUFFERS));
            entry.set_addr(address);
            entry.set_len(BUFFER as u32);
            entry.set_bid(buffer);
            self.tail = self.tail.wrapping_add(1);
            let tail = BufRingEntry::tail(self.ring.as_ptr()).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }
}

fn map(length: usize) -> io::Result<NonNull<u8>> {
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping, at an address that the kernel picks.
    let memory = unsafe { mmap_anonymous(ptr::null_mut(), length, protection, MapFlags::PRIVATE)? };
    Ok(NonNull::new(memory.cast()).expect("no mapping is at 0"))
}

struct Connection {
    stream: TcpStream,
    /// What has come in, and was not sent yet: buffer, and which of its bytes. The first is being sent.
    received: VecDeque<(u16, u32, u32)>,
    /// The receive has told of the end, or of an error.
    is_over: bool,
}

pub fn echo(connections: usize) -> io::Result<u64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    announce(listener.local_addr()?)?;
    let mut all: Vec<Option<Connection>> = Vec::new();
    let mut closed = 0;
    let mut bytes = 0;
    let mut ring = ring()?;
    let mut buffers = Buffers::new(&ring)?;
    (0..BUFFERS).for_each(|buffer| buffers.give(buffer));
    let (submitter, mut queue, mut completions) = ring.split();

    let accept = opcode::AcceptMulti::new(Fd(listener.as_raw_fd())).build().user_data(ACCEPT);
    push(&mut queue, &accept)?;
    while closed < connections {
        queue.sync();
        submitter.submit_and_wait(1)?;
        completions.sync();
        for completion in &mut completions {
            let data = completion.user_data();
            if data == ACCEPT {
                let stream = accepted(&completion)?;
                stream.set_nodelay(true)?;
                push(&mut queue, &receive(&stream, all.len() as u64))?;
                let received = VecDeque::new();
                all.push(Some(Connection { stream, received, is_over: false }));
                continue;
            }
            let number = data % SEND;
            let place = &mut all[number as usize];
            let connection = place.as_mut().expect("it was not closed");
            if data & SEND != 0 {
                let sent = result(&completion)? as u32;
                let (buffer, from, to) = connection.received.front_mut().expect("it was sent");
                *from += sent;
                if from == to {
                    buffers.give(*buffer);
                    connection.received.pop_front();
                }
                if !connection.received.is_empty() {
                    push(&mut queue, &send(&buffers, connection, number))?;
                }
            } else {
                let is_short = completion.result() == -Errno::NOBUFS.raw_os_error();
                let length = if is_short { 0 } else { result(&completion)? as u32 };
                if let Some(buffer) = cqueue::buffer_select(completion.flags()) {
                    bytes += u64::from(length);
                    connection.received.push_back((buffer, 0, length));
                    if connection.received.len() == 1 {
                        push(&mut queue, &send(&buffers, connection, number))?;
                    }
                } else {
                    connection.is_over = !is_short;
                }
                if !cqueue::more(completion.flags()) && !connection.is_over {
                    push(&mut queue, &receive(&connection.stream, number))?;
                }
            }
            if connection.is_over && connection.received.is_empty() {
                *place = None;
                closed += 1;
            }
        }
    }
    Ok(bytes)
}

fn receive(stream: &TcpStream, number: u64) -> squeue::Entry {
    opcode::RecvMulti::new(Fd(stream.as_raw_fd()), GROUP).build().user_data(number)
}

/// Sends the first of what has come in.
fn send(buffers: &Buffers, connection: &Connection, number: u64) -> squeue::Entry {
    let &(buffer, from, to) = connection.received.front().expect("the caller has put it there");
    let fd = Fd(connection.stream.as_raw_fd());
    let first = buffers.at(buffer).wrapping_add(from as usize);
    opcode::Send::new(fd, first, to - from).build().user_data(number | SEND)
}

fn push(queue: &mut SubmissionQueue<'_>, entry: &squeue::Entry) -> io::Result<()> {
    // SAFETY: all buffers are mapped to the end of the process, and one that is being sent is the kernel's
    // again when that is done.
    unsafe { queue.push(entry) }.map_err(full)
}
