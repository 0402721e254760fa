//! The driver: what is submitted when, who is woken, and that nothing is lost.

mod common;

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use ch13_completion::{
    AsyncReadOwned, Counts, Driver, File, IoBuf, IoBufMut, Op, Operation, TcpStream, block_on,
    current, enter, try_current,
};
use common::{
    Arena, NOW, Nop, Random, Woken, both_ends, driven, driver, finish, land, listener, on_wake,
    on_waker_drop, or_leave_behind, pair, pattern, poll, poll_with, run, settle,
};
use conformance::{panic_text, watch, yield_now};
use futures::StreamExt;
use futures::future::{LocalBoxFuture, join};
use futures::stream::FuturesUnordered;
use io_uring::types::Fd;
use io_uring::{opcode, squeue};
use nix::libc::{self, POLLIN};
use nix::sys::eventfd::EventFd;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use tempfile::NamedTempFile;
use trace::OpKind;

#[test]
fn the_kernel_sees_nothing_before_the_wait() {
    driven(64, |driver| {
        let (near, mut far) = pair(driver);
        far.set_nonblocking(true).expect("a socket can be non-blocking");
        let mut sends: Vec<_> = (0..10).map(|_| near.start_send(b"x")).collect();
        assert!(sends.iter_mut().all(|send| poll(send).is_pending()));
        assert_eq!(driver.counts(), Counts { enters: 0, submissions: 10, completions: 0 });
        assert_eq!(driver.in_flight(), 10);
        let nothing = far.read(&mut [0]).expect_err("nothing was sent");
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);

        driver.wait(None).expect("the kernel waits");
        assert_eq!(driver.counts(), Counts { enters: 1, submissions: 10, completions: 10 });
        far.set_nonblocking(false).expect("a socket can be blocking");
        far.read_exact(&mut [0; 10]).expect("ten bytes were sent");
        assert!(sends.iter_mut().all(|send| poll(send).is_ready()));
        assert_eq!(driver.in_flight(), 0);
    });
}

#[test]
fn a_hundred_sends_take_one_system_call() {
    driven(128, |driver| {
        let (near, mut far) = pair(driver);
        let sends: Vec<_> = (0..100).map(|_| near.start_send(b"hello")).collect();
        driver.wait(None).expect("the kernel waits");
        assert_eq!(driver.counts().enters, 1);
        far.read_exact(&mut [0; 500]).expect("all was sent");
        for mut send in sends {
            let Poll::Ready((sent, _)) = poll(&mut send) else { panic!("it was sent") };
            assert_eq!(sent.expect("nothing breaks"), 5);
        }
    });
}

#[test]
fn a_full_queue_is_submitted_and_takes_more() {
    driven(4, |driver| {
        let nops: Vec<_> = (0..100).map(|_| driver.submit(Nop)).collect();
        let counts = Counts { enters: 24, submissions: 100, completions: 0 };
        assert_eq!(driver.counts(), counts, "each time that four are in the queue");
        for nop in nops {
            assert_eq!(finish(driver, nop).expect("it does nothing"), 0);
        }
        assert_eq!(driver.counts().completions, 100);
    });
}

/// What is waited for, and the number that it gives if all went well.
type Numbered = LocalBoxFuture<'static, io::Result<usize>>;

