//! What a wake of the main future does, and in which order.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Wake, Waker};
use std::thread;

use ch05_executor::MainWaker;

/// An unparker that counts its wakes, and those among them that came while the flag was up.
#[derive(Default)]
struct Unparker {
    main: OnceLock<Weak<MainWaker>>,
    wakes: AtomicUsize,
    woken: AtomicUsize,
}

impl Wake for Unparker {
    fn wake(self: Arc<Self>) {
        let main = self.main.get().and_then(Weak::upgrade).expect("the main waker wakes it");
        self.wakes.fetch_add(1, SeqCst);
        self.woken.fetch_add(main.is_woken().into(), SeqCst);
    }
}

/// The waker of a main future that has just been taken up for its first poll.
fn main_waker() -> (Arc<MainWaker>, Arc<Unparker>) {
    let unparker = Arc::new(Unparker::default());
    let main = MainWaker::new(unparker.clone().into());
    unparker.main.set(Arc::downgrade(&main)).expect("it is set once");
    assert!(main.take_woken(), "the first poll needs no wake");
    assert!(!main.is_woken());
    (main, unparker)
}

#[test]
fn a_wake_is_there_until_it_is_taken() {
    let (main, _unparker) = main_waker();
    for _ in 0..3 {
        Waker::from(main.clone()).wake();
        assert!(main.is_woken());
        assert!(main.take_woken());
        assert!(!main.is_woken());
        assert!(!main.take_woken());
    }
}

#[test]
fn two_wakes_are_taken_as_one() {
    let (main, _unparker) = main_waker();
    let waker = Waker::from(main.clone());
    waker.wake_by_ref();
    waker.wake();
    assert!(main.take_woken());
    assert!(!main.take_woken());
}

#[test]
fn a_wake_unparks_the_thread_and_so_does_the_next_after_it_was_taken() {
    let (main, unparker) = main_waker();
    for wakes in 1..4 {
        Waker::from(main.clone()).wake();
        assert_eq!(unparker.wakes.load(SeqCst), wakes);
        main.take_woken();
    }
}

#[test]
fn the_flag_is_up_when_the_thread_is_unparked() {
    let (main, unparker) = main_waker();
    Waker::from(main.clone()).wake();
    assert_eq!(unparker.woken.load(SeqCst), 1);
}

#[test]
fn another_thread_may_wake_the_main_future() {
    let (main, unparker) = main_waker();
    let waker = Waker::from(main.clone());
    thread::spawn(move || waker.wake()).join().expect("a wake does not panic");
    assert!(main.is_woken());
    assert_eq!(unparker.wakes.load(SeqCst), 1);
}
