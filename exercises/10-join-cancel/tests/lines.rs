//! Lines that survive a dropped future.

mod common;

use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use ch07_tcp::{TcpListener, TcpStream};
use ch10_join_cancel::Lines;
use common::{run, turns};
use conformance::watch;
use futures::executor::block_on;
use futures::future::{Either, join, select};
use futures::{AsyncRead, AsyncWriteExt};

/// A stream in memory, whose bytes come in these pieces. There is a wait before each.
struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    waited: bool,
    /// What comes after the last piece.
    error: Option<io::ErrorKind>,
}

impl Pieces {
    fn new(pieces: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Pieces {
        let pieces = pieces.into_iter().map(Into::into).collect();
        Pieces { pieces, waited: false, error: None }
    }
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.waited = !self.waited;
        if self.waited {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(mut piece) = self.pieces.pop_front() else {
            let end = self.error.take().map_or(Ok(0), |kind| Err(kind.into()));
            return Poll::Ready(end);
        };
        let rest = piece.split_off(piece.len().min(buffer.len()));
        if !rest.is_empty() {
            self.pieces.push_front(rest);
        }
        buffer[..piece.len()].copy_from_slice(&piece);
        Poll::Ready(Ok(piece.len()))
    }
}

/// All lines, each read by as few futures as possible.
fn patiently(stream: impl AsyncRead + Unpin) -> Vec<String> {
    block_on(async {
        let (mut lines, mut read) = (Lines::new(stream), Vec::new());
        while let Some(line) = lines.next().await.expect("nothing breaks in memory") {
            read.push(String::from_utf8(line).expect("the texts are ASCII"));
        }
        read
    })
}

/// All lines, with each future dropped at its first await.
fn impatiently(stream: impl AsyncRead + Unpin) -> Vec<String> {
    let (mut lines, mut read) = (Lines::new(stream), Vec::new());
    loop {
        let mut cx = Context::from_waker(Waker::noop());
        match pin!(lines.next()).poll(&mut cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(None)) => return read,
            Poll::Ready(Ok(Some(line))) => {
                read.push(String::from_utf8(line).expect("the texts are ASCII"));
            }
            Poll::Ready(Err(error)) => panic!("nothing breaks in memory: {error}"),
        }
    }
}

fn both(pieces: &[&str]) -> Vec<String> {
    let read = patiently(Pieces::new(pieces.iter().copied()));
    assert_eq!(impatiently(Pieces::new(pieces.iter().copied())), read);
    read
}

#[test]
fn lines_come_without_their_ends() {
    watch(|| {
        assert_eq!(both(&["one\ntwo\n"]), ["one", "two"]);
        assert_eq!(both(&["one\n", "two\n"]), ["one", "two"]);
        assert_eq!(both(&["on", "e\ntw", "o\n"]), ["one", "two"]);
    });
}

#[test]
fn the_last_line_may_do_without_an_end() {
    watch(|| {
        assert_eq!(both(&["one\ntw", "o"]), ["one", "two"]);
        assert_eq!(both(&["one"]), ["one"]);
    });
}

#[test]
fn no_bytes_are_no_line_and_an_empty_line_is_one() {
    watch(|| {
        assert!(both(&[]).is_empty());
        assert_eq!(both(&["\n"]), [""]);
        assert_eq!(both(&["\n", "\n\none\n\n"]), ["", "", "", "one", ""]);
    });
}

#[test]
fn a_carriage_return_stays_part_of_the_line() {
    watch(|| assert_eq!(both(&["one\r\ntwo\r", "\n\r"]), ["one\r", "two\r", "\r"]));
}

#[test]
fn a_line_that_is_longer_than_the_buffer_comes_whole() {
    watch(|| {
        let long = "x".repeat(10_000);
        assert_eq!(both(&[&format!("{long}\n{long}"), "\nend"]), [&long, &long, "end"]);
    });
}

/// xorshift: the same numbers on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
fn the_lines_are_the_same_however_the_bytes_are_split_and_wherever_the_futures_are_dropped() {
    watch(|| {
        for seed in 1..=200 {
            let mut random = Random(seed);
            let text: String = (0..random.below(3000))
                .map(|_| b"\nabcdefg"[random.below(8) as usize] as char)
                .collect();
            let mut expected: Vec<&str> = text.split('\n').collect();
            // A text that ends with an end of line has no line after it.
            expected.pop_if(|last| last.is_empty());

            let (mut pieces, mut rest) = (Vec::new(), text.as_str());
            while !rest.is_empty() {
                let (piece, others) = rest.split_at(rest.len().min(1 + random.below(40) as usize));
                pieces.push(piece);
                rest = others;
            }
            assert_eq!(both(&pieces), expected, "seed {seed}");
        }
    });
}

#[test]
fn an_error_is_handed_on_and_what_was_read_before_is_kept() {
    watch(|| {
        let mut stream = Pieces::new(["one\ntw"]);
        stream.error = Some(io::ErrorKind::ConnectionReset);
        let mut lines = Lines::new(stream);
        block_on(async {
            assert_eq!(lines.next().await.unwrap(), Some(b"one".into()));
            let error = lines.next().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
            assert_eq!(lines.next().await.unwrap(), Some(b"tw".into()));
            assert_eq!(lines.next().await.unwrap(), None);
        });
    });
}

#[test]
fn a_select_that_is_lost_in_the_middle_of_a_line_loses_nothing_over_a_socket() {
    run(async || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connect = TcpStream::connect(listener.local_addr().unwrap());
        let (accepted, client) = join(listener.accept(), connect).await;
        let (mut client, mut lines) = (client.unwrap(), Lines::new(accepted.unwrap().0));
        let mut lost = 0;
        for letter in "one line\n".bytes() {
            client.write_all(&[letter]).await.unwrap();
            match select(Box::pin(lines.next()), Box::pin(turns())).await {
                Either::Left((line, _)) => assert_eq!(line.unwrap(), Some(b"one line".into())),
                Either::Right(_) => lost += 1,
            }
        }
        if lost == 9 {
            assert_eq!(lines.next().await.unwrap(), Some(b"one line".into()));
        }
    });
}
