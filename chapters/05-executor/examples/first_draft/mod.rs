//! An executor as one would write it first: chapter 4's run queue, and a loop around it.
//!
//! The three demos run their programs on it. Each finds one fault.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ch04_waker::{Task, TaskQueue};
use ch05_executor::{Park, enter};
use futures::task::{LocalFutureObj, LocalSpawn, SpawnError};
use trace::{Cause, Event, MAIN, PollResult, TaskId, emit};

// ANCHOR: block_on
/// Runs `future`, and the tasks that are spawned meanwhile, until `future` is done.
pub fn block_on<F: Future>(park: impl Park, future: F) -> F::Output {
    let queue = Rc::new(TaskQueue::default());
    let spawner = spawner(&queue);
    // Nobody needs to wake the main future: the loop polls it at every turn.
    let mut context = Context::from_waker(Waker::noop());
    enter(&spawner, || {
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(output) = poll_main(future.as_mut(), &mut context) {
                return output;
            }
            queue.run();
            // The tasks may have brought what the main future waits for.
            if let Poll::Ready(output) = poll_main(future.as_mut(), &mut context) {
                return output;
            }
            // Everybody waits.
            emit!(Event::Park { timeout: None });
            let parked = park.park(None);
            emit!(Event::Unpark);
            parked.expect("the park failed");
        }
    })
}
// ANCHOR_END: block_on

// ANCHOR: spawner
/// Makes a task of each future, and puts it into the queue. Its wakers put it there again.
struct Spawner {
    queue: Rc<TaskQueue>,
    last_id: Cell<TaskId>,
}

impl LocalSpawn for Spawner {
    fn spawn_local_obj(&self, future: LocalFutureObj<'static, ()>) -> Result<(), SpawnError> {
        let id = self.last_id.get() + 1;
        self.last_id.set(id);
        let schedule = Rc::downgrade(&self.queue);
        self.queue.push(Task::new(id, future, schedule));
        Ok(())
    }
}
// ANCHOR_END: spawner

fn spawner(queue: &Rc<TaskQueue>) -> Rc<dyn LocalSpawn> {
    Rc::new(Spawner { queue: queue.clone(), last_id: Cell::new(0) })
}

fn poll_main<F: Future>(future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
    emit!(Event::PollStart { task: MAIN });
    let _cause = trace::caused_by(Cause::Task(MAIN));
    let poll = future.poll(context);
    emit!(Event::PollEnd {
        task: MAIN,
        result: match poll {
            Poll::Ready(_) => PollResult::Ready,
            Poll::Pending => PollResult::Pending,
        },
        // A waker that does nothing does not count as one.
        wakers: 0,
    });
    poll
}
