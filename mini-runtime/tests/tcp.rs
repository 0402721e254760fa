//! TCP, in both styles, and mixed.

mod common;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{self, Shutdown};
use std::time::Duration;

use common::{descriptors, half, on_both_drivers, pair, poll_once, runtime, turns};
use futures::{AsyncReadExt as PolledRead, AsyncWriteExt as PolledWrite, FutureExt, StreamExt};
use mini_runtime::io::{AsyncReadOwned, AsyncWriteOwned, IoBuf};
use mini_runtime::net::{TcpListener, TcpSocket, TcpStream};
use mini_runtime::task::spawn_blocking;
use mini_runtime::time::timeout;
use mini_runtime::{Builder, spawn};

const ELAPSED: &str = "the deadline has come";

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 31 % 251) as u8).collect()
}

/// Reads as owned buffers do, and a new buffer each time.
async fn read(stream: &TcpStream, room: usize) -> Vec<u8> {
    let (read, bytes) = stream.read(Vec::with_capacity(room)).await;
    assert_eq!(read.expect("the connection is fine"), bytes.len());
    bytes
}

async fn read_to_end(stream: &TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let bytes = read(stream, 4096).await;
        if bytes.is_empty() {
            return all;
        }
        all.extend(bytes);
    }
}

/// Reads without waiting, as soon as that is worth it.
async fn read_when_readable(stream: &TcpStream, room: usize) -> Vec<u8> {
    let mut bytes = vec![0; room];
    loop {
        stream.readable().await.expect("the connection is fine");
        match stream.try_read(&mut bytes) {
            Ok(length) => {
                bytes.truncate(length);
                return bytes;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
}

on_both_drivers! {
    /// More than all buffers hold, in both directions at once.
    fn owned_buffers_carry_all_bytes_in_order(driver) {
        runtime(driver).block_on(async {
            let (one, two) = pair().await;
            let bytes = pattern(3 << 20);
            let echo = spawn(async move {
                loop {
                    let bytes = read(&two, 10_000).await;
                    if bytes.is_empty() {
                        return two.shutdown(Shutdown::Write);
                    }
                    two.write_all(bytes).await.0?;
                }
            });
            let write = async {
                let (written, back) = one.write_all(pattern(3 << 20)).await;
                written.expect("the echo reads");
                assert_eq!(back.len(), 3 << 20, "the buffer comes back");
                one.shutdown(Shutdown::Write).expect("it is connected");
            };
            let ((), all) = futures::join!(write, read_to_end(&one));
            assert!(all == bytes);
            echo.await.expect("it does not panic").expect("the connection is fine");
        });
    }

    /// `read_exact` fills all, or says that the end came before.
    fn read_exact_fills_the_buffer_or_says_that_the_end_came(driver) {
        runtime(driver).block_on(async {
            let (stream, mut peer) = half().await;
            peer.write_all(b"hel").expect("it is connected");
            let reader = async {
                let (read, bytes) = stream.read_exact(Vec::with_capacity(5)).await;
                read.expect("there are five");
                assert_eq!(bytes, b"hello");
            };
            let writer = async {
                turns(100).await;
                peer.write_all(b"lo!").expect("it is connected");
                drop(peer);
            };
            futures::join!(reader, writer);
            let (read, bytes) = stream.read_exact(Vec::with_capacity(5)).await;
            assert_eq!(read.expect_err("there is one").kind(), ErrorKind::UnexpectedEof);
            assert_eq!(bytes, b"!");
            assert!(stream.read_exact(Vec::new()).await.0.is_ok(), "nothing is asked for");
        });
    }

    /// A part of a buffer is read to, and the rest stays as it was.
    fn a_slice_is_read_to_and_written_from_alone(driver) {
        runtime(driver).block_on(async {
            let (stream, mut peer) = half().await;
            let mut buffer = Vec::with_capacity(6);
            buffer.extend(b"ab");
            peer.write_all(b"cdef").expect("it is connected");
            let (read, slice) = stream.read_exact(buffer.slice(2..4)).await;
            read.expect("there are enough");
            let buffer = slice.into_inner();
            assert_eq!(buffer, b"abcd");
            stream.write_all(buffer.slice(1..3)).await.0.expect("it is connected");
            let mut two = [0; 2];
            peer.read_exact(&mut two).expect("they were sent");
            assert_eq!(&two, b"bc");
        });
    }

    /// Several buffers, of which some are empty, keep the order of the bytes.
    fn vectored_reads_and_writes_keep_the_order(driver) {
        runtime(driver).block_on(async {
            let (one, two) = pair().await;
            let parts = vec![b"he".to_vec(), Vec::new(), b"l".to_vec(), b"lo, you".to_vec()];
            let (written, parts) = one.write_vectored(parts).await;
            assert_eq!(written.expect("it is connected"), 10);
            assert_eq!(parts.concat(), b"hello, you");
            let mut all = Vec::new();
            while all.len() < 10 {
                let rooms: Vec<Vec<u8>> =
                    [3, 0, 1, 100].into_iter().map(Vec::with_capacity).collect();
                let (read, rooms) = two.read_vectored(rooms).await;
                let bytes = rooms.concat();
                assert_eq!(read.expect("it is connected"), bytes.len());
                all.extend(bytes);
            }
            assert_eq!(all, b"hello, you");
            drop(one);
            let (read, rooms) = two.read_vectored(vec![vec![1, 2], vec![3]]).await;
            assert_eq!(read.expect("it is the end"), 0);
            assert!(rooms.concat().is_empty());
        });
    }

    /// More slices than the kernel takes at once.
    fn two_thousand_buffers_are_written_in_several_goes(driver) {
        runtime(driver).block_on(async {
            let (one, two) = pair().await;
            let parts: Vec<Vec<u8>> = (0..2000).map(|part| vec![part as u8; 3]).collect();
            let (written, back) = one.write_vectored(parts).await;
            let written = written.expect("it is connected");
            assert!((1..=3072).contains(&written) && back.len() == 2000);
            let rooms = (0..2000).map(|_| Vec::with_capacity(1)).collect::<Vec<_>>();
            let (read, rooms) = two.read_vectored(rooms).await;
            assert_eq!(read.expect("it is connected"), rooms.concat().len());
            assert!(rooms.concat().iter().zip(back.concat()).all(|(one, two)| *one == two));
        });
    }

    /// More than the kernel takes at once, and none of them has a byte, or room for one.
    fn two_thousand_empty_buffers_do_not_hide_the_one_behind_them(driver) {
        runtime(driver).block_on(async {
            let (one, two) = pair().await;
            let mut parts = vec![Vec::new(); 2000];
            parts.push(b"x".to_vec());
            assert_eq!(one.write_vectored(parts).await.0.expect("it is connected"), 1);
            let mut rooms = vec![Vec::new(); 2000];
            rooms.push(Vec::with_capacity(1));
            let (read, rooms) = two.read_vectored(rooms).await;
            assert_eq!(read.expect("it is connected"), 1);
            assert_eq!(rooms.concat(), b"x");
        });
    }

    /// What `AsyncRead` has fetched ahead is read first, whichever way comes next.
    fn bytes_stay_in_order_when_the_style_changes(driver) {
        runtime(driver).block_on(async {
            let (mut stream, mut peer) = half().await;
            peer.write_all(b"abcdefghij").expect("it is connected");
            let mut byte = [0];
            PolledRead::read_exact(&mut stream, &mut byte).await.expect("it is connected");
            assert_eq!(&byte, b"a");
            assert_eq!(read(&stream, 1).await, b"b");
            assert_eq!(read_when_readable(&stream, 1).await, b"c");
            let rooms = vec![Vec::new(), Vec::with_capacity(1), Vec::with_capacity(1)];
            let (read_, rooms) = stream.read_vectored(rooms).await;
            let length = read_.expect("it is connected");
            assert!(b"de".starts_with(&rooms.concat()) && rooms.concat().len() == length);
            let mut rest = vec![0; 7 - length];
            PolledRead::read_exact(&mut stream, &mut rest).await.expect("it is connected");
            assert_eq!(rest, b"defghij"[length..]);
        });
    }

    /// `AsyncRead` may be given up while the kernel has it: the bytes come to whoever reads next.
    fn bytes_that_a_dropped_poll_read_has_asked_for_are_not_lost(driver) {
        runtime(driver).block_on(async {
            for way in 0..4 {
                let (mut stream, mut peer) = half().await;
                let mut room = [0; 5];
                assert!(poll_once(PolledRead::read(&mut stream, &mut room)).await.is_pending());
                turns(100).await;
                assert_eq!(
                    stream.try_read(&mut room).expect_err("nothing is there").kind(),
                    ErrorKind::WouldBlock
                );
                let reader = async {
                    match way {
                        0 => read(&stream, 5).await,
                        1 => read_when_readable(&stream, 5).await,
                        2 => stream.read_vectored(vec![Vec::with_capacity(5)]).await.1.concat(),
                        _ => {
                            let mut all = vec![0; 5];
                            PolledRead::read_exact(&mut stream, &mut all).await.expect("connected");
                            all
                        }
                    }
                };
                let writer = async {
                    turns(100).await;
                    peer.write_all(b"hello").expect("it is connected");
                };
                assert_eq!(futures::join!(reader, writer).0, b"hello", "way {way}");
            }
        });
    }

    /// On both drivers, whether there are bytes or not.
    fn a_poll_read_into_no_room_is_ready_at_once(driver) {
        runtime(driver).block_on(async {
            let (mut stream, mut peer) = half().await;
            for bytes in [&b""[..], b"1"] {
                peer.write_all(bytes).expect("there is room");
                for _ in 0..3 {
                    let read = PolledRead::read(&mut stream, &mut []).now_or_never();
                    assert_eq!(read.expect("there is nothing to wait for").expect("connected"), 0);
                }
            }
            assert_eq!(PolledRead::read(&mut stream, &mut [0; 8]).await.expect("connected"), 1);
        });
    }

    /// A write that was given up has sent its bytes or has not, and the next one does not send them twice.
    fn a_poll_write_that_was_given_up_sends_no_byte_twice(driver) {
        runtime(driver).block_on(async {
            let (mut one, two) = pair().await;
            let bytes = pattern(1 << 20);
            let reader = spawn(async move { read_to_end(&two).await });
            let mut sent = 0;
            while sent < bytes.len() {
                // Polled once and dropped, again and again: only what is ready counts.
                if let std::task::Poll::Ready(written) =
                    poll_once(PolledWrite::write(&mut one, &bytes[sent..])).await
                {
                    sent += written.expect("the reader reads");
                } else {
                    turns(1).await;
                }
            }
            PolledWrite::close(&mut one).await.expect("it is connected");
            assert!(reader.await.expect("it does not panic") == bytes);
        });
    }

    /// Without waiting: what there is, or `WouldBlock`.
    fn try_read_and_try_write_never_wait(driver) {
        runtime(driver).block_on(async {
            let (one, mut peer) = half().await;
            let mut room = [0; 8];
            assert_eq!(one.try_read(&mut room).expect_err("nothing").kind(), ErrorKind::WouldBlock);
            peer.write_all(b"hello").expect("it is connected");
            assert_eq!(read_when_readable(&one, 8).await, b"hello");
            let mut sent = 0;
            let error = loop {
                match one.try_write(&[7; 65_536]) {
                    Ok(length) => sent += length,
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            let mut writable = Box::pin(one.writable());
            assert!(poll_once(&mut writable).await.is_pending());
            let mut received = vec![0; sent];
            peer.read_exact(&mut received).expect("that much was sent");
            writable.await.expect("there is room again");
            assert_eq!(one.try_write(b"x").expect("there is room"), 1);
            peer.read_exact(&mut [0]).expect("it was sent");
            drop(peer);
            assert!(read_when_readable(&one, 1).await.is_empty(), "the end is readable");
        });
    }

    /// The end of one direction leaves the other one open, however the end and the bytes arrive.
    fn a_half_closed_connection_goes_on_in_the_other_direction(driver) {
        runtime(driver).block_on(async {
            let (stream, mut peer) = half().await;
            peer.write_all(b"request").expect("it is connected");
            peer.shutdown(Shutdown::Write).expect("it is connected");
            // Bytes and end were reported at once, and are read in small parts.
            turns(100).await;
            let mut request = Vec::new();
            loop {
                let bytes = read(&stream, 3).await;
                if bytes.is_empty() {
                    break;
                }
                request.extend(bytes);
            }
            assert_eq!(request, b"request");
            assert!(read(&stream, 3).await.is_empty(), "the end stays the end");
            stream.write_all(b"answer").await.0.expect("that direction is open");
            drop(stream);
            let mut answer = String::new();
            peer.read_to_string(&mut answer).expect("it is connected");
            assert_eq!(answer, "answer");
        });
    }

    /// A read that was short is followed by the end, or by more, in whichever order they come.
    fn no_edge_is_lost_between_a_short_read_and_what_comes_next(driver) {
        runtime(driver).block_on(async {
            for round in 0..300 {
                let (stream, mut peer) = half().await;
                peer.write_all(b"abc").expect("it is connected");
                if round % 3 == 0 {
                    turns(70).await;
                }
                assert_eq!(read(&stream, 100).await, b"abc");
                if round % 2 == 0 {
                    peer.write_all(b"def").expect("it is connected");
                    assert_eq!(read(&stream, 3).await, b"def");
                }
                let waiting = spawn(async move { read(&stream, 100).await });
                turns(round % 5).await;
                drop(peer);
                let end = timeout(Duration::from_secs(10), waiting).await.expect("an edge is lost");
                assert!(end.expect("it does not panic").is_empty());
            }
        });
    }

    /// A connection is reset when bytes are left unread. Both directions say so.
    fn a_reset_by_the_peer_is_an_error_and_no_signal(driver) {
        runtime(driver).block_on(async {
            let (stream, peer) = half().await;
            stream.write_all(b"nobody reads this").await.0.expect("it is connected");
            drop(peer);
            let (read, _) = stream.read(Vec::with_capacity(1)).await;
            assert_eq!(read.expect_err("it was reset").kind(), ErrorKind::ConnectionReset);
            let mut failed = false;
            for way in 0..4 {
                let written = match way {
                    0 => stream.write(b"x".to_vec()).await.0,
                    1 => stream.write_vectored(vec![b"x".to_vec()]).await.0,
                    _ => stream.try_write(b"x"),
                };
                failed |= written.is_err_and(|error| error.kind() == ErrorKind::BrokenPipe);
            }
            assert!(failed);
        });
    }

    /// Nobody listens.
    fn a_connection_that_is_refused_says_so(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
        runtime.block_on(async {
            let closed = net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let address = closed.local_addr().expect("it is bound");
            drop(closed);
            for _ in 0..100 {
                let error = TcpStream::connect(address).await.expect_err("nobody listens");
                assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            }
            // The next address is tried.
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let there = listener.local_addr().expect("it is bound");
            TcpStream::connect(&[address, there][..]).await.expect("one of them listens");
            let error = TcpStream::connect(&[][..]).await.expect_err("no address");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    }

    /// As version 4.
    fn version_6_addresses_work(driver) {
        runtime(driver).block_on(async {
            let listener = match TcpListener::bind("[::1]:0") {
                Ok(listener) => listener,
                Err(error) => return common::skip(format_args!("no IPv6 here: {error}")),
            };
            let address = listener.local_addr().expect("it is bound");
            let client = TcpStream::connect(address);
            let (client, accepted) = futures::join!(client, listener.accept());
            let (client, (server, peer)) = (client.expect("connected"), accepted.expect("a client"));
            assert_eq!(client.peer_addr().expect("connected"), address);
            assert_eq!(client.local_addr().expect("connected"), peer);
            assert_eq!(server.peer_addr().expect("connected"), peer);
            client.write_all(b"six").await.0.expect("it is connected");
            assert_eq!(read(&server, 10).await, b"six");
        });
    }

    /// Accepted, used and dropped, in bursts: all are served, and all are closed.
    fn two_thousand_clients_are_served_and_leave_no_descriptor(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
        runtime.block_on(async {
            let mut listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let address = listener.local_addr().expect("it is bound");
            let server = spawn(async move {
                while let Some(accepted) = listener.next().await {
                    let stream = accepted.expect("descriptors are left");
                    drop(spawn(async move {
                        let bytes = read(&stream, 10).await;
                        stream.write_all(bytes).await.0
                    }));
                }
            });
            for burst in 0..20 {
                let clients = (0..100_u8).map(|number| async move {
                    let stream = TcpStream::connect(address).await?;
                    stream.write_all(vec![number, burst]).await.0?;
                    let (read, bytes) = stream.read_exact(Vec::with_capacity(2)).await;
                    read?;
                    assert_eq!(bytes, [number, burst]);
                    io::Result::Ok(())
                });
                for served in futures::future::join_all(clients).await {
                    served.expect("each client is served");
                }
            }
            server.abort();
            assert!(server.await.is_err());
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    }

    /// A number of a descriptor that is used again at once does not bring the news of the old one.
    fn a_descriptor_number_that_is_used_again_brings_no_stale_news(driver) {
        runtime(driver).block_on(async {
            for _ in 0..300 {
                let (old, mut old_peer) = half().await;
                let mut waiting = Box::pin(read(&old, 1));
                assert!(poll_once(&mut waiting).await.is_pending());
                old_peer.write_all(b"old").expect("it is connected");
                drop(waiting);
                drop(old);
                let (new, mut new_peer) = half().await;
                let mut waiting = Box::pin(read(&new, 3));
                turns(2).await;
                assert!(poll_once(&mut waiting).await.is_pending(), "news of the old one");
                new_peer.write_all(b"new").expect("it is connected");
                assert_eq!(waiting.await, b"new");
            }
        });
    }

    /// The peer hears of the end when the stream is dropped, not when the kernel has let go of it.
    fn a_stream_that_is_dropped_in_the_middle_of_a_read_ends_its_connection(driver) {
        runtime(driver).block_on(async {
            let (mut one, two) = pair().await;
            assert!(poll_once(PolledRead::read(&mut one, &mut [0])).await.is_pending());
            turns(100).await;
            drop(one);
            assert!(read(&two, 1).await.is_empty());
        });
    }

    /// What is taken over from the standard library is set to what the driver needs.
    fn sockets_of_the_standard_library_can_be_taken_over(driver) {
        runtime(driver).block_on(async {
            for nonblocking in [false, true] {
                let listener = net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
                listener.set_nonblocking(nonblocking).expect("it is a socket");
                let client = net::TcpStream::connect(listener.local_addr().expect("bound"));
                let client = client.expect("it listens");
                client.set_nonblocking(nonblocking).expect("it is a socket");
                let listener = TcpListener::from_std(listener).expect("it is a socket");
                let client = TcpStream::from_std(client).expect("it is a socket");
                let (server, _) = listener.accept().await.expect("there is a client");
                let reader = async { read(&server, 5).await };
                let writer = async {
                    turns(100).await;
                    client.set_nodelay(true).expect("it is connected");
                    client.write_all(b"hello").await.0.expect("it is connected");
                };
                assert_eq!(futures::join!(reader, writer).0, b"hello");
            }
        });
    }

    /// The kernel drops what a client sends to a backlog that is full, and the client waits.
    fn a_connect_that_nobody_answers_can_be_given_up(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
        runtime.block_on(async {
            let socket = TcpSocket::new_v4().expect("descriptors are left");
            socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port is free");
            let listener = socket.listen(0).expect("nobody else listens");
            let address = listener.local_addr().expect("it is bound");
            let limit = Duration::from_millis(20);
            let mut clients = Vec::new();
            while let Ok(client) = timeout(limit, TcpStream::connect(address)).await {
                clients.push(client.expect("it listens"));
                assert!(clients.len() < 10, "the backlog has room for one or two");
            }
            for _ in 0..5 {
                let connected = timeout(limit, TcpStream::connect(address)).await;
                assert_eq!(connected.expect_err("there is no room").to_string(), ELAPSED);
            }
            // Dropped before it was polled again, and before the kernel has heard of it.
            let mut connect = Box::pin(TcpStream::connect(address));
            assert!(poll_once(&mut connect).await.is_pending());
            drop(connect);
            listener.accept().await.expect("one is in the backlog");
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    }

    /// In each of the ways to wait for a peer, and the connection is as before.
    fn io_under_a_timeout_is_given_up_and_the_connection_goes_on(driver) {
        runtime(driver).block_on(async {
            let (mut stream, mut peer) = half().await;
            let limit = Duration::from_millis(5);
            let mut room = [0; 5];
            let buffer = Vec::with_capacity(5);
            assert!(timeout(limit, stream.read(buffer)).await.is_err());
            assert!(timeout(limit, stream.read_exact(Vec::with_capacity(5))).await.is_err());
            assert!(timeout(limit, stream.read_vectored(vec![vec![0]])).await.is_err());
            assert!(timeout(limit, stream.peek(&mut room)).await.is_err());
            assert!(timeout(limit, PolledRead::read(&mut stream, &mut room)).await.is_err());
            // The kernel hears of what was given up.
            turns(100).await;
            peer.write_all(b"hello").expect("it is connected");
            let read = timeout(Duration::from_secs(10), stream.read_exact(Vec::with_capacity(5)));
            assert_eq!(read.await.expect("it was sent").1, b"hello");

            const BYTES: &[u8] = &[7; 1 << 22];
            assert!(timeout(limit, stream.write_all(BYTES)).await.is_err());
            assert!(timeout(limit, stream.write_vectored(vec![BYTES])).await.is_err());
            assert!(timeout(limit, PolledWrite::write_all(&mut stream, BYTES)).await.is_err());
            drop(stream);
            let mut received = Vec::new();
            peer.read_to_end(&mut received).expect("it is connected");
            assert!(received.iter().all(|byte| *byte == 7));
        });
    }

    /// An urgent byte ends a read before it. What is behind it was reported together with it.
    fn bytes_behind_an_urgent_one_are_not_forgotten(driver) {
        runtime(driver).block_on(async {
            let (stream, mut peer) = half().await;
            peer.write_all(b"before").expect("it is connected");
            rustix::net::send(&peer, b"!", rustix::net::SendFlags::OOB).expect("it is connected");
            peer.write_all(b"behind").expect("it is connected");
            turns(100).await;
            let mut all = Vec::new();
            while all.len() < 12 {
                let next = timeout(Duration::from_secs(10), read(&stream, 100)).await;
                all.extend(next.expect("it was sent"));
            }
            assert_eq!(all, b"beforebehind", "the urgent byte is not asked for");
        });
    }

    /// Looked up on another thread, while this one goes on.
    fn a_host_name_is_looked_up_without_blocking(driver) {
        let runtime = Builder::new().driver(driver).max_blocking_threads(1).build();
        runtime.expect("descriptors are left").block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let port = listener.local_addr().expect("it is bound").port();
            // The one thread for such work has something else to do: so that is where it is looked up.
            let (finish, is_finished) = std::sync::mpsc::channel::<()>();
            let busy = spawn_blocking(move || assert!(is_finished.recv().is_err()));
            let connect = spawn(TcpStream::connect(format!("localhost:{port}")));
            turns(100).await;
            assert!(!connect.is_finished());
            drop(finish);
            busy.await.expect("no panic");
            match connect.await.expect("no panic") {
                Ok(stream) => assert_eq!(stream.peer_addr().expect("connected").port(), port),
                Err(error) => common::skip(format_args!("no name `localhost` here: {error}")),
            }
            let error = TcpStream::connect("localhost").await.expect_err("it has no port");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            TcpListener::bind("localhost:0").map(drop).unwrap_or_else(|error| {
                common::skip(format_args!("no name `localhost` here: {error}"));
            });
        });
    }
}
