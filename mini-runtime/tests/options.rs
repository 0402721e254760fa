//! Sockets that are set up before they are used, that come from the standard library and go back there, and
//! that others share in.

mod common;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{self, Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use common::{descriptors, half, on_both_drivers, pair, poll_once, runtime, turns};
use futures::AsyncReadExt as PolledRead;
use mini_runtime::io::{AsyncReadOwned, AsyncWriteOwned};
use mini_runtime::net::{TcpListener, TcpSocket, TcpStream};
use mini_runtime::spawn;

const ANY: &str = "127.0.0.1:0";

fn any() -> SocketAddr {
    ANY.parse().expect("it is an address")
}

// ANCHOR: listen
/// Listens on a port that others may have, too, if all of them say so.
fn listen(address: SocketAddr, shares: bool) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(shares)?;
    socket.bind(address)?;
    socket.listen(128)
}
// ANCHOR_END: listen

on_both_drivers! {
    /// As the kernel understands them.
    fn options_are_what_they_were_set_to(driver) {
        runtime(driver).block_on(async {
            let socket = TcpSocket::new_v4().expect("descriptors are left");
            assert!(!socket.reuseaddr().expect("an option") && !socket.keepalive().expect("an option"));
            socket.set_reuseaddr(true).expect("an option");
            socket.set_reuseport(true).expect("an option");
            socket.set_keepalive(true).expect("an option");
            socket.set_nodelay(true).expect("an option");
            socket.set_linger(Some(Duration::from_secs(3))).expect("an option");
            assert!(socket.reuseaddr().expect("an option") && socket.reuseport().expect("an option"));
            assert!(socket.keepalive().expect("an option") && socket.nodelay().expect("an option"));
            assert_eq!(socket.linger().expect("an option"), Some(Duration::from_secs(3)));
            // The kernel doubles it, for what it keeps beside the bytes.
            socket.set_send_buffer_size(10_000).expect("an option");
            socket.set_recv_buffer_size(20_000).expect("an option");
            assert_eq!(socket.send_buffer_size().expect("an option"), 20_000);
            assert_eq!(socket.recv_buffer_size().expect("an option"), 40_000);
            assert!(socket.take_error().expect("it is a socket").is_none());

            let (one, _two) = pair().await;
            one.set_nodelay(true).expect("an option");
            one.set_ttl(9).expect("an option");
            assert!(one.nodelay().expect("an option"));
            assert_eq!(one.ttl().expect("an option"), 9);
            assert_eq!(one.linger().expect("an option"), None);
            let listener = TcpListener::bind(ANY).expect("a port is free");
            listener.set_ttl(11).expect("an option");
            assert_eq!(listener.ttl().expect("an option"), 11);
        });
    }

    /// What was set before goes with it.
    fn a_socket_is_bound_connected_and_listened_on_by_hand(driver) {
        runtime(driver).block_on(async {
            let socket = TcpSocket::new_v4().expect("descriptors are left");
            socket.bind(any()).expect("a port is free");
            let address = socket.local_addr().expect("it is bound");
            let listener = socket.listen(8).expect("nobody else listens");
            assert_eq!(listener.local_addr().expect("it is bound"), address);
            let socket = TcpSocket::new_v4().expect("descriptors are left");
            socket.set_nodelay(true).expect("an option");
            socket.bind(any()).expect("a port is free");
            let here = socket.local_addr().expect("it is bound");
            let (client, accepted) = futures::join!(socket.connect(address), listener.accept());
            let (client, (server, peer)) = (client.expect("it listens"), accepted.expect("a client"));
            assert!(client.nodelay().expect("an option"));
            assert_eq!(peer, here);
            client.write_all(b"hello").await.0.expect("it is connected");
            assert_eq!(server.read_exact(Vec::with_capacity(5)).await.1, b"hello");

            let socket = TcpSocket::new_v4().expect("descriptors are left");
            let error = socket.bind("192.0.2.1:0".parse().expect("it is an address"));
            assert_eq!(error.expect_err("it is another's").kind(), ErrorKind::AddrNotAvailable);
            if let Ok(socket) = TcpSocket::new_v6() {
                socket.connect(address).await.expect_err("it is of the other version");
            }
        });
    }

    /// With `SO_REUSEPORT`, the kernel deals out the clients. Without it, the second one fails.
    fn several_listeners_share_a_port_if_all_of_them_agree(driver) {
        runtime(driver).block_on(async {
            let one = listen(any(), true).expect("a port is free");
            let address = one.local_addr().expect("it is bound");
            let two = listen(address, true).expect("both agree");
            let error = listen(address, false).expect_err("this one does not");
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
            let (mut first, mut second) = (0, 0);
            for _ in 0..100 {
                let _client = net::TcpStream::connect(address).expect("they listen");
                let accepted = futures::future::select(Box::pin(one.accept()), Box::pin(two.accept()));
                match accepted.await {
                    futures::future::Either::Left((accepted, _)) => {
                        accepted.expect("a client");
                        first += 1;
                    }
                    futures::future::Either::Right((accepted, _)) => {
                        accepted.expect("a client");
                        second += 1;
                    }
                }
            }
            assert!(first > 0 && second > 0, "{first} and {second}");
        });
    }

    /// The connection is reset, and bytes that were not sent are gone.
    fn a_linger_of_zero_resets_the_connection(driver) {
        runtime(driver).block_on(async {
            let (stream, mut peer) = half().await;
            stream.set_linger(Some(Duration::ZERO)).expect("an option");
            drop(stream);
            let error = peer.read(&mut [0]).expect_err("it was reset");
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        });
    }

    /// Others may share in it, who would be surprised.
    fn a_stream_of_the_standard_library_stays_in_its_mode(driver) {
        runtime(driver).block_on(async {
            for nonblocking in [false, true] {
                let listener = net::TcpListener::bind(ANY).expect("a port is free");
                let address = listener.local_addr().expect("it is bound");
                let theirs = net::TcpStream::connect(address).expect("it listens");
                let (mut peer, _) = listener.accept().expect("a client");
                theirs.set_nonblocking(nonblocking).expect("it is a socket");
                let twin = theirs.try_clone().expect("descriptors are left");
                let mut ours = TcpStream::from_std(theirs).expect("it is a socket");
                let mut room = [0; 5];
                for style in 0..2 {
                    let reading = async {
                        if style == 0 {
                            ours.read_exact(Vec::with_capacity(5)).await.0
                        } else {
                            PolledRead::read_exact(&mut ours, &mut room).await
                        }
                    };
                    let writing = async {
                        turns(100).await;
                        peer.write_all(b"hello").expect("it is connected");
                    };
                    futures::join!(reading, writing).0.expect("it is connected");
                }
                // More than there is room for.
                let bytes = vec![7; 1 << 22];
                let reading = std::thread::spawn(move || {
                    let mut all = Vec::new();
                    peer.read_to_end(&mut all).expect("it is connected");
                    all.len()
                });
                ours.write_all(bytes).await.0.expect("it is connected");
                assert_eq!(common::is_nonblocking(&twin), nonblocking);
                drop(ours);
                // Nothing was shut down that the twin shares in.
                (&twin).write_all(b"the end").unwrap_or_else(|error| {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                });
                drop(twin);
                assert!(reading.join().expect("no panic") >= 1 << 22);
            }
        });
    }

    /// Also in the middle of a read that nobody waits for: its cancellation concerns nobody else.
    fn a_clone_outside_keeps_the_connection_when_ours_is_dropped(driver) {
        runtime(driver).block_on(async {
            for way in 0..3 {
                let listener = net::TcpListener::bind(ANY).expect("a port is free");
                let address = listener.local_addr().expect("it is bound");
                let theirs = net::TcpStream::connect(address).expect("it listens");
                let (mut peer, _) = listener.accept().expect("a client");
                let mut twin = theirs.try_clone().expect("descriptors are left");
                let mut ours = TcpStream::from_std(theirs).expect("it is a socket");
                match way {
                    0 => {}
                    1 => drop(poll_once(Box::pin(ours.read(Vec::with_capacity(1)))).await),
                    _ => drop(poll_once(PolledRead::read(&mut ours, &mut [0])).await),
                }
                turns(way).await;
                drop(ours);
                twin.write_all(b"ping").expect("it is connected");
                peer.read_exact(&mut [0; 4]).expect("it was sent");
                peer.write_all(b"pong").expect("it is connected");
                let mut room = [0; 4];
                twin.read_exact(&mut room).expect("it was sent");
                assert_eq!(&room, b"pong");
            }
        });
    }

    /// In blocking mode, as the standard library has them.
    fn sockets_go_to_the_standard_library_and_come_back(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
        runtime.block_on(async {
            let listener = TcpListener::bind(ANY).expect("a port is free");
            let address = listener.local_addr().expect("it is bound");
            let (client, accepted) = futures::join!(TcpStream::connect(address), listener.accept());
            let (client, server) = (client.expect("it listens"), accepted.expect("a client").0);
            // A read that was given up is over by then.
            drop(poll_once(Box::pin(client.read(Vec::with_capacity(1)))).await);
            let number = client.as_raw_fd();
            let mut one = client.into_std().expect("nothing was read ahead");
            let mut two = server.into_std().expect("nothing was read ahead");
            assert_eq!(one.as_raw_fd(), number, "it is the same descriptor");
            assert!(!common::is_nonblocking(&one) && !common::is_nonblocking(&two));
            turns(100).await;
            two.write_all(b"hello").expect("it is connected");
            one.read_exact(&mut [0; 5]).expect("it was sent");

            let (one, two) = (TcpStream::from_std(one), TcpStream::from_std(two));
            let (one, two) = (one.expect("it is a socket"), two.expect("it is a socket"));
            one.write_all(b"again").await.0.expect("it is connected");
            assert_eq!(two.read_exact(Vec::with_capacity(5)).await.1, b"again");

            let listener = listener.into_std().expect("it is a socket");
            assert!(!common::is_nonblocking(&listener));
            let _client = net::TcpStream::connect(address).expect("it listens");
            listener.accept().expect("there is a client");
            let listener = TcpListener::from_std(listener).expect("it is a socket");
            let _client = net::TcpStream::connect(address).expect("it listens");
            listener.accept().await.expect("there is a client");
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    }

    /// They would be lost.
    fn a_stream_with_bytes_that_were_read_ahead_is_not_given_away(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
        runtime.block_on(async {
            let (mut stream, mut peer) = half().await;
            peer.write_all(b"hello").expect("it is connected");
            PolledRead::read_exact(&mut stream, &mut [0]).await.expect("it was sent");
            match stream.into_std() {
                // Nothing is read ahead on epoll.
                Ok(mut stream) => {
                    assert_eq!(driver, mini_runtime::DriverKind::Epoll);
                    stream.read_exact(&mut [0; 4]).expect("it was sent");
                }
                Err(error) => assert!(error.to_string().contains("would be lost"), "{error}"),
            }
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    }

    /// Nobody has to visit the kernel for that: there may be nobody left who does.
    fn a_dropped_stream_ends_its_connection_at_once_also_outside_of_block_on(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
        for way in 0..5 {
            let (stream, mut peer) = runtime.block_on(async {
                let (mut stream, peer) = half().await;
                match way {
                    0 => {}
                    1 => drop(poll_once(Box::pin(stream.read(Vec::with_capacity(1)))).await),
                    2 => drop(poll_once(PolledRead::read(&mut stream, &mut [0])).await),
                    3 => drop(poll_once(Box::pin(stream.readable())).await),
                    _ => {
                        // With the kernel, and not only on its way there.
                        drop(poll_once(PolledRead::read(&mut stream, &mut [0])).await);
                        turns(100).await;
                    }
                }
                (stream, peer)
            });
            drop(stream);
            assert_eq!(peer.read(&mut [0]).expect("it is closed, and not reset"), 0);
        }
        drop(runtime);
        assert_eq!(descriptors(), before);
    }

    /// The next one who binds to it may be a line further down.
    fn the_port_of_a_dropped_listener_is_free_at_once(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
        runtime.block_on(async {
            let mut address = any();
            for round in 0..100 {
                // Without SO_REUSEADDR: that is what finds a socket which is still there.
                let socket = TcpSocket::new_v4().expect("descriptors are left");
                socket.bind(address).expect("the port is free");
                let listener = socket.listen(128).expect("nobody listens");
                address = listener.local_addr().expect("it is bound");
                if round % 3 > 0 {
                    assert!(poll_once(Box::pin(listener.accept())).await.is_pending());
                }
                if round % 3 > 1 {
                    turns(100).await;
                }
                drop(listener);
                net::TcpStream::connect(address).expect_err("nobody listens");
            }
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    }

    /// As worker threads have them that share one listener.
    fn a_clone_outside_goes_on_listening_when_ours_is_dropped(driver) {
        runtime(driver).block_on(async {
            let theirs = net::TcpListener::bind(ANY).expect("a port is free");
            let address = theirs.local_addr().expect("it is bound");
            for _ in 0..3 {
                let twin = theirs.try_clone().expect("descriptors are left");
                let ours = TcpListener::from_std(twin).expect("it is a socket");
                assert!(poll_once(Box::pin(ours.accept())).await.is_pending());
                turns(100).await;
                drop(ours);
                let _client = net::TcpStream::connect(address).expect("it still listens");
                theirs.set_nonblocking(false).expect("it is a socket");
                theirs.accept().expect("it was for the one that is left");
            }
        });
    }

    /// A burst that nobody accepts waits in the kernel, and not in descriptors of ours.
    fn no_more_than_a_bounded_number_of_connections_is_accepted_ahead(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
        runtime.block_on(async {
            let listener = TcpListener::bind(ANY).expect("a port is free");
            let address = listener.local_addr().expect("it is bound");
            // From now on the kernel accepts, if it ever does by itself.
            assert!(poll_once(Box::pin(listener.accept())).await.is_pending());
            let base = descriptors();
            let mut clients = Vec::new();
            for _ in 0..400 {
                clients.push(net::TcpStream::connect(address).expect("it listens"));
                turns(1).await;
            }
            turns(100).await;
            let ahead = descriptors() - base - clients.len();
            // 128, and those that came until the kernel was told.
            assert!(ahead <= 250, "{ahead} connections were accepted ahead");

            // In their order, and not one is missing.
            for client in &clients {
                let (stream, peer) = listener.accept().await.expect("there is a client");
                assert_eq!(peer, client.local_addr().expect("it is connected"));
                stream.write_all(b"x").await.0.expect("it is connected");
            }
            assert!(poll_once(Box::pin(listener.accept())).await.is_pending());
            clients.iter_mut().for_each(|client| client.read_exact(&mut [0]).expect("served"));
            let _last = net::TcpStream::connect(address).expect("it listens");
            listener.accept().await.expect("and so it goes on");
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    }

    /// What it is asked for it tells.
    fn descriptors_are_shown(driver) {
        runtime(driver).block_on(async {
            let (one, _two) = pair().await;
            let fd = one.as_fd().as_raw_fd();
            assert_eq!(format!("{one:?}"), format!("TcpStream {{ fd: {fd}, .. }}"));
            one.shutdown(Shutdown::Both).expect("it is connected");
            let one = spawn(async move { one }).await.expect("no panic");
            assert_eq!(one.as_raw_fd(), fd);
        });
    }
}
