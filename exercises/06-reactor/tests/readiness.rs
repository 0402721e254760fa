//! The kernel reports, and who waits for it is woken: once, and nobody else.

mod common;

use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use ch05_executor::Park;
use ch06_reactor::Direction::{Read as Reading, Write as Writing};
use ch06_reactor::Reactor;
use common::{NOW, Waiter, assert_reports, checked, drain, fill, number, pair, park};
use nix::sys::eventfd::EventFd;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{MsgFlags, send};

#[test]
fn a_byte_in_a_pipe_wakes_its_reader() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        let reader = Rc::new(reader);
        reactor.add(reader.clone()).unwrap();

        let waiter = Waiter::armed(&reactor, &reader, Reading);
        park(&reactor, NOW);
        assert_eq!(waiter.wakes(), 0, "the pipe is empty");

        writer.write_all(b"x").unwrap();
        park(&reactor, None);
        assert_eq!((waiter.wakes(), waiter.kept()), (1, 0));
    });
}

#[test]
fn room_in_a_pipe_wakes_its_writer() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        let writer = Rc::new(writer);
        reactor.add(writer.clone()).unwrap();
        fill(&*writer);

        let waiter = Waiter::armed(&reactor, &writer, Writing);
        park(&reactor, NOW);
        assert_eq!(waiter.wakes(), 0, "the pipe is full");

        // A pipe has room again when a whole page of it has been read.
        reader.read_exact(&mut [0; 4096]).unwrap();
        park(&reactor, None);
        assert_eq!((waiter.wakes(), waiter.kept()), (1, 0));
    });
}

#[test]
fn both_ends_of_a_socket_pair_are_woken() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (left, right) = pair();
        reactor.add(left.clone()).unwrap();
        reactor.add(right.clone()).unwrap();
        let [l, r] = [&left, &right].map(|end| Waiter::armed(&reactor, end, Reading));

        (&*left).write_all(b"to the right").unwrap();
        park(&reactor, None);
        assert_eq!((l.wakes(), r.wakes()), (0, 1));

        (&*right).write_all(b"to the left").unwrap();
        park(&reactor, None);
        assert_eq!((l.wakes(), r.wakes()), (1, 1));
    });
}

#[test]
fn an_eventfd_wakes_in_both_directions() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let counter = Rc::new(EventFd::new().unwrap());
        reactor.add(counter.clone()).unwrap();

        let reader = Waiter::armed(&reactor, &counter, Reading);
        park(&reactor, NOW);
        assert_eq!(reader.wakes(), 0, "the counter is zero");
        // The highest count there is: from here on nobody can add to it.
        counter.write(u64::MAX - 1).unwrap();
        park(&reactor, None);
        assert_eq!(reader.wakes(), 1);

        let writer = Waiter::armed(&reactor, &counter, Writing);
        park(&reactor, NOW);
        assert_eq!(writer.wakes(), 0, "the counter is full");
        counter.read().unwrap();
        park(&reactor, None);
        assert_eq!(writer.wakes(), 1);
    });
}

#[test]
fn what_was_ready_before_the_arm_is_reported_too() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        let reader = Rc::new(reader);
        reactor.add(reader.clone()).unwrap();

        let waiter = Waiter::armed(&reactor, &reader, Reading);
        park(&reactor, None);
        assert_eq!(waiter.wakes(), 1);
    });
}

#[test]
fn nothing_is_reported_that_nobody_armed() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (left, right) = pair();
        reactor.add(left.clone()).unwrap();
        reactor.add(right.clone()).unwrap();
        (&*right).write_all(b"x").unwrap();

        // `left` can be read and written all the time. Only `right` is reported.
        for round in 1..=100 {
            let waiter = Waiter::armed(&reactor, &right, Writing);
            park(&reactor, None);
            assert_eq!(waiter.wakes(), 1);
            assert_reports(&left, 0);
            assert_reports(&right, round);
        }
    });
}

#[test]
fn one_arm_is_one_wake() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        let (clock, mut tick) = io::pipe().unwrap();
        let (reader, clock) = (Rc::new(reader), Rc::new(clock));
        reactor.add(reader.clone()).unwrap();
        reactor.add(clock.clone()).unwrap();

        let waiter = Waiter::armed(&reactor, &reader, Reading);
        for _ in 0..100 {
            writer.write_all(b"x").unwrap();
            tick.write_all(b"x").unwrap();
            let other = Waiter::armed(&reactor, &clock, Reading);
            park(&reactor, None);
            assert_eq!(other.wakes(), 1);
        }
        assert_eq!(waiter.wakes(), 1);
        assert_reports(&reader, 1);

        waiter.arm(&reactor, &reader, Reading).unwrap();
        park(&reactor, None);
        assert_eq!(waiter.wakes(), 2);
    });
}

#[test]
fn a_hang_up_wakes_reader_and_writer() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (ours, theirs) = pair();
        reactor.add(ours.clone()).unwrap();
        fill(&*ours);
        let reader = Waiter::armed(&reactor, &ours, Reading);
        let writer = Waiter::armed(&reactor, &ours, Writing);
        park(&reactor, NOW);
        assert_eq!((reader.wakes(), writer.wakes()), (0, 0), "nothing to read, and no room");

        drop(theirs);
        park(&reactor, None);
        assert_eq!((reader.wakes(), writer.wakes()), (1, 1));
    });
}

