//! The adapter: `AsyncRead` and `AsyncWrite` over operations that own their buffers.

mod common;

use std::io::{self, IoSlice, Read, Write};
use std::net::{self, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Context;
use std::thread;

use ch14_swap::{PollListener, PollStream};
use common::{checked, counting, on_a_ring, ring, start, turns};
use futures::future::{Either, select};
use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt, poll};
use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};
use trace::{Event, OpKind, Recording};

/// As much as one operation carries.
const BUFFER: usize = 16 * 1024;

/// A connection: our end, and the peer's, which blocks.
async fn pair() -> (PollStream, net::TcpStream) {
    let mut listener = PollListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    let peer = net::TcpStream::connect(address).expect("the kernel accepts into the backlog");
    (listener.next().await.expect("a listener does not end").expect("a connection"), peer)
}

/// Bytes that repeat with a period which no buffer size shares.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place % 251) as u8).collect()
}

/// Polls a write once, and drops its future.
async fn drop_a_write(stream: &mut PollStream, bytes: &[u8]) {
    assert!(poll!(stream.write(bytes)).is_pending());
}

/// What the peer hears until the end.
fn hear_all(mut peer: net::TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    peer.read_to_end(&mut heard).expect("the connection holds");
    heard
}

fn submitted(kind: OpKind) -> usize {
    let events = Recording::current().expect("`watch` records").events();
    events
        .iter()
        .filter(|event| matches!(event, Event::Sqe { kind: of, .. } if *of == kind))
        .count()
}

// Reading.

#[test]
fn a_small_buffer_is_filled_and_the_rest_comes_with_the_next_reads() {
    on_a_ring(async || {
        let (mut stream, mut peer) = pair().await;
        peer.write_all(b"0123456789").expect("the connection holds");
        let mut buffer = [0; 4];
        for expected in ["0123", "4567", "89"] {
            let length = stream.read(&mut buffer).await.expect("the connection holds");
            assert_eq!(&buffer[..length], expected.as_bytes());
        }
        if trace::ENABLED {
            assert_eq!(submitted(OpKind::Recv), 1, "one operation for three reads");
        }
        drop(peer);
        for _ in 0..3 {
            assert_eq!(stream.read(&mut buffer).await.expect("the connection holds"), 0);
        }
    });
}

#[test]
fn what_is_longer_than_a_buffer_comes_whole_and_in_order() {
    on_a_ring(async || {
        for piece in [1000, BUFFER, 3 * BUFFER] {
            let (mut stream, mut peer) = pair().await;
            let sender = thread::spawn(move || peer.write_all(&pattern(500_000)));
            let (mut received, mut buffer) = (Vec::new(), vec![0; piece]);
            loop {
                match stream.read(&mut buffer).await.expect("the connection holds") {
                    0 => break,
                    length => received.extend_from_slice(&buffer[..length]),
                }
            }
            sender.join().expect("no panic").expect("the connection holds");
            assert!(received == pattern(500_000));
        }
    });
}

#[test]
fn a_read_of_no_bytes_is_ready_at_once_and_submits_nothing() {
    on_a_ring(async || {
        let (mut stream, mut peer) = pair().await;
        assert_eq!(stream.read(&mut []).now_or_never().expect("ready").expect("no error"), 0);
        if trace::ENABLED {
            assert_eq!(submitted(OpKind::Recv), 0);
        }
        peer.write_all(b"x").expect("the connection holds");
        let mut byte = [0];
        stream.read_exact(&mut byte).await.expect("the connection holds");
        assert_eq!(byte, *b"x");
    });
}

#[test]
fn a_read_that_is_dropped_has_lost_nothing() {
    on_a_ring(async || {
        let (mut stream, mut peer) = pair().await;
        let mut buffer = [0; 16];
        // Dropped before the kernel has it, when it waits there, and when it has landed.
        for (turns_before, turns_after) in [(0, 0), (20, 0), (0, 20), (20, 20)] {
            assert!(poll!(stream.read(&mut [0; 3])).is_pending());
            turns(turns_before).await;
            peer.write_all(b"hello").expect("the connection holds");
            turns(turns_after).await;
            let length = stream.read(&mut buffer).await.expect("the connection holds");
            assert_eq!(&buffer[..length], b"hello");
        }
    });
}

#[test]
fn the_task_that_reads_last_is_the_one_that_is_woken() {
    on_a_ring(async || {
        let (mut stream, mut peer) = pair().await;
        let woken = Arc::new(AtomicUsize::new(0));
        let waker = counting(&woken);
        let cx = &mut Context::from_waker(&waker);
        assert!(Pin::new(&mut stream).poll_read(cx, &mut [0]).is_pending());
        turns(5).await;
        let told = start(async move { stream.read_exact(&mut [0]).await });
        turns(5).await;
        peer.write_all(b"x").expect("the connection holds");
        told.await.expect("the task ends").expect("the connection holds");
        assert_eq!(woken.load(SeqCst), 0);
    });
}

