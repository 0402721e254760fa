//! Wakers that use the timers while the timers wake, clone or drop them.
//!
//! A waker is somebody else's code. Whatever it does, it must find nothing borrowed, and nothing
//! half done.

mod common;

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::task::{Context, RawWaker, RawWakerVTable, Waker};

use ch08_timers::Sleep;
use common::{Bench, HOUR, Log, MS, checked};

/// What a waker does when one of these happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Cloned,
    Woken,
    Dropped,
}

/// A waker on this thread alone, which runs a closure once: the first time that `when` happens.
struct Meddler {
    when: When,
    deed: RefCell<Option<Box<dyn FnOnce()>>>,
}

impl Meddler {
    fn new(when: When, deed: impl FnOnce() + 'static) -> Rc<Meddler> {
        let deed: Box<dyn FnOnce()> = Box::new(deed);
        Rc::new(Meddler { when, deed: RefCell::new(Some(deed)) })
    }

    fn happens(&self, when: When) {
        if when == self.when {
            let deed = self.deed.borrow_mut().take();
            if let Some(deed) = deed {
                deed();
            }
        }
    }

    fn is_done(&self) -> bool {
        self.deed.borrow().is_none()
    }

    fn waker(self: &Rc<Self>) -> Waker {
        let data = Rc::into_raw(self.clone()).cast();
        // SAFETY: the functions of the table take the pointer for what it is, an `Rc<Meddler>`, and
        // keep its count. The `Rc` must stay on this thread: the tests give it to timers only,
        // which are not `Send`.
        unsafe { Waker::from_raw(RawWaker::new(data, &TABLE)) }
    }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: this waker owns a reference and keeps it: the `Rc` is not dropped here.
        let meddler = ManuallyDrop::new(unsafe { Rc::from_raw(data.cast::<Meddler>()) });
        meddler.happens(When::Cloned);
        RawWaker::new(Rc::into_raw(Rc::clone(&meddler)).cast(), &TABLE)
    },
    |data| {
        // SAFETY: this waker gives its reference away.
        let meddler = unsafe { Rc::from_raw(data.cast::<Meddler>()) };
        meddler.happens(When::Woken);
    },
    |data| {
        // SAFETY: this waker owns a reference and keeps it: the `Rc` is not dropped here.
        let meddler = ManuallyDrop::new(unsafe { Rc::from_raw(data.cast::<Meddler>()) });
        meddler.happens(When::Woken);
    },
    |data| {
        // SAFETY: this waker gives its reference away.
        let meddler = unsafe { Rc::from_raw(data.cast::<Meddler>()) };
        meddler.happens(When::Dropped);
    },
);

/// What the deeds of the tests need.
struct Scene {
    bench: Bench,
    log: Log,
    /// The sleeps of others.
    others: RefCell<Vec<Sleep>>,
}

impl Scene {
    /// Three others sleep: until 10, 20 and 30 ms.
    fn new() -> Rc<Scene> {
        let (bench, log) = (Bench::new(), Log::default());
        let mut others = [10, 20, 30].map(|ms| bench.sleep_until(ms));
        for (name, sleep) in others.iter_mut().enumerate() {
            assert!(log.sleeper(name).poll(sleep).is_pending());
        }
        Rc::new(Scene { bench, log, others: RefCell::new(others.into()) })
    }

    /// Somebody more goes to sleep.
    fn sleep(&self, name: usize, ms: u32) {
        let mut sleep = self.bench.sleep_until(ms);
        assert!(self.log.sleeper(name).poll(&mut sleep).is_pending());
        self.others.borrow_mut().push(sleep);
    }
}

fn poll(sleep: &mut Sleep, waker: &Waker) {
    let poll = std::pin::Pin::new(sleep).poll(&mut Context::from_waker(waker));
    assert!(poll.is_pending());
}

/// Lets `deed` happen to a sleeper at 15 ms, in the middle of the others.
fn meddle(when: When, deed: impl FnOnce(&Scene) + 'static) -> Rc<Scene> {
    let scene = Scene::new();
    let inner = scene.clone();
    let meddler = Meddler::new(when, move || deed(&inner));
    let mut sleep = scene.bench.sleep_until(15);
    let waker = meddler.waker();
    poll(&mut sleep, &waker);
    match when {
        When::Cloned => {}
        When::Woken => scene.bench.pass(15 * MS),
        // Another one takes its place.
        When::Dropped => poll(&mut sleep, Waker::noop()),
    }
    assert!(meddler.is_done());
    scene
}

