#![allow(dead_code, reason = "each test file takes what it needs")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Wake, Waker};

use ch08_timers::Clock;
use ch09_fairness::{Config, Runtime, yield_now};
use conformance::{check_trace, watch};
use trace::{Event, Recording};

pub fn runtime() -> Runtime {
    Runtime::new(Config::default()).expect("descriptors are left")
}

/// A runtime whose clock jumps to the next deadline as soon as everybody waits.
pub fn virtual_runtime() -> Runtime {
    let clock = Clock::virtual_now();
    Runtime::with_clock(Config::default(), clock).expect("descriptors are left")
}

/// Runs a body in a runtime of its own, which is gone before the trace is looked at: no rule is
/// broken, and each task that was spawned was dropped.
pub fn run<F: Future<Output = ()>>(body: impl FnOnce() -> F + Send + 'static) {
    run_in(runtime, body);
}

pub fn run_in<F: Future<Output = ()>>(
    runtime: impl FnOnce() -> Runtime + Send + 'static,
    body: impl FnOnce() -> F + Send + 'static,
) {
    watch(|| {
        runtime().block_on(body());
        check_trace();
        no_task_is_left();
    });
}

pub fn no_task_is_left() {
    let events = Recording::current().expect("the test is watched").events();
    let spawned = events.iter().filter(|event| matches!(event, Event::Spawn { .. })).count();
    let dropped = events.iter().filter(|event| matches!(event, Event::TaskDrop { .. })).count();
    assert_eq!(dropped, spawned, "tasks dropped, of those spawned");
}

/// Gives everybody else a few turns.
pub async fn turns() {
    for _ in 0..3 {
        yield_now().await;
    }
}

/// Runs its closure when it is dropped.
pub struct OnDrop<F: FnMut()>(pub F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Notes that it was dropped.
#[derive(Clone, Default)]
pub struct Dropped(Rc<Cell<usize>>);

impl Dropped {
    pub fn times(&self) -> usize {
        self.0.get()
    }

    /// Something that counts here when it is dropped.
    pub fn token(&self) -> Token {
        Token(self.0.clone())
    }
}

#[derive(Debug)]
pub struct Token(Rc<Cell<usize>>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

thread_local! {
    static ACTIONS: RefCell<Vec<Rc<dyn Fn()>>> = const { RefCell::new(Vec::new()) };
}

fn add(action: impl Fn() + 'static) -> usize {
    ACTIONS.with_borrow_mut(|actions| {
        actions.push(Rc::new(action));
        actions.len() - 1
    })
}

fn act(action: Option<usize>) {
    let Some(number) = action else { return };
    // A waker that is dropped with the thread finds no actions any more.
    let action = ACTIONS.try_with(|actions| actions.borrow()[number].clone());
    if let Ok(action) = action {
        action();
    }
}

/// A waker that runs code of this thread: a waker must be `Send`, and the code is not.
struct Acting {
    on_wake: Option<usize>,
    on_drop: Option<usize>,
}

impl Wake for Acting {
    fn wake(self: Arc<Self>) {
        act(self.on_wake);
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        act(self.on_drop);
    }
}

pub fn on_wake(action: impl Fn() + 'static) -> Waker {
    Arc::new(Acting { on_wake: Some(add(action)), on_drop: None }).into()
}

/// Its last clone runs the code when it is dropped.
pub fn on_waker_drop(action: impl Fn() + 'static) -> Waker {
    Arc::new(Acting { on_wake: None, on_drop: Some(add(action)) }).into()
}
