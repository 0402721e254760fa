//! The runtime: what a thread needs to run tasks.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::blocking::{Limits, Pool};
use crate::context;
use crate::driver::{Driver, DriverKind};
use crate::executor::Executor;
use crate::registry::Number;
use crate::thread::stay_on;
use crate::time::Timers;

pub use crate::handle::Handle;
pub use crate::thread::RuntimeThread;

// ANCHOR: core
/// What all parts of a runtime share. It lives until the last stream, timer or operation of it has gone.
pub(crate) struct Core {
    pub(crate) executor: Executor,
    pub(crate) timers: Timers,
    pub(crate) driver: Driver,
    /// How many polls there are between two visits to the driver, at most.
    budget: usize,
    /// Threads for blocking work, from the first of it on. `None` before, and at the end.
    pool: RefCell<Option<Rc<Pool>>>,
    limits: Limits,
    /// Last, because the number is given back when nothing of this is left.
    number: Number,
}
// ANCHOR_END: core

impl Core {
    pub(crate) fn handle(&self) -> Handle {
        Handle::new(self.number.inbox())
    }

    pub(crate) fn pool(&self) -> Rc<Pool> {
        self.pool.borrow_mut().get_or_insert_with(|| Rc::new(Pool::new(self.limits))).clone()
    }

    // ANCHOR: visit
    /// Hears what the driver has to say. Sleeps there if nobody can go on.
    fn visit_driver(&self) {
        let is_idle = self.executor.is_idle();
        let timeout = if is_idle { self.timers.time_left() } else { Some(Duration::ZERO) };
        self.driver.park(timeout).expect("the kernel refuses to wait");
        self.timers.fire();
        self.open_inbox();
        if !self.executor.is_idle() {
            self.timers.stay();
        }
    }
    // ANCHOR_END: visit

    fn open_inbox(&self) {
        let Some(mail) = self.number.inbox().take() else { return };
        for task in mail.wakes {
            self.executor.wake(task);
        }
        mail.calls.into_iter().for_each(|call| call());
    }
}

/// How a runtime is made.
#[derive(Clone, Debug)]
pub struct Builder {
    driver: DriverKind,
    entries: u32,
    budget: usize,
    limits: Limits,
    thread_name: Option<String>,
    cpu: Option<usize>,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}

impl Builder {
    /// A runtime as [`Runtime::new`] makes it.
    pub fn new() -> Builder {
        let limits = Limits { max_threads: 512, keep_alive: Duration::from_secs(10) };
        Builder {
            driver: DriverKind::Auto,
            entries: 256,
            budget: 128,
            limits,
            thread_name: None,
            cpu: None,
        }
    }

    /// What the runtime sleeps on.
    pub fn driver(mut self, driver: DriverKind) -> Builder {
        self.driver = driver;
        self
    }

    /// How many submissions a ring has room for between two calls of the kernel. When it is full, they are
    /// handed over earlier.
    ///
    /// # Panics
    /// If it is zero.
    #[track_caller]
    pub fn ring_entries(mut self, entries: u32) -> Builder {
        assert!(entries > 0, "a ring needs room for one submission at least");
        self.entries = entries;
        self
    }

    /// How many polls there are between two visits to the driver, at most. More of them are cheaper, and
    /// let sockets and timers wait longer. 128 if nothing is said.
    ///
    /// # Panics
    /// If it is less than two: one is for the main future, which would leave none to the tasks if it wakes
    /// itself.
    #[track_caller]
    pub fn run_budget(mut self, polls: usize) -> Builder {
        assert!(polls >= 2, "a run budget of less than 2 leaves the tasks no poll");
        self.budget = polls;
        self
    }

    /// How many threads there are for blocking work, at most. Work above that waits for a thread. 512 if
    /// nothing is said.
    ///
    /// # Panics
    /// If it is zero.
    #[track_caller]
    pub fn max_blocking_threads(mut self, threads: usize) -> Builder {
        assert!(threads > 0, "a pool of no threads never does anything");
        self.limits.max_threads = threads;
        self
    }

    /// How long a thread for blocking work stays when there is none. 10 seconds if nothing is said.
    pub fn thread_keep_alive(mut self, keep_alive: Duration) -> Builder {
        self.limits.keep_alive = keep_alive;
        self
    }

