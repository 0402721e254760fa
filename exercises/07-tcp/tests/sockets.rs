//! Streams, listeners and signals, beyond what every stage owes.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::net::{self, SocketAddr};
use std::os::fd::AsRawFd;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use ch05_executor::spawn;
use ch07_tcp::{Runtime, ShutdownSignal, TcpListener, TcpStream};
use conformance::{check_trace, watch};
use futures::channel::oneshot;
use futures::future::{join, select};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt, pin_mut, poll};
use nix::libc::linger;
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen, setsockopt, socket,
    sockopt,
};
use trace::{Direction, Event, Io, Recording};

fn run(body: impl Future<Output = io::Result<()>>) {
    let runtime = Runtime::new().expect("descriptors are left");
    runtime.block_on(body).expect("loopback connections do not fail");
    drop(runtime);
    check_trace();
}

async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (accepted, connected) = join(listener.accept(), TcpStream::connect(address)).await;
    Ok((accepted?.0, connected?))
}

/// A stream of ours with a blocking peer of std's.
fn with_std_peer() -> io::Result<(TcpStream, net::TcpStream)> {
    let listener = net::TcpListener::bind("127.0.0.1:0")?;
    let peer = net::TcpStream::connect(listener.local_addr()?)?;
    Ok((TcpStream::from_std(listener.accept()?.0)?, peer))
}

/// Has `peer` send a byte, and `stream` read it. The read comes first, so the thread has to sleep on
/// the reactor.
async fn a_byte_comes(stream: &mut TcpStream, peer: &mut net::TcpStream) -> io::Result<()> {
    let mut byte = [0];
    let (read, written) = join(stream.read(&mut byte), async { peer.write_all(b"x") }).await;
    written?;
    assert_eq!(read?, 1);
    Ok(())
}

#[test]
fn the_halves_of_a_stream_work_in_two_tasks() {
    watch(|| {
        run(async {
            let (one, mut other) = pair().await?;
            let (mut reader, mut writer) = one.into_split();
            let (heard, hears) = oneshot::channel();
            spawn(async move {
                let mut text = String::new();
                reader.read_to_string(&mut text).await.expect("the connection is up");
                heard.send(text).expect("the main future waits");
            });
            spawn(async move {
                writer.write_all(b"from the half").await.expect("the connection is up");
                // Dropping the half closes the write side: the peer's read comes to an end.
            });
            let mut text = String::new();
            other.read_to_string(&mut text).await?;
            assert_eq!(text, "from the half");

            other.write_all(b"to the half").await?;
            other.close().await?;
            assert_eq!(hears.await.as_deref(), Ok("to the half"));
            Ok(())
        });
    });
}

#[test]
fn the_read_half_reads_on_when_the_write_half_is_gone() {
    watch(|| {
        run(async {
            let (one, mut other) = pair().await?;
            let (mut reader, writer) = one.into_split();
            drop(writer);
            assert_eq!(other.read(&mut [0]).await?, 0);
            other.write_all(b"x").await?;
            let mut byte = [0];
            reader.read_exact(&mut byte).await?;
            assert_eq!(byte, *b"x");
            Ok(())
        });
    });
}

/// Waits for something, and counts how often it is woken.
#[derive(Default)]
struct Waiter {
    wakes: AtomicUsize,
}

impl Wake for Waiter {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
    }
}

impl Waiter {
    /// One poll on behalf of this waiter.
    fn poll<T>(self: &Arc<Self>, operation: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let waker = Waker::from(self.clone());
        operation(&mut Context::from_waker(&waker))
    }

    /// How many wakers of this waiter are kept somewhere.
    fn kept(self: &Arc<Self>) -> usize {
        Arc::strong_count(self) - 1
    }

    fn wakes(&self) -> usize {
        self.wakes.load(Ordering::Relaxed)
    }
}

