//! The inbox, the flag and the channel in every order of the threads' steps: loom runs each model again
//! and again, until no order is left. The three files are those of the library, with loom's locks and
//! atomics in the place of the standard library's.

#[path = "../src/inbox.rs"]
mod inbox;
#[path = "../src/oneshot.rs"]
mod oneshot;
#[path = "../src/woken.rs"]
mod woken;

/// What the three files find under the name `crate::sync`.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
    pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};
}

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use conformance::watch;
use loom::thread::{self, JoinHandle};
use waker_fn::waker_fn;

use inbox::Inbox;
use oneshot::Canceled;
use sync::{AtomicBool, Mutex, Ordering};
use woken::Woken;

/// What a thread sleeps on. Nobody really sleeps here: a thread that finds no token lets the others
/// run to their end, and looks again. If there is still none, it would have slept for ever.
#[derive(Clone)]
struct Token(Arc<AtomicBool>);

impl Token {
    fn new() -> Token {
        Token(Arc::new(AtomicBool::new(false)))
    }

    fn is_taken(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }

    /// The waker that leaves the token.
    fn unparker(&self) -> Waker {
        let token = self.0.clone();
        waker_fn(move || _ = token.swap(true, Ordering::AcqRel))
    }
}

/// The threads beside the one that sleeps.
struct Others(Vec<JoinHandle<()>>);

impl Others {
    fn start(count: u32, body: impl Fn(u32) + Clone + 'static) -> Others {
        let start = |number| {
            let body = body.clone();
            thread::spawn(move || body(number))
        };
        Others((1..=count).map(start).collect())
    }

    /// Sleeps until there is a token.
    fn park(&mut self, token: &Token) {
        if !token.is_taken() {
            self.join();
            assert!(token.is_taken(), "the thread sleeps for ever");
        }
    }

    fn join(&mut self) {
        for thread in self.0.drain(..) {
            thread.join().unwrap();
        }
    }
}

/// Every order of the steps, without a bound. The watchdog is for models that have become too big.
fn model(body: impl Fn() + Send + Sync + 'static) {
    watch(|| loom::model(body));
}

/// What loom says of a model that is wrong.
fn refuted(body: impl Fn() + Send + Sync + 'static) -> String {
    watch(|| {
        let panic = catch_unwind(AssertUnwindSafe(|| loom::model(body)))
            .expect_err("loom finds an order of steps in which this goes wrong");
        match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic.downcast_ref::<&str>().expect("it is a text").to_string(),
        }
    })
}

/// How a thread is reached: the library's way, and three wrong ones below.
trait Mailbox: 'static {
    fn new(unparker: Waker) -> Self;
    fn push(&self, message: u32);
    fn take_all(&self) -> Vec<u32>;

    /// Called when there was nothing to be read, before the thread sleeps.
    fn say_that_we_sleep(&self) {}
}

/// Two threads leave a message each. A third one reads until it has both.
fn two_threads_push<M: Mailbox>() {
    let token = Token::new();
    let mailbox = Arc::new(M::new(token.unparker()));
    let mut others = Others::start(2, {
        let mailbox = mailbox.clone();
        move |number| mailbox.push(number)
    });
    let mut sum = 0;
    loop {
        sum += mailbox.take_all().iter().sum::<u32>();
        if sum == 3 {
            break;
        }
        mailbox.say_that_we_sleep();
        others.park(&token);
    }
    others.join();
    assert!(mailbox.take_all().is_empty(), "each message comes once");
}

impl Mailbox for Inbox<u32> {
    fn new(unparker: Waker) -> Self {
        Inbox::new(unparker)
    }

    fn push(&self, message: u32) {
        assert_eq!(Inbox::push(self, message), Ok(()));
    }

    fn take_all(&self) -> Vec<u32> {
        Inbox::take_all(self)
    }
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn every_message_is_read_and_no_sleep_is_for_ever() {
    model(two_threads_push::<Inbox<u32>>);
}

/// Wakes first, and leaves the message after that.
struct UnparksFirst {
    messages: Mutex<Vec<u32>>,
    unparker: Waker,
}

impl Mailbox for UnparksFirst {
    fn new(unparker: Waker) -> Self {
        UnparksFirst { messages: Mutex::new(Vec::new()), unparker }
    }

    fn push(&self, message: u32) {
        self.unparker.wake_by_ref();
        self.messages.lock().unwrap().push(message);
    }

