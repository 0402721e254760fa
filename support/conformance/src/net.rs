//! What every runtime with sockets owes its streams. [`net_suite!`](crate::net_suite!) makes the
//! tests.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use futures::channel::{mpsc, oneshot};
use futures::future::join;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};

use crate::NetStage;

/// More than the socket buffers of both sides hold by default.
const LARGE: usize = 8 * 1024 * 1024;

/// Bytes that repeat with a period which no buffer size shares.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place % 251) as u8).collect()
}

/// Two ends of one connection.
async fn pair<S: NetStage>() -> io::Result<(S::Stream, S::Stream)> {
    let (mut listener, address) = S::listen()?;
    let (accepted, connected) = join(listener.next(), S::connect(address)).await;
    Ok((accepted.expect("a listener does not end")?, connected?))
}

/// Runs a future as a task, and gives its output to whoever awaits the result.
fn run<S: NetStage, T: 'static>(
    future: impl Future<Output = T> + 'static,
) -> impl Future<Output = T> {
    let (sender, receiver) = oneshot::channel();
    S::spawn(async move {
        // Nobody may be left to take it.
        let _ = sender.send(future.await);
    });
    async move { receiver.await.expect("the task ends") }
}

/// Reads to the end. (`read_to_end` would clear all the room it has anew at each poll.)
async fn read_all(mut reader: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut received = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer).await? {
            0 => return Ok(received),
            length => received.extend_from_slice(&buffer[..length]),
        }
    }
}

async fn echo(stream: impl AsyncRead + AsyncWrite) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    futures::io::copy(reader, &mut writer).await?;
    writer.close().await
}

fn test<S: NetStage>(body: impl Future<Output = io::Result<()>>) {
    S::new().block_on(body).expect("loopback connections do not fail");
}

pub fn a_byte_goes_there_and_back<S: NetStage>() {
    test::<S>(async {
        let (mut one, mut other) = pair::<S>().await?;
        let mut byte = [0];
        one.write_all(b"x").await?;
        other.read_exact(&mut byte).await?;
        other.write_all(&byte).await?;
        one.read_exact(&mut byte).await?;
        assert_eq!(byte, *b"x");
        Ok(())
    });
}

pub fn both_directions_of_one_stream_flow_at_once<S: NetStage>() {
    test::<S>(async {
        let (one, other) = pair::<S>().await?;
        let swap = |stream: S::Stream| async {
            let (mut reader, mut writer) = stream.split();
            let sent = run::<S, _>(async move {
                writer.write_all(&pattern(LARGE)).await?;
                writer.close().await
            });
            let received = read_all(&mut reader).await?;
            sent.await?;
            io::Result::Ok(received)
        };
        let (left, right) = join(swap(one), swap(other)).await;
        assert!(left? == pattern(LARGE) && right? == pattern(LARGE));
        Ok(())
    });
}

pub fn more_than_the_socket_buffers_hold_arrives_whole<S: NetStage>() {
    test::<S>(async {
        let (mut one, mut other) = pair::<S>().await?;
        let sent = run::<S, _>(async move {
            one.write_all(&pattern(LARGE)).await?;
            one.close().await
        });
        let received = read_all(&mut other).await?;
        sent.await?;
        assert!(received == pattern(LARGE));
        Ok(())
    });
}

pub fn closing_the_write_side_leaves_the_read_side_open<S: NetStage>() {
    test::<S>(async {
        let (mut one, mut other) = pair::<S>().await?;
        one.write_all(b"question").await?;
        one.close().await?;
        let mut text = String::new();
        other.read_to_string(&mut text).await?;
        assert_eq!(text, "question");

        other.write_all(b"answer").await?;
        other.close().await?;
        text.clear();
        one.read_to_string(&mut text).await?;
        assert_eq!(text, "answer");
        Ok(())
    });
}

pub fn a_dropped_stream_ends_its_peers_read<S: NetStage>() {
    test::<S>(async {
        let (one, mut other) = pair::<S>().await?;
        let ended = run::<S, _>(async move { other.read(&mut [0; 16]).await });
        drop(one);
        assert_eq!(ended.await?, 0);
        Ok(())
    });
}

pub fn a_listener_serves_many_clients<S: NetStage>() {
    test::<S>(async {
        let (mut listener, address) = S::listen()?;
        S::spawn(async move {
            while let Some(Ok(stream)) = listener.next().await {
                S::spawn(async move { echo(stream).await.expect("the client stays") });
            }
        });
        let talk = |client: u8, address: SocketAddr| async move {
            let mut stream = S::connect(address).await?;
            for round in 0..20 {
                let message = vec![client ^ round; 1024];
                let mut answer = vec![0; 1024];
                stream.write_all(&message).await?;
                stream.read_exact(&mut answer).await?;
                assert!(answer == message);
            }
            io::Result::Ok(())
        };
        let clients: Vec<_> = (0..64).map(|client| run::<S, _>(talk(client, address))).collect();
        for client in clients {
            client.await?;
        }
        Ok(())
    });
}

