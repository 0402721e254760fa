//! Streams in two halves, and looking at bytes without taking them.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::task::Poll;

use common::{descriptors, half, on_both_drivers, pair, poll_once, runtime, turns};
use futures::{AsyncReadExt as PolledRead, AsyncWriteExt as PolledWrite};
use mini_runtime::io::{AsyncReadOwned, AsyncWriteOwned};
use mini_runtime::net::TcpStream;
use mini_runtime::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use mini_runtime::spawn;

const LARGE: usize = 3 << 20;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 31 % 251) as u8).collect()
}

async fn read_owned(reader: OwnedReadHalf) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), Vec::with_capacity(10_000));
    loop {
        let (read, bytes) = reader.read(buffer).await;
        if read.expect("the connection is fine") == 0 {
            return all;
        }
        all.extend(&bytes);
        buffer = bytes;
    }
}

async fn read_polled(mut reader: OwnedReadHalf) -> Vec<u8> {
    // `read_to_end` would clear all its room anew at each poll.
    let (mut all, mut buffer) = (Vec::new(), vec![0; 10_000]);
    loop {
        match PolledRead::read(&mut reader, &mut buffer).await.expect("the connection is fine") {
            0 => return all,
            length => all.extend(&buffer[..length]),
        }
    }
}

async fn write_owned(writer: OwnedWriteHalf) {
    writer.write_all(pattern(LARGE)).await.0.expect("the other side reads");
}

async fn write_polled(mut writer: OwnedWriteHalf) {
    PolledWrite::write_all(&mut writer, &pattern(LARGE)).await.expect("the other side reads");
}

