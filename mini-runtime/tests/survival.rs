//! What the kernel may say at any time: connections that are reset, calls that are interrupted, queues that
//! are full.

mod common;

use std::ffi::c_int;
use std::io::{self, Read, Write};
use std::mem;
use std::net;
use std::os::fd::AsFd;
use std::os::unix::thread::RawPthread;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Once};
use std::thread;
use std::time::{Duration, Instant};

use common::{half, on_both_drivers, runtime, turns};
use futures::channel::oneshot;
use futures::future::join_all;
use futures::{AsyncReadExt as PolledRead, AsyncWriteExt as PolledWrite};
use mini_runtime::io::{AsyncReadOwned, AsyncWriteOwned};
use mini_runtime::net::{TcpListener, TcpStream};
use mini_runtime::time::sleep;
use mini_runtime::{Builder, spawn};
use rustix::net::sockopt::set_socket_linger;
use rustix::process::Signal;

/// More than a socket takes.
const MUCH: &[u8] = &[0; 1 << 24];

/// Closes a connection in such a way that the other side is told that it is broken.
fn reset(stream: impl AsFd) {
    set_socket_linger(&stream, Some(Duration::ZERO)).expect("it is a socket");
}

fn is_broken(result: io::Result<usize>) {
    let kind = result.expect_err("the connection is broken").kind();
    assert!(matches!(kind, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe), "{kind:?}");
}

/// How often the handler of this process was called.
static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn on_signal(_: c_int) {
    SIGNALS.fetch_add(1, SeqCst);
}

unsafe extern "C" {
    fn signal(signal: c_int, handler: extern "C" fn(c_int)) -> *const ();
    fn pthread_self() -> RawPthread;
    fn pthread_kill(thread: RawPthread, signal: c_int) -> c_int;
}

