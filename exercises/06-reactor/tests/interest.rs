//! What the kernel was asked for, by its own account, is what the slots wait for (fault S3).

mod common;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use ch06_reactor::Direction::{Read as Reading, Write as Writing};
use ch06_reactor::{Direction, Reactor, read_key, write_key};
use common::{NOW, Registration, Waiter, asked, checked, drain, fill, number, pair, park};
use common::{assert_registrations, numbered, registrations};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use trace::{Event, Recording};

#[test]
fn the_keys_of_all_descriptors_are_different() {
    let mut keys: Vec<usize> = (0..100).flat_map(|fd| [read_key(fd), write_key(fd)]).collect();
    assert_eq!((read_key(7), write_key(7)), (14, 15));
    keys.dedup();
    assert_eq!(keys, (0..200).collect::<Vec<_>>());
}

#[test]
fn a_descriptor_has_one_registration_and_asks_for_nothing_at_first() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (left, right) = pair();
        assert_registrations(&reactor, []);
        reactor.add(left.clone()).unwrap();
        assert_registrations(&reactor, [asked(&left, false, false)]);
        reactor.add(right.clone()).unwrap();
        assert_registrations(&reactor, [asked(&left, false, false), asked(&right, false, false)]);
    });
}

#[test]
fn arming_again_changes_the_one_registration() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (left, _right) = pair();
        reactor.add(left.clone()).unwrap();
        fill(&*left);
        let waiter = Waiter::new();
        for _ in 0..3 {
            waiter.arm(&reactor, &left, Reading).unwrap();
            assert_registrations(&reactor, [asked(&left, true, false)]);
        }
        for _ in 0..3 {
            waiter.arm(&reactor, &left, Writing).unwrap();
            assert_registrations(&reactor, [asked(&left, true, true)]);
        }
    });
}

#[test]
fn a_park_without_a_report_leaves_the_registration_armed() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (left, _right) = pair();
        reactor.add(left.clone()).unwrap();
        let waiter = Waiter::armed(&reactor, &left, Reading);
        for _ in 0..3 {
            park(&reactor, NOW);
            assert_eq!((waiter.wakes(), waiter.kept()), (0, 1));
            assert_registrations(&reactor, [asked(&left, true, false)]);
        }
    });
}

#[test]
fn a_report_uses_up_the_registration() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (left, _right) = pair();
        reactor.add(left.clone()).unwrap();
        Waiter::armed(&reactor, &left, Writing);
        assert_registrations(&reactor, [asked(&left, false, true)]);
        park(&reactor, None);
        assert_registrations(&reactor, [asked(&left, false, false)]);
    });
}

/// A reader and a writer who wait for one socket, armed in this order.
fn both_wait(reactor: &Reactor, socket: &Rc<UnixStream>, order: [Direction; 2]) -> [Waiter; 2] {
    fill(&**socket);
    let [mut reader, mut writer] = [Waiter::new(), Waiter::new()];
    for direction in order {
        let waiter = Waiter::armed(reactor, socket, direction);
        match direction {
            Reading => reader = waiter,
            Writing => writer = waiter,
        }
    }
    assert_registrations(reactor, [asked(socket, true, true)]);
    [reader, writer]
}

#[test]
fn reader_and_writer_are_both_woken_whoever_is_armed_first_and_ready_first() {
    for armed in [[Reading, Writing], [Writing, Reading]] {
        for ready in [[Reading, Writing], [Writing, Reading]] {
            checked(move || {
                let reactor = Reactor::new().unwrap();
                let (socket, peer) = pair();
                reactor.add(socket.clone()).unwrap();
                let [reader, writer] = both_wait(&reactor, &socket, armed);
                park(&reactor, NOW);
                assert_eq!((reader.wakes(), writer.wakes()), (0, 0));

                for (number, direction) in (1..).zip(ready) {
                    match direction {
                        Reading => (&*peer).write_all(b"x").unwrap(),
                        Writing => drain(&*peer),
                    }
                    park(&reactor, None);
                    let woken = match direction {
                        Reading => reader.wakes(),
                        Writing => writer.wakes(),
                    };
                    assert_eq!(woken, 1, "armed {armed:?}, ready {ready:?}: {direction}");
                    assert_eq!(reader.wakes() + writer.wakes(), number);
                }
                assert_registrations(&reactor, [asked(&socket, false, false)]);
            });
        }
    }
}

#[test]
fn one_report_for_both_directions_wakes_both() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (socket, peer) = pair();
        reactor.add(socket.clone()).unwrap();
        let [reader, writer] = both_wait(&reactor, &socket, [Reading, Writing]);
        (&*peer).write_all(b"x").unwrap();
        drain(&*peer);
        park(&reactor, None);
        assert_eq!((reader.wakes(), writer.wakes()), (1, 1));
    });
}

#[test]
fn the_direction_that_was_not_reported_stays_armed() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (socket, peer) = pair();
        reactor.add(socket.clone()).unwrap();

        let [reader, writer] = both_wait(&reactor, &socket, [Reading, Writing]);
        (&*peer).write_all(b"x").unwrap();
        park(&reactor, None);
        assert_eq!((reader.wakes(), writer.wakes()), (1, 0));
        assert_registrations(&reactor, [asked(&socket, false, true)]);
        drain(&*socket);

        reader.arm(&reactor, &socket, Reading).unwrap();
        drain(&*peer);
        park(&reactor, None);
        assert_eq!((reader.wakes(), writer.wakes()), (1, 1));
        assert_registrations(&reactor, [asked(&socket, true, false)]);
    });
}