const ALWAYS: [When; 3] = [When::Cloned, When::Woken, When::Dropped];

#[test]
fn a_waker_may_drop_other_sleeps() {
    checked(|| {
        for when in ALWAYS {
            let scene = meddle(when, |scene| drop(scene.others.take()));
            scene.bench.pass(HOUR);
            let woken = if when == When::Woken { vec![0] } else { vec![] };
            assert_eq!(scene.log.take(), woken, "{when:?}");
            assert!(scene.bench.timers.is_empty());
        }
    });
}

#[test]
fn a_waker_may_put_others_to_sleep() {
    checked(|| {
        for when in ALWAYS {
            let scene = meddle(when, |scene| {
                scene.sleep(3, 25);
                scene.sleep(4, 16);
            });
            scene.bench.pass(HOUR);
            assert_eq!(scene.log.take(), [0, 4, 1, 3, 2], "{when:?}");
            assert!(scene.bench.timers.is_empty());
        }
    });
}

#[test]
fn a_waker_may_reset_others() {
    checked(|| {
        for when in ALWAYS {
            let scene = meddle(when, |scene| {
                let mut others = scene.others.borrow_mut();
                others[1].reset(scene.bench.start + 40 * MS);
                assert!(scene.log.sleeper(1).poll(&mut others[1]).is_pending());
            });
            scene.bench.pass(HOUR);
            assert_eq!(scene.log.take(), [0, 2, 1], "{when:?}");
        }
    });
}

#[test]
fn a_waker_may_fire() {
    checked(|| {
        for when in ALWAYS {
            let scene = meddle(when, |scene| scene.bench.timers.fire());
            scene.bench.pass(HOUR);
            assert_eq!(scene.log.take(), [0, 1, 2], "{when:?}");
        }
    });
}

#[test]
fn a_waker_may_use_the_timers_when_its_sleep_is_dropped_or_reset() {
    checked(|| {
        for resets in [false, true] {
            let scene = Scene::new();
            let inner = scene.clone();
            let meddler = Meddler::new(When::Dropped, move || {
                inner.sleep(3, 25);
                drop(inner.others.borrow_mut().remove(0));
            });
            let mut sleep = scene.bench.sleep_until(15);
            // The timers have the only waker.
            let waker = ManuallyDrop::new(meddler.waker());
            poll(&mut sleep, &waker);
            match resets {
                true => sleep.reset(scene.bench.start + 16 * MS),
                false => drop(sleep),
            }
            assert!(meddler.is_done());
            drop(ManuallyDrop::into_inner(waker));
            scene.bench.pass(HOUR);
            assert_eq!(scene.log.take(), [1, 3, 2]);
        }
    });
}

#[test]
fn of_those_who_are_due_together_the_first_may_cancel_the_second() {
    checked(|| {
        let scene = Scene::new();
        let inner = scene.clone();
        let meddler = Meddler::new(When::Woken, move || drop(inner.others.take()));
        let mut sleep = scene.bench.sleep_until(15);
        poll(&mut sleep, &meddler.waker());
        // All four are due at once.
        scene.bench.pass(HOUR);
        assert_eq!(scene.log.take(), [0]);
    });
}

#[test]
fn a_waker_that_moves_the_clock_on_does_not_keep_the_timers_busy() {
    checked(|| {
        let scene = Scene::new();
        let inner = scene.clone();
        let meddler = Meddler::new(When::Woken, move || {
            inner.bench.timers.clock().advance(HOUR);
            inner.sleep(3, 2 * 3_600_000);
        });
        let mut sleep = scene.bench.sleep_until(15);
        poll(&mut sleep, &meddler.waker());
        scene.bench.pass(15 * MS);
        // What became due meanwhile is for the next time.
        assert_eq!(scene.log.take(), [0]);
        scene.bench.timers.fire();
        assert_eq!(scene.log.take(), [1, 2]);
        scene.bench.pass(HOUR);
        assert_eq!(scene.log.take(), [3]);
    });
}

#[test]
fn a_waker_that_panics_leaves_the_others_to_the_next_time() {
    checked(|| {
        let scene = Scene::new();
        let meddler = Meddler::new(When::Woken, || panic!("as it should"));
        let mut sleep = scene.bench.sleep_until(15);
        poll(&mut sleep, &meddler.waker());
        assert_eq!(common::panic_text(|| scene.bench.pass(HOUR)), "as it should");
        assert_eq!(scene.log.take(), [0]);
        scene.bench.timers.fire();
        assert_eq!(scene.log.take(), [1, 2]);
    });
}