    fn take_all(&self) -> Vec<u32> {
        std::mem::take(&mut self.messages.lock().unwrap())
    }
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn an_unpark_before_the_push_is_found_out() {
    let said = refuted(two_threads_push::<UnparksFirst>);
    assert_eq!(said, "the thread sleeps for ever");
}

/// Saves unparks: only a thread that has said that it sleeps is woken. But it says so after it has
/// looked for messages, and one that comes in between wakes nobody.
struct SaysLateThatItSleeps {
    messages: Mutex<Vec<u32>>,
    sleeping: AtomicBool,
    unparker: Waker,
}

impl Mailbox for SaysLateThatItSleeps {
    fn new(unparker: Waker) -> Self {
        let (messages, sleeping) = (Mutex::new(Vec::new()), AtomicBool::new(false));
        SaysLateThatItSleeps { messages, sleeping, unparker }
    }

    fn push(&self, message: u32) {
        self.messages.lock().unwrap().push(message);
        if self.sleeping.swap(false, Ordering::AcqRel) {
            self.unparker.wake_by_ref();
        }
    }

    fn take_all(&self) -> Vec<u32> {
        std::mem::take(&mut self.messages.lock().unwrap())
    }

    fn say_that_we_sleep(&self) {
        self.sleeping.swap(true, Ordering::AcqRel);
    }
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn a_sleep_that_is_announced_after_the_look_is_found_out() {
    let said = refuted(two_threads_push::<SaysLateThatItSleeps>);
    assert_eq!(said, "the thread sleeps for ever");
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn messages_that_nobody_has_read_yet_cost_one_unpark() {
    model(|| {
        // Not loom's: it is no part of the model.
        let unparks = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counts = unparks.clone();
        let inbox = Arc::new(Inbox::new(waker_fn(move || {
            counts.fetch_add(1, Ordering::SeqCst);
        })));
        let threads = [1, 2].map(|message| {
            let inbox = inbox.clone();
            thread::spawn(move || inbox.push(message).unwrap())
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(unparks.load(Ordering::SeqCst), 1);
        assert_eq!(inbox.take_all().len(), 2);
        inbox.push(3).unwrap();
        assert_eq!(unparks.load(Ordering::SeqCst), 2);
    });
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn a_message_that_meets_the_close_is_read_or_handed_back_but_never_lost() {
    model(|| {
        let inbox = Arc::new(Inbox::new(Waker::noop().clone()));
        let threads = [1, 2].map(|message| {
            let inbox = inbox.clone();
            thread::spawn(move || inbox.push(message).err().unwrap_or(0))
        });
        let read = inbox.take_all();
        let found = inbox.close();
        let returned = threads.map(|thread| thread.join().unwrap());
        let sum: u32 = read.iter().chain(&found).chain(&returned).sum();
        assert_eq!(sum, 3);
        assert_eq!(inbox.push(4), Err(4));
        assert!(inbox.take_all().is_empty());
    });
}

trait Flag: 'static {
    fn new() -> Self;
    fn set(&self) -> bool;
    fn take(&self);
}

/// As much of a task as its wake needs.
struct Task<W> {
    woken: W,
    inbox: Inbox<()>,
    /// Relaxed: nothing but the wake brings the news.
    news: AtomicBool,
}

impl<W: Flag> Task<W> {
    fn wake(&self) {
        if self.woken.set() {
            self.inbox.push(()).unwrap();
        }
    }
}

/// One thread wakes a task, and so does another one, which has news. Whoever of them comes second
/// finds the task woken. It is polled until it has heard the news.
fn two_threads_wake<W: Flag>() {
    let token = Token::new();
    let inbox = Inbox::new(token.unparker());
    let task = Arc::new(Task { woken: W::new(), inbox, news: AtomicBool::new(false) });
    // The first poll has begun, and found nothing.
    task.woken.take();
    let mut others = Others::start(2, {
        let task = task.clone();
        move |number| {
            if number == 2 {
                task.news.store(true, Ordering::Relaxed);
            }
            task.wake();
        }
    });
    let (mut is_seen, mut polls) = (false, 0);
    while !is_seen {
        others.park(&token);
        for () in task.inbox.take_all() {
            task.woken.take();
            polls += 1;
            is_seen = task.news.load(Ordering::Relaxed);
        }
    }
    assert!(polls <= 2, "two wakes make two polls at most");
}

impl Flag for Woken {
    fn new() -> Self {
        Woken::new()
    }

    fn set(&self) -> bool {
        Woken::set(self)
    }

    fn take(&self) {
        Woken::take(self);
    }
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn the_poll_sees_what_every_waker_has_written_also_one_that_came_second() {
    model(two_threads_wake::<Woken>);
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn the_first_wake_since_a_poll_began_says_so_and_the_others_do_not() {
    model(|| {
        let woken = Woken::new();
        assert!(!woken.set(), "a new task is queued already");
        for _ in 0..3 {
            woken.take();
            assert!(woken.set());
            assert!(!woken.set());
        }
    });
}

/// A flag that is cleared with a store, which does not see what the second waker has done.
struct ClearedByAStore(AtomicBool);

impl Flag for ClearedByAStore {
    fn new() -> Self {
        ClearedByAStore(AtomicBool::new(true))
    }

    fn set(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    fn take(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// A flag that is set by a look and a store, between which another thread may look, too.
struct SetByAStore(AtomicBool);

impl Flag for SetByAStore {
    fn new() -> Self {
        SetByAStore(AtomicBool::new(true))
    }

    fn set(&self) -> bool {
        let is_first = !self.0.load(Ordering::Acquire);
        self.0.store(true, Ordering::Release);
        is_first
    }

    fn take(&self) {
        self.0.swap(false, Ordering::AcqRel);
    }
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn a_flag_that_is_cleared_or_set_with_a_store_is_found_out() {
    assert_eq!(refuted(two_threads_wake::<ClearedByAStore>), "the thread sleeps for ever");
    assert_eq!(refuted(two_threads_wake::<SetByAStore>), "the thread sleeps for ever");
}

/// Runs a future as chapter 3's `block_on` does, beside another thread.
fn block_on<F: Future>(future: F, others: &mut Others) -> F::Output {
    let token = Token::new();
    let waker = token.unparker();
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => others.park(&token),
        }
    }
}

/// One other thread, which does this.
fn other(body: impl FnOnce() + 'static) -> Others {
    Others(vec![thread::spawn(body)])
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn a_value_that_is_sent_reaches_the_receiver() {
    model(|| {
        let (sender, receiver) = oneshot::channel();
        let mut other = other(move || sender.send(7).unwrap());
        assert_eq!(block_on(receiver, &mut other), Ok(7));
    });
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn a_receiver_hears_of_a_sender_that_goes() {
    model(|| {
        let (sender, receiver) = oneshot::channel::<u32>();
        let mut other = other(move || drop(sender));
        assert_eq!(block_on(receiver, &mut other), Err(Canceled));
    });
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn a_sender_hears_of_a_receiver_that_goes() {
    model(|| {
        let (mut sender, receiver) = oneshot::channel::<u32>();
        let mut other = other(move || drop(receiver));
        block_on(sender.closed(), &mut other);
        assert_eq!(sender.send(7), Err(7));
    });
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn a_receiver_that_moves_to_another_task_is_woken_there() {
    model(|| {
        let (sender, receiver) = oneshot::channel();
        let mut other = other(move || sender.send(7).unwrap());
        let mut receiver = pin!(receiver);
        let first = receiver.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let value = match first {
            Poll::Ready(value) => value,
            Poll::Pending => block_on(receiver, &mut other),
        };
        assert_eq!(value, Ok(7));
    });
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn a_value_whose_receiver_goes_meanwhile_comes_once_or_is_handed_back_or_dropped() {
    model(|| {
        let (value, token) = (Arc::new(()), Token::new());
        let (sender, receiver) = oneshot::channel();
        let sent = value.clone();
        let other = thread::spawn(move || sender.send(sent).is_err());
        let mut receiver = Box::pin(receiver);
        let poll = receiver.as_mut().poll(&mut Context::from_waker(&token.unparker()));
        drop(receiver);
        let is_handed_back = other.join().unwrap();
        assert!(!(is_handed_back && poll.is_ready()), "the value came twice");
        drop(poll);
        assert_eq!(Arc::strong_count(&value), 1, "the value is still somewhere");
        assert_eq!(Arc::strong_count(&token.0), 1, "a waker is still somewhere");
    });
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn two_ends_that_go_at_once_leave_nothing_behind() {
    model(|| {
        let token = Token::new();
        let (mut sender, mut receiver) = oneshot::channel::<u32>();
        let receivers = token.unparker();
        let other = thread::spawn(move || {
            let _ = Pin::new(&mut receiver).poll(&mut Context::from_waker(&receivers));
        });
        let _ = sender.poll_closed(&mut Context::from_waker(&token.unparker()));
        drop(sender);
        other.join().unwrap();
        assert_eq!(Arc::strong_count(&token.0), 1, "a waker is still somewhere");
    });
}
