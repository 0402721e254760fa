//! A signal interrupts system calls of the whole process: it has a file, and so a process, of its
//! own.

mod common;

use std::fs;

use ch01_waiting::Serve;
use common::{Server, hang_up, large_message, receive, round_trip, send, suite};
use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

suite!([blocking threads spin callbacks] [
    a_call_that_a_signal_interrupts_is_made_again
    a_write_that_a_signal_cuts_short_goes_on
]);

fn a_call_that_a_signal_interrupts_is_made_again(serve: Serve) {
    let_signals_interrupt();
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
    assert_eq!(server.stats().failed, 0);
}

fn a_write_that_a_signal_cuts_short_goes_on(serve: Serve) {
    let_signals_interrupt();
    let server = Server::start(serve, 1);
    let mut client = server.connect();
    let message = large_message();
    let sender = send(&client, &message);
    // The server is faster than this client, and so most of the time asleep in `write`.
    for part in message.chunks(10_000) {
        interrupt_every_thread();
        receive(&mut client, part);
    }
    sender.join().unwrap();
    hang_up(client);
    assert_eq!(server.stats().failed, 0);
}

/// Without SA_RESTART, a call that sleeps when the signal comes fails with EINTR, or has done a part.
fn let_signals_interrupt() {
    let action = SigAction::new(SigHandler::Handler(do_nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing at all, so there is nothing in it that a signal handler must
    // not do, and no handler of anybody else for this signal is replaced in this process.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
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
