//! How a runtime is made, and how its driver is asked.

mod common;

use std::env;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use common::{CHILD, half, has_ring, on_both_drivers, pair, runtime, said, start, strace, turns};
use conformance::{panic_text, watch};
use mini_runtime::io::{AsyncReadOwned, AsyncWriteOwned};
use mini_runtime::task::yield_now;
use mini_runtime::time::sleep;
use mini_runtime::{Builder, DriverKind, Runtime, spawn};

/// What the processes do that the tests below start.
#[test]
fn child() {
    let Ok(what) = env::var(CHILD) else { return };
    watch(move || match what.split_once(' ') {
        None => match Runtime::new() {
            Ok(runtime) => println!("driver={}", runtime.driver()),
            Err(error) => println!("error={error} kind={:?}", error.kind()),
        },
        Some((_, turns)) => {
            let turns: usize = turns.parse().expect("it is a number");
            let runtime = Runtime::new().expect("descriptors are left");
            runtime.block_on(async move {
                for _ in 0..turns {
                    yield_now().await;
                }
            });
        }
    });
}

#[test]
fn the_environment_chooses_the_driver() {
    for name in [None, Some(""), Some("auto")] {
        let kind = if has_ring() { "driver=io_uring" } else { "driver=epoll" };
        let said = said(&start("driver", name, &[]));
        assert!(said.contains(kind), "{said}");
    }
    let epoll = said(&start("driver", Some("epoll"), &[]));
    assert!(epoll.contains("driver=epoll"), "{epoll}");
    if has_ring() {
        let ring = said(&start("driver", Some("io_uring"), &[]));
        assert!(ring.contains("driver=io_uring"), "{ring}");
    }
    let nonsense = said(&start("driver", Some("kqueue"), &[]));
    let text = "error=MINI_RUNTIME_DRIVER is \"kqueue\": it can be auto, epoll or io_uring";
    assert!(nonsense.contains(text) && nonsense.contains("InvalidInput"), "{nonsense}");
}

/// Where there is no ring, that is said in words to whoever has asked for one. Whoever has not gets epoll.
#[test]
fn a_kernel_that_refuses_a_ring_is_served_by_epoll() {
    let faults = [
        ("io_uring_setup:error=ENOSYS", "this kernel has no io_uring, which came with Linux 5.1"),
        ("io_uring_setup:error=EPERM", "io_uring is "),
        ("io_uring_setup:error=ENOMEM", "too little memory may be locked for a ring"),
        ("io_uring_setup:error=EMFILE", "Too many open files"),
        ("io_uring_register:error=EINVAL", "probe, which came with Linux 5.6"),
    ];
    for (fault, sentence) in faults {
        let inject = format!("inject={fault}");
        let Some(strace) = strace(&["-e", &inject]) else { return };
        let without = said(&start("driver", None, &strace));
        assert!(without.contains("driver=epoll"), "{fault}: {without}");
        if fault.contains("register") && !has_ring() {
            return;
        }
        let ring = said(&start("driver", Some("io_uring"), &strace));
        assert!(ring.contains("error=") && ring.contains(sentence), "{fault}: {ring}");
    }
}

#[test]
fn a_builder_that_says_which_driver_does_not_ask_the_environment() {
    watch(|| {
        let epoll = Builder::new().driver(DriverKind::Epoll).build().expect("descriptors are left");
        assert_eq!(epoll.driver(), DriverKind::Epoll);
        assert_eq!(
            format!("{epoll:?}"),
            "Runtime { driver: Epoll, tasks: 0, timers: 0, slots: 0, .. }"
        );
        if has_ring() {
            let ring = Builder::new().driver(DriverKind::IoUring).build().expect("there is one");
            assert_eq!(ring.driver(), DriverKind::IoUring);
        }
        let names = [DriverKind::Auto, DriverKind::Epoll, DriverKind::IoUring];
        assert_eq!(names.map(|kind| kind.to_string()), ["auto", "epoll", "io_uring"]);
    });
}

#[test]
fn a_builder_refuses_what_can_never_work() {
    let text = panic_text(|| _ = Builder::new().ring_entries(0));
    assert!(text.contains("room for one submission"), "{text}");
    for budget in [0, 1] {
        let text = panic_text(|| _ = Builder::new().run_budget(budget));
        assert!(text.contains("leaves the tasks no poll"), "{text}");
    }
}

