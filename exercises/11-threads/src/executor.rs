use std::fmt;
use std::io;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use ch05_executor::Park;

use crate::handle::{self, Current};
use crate::tasks::{self, OwnedTasks};
use crate::{Handle, Pool, PoolConfig};

/// Reads the inbox after each park.
struct InboxPark<P> {
    inner: P,
    tasks: Rc<OwnedTasks>,
}

impl<P: Park> Park for InboxPark<P> {
    fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.inner.park(timeout)?;
        self.tasks.open_inbox();
        Ok(())
    }

    fn unparker(&self) -> Waker {
        self.inner.unparker()
    }
}

/// How an executor shares its thread, and how many others it has for blocking work.
#[derive(Debug, Default)]
pub struct Config {
    /// The thread's own tasks.
    pub fairness: ch09_fairness::Config,
    /// The threads for [`spawn_blocking`](crate::spawn_blocking).
    pub blocking: PoolConfig,
}

/// Chapter 9's executor around tasks whose wakers may travel.
///
/// Dropping it drops all unfinished futures, on this thread. Wakers that are still around then do
/// nothing, and what is left of them is freed with the last one. After the futures go the threads of
/// the pool.
pub struct Executor {
    // In this order: blocking work that waits for a task learns that the task has ended.
    inner: ch09_fairness::Executor,
    tasks: Rc<OwnedTasks>,
    current: Rc<Current>,
}

impl Executor {
    /// Makes an executor that sleeps on `park`.
    ///
    /// # Panics
    /// If a number is less than the configuration says.
    pub fn new(park: impl Park + 'static, config: Config) -> Executor {
        let tasks = Rc::new(OwnedTasks::new(park.unparker()));
        let park = InboxPark { inner: park, tasks: tasks.clone() };
        let inner = ch09_fairness::Executor::with_tasks(park, config.fairness, tasks.clone());
        let handle = Handle::new(tasks.inbox().clone());
        let pool = Pool::new(config.blocking);
        Executor { inner, tasks, current: Rc::new(Current { handle, pool }) }
    }

    /// Reaches this executor from any thread.
    pub fn handle(&self) -> Handle {
        self.current.handle.clone()
    }

    /// The threads for blocking work.
    pub fn pool(&self) -> &Pool {
        &self.current.pool
    }

    /// Runs `future`, and the tasks that are spawned meanwhile, until `future` is done.
    ///
    /// # Panics
    /// As chapter 5's [`block_on`](ch05_executor::Executor::block_on) does.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let body = async {
            // What came since the last `block_on`, when nobody slept here to be woken.
            self.tasks.open_inbox();
            future.await
        };
        handle::enter(&self.current, || tasks::enter(&self.tasks, || self.inner.block_on(body)))
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").field("pool", &self.current.pool).finish_non_exhaustive()
    }
}
