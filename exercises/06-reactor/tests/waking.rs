//! Wakers are code of somebody else: whatever they do, the reactor has nothing borrowed meanwhile.

mod common;
#[path = "common/meddler.rs"]
mod meddler;

use std::cell::RefCell;
use std::io::{self, Write};
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::Context;

use ch05_executor::Park;
use ch06_reactor::Direction::{Read as Reading, Write as Writing};
use ch06_reactor::{Direction, Reactor};
use common::{
    NOW, Registration, Waiter, asked, assert_registrations, checked, drain, number, numbered, pair,
    park,
};
use meddler::{Moment, alive, at_the_next, is_done, meddler};

#[test]
fn of_two_who_wait_for_the_same_the_second_is_woken_and_the_first_dropped() {
    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (ours, peer) = pair();
        reactor.add(ours.clone()).unwrap();
        let first = Waiter::armed(&reactor, &ours, Reading);
        let second = Waiter::armed(&reactor, &ours, Reading);
        assert_eq!((first.kept(), second.kept()), (0, 1));

        (&*peer).write_all(b"x").unwrap();
        park(&reactor, None);
        assert_eq!((first.wakes(), second.wakes()), (0, 1));
    });
}

#[test]
fn a_wake_may_arm_the_same_descriptor_again() {
    checked(|| {
        let scene = Scene::new();
        let again = Waiter::new();
        scene.arm_meddler();
        (&*scene.peer).write_all(b"x").unwrap();
        at_the_next(Moment::Wake, {
            let (scene, again) = (scene.clone(), again.clone());
            move || again.arm(&scene.reactor, &scene.ours, Reading).unwrap()
        });
        park(&scene.reactor, None);
        assert!(is_done());
        assert_eq!(again.wakes(), 0, "it armed during the wakes, so it is for the next park");
        park(&scene.reactor, None);
        assert_eq!(again.wakes(), 1);
    });
}

#[test]
fn a_wake_may_park() {
    checked(|| {
        let scene = Scene::new();
        scene.arm_meddler();
        (&*scene.peer).write_all(b"x").unwrap();
        let waiter = Waiter::armed(&scene.reactor, &scene.other, Writing);
        at_the_next(Moment::Wake, {
            let (scene, waiter) = (scene.clone(), waiter.clone());
            move || {
                // `other` is in the same batch as the meddler, or still to be reported.
                waiter.arm(&scene.reactor, &scene.other, Writing).unwrap();
                scene.reactor.park(None).unwrap();
                assert!(waiter.wakes() > 0);
            }
        });
        park(&scene.reactor, None);
        assert!(is_done());
    });
}

#[test]
fn a_waker_may_arm_the_other_direction_while_it_is_cloned() {
    checked(|| {
        let scene = Scene::new();
        at_the_next(Moment::Clone, {
            let scene = scene.clone();
            move || scene.wait(&scene.ours, Writing)
        });
        scene.arm_meddler();
        assert!(is_done());
        assert_registrations(&scene.reactor, [asked(&scene.ours, true, true), scene.nothing()]);
    });
}

#[test]
fn a_waker_that_is_replaced_may_arm_the_other_direction_while_it_is_dropped() {
    checked(|| {
        let scene = Scene::new();
        scene.arm_meddler();
        at_the_next(Moment::Drop, {
            let scene = scene.clone();
            move || scene.wait(&scene.ours, Writing)
        });
        scene.wait(&scene.ours, Reading);
        assert!(is_done());
        assert_eq!(alive(), 0);
        assert_registrations(&scene.reactor, [asked(&scene.ours, true, true), scene.nothing()]);
    });
}

#[test]
fn a_clone_that_deletes_the_descriptor_leaves_no_waker_behind() {
    checked(|| {
        let scene = Scene::new();
        at_the_next(Moment::Clone, {
            let scene = scene.clone();
            move || scene.reactor.delete(number(&scene.ours)).unwrap()
        });
        let error = scene.try_to_arm_meddler().unwrap_err();
        assert!(is_done());
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(alive(), 0, "a slot keeps a waker, although arming has failed");
    });
}

#[test]
fn deleting_and_reusing_a_number_during_the_wakes_wakes_no_new_owner() {
    checked(|| {
        let reactor = Rc::new(Reactor::new().unwrap());
        let numbers: [RawFd; 2] = [640, 641];
        let (old_reader, mut old_writer) = io::pipe().unwrap();
        let (new_reader, mut new_writer) = io::pipe().unwrap();
        for fd in numbers {
            reactor.add(Rc::new(numbered(&old_reader, fd))).unwrap();
            reactor.arm(fd, Reading, &mut Context::from_waker(&meddler())).unwrap();
        }
        // Both are in one batch of reports. Whichever is woken first puts new owners in place of both.
        old_writer.write_all(b"x").unwrap();
        let new = [Waiter::new(), Waiter::new()];
        at_the_next(Moment::Wake, {
            let (reactor, new) = (reactor.clone(), new.clone());
            move || {
                for (fd, waiter) in numbers.into_iter().zip(&new) {
                    reactor.delete(fd).unwrap();
                    reactor.add(Rc::new(numbered(&new_reader, fd))).unwrap();
                    waiter.arm_number(&reactor, fd, Reading).unwrap();
                }
            }
        });
        park(&reactor, None);
        assert!(is_done());
        assert_eq!(new.each_ref().map(Waiter::wakes), [0, 0]);
        park(&reactor, NOW);
        assert_eq!(
            new.each_ref().map(Waiter::wakes),
            [0, 0],
            "the old pipe is ready, the new is not"
        );

        new_writer.write_all(b"x").unwrap();
        park(&reactor, None);
        assert_eq!(new.each_ref().map(Waiter::wakes), [1, 1]);
    });
}