#[test]
fn a_thousand_operations_of_six_kinds_go_through_queues_of_four_and_eight_and_none_is_lost() {
    driven(4, |driver| {
        let mut file = NamedTempFile::new().expect("there is room for a file");
        file.write_all(&pattern(200)).expect("there is room in the file");
        let listener = Rc::new(listener(driver));
        let address = listener.local_addr().expect("it is bound");
        let file = enter(driver, || Rc::new(File::open(file.path()).expect("it is there")));
        let mut ends: Vec<_> = (0..10).map(|_| pair(driver)).collect();
        let mut futures: Vec<Numbered> = Vec::new();
        for number in 0..300 {
            let recv = ends[number % 10].0.start_recv(Vec::with_capacity(1));
            futures.push(Box::pin(async move {
                let (length, bytes) = recv.await;
                assert_eq!((length?, &bytes[..]), (1, &b"x"[..]));
                Ok(number)
            }));
        }
        for number in 300..400 {
            let listener = listener.clone();
            futures.push(Box::pin(async move {
                listener.accept().await?;
                Ok(number)
            }));
        }
        for number in 400..500 {
            futures.push(Box::pin(async move {
                TcpStream::connect(address).await?;
                Ok(number)
            }));
        }
        for number in 500..600 {
            let file = file.clone();
            futures.push(Box::pin(async move {
                let offset = number - 500;
                let (length, bytes) = file.read_at(Vec::with_capacity(3), offset as u64).await;
                assert_eq!((length?, &bytes[..]), (3, &pattern(200)[offset..offset + 3]));
                Ok(number)
            }));
        }
        for number in 600..900 {
            // The other ends get them, and these send nothing.
            let send = ends[number % 10].0.start_send(b"y");
            futures.push(Box::pin(async move {
                let (length, _) = send.await;
                assert_eq!(length?, 1);
                Ok(number)
            }));
        }
        for number in 900..1000 {
            let nop = driver.submit(Nop);
            futures.push(Box::pin(async move {
                nop.await?;
                Ok(number)
            }));
        }
        enter(driver, || assert!(futures.iter_mut().all(|future| poll(future).is_pending())));
        assert_eq!(driver.in_flight(), 1000);

        for (_, far) in &mut ends {
            far.write_all(&[b'x'; 30]).expect("the connection is up");
        }
        let all: FuturesUnordered<Numbered> = futures.into_iter().collect();
        let results: Vec<_> = block_on(driver, all.collect());
        let mut numbers: Vec<usize> =
            results.into_iter().map(|number| number.expect("nothing breaks")).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
        for (_, mut far) in ends {
            far.read_exact(&mut [0; 30]).expect("all was sent");
        }
        let counts = driver.counts();
        assert_eq!((counts.submissions, counts.completions), (1000, 1000));
    });
}

#[test]
fn completions_that_the_queue_has_no_room_for_come_later() {
    driven(4, |driver| {
        let mut ends: Vec<_> = (0..10).map(|_| pair(driver)).collect();
        let room = || Vec::with_capacity(1);
        let recvs: Vec<_> =
            (0..1000).map(|number| ends[number % 10].0.start_recv(room())).collect();
        driver.wait(NOW).expect("the kernel takes them");
        // All can be completed now, and nobody takes the completions out.
        for (_, far) in &mut ends {
            far.write_all(&[b'x'; 100]).expect("the connection is up");
        }
        for recv in recvs {
            let (length, bytes) = finish(driver, recv);
            assert_eq!((length.expect("nothing breaks"), &bytes[..]), (1, &b"x"[..]));
        }
        assert_eq!(driver.counts().completions, 1000);
    });
}

#[test]
fn submitting_wakes_nobody() {
    driven(4, |driver| {
        let woken = Woken::default();
        let mut first = driver.submit(Nop);
        assert!(poll_with(&mut first, &woken.waker()).is_pending());
        // There is room for four. So the first ones are completed meanwhile.
        let others: Vec<_> = (0..10).map(|_| driver.submit(Nop)).collect();
        assert_eq!((woken.times(), driver.counts().completions), (0, 0));
        driver.wait(NOW).expect("the kernel has a look");
        assert_eq!(woken.times(), 1);
        assert!(poll(&mut first).is_ready());
        for nop in others {
            finish(driver, nop).expect("it does nothing");
        }
    });
}

#[test]
fn completions_that_had_to_make_room_are_not_slept_over() {
    driven(4, |driver| {
        let nops: Vec<_> = (0..4).map(|_| driver.submit(Nop)).collect();
        // There is no room for this one, so the others are submitted, and completed. It waits for ever.
        let listener = listener(driver);
        let accept = listener.start_accept();
        driver.wait(None).expect("the kernel has a look");
        for mut nop in nops {
            assert!(poll(&mut nop).is_ready());
        }
        drop(accept);
    });
}

