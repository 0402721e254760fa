//! Futures that are dropped: before their operation was submitted, while the kernel has it, and after it
//! was completed.

mod common;

use std::any::Any;
use std::cell::Cell;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use ch13_completion::{
    AsyncReadOwned, AsyncReadOwnedExt, AsyncWriteOwned, Driver, File, IoBuf, Operation, TcpStream,
    enter,
};
use common::{
    Arena, NOW, Nop, Random, all_came_home, driven, driver, finish, full_listener, land, listener,
    or_leave_behind, pair, poll, settle, story, stuffed_pair,
};
use conformance::watch;
use futures::future::{FutureExt, LocalBoxFuture};
use io_uring::{opcode, squeue};
use nix::unistd::pipe;
use trace::OpKind;

/// An operation, and what must not go before it does.
struct Case {
    kind: &'static str,
    op: LocalBoxFuture<'static, ()>,
    buffers: usize,
    world: Box<dyn Any>,
}

type Make = fn(&Rc<Driver>, &Arena) -> Case;

fn case<T: 'static>(
    kind: &'static str,
    buffers: usize,
    op: impl Future<Output = T> + 'static,
    world: impl Any,
) -> Case {
    Case { kind, op: op.map(drop).boxed_local(), buffers, world: Box::new(world) }
}

/// Two ends of a pipe, as files on the ring. In the second case nothing more can be written to it.
fn pipe_on(driver: &Rc<Driver>, is_full: bool) -> (Rc<File>, Rc<File>) {
    let (reader, writer) = pipe().expect("descriptors are left");
    let file = |fd: OwnedFd| enter(driver, || Rc::new(File::from_std(fs::File::from(fd))));
    if is_full {
        let mut writer = fs::File::from(writer.try_clone().expect("descriptors are left"));
        // 64 KiB by default, in whole pages.
        let size = nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_GETPIPE_SZ);
        let size = size.expect("it is a pipe") as usize;
        writer.write_all(&vec![0; size]).expect("there is room");
    }
    (file(reader), file(writer))
}

fn ends(driver: &Rc<Driver>) -> (Rc<TcpStream>, net::TcpStream) {
    let (near, far) = pair(driver);
    (Rc::new(near), far)
}

/// Operations that stay with the kernel, because what they wait for does not come.
const THAT_FLY: [Make; 8] = [
    |driver, arena| {
        let (near, far) = ends(driver);
        case("recv", 1, near.start_recv(arena.room(8)), far)
    },
    |driver, arena| {
        let (near, far) = stuffed_pair(driver);
        case("send", 1, near.start_send(arena.bytes(&[7; 100_000])), far)
    },
    |driver, arena| {
        let ((near, far), room) = (ends(driver), [arena.room(8), arena.room(8)]);
        case("readv", 2, async move { near.read_vectored(room.into()).await }, far)
    },
    |driver, arena| {
        let ((near, far), bytes) = (stuffed_pair(driver), arena.bytes(&[7; 100_000]));
        case("writev", 1, async move { near.write_vectored(vec![bytes]).await }, far)
    },
    |driver, arena| {
        let ((reader, writer), room) = (pipe_on(driver, false), arena.room(8));
        case("read", 1, async move { reader.read_at(room, 0).await }, writer)
    },
    |driver, arena| {
        let ((reader, writer), bytes) = (pipe_on(driver, true), arena.bytes(b"hello"));
        case("write", 1, async move { writer.write_at(bytes, 0).await }, reader)
    },
    |driver, _| {
        let listener = listener(driver);
        case("accept", 0, listener.start_accept(), listener)
    },
    |_, _| {
        let (address, full) = full_listener();
        case("connect", 0, TcpStream::connect(address), full)
    },
];

