use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::{self, Shutdown, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::slice;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use super::polled::Polled;
use super::socket::Socket;
use crate::context;
use crate::driver::epoll::Direction;
use crate::driver::op::{Op, Operation};
use crate::driver::ops;
use crate::driver::uring::StreamingOp;
use crate::io::{AsyncReadOwned, AsyncWriteOwned, BufResult, IoBuf, IoBufMut, fill_by_reads};
use crate::time::{Sleep, sleep};

/// How long to wait for a descriptor, when the process has none left.
const PAUSE: Duration = Duration::from_millis(20);

/// Accepts TCP connections.
///
/// When the process runs out of file descriptors, it says so once, and then looks every 20 ms whether
/// there is one again. The clients wait in the kernel's backlog meanwhile.
///
/// One task at a time may wait for connections: the later one takes the place of the earlier, which is
/// not woken then.
///
/// Built in chapter 7. What changed: on a ring, one submission accepts all connections.
pub struct TcpListener {
    socket: Rc<Socket>,
    state: RefCell<Accepting>,
    /// Whether the shortage of descriptors was told.
    told: Cell<bool>,
}

/// What the listener is waiting for.
enum Accepting {
    Nothing,
    One(Op<ops::Accept>),
    Many(StreamingOp<ops::AcceptMany>),
    Pause(Pin<Box<Sleep>>),
}

impl TcpListener {
    /// Listens on the first of the addresses that can be had. Port 0 is a port that the kernel chooses:
    /// [`local_addr`](TcpListener::local_addr) tells which.
    ///
    /// # Errors
    /// If the address is malformed, not one of this machine's, in use, or not allowed.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        TcpListener::from_std(net::TcpListener::bind(address)?)
    }

    /// Accepts from a socket that listens already.
    ///
    /// # Errors
    /// If the kernel does not register it.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn from_std(listener: net::TcpListener) -> io::Result<TcpListener> {
        let socket = Socket::new(context::current(), listener.into())?;
        let state = RefCell::new(Accepting::Nothing);
        Ok(TcpListener { socket, state, told: Cell::new(false) })
    }

    /// The address that the listener is bound to.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        local_addr(&self.socket)
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// An error concerns one connection; the next one may be fine.
    ///
    /// # Cancel safety
    /// Dropping the future loses no connection. On a ring, connections that were accepted ahead are closed
    /// with the listener.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        loop {
            let accepted = match self.socket.readiness() {
                Some(readiness) => {
                    ready!(self.poll_pause(cx));
                    ready!(readiness.poll_io(Direction::Read, cx, || {
                        rustix::net::accept_with(&self.socket, SocketFlags::CLOEXEC)
                    }))
                }
                None => ready!(self.poll_ring(cx)),
            };
            let accepted = accepted.and_then(|fd| {
                let stream = TcpStream::from_fd(fd, &self.socket)?;
                let peer = stream.peer_addr()?;
                Ok((stream, peer))
            });
            match accepted {
                Ok(accepted) => {
                    self.told.set(false);
                    return Poll::Ready(Ok(accepted));
                }
                Err(error) => match Errno::from_io_error(&error) {
                    // This client has gone again. Others may be waiting behind it.
                    Some(Errno::CONNABORTED | Errno::NOTCONN) => {}
                    Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                        *self.state.borrow_mut() = Accepting::Pause(Box::pin(sleep(PAUSE)));
                        if !self.told.replace(true) {
                            return Poll::Ready(Err(error));
                        }
                    }
                    _ => return Poll::Ready(Err(error)),
                },
            }
        }
    }

    /// Ready when there is no pause, or its end has come.
    fn poll_pause(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.borrow_mut();
        if let Accepting::Pause(pause) = &mut *state {
            ready!(pause.as_mut().poll(cx));
            *state = Accepting::Nothing;
        }
        Poll::Ready(())
    }

    fn poll_ring(&self, cx: &mut Context<'_>) -> Poll<io::Result<OwnedFd>> {
        ready!(self.poll_pause(cx));
        let mut state = self.state.borrow_mut();
        loop {
            match &mut *state {
                Accepting::Nothing | Accepting::Pause(_) => {
                    let listener = self.socket.clone();
                    let many = StreamingOp::new(ops::AcceptMany { listener });
                    *state = Accepting::Many(many);
                }
                Accepting::One(accept) => {
                    let accepted = ready!(Pin::new(accept).poll(cx));
                    *state = self.one();
                    return Poll::Ready(accepted);
                }
                Accepting::Many(many) => match ready!(Pin::new(many).poll_next(cx)) {
                    // It was ended by an error, or by a completion queue that was full.
                    None => *state = Accepting::Nothing,
                    // A kernel before 5.19 knows only one at a time.
                    Some(Err(error)) if Errno::from_io_error(&error) == Some(Errno::INVAL) => {
                        *state = self.one();
                    }
                    Some(accepted) => return Poll::Ready(accepted),
                },
            }
        }
    }

    fn one(&self) -> Accepting {
        let accept = ops::Accept { listener: self.socket.clone() };
        Accepting::One(Op::new(accept))
    }
}

