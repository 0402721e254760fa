//! Unix sockets: streams and datagrams, at paths, at abstract addresses, and without any.

mod common;

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{self, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use std::{env, fs, process};

use common::{descriptors, on_both_drivers, poll_once, runtime, turns};
use futures::{AsyncReadExt as PolledRead, AsyncWriteExt as PolledWrite, StreamExt};
use mini_runtime::io::{AsyncReadOwned, AsyncWriteOwned};
use mini_runtime::net::{UnixDatagram, UnixListener, UnixStream};
use mini_runtime::spawn;
use mini_runtime::time::timeout;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// A directory that goes with its name.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Directory {
        let name = format!("mini-runtime-{}-{}", process::id(), NUMBER.fetch_add(1, SeqCst));
        let path = env::temp_dir().join(name);
        fs::create_dir(&path).expect("nobody else has this name");
        Directory(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An address that no file stands for, and nobody else has.
fn abstract_address() -> SocketAddr {
    let name = format!("mini-runtime-{}-{}", process::id(), NUMBER.fetch_add(1, SeqCst));
    SocketAddr::from_abstract_name(name).expect("it is short")
}

async fn read(stream: &UnixStream, room: usize) -> Vec<u8> {
    let (read, bytes) = stream.read(Vec::with_capacity(room)).await;
    assert_eq!(read.expect("the connection is fine"), bytes.len());
    bytes
}

fn would_block<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(result.expect_err("nothing is there").kind(), ErrorKind::WouldBlock);
}

/// Connects as often as there is room in the backlog.
fn fill(address: &SocketAddr) -> Vec<net::UnixStream> {
    // A backlog that is full blocks a blocking socket, and is told to a non-blocking one.
    let connect = || {
        let flags = rustix::net::SocketFlags::CLOEXEC | rustix::net::SocketFlags::NONBLOCK;
        let (family, kind) = (rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM);
        let fd = rustix::net::socket_with(family, kind, flags, None)?;
        let name = address.as_abstract_name().expect("it is abstract");
        let address = rustix::net::SocketAddrUnix::new_abstract_name(name)?;
        rustix::net::connect(&fd, &address).map(|()| net::UnixStream::from(fd))
    };
    let mut clients = Vec::new();
    loop {
        match connect() {
            Ok(client) => clients.push(client),
            Err(error) => {
                assert_eq!(error, rustix::io::Errno::AGAIN);
                return clients;
            }
        }
    }
}

/// A listener with room for one client or two.
fn small_listener(address: &SocketAddr) -> net::UnixListener {
    let listener = net::UnixListener::bind_addr(address).expect("nobody else has this address");
    rustix::net::listen(&listener, 0).expect("a backlog can be changed");
    listener
}

on_both_drivers! {
    /// In both styles, at a path and at an abstract address.
    fn bytes_go_there_and_back(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
        runtime.block_on(async {
            let directory = Directory::new();
            let path = SocketAddr::from_pathname(directory.path("socket")).expect("it is short");
            for address in [path, abstract_address()] {
                let mut listener = UnixListener::bind_addr(&address).expect("nobody has it");
                let here = listener.local_addr().expect("it is bound");
                assert_eq!(format!("{here:?}"), format!("{address:?}"));
                let echo = spawn(async move {
                    let stream = listener.next().await.expect("it goes on").expect("a client");
                    let bytes = read(&stream, 100).await;
                    stream.write_all(bytes).await.0.expect("it is connected");
                    let (mut stream, peer) = listener.accept().await.expect("a client");
                    assert!(peer.is_unnamed());
                    let mut bytes = [0; 5];
                    PolledRead::read_exact(&mut stream, &mut bytes).await.expect("connected");
                    PolledWrite::write_all(&mut stream, &bytes).await.expect("connected");
                });
                let one = UnixStream::connect_addr(&address).await.expect("it listens");
                one.write_all(b"owned").await.0.expect("it is connected");
                assert_eq!(one.read_exact(Vec::with_capacity(5)).await.1, b"owned");
                assert!(one.local_addr().expect("it is a socket").is_unnamed());
                let peer = one.peer_addr().expect("it is connected");
                assert_eq!(format!("{peer:?}"), format!("{address:?}"));
                let mut two = UnixStream::connect_addr(&address).await.expect("it listens");
                PolledWrite::write_all(&mut two, b"polls").await.expect("it is connected");
                assert_eq!(read(&two, 5).await, b"polls");
                echo.await.expect("no panic");
                assert!(read(&two, 5).await.is_empty(), "the end");
            }
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    }

    /// With a sentence of the kernel's.
    fn addresses_that_cannot_be_had_are_errors(driver) {
        runtime(driver).block_on(async {
            let directory = Directory::new();
            let path = directory.path("socket");
            let error = UnixStream::connect(&path).await.expect_err("there is no file");
            assert_eq!(error.kind(), ErrorKind::NotFound);
            let listener = UnixListener::bind(&path).expect("the directory is ours");
            let error = UnixListener::bind(&path).expect_err("there is a file");
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
            UnixStream::connect(&path).await.expect("it listens");
            drop(listener);
            let error = UnixStream::connect(&path).await.expect_err("nobody listens");
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            fs::remove_file(&path).expect("it has stayed");
            drop(UnixListener::bind(&path).expect("there is no file"));
            let error = UnixListener::bind(directory.path(&"x".repeat(200))).expect_err("too long");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        });
    }

    /// A pair has no address, and each end is the other's peer.
    fn a_pair_is_connected(driver) {
        runtime(driver).block_on(async {
            let (one, two) = UnixStream::pair().expect("descriptors are left");
            assert!(one.peer_addr().expect("it is connected").is_unnamed());
            let waiting = spawn(async move {
                let parts = vec![Vec::with_capacity(2), Vec::with_capacity(10)];
                let (result, parts) = two.read_vectored(parts).await;
                assert_eq!(result.expect("it is connected"), 5);
                parts
            });
            turns(100).await;
            let (written, _) = one.write_vectored(vec![&b"hel"[..], b"lo"]).await;
            assert_eq!(written.expect("it is connected"), 5);
            assert_eq!(waiting.await.expect("no panic"), [&b"he"[..], b"llo"]);
        });
    }

    /// The kernel ends a read where a descriptor comes with the bytes. What is behind it brings no news.
    fn a_read_that_is_short_because_of_a_descriptor_is_followed_by_the_rest(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
        runtime.block_on(async {
            for style in 0..2 {
                let (stream, peer) = net::UnixStream::pair().expect("descriptors are left");
                let mut stream = UnixStream::from_std(stream).expect("it is a socket");
                let null = fs::File::open("/dev/null").expect("it is there");
                let fds = [null.as_fd()];
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
                let bytes = [IoSlice::new(b"with")];
                rustix::net::sendmsg(&peer, &bytes, &mut control, SendFlags::empty())
                    .expect("it is connected");
                (&peer).write_all(b"without").expect("it is connected");
                // All of it was reported.
                turns(100).await;
                let mut all = Vec::new();
                while all.len() < 11 {
                    if style == 0 {
                        all.extend(read(&stream, 100).await);
                    } else {
                        let mut room = [0; 100];
                        let length = PolledRead::read(&mut stream, &mut room).await;
                        all.extend(&room[..length.expect("it is connected")]);
                    }
                }
                assert_eq!(all, b"withwithout");
            }
        });
        drop(runtime);
        assert_eq!(descriptors(), before, "the descriptor that nobody asked for is closed");
    }

    /// The kernel says `EAGAIN`, and tells nobody when there is room.
    fn a_connect_to_a_full_backlog_waits_for_room_and_can_be_given_up(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
        runtime.block_on(async {
            let address = abstract_address();
            let listener = small_listener(&address);
            let clients = fill(&address);
            for _ in 0..3 {
                let connect = UnixStream::connect_addr(&address);
                assert!(timeout(Duration::from_millis(10), connect).await.is_err());
            }
            let address = address.clone();
            let waiting = spawn(async move { UnixStream::connect_addr(&address).await });
            turns(300).await;
            assert!(!waiting.is_finished());
            for _ in &clients {
                drop(listener.accept().expect("there is a client"));
            }
            waiting.await.expect("no panic").expect("there is room now");
            listener.accept().expect("it has waited for this");
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    }

    /// Splitting works as with TCP.
    fn the_halves_of_a_stream_are_closed_one_after_the_other(driver) {
        runtime(driver).block_on(async {
            let (one, two) = UnixStream::pair().expect("descriptors are left");
            let (reader, writer) = one.into_split();
            writer.write_all(b"question").await.0.expect("it is connected");
            drop(writer);
            assert_eq!(read(&two, 100).await, b"question");
            assert!(read(&two, 100).await.is_empty(), "the end");
            two.write_all(b"answer").await.0.expect("that direction is open");
            let (_, bytes) = reader.read_exact(Vec::with_capacity(6)).await;
            assert_eq!(bytes, b"answer");
            let (reader, writer) = two.into_split();
            let two = reader.reunite(writer).expect("they are halves of one");
            two.shutdown(Shutdown::Both).expect("it is connected");
        });
    }

    /// In the mode in which it came, or blocking.
    fn streams_and_listeners_of_the_standard_library_come_and_go(driver) {
        runtime(driver).block_on(async {
            let address = abstract_address();
            let theirs = net::UnixListener::bind_addr(&address).expect("nobody has it");
            let listener = UnixListener::from_std(theirs).expect("it is a socket");
            let connected = UnixStream::connect_addr(&address).await.expect("it listens");
            let (accepted, _) = listener.accept().await.expect("there is a client");
            let (mut one, mut two) = (
                connected.into_std().expect("nothing was read ahead"),
                accepted.into_std().expect("nothing was read ahead"),
            );
            assert!(!common::is_nonblocking(&one) && !common::is_nonblocking(&two));
            one.write_all(b"hello").expect("it is connected");
            two.read_exact(&mut [0; 5]).expect("it was sent");
            let theirs = listener.into_std().expect("it is a socket");
            assert!(!common::is_nonblocking(&theirs));
            let _client = net::UnixStream::connect_addr(&address).expect("it listens");
            theirs.accept().expect("there is a client");
            for nonblocking in [false, true] {
                let (stream, twin) = net::UnixStream::pair().expect("descriptors are left");
                stream.set_nonblocking(nonblocking).expect("it is a socket");
                let ours = UnixStream::from_std(stream).expect("it is a socket");
                let mut reading = Box::pin(read(&ours, 5));
                assert!(poll_once(&mut reading).await.is_pending());
                turns(100).await;
                (&twin).write_all(b"hello").expect("it is connected");
                assert_eq!(reading.await, b"hello");
                let back = ours.into_std().expect("nothing was read ahead");
                assert_eq!(common::is_nonblocking(&back), nonblocking);
            }
        });
    }

    /// From a path, from an abstract address, from no address.
    fn datagrams_tell_where_they_come_from(driver) {
        runtime(driver).block_on(async {
            let directory = Directory::new();
            let (here, there) = (directory.path("here"), directory.path("there"));
            let one = UnixDatagram::bind(&here).expect("the directory is ours");
            let two = UnixDatagram::bind(&there).expect("the directory is ours");
            let name = abstract_address();
            let three = UnixDatagram::bind_addr(&name).expect("nobody has it");
            let nobody = UnixDatagram::unbound().expect("descriptors are left");

            one.send_to(b"path", &there).await.0.expect("it is there");
            let (result, bytes) = two.recv_from(Vec::with_capacity(100)).await;
            let (length, from) = result.expect("it was sent");
            assert_eq!((length, from.as_pathname(), &bytes[..]), (4, Some(&*here), &b"path"[..]));
            three.send_to(b"abstract", &there).await.0.expect("it is there");
            let (result, bytes) = two.recv_from(bytes).await;
            let (_, from) = result.expect("it was sent");
            assert_eq!(from.as_abstract_name(), name.as_abstract_name());
            assert_eq!(bytes, b"abstract");
            nobody.send_to_addr(b"nobody", &name).await.0.expect("it is there");
            let mut room = [0; 10];
            assert!(three.peek_from(&mut room).await.expect("it was sent").1.is_unnamed());
            assert_eq!(three.try_recv_from(&mut room).expect("it was sent").0, 6);
            would_block(three.try_recv(&mut room));

            let error = one.send_to(b"?", directory.path("nowhere")).await.0;
            assert_eq!(error.expect_err("nobody is there").kind(), ErrorKind::NotFound);
            let error = one.send(b"?").await.0.expect_err("it is not connected");
            assert_eq!(error.kind(), ErrorKind::NotConnected);
            one.connect(&there).expect("it is there");
            one.send(b"connected").await.0.expect("it is there");
            assert_eq!(two.recv(Vec::with_capacity(100)).await.1, b"connected");
            assert_eq!(one.peer_addr().expect("connected").as_pathname(), Some(&*there));
            assert_eq!(one.try_send_to(b"try", &there).expect("there is room"), 3);
            assert_eq!(two.recv(Vec::with_capacity(100)).await.1, b"try");
        });
    }

    /// It waits, whether it is connected to the receiver or not, and nothing is lost or overtaken.
    fn a_sender_waits_while_the_queue_of_the_receiver_is_full(driver) {
        runtime(driver).block_on(async {
            for is_connected in [true, false] {
                let address = abstract_address();
                let receiver = UnixDatagram::bind_addr(&address).expect("nobody has it");
                let sender = UnixDatagram::unbound().expect("descriptors are left");
                if is_connected {
                    sender.connect_addr(&address).expect("it is there");
                }
                let sending = spawn(async move {
                    for number in 0..1000_u32 {
                        let bytes = number.to_ne_bytes().to_vec();
                        let sent = if is_connected {
                            sender.send(bytes).await.0
                        } else {
                            sender.send_to_addr(bytes, &address).await.0
                        };
                        assert_eq!(sent.expect("it is there"), 4);
                    }
                });
                turns(1500).await;
                assert!(!sending.is_finished(), "the queue is shorter");
                for number in 0..1000_u32 {
                    let (_, bytes) = receiver.recv(Vec::with_capacity(4)).await;
                    assert_eq!(bytes, number.to_ne_bytes());
                }
                sending.await.expect("no panic");
            }
        });
    }

    /// Both ends have both directions.
    fn a_pair_of_datagram_sockets_is_connected(driver) {
        runtime(driver).block_on(async {
            let (one, two) = UnixDatagram::pair().expect("descriptors are left");
            let waiting = spawn(async move {
                two.recv(Vec::with_capacity(10)).await.0.expect("it was sent");
                two.send(b"pong").await.0
            });
            turns(100).await;
            one.writable().await.expect("there is room");
            assert_eq!(one.try_send(b"ping").expect("there is room"), 4);
            one.readable().await.expect("it is connected");
            assert_eq!(one.recv(Vec::with_capacity(10)).await.1, b"pong");
            waiting.await.expect("no panic").expect("it is connected");
            let theirs = one.into_std().expect("it is a socket");
            assert!(!common::is_nonblocking(&theirs));
            let ours = UnixDatagram::from_std(theirs).expect("it is a socket");
            let error = ours.send(b"?").await.0.expect_err("the other has gone");
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            ours.shutdown(Shutdown::Both).expect("it is a socket");
        });
    }
}
