//! The least that an echo server on io_uring can do: one system call for each round, in which all that is
//! to be done is handed over, and all that was done is heard.

use std::io;
use std::mem::ManuallyDrop;
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd};

use io_uring::squeue::PushError;
use io_uring::types::Fd;
use io_uring::{IoUring, SubmissionQueue, cqueue, opcode, squeue};

use super::{BUFFER, announce};

/// The user data of the accept. No connection has this number.
pub(super) const ACCEPT: u64 = u64::MAX;
/// Room for an operation of each connection.
pub(super) const ENTRIES: u32 = 2048;

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Of the buffer, what is to be sent. Empty while the connection reads.
    sending: Range<usize>,
}

pub(super) fn ring() -> io::Result<IoUring> {
    IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_cqsize(4 * ENTRIES)
        .build(ENTRIES)
}

pub fn echo(connections: usize) -> io::Result<u64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    announce(listener.local_addr()?)?;
    // After an error, the kernel may still write to the buffers. So they are left to the end of the process.
    let mut all: ManuallyDrop<Vec<Option<Connection>>> = ManuallyDrop::default();
    let mut closed = 0;
    let mut bytes = 0;
    let mut ring = ring()?;
    let (submitter, mut queue, mut completions) = ring.split();

    let accept = opcode::AcceptMulti::new(Fd(listener.as_raw_fd())).build().user_data(ACCEPT);
    // SAFETY: the entry points to no memory.
    unsafe { queue.push(&accept) }.map_err(full)?;
    while closed < connections {
        queue.sync();
        submitter.submit_and_wait(1)?;
        completions.sync();
        for completion in &mut completions {
            let number = completion.user_data();
            if number == ACCEPT {
                let stream = accepted(&completion)?;
                stream.set_nodelay(true)?;
                let buffer = vec![0; BUFFER];
                all.push(Some(Connection { stream, buffer, sending: 0..0 }));
                let number = all.len() - 1;
                submit(&mut queue, &mut all, number)?;
                continue;
            }
            let place = &mut all[number as usize];
            let connection = place.as_mut().expect("it was not closed");
            let length = result(&completion)? as usize;
            if connection.sending.is_empty() {
                if length == 0 {
                    *place = None;
                    closed += 1;
                    continue;
                }
                bytes += length as u64;
                connection.sending = 0..length;
            } else {
                connection.sending.start += length;
            }
            submit(&mut queue, &mut all, number as usize)?;
        }
    }
    Ok(bytes)
}

/// Sends what is to be sent, and reads if there is nothing.
fn submit(
    queue: &mut SubmissionQueue<'_>,
    all: &mut [Option<Connection>],
    number: usize,
) -> io::Result<()> {
    let connection = all[number].as_mut().expect("it was not closed");
    let fd = Fd(connection.stream.as_raw_fd());
    let entry: squeue::Entry = if connection.sending.is_empty() {
        let room = connection.buffer.as_mut_ptr();
        opcode::Recv::new(fd, room, BUFFER as u32).build()
    } else {
        let bytes = &connection.buffer[connection.sending.clone()];
        opcode::Send::new(fd, bytes.as_ptr(), bytes.len() as u32).build()
    };
    // SAFETY: the memory is on the heap, and belongs to the connection. It has one operation at a time, and
    // goes when that one has read the end, or never.
    unsafe { queue.push(&entry.user_data(number as u64)) }.map_err(full)
}

pub(super) fn accepted(completion: &cqueue::Entry) -> io::Result<TcpStream> {
    let fd = result(completion)?;
    // SAFETY: the kernel has just made this descriptor, and told nobody else.
    Ok(unsafe { TcpStream::from_raw_fd(fd) })
}

pub(super) fn result(completion: &cqueue::Entry) -> io::Result<i32> {
    match completion.result() {
        result if result < 0 => Err(io::Error::from_raw_os_error(-result)),
        result => Ok(result),
    }
}

pub(super) fn full(_: PushError) -> io::Error {
    io::Error::other("there are more connections than the submission queue has room for")
}