/// Operations that the kernel completes at once.
const THAT_LAND: [Make; 9] = [
    |driver, arena| {
        let (near, mut far) = ends(driver);
        far.write_all(b"hello").expect("the connection is up");
        case("recv", 1, near.start_recv(arena.room(8)), far)
    },
    |driver, arena| {
        let (near, far) = ends(driver);
        case("send", 1, near.start_send(arena.bytes(b"hello")), far)
    },
    |driver, arena| {
        let ((near, mut far), room) = (ends(driver), [arena.room(2), arena.room(8)]);
        far.write_all(b"hello").expect("the connection is up");
        case("readv", 2, async move { near.read_vectored(room.into()).await }, far)
    },
    |driver, arena| {
        let ((near, far), bytes) = (ends(driver), arena.bytes(b"hello"));
        case("writev", 1, async move { near.write_vectored(vec![bytes]).await }, far)
    },
    |driver, arena| {
        let file = tempfile::tempfile().expect("there is room for a file");
        let file = enter(driver, || File::from_std(file));
        let room = arena.room(8);
        case("read", 1, async move { file.read_at(room, 0).await }, ())
    },
    |driver, arena| {
        let file = tempfile::tempfile().expect("there is room for a file");
        let file = enter(driver, || File::from_std(file));
        let bytes = arena.bytes(b"hello");
        case("write", 1, async move { file.write_at(bytes, 0).await }, ())
    },
    |driver, _| {
        let listener = listener(driver);
        let client = net::TcpStream::connect(listener.local_addr().expect("it is bound"));
        case("accept", 0, listener.start_accept(), (listener, client.expect("it listens")))
    },
    |driver, _| {
        let listener = listener(driver);
        let address = listener.local_addr().expect("it is bound");
        case("connect", 0, TcpStream::connect(address), listener)
    },
    |driver, _| {
        let (near, far) = pair(driver);
        case("close", 0, near.close(), far)
    },
];

/// Runs a test for each of these, with a driver of its own: the operation was polled once, and is the
/// first of its driver.
fn for_each(
    cases: &'static [Make],
    test: impl Fn(Case, &Rc<Driver>, &Arena) + Send + Copy + 'static,
) {
    for make in cases {
        driven(8, move |driver| {
            let arena = Arena::default();
            let mut case = make(driver, &arena);
            println!("This one is a {}.", case.kind);
            enter(driver, || assert!(poll(&mut case.op).is_pending()));
            assert_eq!((driver.in_flight(), arena.live()), (1, case.buffers));
            test(case, driver, &arena);
            assert_eq!((driver.in_flight(), arena.live()), (0, 0));
            arena.nobody_wrote_to_the_dead();
        });
    }
}

