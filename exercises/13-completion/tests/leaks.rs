//! Ten thousand operations of a kind, each dropped at another moment: no descriptor, no buffer and no
//! slot is left. Alone in its file, and one test at a time: the descriptors are the process's.

mod common;

use std::fs;
use std::io::Write;
use std::net;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use ch13_completion::{
    AsyncReadOwned, AsyncWriteOwned, Driver, File, IoBuf, TcpListener, TcpStream, enter,
};
use common::{
    Arena, NOW, Nop, Random, Woken, driven, driver, finish, full_listener, listener,
    or_leave_behind, pair, pattern, poll, poll_with, settle, stuffed_pair,
};
use conformance::watch;
use futures::future::{FutureExt, LocalBoxFuture};

const MANY: usize = 10_000;

static ALONE: Mutex<()> = Mutex::new(());

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("there is a /proc").count()
}

/// Runs a test alone, and wants to see as many descriptors after it as before it.
fn leaving_no_descriptor(test: impl FnOnce()) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = descriptors();
    test();
    assert_eq!(descriptors(), before, "descriptors after the test, and before it");
}

/// What may be done with an operation, and when.
struct Fates<'a> {
    driver: &'a Rc<Driver>,
    random: Random,
    /// Those whose time comes later.
    waiting: Vec<LocalBoxFuture<'static, ()>>,
}

