use std::fmt;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use futures::task::{LocalFutureObj, LocalSpawn, SpawnError};
use trace::{Event, emit};

use crate::main_waker::MainWaker;
use crate::scheduler::Scheduler;
use crate::{Park, enter};

/// Runs tasks on the thread that calls [`block_on`](Executor::block_on), and sleeps on a [`Park`]
/// when none can go on.
///
/// Dropping the executor drops the futures of all unfinished tasks, in the order of their spawning.
/// Wakers that are still around then do nothing.
///
/// See the section "The end of an executor" of chapter 5.
pub struct Executor {
    scheduler: Rc<Scheduler>,
    park: Box<dyn Park>,
}

impl Executor {
    /// Makes an executor that sleeps on `park`.
    pub fn new(park: impl Park + 'static) -> Executor {
        Executor { scheduler: Rc::default(), park: Box::new(park) }
    }

    /// Runs `future`, and the tasks that are spawned meanwhile, until `future` is done. Returns its
    /// output.
    ///
    /// Tasks that are not done by then stay with the executor, and go on in the next `block_on`.
    ///
    /// See the section "The loop" of chapter 5.
    ///
    /// # Panics
    /// - If `future` panics, or a task does. Such a task has ended; the executor can be used again.
    /// - If an executor runs on this thread already.
    /// - If the [`Park`] fails.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let spawner: Rc<dyn LocalSpawn> = Rc::new(Spawner(self.scheduler.clone()));
        let main = MainWaker::new(self.park.unparker());
        enter(&spawner, || {
            let mut future = pin!(future);
            loop {
                // EXERCISE 05.3: One turn of the loop
                todo!("05.3: one turn: the main future, then the run queue, then the sleep");
                // END 05.3
            }
        })
    }

    fn sleep(&self) {
        debug_assert!(self.scheduler.is_idle(), "the thread would sleep while a task is queued");
        emit!(Event::Park { timeout: None });
        let parked = self.park.park(None);
        emit!(Event::Unpark);
        parked.expect("the executor's park failed");
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.scheduler.cancel_all();
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").finish_non_exhaustive()
    }
}

struct Spawner(Rc<Scheduler>);

impl LocalSpawn for Spawner {
    fn spawn_local_obj(&self, future: LocalFutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.0.spawn(future);
        Ok(())
    }
}
