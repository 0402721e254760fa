//! No file descriptors left for a runtime. Alone in its file, because it lowers the limit of the whole
//! process.

mod common;

use std::fs::File;
use std::io;

use ch12_bring_your_own::{Core, DedicatedExecutor, per_core, run};
use common::{Count, threads_called, wait_until};
use conformance::{panic_text, watch};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

fn is_too_many<T>(result: io::Result<T>) {
    let error = result.err().expect("no descriptors are left");
    assert_eq!(error.to_string(), "Too many open files (os error 24)");
}

fn files() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

#[test]
fn who_starts_threads_says_so_and_leaves_none_and_an_async_main_panics() {
    watch(|| {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit can be read");
        setrlimit(Resource::RLIMIT_NOFILE, 64, hard).expect("the limit can be lowered");
        // A panic's backtrace would want descriptors, too.
        let mut files = files();
        let text = panic_text(|| run(async {}));
        assert!(text.starts_with("no runtime could be made: "), "{text}");
        assert!(text.contains("Too many open files"), "{text}");

        // There is room for one, and not for four.
        files.truncate(files.len() - 4);
        is_too_many(DedicatedExecutor::new("too-many", 4));
        let stopped = Count::default();
        let stops = stopped.clone();
        is_too_many(per_core(4, move |core: Core| {
            let stops = stops.clone();
            async move {
                let _ = core.stopped.await;
                stops.add();
            }
        }));
        // The one that had room was told to stop.
        wait_until(|| stopped.get() == 1);
        drop(files);
        wait_until(|| ["too-many", "core-0", "core-1"].map(threads_called) == [0; 3]);

        // Nothing is broken for good.
        run(async {});
        DedicatedExecutor::new("enough", 4).expect("descriptors are left").join();
    });
}
