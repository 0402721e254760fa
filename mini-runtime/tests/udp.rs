//! UDP: each datagram by itself, and what becomes of those that nobody receives.

mod common;

use std::io::{self, ErrorKind};
use std::net::{self, Ipv4Addr, SocketAddr};
use std::time::Duration;

use common::{descriptors, on_both_drivers, poll_once, runtime, turns};
use mini_runtime::net::{UdpSocket, lookup_host};
use mini_runtime::spawn;
use mini_runtime::time::timeout;

fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let address = socket.local_addr().expect("it is bound");
    (socket, address)
}

/// Two sockets that are connected to each other.
async fn pair() -> (UdpSocket, UdpSocket) {
    let ((one, here), (two, there)) = (socket(), socket());
    one.connect(there).await.expect("it is an address of this machine");
    two.connect(here).await.expect("it is an address of this machine");
    (one, two)
}

fn would_block<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(result.expect_err("nothing is there").kind(), ErrorKind::WouldBlock);
}

on_both_drivers! {
    /// One call for each, and none is glued to the next, not even an empty one.
    fn datagrams_keep_their_bounds_and_tell_their_sender(driver) {
        runtime(driver).block_on(async {
            let ((one, here), (two, there)) = (socket(), socket());
            for text in ["one", "", "three"] {
                let (sent, back) = one.send_to(text.to_string(), there).await;
                assert_eq!((sent.expect("there is room"), back.as_str()), (text.len(), text));
            }
            let mut buffer = Vec::with_capacity(100);
            for text in ["one", "", "three"] {
                let (received, bytes) = two.recv_from(buffer).await;
                assert_eq!(received.expect("it was sent"), (text.len(), here));
                assert_eq!(bytes, text.as_bytes());
                buffer = bytes;
            }
            would_block(two.try_recv(&mut [0; 10]));

            // Several that were reported at once: a short one says nothing of the next.
            two.connect(here).await.expect("it is an address of this machine");
            for text in ["one", "two", "three"] {
                one.try_send_to(text.as_bytes(), there).expect("there is room");
            }
            turns(100).await;
            for text in ["one", "two", "three"] {
                assert_eq!(two.recv(Vec::with_capacity(100)).await.1, text.as_bytes());
            }
        });
    }

    /// The rest of it is lost, and the next one begins with its own beginning.
    fn what_does_not_fit_is_cut_off(driver) {
        runtime(driver).block_on(async {
            let (one, two) = pair().await;
            for text in ["first one", "second one", "third one"] {
                assert_eq!(one.try_send(text.as_bytes()).expect("there is room"), text.len());
            }
            let (received, bytes) = two.recv(Vec::with_capacity(5)).await;
            assert_eq!((received.expect("it was sent"), &bytes[..]), (5, &b"first"[..]));
            let (received, bytes) = two.recv_from(Vec::with_capacity(6)).await;
            assert_eq!((received.expect("it was sent").0, &bytes[..]), (6, &b"second"[..]));
            let mut room = [0; 5];
            assert_eq!(two.try_recv(&mut room).expect("it was sent"), 5);
            assert_eq!(&room, b"third");
            would_block(two.try_recv(&mut room));
        });
    }

    /// Whoever else sends to it is not heard.
    fn a_connected_socket_hears_its_peer_alone(driver) {
        runtime(driver).block_on(async {
            let (one, two) = pair().await;
            let here = one.local_addr().expect("it is bound");
            assert_eq!(one.peer_addr().ok(), two.local_addr().ok());
            let (stranger, _) = socket();
            assert!(stranger.peer_addr().is_err());
            stranger.send_to(b"stranger", here).await.0.expect("there is room");
            two.send(b"friend").await.0.expect("there is room");
            assert_eq!(one.recv(Vec::with_capacity(100)).await.1, b"friend");
            would_block(one.try_recv(&mut [0; 10]));
        });
    }

    /// Waiting for it, in each of the ways.
    fn a_receiver_that_waits_is_woken_by_what_comes(driver) {
        runtime(driver).block_on(async {
            for way in 0..5 {
                let (one, two) = pair().await;
                let there = one.local_addr().expect("it is bound");
                let receiver = spawn(async move {
                    let mut room = [0; 10];
                    match way {
                        0 => two.recv(Vec::with_capacity(10)).await.1,
                        1 => {
                            let (received, bytes) = two.recv_from(Vec::with_capacity(10)).await;
                            assert_eq!(received.expect("it was sent"), (5, there));
                            bytes
                        }
                        2 => loop {
                            two.readable().await.expect("it is fine");
                            match two.try_recv(&mut room) {
                                Ok(length) => break room[..length].to_vec(),
                                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                            }
                        },
                        3 => {
                            let length = two.peek(&mut room).await.expect("it was sent");
                            room[..length].to_vec()
                        }
                        _ => {
                            let peeked = two.peek_from(&mut room).await.expect("it was sent");
                            assert_eq!(peeked, (5, there));
                            room[..5].to_vec()
                        }
                    }
                });
                turns(100).await;
                assert!(!receiver.is_finished());
                one.writable().await.expect("there is room");
                one.send(b"hello").await.0.expect("there is room");
                assert_eq!(receiver.await.expect("no panic"), b"hello", "way {way}");
            }
        });
    }

    /// Looked at, and still there.
    fn what_is_peeked_at_stays_to_be_received(driver) {
        runtime(driver).block_on(async {
            let (one, two) = pair().await;
            one.send(b"hello").await.0.expect("there is room");
            let mut room = [0; 3];
            for _ in 0..3 {
                assert_eq!(two.peek(&mut room).await.expect("it was sent"), 3);
                assert_eq!(&room, b"hel");
            }
            let mut room = [0; 10];
            let from = one.local_addr().expect("it is bound");
            assert_eq!(two.try_recv_from(&mut room).expect("it was sent"), (5, from));
            would_block(two.try_recv_from(&mut room));
        });
    }

    /// The kernel hears that nobody is there, and says so at the next call.
    fn a_datagram_that_nobody_receives_is_an_error_once_and_the_socket_goes_on(driver) {
        runtime(driver).block_on(async {
            let ((one, here), (gone, there)) = (socket(), socket());
            drop(gone);
            one.connect(there).await.expect("it is an address of this machine");
            for way in 0..2 {
                one.send(b"hello?").await.0.expect("there is room");
                let error = if way == 0 {
                    one.recv(vec![7; 3]).await
                } else {
                    let (result, buffer) = one.recv_from(vec![7; 3]).await;
                    (result.map(|(length, _)| length), buffer)
                };
                let (result, buffer) = error;
                let kind = result.expect_err("nobody is there").kind();
                assert_eq!(kind, ErrorKind::ConnectionRefused);
                assert_eq!(buffer, [7; 3], "an error leaves the buffer as it was");
            }
            let back = UdpSocket::bind(there).expect("the port is free again");
            back.connect(here).await.expect("it is an address of this machine");
            one.send(b"there?").await.0.expect("there is room");
            assert_eq!(back.recv(Vec::with_capacity(10)).await.1, b"there?");
            assert!(one.take_error().expect("it is a socket").is_none());
        });
    }

    /// In both directions at once, all sizes up to the largest.
    fn a_thousand_pings_come_back_as_they_were(driver) {
        runtime(driver).block_on(async {
            let (one, two) = pair().await;
            let echo = spawn(async move {
                let mut buffer = Vec::with_capacity(65_507);
                loop {
                    let (received, bytes) = two.recv_from(buffer).await;
                    let (length, from) = received.expect("it was sent");
                    if length == 0 {
                        return;
                    }
                    let (sent, bytes) = two.send_to(bytes, from).await;
                    assert_eq!(sent.expect("there is room"), length);
                    buffer = bytes;
                }
            });
            let mut back = Vec::with_capacity(65_507);
            for number in 0..1000_usize {
                let length = 1 + number * 12_345 % 65_507;
                let ping: Vec<u8> = (0..length).map(|index| (index + number) as u8).collect();
                let (sent, ping) = one.send(ping).await;
                assert_eq!(sent.expect("there is room"), length);
                let (received, pong) = one.recv(back).await;
                assert_eq!(received.expect("it was sent"), length);
                assert!(ping == pong);
                back = pong;
            }
            one.send(Vec::new()).await.0.expect("there is room");
            echo.await.expect("no panic");
            let (sent, _) = one.send(vec![0; 65_508]).await;
            assert_eq!(sent.expect_err("it is too long").raw_os_error(), Some(90), "EMSGSIZE");
        });
    }

    /// Nothing comes: the limit comes.
    fn a_receive_under_a_timeout_is_given_up_and_the_next_one_is_served(driver) {
        runtime(driver).block_on(async {
            let (one, two) = pair().await;
            let limit = Duration::from_millis(5);
            assert!(timeout(limit, two.recv(Vec::with_capacity(5))).await.is_err());
            assert!(timeout(limit, two.recv_from(Vec::with_capacity(5))).await.is_err());
            assert!(timeout(limit, two.peek(&mut [0; 5])).await.is_err());
            // The kernel hears of what was given up.
            turns(100).await;
            one.send(b"hello").await.0.expect("there is room");
            assert_eq!(two.recv(Vec::with_capacity(5)).await.1, b"hello");
        });
    }

    /// As the kernel understands them.
    fn options_are_what_they_were_set_to(driver) {
        runtime(driver).block_on(async {
            let (socket, _) = socket();
            for on in [true, false] {
                socket.set_broadcast(on).expect("it is an option");
                assert_eq!(socket.broadcast().expect("it is an option"), on);
                socket.set_multicast_loop_v4(on).expect("it is an option");
                assert_eq!(socket.multicast_loop_v4().expect("it is an option"), on);
            }
            socket.set_ttl(7).expect("it is an option");
            socket.set_multicast_ttl_v4(8).expect("it is an option");
            assert_eq!(socket.ttl().expect("it is an option"), 7);
            assert_eq!(socket.multicast_ttl_v4().expect("it is an option"), 8);
            let (group, interface) = (Ipv4Addr::new(239, 1, 2, 3), Ipv4Addr::LOCALHOST);
            socket.join_multicast_v4(group, interface).expect("it is a group");
            socket.leave_multicast_v4(group, interface).expect("it has joined");
            let error = socket.leave_multicast_v4(group, interface).expect_err("it has left");
            assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
            let error = socket.join_multicast_v4(interface, interface).expect_err("it is no group");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        });
    }

    /// In the mode in which it came.
    fn sockets_of_the_standard_library_come_and_go_as_they_are(driver) {
        runtime(driver).block_on(async {
            for nonblocking in [false, true] {
                let theirs = net::UdpSocket::bind("127.0.0.1:0").expect("a port is free");
                theirs.set_nonblocking(nonblocking).expect("it is a socket");
                let twin = theirs.try_clone().expect("descriptors are left");
                let there = theirs.local_addr().expect("it is bound");
                let ours = UdpSocket::from_std(theirs).expect("it is a socket");
                let mut waiting = Box::pin(ours.recv(Vec::with_capacity(5)));
                assert!(poll_once(&mut waiting).await.is_pending());
                turns(100).await;
                let (other, _) = socket();
                other.send_to(b"hello", there).await.0.expect("there is room");
                assert_eq!(waiting.await.1, b"hello");

                let back = ours.into_std().expect("it is a socket");
                other.send_to(b"again", there).await.0.expect("there is room");
                let mut room = [0; 5];
                assert_eq!(back.recv(&mut room).expect("it was sent"), 5);
                assert_eq!(common::is_nonblocking(&twin), nonblocking);
            }
        });
    }

    /// Strings, pairs and names.
    fn addresses_are_taken_in_all_their_forms(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
        runtime.block_on(async {
            let (socket, address) = socket();
            let (port, text) = (address.port(), address.to_string());
            let SocketAddr::V4(v4) = address else { panic!("it was bound to one of version 4") };
            socket.connect(address).await.expect("an address");
            socket.connect(v4).await.expect("an address of version 4");
            socket.connect((address.ip(), port)).await.expect("a pair");
            socket.connect((Ipv4Addr::LOCALHOST, port)).await.expect("a pair");
            socket.connect(("127.0.0.1", port)).await.expect("a pair");
            socket.connect(text.as_str()).await.expect("a string");
            socket.connect(text).await.expect("a string");
            socket.connect(&[address][..]).await.expect("several");
            for (nonsense, why) in [("127.0.0.1", "needs a port"), ("127.0.0.1:http", "is a number")]
            {
                let error = socket.connect(nonsense).await.expect_err("it is no address");
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                assert!(error.to_string().contains(why), "{error}");
            }

            match lookup_host(("localhost", port)).await {
                Ok(found) => assert!(found.into_iter().any(|found| found == address)),
                Err(error) => common::skip(format_args!("no name `localhost` here: {error}")),
            }
            let there = lookup_host(address).await.expect("there is nothing to be looked up");
            assert_eq!(there.collect::<Vec<_>>(), [address]);
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    }
}