/// Interrupts this thread, again and again, until it is dropped.
struct Storm {
    is_over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Storm {
    fn start() -> Storm {
        static HANDLE: Once = Once::new();
        let number = Signal::USR1.as_raw();
        // SAFETY: the handler does nothing but count.
        HANDLE.call_once(|| unsafe { _ = signal(number, on_signal) });
        // SAFETY: this has no conditions.
        let victim = unsafe { pthread_self() };
        let is_over = Arc::new(AtomicBool::new(false));
        let until = is_over.clone();
        let thread = thread::spawn(move || {
            while !until.load(SeqCst) {
                let before = SIGNALS.load(SeqCst);
                // SAFETY: the thread is there: it waits for this one when the storm is dropped.
                assert_eq!(unsafe { pthread_kill(victim, number) }, 0);
                while SIGNALS.load(SeqCst) == before && !until.load(SeqCst) {
                    thread::yield_now();
                }
            }
        });
        Storm { is_over, thread: Some(thread) }
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.is_over.store(true, SeqCst);
        let thread = self.thread.take().expect("it is taken once");
        assert!(thread.join().is_ok() || thread::panicking());
    }
}

on_both_drivers! {
    /// Whoever waits is told, and whoever comes later, too. The others go on.
    fn a_connection_that_is_reset_is_an_error_of_that_connection_alone(driver) {
        runtime(driver).block_on(async {
            let (other, mut other_peer) = half().await;
            for round in 0..50 {
                let (mut stream, peer) = half().await;
                let waiting = spawn(async move {
                    match round % 4 {
                        0 => is_broken(stream.read(Vec::with_capacity(8)).await.0),
                        1 => is_broken(PolledRead::read(&mut stream, &mut [0; 8]).await),
                        2 => {
                            let bufs = vec![Vec::with_capacity(8), Vec::with_capacity(8)];
                            is_broken(stream.read_vectored(bufs).await.0);
                        }
                        _ => {
                            is_broken(loop {
                                stream.readable().await.expect("there is an error to be read");
                                match stream.try_read(&mut [0; 8]) {
                                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                                    result => break result,
                                }
                            });
                        }
                    }
                    is_broken(stream.write(b"more").await.0);
                    is_broken(stream.write_vectored(vec![b"and", b"way"]).await.0);
                    is_broken(PolledWrite::write(&mut stream, b"more").await);
                    is_broken(stream.try_write(b"more"));
                });
                turns(round % 3).await;
                reset(&peer);
                drop(peer);
                waiting.await.expect("no panic");
                other.write_all(b"well").await.0.expect("it is connected");
                let mut text = [0; 4];
                other_peer.read_exact(&mut text).expect("it is connected");
                assert_eq!(&text, b"well");
            }
        });
    }

    /// More than the socket takes, and nobody reads it.
    fn a_writer_that_waits_is_told_of_a_reset(driver) {
        runtime(driver).block_on(async {
            for round in 0..10 {
                let (mut stream, peer) = half().await;
                let waiting = spawn(async move {
                    let result = match round % 2 {
                        0 => stream.write_all(MUCH).await.0,
                        _ => PolledWrite::write_all(&mut stream, MUCH).await,
                    };
                    is_broken(result.map(|()| 0));
                });
                turns(100).await;
                assert!(!waiting.is_finished());
                reset(&peer);
                drop(peer);
                waiting.await.expect("no panic");
            }
        });
    }

    /// They have come and gone before anybody has looked.
    fn clients_that_reset_their_connection_at_once_do_not_disturb_the_listener(driver) {
        runtime(driver).block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let address = listener.local_addr().expect("it is bound");
            for _ in 0..50 {
                for _ in 0..5 {
                    let client = net::TcpStream::connect(address).expect("it listens");
                    reset(&client);
                }
                let mut client = net::TcpStream::connect(address).expect("it listens");
                client.write_all(b"here").expect("it is connected");
                loop {
                    let (stream, peer) = listener.accept().await.expect("descriptors are left");
                    let (read, bytes) = stream.read(Vec::with_capacity(4)).await;
                    if peer == client.local_addr().expect("it is connected") {
                        assert_eq!((read.expect("it is connected"), &bytes[..]), (4, &b"here"[..]));
                        break;
                    }
                    is_broken(read);
                }
            }
            let nobody = net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let address = nobody.local_addr().expect("it is bound");
            drop(nobody);
            let error = TcpStream::connect(address).await.expect_err("nobody listens");
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        });
    }

    /// A thousand times while the thread sleeps, polls, and talks.
    fn a_storm_of_signals_ends_no_sleep_early_and_loses_nothing(driver) {
        let runtime = runtime(driver);
        let storm = Storm::start();
        let enough = SIGNALS.load(SeqCst) + 1000;
        runtime.block_on(async {
            let (stream, mut peer) = half().await;
            let echo = thread::spawn(move || {
                let mut byte = [0];
                while let Ok(1) = peer.read(&mut byte) {
                    peer.write_all(&byte).expect("it is connected");
                }
            });
            while SIGNALS.load(SeqCst) < enough {
                let start = Instant::now();
                sleep(Duration::from_millis(1)).await;
                assert!(start.elapsed() >= Duration::from_millis(1));
                stream.write_all(vec![7]).await.0.expect("it is connected");
                let (read, byte) = stream.read(Vec::with_capacity(1)).await;
                assert_eq!((read.expect("it is connected"), &byte[..]), (1, &[7][..]));
                let (sender, receiver) = oneshot::channel();
                let other = thread::spawn(move || sender.send(7));
                assert_eq!(receiver.await, Ok(7));
                other.join().expect("no panic").expect("somebody waits");
            }
            drop(stream);
            echo.join().expect("no panic");
        });
        drop(storm);
    }

    /// A ring of one submission and a few completions, and hundreds of both at once.
    fn more_at_once_than_the_queues_can_hold_come_through(driver) {
        let runtime = Builder::new().driver(driver).ring_entries(1).build();
        runtime.expect("descriptors are left").block_on(async {
            let mut halves = Vec::new();
            for _ in 0..200 {
                halves.push(half().await);
            }
            let (streams, mut peers): (Vec<_>, Vec<_>) = halves.into_iter().unzip();
            for round in 0..10_u8 {
                let reads = join_all(streams.iter().map(|stream| async move {
                    let (read, byte) = stream.read(Vec::with_capacity(1)).await;
                    assert_eq!((read.expect("it is connected"), &byte[..]), (1, &[round][..]));
                }));
                let mut reads = Box::pin(reads);
                assert!(common::poll_once(&mut reads).await.is_pending());
                turns(usize::from(round) * 20).await;
                // All of them before this thread looks again.
                for peer in &mut peers {
                    peer.write_all(&[round]).expect("it is connected");
                }
                reads.await;
            }
            mem::take(&mut peers);
            let ends = streams.iter().map(|stream| stream.read(Vec::with_capacity(1)));
            for (read, _) in join_all(ends).await {
                assert_eq!(read.expect("it is the end"), 0);
            }
        });
    }
}
