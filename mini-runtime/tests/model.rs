//! The inbox and the threads of the blocking pool in every order of their steps: loom runs each model again
//! and again, until no order is left. The two files are those of the library, with loom's locks and threads
//! in the place of the standard library's.

#[path = "../src/inbox.rs"]
mod inbox;
#[path = "../src/unwind.rs"]
mod unwind;
#[path = "../src/blocking/workers.rs"]
mod workers;

/// What the files find under the name `crate::sync`.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
    pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};
    pub(crate) use loom::thread;

    pub(crate) use crate::clock::Condvar;
}

/// What they find under the name `crate::task::name`.
mod task {
    pub(crate) mod name {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) struct TaskName(pub(crate) u32);
    }
}

/// A condition variable whose time may be over. loom has none.
mod clock {
    use std::time::Duration;

    use loom::lazy_static;
    use loom::sync::atomic::{AtomicBool, Ordering};
    use loom::sync::{LockResult, MutexGuard};

    lazy_static! {
        static ref IS_OVER: AtomicBool = AtomicBool::new(false);
    }

    /// From now on, whoever waits has waited for too long.
    pub(crate) fn run_out() {
        IS_OVER.store(true, Ordering::SeqCst);
    }

    pub(crate) struct Condvar(loom::sync::Condvar);

    pub(crate) struct Waited(bool);

    impl Condvar {
        pub(crate) fn new() -> Condvar {
            Condvar(loom::sync::Condvar::new())
        }

        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }

        /// When the time is over, this does not wait. When it ends meanwhile, this waits until it is
        /// notified, and is too late then: that is where a real one can go wrong, because whoever has
        /// notified it counts on it.
        pub(crate) fn wait_timeout<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            _keep_alive: Duration,
        ) -> LockResult<(MutexGuard<'a, T>, Waited)> {
            if IS_OVER.load(Ordering::SeqCst) {
                return Ok((guard, Waited(true)));
            }
            let guard = self.0.wait(guard).expect("nobody panics");
            Ok((guard, Waited(IS_OVER.load(Ordering::SeqCst))))
        }
    }

    impl Waited {
        pub(crate) fn timed_out(&self) -> bool {
            self.0
        }
    }
}

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use conformance::watch;
use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread::{self, JoinHandle};

use inbox::{Inbox, Unpark};
use task::name::TaskName;
use workers::{Limits, Workers};

/// Every order of the steps, without a bound. The watchdog is for models that have become too big.
fn model(body: impl Fn() + Send + Sync + 'static) {
    watch(|| loom::model(body));
}

