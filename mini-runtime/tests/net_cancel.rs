//! Ten thousand operations of each kind that `net` has beside TCP reads and writes, dropped at random points:
//! no descriptor is left, and no buffer.

mod common;

use std::net::{self, SocketAddr};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr as UnixAddr;
use std::process;
use std::task::Poll;

use common::{Buffer, Count, Dice, descriptors, on_both_drivers, poll_once, runtime, turns};
use futures::{AsyncReadExt as PolledRead, AsyncWriteExt as PolledWrite};
use mini_runtime::io::{AsyncReadOwned, AsyncWriteOwned};
use mini_runtime::net::{TcpListener, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use mini_runtime::{DriverKind, spawn};

const TIMES: usize = 10_000;
/// More than a socket takes.
const MUCH: &[u8] = &[7; 1 << 19];
/// How many fly at once.
const FLIGHT: usize = 20;

/// Makes futures, polls most of them once, does something else with some, and drops them at random points.
/// The runtime goes before the last descriptors are counted.
fn rounds<F, G>(driver: DriverKind, make: impl AsyncFn(usize) -> (F, G))
where
    F: Future<Output = ()>,
    G: Fn(),
{
    let before = descriptors();
    let runtime = runtime(driver);
    runtime.block_on(async {
        let mut dice = Dice(0x5EED);
        let mut number = 0;
        while number < TIMES {
            let mut flying = Vec::new();
            for _ in 0..FLIGHT {
                let (future, happens) = make(number).await;
                number += 1;
                let mut future = Box::pin(future);
                if dice.roll(8) > 0 {
                    let _ = poll_once(&mut future).await;
                }
                if dice.roll(2) == 0 {
                    happens();
                }
                turns(dice.roll(3) as usize).await;
                flying.push((future, happens));
                if dice.roll(3) == 0 {
                    let which = dice.roll(flying.len() as u64) as usize;
                    flying.swap_remove(which);
                }
            }
            turns(dice.roll(100) as usize).await;
        }
    });
    drop(runtime);
    assert_eq!(descriptors(), before);
}

/// An address that nobody else has.
fn address(name: &str, driver: DriverKind) -> UnixAddr {
    let name = format!("mini-runtime-{name}-{driver}-{}", process::id());
    UnixAddr::from_abstract_name(name).expect("it is short")
}

/// A stream, and the other end of it, which no runtime knows of. Its buffers are small, so it is soon full.
fn unix_half() -> (UnixStream, std::os::unix::net::UnixStream) {
    let (one, two) = std::os::unix::net::UnixStream::pair().expect("descriptors are left");
    (UnixStream::from_std(one).expect("it is a socket"), two)
}

async fn for_ever<T>(future: impl Future<Output = T>) {
    drop(future.await);
    std::future::pending().await
}

on_both_drivers! {
    /// Each way to receive, with a buffer that tells when it is freed.
    fn ten_thousand_datagrams_that_are_not_waited_for_leave_nothing_behind(driver) {
        let (made, freed) = (Count::default(), Count::default());
        let (making, freeing) = (made.clone(), freed.clone());
        rounds(driver, async move |number| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
            let there = socket.local_addr().expect("it is bound");
            let sender = net::UdpSocket::bind("127.0.0.1:0").expect("a port is free");
            let buffer = Buffer::new(64, &freeing);
            making.add();
            let future = async move {
                match number % 4 {
                    0 => for_ever(socket.recv(buffer)).await,
                    1 => for_ever(socket.recv_from(buffer)).await,
                    2 => for_ever(socket.peek_from(&mut [0; 9])).await,
                    _ => {
                        while socket.try_recv(&mut [0; 9]).is_err() {
                            socket.readable().await.expect("it is fine");
                        }
                        std::future::pending().await
                    }
                }
            };
            (future, move || assert_eq!(sender.send_to(b"bytes", there).expect("it is there"), 5))
        });
        assert_eq!((made.get(), freed.get()), (TIMES, TIMES));
    }

    /// To a queue that is full, connected and not, so that they wait.
    fn ten_thousand_datagrams_that_nobody_receives_leave_nothing_behind(driver) {
        let freed = Count::default();
        let freeing = freed.clone();
        let address = address("datagrams", driver);
        let receiver = std::os::unix::net::UnixDatagram::bind_addr(&address).expect("nobody has it");
        // The queue is full from now on, and one that is woken fills it again.
        let filler = std::os::unix::net::UnixDatagram::unbound().expect("descriptors are left");
        filler.set_nonblocking(true).expect("it is a socket");
        filler.connect_addr(&address).expect("it is there");
        while filler.send(b"full").is_ok() {}
        let receiver = std::rc::Rc::new(receiver);
        rounds(driver, async move |number| {
            let sender = UnixDatagram::unbound().expect("descriptors are left");
            if number % 2 == 0 {
                sender.connect_addr(&address).expect("it is there");
            }
            let (address, freeing) = (address.clone(), freeing.clone());
            let future = async move {
                loop {
                    let buffer = Buffer::new(8, &freeing);
                    let sent = if number % 2 == 0 {
                        sender.send(buffer).await.0
                    } else {
                        sender.send_to_addr(buffer, &address).await.0
                    };
                    sent.expect("it is there");
                }
            };
            let receiver = receiver.clone();
            receiver.set_nonblocking(true).expect("it is a socket");
            (future, move || drop(receiver.recv(&mut [0; 8])))
        });
        assert!(freed.get() >= TIMES / 2);
    }

    /// To one who listens, and to one who does not accept.
    fn ten_thousand_unix_connects_that_are_dropped_leave_nothing_behind(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
        let address = address("connects", driver);
        runtime.block_on(async {
            let listener = UnixListener::bind_addr(&address).expect("nobody has it");
            let server = spawn(async move {
                loop {
                    drop(listener.accept().await);
                }
            });
            let mut dice = Dice(3);
            let mut flying = Vec::new();
            for _ in 0..TIMES {
                let mut connect = Box::pin(UnixStream::connect_addr(&address));
                if poll_once(&mut connect).await.is_pending() {
                    flying.push(connect);
                }
                if dice.roll(4) == 0 {
                    turns(dice.roll(4) as usize).await;
                    flying.drain(..flying.len() / 2);
                }
            }
            drop(flying);
            server.abort();
            assert!(server.await.is_err());
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    }

    /// Both directions, all buffers in one call.
    fn ten_thousand_vectored_calls_that_are_dropped_leave_nothing_behind(driver) {
        let (made, freed) = (Count::default(), Count::default());
        let (making, freeing) = (made.clone(), freed.clone());
        rounds(driver, async move |number| {
            let (stream, peer) = unix_half();
            let buffers: Vec<Buffer> = (0..3).map(|length| Buffer::new(length, &freeing)).collect();
            making.add();
            let future = async move {
                match number % 2 {
                    0 => for_ever(stream.read_vectored(buffers)).await,
                    _ => {
                        drop(buffers);
                        for_ever(async {
                            while stream.write_vectored(vec![MUCH, MUCH]).await.0.is_ok() {}
                        })
                        .await;
                    }
                }
            };
            (future, move || drop(std::io::Write::write(&mut &peer, b"bytes")))
        });
        assert_eq!((made.get(), freed.get()), (TIMES, 3 * TIMES));
    }

    /// One half in the middle of something, and the other goes first, or second.
    fn ten_thousand_halves_that_are_dropped_leave_nothing_behind(driver) {
        rounds(driver, async move |number| {
            let (stream, peer) = unix_half();
            let (mut reader, mut writer) = stream.into_split();
            let future = async move {
                let reading = async {
                    match number % 3 {
                        0 => for_ever(reader.read(Vec::with_capacity(9))).await,
                        1 => for_ever(PolledRead::read(&mut reader, &mut [0; 9])).await,
                        _ => for_ever(reader.peek(&mut [0; 9])).await,
                    }
                };
                let writing = async {
                    match number % 2 {
                        0 => for_ever(writer.write(MUCH)).await,
                        _ => for_ever(PolledWrite::write_all(&mut writer, MUCH)).await,
                    }
                };
                if number % 5 == 0 {
                    futures::join!(reading, writing);
                } else {
                    futures::join!(writing, reading);
                }
            };
            (future, move || drop(std::io::Write::write(&mut &peer, b"bytes")))
        });
    }

    /// In the middle of waiting, and their ports are free at once.
    fn ten_thousand_listeners_that_are_dropped_leave_nothing_behind(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
        runtime.block_on(async {
            let mut dice = Dice(9);
            let mut address = SocketAddr::from(([127, 0, 0, 1], 0));
            for _ in 0..TIMES {
                let listener = TcpListener::bind(address).expect("the port is free");
                address = listener.local_addr().expect("it is bound");
                let mut accept = Box::pin(listener.accept());
                let mut client = None;
                if dice.roll(4) > 0 {
                    assert!(poll_once(&mut accept).await.is_pending());
                }
                if dice.roll(4) == 0 {
                    client = Some(net::TcpStream::connect(address).expect("it listens"));
                }
                turns(dice.roll(3) as usize).await;
                if dice.roll(4) == 0
                    && let Poll::Ready(accepted) = poll_once(&mut accept).await
                {
                    accepted.expect("a client");
                }
                drop(client);
            }
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    }
}
