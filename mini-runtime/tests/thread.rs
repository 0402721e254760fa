//! A runtime on a thread of its own.

mod common;

use std::sync::mpsc;
use std::thread;

use common::{Count, OnDrop, on_both_drivers};
use mini_runtime::Builder;
use mini_runtime::task::yield_now;
use rustix::thread::sched_getaffinity;

on_both_drivers! {
    /// Under its name, and on the CPU that was said.
    fn a_runtime_can_have_a_thread_of_its_own(driver) {
        let allowed = sched_getaffinity(None).expect("a thread may ask");
        let cpu = (0..1024).find(|cpu| allowed.is_set(*cpu)).expect("we run somewhere");
        let builder = Builder::new().driver(driver).thread_name("the worker").cpu(cpu);
        let worker = builder.start().expect("threads are left");
        let there = worker.handle().block_on(|| async {
            yield_now().await;
            let name = thread::current().name().map(str::to_owned);
            let cpus = sched_getaffinity(None).expect("a thread may ask");
            (name, cpus.count())
        });
        assert_eq!(there.expect("no panic"), (Some("the worker".to_owned()), 1));
        let here = sched_getaffinity(None).expect("a thread may ask");
        assert_eq!(here.count(), allowed.count(), "this thread may go where it could");
    }

    /// On its thread, and before the drop has come to its end.
    fn dropping_the_thread_drops_the_tasks(driver) {
        let worker = Builder::new().driver(driver).start().expect("threads are left");
        let dropped = Count::default();
        let counted = dropped.clone();
        let (started, has_started) = mpsc::channel();
        let task = worker.handle().spawn(move || {
            let home = thread::current().id();
            let alive = OnDrop(move || {
                assert_eq!(thread::current().id(), home);
                counted.add();
            });
            async move {
                let _alive = alive;
                started.send(()).expect("somebody waits");
                std::future::pending::<()>().await;
            }
        });
        has_started.recv().expect("it starts");
        drop(worker);
        assert_eq!(dropped.get(), 1);
        assert!(task.join().expect_err("it never ends").is_cancelled());
    }

    /// It cannot wait for itself.
    fn a_task_may_drop_its_own_thread(driver) {
        let worker = Builder::new().driver(driver).start().expect("threads are left");
        let handle = worker.handle().clone();
        let outcome = handle.block_on(move || async move { drop(worker) });
        assert!(outcome.is_ok() || outcome.expect_err("it was not ok").is_cancelled());
    }

    /// And with no thread left behind.
    fn what_cannot_be_built_is_an_error_of_start(driver) {
        let error = Builder::new().driver(driver).cpu(1023).start().expect_err("nobody has so many");
        assert!(error.to_string().starts_with("this thread cannot be kept on CPU 1023"), "{error}");
        let error = Builder::new().driver(driver).cpu(usize::MAX).build().expect_err("nor so many");
        assert!(error.to_string().contains("cannot be kept on CPU"), "{error}");
    }
}