    /// The name of the thread that [`start`](Builder::start) makes. "runtime" if nothing is said.
    ///
    /// # Panics
    /// `start` does, if there is a null byte in it.
    pub fn thread_name(mut self, name: impl Into<String>) -> Builder {
        self.thread_name = Some(name.into());
        self
    }

    /// Keeps the thread of the runtime on this CPU, counted from 0: the one that calls
    /// [`build`](Builder::build), or the one that [`start`](Builder::start) makes. It stays there when the
    /// runtime has gone.
    pub fn cpu(mut self, cpu: usize) -> Builder {
        self.cpu = Some(cpu);
        self
    }

    /// Makes the runtime on a thread of its own, which runs it until the [`RuntimeThread`] is dropped.
    ///
    /// # Errors
    /// As [`build`](Builder::build), and if the system gives no thread.
    pub fn start(mut self) -> io::Result<RuntimeThread> {
        let name = self.thread_name.take().unwrap_or_else(|| "runtime".to_owned());
        RuntimeThread::start(self, name)
    }

    /// Makes the runtime, for this thread.
    ///
    /// # Errors
    /// If no file descriptors are left, or if there is no such driver or CPU, with a sentence that says why.
    pub fn build(self) -> io::Result<Runtime> {
        if let Some(cpu) = self.cpu {
            stay_on(cpu)?;
        }
        let number = Number::take()?;
        let driver = Driver::new(self.driver, self.entries)?;
        number.inbox().open(driver.unpark());
        let core = Core {
            executor: Executor::new(number.get()),
            timers: Timers::new(),
            driver,
            budget: self.budget,
            pool: RefCell::new(None),
            limits: self.limits,
            number,
        };
        Ok(Runtime { core: Rc::new(core) })
    }
}

/// Runs tasks on the thread that calls [`block_on`](Runtime::block_on).
///
/// Dropping it drops the futures of all tasks that are not done, gives up what the kernel was asked for,
/// and waits until the kernel has let go, and until the blocking work that was begun is done. Wakers that
/// are still around then do nothing. Streams and sleeps that were taken out of it may be dropped later,
/// anywhere on this thread. Whoever waits for one of them is woken, and told: a stream gives an error
/// (`ECANCELED`), and a sleep panics.
pub struct Runtime {
    core: Rc<Core>,
}

impl Runtime {
    /// Makes a runtime for this thread, with the best driver that the kernel has.
    ///
    /// # Errors
    /// If no file descriptors are left, or if `MINI_RUNTIME_DRIVER` names a driver that there is not.
    pub fn new() -> io::Result<Runtime> {
        Builder::new().build()
    }

    /// Reaches this runtime from any thread.
    pub fn handle(&self) -> Handle {
        self.core.handle()
    }

    /// What this runtime sleeps on.
    pub fn driver(&self) -> DriverKind {
        self.core.driver.kind()
    }

    /// Runs `future`, and the tasks that are spawned meanwhile, until `future` is done. Returns its
    /// output.
    ///
    /// Tasks that are not done by then stay with the runtime, and go on in the next `block_on`.
    ///
    /// Built in chapter 5, section "The loop", and in chapter 9.
    ///
    /// # Panics
    /// - If `future` panics.
    /// - If a runtime runs on this thread already.
    /// - If the kernel refuses to wait.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let core = &self.core;
        // ANCHOR: loop
        context::enter(core, || {
            core.executor.begin_main();
            core.open_inbox();
            let mut future = pin!(future);
            let mut polls = 0;
            loop {
                if core.executor.is_main_woken() {
                    polls += 1;
                    if let Poll::Ready(output) = core.executor.poll_main(future.as_mut()) {
                        return output;
                    }
                }
                polls += core.executor.run(core.budget - polls);
                if polls >= core.budget || core.executor.is_idle() {
                    core.visit_driver();
                    polls = 0;
                }
            }
        })
        // ANCHOR_END: loop
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // First the door: nobody can start anything any more, and who waits for a start is told.
        self.core.number.inbox().close();
        self.core.executor.cancel_all();
        self.core.timers.close();
        // What the tasks have lent to the kernel comes back.
        self.core.driver.close();
        // Blocking work that waits for a task has learnt by now that the task has ended.
        let pool = self.core.pool.take();
        drop(pool);
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("driver", &self.driver())
            .field("tasks", &self.core.executor.live())
            .field("timers", &self.core.timers.len())
            .field("slots", &self.core.driver.slots())
            .finish_non_exhaustive()
    }
}
