use std::fmt;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use ch05_executor::{MainWaker, Park, Scheduler, enter};
use futures::task::{LocalFutureObj, LocalSpawn, SpawnError};
use trace::{Event, emit};

use crate::coop::{COOP_BUDGET, new_budget};
use crate::tasks::Tasks;
use crate::watched::{SlowPoll, Watched};
use crate::yield_now::YieldQueue;

// ANCHOR: config
/// How the thread is shared.
pub struct Config {
    /// How many polls there are between two visits to the park, at most. Two at least: one is for the
    /// main future, which would leave none to the tasks if it wakes itself.
    pub run_budget: usize,
    /// How many steps a task may take in one poll. One at least.
    pub coop_budget: u32,
    /// How long the poll of a task may take before it is reported.
    pub slow_poll: Duration,
    /// Hears of each poll that took longer, right after it. May spawn. A panic is the task's own: the
    /// task has ended then.
    pub report: Box<dyn Fn(SlowPoll)>,
    /// What the polls are timed with.
    pub clock: Box<dyn Fn() -> Instant>,
}

impl Default for Config {
    /// 61 polls, 128 steps, and 100 µs, which are reported to nobody.
    fn default() -> Config {
        Config {
            run_budget: 61,
            coop_budget: COOP_BUDGET,
            slow_poll: Duration::from_micros(100),
            report: Box::new(|_| {}),
            clock: Box::new(Instant::now),
        }
    }
}
// ANCHOR_END: config

// ANCHOR: executor
/// Chapter 5's executor, with another loop: no task that gives the thread back keeps it from its park.
///
/// See the section "The loop with a budget" of chapter 9.
pub struct Executor {
    tasks: Rc<dyn Tasks>,
    park: Box<dyn Park>,
    config: Rc<Config>,
    yielded: Rc<YieldQueue>,
}
// ANCHOR_END: executor

impl Executor {
    /// Makes an executor that sleeps on `park`.
    ///
    /// # Panics
    /// If a budget is less than [`Config`] says.
    pub fn new(park: impl Park + 'static, config: Config) -> Executor {
        Executor::with_tasks(park, config, Rc::<Scheduler>::default())
    }

    /// Makes an executor that sleeps on `park`, and keeps its tasks in `tasks`.
    ///
    /// # Panics
    /// If a budget is less than [`Config`] says.
    pub fn with_tasks(park: impl Park + 'static, config: Config, tasks: Rc<dyn Tasks>) -> Executor {
        assert!(config.run_budget >= 2, "a run budget of less than 2 leaves the tasks no poll");
        assert!(config.coop_budget >= 1, "a cooperative budget of 0 lets no task take a step");
        Executor { tasks, park: Box::new(park), config: Rc::new(config), yielded: Rc::default() }
    }

    // ANCHOR: block_on
    /// Runs `future`, and the tasks that are spawned meanwhile, until `future` is done.
    ///
    /// # Panics
    /// As chapter 5's [`block_on`](ch05_executor::Executor::block_on) does.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let spawner: Rc<dyn LocalSpawn> =
            Rc::new(Spawner { tasks: self.tasks.clone(), config: self.config.clone() });
        let main = MainWaker::new(self.park.unparker());
        enter(&spawner, || {
            let _entered = self.yielded.enter();
            let mut future = pin!(future);
            let mut polls = 0;
            loop {
                // ANCHOR: turn
                if main.take_woken() {
                    polls += 1;
                    let _budget = new_budget(self.config.coop_budget);
                    if let Poll::Ready(output) = main.poll(future.as_mut()) {
                        return output;
                    }
                }
                while polls < self.config.run_budget && self.tasks.run_next() {
                    polls += 1;
                }
                let busy = main.is_woken() || !self.tasks.is_idle();
                if !busy || polls == self.config.run_budget {
                    self.visit_park(busy);
                    polls = 0;
                }
                // ANCHOR_END: turn
            }
        })
    }
    // ANCHOR_END: block_on

    // ANCHOR: visit
    /// Hears what the park has to say. Sleeps there if nobody can go on, and nobody has yielded.
    fn visit_park(&self, busy: bool) {
        let must_return = busy || !self.yielded.is_empty();
        let timeout = must_return.then_some(Duration::ZERO);
        emit!(Event::Park { timeout });
        let parked = self.park.park(timeout);
        emit!(Event::Unpark);
        parked.expect("the executor's park failed");
        self.yielded.wake_all();
    }
    // ANCHOR_END: visit
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.tasks.cancel_all();
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").field("config", &self.config).finish_non_exhaustive()
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("run_budget", &self.run_budget)
            .field("coop_budget", &self.coop_budget)
            .field("slow_poll", &self.slow_poll)
            .finish_non_exhaustive()
    }
}

struct Spawner {
    tasks: Rc<dyn Tasks>,
    config: Rc<Config>,
}

impl LocalSpawn for Spawner {
    fn spawn_local_obj(&self, future: LocalFutureObj<'static, ()>) -> Result<(), SpawnError> {
        let watched = Watched::new(future, self.config.clone());
        self.tasks.clone().spawn(Box::pin(watched).into());
        Ok(())
    }
}