#[test]
fn a_connection_that_breaks_is_an_error_of_read_and_write_and_no_signal() {
    on_a_ring(async || {
        let (mut stream, peer) = pair().await;
        reset(peer);
        let error = stream.read(&mut [0]).await.expect_err("the peer has reset the connection");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        // Told once. Then there is an end to be read, and nobody to write to.
        assert_eq!(stream.read(&mut [0]).await.expect("the end"), 0);
        let error = stream.write(b"x").await.expect_err("nobody hears");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        stream.close().await.expect("what is gone is closed");
    });
}

fn reset(peer: net::TcpStream) {
    setsockopt(&peer, sockopt::Linger, &linger { l_onoff: 1, l_linger: 0 }).expect("it is open");
}

// Writing.

#[test]
fn a_write_that_is_dropped_and_repeated_is_sent_once() {
    on_a_ring(async || {
        for turns_between in [0, 20] {
            let (mut stream, peer) = pair().await;
            drop_a_write(&mut stream, b"once").await;
            turns(turns_between).await;
            stream.write_all(b"once").await.expect("the connection holds");
            stream.close().await.expect("the connection holds");
            assert_eq!(hear_all(peer), b"once");
        }
    });
}

#[test]
fn a_write_that_is_dropped_and_followed_by_another_is_sent_before_it() {
    on_a_ring(async || {
        for turns_between in [0, 20] {
            let (mut stream, peer) = pair().await;
            drop_a_write(&mut stream, b"one ").await;
            turns(turns_between).await;
            stream.write_all(b"other").await.expect("the connection holds");
            stream.close().await.expect("the connection holds");
            assert_eq!(hear_all(peer), b"one other");
        }
    });
}

#[test]
fn of_a_write_that_begins_with_the_dropped_one_the_rest_is_sent() {
    on_a_ring(async || {
        let (mut stream, peer) = pair().await;
        drop_a_write(&mut stream, b"one").await;
        let slices = [&b"o"[..], b"", b"ne and ", b"a half"].map(IoSlice::new);
        let length = stream.write_vectored(&slices).await.expect("the connection holds");
        assert_eq!(length, 3);
        stream.write_all(b" and a half").await.expect("the connection holds");
        stream.close().await.expect("the connection holds");
        assert_eq!(hear_all(peer), b"one and a half");
    });
}

#[test]
fn a_write_that_is_only_the_beginning_of_the_dropped_one_is_another_one() {
    on_a_ring(async || {
        let (mut stream, peer) = pair().await;
        drop_a_write(&mut stream, b"wholesale").await;
        stream.write_all(b"whole").await.expect("the connection holds");
        assert_eq!(stream.write(b"").await.expect("nothing is always written"), 0);
        stream.close().await.expect("the connection holds");
        assert_eq!(hear_all(peer), b"wholesalewhole");
    });
}

#[test]
fn a_read_and_a_write_of_one_stream_wait_in_two_tasks() {
    on_a_ring(async || {
        let (stream, mut peer) = pair().await;
        let (mut reader, mut writer) = stream.split();
        let heard = start(async move {
            let mut word = [0; 5];
            reader.read_exact(&mut word).await.map(|()| word)
        });
        turns(5).await;
        let wrote = start(async move { writer.write_all(b"question").await });
        let mut question = [0; 8];
        wrote.await.expect("the task ends").expect("the connection holds");
        peer.read_exact(&mut question).expect("the connection holds");
        peer.write_all(b"reply").expect("the connection holds");
        assert_eq!(&heard.await.expect("the task ends").expect("the connection holds"), b"reply");
    });
}

#[test]
fn vectored_writes_take_what_one_operation_carries() {
    on_a_ring(async || {
        let (mut stream, peer) = pair().await;
        let all = pattern(3 * BUFFER);
        let listener = thread::spawn(|| hear_all(peer));
        let slices = [&all[..10_000], &[], &all[10_000..20_000], &all[20_000..]].map(IoSlice::new);
        let length = stream.write_vectored(&slices).await.expect("the connection holds");
        assert_eq!(length, BUFFER);
        let none = stream.write_vectored(&[IoSlice::new(&[]), IoSlice::new(&[])]).await;
        assert_eq!(none.expect("nothing is always written"), 0);
        stream.write_all(&all[length..]).await.expect("the connection holds");
        stream.close().await.expect("the connection holds");
        assert!(listener.join().expect("no panic") == all);
    });
}

/// Writes the pattern until nothing more goes in, and a write is dropped in the middle. Returns how
/// much was written before that.
async fn fill(stream: &mut PollStream) -> usize {
    let all = pattern(16 * 1024 * 1024);
    let mut written = 0;
    loop {
        assert!(written < all.len(), "no socket holds so much");
        let write = pin!(stream.write(&all[written..]));
        match select(write, pin!(turns(50))).await {
            Either::Left((length, _)) => written += length.expect("the connection holds"),
            Either::Right(_) => return written,
        }
    }
}

