//! Which CPUs the threads of `per_core` run on. Alone in its file, because it looks at those of the whole
//! process.

use std::thread;

use ch11_threads::spawn_blocking;
use ch12_bring_your_own::{Core, DedicatedExecutor, per_core};
use conformance::watch;
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

/// The CPUs that this thread may use.
fn my_cpus() -> Vec<usize> {
    let mine = sched_getaffinity(Pid::from_raw(0)).expect("the kernel tells");
    (0..CpuSet::count()).filter(|cpu| mine.is_set(*cpu).unwrap_or(false)).collect()
}

#[test]
fn each_main_runs_on_its_own_thread_and_cpu() {
    watch(|| {
        let allowed = my_cpus();
        // More than there are: they begin again with the first.
        let count = allowed.len() + 1;
        let cores = per_core(count, |core: Core| async move {
            let thread = thread::current();
            (core.index, thread.name().map(str::to_owned), my_cpus(), thread.id())
        })
        .expect("threads are left");
        let mut threads = Vec::new();
        for (index, output) in cores.join().into_iter().enumerate() {
            let (number, name, cpus, thread) = output.expect("no panic");
            assert_eq!((number, name), (index, Some(format!("core-{index}"))));
            assert_eq!(cpus, [allowed[index % allowed.len()]]);
            assert!(!threads.contains(&thread));
            threads.push(thread);
        }
        assert_eq!(threads.len(), count);
        assert_eq!(my_cpus(), allowed, "this thread stays where it was");
    });
}

#[test]
fn threads_that_are_started_on_a_core_stay_there() {
    watch(|| {
        let cores = per_core(2, |_| async {
            let blocking = spawn_blocking(my_cpus).await.expect("no panic");
            let dedicated = DedicatedExecutor::new("dedicated", 1).expect("threads are left");
            let computing = dedicated.spawn(async { my_cpus() }).await.expect("it ends");
            (my_cpus(), blocking, computing)
        });
        for output in cores.expect("threads are left").join() {
            let (here, blocking, computing) = output.expect("no panic");
            assert_eq!((&blocking, &computing), (&here, &here));
        }
    });
}