#[test]
fn the_last_waker_is_woken_and_no_other() {
    driven(8, |driver| {
        let (near, mut far) = pair(driver);
        let (first, last) = (Woken::default(), Woken::default());
        let mut recv = near.start_recv(vec![0; 8]);
        assert!(poll_with(&mut recv, &first.waker()).is_pending());
        assert_eq!((first.kept(), last.kept()), (1, 0));
        assert!(poll_with(&mut recv, &last.waker()).is_pending());
        assert_eq!((first.kept(), last.kept()), (0, 1));

        far.write_all(b"hello").expect("the connection is up");
        while last.times() == 0 {
            driver.wait(None).expect("the kernel waits");
        }
        assert_eq!((first.times(), last.times()), (0, 1));
        assert_eq!(last.kept(), 0, "who was woken is not kept");
        assert!(poll(&mut recv).is_ready());
    });
}

#[test]
fn an_operation_that_nobody_has_polled_lands_and_keeps_its_result() {
    driven(8, |driver| {
        let (near, mut far) = pair(driver);
        let mut send = near.start_send(b"hello");
        driver.wait(None).expect("the kernel waits");
        far.read_exact(&mut [0; 5]).expect("it was sent");
        assert_eq!(driver.in_flight(), 1, "its result waits");
        let Poll::Ready((sent, _)) = poll(&mut send) else { panic!("it has landed") };
        assert_eq!(sent.expect("nothing breaks"), 5);
        assert_eq!(driver.in_flight(), 0);
    });
}

/// Submits an operation whose waker submits the next one.
fn chain(driver: &Rc<Driver>, ops: &Rc<RefCell<Vec<Op<Nop>>>>, left: usize) {
    let mut op = driver.submit(Nop);
    let next = (driver.clone(), ops.clone());
    let waker = on_wake(move || {
        if left > 1 {
            chain(&next.0, &next.1, left - 1);
        }
    });
    assert!(poll_with(&mut op, &waker).is_pending());
    ops.borrow_mut().push(op);
}

#[test]
fn a_waker_may_submit_while_it_is_woken() {
    driven(4, |driver| {
        let ops = Rc::new(RefCell::new(Vec::new()));
        chain(driver, &ops, 100);
        while driver.counts().completions < 100 {
            driver.wait(None).expect("the kernel waits");
        }
        let ops = ops.take();
        assert_eq!(ops.len(), 100);
        for mut op in ops {
            assert!(poll(&mut op).is_ready());
        }
    });
}

#[test]
fn a_waker_may_drop_other_operations_and_its_own_while_it_is_woken() {
    driven(64, |driver| {
        let arena = Arena::default();
        let (near, mut far) = pair(driver);
        let all = Rc::new(RefCell::new(Vec::new()));
        let dropped = all.clone();
        // Nothing borrowed: the drops are code of others, too.
        let waker = on_wake(move || drop(dropped.take()));
        let mut recvs: Vec<_> = (0..10).map(|_| near.start_recv(arena.room(8))).collect();
        assert!(recvs.iter_mut().all(|recv| poll_with(recv, &waker).is_pending()));
        all.replace(recvs);
        driver.wait(NOW).expect("the kernel takes them");
        far.write_all(b"hello").expect("the connection is up");
        settle(driver);
        assert_eq!((all.borrow().len(), arena.live(), arena.dropped()), (0, 0, 10));
        arena.nobody_wrote_to_the_dead();
    });
}

#[test]
fn a_waker_that_panics_leaves_the_driver_usable() {
    driven(8, |driver| {
        let mut nops: Vec<_> = (0..3).map(|_| driver.submit(Nop)).collect();
        assert!(poll_with(&mut nops[0], &on_wake(|| panic!("as it should"))).is_pending());
        let woken = Woken::default();
        assert!(poll_with(&mut nops[2], &woken.waker()).is_pending());
        let text = panic_text(|| driver.wait(None).expect("the kernel waits"));
        assert_eq!(text, "as it should");
        while woken.times() == 0 {
            driver.wait(None).expect("the kernel waits");
        }
        assert!(nops.iter_mut().all(|nop| poll(nop).is_ready()));
        finish(driver, driver.submit(Nop)).expect("it does nothing");
    });
}

