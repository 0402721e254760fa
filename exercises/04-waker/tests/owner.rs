//! On another thread than its task's, each of a waker's four functions ends the process. So the
//! tests start themselves again as child processes, and look how those end.

use std::env;
use std::future::pending;
use std::mem::{self, ManuallyDrop};
use std::os::unix::process::ExitStatusExt;
use std::process::{self, Command};
use std::rc::Rc;
use std::task::Waker;
use std::thread;

use ch04_waker::{Task, TaskQueue, waker};
use conformance::watch;

const CHILD: &str = "CH04_USES_A_WAKER_ON_ANOTHER_THREAD";
const ABORTED: i32 = 6;

fn sleeper() -> (Rc<TaskQueue>, Rc<Task>) {
    let queue = Rc::new(TaskQueue::default());
    let schedule = Rc::downgrade(&queue);
    let task = Task::new(1, Box::pin(pending()).into(), schedule);
    (queue, task)
}

/// Runs `test` in a child process, where `misuse` gets a waker on another thread, and looks whether
/// the child aborts. Exit status 0 of the child would mean that `misuse` came through.
fn aborts(test: &str, misuse: fn(Waker)) {
    if env::var_os(CHILD).is_some() {
        let (_queue, task) = sleeper();
        let waker = waker(task);
        let _ = thread::spawn(move || misuse(waker)).join();
        process::exit(0);
    }

    let test = test.to_string();
    let child = watch(move || {
        let this = env::current_exe().expect("a test knows where it is");
        let mut child = Command::new(this);
        child.args(["--exact", &test]).env(CHILD, "1");
        child.output().expect("a test can start itself")
    });
    let said = String::from_utf8_lossy(&child.stderr);
    assert_eq!(child.status.signal(), Some(ABORTED), "the process was not aborted: {child:?}");
    assert!(said.contains("chapter 11"), "{said}");
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn clone_on_another_thread_aborts() {
    aborts("clone_on_another_thread_aborts", |waker| {
        // Not even unwinding drops it: the drop would abort, too.
        let waker = ManuallyDrop::new(waker);
        mem::forget(Waker::clone(&waker));
    });
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn wake_on_another_thread_aborts() {
    aborts("wake_on_another_thread_aborts", Waker::wake);
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn wake_by_ref_on_another_thread_aborts() {
    aborts("wake_by_ref_on_another_thread_aborts", |waker| {
        let waker = ManuallyDrop::new(waker);
        waker.wake_by_ref();
    });
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn drop_on_another_thread_aborts() {
    aborts("drop_on_another_thread_aborts", drop);
}

#[test]
fn a_waker_may_travel_and_be_compared_abroad_if_it_comes_home_for_its_use() {
    let (queue, task) = sleeper();
    let (one, two) = (waker(task.clone()), waker(task));
    let (one, two) = thread::spawn(move || {
        assert!(one.will_wake(&two));
        (one, two)
    })
    .join()
    .unwrap();
    one.wake();
    drop(two);
    assert_eq!(queue.len(), 1);
}

#[test]
fn a_waker_in_a_thread_local_is_dropped_when_its_thread_ends() {
    use std::cell::RefCell;
    use std::sync::mpsc::{Sender, channel};

    thread_local! {
        static KEPT: RefCell<Option<Waker>> = const { RefCell::new(None) };
    }
    struct SendOnDrop(Sender<()>);
    impl Drop for SendOnDrop {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    let (sender, dropped) = channel();
    let end = thread::spawn(move || {
        // Kept before anything else asks which thread this is.
        KEPT.with_borrow_mut(|kept| {
            let queue = Rc::new(TaskQueue::default());
            let held = SendOnDrop(sender);
            let future = async move {
                let _held = held;
                pending::<()>().await;
            };
            let schedule = Rc::downgrade(&queue);
            *kept = Some(waker(Task::new(1, Box::pin(future).into(), schedule)));
        });
    });
    // The end of a thread, which `join` waits for, comes after the drop of its thread-locals.
    end.join().unwrap();
    assert_eq!(dropped.try_recv(), Ok(()));
}
