//! The load of an echo server: one thread, many connections, one message in flight on each.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use crate::cpu;
use crate::stats::quantile;

/// The size of a message.
pub const MESSAGE: usize = 1024;
/// How many messages go over each connection before it counts.
pub const WARM_UP: u64 = 4;
/// One message in so many is compared byte by byte. Of the others, length and number are.
const THOROUGHLY: u64 = 64;
/// A server that says nothing for so long has lost a message.
const SILENCE: Duration = Duration::from_secs(30);
/// How many reports are taken in one call.
const REPORTS: usize = 1024;

/// What the client has seen of a server.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub requests: u64,
    pub wall: Duration,
    /// The CPU time of the server meanwhile.
    pub server: Duration,
    /// In nanoseconds, of the latencies.
    pub p99: f64,
}

struct Connection {
    stream: TcpStream,
    message: Vec<u8>,
    received: Vec<u8>,
    /// How much of the answer is here.
    length: usize,
    number: u64,
    left: u64,
    sent: Instant,
}

impl Connection {
    /// Connects, and sends the first message there and back: then the server has accepted it.
    fn open(address: SocketAddr, seed: usize) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        let message = (0..MESSAGE).map(|place| (place * 31 + seed * 7) as u8).collect();
        let received = vec![0; MESSAGE];
        let mut connection = Connection {
            stream,
            message,
            received,
            length: 0,
            number: 0,
            left: 0,
            sent: Instant::now(),
        };
        connection.send()?;
        (&connection.stream).read_exact(&mut connection.received)?;
        connection.check()?;
        connection.stream.set_nonblocking(true)?;
        Ok(connection)
    }

    /// Sends the next message. There is room for it: no other is on its way.
    fn send(&mut self) -> io::Result<()> {
        self.number += 1;
        self.message[..8].copy_from_slice(&self.number.to_le_bytes());
        self.length = 0;
        self.sent = Instant::now();
        (&self.stream).write_all(&self.message)
    }

    /// Receives what there is. Returns whether the answer is here as a whole.
    fn receive(&mut self) -> io::Result<bool> {
        match (&self.stream).read(&mut self.received[self.length..]) {
            Ok(0) => Err(io::Error::other("the server has closed a connection")),
            Ok(length) => {
                self.length += length;
                Ok(self.length == MESSAGE)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn check(&self) -> io::Result<()> {
        let compared = if self.number.is_multiple_of(THOROUGHLY) { MESSAGE } else { 8 };
        if self.received[..compared] != self.message[..compared] {
            let text = format!("message {} came back as another one", self.number);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(())
    }
}

/// Sends `requests` messages to the server of this process, over so many connections, and measures. Sends no
/// more when `span` is over: then there are fewer of them.
///
/// # Errors
/// If the server answers with other bytes, or not at all.
pub fn run(
    address: SocketAddr,
    connections: usize,
    requests: u64,
    span: Duration,
    process: u32,
) -> io::Result<Seen> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut all = Vec::with_capacity(connections);
    for number in 0..connections {
        let connection = Connection::open(address, number)?;
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&epoll, &connection.stream, data, epoll::EventFlags::IN)?;
        all.push(connection);
    }
    exchange(&epoll, &mut all, WARM_UP, Duration::MAX)?;
    let each = requests / connections as u64;
    let (begin, server) = (Instant::now(), cpu::time_of(process)?);
    let mut latencies = exchange(&epoll, &mut all, each, span)?;
    let (wall, server) = (begin.elapsed(), cpu::time_of(process)? - server);
    latencies.sort_unstable_by(f64::total_cmp);
    Ok(Seen { requests: latencies.len() as u64, wall, server, p99: quantile(&latencies, 0.99) })
}

/// Sends `each` messages over each connection, or fewer when `span` is over. Returns the latencies in
/// nanoseconds.
fn exchange(
    epoll: impl std::os::fd::AsFd,
    all: &mut [Connection],
    each: u64,
    span: Duration,
) -> io::Result<Vec<f64>> {
    let begin = Instant::now();
    let mut latencies = Vec::with_capacity(each as usize * all.len());
    let mut waiting = all.len();
    for connection in &mut *all {
        connection.left = each;
        connection.send()?;
    }
    let mut reports = Vec::with_capacity(REPORTS);
    let silence = Timespec::try_from(SILENCE).map_err(io::Error::other)?;
    while waiting > 0 {
        reports.clear();
        match epoll::wait(&epoll, spare_capacity(&mut reports), Some(&silence)) {
            Ok(0) => {
                let text = format!("{waiting} connections wait for an answer that does not come");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for report in &reports {
            let connection = &mut all[report.data.u64() as usize];
            if !connection.receive()? {
                continue;
            }
            let now = Instant::now();
            latencies.push((now - connection.sent).as_nanos() as f64);
            connection.check()?;
            connection.left -= 1;
            if connection.left > 0 && now - begin < span {
                connection.send()?;
            } else {
                waiting -= 1;
            }
        }
    }
    Ok(latencies)
}