impl<'a> Fates<'a> {
    fn new(driver: &'a Rc<Driver>, seed: u64) -> Fates<'a> {
        Fates { driver, random: Random(seed), waiting: Vec::new() }
    }

    /// Polls an operation, and drops it at a moment that chance decides. Each call of `help` completes
    /// an operation of this kind, if anything does: maybe an earlier one, that waits still.
    fn decide(&mut self, op: impl Future<Output = ()> + 'static, help: Option<impl FnMut()>) {
        let mut op = op.boxed_local();
        let polled = enter(self.driver, || poll(&mut op));
        assert!(polled.is_pending(), "nothing is completed before it is submitted");
        let choice = self.random.below(7);
        // Before the kernel has seen it.
        if choice == 0 {
            return;
        }
        if choice > 2 {
            self.driver.wait(NOW).expect("the kernel takes it");
        }
        // While the kernel has it.
        if choice == 3 {
            return;
        }
        let Some(mut help) = help else {
            self.waiting.push(op);
            return self.drop_some();
        };
        help();
        match choice {
            // The kernel may have completed it, and the driver has not looked.
            1 | 4 => {}
            // Completed, and the future has not looked.
            2 => {
                let woken = Woken::default();
                let polled = poll_with(&mut op, &woken.waker());
                while polled.is_pending() && woken.times() == 0 {
                    help();
                    self.driver.wait(NOW).expect("the kernel has a look");
                }
            }
            5 => {
                while poll(&mut op).is_pending() {
                    help();
                    self.driver.wait(NOW).expect("the kernel has a look");
                }
            }
            // Any time later.
            _ => self.waiting.push(op),
        }
        self.drop_some();
    }

    fn drop_some(&mut self) {
        while self.waiting.len() > 20 {
            let chosen = self.random.below(self.waiting.len() as u64) as usize;
            let mut op = self.waiting.swap_remove(chosen);
            // Some have landed meanwhile.
            if self.random.below(2) == 0 {
                let _ = poll(&mut op);
            }
        }
    }
}

/// Runs a test with a driver, and watched buffers: none is left, and none is written to too late.
fn counted(test: impl FnOnce(&Rc<Driver>, &Arena) + Send + 'static) {
    leaving_no_descriptor(|| {
        driven(64, move |driver| {
            let arena = Arena::default();
            test(driver, &arena);
            settle(driver);
            assert_eq!((driver.in_flight(), arena.live()), (0, 0));
            arena.nobody_wrote_to_the_dead();
            let counts = driver.counts();
            assert!(counts.submissions >= MANY as u64);
            println!("{counts:?}");
        });
    });
}

#[test]
fn ten_thousand_reads_that_are_dropped_at_random_leave_nothing_behind() {
    counted(|driver, arena| {
        let bytes = pattern(4096);
        let mut file = tempfile::tempfile().expect("there is room for a file");
        file.write_all(&bytes).expect("there is room in the file");
        let file = Rc::new(enter(driver, || File::from_std(file)));
        let mut ends: Vec<_> = (0..20).map(|_| pair(driver)).collect();
        let mut fates = Fates::new(driver, 1);
        for _ in 0..MANY {
            let chosen = fates.random.below(30) as usize;
            let room = arena.room(1 + fates.random.below(64) as usize);
            let Some((near, far)) = ends.get_mut(chosen) else {
                let (file, offset) = (file.clone(), fates.random.below(4096));
                let expected = bytes[offset as usize..].to_vec();
                let read = async move {
                    let (length, buffer) = file.read_at(room, offset).await;
                    let length = length.expect("the file is there");
                    assert_eq!(buffer.to_vec(), expected[..length]);
                };
                fates.decide(read, Some(|| {}));
                continue;
            };
            let recv = near.start_recv(room.slice(0..32));
            let read = async move {
                let (length, slice) = recv.await;
                assert_eq!(slice.len(), length.expect("the connection is up"));
                assert!(slice.iter().all(|byte| *byte == 7));
            };
            fates.decide(read, Some(|| far.write_all(&[7; 40]).expect("the connection is up")));
        }
    });
}

#[test]
fn ten_thousand_writes_that_are_dropped_at_random_leave_nothing_behind() {
    counted(|driver, arena| {
        let file = tempfile::tempfile().expect("there is room for a file");
        let file = Rc::new(enter(driver, || File::from_std(file)));
        let ends: Vec<_> = (0..10).map(|_| pair(driver)).collect();
        let stuffed: Vec<_> = (0..10).map(|_| stuffed_pair(driver)).collect();
        let mut fates = Fates::new(driver, 2);
        for _ in 0..MANY {
            let chosen = fates.random.below(30) as usize;
            let buffer = arena.bytes(&vec![7; 1 + fates.random.below(64) as usize]);
            if let Some((near, _)) = ends.get(chosen) {
                let send = near.start_send(buffer);
                fates.decide(send.map(drop), Some(|| {}));
            } else if let Some((near, _)) = stuffed.get(chosen - ends.len()) {
                let send = near.start_send(buffer);
                fates.decide(send.map(drop), None::<fn()>);
            } else {
                let (file, offset) = (file.clone(), fates.random.below(4096));
                let write = async move {
                    let (length, buffer) = file.write_at(buffer, offset).await;
                    assert_eq!(length.expect("there is room"), buffer.bytes_init());
                };
                fates.decide(write, Some(|| {}));
            }
        }
    });
}

#[test]
fn ten_thousand_accepts_that_are_dropped_at_random_leave_nothing_behind() {
    counted(|driver, _| {
        let mut fates = Fates::new(driver, 3);
        let mut listening: Option<(TcpListener, Vec<net::TcpStream>)> = None;
        for round in 0..MANY {
            // A new one now and then: those whom nobody accepts would fill its queue.
            if round % 50 == 0 {
                listening = None;
            }
            let (listener, clients) =
                listening.get_or_insert_with(|| (listener(driver), Vec::new()));
            let address = listener.local_addr().expect("it is bound");
            let accept = listener.start_accept();
            let accept = accept.map(|accepted| drop(accepted.expect("somebody has connected")));
            let connect = || clients.push(net::TcpStream::connect(address).expect("it listens"));
            fates.decide(accept, Some(connect));
        }
    });
}

#[test]
fn ten_thousand_connects_that_are_dropped_at_random_leave_nothing_behind() {
    counted(|driver, _| {
        let (nowhere, _full) = full_listener();
        let mut fates = Fates::new(driver, 4);
        let mut listening = None;
        for round in 0..MANY {
            // A new one now and then, as above.
            if round % 50 == 0 {
                listening = None;
            }
            let listener = listening.get_or_insert_with(|| {
                net::TcpListener::bind("127.0.0.1:0").expect("a port is free")
            });
            if fates.random.below(3) == 0 {
                fates.decide(TcpStream::connect(nowhere).map(drop), None::<fn()>);
            } else {
                let address = listener.local_addr().expect("it is bound");
                fates.decide(TcpStream::connect(address).map(drop), Some(|| {}));
            }
        }
    });
}

#[test]
fn operations_of_all_kinds_at_once_that_are_dropped_at_random_leave_nothing_behind() {
    counted(|driver, arena| {
        let mut random = Random(5);
        let mut flying: Vec<LocalBoxFuture<'static, ()>> = Vec::new();
        let file = tempfile::tempfile().expect("there is room for a file");
        let file = Rc::new(enter(driver, || File::from_std(file)));
        let listener = Rc::new(listener(driver));
        let address = listener.local_addr().expect("it is bound");
        let mut ends: Vec<_> = (0..10)
            .map(|_| {
                let (near, far) = pair(driver);
                (Rc::new(near), far)
            })
            .collect();
        for _ in 0..MANY {
            let chosen = random.below(10) as usize;
            let near = ends[chosen].0.clone();
            let (file, listener) = (file.clone(), listener.clone());
            let (room, bytes) = (arena.room(16), arena.bytes(b"hello"));
            let mut op: LocalBoxFuture<'static, ()> = match random.below(9) {
                0 => near.start_recv(room).map(drop).boxed_local(),
                1 => near.start_send(bytes).map(drop).boxed_local(),
                2 => async move { drop(near.read_vectored(vec![room, bytes]).await) }.boxed_local(),
                3 => async move { drop(near.write_vectored(vec![bytes]).await) }.boxed_local(),
                4 => async move { drop(file.read_at(room, 0).await) }.boxed_local(),
                5 => async move { drop(file.write_at(bytes, 0).await) }.boxed_local(),
                6 => async move { drop(listener.accept().await) }.boxed_local(),
                7 => TcpStream::connect(address).map(drop).boxed_local(),
                _ => {
                    let (near, far) = pair(driver);
                    async move {
                        near.close().await.expect("nothing breaks");
                        drop(far);
                    }
                    .boxed_local()
                }
            };
            enter(driver, || assert!(poll(&mut op).is_pending()));
            flying.push(op);
            match random.below(6) {
                0 => driver.wait(NOW).expect("the kernel has a look"),
                1 => ends[chosen].1.write_all(b"x").expect("the connection is up"),
                _ => {}
            }
            while flying.len() > 50 {
                let chosen = random.below(flying.len() as u64) as usize;
                drop(flying.swap_remove(chosen));
            }
        }
    });
}

#[test]
fn a_thousand_drivers_leave_nothing_behind() {
    leaving_no_descriptor(|| {
        watch(|| {
            for _ in 0..1000 {
                let Some(driver) = driver(8) else { return };
                let (near, far) = pair(&driver);
                let recv = near.start_recv(vec![0; 8]);
                finish(&driver, driver.submit(Nop)).expect("it does nothing");
                or_leave_behind(&driver, || drop((near, far, recv)));
            }
        });
    });
}