/// Has a reader wait, and then a writer, on the same stream.
async fn both_wait(
    write: impl Fn(Pin<&mut &TcpStream>, &mut Context<'_>) -> Poll<io::Result<usize>>,
) -> io::Result<()> {
    let (one, mut its_peer) = with_std_peer()?;
    let (reader, writer) = (Arc::new(Waiter::default()), Arc::new(Waiter::default()));
    let nothing = reader.poll(|cx| Pin::new(&mut &one).poll_read(cx, &mut [0]));
    assert!(nothing.is_pending());
    assert_eq!(reader.kept(), 1, "wakers of a reader that waits");

    while let Poll::Ready(length) = writer.poll(|cx| write(Pin::new(&mut &one), cx)) {
        assert_ne!(length?, 0, "a write that takes nothing has to wait");
    }
    assert_eq!(reader.kept(), 1, "wakers of the reader, now that the writer waits");
    assert_eq!(writer.kept(), 1, "wakers of the writer");
    assert_eq!((reader.wakes(), writer.wakes()), (0, 0), "wakes, though nothing has changed");

    its_peer.write_all(b"x")?;
    let (mut lively, mut other_peer) = with_std_peer()?;
    while reader.wakes() == 0 {
        a_byte_comes(&mut lively, &mut other_peer).await?;
    }
    assert_eq!(writer.wakes(), 0, "wakes of a writer that has no room yet");
    Ok(())
}

#[test]
fn a_writer_that_waits_does_not_take_the_place_of_a_reader_that_waits() {
    watch(|| run(both_wait(|stream, cx| stream.poll_write(cx, &[7; 64 * 1024]))));
}

#[test]
fn a_vectored_writer_that_waits_does_not_take_the_place_of_a_reader_that_waits() {
    watch(|| {
        run(both_wait(|stream, cx| {
            let body = [7; 64 * 1024];
            stream.poll_write_vectored(cx, &[IoSlice::new(b"head"), IoSlice::new(&body)])
        }))
    });
}

#[test]
fn addresses_and_options_are_those_of_the_socket() {
    watch(|| {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            let (accepted, connected) = join(listener.accept(), TcpStream::connect(address)).await;
            let ((accepted, peer), connected) = (accepted?, connected?);
            assert_eq!(connected.peer_addr()?, address);
            assert_eq!(connected.local_addr()?, peer);
            assert_eq!(accepted.peer_addr()?, peer);
            assert_eq!(accepted.local_addr()?, address);

            assert!(!connected.nodelay()?);
            connected.set_nodelay(true)?;
            assert!(connected.nodelay()?);
            Ok(())
        });
    });
}

#[test]
fn accept_waits_for_the_reactor_and_not_in_the_kernel() {
    watch(|| {
        run(async {
            let _ends = pair().await?;
            let events = Recording::current().expect("the watchdog records").events();
            let waited = events.iter().any(|event| {
                matches!(event, Event::Try { slot: Direction::Read, result: Io::WouldBlock, .. })
            });
            assert!(waited, "accept came first, and the connection was not there yet");
            Ok(())
        });
    });
}

#[test]
fn a_task_that_waits_is_polled_when_its_own_stream_is_ready_and_not_before() {
    watch(|| {
        run(async {
            let (mut silent, mut its_peer) = with_std_peer()?;
            let (mut lively, mut other_peer) = with_std_peer()?;

            let polls = Rc::new(Cell::new(0));
            let seen = polls.clone();
            let (tell, told) = oneshot::channel();
            spawn(async move {
                let mut byte = [0];
                let read = poll_fn(|cx| {
                    seen.set(seen.get() + 1);
                    Pin::new(&mut silent).poll_read(cx, &mut byte)
                });
                tell.send(read.await).expect("the main future waits");
            });
            for _ in 0..100 {
                a_byte_comes(&mut lively, &mut other_peer).await?;
            }
            assert_eq!(polls.get(), 1, "polls of a task whose stream has nothing to say");

            its_peer.write_all(b"y")?;
            assert_eq!(told.await.expect("the task ends")?, 1);
            assert_eq!(polls.get(), 2);
            Ok(())
        });
    });
}

#[test]
fn a_connection_in_the_making_leaves_the_thread_free() {
    watch(|| {
        run(async {
            // A socket that listens with no backlog, and accepts nobody: the kernel lets one or two
            // clients in, and drops what the next ones send.
            let socket =
                socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
            bind(
                socket.as_raw_fd(),
                &SockaddrStorage::from(SocketAddr::from(([127, 0, 0, 1], 0))),
            )?;
            listen(&socket, Backlog::new(0)?)?;
            let full = net::TcpListener::from(socket);
            let address = full.local_addr()?;

            let mut connected = Vec::new();
            let waiting = loop {
                let mut connect = Box::pin(TcpStream::connect(address));
                match poll!(&mut connect) {
                    Poll::Ready(stream) => {
                        let stream = stream?;
                        stream.peer_addr().expect("`connect` has said that it is connected");
                        connected.push(stream);
                    }
                    Poll::Pending => break connect,
                }
            };
            let (mut one, mut other) = pair().await?;
            one.write_all(b"x").await?;
            other.read_exact(&mut [0]).await?;
            drop(waiting);
            Ok(())
        });
    });
}