#[test]
fn two_descriptors_of_one_file_are_registered_each_by_itself() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (ours, peer) = pair();
        let again = Rc::new(ours.try_clone().unwrap());
        reactor.add(ours.clone()).unwrap();
        reactor.add(again.clone()).unwrap();
        let first = Waiter::armed(&reactor, &ours, Reading);
        assert_registrations(&reactor, [asked(&ours, true, false), asked(&again, false, false)]);
        let second = Waiter::armed(&reactor, &again, Reading);

        (&*peer).write_all(b"x").unwrap();
        park(&reactor, None);
        assert_eq!((first.wakes(), second.wakes()), (1, 1));
    });
}

#[test]
fn delete_removes_the_registration_even_if_a_copy_keeps_the_file_open() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        let copy = Rc::new(numbered(&reader, 610));
        reactor.add(copy.clone()).unwrap();
        Waiter::armed(&reactor, &copy, Reading);
        reactor.delete(610).unwrap();
        drop(copy);
        assert_registrations(&reactor, []);
        writer.write_all(b"x").unwrap();
        park(&reactor, NOW);
    });
}

/// The same numbers on every run: `xorshift`.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// A socket, its peer, and who waits for it as far as the test knows.
struct Line {
    ours: Rc<UnixStream>,
    peer: Rc<UnixStream>,
    waiters: BTreeMap<Direction, Waiter>,
}

impl Line {
    fn new(reactor: &Reactor) -> Line {
        let (ours, peer) = pair();
        reactor.add(ours.clone()).unwrap();
        Line { ours, peer, waiters: BTreeMap::new() }
    }

    fn expected(&self) -> Registration {
        asked(&self.ours, self.waiters.contains_key(&Reading), self.waiters.contains_key(&Writing))
    }

    /// Whether somebody waits for what is there already, by `poll(2)`.
    fn is_overdue(&self) -> bool {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::POLLIN, self.waiters.contains_key(&Reading));
        flags.set(PollFlags::POLLOUT, self.waiters.contains_key(&Writing));
        let mut polled = [PollFd::new(std::os::fd::AsFd::as_fd(&self.ours), flags)];
        poll(&mut polled, PollTimeout::ZERO).unwrap();
        !self.waiters.is_empty() && polled[0].any() == Some(true)
    }
}

#[test]
fn whatever_is_called_the_kernel_is_asked_for_what_the_slots_wait_for() {
    for seed in 1..=20 {
        checked(move || {
            let reactor = Reactor::new().unwrap();
            let mut dice = Dice(seed);
            let mut lines: Vec<Line> = (0..4).map(|_| Line::new(&reactor)).collect();
            for _ in 0..400 {
                let chosen = dice.roll(lines.len());
                let line = &mut lines[chosen];
                match dice.roll(12) {
                    0..=2 => drop(
                        line.waiters.insert(Reading, Waiter::armed(&reactor, &line.ours, Reading)),
                    ),
                    3..=5 => drop(
                        line.waiters.insert(Writing, Waiter::armed(&reactor, &line.ours, Writing)),
                    ),
                    6 => fill(&*line.ours),
                    7 => drain(&*line.ours),
                    8 => drain(&*line.peer),
                    9 => {
                        // The peer is gone in some lines, and some have no room.
                        let _ = (&*line.peer).write(b"x");
                    }
                    10 => line.peer.shutdown(std::net::Shutdown::Both).unwrap(),
                    _ => {
                        reactor.delete(number(&line.ours)).unwrap();
                        assert!(line.waiters.values().all(|waiter| waiter.kept() == 0));
                        *line = Line::new(&reactor);
                    }
                }
                if dice.roll(3) == 0 {
                    park(&reactor, NOW);
                    for line in &mut lines {
                        line.waiters.retain(|_, waiter| waiter.wakes() == 0);
                        assert!(!line.is_overdue(), "seed {seed}: a wake was lost");
                    }
                }

                let mut expected: Vec<_> = lines.iter().map(Line::expected).collect();
                expected.sort();
                assert_eq!(registrations(&reactor), expected, "seed {seed}");
                if trace::ENABLED {
                    assert_eq!(by_the_trace(), expected, "seed {seed}");
                }
                for waiter in lines.iter().flat_map(|line| line.waiters.values()) {
                    assert_eq!((waiter.wakes(), waiter.kept()), (0, 1));
                }
            }
        });
    }
}

/// What the trace says that the kernel was asked for.
fn by_the_trace() -> Vec<Registration> {
    let mut interest: BTreeMap<RawFd, (bool, bool)> = BTreeMap::new();
    for event in Recording::current().expect("the test is recorded").events() {
        match event {
            Event::FdAdd { fd } | Event::Ready { fd, .. } => {
                interest.insert(fd, (false, false));
            }
            Event::Interest { fd, read, write } => {
                interest.insert(fd, (read, write));
            }
            Event::FdDelete { fd } => {
                interest.remove(&fd);
            }
            _ => {}
        }
    }
    interest.into_iter().map(|(fd, (read, write))| Registration { fd, read, write }).collect()
}