/// Operations of a waker that submits one more when it is dropped.
type Submitted = Rc<RefCell<Vec<Op<Nop>>>>;

fn submits_when_it_is_dropped(driver: &Rc<Driver>, submitted: &Submitted) -> Waker {
    let (driver, submitted) = (driver.clone(), submitted.clone());
    on_waker_drop(move || {
        let op = driver.submit(Nop);
        submitted.borrow_mut().push(op);
    })
}

#[test]
fn a_waker_that_is_replaced_may_use_the_driver_when_it_is_dropped() {
    driven(8, |driver| {
        let submitted = Submitted::default();
        let (near, mut far) = pair(driver);
        let mut recv = near.start_recv(vec![0; 8]);
        assert!(poll_with(&mut recv, &submits_when_it_is_dropped(driver, &submitted)).is_pending());
        assert_eq!(submitted.borrow().len(), 0, "the operation has kept it");
        assert!(poll(&mut recv).is_pending());
        assert_eq!(submitted.borrow().len(), 1);
        far.write_all(b"x").expect("the connection is up");
        assert_eq!(finish(driver, recv).0.expect("the connection is up"), 1);
        for op in submitted.take() {
            finish(driver, op).expect("it does nothing");
        }
    });
}

#[test]
fn a_waker_that_goes_with_its_operation_may_use_the_driver_when_it_is_dropped() {
    driven(8, |driver| {
        let submitted = Submitted::default();
        let (near, _far) = pair(driver);
        let mut recv = near.start_recv(vec![0; 8]);
        assert!(poll_with(&mut recv, &submits_when_it_is_dropped(driver, &submitted)).is_pending());
        drop(recv);
        assert_eq!(submitted.borrow().len(), 1);
        for op in submitted.take() {
            finish(driver, op).expect("it does nothing");
        }
        settle(driver);
    });
}

#[test]
fn an_operation_that_is_polled_after_it_was_ready_panics_with_a_sentence() {
    driven(8, |driver| {
        let mut nop = driver.submit(Nop);
        assert_eq!(finish(driver, &mut nop).expect("it does nothing"), 0);
        let text = panic_text(|| drop(poll(&mut nop)));
        assert_eq!(text, "an operation was polled after it was ready");
    });
}

#[test]
fn a_wait_ends_with_its_timeout() {
    driven(8, |driver| {
        let listener = listener(driver);
        let mut accept = listener.start_accept();
        for timeout in [Duration::from_millis(20), Duration::from_nanos(1)] {
            let start = Instant::now();
            driver.wait(Some(timeout)).expect("the kernel waits");
            assert!(start.elapsed() >= timeout, "{timeout:?}");
        }
        driver.wait(NOW).expect("the kernel has a look");
        assert!(poll(&mut accept).is_pending());
    });
}

#[test]
fn a_wait_with_a_very_long_timeout_ends_with_a_completion_and_not_before() {
    driven(8, |driver| {
        let listener = listener(driver);
        let address = listener.local_addr().expect("it is bound");
        let (_near, idle) = pair(driver);
        for seconds in [1 << 32, 1 << 40, i64::MAX as u64 - 1, i64::MAX as u64, u64::MAX] {
            let mut accept = listener.start_accept();
            let mut idle = idle.try_clone().expect("a descriptor is left");
            let client = thread::spawn(move || {
                // As long as this takes, there is time for a wait to end too early.
                for _ in 0..1000 {
                    idle.set_nonblocking(true)?;
                    let _ = idle.read(&mut [0]);
                }
                std::net::TcpStream::connect(address)
            });
            let enters = driver.counts().enters;
            driver.wait(Some(Duration::new(seconds, 999_999_999))).expect("the kernel waits");
            assert!(poll(&mut accept).is_ready(), "{seconds} seconds");
            assert_eq!(driver.counts().enters, enters + 1);
            client.join().expect("it does not panic").expect("it listens");
        }
    });
}