#[test]
fn a_write_is_ready_when_its_bytes_are_in_the_socket_and_so_is_a_flush() {
    on_a_ring(async || {
        let (mut stream, peer) = pair().await;
        let written = fill(&mut stream).await;
        // The one that was dropped still waits for room.
        assert!(poll!(stream.flush()).is_pending());
        assert!(poll!(stream.close()).is_pending());
        turns(20).await;
        assert!(poll!(stream.flush()).is_pending());

        let listener = thread::spawn(|| hear_all(peer));
        stream.flush().await.expect("the connection holds");
        assert!(stream.flush().now_or_never().expect("ready").is_ok());
        stream.close().await.expect("the connection holds");
        let heard = listener.join().expect("no panic");
        assert!((written + 1..=written + BUFFER).contains(&heard.len()));
        assert!(heard == pattern(heard.len()));
    });
}

#[test]
fn a_close_after_a_dropped_write_sends_it_first() {
    on_a_ring(async || {
        let (mut stream, peer) = pair().await;
        let written = fill(&mut stream).await;
        let listener = thread::spawn(|| hear_all(peer));
        stream.close().await.expect("the connection holds");
        let heard = listener.join().expect("no panic");
        assert!(heard.len() > written && heard == pattern(heard.len()));
        // What is closed can be closed, and not written to.
        stream.close().await.expect("it is closed");
        let error = stream.write(b"x").await.expect_err("it is closed");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn the_error_of_a_dropped_write_is_told_to_the_next_one() {
    on_a_ring(async || {
        for next in 0..3 {
            let (mut stream, peer) = pair().await;
            fill(&mut stream).await;
            reset(peer);
            let told = match next {
                0 => stream.write(b"x").await.map(drop),
                1 => stream.flush().await,
                _ => stream.close().await,
            };
            let error = told.expect_err("the peer has reset the connection");
            let kinds = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
            assert!(kinds.contains(&error.kind()), "{error}");
            stream.close().await.expect("what is gone is closed");
        }
    });
}

// The end of a stream.

#[test]
fn a_dropped_stream_ends_its_peers_read_at_once_also_if_nobody_drives_the_ring() {
    checked(|| {
        for writes in [false, true] {
            let Some(runtime) = ring() else { return };
            let (stream, mut peer) = runtime.block_on(async {
                let (mut stream, peer) = pair().await;
                assert!(poll!(stream.read(&mut [0])).is_pending());
                if writes {
                    fill(&mut stream).await;
                }
                turns(5).await;
                (stream, peer)
            });
            // The operations that wait share in the socket, and the ring is not driven any more.
            drop(stream);
            peer.read_to_end(&mut Vec::new()).expect("the connection holds");
            drop(runtime);
        }
    });
}

#[test]
fn streams_and_listeners_may_be_dropped_when_their_runtime_is_gone() {
    checked(|| {
        let Some(runtime) = ring() else { return };
        let (stream, listener, mut peer) = runtime.block_on(async {
            let (mut stream, peer) = pair().await;
            assert!(poll!(stream.read(&mut [0])).is_pending());
            assert!(poll!(stream.write(b"last words")).is_pending());
            let mut listener = PollListener::bind("127.0.0.1:0").expect("a free port");
            assert!(poll!(listener.next()).is_pending());
            turns(5).await;
            (stream, listener, peer)
        });
        drop(runtime);
        drop((stream, listener));
        assert_eq!(peer.read_to_end(&mut Vec::new()).expect("the connection holds"), 10);
    });
}

// The listener.

#[test]
fn a_dropped_next_loses_no_connection() {
    on_a_ring(async || {
        let mut listener = PollListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        for turns_between in [0, 20] {
            assert!(poll!(listener.next()).is_pending());
            turns(turns_between).await;
            let mut peer = net::TcpStream::connect(address).expect("the listener listens");
            turns(turns_between).await;
            let mut stream = listener.next().await.expect("no end").expect("a connection");
            stream.write_all(b"x").await.expect("the connection holds");
            peer.read_exact(&mut [0]).expect("the connection holds");
        }
    });
}

#[test]
fn a_connection_knows_both_of_its_addresses() {
    on_a_ring(async || {
        let mut listener = PollListener::bind("127.0.0.1:0").expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("it is bound");
        let client = PollStream::connect(address).await.expect("the listener listens");
        let server = listener.next().await.expect("no end").expect("a connection");
        let [client, server] = [client.get_ref(), server.get_ref()];
        assert_eq!(client.peer_addr().expect("connected"), address);
        assert_eq!(server.local_addr().expect("connected"), address);
        assert_eq!(client.local_addr().expect("connected"), server.peer_addr().expect("connected"));
    });
}