/// The steps of the one operation, where those of its buffer are there only if it has one.
fn steps(case_buffers: usize, steps: &str) -> String {
    let is_there = |step: &&str| case_buffers > 0 || !["lent", "home"].contains(step);
    steps.split(' ').filter(is_there).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_dropped_in_flight_keeps_its_buffer_until_its_completion() {
    for_each(&THAT_FLY, |case, driver, arena| {
        driver.wait(NOW).expect("the kernel takes it");
        assert_eq!(driver.counts().completions, 0, "it flies");
        drop(case.op);
        assert_eq!((driver.in_flight(), arena.live()), (1, case.buffers));
        settle(driver);
        assert_eq!(story(1), steps(case.buffers, "sqe lent cancel cqe-failed home"));
        assert_eq!(arena.live(), 0);
        drop(case.world);
    });
}

#[test]
fn what_is_dropped_before_it_was_submitted_keeps_its_buffer_until_its_completion() {
    for_each(&THAT_FLY, |case, driver, arena| {
        drop(case.op);
        assert_eq!((driver.in_flight(), arena.live()), (1, case.buffers));
        assert_eq!(driver.counts().enters, 0);
        settle(driver);
        assert_eq!(story(1), steps(case.buffers, "sqe lent cancel cqe-failed home"));
        drop(case.world);
    });
    for_each(&THAT_LAND, |case, driver, arena| {
        drop(case.op);
        assert_eq!((driver.in_flight(), arena.live()), (1, case.buffers));
        settle(driver);
        let end = story(1);
        let landed = steps(case.buffers, "sqe lent cancel cqe home");
        let cancelled = steps(case.buffers, "sqe lent cancel cqe-failed home");
        assert!(end == landed || end == cancelled, "{end}");
        drop(case.world);
    });
}

#[test]
fn what_is_dropped_after_it_has_landed_lets_its_buffer_go_at_once_and_is_not_cancelled() {
    for_each(&THAT_LAND, |mut case, driver, arena| {
        land(driver, &mut case.op);
        assert_eq!((driver.in_flight(), arena.live()), (1, case.buffers));
        drop(case.op);
        assert_eq!((driver.in_flight(), arena.live()), (0, 0));
        assert_eq!(story(1), steps(case.buffers, "sqe lent cqe home"));
        assert_eq!(driver.counts().submissions, 1, "nothing was cancelled");
        drop(case.world);
    });
}

#[test]
fn what_is_dropped_in_flight_comes_home_before_its_driver_goes() {
    for make in THAT_FLY {
        watch(move || {
            let Some(driver) = driver(8) else { return };
            let arena = Arena::default();
            let mut case = make(&driver, &arena);
            enter(&driver, || assert!(poll(&mut case.op).is_pending()));
            driver.wait(NOW).expect("the kernel takes it");
            or_leave_behind(&driver, || drop(case.op));
            assert_eq!((driver.in_flight(), arena.live()), (1, case.buffers));
            let gone = Rc::downgrade(&driver);
            drop(driver);
            drop(case.world);
            assert_eq!((gone.strong_count(), arena.live()), (0, 0), "{}", case.kind);
            arena.nobody_wrote_to_the_dead();
            all_came_home();
        });
    }
}

#[test]
fn a_receive_that_is_dropped_before_anything_came_takes_nothing() {
    driven(8, |driver| {
        let (near, mut far) = pair(driver);
        for dropped in [near.start_recv(vec![0; 8]), near.start_recv(vec![0; 8])] {
            driver.wait(NOW).expect("the kernel takes it");
            drop(dropped);
        }
        settle(driver);
        far.write_all(b"hello").expect("the connection is up");
        let (length, bytes) = finish(driver, near.start_recv(Vec::with_capacity(8)));
        assert_eq!((length.expect("nothing breaks"), &bytes[..]), (5, &b"hello"[..]));
    });
}

#[test]
fn what_was_received_for_a_future_that_is_dropped_then_is_lost() {
    driven(8, |driver| {
        let (near, mut far) = pair(driver);
        let mut recv = near.start_recv(vec![0; 8]);
        far.write_all(b"lost").expect("the connection is up");
        land(driver, &mut recv);
        drop(recv);
        far.write_all(b"kept").expect("the connection is up");
        let (length, bytes) = finish(driver, near.start_recv(Vec::with_capacity(8)));
        assert_eq!((length.expect("nothing breaks"), &bytes[..]), (4, &b"kept"[..]));
    });
}

#[test]
fn a_cancellation_that_comes_too_late_changes_nothing() {
    driven(8, |driver| {
        let arena = Arena::default();
        let (near, mut far) = pair(driver);
        let recv = near.start_recv(arena.room(8));
        driver.wait(NOW).expect("the kernel takes it");
        // The kernel can complete it now, and the driver does not look.
        far.write_all(b"hello").expect("the connection is up");
        drop(recv);
        assert_eq!(arena.live(), 1);
        settle(driver);
        assert_eq!(arena.live(), 0);
        far.write_all(b"world").expect("the connection is up");
        let (_, bytes) = finish(driver, near.start_recv(Vec::with_capacity(16)));
        // Either the receive was first, and what it got is lost, or the cancellation was.
        let left: &[u8] = match story(1).as_str() {
            "sqe lent cancel cqe home" => b"world",
            "sqe lent cancel cqe-failed home" => b"helloworld",
            other => panic!("{other}"),
        };
        assert_eq!(bytes, left);
        arena.nobody_wrote_to_the_dead();
    });
}

#[test]
fn only_the_operation_whose_future_was_dropped_is_cancelled() {
    driven(64, |driver| {
        let arena = Arena::default();
        let (near, mut far) = pair(driver);
        let mut recvs: Vec<_> = (0..20).map(|_| near.start_recv(arena.room(1))).collect();
        driver.wait(NOW).expect("the kernel takes them");
        let mut random = Random(7);
        while recvs.len() > 10 {
            drop(recvs.swap_remove(random.below(recvs.len() as u64) as usize));
        }
        while arena.live() > 10 {
            driver.wait(None).expect("the kernel waits");
        }
        far.write_all(b"0123456789").expect("the connection is up");
        let mut bytes = Vec::new();
        for recv in recvs {
            let (length, byte) = finish(driver, recv);
            assert_eq!(length.expect("it was not cancelled"), 1);
            bytes.extend(byte.to_vec());
        }
        bytes.sort_unstable();
        assert_eq!(bytes, b"0123456789");
    });
}

#[test]
fn an_accept_that_is_dropped_before_anybody_came_takes_nobody() {
    driven(8, |driver| {
        let listener = listener(driver);
        let dropped = listener.start_accept();
        driver.wait(NOW).expect("the kernel takes it");
        drop(dropped);
        settle(driver);
        let client = net::TcpStream::connect(listener.local_addr().expect("it is bound"));
        let client = client.expect("it listens");
        let (_, peer) = finish(driver, listener.start_accept()).expect("somebody has connected");
        assert_eq!(peer, client.local_addr().expect("it is connected"));
    });
}

#[test]
fn a_connection_that_was_accepted_for_nobody_is_closed() {
    driven(8, |driver| {
        let listener = listener(driver);
        let address = listener.local_addr().expect("it is bound");
        let connect = || {
            let client = net::TcpStream::connect(address).expect("it listens");
            // A connection that nobody closes is not waited for much longer than it takes to see that.
            client.set_read_timeout(Some(Duration::from_secs(2))).expect("it is no zero");
            client
        };
        // Completed, and looked at by the driver.
        let mut landed = listener.start_accept();
        let mut first = connect();
        land(driver, &mut landed);
        drop(landed);
        assert_eq!(first.read(&mut [0; 8]).expect("it is closed in good order"), 0);

        // Completed, and not looked at when the future is dropped.
        let flying = listener.start_accept();
        driver.wait(NOW).expect("the kernel takes it");
        let mut second = connect();
        drop(flying);
        settle(driver);
        if story(2) == "sqe cancel cqe" {
            assert_eq!(second.read(&mut [0; 8]).expect("it is closed in good order"), 0);
        } else {
            assert_eq!(story(2), "sqe cancel cqe-failed");
        }
    });
}

/// Does nothing, and makes something that counts.
#[derive(Clone, Default)]
struct Counting {
    made: Rc<Cell<usize>>,
    dropped: Rc<Cell<usize>>,
}

struct Made(Counting);

impl Drop for Made {
    fn drop(&mut self) {
        self.0.dropped.update(|dropped| dropped + 1);
    }
}

// SAFETY: the entry points to nothing.
unsafe impl Operation for Counting {
    const KIND: OpKind = OpKind::Nop;
    type Output = Made;

    fn entry(&mut self) -> squeue::Entry {
        opcode::Nop::new().build()
    }

    fn complete(self, _: io::Result<u32>) -> Made {
        self.made.update(|made| made + 1);
        Made(self)
    }
}

#[test]
fn an_output_that_nobody_waits_for_is_made_and_dropped() {
    driven(8, |driver| {
        let counting = Counting::default();
        let so_far = || (counting.made.get(), counting.dropped.get());
        // Not when the future goes, but when the kernel has let go.
        drop(driver.submit(counting.clone()));
        assert_eq!(so_far(), (0, 0));
        settle(driver);
        assert_eq!(so_far(), (1, 1));

        let mut landed = driver.submit(counting.clone());
        land(driver, &mut landed);
        assert_eq!(so_far(), (1, 1));
        drop(landed);
        assert_eq!(so_far(), (2, 2));

        let taken = finish(driver, driver.submit(counting.clone()));
        assert_eq!(so_far(), (3, 2), "this one is ours");
        drop(taken);
        assert_eq!(so_far(), (3, 3));
    });
}

#[test]
fn a_connect_that_is_dropped_gives_its_socket_back() {
    driven(8, |driver| {
        let listener = net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let mut connect = TcpStream::connect(address).boxed_local();
        enter(driver, || assert!(poll(&mut connect).is_pending()));
        driver.wait(NOW).expect("the kernel takes it");
        let (mut accepted, _) = listener.accept().expect("somebody has connected");
        drop(connect);
        settle(driver);
        // Which end it is depends on who was first, but an end it is.
        let mut bytes = Vec::new();
        let ended = accepted.read_to_end(&mut bytes);
        assert!(ended.is_ok() || ended.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
        assert!(bytes.is_empty());
    });
}

#[test]
fn a_close_whose_future_is_dropped_closes_nevertheless() {
    driven(8, |driver| {
        for is_polled in [false, true] {
            for is_submitted in [false, true] {
                let (near, mut far) = pair(driver);
                let mut close = near.close().boxed_local();
                if is_polled {
                    assert!(poll(&mut close).is_pending());
                }
                if is_submitted {
                    driver.wait(NOW).expect("the kernel takes it");
                }
                drop(close);
                settle(driver);
                assert_eq!(far.read(&mut [0; 8]).expect("it is closed in good order"), 0);
            }
        }
    });
}

#[test]
fn a_descriptor_stays_open_while_an_operation_works_on_it() {
    driven(8, |driver| {
        let (near, mut far) = pair(driver);
        far.set_nonblocking(true).expect("a socket can be non-blocking");
        let recv = near.start_recv(vec![0; 8]);
        let mut close = near.close().boxed_local();
        let Some(closed) = (&mut close).now_or_never() else { panic!("it waits for nothing") };
        closed.expect("it is closed later");
        for _ in 0..10 {
            finish(driver, driver.submit(Nop)).expect("it does nothing");
        }
        let open = far.read(&mut [0; 8]).expect_err("the operation has a share in it");
        assert_eq!(open.kind(), ErrorKind::WouldBlock);
        drop(recv);
        settle(driver);
        far.set_nonblocking(false).expect("a socket can be blocking");
        assert_eq!(far.read(&mut [0; 8]).expect("it is closed in good order"), 0);
    });
}

#[test]
fn a_detached_operation_goes_on_and_its_buffer_stays_until_its_completion() {
    driven(8, |driver| {
        let arena = Arena::default();
        let (near, mut far) = pair(driver);
        near.start_send(arena.bytes(b"hello")).detach();
        near.start_recv(arena.room(8)).detach();
        assert_eq!((driver.in_flight(), arena.live()), (2, 2));
        while arena.live() > 1 {
            driver.wait(None).expect("the kernel waits");
        }
        let mut bytes = [0; 5];
        far.read_exact(&mut bytes).expect("it was sent");
        assert_eq!(&bytes, b"hello");
        for _ in 0..10 {
            finish(driver, driver.submit(Nop)).expect("it does nothing");
        }
        assert_eq!((driver.in_flight(), arena.live()), (1, 1), "nothing was cancelled");
        far.write_all(b"x").expect("the connection is up");
        settle(driver);
        assert_eq!(arena.live(), 0);
        assert_eq!(
            (story(1).as_str(), story(2).as_str()),
            ("sqe lent cqe home", "sqe lent cqe home")
        );

        let mut landed = near.start_send(arena.bytes(b"world"));
        land(driver, &mut landed);
        landed.detach();
        assert_eq!((driver.in_flight(), arena.live()), (0, 0));
    });
}

#[test]
fn a_thousand_operations_that_are_dropped_in_a_queue_of_four_come_home() {
    driven(4, |driver| {
        let arena = Arena::default();
        let (near, mut far) = pair(driver);
        let mut recvs: Vec<_> = (0..1000).map(|_| near.start_recv(arena.room(4))).collect();
        let mut random = Random(3);
        while !recvs.is_empty() {
            let chosen = random.below(recvs.len() as u64) as usize;
            drop(recvs.swap_remove(chosen));
            if random.below(10) == 0 {
                far.write_all(b"hello").expect("the connection is up");
            }
        }
        settle(driver);
        assert_eq!((arena.live(), arena.dropped()), (0, 1000));
        arena.nobody_wrote_to_the_dead();
    });
}

#[test]
fn a_driver_that_is_dropped_with_a_thousand_abandoned_operations_waits_for_each_of_them() {
    watch(|| {
        let Some(driver) = driver(16) else { return };
        let arena = Arena::default();
        let (near, mut far) = pair(&driver);
        let recvs: Vec<_> = (0..1000).map(|_| near.start_recv(arena.room(4))).collect();
        driver.wait(NOW).expect("the kernel takes them");
        far.write_all(&[7; 100]).expect("the connection is up");
        or_leave_behind(&driver, || drop((recvs, near)));
        assert_eq!((driver.in_flight(), arena.live()), (1000, 1000));
        drop(driver);
        assert_eq!((arena.live(), arena.dropped()), (0, 1000));
        arena.nobody_wrote_to_the_dead();
        all_came_home();
    });
}

#[test]
fn a_driver_that_is_dropped_cancels_what_was_detached() {
    watch(|| {
        let Some(driver) = driver(8) else { return };
        let arena = Arena::default();
        let (near, far) = pair(&driver);
        or_leave_behind(&driver, || {
            near.start_recv(arena.room(8)).detach();
            listener(&driver).start_accept().detach();
        });
        drop(near);
        drop(driver);
        assert_eq!(arena.live(), 0);
        drop(far);
        all_came_home();
    });
}

#[test]
fn a_buffer_that_panics_when_it_is_dropped_does_not_free_the_buffers_of_others() {
    watch(|| {
        let Some(driver) = driver(64) else { return };
        let arena = Arena::default();
        let (near, mut far) = pair(&driver);
        let bomb = arena.room(4).on_drop(|| panic!("as it should"));
        let mut recvs = vec![near.start_recv(bomb)];
        recvs.extend((0..20).map(|_| near.start_recv(arena.room(4))));
        driver.wait(NOW).expect("the kernel takes them");
        or_leave_behind(&driver, || drop((recvs, near)));
        assert_eq!(arena.live(), 21);
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(driver)));
        dropped.expect_err("the panic is not swallowed");
        // The driver could not wait for the others: these are leaked.
        assert_eq!(arena.live(), 20);
        let _ = far.write_all(&[7; 100]);
        arena.nobody_wrote_to_the_dead();
    });
}

