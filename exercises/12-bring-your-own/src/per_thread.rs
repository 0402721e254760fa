use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

thread_local! {
    /// What this thread has of each [`PerThread`].
    static VALUES: RefCell<HashMap<u64, Rc<dyn Any>>> = RefCell::default();
}

static LAST_ID: AtomicU64 = AtomicU64::new(0);

/// One `T` for each thread that asks, made when it asks first. It is shared on its thread and never
/// leaves it, so it needs neither `Send` nor a lock: the way to give a client with its connections to
/// a runtime per core.
///
/// A thread keeps its `T` until it ends.
///
/// See the section "One client per thread" of chapter 12.
pub struct PerThread<T> {
    id: u64,
    make: Box<dyn Fn() -> T + Send + Sync>,
}

impl<T: 'static> PerThread<T> {
    /// Has each thread's `T` made by `make`.
    pub fn new(make: impl Fn() -> T + Send + Sync + 'static) -> PerThread<T> {
        PerThread { id: LAST_ID.fetch_add(1, Ordering::Relaxed) + 1, make: Box::new(make) }
    }

    /// This thread's `T`.
    ///
    /// # Panics
    /// If making it panics, or if the thread is about to end and has dropped it already.
    pub fn get(&self) -> Rc<T> {
        // EXERCISE 12.5: One for each thread
        todo!("12.5: return this thread's value, and make it if there is none yet");
        // END 12.5
    }
}

impl<T> fmt::Debug for PerThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerThread").finish_non_exhaustive()
    }
}