#[test]
fn a_wait_that_does_not_sleep_finds_what_was_completed() {
    driven(8, |driver| {
        let (near, mut far) = pair(driver);
        let mut send = near.start_send(b"x");
        driver.wait(NOW).expect("the kernel takes it");
        far.read_exact(&mut [0]).expect("it was sent");
        assert!(poll(&mut send).is_ready());
    });
}

#[test]
fn a_signal_ends_a_wait_without_an_error() {
    driven(8, |driver| {
        extern "C" fn nothing(_: libc::c_int) {}
        let action =
            SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler does nothing, and no other test uses this signal.
        unsafe { sigaction(Signal::SIGUSR1, &action) }.expect("it can be handled");
        let listener = listener(driver);
        let accept = listener.start_accept();
        // A call that has submitted something says so, and nothing of signals.
        driver.wait(NOW).expect("the kernel takes it");
        // SAFETY: always possible.
        let waiting = unsafe { libc::pthread_self() };
        let ended = Arc::new(AtomicBool::new(false));
        let is_ended = ended.clone();
        let sender = thread::spawn(move || {
            // Again and again, because the first ones may come before the wait.
            while !is_ended.load(Ordering::Relaxed) {
                // SAFETY: the thread waits for this one before it ends.
                unsafe { libc::pthread_kill(waiting, libc::SIGUSR1) };
                thread::yield_now();
            }
        });
        let waited = driver.wait(None);
        ended.store(true, Ordering::Relaxed);
        sender.join().expect("it does not panic");
        waited.expect("a signal is no error");
        assert_eq!(driver.counts().completions, 0);
        drop(accept);
    });
}

#[test]
fn results_go_to_their_own_operations_though_places_are_used_again() {
    driven(8, |driver| {
        let mut file = NamedTempFile::new().expect("there is room for a file");
        let bytes = pattern(4096);
        file.write_all(&bytes).expect("there is room in the file");
        let file = Rc::new(enter(driver, || File::open(file.path()).expect("it is there")));
        let mut random = Random(1);
        let mut reads = Vec::new();
        for _ in 0..2000 {
            let offset = random.below(4000);
            let own = file.clone();
            let read = async move { own.read_at(Vec::with_capacity(16), offset).await };
            let mut read: LocalBoxFuture<_> = Box::pin(read);
            assert!(poll(&mut read).is_pending());
            reads.push((offset as usize, read));
            // A third are dropped, and their places are free as soon as the kernel has let go.
            let chosen = random.below(reads.len() as u64) as usize;
            match random.below(3) {
                0 => drop(reads.swap_remove(chosen)),
                1 => {
                    let (offset, read) = reads.swap_remove(chosen);
                    let (length, read) = finish(driver, read);
                    assert_eq!(length.expect("the file is there"), 16);
                    assert_eq!(read, bytes[offset..offset + 16]);
                }
                _ => driver.wait(NOW).expect("the kernel has a look"),
            }
        }
        drop(reads);
        settle(driver);
    });
}

/// Ready again and again, whenever the descriptor can be read.
struct Watching(Rc<EventFd>);

// SAFETY: the entry points to nothing, and the operation shares in the descriptor.
unsafe impl Operation for Watching {
    const KIND: OpKind = OpKind::Poll;
    type Output = io::Result<u32>;

    fn entry(&mut self) -> squeue::Entry {
        opcode::PollAdd::new(Fd(self.0.as_raw_fd()), POLLIN as u32).multi(true).build()
    }

    fn complete(self, result: io::Result<u32>) -> io::Result<u32> {
        result
    }
}

#[test]
fn an_operation_with_many_completions_wakes_for_each_and_stays_until_the_last() {
    driven(8, |driver| {
        let event = Rc::new(EventFd::new().expect("a descriptor is left"));
        let mut watching = driver.submit(Watching(event.clone()));
        for _ in 0..3 {
            let woken = Woken::default();
            assert!(poll_with(&mut watching, &woken.waker()).is_pending());
            driver.wait(NOW).expect("the kernel takes it");
            assert_eq!((woken.times(), driver.in_flight()), (0, 1));
            event.write(1).expect("it counts up");
            while woken.times() == 0 {
                driver.wait(None).expect("the kernel waits");
            }
            assert_eq!((woken.times(), driver.in_flight()), (1, 1));
            event.read().expect("it counts down");
        }
        drop(watching);
        event.write(1).expect("it counts up");
        settle(driver);
        assert_eq!(Rc::strong_count(&event), 1, "the operation has let go of it");
    });
}

