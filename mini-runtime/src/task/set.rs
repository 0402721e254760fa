use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::{JoinError, JoinHandle, spawn, wait, wake};
use crate::slab::{Key, Slab};

/// Tasks that belong together: their outputs come in the order in which they end, and dropping the set
/// aborts those that have not.
///
/// Chapter 10 asks what should become of a task whose handle is dropped. Here it is cancelled.
pub struct JoinSet<T> {
    handles: Slab<JoinHandle<T>>,
    ended: Rc<Ended>,
}

/// Which tasks have ended, and who waits for the next one.
#[derive(Default)]
struct Ended {
    keys: RefCell<VecDeque<Key>>,
    waiting: Cell<Option<Waker>>,
}

/// Is dropped with the future of a task: when that is done, has panicked, or was aborted.
struct Tells {
    ended: Rc<Ended>,
    /// Known when the task is in the set, which is before it is polled.
    key: Rc<Cell<Option<Key>>>,
}

impl Drop for Tells {
    fn drop(&mut self) {
        self.ended.keys.borrow_mut().extend(self.key.get());
        wake(self.ended.waiting.take());
    }
}

impl<T> JoinSet<T> {
    /// A set of no tasks.
    pub fn new() -> JoinSet<T> {
        JoinSet { handles: Slab::default(), ended: Rc::default() }
    }

    /// How many tasks there are whose output was not taken.
    pub fn len(&self) -> usize {
        self.handles.len()
    }

    /// Whether the outputs of all tasks were taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Asks all tasks to end. [`join_next`](JoinSet::join_next) tells when they have.
    pub fn abort_all(&self) {
        self.handles.iter().for_each(|(_, handle)| handle.abort());
    }

    /// Lets all tasks go on by themselves, and forgets them.
    pub fn detach_all(&mut self) {
        self.handles = Slab::default();
        let ended = mem::take(&mut self.ended);
        // There is nothing left to wait for.
        wake(ended.waiting.take());
    }

    /// Ready with the output of a task that has ended, or with `None` if there are no tasks.
    ///
    /// One task at a time can wait for that: a later one takes the place of the earlier.
    ///
    /// # Errors
    /// If the task has panicked, or was cancelled.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        if self.is_empty() {
            return Poll::Ready(None);
        }
        let key = self.ended.keys.borrow_mut().pop_front();
        let Some(key) = key else {
            wait(&self.ended.waiting, cx.waker());
            // That may have run any code, also such as ends a task: then this is to look again.
            if !self.ended.keys.borrow().is_empty() {
                wake(self.ended.waiting.take());
            }
            return Poll::Pending;
        };
        let handle = self.handles.get_mut(key).expect("an ended task is in the set");
        match Pin::new(handle).poll(cx) {
            Poll::Ready(output) => {
                drop(self.handles.remove(key));
                Poll::Ready(Some(output))
            }
            Poll::Pending => {
                // Its future is just being dropped, and that has called us.
                self.ended.keys.borrow_mut().push_front(key);
                Poll::Pending
            }
        }
    }

    /// Waits for the next task that ends, and takes its output. `None` if there are no tasks.
    ///
    /// # Errors
    /// If the task has panicked, or was aborted.
    ///
    /// # Cancel safety
    /// Dropping the future loses no output.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// Takes the output of a task that has ended, if there is one.
    ///
    /// # Errors
    /// If the task has panicked, or was aborted.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        // It is not polled without need: somebody may wait for it, whose waker would be lost.
        let next = *self.ended.keys.borrow().front()?;
        if !self.handles.get(next)?.is_finished() {
            return None;
        }
        match self.poll_join_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => None,
        }
    }

    /// Asks all tasks to end, and waits until they have. Their outputs are dropped.
    ///
    /// # Cancel safety
    /// The tasks have been asked, and those that have not ended by then stay in the set.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }
}

impl<T: 'static> JoinSet<T> {
    /// Starts a task of this set, as [`spawn`] does.
    ///
    /// # Panics
    /// As [`spawn`].
    #[track_caller]
    pub fn spawn(&mut self, future: impl Future<Output = T> + 'static) {
        let tells = Tells { ended: self.ended.clone(), key: Rc::default() };
        let key = tells.key.clone();
        let handle = spawn(async move {
            let _tells = tells;
            future.await
        });
        key.set(Some(self.handles.insert(handle)));
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> JoinSet<T> {
        JoinSet::new()
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.abort_all();
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish_non_exhaustive()
    }
}
