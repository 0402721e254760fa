//! The global executor. Alone in its file, because there is one in a process, and it stays.

mod common;

use std::sync::mpsc;
use std::thread;

use ch11_threads::oneshot;
use ch12_bring_your_own::{AlreadySet, Exec, set_global};
use common::run;
use futures::executor::block_on;
use futures::future::BoxFuture;

/// An executor that has a thread of this name for each future.
fn threads_called(name: &'static str) -> impl Fn(BoxFuture<'static, ()>) + Send + Sync {
    move |future| {
        let thread = thread::Builder::new().name(name.into());
        drop(thread.spawn(|| block_on(future)).expect("a thread is left"));
    }
}

/// The name of the thread on which a future runs.
fn ran_by(exec: &Exec) -> oneshot::Receiver<String> {
    let (sender, receiver) = oneshot::channel();
    exec.execute(async move {
        let name = thread::current().name().expect("they all have one").to_owned();
        sender.send(name).expect("it is waited for");
    })
    .expect("there is an executor");
    receiver
}

#[test]
fn the_own_one_comes_before_the_global_one_and_that_one_before_the_threads() {
    run(|| async {
        let home = thread::current().name().expect("a test has a name").to_owned();
        assert_eq!(ran_by(&Exec::default()).await, Ok(home), "before a global one was set");

        assert_eq!(set_global(threads_called("global")), Ok(()));
        assert_eq!(ran_by(&Exec::default()).await, Ok("global".into()));
        assert_eq!(ran_by(&Exec::own(threads_called("own"))).await, Ok("own".into()));

        // It is for all threads, also for those that run no executor.
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || sender.send(block_on(ran_by(&Exec::default()))));
        assert_eq!(receiver.recv().expect("it is sent"), Ok("global".into()));

        assert_eq!(set_global(threads_called("second")), Err(AlreadySet));
        assert_eq!(AlreadySet.to_string(), "the global executor is set already");
        assert_eq!(ran_by(&Exec::default()).await, Ok("global".into()), "the first one stays");
    });
}
