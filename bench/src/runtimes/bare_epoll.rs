//! The least that an echo server on epoll can do: wait, read, write.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, epoll, poll};
use rustix::io::Errno;

use super::{BUFFER, announce};

/// What the kernel says of the listener. No connection has this number.
const LISTENER: u64 = u64::MAX;
/// How many reports are taken in one call.
const REPORTS: usize = 1024;

pub fn echo(connections: usize) -> io::Result<u64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    announce(listener.local_addr()?)?;

    let mut streams: Vec<Option<TcpStream>> = Vec::with_capacity(connections);
    let mut closed = 0;
    let mut bytes = 0;
    let mut buffer = vec![0; BUFFER];
    let mut reports = Vec::with_capacity(REPORTS);
    while closed < connections {
        reports.clear();
        match epoll::wait(&epoll, spare_capacity(&mut reports), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for report in &reports {
            let number = report.data.u64();
            if number == LISTENER {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                let data = epoll::EventData::new_u64(streams.len() as u64);
                epoll::add(&epoll, &stream, data, epoll::EventFlags::IN)?;
                streams.push(Some(stream));
                continue;
            }
            let place = &mut streams[number as usize];
            let Some(stream) = place else { continue };
            match rustix::io::read(&*stream, &mut buffer[..]) {
                Ok(0) => {
                    *place = None;
                    closed += 1;
                }
                Ok(length) => {
                    write_all(stream, &buffer[..length])?;
                    bytes += length as u64;
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(bytes)
}

fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(stream, bytes) {
            Ok(length) => bytes = &bytes[length..],
            // One message is in flight, so there is room for it. If not, all others wait as well.
            Err(Errno::AGAIN) => {
                let mut room = [PollFd::from_borrowed_fd(stream.as_fd(), PollFlags::OUT)];
                poll(&mut room, None)?;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
