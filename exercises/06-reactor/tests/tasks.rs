//! Tasks of chapter 5's executor that wait for descriptors.

mod common;

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::Poll;
use std::thread;

use ch05_executor::{Executor, Park, spawn};
use ch06_reactor::Direction::{Read as Reading, Write as Writing};
use ch06_reactor::{Direction, Reactor};
use common::{asked, assert_registrations, checked, number, numbered, pair};
use common::{this_thread, until_it_sleeps_in};
use futures::channel::oneshot;
use trace::{Cause, Event, Recording};

/// Tries, and waits for as long as that would block.
async fn attempt<T>(
    reactor: &Reactor,
    socket: &UnixStream,
    direction: Direction,
    mut operation: impl FnMut(&UnixStream) -> io::Result<T>,
) -> io::Result<T> {
    poll_fn(|cx| match operation(socket) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            reactor.arm(number(socket), direction, cx)?;
            Poll::Pending
        }
        result => Poll::Ready(result),
    })
    .await
}

async fn send_all(reactor: &Reactor, socket: &UnixStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let sent = attempt(reactor, socket, Writing, |mut socket| socket.write(bytes)).await;
        bytes = &bytes[sent.unwrap()..];
    }
}

async fn receive(reactor: &Reactor, socket: &UnixStream, length: usize) -> Vec<u8> {
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    while received.len() < length {
        let read = attempt(reactor, socket, Reading, |mut socket| socket.read(&mut buffer)).await;
        received.extend_from_slice(&buffer[..read.unwrap()]);
    }
    received
}

/// Spawns, and gives back what tells the end.
fn start<T: 'static>(future: impl Future<Output = T> + 'static) -> oneshot::Receiver<T> {
    let (done, is_done) = oneshot::channel();
    spawn(async move {
        let _ = done.send(future.await);
    });
    is_done
}

fn runtime() -> (Rc<Reactor>, Executor) {
    let reactor = Rc::new(Reactor::new().unwrap());
    (reactor.clone(), Executor::new(reactor))
}

#[test]
fn both_directions_of_one_socket_flow_at_once_in_two_tasks() {
    checked(|| {
        let (reactor, executor) = runtime();
        let (left, right) = pair();
        let text: Rc<Vec<u8>> = Rc::new((0..1 << 20).map(|i| (i % 251) as u8).collect());
        reactor.add(left.clone()).unwrap();
        reactor.add(right.clone()).unwrap();
        executor.block_on(async {
            let mut ends = Vec::new();
            for socket in [left, right] {
                let (to, out, sent) = (reactor.clone(), socket.clone(), text.clone());
                ends.push(start(async move { send_all(&to, &out, &sent).await }));
                let (from, expected) = (reactor.clone(), text.clone());
                ends.push(start(async move {
                    assert!(receive(&from, &socket, expected.len()).await == *expected);
                }));
            }
            for end in ends {
                end.await.expect("the task ends");
            }
        });
    });
}

#[test]
fn only_the_task_is_polled_whose_descriptor_is_ready() {
    checked(|| {
        let (reactor, executor) = runtime();
        let (busy, busy_peer) = pair();
        let (quiet, _quiet_peer) = pair();
        reactor.add(busy.clone()).unwrap();
        reactor.add(quiet.clone()).unwrap();
        let polls = Rc::new(Cell::new(0));
        executor.block_on(async {
            spawn({
                let (reactor, polls) = (reactor.clone(), polls.clone());
                async move {
                    let read = |mut socket: &UnixStream| {
                        polls.set(polls.get() + 1);
                        socket.read(&mut [0])
                    };
                    let _ = attempt(&reactor, &quiet, Reading, read).await;
                }
            });
            for _ in 0..100 {
                let read = start({
                    let (reactor, busy) = (reactor.clone(), busy.clone());
                    async move { receive(&reactor, &busy, 1).await }
                });
                let peer = busy_peer.try_clone().unwrap();
                let other = thread::spawn(move || (&peer).write_all(b"x"));
                assert_eq!(read.await.unwrap(), b"x");
                other.join().unwrap().unwrap();
            }
        });
        assert_eq!(polls.get(), 1);
    });
}

#[test]
fn the_main_future_waits_for_a_descriptor_too() {
    checked(|| {
        let (reactor, executor) = runtime();
        let (ours, peer) = pair();
        reactor.add(ours.clone()).unwrap();
        let peer = peer.try_clone().unwrap();
        let (sleeper, epoll) = (this_thread(), number(&reactor));
        let other = thread::spawn(move || {
            until_it_sleeps_in(&sleeper, epoll);
            (&peer).write_all(b"hello")
        });
        assert_eq!(executor.block_on(receive(&reactor, &ours, 5)), b"hello");
        other.join().unwrap().unwrap();
    });
}

#[test]
fn a_wake_names_the_descriptor_that_caused_it() {
    checked(|| {
        let (reactor, executor) = runtime();
        let (ours, peer) = pair();
        reactor.add(ours.clone()).unwrap();
        executor.block_on(async {
            let read = start({
                let (reactor, ours) = (reactor.clone(), ours.clone());
                async move { receive(&reactor, &ours, 1).await }
            });
            let written = start(async move { (&*peer).write_all(b"x").unwrap() });
            written.await.unwrap();
            read.await.unwrap();
        });
        let by = Cause::Fd(number(&ours), Reading);
        let events = Recording::current().unwrap().events();
        if trace::ENABLED {
            assert!(events.contains(&Event::Wake { task: 1, by }), "{events:?}");
        }
    });
}

/// Deletes its descriptor when it is dropped, as the streams of chapter 7 do.
struct Registered(Rc<Reactor>, i32);

impl Drop for Registered {
    fn drop(&mut self) {
        self.0.delete(self.1).unwrap();
    }
}

#[test]
fn a_waiting_task_that_is_dropped_with_its_executor_leaves_nothing_behind() {
    checked(|| {
        let (reactor, executor) = runtime();
        let (reader, _writer) = io::pipe().unwrap();
        executor.block_on(async {
            let source = Rc::new(numbered(&reader, 650));
            reactor.add(source.clone()).unwrap();
            let registered = Registered(reactor.clone(), 650);
            let waits = start(poll_fn(move |cx| {
                let Registered(reactor, fd) = &registered;
                reactor.arm(*fd, Reading, cx).unwrap();
                Poll::<()>::Pending
            }));
            // Lets the task run once.
            start(async {}).await.unwrap();
            assert_registrations(&reactor, [asked(&source, true, false)]);
            drop(waits);
        });
        assert!(common::is_open(650));
        drop(executor);
        assert!(!common::is_open(650));
        assert_registrations(&reactor, []);
        assert_eq!(Rc::strong_count(&reactor), 1);
        reactor.park(common::NOW).unwrap();
    });
}