#[test]
fn a_pipe_without_a_reader_wakes_its_writer() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (reader, writer) = io::pipe().unwrap();
        let writer = Rc::new(writer);
        reactor.add(writer.clone()).unwrap();
        fill(&*writer);
        let waiter = Waiter::armed(&reactor, &writer, Writing);

        drop(reader);
        park(&reactor, None);
        assert_eq!(waiter.wakes(), 1);
        let error = (&*writer).write(b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_hang_up_while_nobody_waits_is_there_for_the_next_who_does() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (ours, theirs) = pair();
        reactor.add(ours.clone()).unwrap();
        drop(theirs);
        // A hang-up is the one thing that epoll reports unasked. It must not be used up by that.
        for _ in 0..3 {
            park(&reactor, NOW);
        }
        for direction in [Reading, Writing] {
            let waiter = Waiter::armed(&reactor, &ours, direction);
            park(&reactor, None);
            assert_eq!(waiter.wakes(), 1, "{direction}");
        }
    });
}

#[test]
fn a_hang_up_while_nobody_waits_is_reported_once() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (ours, theirs) = pair();
        reactor.add(ours.clone()).unwrap();
        drop(theirs);
        // A second report would end the next sleep, and so would each that follows.
        for _ in 0..3 {
            park(&reactor, NOW);
        }
        assert_reports(&ours, 1);
    });
}

#[test]
fn a_report_may_be_wrong_and_the_read_does_not_block() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        let mut thief = reader.try_clone().unwrap();
        let reader = Rc::new(reader);
        reactor.add(reader.clone()).unwrap();

        let waiter = Waiter::armed(&reactor, &reader, Reading);
        writer.write_all(b"x").unwrap();
        park(&reactor, None);
        assert_eq!(waiter.wakes(), 1);
        thief.read_exact(&mut [0]).unwrap();
        let nothing = (&*reader).read(&mut [0]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);

        waiter.arm(&reactor, &reader, Reading).unwrap();
        writer.write_all(b"y").unwrap();
        park(&reactor, None);
        assert_eq!(waiter.wakes(), 2);
        (&*reader).read_exact(&mut [0]).unwrap();
    });
}

#[test]
fn urgent_data_is_reported_although_there_is_nothing_to_read() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let ours = Rc::new(listener.accept().unwrap().0);
        reactor.add(ours.clone()).unwrap();

        let waiter = Waiter::armed(&reactor, &ours, Reading);
        send(number(&peer), b"!", MsgFlags::MSG_OOB).unwrap();
        park(&reactor, None);
        assert_eq!(waiter.wakes(), 1);
        let nothing = (&*ours).read(&mut [0]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    });
}

#[test]
fn more_reports_than_one_wait_has_room_for_all_arrive() {
    checked(|| {
        // The poller takes 1024 at a time.
        const SOURCES: usize = 1500;
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
        assert!(
            most > SOURCES as u64 + 100,
            "this test opens {SOURCES} files, and may open {most}"
        );

        let reactor = Reactor::new().unwrap();
        let sources: Vec<_> = (0..SOURCES).map(|_| Rc::new(EventFd::new().unwrap())).collect();
        let mut waiters = Vec::new();
        for source in &sources {
            reactor.add(source.clone()).unwrap();
            waiters.push(Waiter::armed(&reactor, source, Writing));
        }
        let woken = || waiters.iter().map(Waiter::wakes).sum::<usize>();
        while woken() < SOURCES {
            park(&reactor, None);
        }
        park(&reactor, NOW);
        assert!(waiters.iter().all(|waiter| waiter.wakes() == 1));
    });
}

#[test]
fn a_reactor_waits_for_another_reactor() {
    checked(|| {
        let inner = Rc::new(Reactor::new().unwrap());
        let outer = Reactor::new().unwrap();
        outer.add(inner.clone()).unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        let reader = Rc::new(reader);
        inner.add(reader.clone()).unwrap();

        for round in 1..=3 {
            let at_the_pipe = Waiter::armed(&inner, &reader, Reading);
            let at_the_reactor = Waiter::armed(&outer, &inner, Reading);
            outer.park(NOW).unwrap();
            assert_eq!(at_the_reactor.wakes(), 0, "round {round}: nothing has happened");

            writer.write_all(b"x").unwrap();
            outer.park(None).unwrap();
            assert_eq!((at_the_reactor.wakes(), at_the_pipe.wakes()), (1, 0), "round {round}");
            inner.park(NOW).unwrap();
            assert_eq!(at_the_pipe.wakes(), 1, "round {round}");
            (&*reader).read_exact(&mut [0]).unwrap();
        }
    });
}

#[test]
fn an_unpark_of_the_inner_reactor_is_news_for_the_outer() {
    checked(|| {
        let inner = Rc::new(Reactor::new().unwrap());
        let outer = Reactor::new().unwrap();
        outer.add(inner.clone()).unwrap();
        let waiter = Waiter::armed(&outer, &inner, Reading);
        inner.unparker().wake();
        outer.park(None).unwrap();
        assert_eq!(waiter.wakes(), 1);
    });
}

#[test]
fn a_timed_park_ends_when_something_is_ready() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        let reader = Rc::new(reader);
        reactor.add(reader.clone()).unwrap();
        for timeout in [Duration::from_secs(1 << 40), Duration::MAX] {
            let waiter = Waiter::armed(&reactor, &reader, Reading);
            writer.write_all(b"x").unwrap();
            park(&reactor, Some(timeout));
            assert_eq!(waiter.wakes(), 1);
            drain(&*reader);
        }
    });
}
