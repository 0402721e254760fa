//! What the tests share: sleepers that are no tasks, and a start for those that are.

#![allow(dead_code, reason = "each test file uses another part")]

use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use ch05_executor::spawn;
use ch08_timers::{Clock, Runtime, Sleep, Timers, enter, sleep_until};
use futures::channel::oneshot;
use trace::{Event, Recording, invariants};

pub const MS: Duration = Duration::from_millis(1);
pub const SECOND: Duration = Duration::from_secs(1);
pub const HOUR: Duration = Duration::from_secs(3600);

/// The timeout of a park that does not sleep.
pub const NOW: Option<Duration> = Some(Duration::ZERO);

/// Runs a test body under a deadline, and holds its trace against the invariants. All timers must
/// be gone by its end.
pub fn checked(body: impl FnOnce() + Send + 'static) {
    conformance::watch(|| {
        body();
        conformance::check_trace();
        let recording = Recording::current().expect("`watch` records");
        if let Err(violation) = invariants::timers_come_home(&recording.records()) {
            panic!("{violation}");
        }
    });
}

/// What has been recorded of timers, a word for each step: `set1 fire1`.
pub fn timer_events() -> String {
    let word = |event: &Event| match event {
        Event::TimerSet { timer } => Some(format!("set{timer}")),
        Event::TimerFire { timer } => Some(format!("fire{timer}")),
        Event::TimerCancel { timer } => Some(format!("cancel{timer}")),
        _ => None,
    };
    let events = Recording::current().expect("`watch` records").events();
    events.iter().filter_map(word).collect::<Vec<_>>().join(" ")
}

/// How often the executor has parked.
pub fn parks() -> usize {
    let events = Recording::current().expect("`watch` records").events();
    events.iter().filter(|event| matches!(event, Event::Park { .. })).count()
}

/// Timers without a park, on a clock that moves when it is told to.
pub struct Bench {
    pub timers: Rc<Timers>,
    pub start: Instant,
}

impl Bench {
    pub fn new() -> Bench {
        let timers = Rc::new(Timers::new(Clock::virtual_now()));
        let start = timers.clock().now();
        Bench { timers, start }
    }

    /// A sleep until so many milliseconds after the start.
    pub fn sleep_until(&self, ms: u32) -> Sleep {
        enter(&self.timers, || sleep_until(self.start + ms * MS))
    }

    /// Moves the clock on, and wakes whose time has come.
    pub fn pass(&self, time: Duration) {
        self.timers.clock().advance(time);
        self.timers.fire();
    }
}

/// Notes who was woken, in order.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<usize>>>);

impl Log {
    /// Somebody who is no task. Waking them writes `name` into the log.
    pub fn sleeper(&self, name: usize) -> Sleeper {
        Sleeper(Arc::new(Noted { log: self.clone(), name }))
    }

    pub fn push(&self, name: usize) {
        self.0.lock().expect("nobody panics here").push(name);
    }

    /// Who was woken since the last look.
    pub fn take(&self) -> Vec<usize> {
        std::mem::take(&mut self.0.lock().expect("nobody panics here"))
    }
}

struct Noted {
    log: Log,
    name: usize,
}

impl Wake for Noted {
    fn wake(self: Arc<Self>) {
        self.log.push(self.name);
    }
}

#[derive(Clone)]
pub struct Sleeper(Arc<Noted>);

impl Sleeper {
    pub fn waker(&self) -> Waker {
        self.0.clone().into()
    }

    /// Polls a future as the task of this sleeper.
    pub fn poll<F: Future + Unpin>(&self, future: &mut F) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(&self.waker()))
    }

    /// How many wakers of this sleeper are kept.
    pub fn kept(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// A runtime whose hours take no time.
pub fn virtual_runtime() -> Runtime {
    Runtime::with_clock(Clock::virtual_now()).expect("three descriptors are free")
}

/// The time on the clock of the runtime that runs on this thread.
pub fn now() -> Instant {
    Timers::current().clock().now()
}

/// Spawns, and gives back what tells the end.
pub fn start<T: 'static>(future: impl Future<Output = T> + 'static) -> oneshot::Receiver<T> {
    let (done, is_done) = oneshot::channel();
    spawn(async move {
        // Nobody may be left to take it.
        let _ = done.send(future.await);
    });
    is_done
}

/// What a panic said.
pub fn panic_text(body: impl FnOnce()) -> String {
    let body = std::panic::AssertUnwindSafe(body);
    let panic = std::panic::catch_unwind(body).expect_err("it should have panicked");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().expect("a panic with text").to_string(),
    }
}

/// The same numbers on every run: `xorshift`.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}