#[test]
fn a_buffer_that_panics_when_it_is_dropped_leaves_the_driver_usable() {
    driven(8, |driver| {
        let arena = Arena::default();
        let (near, mut far) = pair(driver);
        let mut bomb = near.start_recv(arena.room(4).on_drop(|| panic!("as it should")));
        assert!(poll(&mut bomb).is_pending());
        let recv = near.start_recv(arena.room(4));
        driver.wait(NOW).expect("the kernel takes them");
        drop(bomb);
        let panicked = catch_unwind(AssertUnwindSafe(|| settle(driver)));
        panicked.expect_err("the panic is not swallowed");
        far.write_all(b"x").expect("the connection is up");
        let (length, _) = finish(driver, recv);
        assert_eq!(length.expect("nothing breaks"), 1);
        settle(driver);
    });
}

#[test]
fn a_slice_that_is_dropped_in_flight_keeps_the_whole_buffer() {
    driven(8, |driver| {
        let arena = Arena::default();
        let (near, mut far) = pair(driver);
        let recv = near.start_recv(arena.bytes(b"abcdef").slice(2..4));
        driver.wait(NOW).expect("the kernel takes it");
        drop(recv);
        assert_eq!(arena.live(), 1);
        settle(driver);
        far.write_all(b"late").expect("the connection is up");
        assert_eq!(arena.live(), 0);
        arena.nobody_wrote_to_the_dead();
    });
}

#[test]
fn a_read_of_many_parts_that_is_dropped_between_two_of_them_lets_its_buffer_go() {
    driven(8, |driver| {
        let arena = Arena::default();
        let (near, mut far) = pair(driver);
        let room = arena.room(8);
        let mut read = async { near.read_exact(room).await }.boxed_local();
        far.write_all(b"half").expect("the connection is up");
        land(driver, &mut read);
        assert!(poll(&mut read).is_pending());
        drop(read);
        assert_eq!((driver.in_flight(), arena.live()), (1, 1));
        settle(driver);
        assert_eq!(arena.live(), 0);
        assert_eq!(story(2), "sqe lent cancel cqe-failed home");
    });
}