#[test]
fn the_driver_goes_with_the_last_who_holds_it() {
    watch(|| {
        let Some(driver) = driver(8) else { return };
        let arena = Arena::default();
        let weak = Rc::downgrade(&driver);
        let (near, far) = pair(&driver);
        or_leave_behind(&driver, || {
            drop(near.start_recv(arena.room(8)));
            settle(&driver);
        });
        let recv = near.start_recv(arena.room(8));
        drop(driver);
        drop(near);
        assert_eq!((weak.strong_count(), arena.live()), (1, 1));
        // It flies still. It is cancelled, and its driver waits for the end of that.
        drop(recv);
        assert_eq!((weak.strong_count(), arena.live()), (0, 0));
        arena.nobody_wrote_to_the_dead();
        drop(far);
        common::all_came_home();
    });
}

#[test]
fn a_forgotten_operation_does_no_harm() {
    watch(|| {
        let Some(driver) = driver(8) else { return };
        let arena = Arena::default();
        let (near, mut far) = pair(&driver);
        mem::forget(near.start_recv(arena.room(8)));
        far.write_all(b"hello").expect("the connection is up");
        while driver.counts().completions == 0 {
            driver.wait(None).expect("the kernel waits");
        }
        // It has landed, and nobody will ever look.
        assert_eq!((driver.in_flight(), arena.live()), (1, 1));
        let (sent, _) = finish(&driver, near.start_send(b"x"));
        assert_eq!(sent.expect("the others go on"), 1);
        let weak = Rc::downgrade(&driver);
        drop((near, driver));
        assert_eq!((weak.strong_count(), arena.live()), (1, 1), "it holds the driver for ever");
    });
}

#[test]
fn two_drivers_on_one_thread_do_not_meet() {
    watch(|| {
        let (Some(one), Some(other)) = (driver(8), driver(8)) else { return };
        let (near, mut far) = pair(&one);
        let mut recv = near.start_recv(vec![0; 8]);
        let mut nop = other.submit(Nop);
        assert!(poll(&mut recv).is_pending());
        other.wait(None).expect("the kernel waits");
        assert!(poll(&mut nop).is_ready());
        assert_eq!((one.in_flight(), other.in_flight()), (1, 0));
        far.write_all(b"hello").expect("the connection is up");
        let (length, _) = finish(&one, recv);
        assert_eq!(length.expect("nothing breaks"), 5);
        assert_eq!(other.counts().completions, 1);
    });
}

#[test]
fn a_ring_of_an_impossible_size_is_an_error_with_a_sentence() {
    watch(|| {
        if driver(1).is_none() {
            return;
        }
        for entries in [0, 32_769, u32::MAX] {
            let error = Driver::new(entries).expect_err("there is no such ring");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("1 to 32,768 entries"), "{error}");
        }
        // Others are rounded up.
        for entries in [1, 3] {
            let driver = Driver::new(entries).expect("there is such a ring");
            assert_eq!(driver.parameters().sq_entries(), entries.next_power_of_two());
        }
    });
}

/// A buffer that cannot be lent.
struct Fickle;

// SAFETY: no bytes are promised.
unsafe impl IoBuf for Fickle {
    fn as_ptr(&self) -> *const u8 {
        panic!("not today")
    }

    fn bytes_init(&self) -> usize {
        0
    }
}

// SAFETY: no room is promised.
unsafe impl IoBufMut for Fickle {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        panic!("not today")
    }

    fn bytes_total(&self) -> usize {
        0
    }

    unsafe fn set_init(&mut self, _: usize) {}
}

#[test]
fn a_buffer_that_panics_when_it_is_lent_leaves_nothing_in_flight() {
    driven(8, |driver| {
        let (near, _far) = pair(driver);
        assert_eq!(panic_text(|| drop(near.start_recv(Fickle))), "not today");
        assert_eq!(panic_text(|| drop(near.start_send(Fickle))), "not today");
        assert_eq!((driver.in_flight(), driver.counts()), (0, Counts::default()));
    });
}

