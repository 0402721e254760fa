//! What `add` takes and `delete` gives back.

mod common;

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

use ch05_executor::Park;
use ch06_reactor::Direction::{Read as Reading, Write as Writing};
use ch06_reactor::Reactor;
use common::{NOW, Waiter, asked, checked, fill, is_open, number, numbered, pair, park};
use common::{assert_registrations, regular_file};
use nix::fcntl::{FcntlArg, OFlag, fcntl};

fn flags(fd: &impl AsFd) -> OFlag {
    OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL).unwrap())
}

#[test]
fn add_makes_the_file_non_blocking_and_leaves_its_other_flags() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (_reader, writer) = io::pipe().unwrap();
        let copy = writer.try_clone().unwrap();
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_APPEND)).unwrap();
        let before = flags(&writer);
        assert!(!before.contains(OFlag::O_NONBLOCK));

        let writer = Rc::new(writer);
        reactor.add(writer.clone()).unwrap();
        assert_eq!(flags(&writer), before | OFlag::O_NONBLOCK);
        assert_eq!(
            flags(&copy),
            flags(&writer),
            "the flags belong to the file, not to a descriptor"
        );
    });
}

#[test]
fn adding_twice_is_an_error_and_leaves_the_first_as_it_was() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (ours, peer) = pair();
        reactor.add(ours.clone()).unwrap();
        let waiter = Waiter::armed(&reactor, &ours, Reading);

        let error = reactor.add(ours.clone()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        let fd = number(&ours);
        assert_eq!(
            error.to_string(),
            format!("fd {fd} cannot be registered: it is registered already")
        );
        assert_eq!(Rc::strong_count(&ours), 2, "the second share was given back");
        assert_registrations(&reactor, [asked(&ours, true, false)]);

        (&*peer).write_all(b"x").unwrap();
        park(&reactor, None);
        assert_eq!(waiter.wakes(), 1);
    });
}

#[test]
fn a_second_share_in_what_is_registered_is_given_back_and_the_first_is_kept() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (ours, peer) = pair();
        reactor.add(ours.clone()).unwrap();
        let waiter = Waiter::armed(&reactor, &ours, Reading);

        // Another source, of the same descriptor.
        let again = Rc::new(ours.clone());
        reactor.add(again.clone()).unwrap_err();
        assert_eq!(Rc::strong_count(&again), 1);
        drop(again);
        assert_eq!(Rc::strong_count(&ours), 2);

        (&*peer).write_all(b"x").unwrap();
        park(&reactor, None);
        assert_eq!(waiter.wakes(), 1);
    });
}

#[test]
fn a_regular_file_is_refused_in_words() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let file: Rc<File> = Rc::new(regular_file());
        let error = reactor.add(file.clone()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let fd = number(&file);
        assert_eq!(
            error.to_string(),
            format!(
                "fd {fd} cannot be registered: epoll takes no regular files, directories and the like"
            )
        );
        assert_eq!(Rc::strong_count(&file), 1);
        assert_registrations(&reactor, []);
        let arm = Waiter::new().arm(&reactor, &file, Reading).unwrap_err();
        assert_eq!(arm.kind(), io::ErrorKind::NotFound);
    });
}

#[test]
fn a_reactor_cannot_wait_for_itself() {
    checked(|| {
        let reactor = Rc::new(Reactor::new().unwrap());
        reactor.add(reactor.clone()).unwrap_err();
        assert_eq!(Rc::strong_count(&reactor), 1, "a share in itself would keep it for ever");
    });
}

#[test]
fn what_is_not_registered_can_be_neither_armed_nor_deleted() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let waiter = Waiter::new();
        let (ours, _peer) = pair();
        for fd in [number(&ours), 12_345, -1] {
            for direction in [Reading, Writing] {
                let error = waiter.arm_number(&reactor, fd, direction).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::NotFound);
                assert_eq!(error.to_string(), format!("fd {fd} is not registered"));
            }
            let error = reactor.delete(fd).unwrap_err();
            assert_eq!(error.to_string(), format!("fd {fd} is not registered"));
        }
        assert_eq!(waiter.kept(), 0);
    });
}

#[test]
fn arming_what_is_not_registered_keeps_no_waker() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (ours, _peer) = pair();
        for direction in [Reading, Writing] {
            let waiter = Waiter::new();
            let error = waiter.arm(&reactor, &ours, direction).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            assert_eq!(waiter.kept(), 0);
        }
    });
}