/// A reactor with a socket, another one, and a third that is not registered yet.
struct Scene {
    reactor: Reactor,
    ours: Rc<UnixStream>,
    peer: Rc<UnixStream>,
    other: Rc<UnixStream>,
    fresh: Rc<UnixStream>,
    /// Keep the far ends open.
    _far: [Rc<UnixStream>; 2],
    /// The waiters of the deeds.
    waiters: RefCell<Vec<Waiter>>,
}

impl Scene {
    fn new() -> Rc<Scene> {
        let reactor = Reactor::new().unwrap();
        let ((ours, peer), (other, far), (fresh, further)) = (pair(), pair(), pair());
        reactor.add(ours.clone()).unwrap();
        reactor.add(other.clone()).unwrap();
        let (_far, waiters) = ([far, further], RefCell::default());
        Rc::new(Scene { reactor, ours, peer, other, fresh, _far, waiters })
    }

    fn try_to_arm_meddler(&self) -> io::Result<()> {
        let waker = meddler();
        self.reactor.arm(number(&self.ours), Reading, &mut Context::from_waker(&waker))
    }

    fn arm_meddler(&self) {
        self.try_to_arm_meddler().unwrap();
        assert_eq!(alive(), 1, "only the slot keeps one");
    }

    /// What is asked for the other socket, for which nobody waits.
    fn nothing(&self) -> Registration {
        asked(&self.other, false, false)
    }

    fn wait(&self, fd: &Rc<UnixStream>, direction: Direction) {
        // Whether it succeeds depends on what was done before.
        let waiter = Waiter::new();
        let _ = waiter.arm(&self.reactor, fd, direction);
        self.waiters.borrow_mut().push(waiter);
    }
}

type Deed = fn(&Scene);
const DEEDS: [(&str, Deed); 8] = [
    ("arm the same", |scene| scene.wait(&scene.ours, Reading)),
    ("arm the other direction", |scene| scene.wait(&scene.ours, Writing)),
    ("arm another descriptor", |scene| scene.wait(&scene.other, Reading)),
    ("add", |scene| scene.reactor.add(scene.fresh.clone()).unwrap()),
    ("delete the same", |scene| drop(scene.reactor.delete(number(&scene.ours)))),
    ("delete another", |scene| scene.reactor.delete(number(&scene.other)).unwrap()),
    ("delete and add the same", |scene| {
        let _ = scene.reactor.delete(number(&scene.ours));
        scene.reactor.add(scene.ours.clone()).unwrap();
    }),
    ("look", |scene| scene.reactor.park(NOW).unwrap()),
];

/// Does each deed at this moment, which `reach` brings about, and then sees that all is well.
fn each_deed(moment: Moment, reach: fn(&Scene)) {
    for (name, deed) in DEEDS {
        checked(move || {
            let scene = Scene::new();
            if moment != Moment::Clone {
                scene.arm_meddler();
            }
            at_the_next(moment, {
                let scene = scene.clone();
                move || deed(&scene)
            });
            reach(&scene);
            assert!(is_done(), "{name}: the moment did not come");

            // Whoever is kept is waited for, and the other way round: the park checks it by the trace.
            park(&scene.reactor, NOW);
            // After a new start, everything works.
            for fd in [&scene.ours, &scene.other, &scene.fresh] {
                let _ = scene.reactor.delete(number(fd));
            }
            assert_eq!(alive(), 0, "{name}");
            assert!(scene.waiters.borrow().iter().all(|waiter| waiter.kept() == 0), "{name}");
            assert_registrations(&scene.reactor, []);
            drain(&*scene.ours);
            scene.reactor.add(scene.ours.clone()).unwrap();
            let waiter = Waiter::armed(&scene.reactor, &scene.ours, Reading);
            assert_registrations(&scene.reactor, [asked(&scene.ours, true, false)]);
            (&*scene.peer).write_all(b"x").unwrap();
            park(&scene.reactor, None);
            assert_eq!(waiter.wakes(), 1, "{name}");
        });
    }
}

#[test]
fn the_clone_of_a_waker_may_use_the_reactor() {
    each_deed(Moment::Clone, |scene| {
        // An error if the clone has deleted the descriptor.
        let _ = scene.try_to_arm_meddler();
    });
}

#[test]
fn the_wake_of_a_waker_may_use_the_reactor() {
    each_deed(Moment::Wake, |scene| {
        (&*scene.peer).write_all(b"x").unwrap();
        park(&scene.reactor, None);
    });
}

#[test]
fn the_drop_of_a_waker_that_is_replaced_may_use_the_reactor() {
    each_deed(Moment::Drop, |scene| {
        Waiter::new().arm(&scene.reactor, &scene.ours, Reading).unwrap();
    });
}

#[test]
fn the_drop_of_a_waker_that_is_deleted_may_use_the_reactor() {
    each_deed(Moment::Drop, |scene| {
        scene.reactor.delete(number(&scene.ours)).unwrap();
    });
}