#[test]
fn an_operation_outside_of_block_on_panics_with_a_sentence() {
    watch(|| {
        let Some(driver) = driver(8) else { return };
        let said = "an operation was started outside of block_on: no ring is driven on this thread";
        assert_eq!(panic_text(|| drop(current())), said);
        assert!(try_current().is_none());
        let address = "127.0.0.1:9".parse::<std::net::SocketAddr>().expect("it is an address");
        let mut connect: LocalBoxFuture<_> = Box::pin(TcpStream::connect(address));
        assert_eq!(panic_text(|| drop(poll(&mut connect))), said);
        enter(&driver, || {
            assert!(Rc::ptr_eq(&current(), &driver));
            assert!(try_current().is_some_and(|current| Rc::ptr_eq(&current, &driver)));
        });
        assert!(try_current().is_none());
    });
}

#[test]
fn a_future_that_panics_leaves_the_driver_usable() {
    driven(8, |driver| {
        let arena = Arena::default();
        let room = arena.room(8);
        let panics = async move {
            let (near, _far) = both_ends().await?;
            let mut recv = near.start_recv(room);
            assert!(poll(&mut recv).is_pending());
            panic!("as it should");
        };
        let run = || block_on::<LocalBoxFuture<io::Result<()>>>(driver, Box::pin(panics));
        catch_unwind(AssertUnwindSafe(run)).expect_err("it panics");
        let result = block_on(driver, async {
            let (near, far) = both_ends().await?;
            let (received, sent) = join(near.read(vec![0; 8]), far.start_send(b"hello")).await;
            assert_eq!((received.0?, sent.0?), (5, 5));
            io::Result::Ok(())
        });
        result.expect("loopback connections do not fail");
        settle(driver);
        assert_eq!(arena.live(), 0);
    });
}

#[test]
fn a_future_that_wakes_itself_all_the_time_does_not_keep_completions_away() {
    run(|_| async {
        let (near, far) = both_ends().await?;
        let done = Cell::new(false);
        let spin = async {
            while !done.get() {
                yield_now().await;
            }
        };
        let talk = async {
            for _ in 0..100 {
                let (received, sent) = join(near.read(vec![0; 8]), far.start_send(b"hello")).await;
                assert_eq!((received.0?, sent.0?), (5, 5));
            }
            done.set(true);
            io::Result::Ok(())
        };
        join(spin, talk).await.1
    });
}

#[test]
fn one_block_on_may_run_within_another() {
    run(|driver| async move {
        let (near, far) = both_ends().await?;
        let recv = near.start_recv(vec![0; 8]);
        let (sent, _) = block_on(&driver, far.start_send(b"hello"));
        assert_eq!(sent?, 5);
        let (received, _) = recv.await;
        assert_eq!(received?, 5);
        Ok(())
    });
}

#[test]
fn an_operation_may_move_while_it_flies() {
    driven(8, |driver| {
        let (near, mut far) = pair(driver);
        let listener = listener(driver);
        let accept = Box::new((1, listener.start_accept()));
        let recv = vec![near.start_recv(Vec::with_capacity(8))];
        driver.wait(NOW).expect("the kernel takes them");
        let accept = Rc::new(Cell::new(Some(accept.1)));
        let mut recv = Box::new(recv.into_iter().next());
        far.write_all(b"hello").expect("the connection is up");
        let client = std::net::TcpStream::connect(listener.local_addr().expect("it is bound"));
        let client = client.expect("it listens");
        land(driver, recv.as_mut().as_mut().expect("it is there"));
        let (length, bytes) = finish(driver, recv.expect("it is there"));
        assert_eq!((length.expect("nothing breaks"), &bytes[..]), (5, &b"hello"[..]));
        let accept = accept.take().expect("it is there");
        let (_, peer) = finish(driver, accept).expect("somebody has connected");
        assert_eq!(peer, client.local_addr().expect("it is connected"));
    });
}
