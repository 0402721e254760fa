//! Streams, listeners and signals, beyond what every stage owes.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{self, SocketAddr};
use std::os::fd::AsRawFd;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::task::Poll;

use ch05_executor::spawn;
use ch07_tcp::{Runtime, ShutdownSignal, TcpListener, TcpStream};
use conformance::{check_trace, watch};
use futures::channel::oneshot;
use futures::future::{join, select};
use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt, StreamExt, pin_mut, poll};
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen, socket,
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

// ANCHOR: split
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
// ANCHOR_END: split

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
                    Poll::Ready(stream) => connected.push(stream?),
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

// ANCHOR: cancel
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
// ANCHOR_END: cancel

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
fn an_ipv6_address_works_where_the_machine_has_one() {
    watch(|| {
        run(async {
            let listener = match TcpListener::bind("[::1]:0") {
                Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
                    println!("skipped: this machine has no IPv6 loopback address");
                    return Ok(());
                }
                listener => listener?,
            };
            let address = listener.local_addr()?;
            let (accepted, connected) = join(listener.accept(), TcpStream::connect(address)).await;
            assert_eq!(accepted?.1, connected?.local_addr()?);
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
