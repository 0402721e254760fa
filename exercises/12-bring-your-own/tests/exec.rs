//! Who runs what a library starts.

mod common;

use std::thread;

use ch11_threads::{Handle, oneshot};
use ch12_bring_your_own::{DedicatedExecutor, Exec, Executor, NoExecutor};
use common::{Count, run_alone, runtime, turns, wait_until};
use conformance::watch;
use futures::future::BoxFuture;

#[test]
fn a_default_one_uses_the_executor_of_the_thread_that_asks() {
    run_alone(|| async {
        let (sender, receiver) = oneshot::channel();
        let home = thread::current().id();
        Exec::default()
            .execute(async move { sender.send(thread::current().id()).expect("it is waited for") })
            .expect("an executor runs here");
        assert_eq!(receiver.await, Ok(home));
    });
}

#[test]
fn execute_returns_before_the_future_runs() {
    run_alone(|| async {
        let count = Count::default();
        let counted = count.clone();
        Exec::default().execute(async move { counted.add() }).expect("an executor runs here");
        assert_eq!(count.get(), 0);
        turns().await;
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn an_own_one_is_used_and_not_that_of_the_thread() {
    run_alone(|| async {
        let own = Count::default();
        let counted = own.clone();
        let exec = Exec::own(move |_: BoxFuture<'static, ()>| counted.add());
        let ran = Count::default();
        for exec in [exec.clone(), exec] {
            let ran = ran.clone();
            exec.execute(async move { ran.add() }).expect("it has its own");
        }
        turns().await;
        // This own one drops what it is given.
        assert_eq!((own.get(), ran.get()), (2, 0));
    });
}

#[test]
fn without_any_executor_it_says_so_and_drops_the_future() {
    watch(|| {
        let dropped = Count::default();
        let token = dropped.token();
        let refused = Exec::default().execute(async move { drop(token) });
        assert_eq!(refused, Err(NoExecutor));
        assert_eq!(dropped.get(), 1);
        assert_eq!(
            NoExecutor.to_string(),
            "there is no executor: give one with Exec::own, set one with set_global, or call this \
             inside of block_on"
        );
    });
}

#[test]
fn a_handle_brings_the_future_home_from_any_thread() {
    watch(|| {
        let runtime = runtime();
        let exec = Exec::own(runtime.handle());
        let (sender, receiver) = oneshot::channel();
        let sent = thread::spawn(move || {
            exec.execute(
                async move { sender.send(thread::current().id()).expect("it is waited for") },
            )
        });
        let ran_on = runtime.block_on(receiver).expect("it runs");
        assert_eq!(ran_on, thread::current().id());
        sent.join().expect("no panic").expect("it has its own");
    });
}

#[test]
fn a_runtime_that_has_gone_drops_the_future() {
    watch(|| {
        let exec = Exec::own(runtime().handle());
        let dropped = Count::default();
        let token = dropped.token();
        exec.execute(async move { drop(token) }).expect("it has its own");
        assert_eq!(dropped.get(), 1);
    });
}

#[test]
fn a_future_that_panics_harms_nobody() {
    run_alone(|| async {
        let exec = Exec::default();
        exec.execute(async { panic!("as it should") }).expect("an executor runs here");
        let (sender, receiver) = oneshot::channel();
        exec.execute(async move { sender.send(7).expect("it is waited for") })
            .expect("an executor runs here");
        assert_eq!(receiver.await, Ok(7));
    });
}

#[test]
fn a_library_may_keep_any_executor_in_the_same_field() {
    watch(|| {
        let runtime = runtime();
        let tokio = tokio::runtime::Builder::new_current_thread().build().expect("no driver");
        let spawner = tokio.handle().clone();
        let executors: Vec<Box<dyn Executor>> = vec![
            Box::new(runtime.handle()),
            Box::new(DedicatedExecutor::new("any", 1).expect("threads are left")),
            Box::new(move |future| drop(spawner.spawn(future))),
            Box::new(|future| drop(thread::spawn(|| futures::executor::block_on(future)))),
        ];
        let ran: Vec<Count> = executors.iter().map(|_| Count::default()).collect();
        for (executor, ran) in executors.iter().zip(&ran) {
            let ran = ran.clone();
            executor.execute(Box::pin(async move { ran.add() }));
        }
        runtime.block_on(async {
            while ran[0].get() == 0 {
                ch09_fairness::yield_now().await;
            }
        });
        tokio.block_on(async {
            while ran[2].get() == 0 {
                tokio::task::yield_now().await;
            }
        });
        wait_until(|| ran.iter().all(|ran| ran.get() == 1));
    });
}

#[test]
fn it_says_what_it_is() {
    assert_eq!(format!("{:?}", Exec::default()), "Exec(\"default\")");
    assert_eq!(format!("{:?}", Exec::own(runtime().handle())), "Exec(\"own\")");
    assert!(Handle::try_current().is_none());
}
