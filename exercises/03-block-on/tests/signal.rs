//! What [`signal`] promises.

use std::hint;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::thread;
use std::time::Duration;

use ch03_block_on::{Setter, Signal, block_on, signal};
use conformance::watch;
use waker_fn::waker_fn;

/// Counts how often it was woken. Its strong count tells how many wakers exist.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Bell {
    fn rings(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn poll<T>(signal: &mut Signal<T>, waker: &Waker) -> Poll<Option<T>> {
    Pin::new(signal).poll(&mut Context::from_waker(waker))
}

/// Runs a test in which a waker comes back to the signal that calls it. If the signal is locked then,
/// the thread waits for itself, of which a trace knows nothing.
fn watch_the_lock(body: impl FnOnce() + Send + 'static) {
    let (done, is_done) = channel();
    let body = thread::spawn(move || {
        body();
        let _ = done.send(());
    });
    if let Err(RecvTimeoutError::Timeout) = is_done.recv_timeout(Duration::from_secs(2)) {
        panic!("a waker came back to the signal that called it, and found it locked");
    }
    body.join().unwrap_or_else(|panic| resume_unwind(panic));
}

#[test]
fn a_value_set_before_the_first_poll_is_there() {
    watch(|| {
        let (setter, mut signal) = signal();
        setter.set(7);
        assert_eq!(poll(&mut signal, Waker::noop()), Poll::Ready(Some(7)));
    });
}

#[test]
fn a_value_set_after_a_poll_wakes_once_and_is_there() {
    watch(|| {
        let bell = Arc::new(Bell::default());
        let (setter, mut signal) = signal();
        assert_eq!(poll(&mut signal, &bell.clone().into()), Poll::Pending);
        assert_eq!(bell.rings(), 0);
        setter.set(7);
        assert_eq!(bell.rings(), 1);
        assert_eq!(poll(&mut signal, &bell.into()), Poll::Ready(Some(7)));
    });
}

#[test]
fn a_setter_dropped_before_the_first_poll_ends_the_signal() {
    watch(|| {
        let (setter, mut signal) = signal::<u32>();
        drop(setter);
        assert_eq!(poll(&mut signal, Waker::noop()), Poll::Ready(None));
    });
}

#[test]
fn a_setter_dropped_after_a_poll_wakes_once_and_ends_the_signal() {
    watch(|| {
        let bell = Arc::new(Bell::default());
        let (setter, mut signal) = signal::<u32>();
        assert_eq!(poll(&mut signal, &bell.clone().into()), Poll::Pending);
        drop(setter);
        assert_eq!(bell.rings(), 1);
        assert_eq!(poll(&mut signal, &bell.into()), Poll::Ready(None));
    });
}

#[test]
fn a_setter_lost_in_a_panic_does_not_leave_block_on_asleep() {
    watch(|| {
        let (setter, signal) = signal::<u32>();
        let other = thread::spawn(move || {
            let _setter = setter;
            panic!("as it should");
        });
        assert_eq!(block_on(signal), None);
        assert!(other.join().is_err());
    });
}

#[test]
fn the_value_comes_once() {
    watch(|| {
        let (setter, mut signal) = signal();
        setter.set(7);
        assert_eq!(poll(&mut signal, Waker::noop()), Poll::Ready(Some(7)));
        assert_eq!(poll(&mut signal, Waker::noop()), Poll::Ready(None));
    });
}

#[test]
fn only_the_waker_of_the_last_poll_is_woken() {
    watch(|| {
        let (first, last) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
        let (setter, mut signal) = signal();
        assert_eq!(poll(&mut signal, &first.clone().into()), Poll::Pending);
        assert_eq!(poll(&mut signal, &last.clone().into()), Poll::Pending);
        assert_eq!(Arc::strong_count(&first), 1, "the first waker is still kept");
        setter.set(7);
        assert_eq!((first.rings(), last.rings()), (0, 1));
    });
}

#[test]
fn a_waker_may_drop_the_setter_while_it_is_cloned() {
    static SETTER: Mutex<Option<Setter<u32>>> = Mutex::new(None);
    static DROPS_THE_SETTER: RawWakerVTable = RawWakerVTable::new(
        |data| {
            let setter = SETTER.lock().unwrap().take();
            drop(setter);
            RawWaker::new(data, &DROPS_THE_SETTER)
        },
        |_| {},
        |_| {},
        |_| {},
    );

    watch_the_lock(|| {
        // SAFETY: the four functions use nothing but a static behind a lock, so every clone stays
        // valid on every thread for ever, and there is nothing to free.
        let waker = unsafe { Waker::new(ptr::null(), &DROPS_THE_SETTER) };
        let (setter, mut signal) = signal();
        *SETTER.lock().unwrap() = Some(setter);
        assert_eq!(poll(&mut signal, &waker), Poll::Ready(None));
    });
}

#[test]
fn a_waker_may_poll_the_signal_while_it_is_woken() {
    watch_the_lock(|| {
        let (setter, signal) = signal();
        let signal = Arc::new(Mutex::new(signal));
        let seen = Arc::new(Mutex::new(None));
        let waker = waker_fn({
            let (signal, seen) = (signal.clone(), seen.clone());
            move || *seen.lock().unwrap() = Some(poll(&mut signal.lock().unwrap(), Waker::noop()))
        });
        assert_eq!(poll(&mut signal.lock().unwrap(), &waker), Poll::Pending);
        setter.set(7);
        assert_eq!(*seen.lock().unwrap(), Some(Poll::Ready(Some(7))));
    });
}

#[test]
fn a_waker_that_is_replaced_may_drop_the_setter() {
    watch_the_lock(|| {
        let bell = Arc::new(Bell::default());
        let (setter, mut signal) = signal::<u32>();
        let owns_the_setter = waker_fn(move || _ = &setter);
        assert_eq!(poll(&mut signal, &owns_the_setter), Poll::Pending);
        drop(owns_the_setter);
        assert_eq!(poll(&mut signal, &bell.clone().into()), Poll::Pending);
        assert_eq!(bell.rings(), 1, "the setter was dropped with the first waker");
        assert_eq!(poll(&mut signal, &bell.into()), Poll::Ready(None));
    });
}

#[test]
fn a_value_that_nobody_fetches_is_dropped() {
    watch(|| {
        let value = Arc::new(());
        for signal_goes_first in [true, false] {
            let (setter, signal) = signal();
            if signal_goes_first {
                drop(signal);
                setter.set(value.clone());
            } else {
                setter.set(value.clone());
                drop(signal);
            }
            assert_eq!(Arc::strong_count(&value), 1);
        }
    });
}

#[test]
fn no_wake_is_lost_whenever_the_value_is_set() {
    let rounds = if cfg!(miri) { 60 } else { 300 };
    let spin = |times| (0..times).for_each(|_| hint::spin_loop());
    watch(move || {
        let (ready, go) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
        let (to_setter, setters) = channel::<Setter<()>>();
        let (done, is_done) = channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                for (round, setter) in (1..).zip(setters) {
                    ready.store(round, SeqCst);
                    while go.load(SeqCst) < round {
                        hint::spin_loop();
                    }
                    // Later from round to round, so that it meets each step of the poll.
                    spin(round % 60);
                    setter.set(());
                    done.send(()).expect("the first thread waits for this");
                }
            });
            for round in 1..=rounds {
                let bell = Arc::new(Bell::default());
                let waker = Waker::from(bell.clone());
                let (setter, mut signal) = signal();
                to_setter.send(setter).expect("the other thread sets all");
                while ready.load(SeqCst) < round {
                    thread::yield_now();
                }
                go.store(round, SeqCst);
                spin(20);
                let first = poll(&mut signal, &waker);
                is_done.recv().expect("the other thread sets all");
                assert!(first.is_ready() || bell.rings() == 1, "round {round}");
            }
            drop(to_setter);
        });
    });
}