#[test]
fn delete_drops_the_wakers_of_both_directions_and_wakes_nobody() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (ours, peer) = pair();
        reactor.add(ours.clone()).unwrap();
        fill(&*ours);
        let reader = Waiter::armed(&reactor, &ours, Reading);
        let writer = Waiter::armed(&reactor, &ours, Writing);
        assert_eq!((reader.kept(), writer.kept()), (1, 1));

        reactor.delete(number(&ours)).unwrap();
        assert_eq!((reader.kept(), writer.kept()), (0, 0));
        assert_registrations(&reactor, []);
        drop(peer);
        park(&reactor, NOW);
        assert_eq!((reader.wakes(), writer.wakes()), (0, 0));
        reactor.delete(number(&ours)).unwrap_err();
        reader.arm(&reactor, &ours, Reading).unwrap_err();
    });
}

#[test]
fn what_was_deleted_can_be_added_again() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (ours, peer) = pair();
        for _ in 0..3 {
            reactor.add(ours.clone()).unwrap();
            let waiter = Waiter::armed(&reactor, &ours, Reading);
            (&*peer).write_all(b"x").unwrap();
            park(&reactor, None);
            assert_eq!(waiter.wakes(), 1);
            reactor.delete(number(&ours)).unwrap();
        }
    });
}

#[test]
fn a_descriptor_is_closed_when_the_last_share_is_gone() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (reader, _writer) = io::pipe().unwrap();

        // The reactor's share is the last.
        reactor.add(Rc::new(numbered(&reader, 620))).unwrap();
        assert!(is_open(620));
        reactor.delete(620).unwrap();
        assert!(!is_open(620));

        // The user's share is the last.
        let ours = Rc::new(numbered(&reader, 621));
        reactor.add(ours.clone()).unwrap();
        reactor.delete(621).unwrap();
        assert!(is_open(621));
        drop(ours);
        assert!(!is_open(621));
    });
}

#[test]
fn a_dropped_reactor_gives_up_its_sources_and_wakers() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let unparker = reactor.unparker();
        let (reader, _writer) = io::pipe().unwrap();
        let source = Rc::new(numbered(&reader, 622));
        reactor.add(source.clone()).unwrap();
        let waiter = Waiter::armed(&reactor, &source, Reading);
        drop(source);

        drop(reactor);
        assert!(!is_open(622));
        assert_eq!((waiter.wakes(), waiter.kept()), (0, 0));
        unparker.wake();
    });
}

#[test]
fn a_number_that_is_used_again_brings_no_wake_from_before() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (old_reader, mut old_writer) = io::pipe().unwrap();
        let (new_reader, mut new_writer) = io::pipe().unwrap();

        reactor.add(Rc::new(numbered(&old_reader, 630))).unwrap();
        let old = Waiter::new();
        old.arm_number(&reactor, 630, Reading).unwrap();
        reactor.delete(630).unwrap();
        assert!(!is_open(630));

        let source = Rc::new(numbered(&new_reader, 630));
        reactor.add(source.clone()).unwrap();
        assert_registrations(&reactor, [asked(&source, false, false)]);
        let new = Waiter::armed(&reactor, &source, Reading);
        // The old file is still open, and ready now. That is nobody's business any more.
        old_writer.write_all(b"x").unwrap();
        park(&reactor, NOW);
        assert_eq!((old.wakes(), new.wakes()), (0, 0));

        new_writer.write_all(b"x").unwrap();
        park(&reactor, None);
        assert_eq!((old.wakes(), new.wakes()), (0, 1));
    });
}

/// A source that does something when it is dropped.
struct OnDrop<S, F: Fn()>(S, F);

impl<S: AsFd, F: Fn()> AsFd for OnDrop<S, F> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl<S, F: Fn()> Drop for OnDrop<S, F> {
    fn drop(&mut self) {
        (self.1)();
    }
}

#[test]
fn the_drop_of_a_source_may_use_the_reactor() {
    checked(|| {
        let reactor = Rc::new(Reactor::new().unwrap());
        let (ours, _peer) = pair();
        let (reader, _writer) = io::pipe().unwrap();
        let fd = number(&reader);
        let ran = Rc::new(Cell::new(0));

        let on_drop = {
            let (reactor, ours, ran) = (reactor.clone(), ours.clone(), ran.clone());
            move || {
                ran.set(ran.get() + 1);
                reactor.add(ours.clone()).unwrap();
                Waiter::armed(&reactor, &ours, Writing);
                reactor.delete(number(&ours)).unwrap();
                reactor.delete(fd).unwrap_err();
            }
        };
        reactor.add(Rc::new(OnDrop(reader, on_drop))).unwrap();
        reactor.delete(fd).unwrap();
        assert_eq!(ran.get(), 1);
    });
}