#[test]
fn connect_tries_every_address() {
    watch(|| {
        run(async {
            let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let open = listener.local_addr()?;
            let stream = TcpStream::connect([closed, open].as_slice()).await?;
            assert_eq!(stream.peer_addr()?, open);

            let error = TcpStream::connect([closed].as_slice()).await.expect_err("it is closed");
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            let none: &[SocketAddr] = &[];
            let error = TcpStream::connect(none).await.expect_err("there is no address");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let error = TcpStream::connect("no port").await.expect_err("it is no address");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            Ok(())
        });
    });
}

#[test]
fn a_busy_address_is_an_error() {
    watch(|| {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let error = TcpListener::bind(listener.local_addr()?).expect_err("it is in use");
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
            Ok(())
        });
    });
}

#[test]
fn a_dropped_read_loses_nothing() {
    watch(|| {
        run(async {
            let (mut one, mut other) = pair().await?;
            let mut buffer = [0; 4];
            let never = poll_fn(|cx| {
                // Waits, and is then given up.
                assert!(Pin::new(&mut one).poll_read(cx, &mut buffer).is_pending());
                Poll::Ready(())
            });
            never.await;
            other.write_all(b"kept").await?;
            one.read_exact(&mut buffer).await?;
            assert_eq!(buffer, *b"kept");
            Ok(())
        });
    });
}

#[test]
fn a_dropped_accept_loses_no_connection() {
    watch(|| {
        run(async {
            let mut listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            {
                let accept = listener.accept();
                let nothing = async {};
                pin_mut!(accept, nothing);
                let first = select(accept, nothing).await;
                assert!(matches!(first, futures::future::Either::Right(_)));
            }
            let client = TcpStream::connect(address).await?;
            let accepted = listener.next().await.expect("a listener does not end")?;
            assert_eq!(accepted.peer_addr()?, client.local_addr()?);
            Ok(())
        });
    });
}

#[test]
fn a_reset_is_an_error_to_read_and_no_error_to_close() {
    watch(|| {
        run(async {
            let (mut one, mut other) = pair().await?;
            other.write_all(b"never read").await?;
            // There is something to read, so dropping the stream sends a reset.
            poll_fn(|cx| Pin::new(&mut one).poll_read(cx, &mut [0])).await?;
            drop(one);
            let error = other.read(&mut [0]).await.expect_err("the peer has reset");
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            other.close().await
        });
    });
}

#[test]
fn a_connection_that_its_peer_has_reset_is_an_error_to_read() {
    watch(|| {
        run(async {
            let (mut stream, peer) = with_std_peer()?;
            let at_once = linger { l_onoff: 1, l_linger: 0 };
            setsockopt(&peer, sockopt::Linger, &at_once)?;
            drop(peer);
            let error = stream.read(&mut [0]).await.expect_err("the peer has reset");
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            Ok(())
        });
    });
}

#[test]
fn a_std_stream_is_made_non_blocking() {
    watch(|| {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let blocking = net::TcpStream::connect(listener.local_addr()?)?;
            let mut stream = TcpStream::from_std(blocking)?;
            let (mut peer, _) = listener.accept().await?;
            let (read, written) =
                join(stream.read(&mut [0; 8]), async { peer.write_all(b"x").await }).await;
            written?;
            assert_eq!(read?, 1);
            Ok(())
        });
    });
}

#[test]
fn sockets_are_made_inside_of_a_runtime_only() {
    let panic = catch_unwind(|| TcpListener::bind("127.0.0.1:0")).expect_err("no runtime runs");
    let text = panic.downcast_ref::<&str>().copied().unwrap_or_default();
    assert!(text.contains("outside of Runtime::block_on"), "{text}");
}

#[test]
fn a_signal_is_one_more_descriptor_and_the_mask_comes_back() {
    watch(|| {
        let before = SigSet::thread_get_mask().expect("the mask can be read");
        run(async {
            let shutdown = ShutdownSignal::new()?;
            assert!(SigSet::thread_get_mask()?.contains(Signal::SIGTERM));
            let (sent, received) = join(async { raise(Signal::SIGTERM) }, shutdown.recv()).await;
            sent?;
            received?;
            raise(Signal::SIGINT)?;
            let second = ShutdownSignal::new().expect_err("there is one already");
            assert_eq!(second.kind(), ErrorKind::AlreadyExists);
            shutdown.recv().await?;
            drop(shutdown);
            ShutdownSignal::new().map(drop)
        });
        assert_eq!(SigSet::thread_get_mask().expect("the mask can be read"), before);
    });
}
