//! A runtime for each core, and what they share: a port.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{self, SocketAddr};
use std::rc::Rc;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use ch07_tcp::{TcpListener, TcpStream};
use ch11_threads::spawn_blocking;
use ch12_bring_your_own::{Core, PerThread, listen_reuse_port, per_core};
use common::{Count, run, threads_called, wait_until};
use conformance::{panic_text, skip, watch};
use futures::future::{Either, select};
use futures::lock::Mutex;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};

#[test]
fn they_run_at_the_same_time() {
    watch(|| {
        // Each blocks until all have come.
        let barrier = Arc::new(Barrier::new(3));
        let cores = per_core(3, move |_| {
            let barrier = barrier.clone();
            async move { barrier.wait().is_leader() }
        });
        let outputs = cores.expect("threads are left").join();
        let leaders = outputs.into_iter().filter(|output| matches!(output, Ok(true)));
        assert_eq!(leaders.count(), 1);
    });
}

#[test]
fn a_main_need_not_be_send() {
    watch(|| {
        let cores = per_core(2, |core| async move {
            let number = Rc::new(core.index);
            ch09_fairness::yield_now().await;
            *number
        });
        let outputs = cores.expect("threads are left").join();
        let outputs: Vec<usize> =
            outputs.into_iter().map(|output| output.expect("no panic")).collect();
        assert_eq!(outputs, [0, 1]);
    });
}

#[test]
fn a_stop_is_told_to_all_and_join_returns_what_each_returns() {
    watch(|| {
        let cores = per_core(3, |core: Core| async move {
            core.stopped.await.expect_err("nothing is ever sent");
            core.index * 10
        })
        .expect("threads are left");
        cores.stop();
        cores.stop();
        let outputs: Vec<usize> =
            cores.join().into_iter().map(|output| output.expect("no panic")).collect();
        assert_eq!(outputs, [0, 10, 20]);
    });
}

#[test]
fn dropping_them_tells_them_to_stop_and_does_not_wait() {
    watch(|| {
        let (tell, told) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = Arc::new(std::sync::Mutex::new(released));
        let cores = per_core(1, move |core: Core| {
            let (tell, released) = (tell.clone(), released.clone());
            async move {
                tell.send("running").expect("it is waited for");
                let _ = core.stopped.await;
                // It takes its time: until we have come back from the drop.
                let _ = released.lock().expect("nobody panics").recv();
                tell.send("stopped").expect("it is waited for");
            }
        });
        assert_eq!(told.recv(), Ok("running"));
        drop(cores.expect("threads are left"));
        drop(release);
        assert_eq!(told.recv(), Ok("stopped"));
    });
}

#[test]
fn a_panic_in_one_is_told_and_the_others_go_on() {
    watch(|| {
        let panicked = Count::default();
        let seen = panicked.clone();
        let cores = per_core(3, move |core: Core| {
            let seen = seen.clone();
            async move {
                if core.index == 1 {
                    let _token = seen.token();
                    std::panic::panic_any("as it should");
                }
                let _ = core.stopped.await;
                core.index
            }
        })
        .expect("threads are left");
        wait_until(|| panicked.get() == 1);
        cores.stop();
        let outputs = cores.join();
        assert_eq!(outputs.len(), 3);
        assert!(matches!(outputs[0], Ok(0)) && matches!(outputs[2], Ok(2)));
        let payload = outputs[1].as_ref().expect_err("it has panicked");
        assert_eq!(payload.downcast_ref(), Some(&"as it should"));
    });
}

#[test]
fn of_no_threads_nothing_is_returned() {
    let cores = per_core(0, |_| async {}).expect("nothing is needed");
    assert_eq!(cores.join().len(), 0);
}

