//! A runtime that is gone leaves nothing open. Alone in its file: the descriptors and the threads are
//! the process's.

mod common;

use std::fs;
use std::sync::mpsc::channel;
use std::thread;

use ch09_fairness::{spawn, yield_now};
use ch11_threads::{oneshot, spawn_blocking};
use common::{abroad, all_is_well, runtime};
use conformance::{Probe, watch};

fn entries(folder: &str) -> usize {
    fs::read_dir(folder).expect("there is a /proc").count()
}

#[test]
#[cfg_attr(miri, ignore = "looks into /proc")]
fn no_descriptor_no_task_and_no_thread_is_left() {
    watch(|| {
        let (descriptors, threads) = (entries("/proc/self/fd"), entries("/proc/self/task"));
        for _ in 0..20 {
            let runtime = runtime(4);
            let handle = runtime.handle();
            let (never_started, never_read) = (runtime.handle(), Probe::default());
            let (tell, told) = channel::<()>();
            runtime.block_on(async {
                // Work that is done, work that runs at the end, and work that nobody begins.
                assert_eq!(spawn_blocking(|| 7).await.unwrap(), 7);
                let held = (0..3).map(|_| spawn_blocking(thread::yield_now));
                held.for_each(drop);
                drop(spawn_blocking(move || told.recv()));
                (0..10).for_each(|_| drop(spawn_blocking(|| ())));
                // Tasks that are done, that wait, and that are woken too late.
                handle.spawn(async || spawn(async {})).await.unwrap();
                spawn(never_read.clone());
                let (sender, receiver) = oneshot::channel::<()>();
                spawn(async move {
                    let _ = receiver.await;
                    drop(sender);
                });
                yield_now().await;
                let waker = never_read.waker();
                abroad(|| waker.wake());
            });
            drop(never_started.spawn(async || ()));
            drop(tell);
            drop(runtime);
        }
        assert_eq!(entries("/proc/self/fd"), descriptors);
        // The kernel takes a moment to forget a thread that has ended.
        while entries("/proc/self/task") > threads {
            thread::yield_now();
        }
        all_is_well();
    });
}
