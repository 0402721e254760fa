//! What the channel for one value promises, to each of its ends.

use std::pin::{Pin, pin};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{RecvTimeoutError, channel as mpsc_channel};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::thread;
use std::time::Duration;

use ch03_block_on::block_on;
use ch11_threads::oneshot::{Canceled, Receiver, Sender, channel};
use conformance::watch;
use futures::future::{Either, ready, select};
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

fn poll<T>(receiver: &mut Receiver<T>, waker: &Waker) -> Poll<Result<T, Canceled>> {
    Pin::new(receiver).poll(&mut Context::from_waker(waker))
}

fn poll_closed<T>(sender: &mut Sender<T>, waker: &Waker) -> Poll<()> {
    sender.poll_closed(&mut Context::from_waker(waker))
}

/// Runs a test in which code of a user's comes back to the channel that calls it. If the channel is
/// locked then, the thread waits for itself, of which a trace knows nothing.
fn watch_the_lock(body: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc_channel();
    let body = thread::spawn(move || {
        body();
        let _ = done.send(());
    });
    if let Err(RecvTimeoutError::Timeout) = is_done.recv_timeout(Duration::from_secs(2)) {
        panic!("somebody came back to the channel that called them, and found it locked");
    }
    body.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[test]
fn a_value_that_was_sent_before_the_first_poll_is_there() {
    watch(|| {
        let (sender, mut receiver) = channel();
        assert_eq!(sender.send(7), Ok(()));
        assert_eq!(poll(&mut receiver, Waker::noop()), Poll::Ready(Ok(7)));
    });
}

#[test]
fn a_value_that_is_sent_after_a_poll_wakes_once_and_is_there() {
    watch(|| {
        let bell = Arc::new(Bell::default());
        let (sender, mut receiver) = channel();
        assert_eq!(poll(&mut receiver, &bell.clone().into()), Poll::Pending);
        assert_eq!(bell.rings(), 0);
        assert_eq!(sender.send(7), Ok(()));
        assert_eq!(bell.rings(), 1);
        assert_eq!(poll(&mut receiver, &bell.into()), Poll::Ready(Ok(7)));
    });
}

#[test]
fn a_sender_that_goes_wakes_once_and_cancels() {
    watch(|| {
        for is_polled_before in [false, true] {
            let bell = Arc::new(Bell::default());
            let (sender, mut receiver) = channel::<u32>();
            if is_polled_before {
                assert_eq!(poll(&mut receiver, &bell.clone().into()), Poll::Pending);
            }
            drop(sender);
            assert_eq!(bell.rings() == 1, is_polled_before);
            assert_eq!(poll(&mut receiver, &bell.into()), Poll::Ready(Err(Canceled)));
        }
        assert_eq!(Canceled.to_string(), "the sender has gone without a value");
    });
}

#[test]
fn the_value_comes_once() {
    watch(|| {
        let (sender, mut receiver) = channel();
        assert_eq!(sender.send(7), Ok(()));
        assert_eq!(poll(&mut receiver, Waker::noop()), Poll::Ready(Ok(7)));
        assert_eq!(poll(&mut receiver, Waker::noop()), Poll::Ready(Err(Canceled)));
        assert_eq!(poll(&mut receiver, Waker::noop()), Poll::Ready(Err(Canceled)));
    });
}

#[test]
fn a_value_for_which_nobody_is_left_is_handed_back() {
    watch(|| {
        let (sender, receiver) = channel();
        drop(receiver);
        assert_eq!(sender.send("a letter".to_string()), Err("a letter".to_string()));
    });
}

#[test]
fn a_value_that_nobody_fetches_is_dropped_with_the_receiver() {
    watch(|| {
        let value = Arc::new(());
        let (sender, receiver) = channel();
        sender.send(value.clone()).unwrap();
        assert_eq!(Arc::strong_count(&value), 2);
        drop(receiver);
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

#[test]
fn only_the_waker_of_the_last_poll_is_woken() {
    watch(|| {
        let (first, last) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
        let (sender, mut receiver) = channel();
        assert_eq!(poll(&mut receiver, &first.clone().into()), Poll::Pending);
        assert_eq!(poll(&mut receiver, &last.clone().into()), Poll::Pending);
        assert_eq!(Arc::strong_count(&first), 1, "the first waker is still kept");
        sender.send(7).unwrap();
        assert_eq!((first.rings(), last.rings()), (0, 1));
        assert_eq!(Arc::strong_count(&last), 1, "a waker that was woken is still kept");
    });
}

#[test]
fn a_receiver_that_is_awaited_by_reference_and_loses_a_select_loses_nothing() {
    watch(|| {
        block_on(async {
            let (sender, mut receiver) = channel();
            for _ in 0..3 {
                match select(&mut receiver, ready(())).await {
                    Either::Left(_) => panic!("nothing was sent"),
                    Either::Right(_) => {}
                }
            }
            sender.send(7).unwrap();
            assert_eq!(receiver.await, Ok(7));
        });
    });
}

#[test]
fn a_sender_hears_that_the_receiver_has_gone() {
    watch(|| {
        let bell = Arc::new(Bell::default());
        let (mut sender, receiver) = channel::<u32>();
        assert_eq!(poll_closed(&mut sender, &bell.clone().into()), Poll::Pending);
        assert_eq!(bell.rings(), 0);
        drop(receiver);
        assert_eq!(bell.rings(), 1);
        assert_eq!(poll_closed(&mut sender, &bell.clone().into()), Poll::Ready(()));
        assert_eq!(poll_closed(&mut sender, &bell.into()), Poll::Ready(()));
        assert_eq!(sender.send(7), Err(7));
    });
}

#[test]
fn a_sender_that_asks_late_hears_at_once_that_the_receiver_has_gone() {
    watch(|| {
        let (mut sender, receiver) = channel::<u32>();
        drop(receiver);
        block_on(sender.closed());
    });
}

#[test]
fn a_sender_may_stop_waiting_and_send_all_the_same() {
    watch(|| {
        let (mut sender, mut receiver) = channel();
        {
            let mut closed = pin!(sender.closed());
            assert!(closed.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        sender.send(7).unwrap();
        assert_eq!(poll(&mut receiver, Waker::noop()), Poll::Ready(Ok(7)));
    });
}

#[test]
fn only_the_senders_last_waker_is_woken_and_each_end_has_its_own() {
    watch(|| {
        let [first, last, receivers] = [(); 3].map(|()| Arc::new(Bell::default()));
        let (mut sender, mut receiver) = channel::<u32>();
        assert_eq!(poll(&mut receiver, &receivers.clone().into()), Poll::Pending);
        assert_eq!(poll_closed(&mut sender, &first.clone().into()), Poll::Pending);
        assert_eq!(poll_closed(&mut sender, &last.clone().into()), Poll::Pending);
        assert_eq!(Arc::strong_count(&first), 1, "the first waker is still kept");
        drop(receiver);
        assert_eq!((first.rings(), last.rings(), receivers.rings()), (0, 1, 0));
        assert_eq!(Arc::strong_count(&last), 1);
        assert_eq!(Arc::strong_count(&receivers), 1);
    });
}

#[test]
fn a_send_does_not_wake_its_own_sender() {
    watch(|| {
        let bell = Arc::new(Bell::default());
        let (mut sender, receiver) = channel();
        assert_eq!(poll_closed(&mut sender, &bell.clone().into()), Poll::Pending);
        sender.send(7).unwrap();
        assert_eq!((bell.rings(), Arc::strong_count(&bell)), (0, 1));
        drop(receiver);
        assert_eq!(bell.rings(), 0);
    });
}

#[test]
fn a_sender_that_is_lost_in_a_panic_does_not_leave_its_receiver_asleep() {
    watch(|| {
        let (sender, receiver) = channel::<u32>();
        let other = thread::spawn(move || {
            let _sender = sender;
            panic!("as it should");
        });
        assert_eq!(block_on(receiver), Err(Canceled));
        assert!(other.join().is_err());
    });
}

#[test]
fn a_waker_may_drop_the_other_end_while_it_is_cloned() {
    static SENDER: Mutex<Option<Sender<u32>>> = Mutex::new(None);
    static RECEIVER: Mutex<Option<Receiver<u32>>> = Mutex::new(None);
    static DROPS_BOTH: RawWakerVTable = RawWakerVTable::new(
        |data| {
            let sender = SENDER.lock().unwrap().take();
            drop(sender);
            let receiver = RECEIVER.lock().unwrap().take();
            drop(receiver);
            RawWaker::new(data, &DROPS_BOTH)
        },
        |_| {},
        |_| {},
        |_| {},
    );

    watch_the_lock(|| {
        // SAFETY: the four functions use nothing but statics behind locks, so every clone stays valid
        // on every thread for ever, and there is nothing to free.
        let waker = unsafe { Waker::new(ptr::null(), &DROPS_BOTH) };
        let (sender, mut receiver) = channel();
        *SENDER.lock().unwrap() = Some(sender);
        assert_eq!(poll(&mut receiver, &waker), Poll::Ready(Err(Canceled)));

        let (mut sender, receiver) = channel();
        *RECEIVER.lock().unwrap() = Some(receiver);
        assert_eq!(poll_closed(&mut sender, &waker), Poll::Ready(()));
    });
}

#[test]
fn a_waker_may_poll_the_receiver_while_it_is_woken() {
    watch_the_lock(|| {
        for is_sent in [true, false] {
            let (sender, receiver) = channel();
            let receiver = Arc::new(Mutex::new(receiver));
            let seen = Arc::new(Mutex::new(None));
            let waker = waker_fn({
                let (receiver, seen) = (receiver.clone(), seen.clone());
                move || {
                    let poll = poll(&mut receiver.lock().unwrap(), Waker::noop());
                    *seen.lock().unwrap() = Some(poll);
                }
            });
            assert_eq!(poll(&mut receiver.lock().unwrap(), &waker), Poll::Pending);
            let expected = if is_sent {
                sender.send(7).unwrap();
                Ok(7)
            } else {
                drop(sender);
                Err(Canceled)
            };
            assert_eq!(*seen.lock().unwrap(), Some(Poll::Ready(expected)));
        }
    });
}

#[test]
fn a_waker_may_ask_the_sender_while_it_is_woken() {
    watch_the_lock(|| {
        let (sender, receiver) = channel::<u32>();
        let sender = Arc::new(Mutex::new(sender));
        let seen = Arc::new(Mutex::new(None));
        let waker = waker_fn({
            let (sender, seen) = (sender.clone(), seen.clone());
            move || {
                let poll = poll_closed(&mut sender.lock().unwrap(), Waker::noop());
                *seen.lock().unwrap() = Some(poll);
            }
        });
        assert_eq!(poll_closed(&mut sender.lock().unwrap(), &waker), Poll::Pending);
        drop(receiver);
        assert_eq!(*seen.lock().unwrap(), Some(Poll::Ready(())));
    });
}

#[test]
fn a_waker_that_is_replaced_may_drop_the_other_end() {
    watch_the_lock(|| {
        let (sender, mut receiver) = channel::<u32>();
        let owns_the_sender = waker_fn(move || _ = &sender);
        assert_eq!(poll(&mut receiver, &owns_the_sender), Poll::Pending);
        drop(owns_the_sender);
        assert_eq!(poll(&mut receiver, Waker::noop()), Poll::Pending);
        assert_eq!(poll(&mut receiver, Waker::noop()), Poll::Ready(Err(Canceled)));

        let (mut sender, receiver) = channel::<u32>();
        let owns_the_receiver = waker_fn(move || _ = &receiver);
        assert_eq!(poll_closed(&mut sender, &owns_the_receiver), Poll::Pending);
        drop(owns_the_receiver);
        assert_eq!(poll_closed(&mut sender, Waker::noop()), Poll::Pending);
        assert_eq!(poll_closed(&mut sender, Waker::noop()), Poll::Ready(()));
    });
}

#[test]
fn no_value_and_no_end_is_lost_whatever_two_threads_do_at_once() {
    let rounds = if cfg!(miri) { 20 } else { 2_000 };
    watch(move || {
        for round in 0..rounds {
            let value = Arc::new(());
            let (sender, mut receiver) = channel();
            let (sent, start) = (value.clone(), Arc::new(Barrier::new(2)));
            let go = start.clone();
            let other = thread::spawn(move || {
                go.wait();
                match round % 3 {
                    0 => drop(sender),
                    _ => drop(sender.send(sent)),
                }
            });
            start.wait();
            match round % 4 {
                0 => drop(receiver),
                1 => {
                    drop(poll(&mut receiver, Waker::noop()));
                    drop(receiver);
                }
                _ => {
                    let received = block_on(&mut receiver);
                    assert_eq!(received.is_ok(), round % 3 != 0, "round {round}");
                }
            }
            other.join().expect("the other thread does not panic");
            assert_eq!(Arc::strong_count(&value), 1, "round {round}");
        }
    });
}