pub fn reader_and_writer_wait_on_one_stream_in_two_tasks<S: NetStage>() {
    test::<S>(async {
        let (one, mut other) = pair::<S>().await?;
        let (mut reader, mut writer) = one.split();
        // The reader waits first, and must still be woken after the writer has waited, too.
        let heard = run::<S, _>(async move {
            let mut byte = [0];
            reader.read_exact(&mut byte).await.map(|()| byte[0])
        });
        let written = Rc::new(Cell::new(0));
        let progress = written.clone();
        let full = Rc::new(RefCell::new(None));
        let told = full.clone();
        let (tell, is_full) = oneshot::channel();
        *full.borrow_mut() = Some(tell);
        let sent = run::<S, _>(async move {
            while progress.get() < LARGE {
                let chunk = [7; 64 * 1024];
                let length = poll_fn(|cx| {
                    let poll = Pin::new(&mut writer).poll_write(cx, &chunk);
                    if poll.is_pending()
                        && let Some(tell) = told.borrow_mut().take()
                    {
                        tell.send(()).expect("the main future waits");
                    }
                    poll
                })
                .await?;
                progress.set(progress.get() + length);
            }
            writer.close().await
        });
        is_full.await.expect("the socket fills up");
        assert!(written.get() < LARGE);

        other.write_all(b"!").await?;
        assert_eq!(heard.await?, b'!');

        let received = read_all(&mut other).await?;
        sent.await?;
        assert_eq!(received.len(), written.get());
        Ok(())
    });
}

pub fn vectored_writes_keep_their_order<S: NetStage>() {
    test::<S>(async {
        let (mut one, mut other) = pair::<S>().await?;
        let length = one.write_vectored(&[IoSlice::new(b"one "), IoSlice::new(b"two ")]).await?;
        one.close().await?;
        let mut text = String::new();
        other.read_to_string(&mut text).await?;
        assert_eq!(text, "one two "[..length]);
        Ok(())
    });
}

pub fn connecting_to_a_closed_port_is_refused<S: NetStage>() {
    test::<S>(async {
        let (listener, address) = S::listen()?;
        drop(listener);
        let error = S::connect(address).await.err().expect("nobody listens");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        Ok(())
    });
}

pub fn a_waiting_task_is_cancelled_with_the_runtime<S: NetStage>() {
    let stage = S::new();
    let held = Rc::new(());
    let inside = held.clone();
    let other = stage
        .block_on(async {
            let (mut one, other) = pair::<S>().await?;
            let (polled, is_polled) = oneshot::channel();
            let mut polled = Some(polled);
            S::spawn(async move {
                let _inside = inside;
                let mut buffer = [0; 16];
                let read = poll_fn(|cx| {
                    let poll = Pin::new(&mut one).poll_read(cx, &mut buffer);
                    if let Some(polled) = polled.take() {
                        polled.send(()).expect("the main future waits");
                    }
                    poll
                });
                unreachable!("nothing was sent, and yet: {:?}", read.await);
            });
            is_polled.await.expect("the task runs");
            io::Result::Ok(other)
        })
        .expect("loopback connections do not fail");
    drop(stage);
    assert_eq!(Rc::strong_count(&held), 1);
    drop(other);
}

pub fn a_stream_may_be_dropped_outside_of_the_runtime<S: NetStage>() {
    let stage = S::new();
    let (one, mut other) = stage.block_on(pair::<S>()).expect("loopback connections do not fail");
    drop(one);
    let ended = stage.block_on(other.read(&mut [0; 16])).expect("loopback connections do not fail");
    assert_eq!(ended, 0);
    drop(stage);
    drop(other);
}

pub fn a_task_may_wait_for_two_streams_at_once<S: NetStage>() {
    test::<S>(async {
        let (mut one, mut its_peer) = pair::<S>().await?;
        let (mut two, mut other_peer) = pair::<S>().await?;
        let (log, heard) = mpsc::unbounded();
        S::spawn(async move {
            let (mut first, mut second) = ([0], [0]);
            let mut left = 2;
            let mut reads = (Some(one.read(&mut first)), Some(two.read(&mut second)));
            poll_fn(|cx| {
                for read in [&mut reads.0, &mut reads.1] {
                    if let Some(running) = read
                        && Pin::new(running).poll(cx).is_ready()
                    {
                        *read = None;
                        left -= 1;
                        log.unbounded_send(left).expect("the main future listens");
                    }
                }
                if left == 0 { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        });
        let mut heard = heard;
        other_peer.write_all(b"2").await?;
        assert_eq!(heard.next().await, Some(1));
        its_peer.write_all(b"1").await?;
        assert_eq!(heard.next().await, Some(0));
        Ok(())
    });
}
