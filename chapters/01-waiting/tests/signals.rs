//! A signal interrupts system calls of the whole process: it has a file, and so a process, of its
//! own.

mod common;

use std::fs;

use ch01_waiting::WAYS;
use common::{Server, hang_up, round_trip};
use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

#[test]
fn no_server_is_disturbed_by_signals() {
    // Without SA_RESTART, a call that sleeps when the signal comes fails with EINTR.
    let action = SigAction::new(SigHandler::Handler(do_nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing at all, so there is nothing in it that a signal handler must
    // not do, and no handler of anybody else for this signal is replaced in this process.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();

    for (way, serve) in WAYS {
        conformance::watch(move || {
            let server = Server::start(serve, 2);
            for _ in 0..2 {
                interrupt_every_thread();
                let mut client = server.connect();
                for _ in 0..100 {
                    round_trip(&mut client, b"hello");
                    interrupt_every_thread();
                }
                hang_up(client);
            }
            assert_eq!(server.stats().failed, 0, "{way}");
        });
    }
}

extern "C" fn do_nothing(_: libc::c_int) {}

fn interrupt_every_thread() {
    for thread in fs::read_dir("/proc/self/task").unwrap() {
        let name = thread.unwrap().file_name();
        let id: libc::pid_t = name.to_str().unwrap().parse().unwrap();
        // SAFETY: the call takes three numbers and touches no memory of ours. It sends a signal for
        // which there is a handler; a thread that is gone by now gives an error, which is fine.
        unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), id, libc::SIGUSR1) };
    }
}