impl Stream for TcpListener {
    type Item = io::Result<TcpStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_accept(cx).map(|accepted| Some(accepted.map(|(stream, _)| stream)))
    }
}

/// A TCP connection.
///
/// It can be used in two ways: with owned buffers ([`AsyncReadOwned`], [`AsyncWriteOwned`]), which is what
/// a ring does best, or by `futures_io`'s [`AsyncRead`] and [`AsyncWrite`], which copy on a ring. In one
/// direction, use one of the two at a time.
///
/// One task at a time may wait to read, and one to write: a later one takes the place of the earlier.
///
/// Built in chapters 7 and 13.
pub struct TcpStream {
    socket: Rc<Socket>,
    /// On a ring, what `AsyncRead` and `AsyncWrite` are made of, once they are used.
    polled: RefCell<Option<Box<Polled>>>,
}

impl TcpStream {
    /// Connects to the first of the addresses that accepts.
    ///
    /// Looking up a host name blocks the thread; an IP address needs no look-up.
    ///
    /// # Errors
    /// The error of the last address that was tried, or that of the look-up.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the connection.
    pub async fn connect(to: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let mut last_error =
            io::Error::new(io::ErrorKind::InvalidInput, "no address to connect to");
        for address in to.to_socket_addrs()? {
            match TcpStream::connect_to(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }

    async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::CLOEXEC;
        let fd = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        let core = context::current();
        let socket = Socket::new(core, fd)?;
        socket.connect(address).await?;
        Ok(TcpStream { socket, polled: RefCell::new(None) })
    }

    /// Takes over a stream of the standard library.
    ///
    /// # Errors
    /// If the kernel does not register it.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn from_std(stream: net::TcpStream) -> io::Result<TcpStream> {
        let socket = Socket::new(context::current(), stream.into())?;
        Ok(TcpStream { socket, polled: RefCell::new(None) })
    }

    /// Makes a stream of a new connection, on the runtime of `neighbour`.
    fn from_fd(fd: OwnedFd, neighbour: &Socket) -> io::Result<TcpStream> {
        let socket = Socket::new(neighbour.core.clone(), fd)?;
        Ok(TcpStream { socket, polled: RefCell::new(None) })
    }

    /// The address of the other side.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        let address = rustix::net::getpeername(&self.socket)?.ok_or(Errno::NOTCONN)?;
        Ok(SocketAddr::try_from(address)?)
    }

    /// The address of this side.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        local_addr(&self.socket)
    }

    /// Sends small writes at once (`true`), or lets the kernel collect them (`false`, the default).
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        Ok(sockopt::set_tcp_nodelay(&self.socket, nodelay)?)
    }

    /// Closes the reading side, the writing side, or both.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => rustix::net::Shutdown::Read,
            Shutdown::Write => rustix::net::Shutdown::Write,
            Shutdown::Both => rustix::net::Shutdown::Both,
        };
        Ok(rustix::net::shutdown(&self.socket, how)?)
    }

    /// Waits until there is something to be read, or the end.
    ///
    /// # Errors
    /// If the kernel refuses.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn readable(&self) -> io::Result<()> {
        if self.has_more() {
            return poll_fn(|cx| self.with_polled(|polled| polled.poll_received(cx))).await;
        }
        self.socket.ready(Direction::Read).await
    }

    /// Waits until there is room to write, or the connection is broken.
    ///
    /// # Errors
    /// If the kernel refuses.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn writable(&self) -> io::Result<()> {
        self.socket.ready(Direction::Write).await
    }

    /// Reads what is there, without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing, and those of the system call.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.has_more() {
            let mut cx = Context::from_waker(Waker::noop());
            let read = self.with_polled(|polled| polled.poll_read(&self.socket, &mut cx, buffer));
            return match read {
                Poll::Ready(result) => result,
                Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
            };
        }
        self.socket.try_io(Direction::Read, || {
            rustix::net::recv(&self.socket, buffer, RecvFlags::DONTWAIT).map(|(_, length)| length)
        })
    }

    /// Writes what there is room for, without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room, and those of the system call.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        self.socket.try_io(Direction::Write, || rustix::net::send(&self.socket, bytes, flags))
    }
}

impl TcpStream {
    /// Whether `poll_read` has asked for bytes that nobody has fetched.
    fn has_more(&self) -> bool {
        self.polled.borrow().as_ref().is_some_and(|polled| polled.has_more())
    }

