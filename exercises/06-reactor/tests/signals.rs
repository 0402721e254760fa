//! A signal interrupts a sleeping thread. It has a file, and so a process, of its own.

mod common;

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

use ch06_reactor::Direction::Read as Reading;
use ch06_reactor::Reactor;
use common::{Waiter, checked, number, pair, park, this_thread, until_it_sleeps_in};
use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: libc::c_int) {
    HANDLED.fetch_add(1, SeqCst);
}

#[test]
fn a_signal_neither_ends_the_wait_nor_breaks_it() {
    // Without SA_RESTART. (The kernel does not restart an epoll_wait in any case.)
    let action = SigAction::new(SigHandler::Handler(count), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler adds to an atomic and does nothing else, which a handler may do. Nobody
    // else in this process handles this signal.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();

    checked(|| {
        let reactor = Reactor::new().unwrap();
        let (ours, peer) = pair();
        let peer = peer.try_clone().unwrap();
        reactor.add(ours.clone()).unwrap();
        let waiter = Waiter::armed(&reactor, &ours, Reading);
        let (sleeper, epoll) = (this_thread(), number(&reactor));
        let over = AtomicBool::new(false);

        thread::scope(|scope| {
            scope.spawn(|| {
                for signals in 1..=20 {
                    // Nothing but the signal can end its sleep, so the signal finds it asleep.
                    until_it_sleeps_in(&sleeper, epoll);
                    interrupt(&sleeper);
                    while HANDLED.load(SeqCst) < signals {
                        thread::yield_now();
                    }
                }
                until_it_sleeps_in(&sleeper, epoll);
                assert!(!over.load(SeqCst), "a signal has ended the park");
                (&peer).write_all(b"x").unwrap();
            });
            park(&reactor, None);
            over.store(true, SeqCst);
        });
        assert_eq!(HANDLED.load(SeqCst), 20);
        assert_eq!(waiter.wakes(), 1);
    });
}

fn interrupt(thread: &str) {
    let id: libc::pid_t = thread.parse().expect("a thread's name in /proc is its number");
    // SAFETY: the call takes three numbers and touches no memory of ours. The signal has a handler.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), id, libc::SIGUSR1) };
    assert_eq!(sent, 0);
}