/// How often the kernel was called while a lone task yields so many times.
fn calls(driver: &str, turns: usize) -> Option<usize> {
    let strace = strace(&["-c"])?;
    let output = start(&format!("yield {turns}"), Some(driver), &strace);
    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8_lossy(&output.stderr).into_owned();
    let waits = table.lines().filter(|line| {
        line.ends_with(" epoll_wait")
            || line.ends_with(" epoll_pwait")
            || line.ends_with(" epoll_pwait2")
            || line.ends_with(" io_uring_enter")
    });
    Some(
        waits
            .map(|line| {
                line.split_whitespace().nth(3).expect("calls").parse::<usize>().expect("a number")
            })
            .sum(),
    )
}

#[test]
fn a_lone_task_that_yields_makes_no_system_call_for_each_yield() {
    let turns = 12_800;
    let Some(epoll) = calls("epoll", turns) else { return };
    // One for each run budget.
    assert!((50..=turns / 128 + 10).contains(&epoll), "{epoll} calls");
    if has_ring() {
        let ring = calls("io_uring", turns).expect("it was there a moment ago");
        assert!(ring <= 10, "{ring} calls");
    }
}

on_both_drivers! {
    /// They are handed over earlier, and all completions are heard.
    fn rings_of_one_two_and_four_entries_carry_a_thousand_operations(driver) {
        for entries in [1, 2, 4] {
            let runtime = Builder::new().driver(driver).ring_entries(entries).build();
            let runtime = runtime.expect("descriptors are left");
            runtime.block_on(async {
                let mut tasks = Vec::new();
                for number in 0..100_u8 {
                    let (one, two) = pair().await;
                    tasks.push(spawn(async move {
                        for round in 0..5 {
                            one.write_all(vec![number, round]).await.0.expect("connected");
                            let (read, bytes) = one.read_exact(Vec::with_capacity(2)).await;
                            read.expect("connected");
                            assert_eq!(bytes, [number, round]);
                        }
                    }));
                    drop(spawn(async move {
                        loop {
                            let (read, bytes) = two.read(Vec::with_capacity(2)).await;
                            if read.expect("connected") == 0 {
                                return;
                            }
                            two.write_all(bytes).await.0.expect("connected");
                        }
                    }));
                }
                for task in tasks {
                    task.await.expect("no panic");
                }
            });
        }
    }

    /// As many completions at once as overflow the queue, and as many cancellations.
    fn a_thousand_operations_that_are_given_up_at_once_come_home_on_a_small_ring(driver) {
        let runtime = Builder::new().driver(driver).ring_entries(1).build();
        runtime.expect("descriptors are left").block_on(async {
            let (stream, mut peer) = half().await;
            for round in 0..10 {
                let waits: Vec<_> = (0..1000).map(|_| Box::pin(stream.readable())).collect();
                let mut waits = waits;
                poll_fn(|cx| {
                    for wait in &mut waits {
                        let _ = wait.as_mut().poll(cx);
                    }
                    Poll::Ready(())
                })
                .await;
                if round % 2 == 0 {
                    std::io::Write::write_all(&mut peer, b"x").expect("connected");
                    turns(3).await;
                }
                drop(waits);
                turns(100).await;
                while stream.try_read(&mut [0]).is_ok() {}
            }
            drop(peer);
        });
    }

    /// However small or big: the kernel is asked for what it has.
    fn rings_of_any_size_can_be_asked_for(driver) {
        for entries in [1, 3, 1 << 15, 1 << 20, 1 << 30, u32::MAX] {
            let runtime = Builder::new().driver(driver).ring_entries(entries).build();
            let runtime = runtime.expect("the kernel gives what it has");
            runtime.block_on(async { sleep(Duration::from_micros(1)).await });
        }
    }

    /// A task that yields for ever, and one that the main future does: timers and sockets are heard.
    fn nobody_is_starved_by_a_task_that_yields_for_ever(driver) {
        for budget in [2, 3, 128, 10_000] {
            let runtime = Builder::new().driver(driver).run_budget(budget).build();
            runtime.expect("descriptors are left").block_on(async {
                drop(spawn(async {
                    loop {
                        yield_now().await;
                    }
                }));
                let (one, two) = pair().await;
                let reader = spawn(async move { two.read(Vec::with_capacity(1)).await.1 });
                sleep(Duration::from_millis(1)).await;
                one.write_all(b"x").await.0.expect("connected");
                while !reader.is_finished() {
                    yield_now().await;
                }
                assert_eq!(reader.await.expect("no panic"), b"x");
            });
        }
    }

    /// A number comes back when all that belongs to the runtime has gone.
    fn five_thousand_runtimes_one_after_the_other_find_a_number_each(driver) {
        for _ in 0..5000 {
            let runtime = runtime(driver);
            runtime.block_on(async {
                drop(spawn(std::future::pending::<()>()));
                yield_now().await;
            });
        }
    }
}
