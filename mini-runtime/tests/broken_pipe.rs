//! A peer that has gone is an error in every way to write, and never a signal. Alone in its file, because it
//! changes what the whole process does with the signal: Rust ignores it, other hosts die of it.

mod common;

use std::io::{ErrorKind, IoSlice};
use std::net::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use common::{on_both_drivers, pair, runtime};
use futures::AsyncWriteExt as PolledWrite;
use mini_runtime::io::AsyncWriteOwned;
use mini_runtime::net::{TcpStream, UnixDatagram, UnixStream};
use nix::sys::signal::{SigHandler, Signal, signal};

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_signal: i32) {
    SIGNALS.fetch_add(1, SeqCst);
}

fn count_signals() {
    // SAFETY: the handler does nothing but to add to an atomic number.
    unsafe { signal(Signal::SIGPIPE, SigHandler::Handler(count)) }.expect("it can be handled");
}

macro_rules! every_write_fails {
    ($stream:ident) => {
        let gone = |result: std::io::Result<usize>| {
            assert_eq!(result.expect_err("it has gone").kind(), ErrorKind::BrokenPipe);
        };
        gone($stream.write(b"x").await.0);
        gone($stream.write_vectored(vec![&b"x"[..], b"y"]).await.0);
        gone($stream.try_write(b"x"));
        gone(PolledWrite::write(&mut $stream, b"x").await);
        let slices = [IoSlice::new(b"x"), IoSlice::new(b"y")];
        gone(PolledWrite::write_vectored(&mut $stream, &slices).await);
    };
}

on_both_drivers! {
    /// All of them, on both kinds of streams, and on datagram sockets.
    fn no_way_to_write_raises_a_signal(driver) {
        count_signals();
        runtime(driver).block_on(async {
            let (mut one, _two): (TcpStream, TcpStream) = pair().await;
            one.shutdown(Shutdown::Write).expect("it is connected");
            every_write_fails!(one);
            let (mut one, two) = UnixStream::pair().expect("descriptors are left");
            drop(two);
            every_write_fails!(one);
            let error = one.write_all(b"x").await.0.expect_err("it has gone");
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            let (one, _two) = UnixDatagram::pair().expect("descriptors are left");
            one.shutdown(Shutdown::Write).expect("it is connected");
            for result in [one.send(b"x").await.0, one.try_send(b"x")] {
                assert_eq!(result.expect_err("it is shut").kind(), ErrorKind::BrokenPipe);
            }
        });
        assert_eq!(SIGNALS.load(SeqCst), 0);
    }
}