on_both_drivers! {
    /// Four tasks on one connection, two at each end, each in its own style.
    fn both_halves_are_used_at_once_in_both_styles(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
        runtime.block_on(async {
            for round in 0..4 {
                let (one, two) = pair().await;
                let mut readers = Vec::new();
                for (end, stream) in [one, two].into_iter().enumerate() {
                    let (reader, writer) = stream.into_split();
                    readers.push(spawn(async move {
                        if round % 2 == end { read_owned(reader).await } else { read_polled(reader).await }
                    }));
                    // Dropping the half at its end is what ends the reader.
                    drop(spawn(async move {
                        if round / 2 == end { write_owned(writer).await } else { write_polled(writer).await }
                    }));
                }
                for reader in readers {
                    assert!(reader.await.expect("no panic") == pattern(LARGE));
                }
            }
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    }

    /// The peer reads the end, and can still answer.
    fn dropping_the_writing_half_closes_the_writing_side_alone(driver) {
        runtime(driver).block_on(async {
            let (stream, mut peer) = half().await;
            let (reader, writer) = stream.into_split();
            writer.write_all(b"question").await.0.expect("it is connected");
            assert_eq!(reader.peer_addr().ok(), peer.local_addr().ok());
            assert_eq!(writer.local_addr().ok(), peer.peer_addr().ok());
            drop(writer);
            let mut text = String::new();
            peer.read_to_string(&mut text).expect("it is connected");
            assert_eq!(text, "question");
            peer.write_all(b"answer").expect("that direction is open");
            drop(peer);
            assert_eq!(read_owned(reader).await, b"answer");
        });
    }

    /// Either half may be the last.
    fn a_half_that_is_left_alone_goes_on_and_closes_the_connection(driver) {
        runtime(driver).block_on(async {
            let (stream, mut peer) = half().await;
            let (reader, writer) = stream.into_split();
            drop(reader);
            writer.write_all(b"more").await.0.expect("it is connected");
            assert_eq!(writer.try_write(b"!").expect("there is room"), 1);
            drop(writer);
            let mut text = String::new();
            peer.read_to_string(&mut text).expect("it is connected");
            assert_eq!(text, "more!");
        });
    }

    /// And so do those that are reunited.
    fn a_writing_half_that_is_forgotten_leaves_its_side_open(driver) {
        runtime(driver).block_on(async {
            let (stream, mut peer) = half().await;
            let (reader, writer) = stream.into_split();
            writer.forget();
            assert_eq!(reader.as_ref().try_write(b"open").expect("it is connected"), 4);
            peer.read_exact(&mut [0; 4]).expect("it was sent");
            drop(reader);
            assert_eq!(peer.read(&mut [0; 4]).expect("it is closed"), 0);
        });
    }

    /// Only those of one stream fit together.
    fn halves_are_reunited_with_what_was_read_ahead(driver) {
        runtime(driver).block_on(async {
            let (one, mut peer) = half().await;
            let (two, _other_peer) = half().await;
            let ((mut reader, writer), (stranger, other_writer)) = (one.into_split(), two.into_split());
            peer.write_all(b"abcdef").expect("it is connected");
            let mut byte = [0];
            PolledRead::read_exact(&mut reader, &mut byte).await.expect("it is connected");

            let error = stranger.reunite(writer).expect_err("they are of two streams");
            assert_eq!(error.to_string(), "these are not the halves of one stream");
            let error = error.1.reunite(error.0).expect_err("nor the other way round");
            let whole = reader.reunite(error.1).expect("they are of one stream");
            error.0.reunite(other_writer).expect("they are of one stream");

            assert_eq!(whole.read_exact(Vec::with_capacity(5)).await.1, b"bcdef");
            whole.write_all(b"still open").await.0.expect("it is connected");
            peer.read_exact(&mut [0; 10]).expect("it was sent");
        });
    }

    /// A write in the middle is given up, and the peer hears of the end.
    fn a_writing_half_that_is_dropped_in_the_middle_of_a_write_ends_its_side(driver) {
        runtime(driver).block_on(async {
            let (one, two) = pair().await;
            let (reader, mut writer) = one.into_split();
            let bytes = vec![7; LARGE];
            while let Poll::Ready(written) = poll_once(PolledWrite::write(&mut writer, &bytes)).await {
                written.expect("the other side reads later");
                turns(3).await;
            }
            drop(writer);
            let (two_reader, two_writer) = two.into_split();
            assert!(read_owned(two_reader).await.iter().all(|byte| *byte == 7));
            two_writer.write_all(b"that was all").await.0.expect("that direction is open");
            drop(two_writer);
            assert_eq!(read_polled(reader).await, b"that was all");
        });
    }

    /// A read of one half that waits, and a write of the other that is dropped: nobody is forgotten.
    fn a_waiting_reader_is_woken_after_the_other_half_has_gone(driver) {
        runtime(driver).block_on(async {
            for style in 0..2 {
                let (stream, mut peer) = half().await;
                let (reader, writer) = stream.into_split();
                let waiting = spawn(async move {
                    if style == 0 { read_owned(reader).await } else { read_polled(reader).await }
                });
                turns(100).await;
                drop(writer);
                turns(100).await;
                assert!(!waiting.is_finished());
                peer.write_all(b"late").expect("it is connected");
                drop(peer);
                assert_eq!(waiting.await.expect("no panic"), b"late");
            }
        });
    }

    /// In whatever way they are read afterwards, and whoever has fetched them ahead.
    fn bytes_that_were_peeked_at_stay_to_be_read(driver) {
        runtime(driver).block_on(async {
            let (mut stream, mut peer) = half().await;
            let mut room = [0; 3];
            assert!(poll_once(Box::pin(stream.peek(&mut room))).await.is_pending());
            peer.write_all(b"abcdefgh").expect("it is connected");
            assert_eq!(stream.peek(&mut room).await.expect("they were sent"), 3);
            assert_eq!(&room, b"abc");
            assert_eq!(stream.read_exact(Vec::with_capacity(1)).await.1, b"a");
            assert_eq!(stream.peek(&mut room).await.expect("they were sent"), 3);
            assert_eq!(&room, b"bcd");
            // This fetches all, on a ring.
            PolledRead::read_exact(&mut stream, &mut room[..1]).await.expect("they were sent");
            assert_eq!(stream.peek(&mut room).await.expect("they were sent"), 3);
            assert_eq!(&room, b"cde");
            assert_eq!(stream.peek(&mut []).await.expect("nothing is asked for"), 0);
            assert_eq!(stream.read_exact(Vec::with_capacity(6)).await.1, b"cdefgh");
            // A read on the way has priority.
            assert!(poll_once(PolledRead::read(&mut stream, &mut room)).await.is_pending());
            let peeking = async { stream.peek(&mut room).await.expect("they are sent") };
            let sending = async {
                turns(100).await;
                peer.write_all(b"xyz").expect("it is connected");
            };
            assert_eq!(futures::join!(peeking, sending).0, 3);
            assert_eq!(&room, b"xyz");
            assert_eq!(stream.read_exact(Vec::with_capacity(3)).await.1, b"xyz");
            drop(peer);
            assert_eq!(stream.peek(&mut room).await.expect("it is the end"), 0);
        });
    }

    /// On a ring, a given-up `AsyncRead` is on its way. Looking whether it has come takes it from nobody.
    fn a_try_while_another_waits_does_not_put_the_other_to_sleep_for_ever(driver) {
        runtime(driver).block_on(async {
            let (mut stream, mut peer) = half().await;
            assert!(poll_once(PolledRead::read(&mut stream, &mut [0])).await.is_pending());
            let stream = std::rc::Rc::new(stream);
            let waiter = stream.clone();
            let waiting = spawn(async move {
                loop {
                    waiter.readable().await.expect("it is connected");
                    match waiter.try_read(&mut [0; 9]) {
                        Ok(length) => return length,
                        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                    }
                }
            });
            turns(100).await;
            assert_eq!(stream.try_read(&mut [0]).expect_err("nothing").kind(), ErrorKind::WouldBlock);
            peer.write_all(b"hello").expect("it is connected");
            assert_eq!(waiting.await.expect("no panic"), 5);
        });
    }

    /// Nothing that was in the buffers is lost, and nothing is claimed to be there.
    fn a_read_that_fails_leaves_the_buffers_as_they_were(driver) {
        async fn reset() -> TcpStream {
            let (stream, peer) = half().await;
            stream.write_all(b"nobody reads this").await.0.expect("it is connected");
            drop(peer);
            stream
        }

        runtime(driver).block_on(async {
            let (result, buffer) = reset().await.read(vec![1, 2, 3]).await;
            assert_eq!(result.expect_err("it was reset").kind(), ErrorKind::ConnectionReset);
            assert_eq!(buffer, [1, 2, 3]);
            let buffers = vec![vec![1, 2], Vec::new(), vec![3]];
            let (result, buffers) = reset().await.read_vectored(buffers).await;
            assert_eq!(result.expect_err("it was reset").kind(), ErrorKind::ConnectionReset);
            assert_eq!(buffers, [vec![1, 2], Vec::new(), vec![3]]);
            // The error of a read that was begun by `AsyncRead`.
            let (mut stream, peer) = half().await;
            stream.write_all(b"nobody reads this").await.0.expect("it is connected");
            assert!(poll_once(PolledRead::read(&mut stream, &mut [0])).await.is_pending());
            drop(peer);
            let (result, buffers) = stream.read_vectored(vec![vec![1, 2], vec![3]]).await;
            assert_eq!(result.expect_err("it was reset").kind(), ErrorKind::ConnectionReset);
            assert_eq!(buffers, [vec![1, 2], vec![3]]);
        });
    }
}