/// Every order of the steps in which a thread loses its turn at most three times, in the middle of something.
/// The pool takes too many steps to try all.
fn bounded_model(body: impl Fn() + Send + Sync + 'static) {
    watch(|| {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(body);
    });
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

/// The doorbell, and the sleep that it ends. Nobody really sleeps here: a thread that does not hear the
/// bell lets the others run to their end, and listens again. If it is still silent, the thread would have
/// slept for ever.
#[derive(Clone)]
struct Doorbell(Arc<AtomicBool>);

impl Doorbell {
    fn new() -> Doorbell {
        Doorbell(Arc::new(AtomicBool::new(false)))
    }

    fn unpark(&self) -> Unpark {
        let bell = self.0.clone();
        Arc::new(move || _ = bell.swap(true, Ordering::AcqRel))
    }

    fn rings(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn hush(&self) {
        self.0.swap(false, Ordering::AcqRel);
    }

    fn sleep(&self, others: &mut Others) {
        if !self.rings() {
            others.join();
            assert!(self.rings(), "the thread sleeps for ever");
        }
    }
}

/// The threads beside the one that runs the runtime.
struct Others(Vec<JoinHandle<()>>);

impl Others {
    fn start(count: u32, body: impl Fn(u32) + Clone + 'static) -> Others {
        let start = |number| {
            let body = body.clone();
            thread::spawn(move || body(number))
        };
        Others((1..=count).map(start).collect())
    }

    fn join(&mut self) {
        for thread in self.0.drain(..) {
            thread.join().unwrap();
        }
    }
}

/// How other threads reach the runtime's: the library's way, and wrong ones below.
trait Mailbox: 'static {
    fn open(bell: &Doorbell) -> Self;
    fn wake(&self, task: u32);
    fn take(&self) -> Vec<u32>;

    /// Sleeps until the bell rings, makes it silent, and reads.
    fn visit(&self, bell: &Doorbell, others: &mut Others) -> Vec<u32> {
        bell.sleep(others);
        bell.hush();
        self.take()
    }
}

/// Two threads wake a task each, and have news for it. The runtime's thread reads and sleeps, until both
/// tasks have heard their news.
fn two_threads_wake<M: Mailbox>(tasks: [u32; 2]) {
    let bell = Doorbell::new();
    let mailbox = Arc::new(M::open(&bell));
    // Relaxed: nothing but the wake brings the news.
    let news = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
    let mut others = Others::start(2, {
        let (mailbox, news) = (mailbox.clone(), news.clone());
        move |number| {
            news[number as usize - 1].store(number, Ordering::Relaxed);
            mailbox.wake(tasks[number as usize - 1]);
        }
    });
    let (mut heard, mut polls) = ([0, 0], 0);
    let mut mail = mailbox.take();
    loop {
        for task in mail {
            polls += 1;
            for (index, news) in news.iter().enumerate().filter(|(index, _)| tasks[*index] == task)
            {
                heard[index] = news.load(Ordering::Relaxed);
            }
        }
        if heard == [1, 2] {
            break;
        }
        mail = mailbox.visit(&bell, &mut others);
    }
    others.join();
    polls += mailbox.take().len();
    assert!(polls <= 2, "two wakes make two polls at most");
}

impl Mailbox for Inbox {
    fn open(bell: &Doorbell) -> Inbox {
        let inbox = Inbox::closed();
        Inbox::open(&inbox, bell.unpark());
        inbox
    }

    fn wake(&self, task: u32) {
        Inbox::wake(self, TaskName(task));
    }

    fn take(&self) -> Vec<u32> {
        let mail = Inbox::take(self).unwrap_or_default();
        mail.wakes.into_iter().map(|task| task.0).collect()
    }
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn every_wake_is_heard_and_no_sleep_is_for_ever() {
    model(|| two_threads_wake::<Inbox>([1, 2]));
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn the_task_sees_what_each_waker_has_written_also_if_both_make_one_wake() {
    model(|| two_threads_wake::<Inbox>([1, 1]));
}

/// Rings first, and leaves the wake after that.
struct RingsFirst(Inbox, Unpark);

impl Mailbox for RingsFirst {
    fn open(bell: &Doorbell) -> RingsFirst {
        let inbox = Inbox::closed();
        inbox.open(Arc::new(|| ()));
        RingsFirst(inbox, bell.unpark())
    }

    fn wake(&self, task: u32) {
        (self.1)();
        Mailbox::wake(&self.0, task);
    }

    fn take(&self) -> Vec<u32> {
        Mailbox::take(&self.0)
    }
}

/// Makes the bell silent after it has read.
struct HushesLate(Inbox);

impl Mailbox for HushesLate {
    fn open(bell: &Doorbell) -> HushesLate {
        HushesLate(Mailbox::open(bell))
    }

    fn wake(&self, task: u32) {
        Mailbox::wake(&self.0, task);
    }

    fn take(&self) -> Vec<u32> {
        Mailbox::take(&self.0)
    }

    fn visit(&self, bell: &Doorbell, others: &mut Others) -> Vec<u32> {
        bell.sleep(others);
        let mail = self.take();
        bell.hush();
        mail
    }
}

/// Looks whether it is the first with another lock than that under which it leaves the wake.
struct LooksBefore {
    wakes: Mutex<Vec<u32>>,
    unpark: Unpark,
}

impl Mailbox for LooksBefore {
    fn open(bell: &Doorbell) -> LooksBefore {
        LooksBefore { wakes: Mutex::new(Vec::new()), unpark: bell.unpark() }
    }

    fn wake(&self, task: u32) {
        let is_first = self.wakes.lock().unwrap().is_empty();
        self.wakes.lock().unwrap().push(task);
        if is_first {
            (self.unpark)();
        }
    }

    fn take(&self) -> Vec<u32> {
        mem::take(&mut self.wakes.lock().unwrap())
    }
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn a_bell_that_rings_too_early_or_is_hushed_too_late_is_found_out() {
    let forever = "the thread sleeps for ever";
    assert_eq!(refuted(|| two_threads_wake::<RingsFirst>([1, 2])), forever);
    assert_eq!(refuted(|| two_threads_wake::<HushesLate>([1, 2])), forever);
    assert_eq!(refuted(|| two_threads_wake::<LooksBefore>([1, 2])), forever);
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn wakes_that_nobody_has_read_yet_cost_one_unpark() {
    model(|| {
        // Not loom's: it is no part of the model.
        let unparks = Arc::new(AtomicUsize::new(0));
        let counts = unparks.clone();
        let inbox = Arc::new(Inbox::closed());
        inbox.open(Arc::new(move || _ = counts.fetch_add(1, SeqCst)));
        let mut others = Others::start(3, {
            let inbox = inbox.clone();
            move |task| inbox.wake(TaskName(task))
        });
        others.join();
        assert_eq!(unparks.load(SeqCst), 1);
        assert_eq!(inbox.take().map(|mail| mail.wakes.len()), Some(3));
        inbox.wake(TaskName(1));
        assert_eq!(unparks.load(SeqCst), 2);
    });
}

/// Counts when it is dropped.
struct Counts(Arc<AtomicUsize>);

impl Drop for Counts {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn a_call_that_meets_the_close_is_made_or_dropped_or_handed_back_but_never_lost() {
    model(|| {
        let (made, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let inbox = Arc::new(Inbox::closed());
        inbox.open(Arc::new(|| ()));
        let mut others = Others::start(2, {
            let (inbox, made, dropped) = (inbox.clone(), made.clone(), dropped.clone());
            let generation = inbox.generation();
            move |_| {
                let (made, counts) = (made.clone(), Counts(dropped.clone()));
                drop(inbox.call(
                    generation,
                    Box::new(move || {
                        made.fetch_add(1, SeqCst);
                        // Not to be told that it was lost.
                        mem::forget(counts);
                    }),
                ));
            }
        });
        inbox.take().unwrap_or_default().calls.into_iter().for_each(|call| call());
        inbox.close();
        // The next runtime has this inbox. It is not to be bothered with calls for the last one.
        inbox.open(Arc::new(|| ()));
        others.join();
        assert!(inbox.take().is_none());
        assert_eq!(made.load(SeqCst) + dropped.load(SeqCst), 2);
    });
}

/// How many jobs are done, and somebody who waits for that.
#[derive(Clone)]
struct Done(Arc<(Mutex<u32>, Condvar)>);

impl Done {
    fn new() -> Done {
        Done(Arc::new((Mutex::new(0), Condvar::new())))
    }

    fn add(&self) {
        *self.0.0.lock().unwrap() += 1;
        self.0.1.notify_all();
    }

    /// loom says so if nobody is left who could end this.
    fn wait_for(&self, number: u32) {
        let mut done = self.0.0.lock().unwrap();
        while *done < number {
            done = self.0.1.wait(done).unwrap();
        }
    }
}

fn pool(max_threads: usize) -> Workers {
    Workers::new(Limits { max_threads, keep_alive: Duration::from_secs(1) })
}

/// Adds one.
fn job(done: &Done) -> Box<dyn FnOnce() + Send> {
    let done = done.clone();
    Box::new(move || done.add())
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn work_that_meets_a_thread_on_its_way_out_is_done() {
    bounded_model(|| {
        let (pool, done) = (pool(1), Done::new());
        pool.push(job(&done)).unwrap();
        let time = thread::spawn(clock::run_out);
        done.wait_for(1);
        pool.push(job(&done)).unwrap();
        done.wait_for(2);
        drop(pool);
        time.join().unwrap();
    });
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn two_jobs_that_need_each_other_get_a_thread_each() {
    bounded_model(|| {
        let (pool, done, first) = (pool(2), Done::new(), Done::new());
        // Leaves an idle thread, perhaps.
        pool.push(job(&done)).unwrap();
        done.wait_for(1);
        let (waits, says) = (first.clone(), done.clone());
        pool.push(Box::new(move || {
            waits.wait_for(1);
            says.add();
        }))
        .unwrap();
        pool.push(job(&first)).unwrap();
        done.wait_for(2);
        drop(pool);
    });
}

#[test]
#[cfg_attr(miri, ignore = "loom has a memory model of its own")]
fn a_pool_that_is_dropped_waits_for_what_was_begun_and_drops_the_rest() {
    bounded_model(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let pool = pool(1);
        for _ in 0..2 {
            let counts = Counts(dropped.clone());
            pool.push(Box::new(move || drop(counts))).unwrap();
        }
        drop(pool);
        assert_eq!(dropped.load(SeqCst), 2);
    });
}
