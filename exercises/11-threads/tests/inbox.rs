//! The inbox alone: what is left there is read, and somebody is told.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

use ch11_threads::Inbox;
use conformance::watch;

/// Counts how often the thread was unparked.
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

fn inbox<T>() -> (Inbox<T>, Arc<Bell>) {
    let bell = Arc::new(Bell::default());
    (Inbox::new(bell.clone().into()), bell)
}

#[test]
fn messages_are_read_in_the_order_of_their_coming_and_once() {
    watch(|| {
        let (inbox, _) = inbox();
        for number in 0..10 {
            assert_eq!(inbox.push(number), Ok(()));
        }
        assert_eq!(inbox.take_all(), (0..10).collect::<Vec<_>>());
        assert!(inbox.take_all().is_empty());
        assert_eq!(inbox.push(10), Ok(()));
        assert_eq!(inbox.take_all(), [10]);
    });
}

#[test]
fn the_first_message_unparks_the_thread_and_those_that_find_it_there_do_not() {
    watch(|| {
        let (inbox, bell) = inbox();
        assert_eq!(bell.rings(), 0);
        for _ in 0..10 {
            inbox.push(()).unwrap();
            assert_eq!(bell.rings(), 1);
        }
    });
}

#[test]
fn the_first_message_after_a_reading_unparks_the_thread_again() {
    watch(|| {
        let (inbox, bell) = inbox();
        for round in 1..=3 {
            inbox.push(()).unwrap();
            inbox.push(()).unwrap();
            assert_eq!(bell.rings(), round);
            assert_eq!(inbox.take_all().len(), 2);
        }
    });
}

#[test]
fn a_closed_inbox_gives_each_message_back_and_unparks_nobody() {
    watch(|| {
        let (inbox, bell) = inbox();
        inbox.push("read").unwrap();
        assert_eq!(inbox.take_all(), ["read"]);
        inbox.push("unread").unwrap();
        assert_eq!(inbox.close(), ["unread"]);
        let before = bell.rings();
        assert_eq!(inbox.push("late"), Err("late"));
        assert_eq!(bell.rings(), before);
        assert!(inbox.take_all().is_empty());
        assert!(inbox.close().is_empty());
    });
}

#[test]
fn the_message_is_there_when_the_thread_is_unparked() {
    /// Reads its inbox as soon as it is unparked.
    #[derive(Default)]
    struct Reads {
        inbox: OnceLock<Weak<Inbox<u32>>>,
        sum: AtomicUsize,
    }

    impl Wake for Reads {
        fn wake(self: Arc<Self>) {
            let inbox = self.inbox.get().and_then(Weak::upgrade).expect("it is there");
            let sum: u32 = inbox.take_all().into_iter().sum();
            self.sum.fetch_add(sum as usize, SeqCst);
        }
    }

    // If the inbox is locked while it unparks, the thread waits for itself, of which a trace knows
    // nothing.
    let (done, is_done) = channel();
    let body = thread::spawn(move || {
        let reads = Arc::new(Reads::default());
        let inbox = Arc::new(Inbox::new(Waker::from(reads.clone())));
        reads.inbox.set(Arc::downgrade(&inbox)).expect("it is set once");
        inbox.push(3).unwrap();
        inbox.push(4).unwrap();
        let _ = done.send(reads.sum.load(SeqCst));
    });
    match is_done.recv_timeout(Duration::from_secs(2)) {
        Ok(sum) => assert_eq!(sum, 7),
        Err(RecvTimeoutError::Timeout) => panic!("the inbox is locked while it unparks"),
        Err(RecvTimeoutError::Disconnected) => {}
    }
    body.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[test]
fn many_threads_push_and_nothing_is_lost() {
    let rounds = if cfg!(miri) { 20 } else { 10_000 };
    watch(move || {
        let (inbox, bell) = inbox();
        let (mut sum, mut takes) = (0, 0);
        thread::scope(|scope| {
            let threads = [1, 2, 4, 8].map(|number| {
                let inbox = &inbox;
                scope.spawn(move || (0..rounds).for_each(|_| inbox.push(number).unwrap()))
            });
            while threads.iter().any(|thread| !thread.is_finished()) {
                takes += 1;
                sum += inbox.take_all().into_iter().sum::<usize>();
            }
        });
        sum += inbox.take_all().into_iter().sum::<usize>();
        assert_eq!(sum, 15 * rounds);
        // One for each time that it was empty.
        assert!(bell.rings() <= takes + 1, "{} for {takes} takes", bell.rings());
    });
}