#[test]
fn two_listeners_on_one_port_both_get_clients() {
    run(|| async {
        let one = listen_reuse_port("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let address = one.local_addr().expect("it is bound");
        let other = listen_reuse_port(address).expect("the port may be shared");
        let mut served = (0, 0);
        let mut clients = 0;
        while served.0 == 0 || served.1 == 0 {
            // Each client has another port, and the kernel throws a coin for it.
            assert!(clients < 100, "all of {clients} clients have come to one of the two");
            clients += 1;
            let connects = spawn_blocking(move || net::TcpStream::connect(address));
            match select(Box::pin(one.accept()), Box::pin(other.accept())).await {
                Either::Left(_) => served.0 += 1,
                Either::Right(_) => served.1 += 1,
            }
            connects.await.expect("no panic").expect("they listen");
        }
    });
}

#[test]
fn a_port_is_shared_only_among_those_who_say_so() {
    run(|| async {
        for loopback in ["127.0.0.1:0", "[::1]:0"] {
            let loopback: SocketAddr = loopback.parse().expect("an address");
            let shared = match listen_reuse_port(loopback) {
                // Some machines have no IPv6.
                Err(error) if loopback.is_ipv6() => {
                    skip(format_args!("{loopback}: {error}"));
                    continue;
                }
                shared => shared.expect("a free port"),
            };
            let address = shared.local_addr().expect("it is bound");
            listen_reuse_port(address).expect("the port may be shared");
            let refused = TcpListener::bind(address).expect_err("this one has not said so");
            assert_eq!(refused.kind(), ErrorKind::AddrInUse);

            let alone = TcpListener::bind(loopback).expect("a free port");
            let address = alone.local_addr().expect("it is bound");
            let refused = listen_reuse_port(address).expect_err("the other one has not said so");
            assert_eq!(refused.kind(), ErrorKind::AddrInUse);
        }
        let elsewhere = listen_reuse_port("192.0.2.1:0".parse().expect("an address"));
        assert_eq!(elsewhere.expect_err("not ours").kind(), ErrorKind::AddrNotAvailable);
    });
}

#[test]
fn a_port_on_which_a_server_has_just_ended_can_be_listened_on() {
    run(|| async {
        let before = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = before.local_addr().expect("it is bound");
        let client = net::TcpStream::connect(address).expect("it listens");
        let (accepted, _) = before.accept().await.expect("a client");
        // The server's side closes first, and the kernel keeps the port's memory of that (TIME_WAIT).
        drop(accepted);
        drop((before, client));
        listen_reuse_port(address).expect("it is free");
    });
}

#[test]
fn listening_outside_of_a_runtime_panics() {
    let text = panic_text(|| drop(listen_reuse_port("127.0.0.1:0".parse().expect("an address"))));
    assert!(text.contains("block_on"), "{text}");
}

#[test]
fn a_server_on_each_core_shares_nothing_but_the_port() {
    watch(|| {
        let (tell, told) = mpsc::channel();
        // Somebody has to choose the port. It keeps it until the others have it.
        let held = socket_that_holds_a_port();
        let address = held.local_addr().expect("it is bound");
        let cores = per_core(2, move |core: Core| {
            let tell = tell.clone();
            async move {
                let mut listener = listen_reuse_port(address).expect("the port may be shared");
                tell.send(()).expect("it is waited for");
                let mut clients = 0;
                let mut stopped = core.stopped;
                while let Either::Left((Some(client), _)) =
                    select(listener.next(), &mut stopped).await
                {
                    let mut client = client.expect("loopback works");
                    client.write_all(&[core.index as u8]).await.expect("the client stays");
                    clients += 1;
                }
                clients
            }
        })
        .expect("threads are left");
        told.iter().take(2).for_each(drop);
        drop(held);
        let mut heard = [0; 2];
        for _ in 0..100 {
            let mut byte = [9];
            let mut client = net::TcpStream::connect(address).expect("they listen");
            client.read_exact(&mut byte).expect("an answer");
            heard[usize::from(byte[0])] += 1;
            if heard[0] > 0 && heard[1] > 0 {
                break;
            }
        }
        cores.stop();
        let served: Vec<usize> =
            cores.join().into_iter().map(|served| served.expect("no panic")).collect();
        assert_eq!(served, heard);
        assert!(heard[0] > 0 && heard[1] > 0, "{heard:?}");
    });
}

/// Bound, and not listening: it gets no clients.
fn socket_that_holds_a_port() -> net::TcpListener {
    use nix::sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrIn, bind, setsockopt, socket, sockopt,
    };
    use std::os::fd::AsRawFd;

    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None).expect("a socket");
    setsockopt(&socket, sockopt::ReusePort, &true).expect("it is a socket");
    bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).expect("a free port");
    net::TcpListener::from(socket)
}

/// A client that connects when it is used first, and keeps its connection.
#[derive(Default)]
struct Client(Mutex<Option<TcpStream>>);

impl Client {
    async fn ask(&self, backend: SocketAddr, question: u8) -> u8 {
        let mut connection = self.0.lock().await;
        let stream = match &mut *connection {
            Some(stream) => stream,
            none => none.insert(TcpStream::connect(backend).await.expect("it listens")),
        };
        stream.write_all(&[question]).await.expect("the connection holds");
        let mut answer = [0];
        stream.read_exact(&mut answer).await.expect("the connection holds");
        answer[0]
    }
}

/// A backend that adds one, and counts who connects. It ends with its clients.
fn backend(clients: usize) -> (SocketAddr, thread::JoinHandle<usize>) {
    let listener = net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let accepting = thread::spawn(move || {
        let serving: Vec<_> = listener
            .incoming()
            .take(clients)
            .map(|client| {
                let mut client = client.expect("loopback works");
                thread::spawn(move || {
                    let mut byte = [0];
                    while client.read(&mut byte).expect("the connection holds") == 1 {
                        client.write_all(&[byte[0] + 1]).expect("the connection holds");
                    }
                })
            })
            .collect();
        let served = serving.len();
        serving.into_iter().for_each(|server| server.join().expect("no panic"));
        listener.set_nonblocking(true).expect("it is a socket");
        served + listener.incoming().take_while(|client| client.is_ok()).count()
    });
    (address, accepting)
}

#[test]
fn the_backend_sees_a_connection_for_each_thread_and_not_for_each_request() {
    watch(|| {
        let (address, backend) = backend(2);
        let clients = Arc::new(PerThread::new(Client::default));
        let cores = per_core(2, move |_| {
            let clients = clients.clone();
            async move {
                let mut tasks = Vec::new();
                for question in 0..50 {
                    let client = clients.get();
                    tasks.push(ch10_join_cancel::spawn(async move {
                        assert_eq!(client.ask(address, question).await, question + 1);
                    }));
                }
                for task in tasks {
                    task.await.expect("no panic");
                }
            }
        })
        .expect("threads are left");
        cores.join().into_iter().for_each(|output| output.expect("no panic"));
        assert_eq!(backend.join().expect("no panic"), 2);
    });
}

#[test]
fn no_thread_is_left() {
    watch(|| {
        // Others in this process are called core-0, too. No other test has so many.
        let cores = per_core(20, |core: Core| async move { core.stopped.await.is_err() });
        let cores = cores.expect("threads are left");
        wait_until(|| threads_called("core-19") == 1);
        cores.stop();
        cores.join();
        wait_until(|| threads_called("core-19") == 0);
    });
}