    fn with_polled<R>(&self, f: impl FnOnce(&mut Polled) -> R) -> R {
        f(self.polled.borrow_mut().get_or_insert_default())
    }

    /// Reads what `poll_read` has asked for, and nobody has fetched.
    async fn read_polled<B: IoBufMut>(&self, mut buf: B) -> BufResult<usize, B> {
        let room = buf.bytes_total();
        let result = poll_fn(|cx| {
            let start = buf.as_mut_ptr();
            // SAFETY: the buffer has this room, and nobody else uses it meanwhile. It is cleared, because
            // nobody may ever have written to it.
            let room = unsafe {
                start.write_bytes(0, room);
                slice::from_raw_parts_mut(start, room)
            };
            self.with_polled(|polled| polled.poll_read(&self.socket, cx, room))
        })
        .await;
        if let Ok(length) = result {
            // SAFETY: that many bytes were copied to it.
            unsafe { buf.set_init(length) };
        }
        (result, buf)
    }
}

impl AsyncReadOwned for TcpStream {
    fn read<B: IoBufMut>(&self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        if self.has_more() {
            return Reading::Mixed(Box::pin(self.read_polled(buf)));
        }
        Reading::Direct(self.socket.recv(buf))
    }

    fn read_exact<B: IoBufMut>(&self, buf: B) -> impl Future<Output = BufResult<(), B>> {
        if self.has_more() {
            return Reading::Mixed(Box::pin(fill_by_reads(self, buf)));
        }
        Reading::Direct(self.socket.recv_exact(buf))
    }

    async fn read_vectored<B: IoBufMut>(&self, mut bufs: Vec<B>) -> BufResult<usize, Vec<B>> {
        if self.has_more()
            && let Some(first) = bufs.iter().position(|buf| buf.bytes_total() > 0)
        {
            let (result, buf) = self.read_polled(bufs.remove(first)).await;
            // SAFETY: no byte is no claim.
            bufs[first..].iter_mut().for_each(|buf| unsafe { buf.set_init(0) });
            bufs.insert(first, buf);
            return (result, bufs);
        }
        self.socket.recv_vectored(bufs).await
    }
}

impl AsyncWriteOwned for TcpStream {
    fn write<B: IoBuf>(&self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        self.socket.send(buf)
    }

    fn write_vectored<B: IoBuf>(
        &self,
        bufs: Vec<B>,
    ) -> impl Future<Output = BufResult<usize, Vec<B>>> {
        self.socket.send_vectored(bufs)
    }

    fn write_all<B: IoBuf>(&self, buf: B) -> impl Future<Output = BufResult<(), B>> {
        self.socket.send_all(buf)
    }
}

/// The future of a read. It can be moved: nothing in it is pinned in place.
enum Reading<'a, O: Operation> {
    /// After `poll_read` has asked for more than was fetched. Rare, so a box does not matter.
    Mixed(Pin<Box<dyn Future<Output = O::Output> + 'a>>),
    Direct(Op<O>),
}

impl<O: Operation> Future for Reading<'_, O> {
    type Output = O::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O::Output> {
        match self.get_mut() {
            Reading::Mixed(mixed) => mixed.as_mut().poll(cx),
            Reading::Direct(op) => Pin::new(op).poll(cx),
        }
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(readiness) = this.socket.readiness() else {
            let polled = this.polled.get_mut().get_or_insert_default();
            return polled.poll_read(&this.socket, cx, buffer);
        };
        let received = ready!(readiness.poll_io(Direction::Read, cx, || {
            rustix::net::recv(&this.socket, &mut *buffer, RecvFlags::empty())
                .map(|(_, length)| length)
        }))?;
        if received < buffer.len() {
            readiness.drained(Direction::Read);
        }
        Poll::Ready(Ok(received))
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(readiness) = this.socket.readiness() else {
            let polled = this.polled.get_mut().get_or_insert_default();
            return polled.poll_write(&this.socket, cx, slices);
        };
        readiness.poll_io(Direction::Write, cx, || rustix::io::writev(&this.socket, slices))
    }

    /// Waits for a write that was begun and given up.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut().polled.get_mut() {
            Some(polled) => polled.poll_sent(cx).map_ok(drop),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Closes the write side. A connection that is gone counts as closed.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Poll::Ready(match self.shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        })
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        // An operation that is given up keeps the descriptor open until the kernel hears of that. The
        // peer should hear of the end now.
        if Rc::strong_count(&self.socket) > 1 {
            let _ = self.shutdown(Shutdown::Both);
        }
    }
}

fn local_addr(socket: &Socket) -> io::Result<SocketAddr> {
    Ok(SocketAddr::try_from(rustix::net::getsockname(socket)?)?)
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream").field("fd", &self.as_fd()).finish_non_exhaustive()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener").field("fd", &self.as_fd()).finish_non_exhaustive()
    }
}
