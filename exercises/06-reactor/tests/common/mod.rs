//! What the tests look through: wakers that count, and the kernel's own account of an epoll instance.

#![allow(dead_code, reason = "each test file uses another part")]

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use ch05_executor::Park;
use ch06_reactor::{Direction, Reactor};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use trace::{Event, Recording, emit};

/// The timeout of a park that does not sleep.
pub const NOW: Option<Duration> = Some(Duration::ZERO);

/// Runs a test body under a deadline, and holds its trace against the invariants.
pub fn checked(body: impl FnOnce() + Send + 'static) {
    conformance::watch(|| {
        body();
        conformance::check_trace();
    });
}

/// Parks as an executor does: the trace says so.
pub fn park(reactor: &Reactor, timeout: Option<Duration>) {
    emit!(Event::Park { timeout });
    reactor.park(timeout).expect("the reactor can be asked");
    emit!(Event::Unpark);
}

/// Counts what is done to its wakers.
#[derive(Default)]
pub struct Count {
    wakes: AtomicUsize,
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.fetch_add(1, SeqCst);
    }
}

/// A waiter that is no task: it arms, and its wakers are counted.
#[derive(Clone, Default)]
pub struct Waiter(Arc<Count>);

impl Waiter {
    pub fn new() -> Waiter {
        Waiter::default()
    }

    /// A waiter that waits already.
    pub fn armed(reactor: &Reactor, fd: &impl AsFd, direction: Direction) -> Waiter {
        let waiter = Waiter::new();
        waiter.arm(reactor, fd, direction).expect("the descriptor is registered");
        waiter
    }

    pub fn arm(&self, reactor: &Reactor, fd: &impl AsFd, direction: Direction) -> io::Result<()> {
        self.arm_number(reactor, number(fd), direction)
    }

    pub fn arm_number(&self, reactor: &Reactor, fd: RawFd, direction: Direction) -> io::Result<()> {
        let waker = Waker::from(self.0.clone());
        reactor.arm(fd, direction, &mut Context::from_waker(&waker))
    }

    /// How often it was woken.
    pub fn wakes(&self) -> usize {
        self.0.wakes.load(SeqCst)
    }

    /// How many of its wakers somebody still keeps.
    pub fn kept(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// The number of a descriptor.
pub fn number(fd: &impl AsFd) -> RawFd {
    fd.as_fd().as_raw_fd()
}

/// What one line of an epoll instance's `fdinfo` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Registration {
    pub fd: RawFd,
    pub read: bool,
    pub write: bool,
}

/// The registrations of a reactor, in the order of their numbers, as the kernel tells them. Those of
/// the poller's own eventfd and timer are left out.
pub fn registrations(reactor: &impl AsFd) -> Vec<Registration> {
    let path = format!("/proc/self/fdinfo/{}", number(reactor));
    let text = fs::read_to_string(path).expect("the kernel tells of every descriptor");
    let mut found: Vec<_> = text.lines().filter_map(registration).collect();
    found.sort();
    found
}

/// `tfd:        7 events: 4000001b data:                7  pos:0 ino:2c5f sdev:e`
fn registration(line: &str) -> Option<Registration> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["tfd:", fd, "events:", events, "data:", key, ..] = words[..] else {
        return None;
    };
    let fd: RawFd = fd.parse().expect("tfd is a number");
    let events = i64::from_str_radix(events, 16).expect("events are a mask") as libc::c_int;
    let key = u64::from_str_radix(key, 16).expect("data is a number");
    if key == u64::MAX {
        return None;
    }
    assert_eq!(key, fd as u64, "the key of a registration is its descriptor");
    assert_ne!(events & libc::EPOLLONESHOT, 0, "a registration reports once: {line}");
    let asked = |flag| events & flag != 0;
    Some(Registration { fd, read: asked(libc::EPOLLIN), write: asked(libc::EPOLLOUT) })
}

/// Holds what the kernel tells against what it should.
#[track_caller]
pub fn assert_registrations<const N: usize>(reactor: &impl AsFd, mut expected: [Registration; N]) {
    // A descriptor that was opened later may well have a lower number.
    expected.sort();
    assert_eq!(registrations(reactor), expected);
}

/// One line of what is expected.
pub fn asked(fd: &impl AsFd, read: bool, write: bool) -> Registration {
    Registration { fd: number(fd), read, write }
}

/// Gives an open file a number of the caller's choice, which nobody else in the process uses.
pub fn numbered(file: impl AsFd, number: RawFd) -> OwnedFd {
    let copy = fcntl(&file, FcntlArg::F_DUPFD_CLOEXEC(number)).expect("a descriptor is free");
    assert_eq!(copy, number, "the number is taken: let each test use numbers of its own");
    // SAFETY: the call above has made this descriptor, and nobody else knows of it.
    unsafe { OwnedFd::from_raw_fd(copy) }
}

/// Whether a descriptor of this number is open.
pub fn is_open(fd: RawFd) -> bool {
    Path::new("/proc/self/fd").join(fd.to_string()).symlink_metadata().is_ok()
}

/// Two connected sockets, non-blocking.
pub fn pair() -> (Rc<UnixStream>, Rc<UnixStream>) {
    let (left, right) = UnixStream::pair().expect("two descriptors are free");
    for end in [&left, &right] {
        end.set_nonblocking(true).expect("a socket can be non-blocking");
    }
    (Rc::new(left), Rc::new(right))
}

/// How often the kernel has reported this descriptor, by the trace. A release build has none.
pub fn assert_reports(fd: &impl AsFd, expected: usize) {
    let reported = number(fd);
    let events = Recording::current().expect("the test is recorded").events();
    let reports =
        events.iter().filter(|event| matches!(event, Event::Ready { fd, .. } if *fd == reported));
    if trace::ENABLED {
        assert_eq!(reports.count(), expected, "reports of fd {reported}");
    }
}

/// Writes until no more is taken. The descriptor has to be non-blocking.
pub fn fill(mut to: impl Write) {
    while to.write(&[0; 65536]).is_ok() {}
}

/// Reads until nothing is left. The descriptor has to be non-blocking.
pub fn drain(mut from: impl Read) {
    let mut buffer = [0; 65536];
    while from.read(&mut buffer).is_ok_and(|taken| taken > 0) {}
}

/// The calling thread, for [`sleeps_in`].
pub fn this_thread() -> String {
    let path = fs::read_link("/proc/thread-self").expect("a thread can find itself");
    path.file_name().expect("it ends in a number").to_string_lossy().into_owned()
}

/// Whether the thread sleeps in a wait for this epoll instance, by the kernel's account: in a system
/// call whose first argument is that descriptor. Nothing else that a reactor does with it sleeps.
pub fn sleeps_in(thread: &str, epoll: RawFd) -> bool {
    let path = format!("/proc/self/task/{thread}/syscall");
    // "232 0x5 0x7f…", or "running".
    let call = fs::read_to_string(path).expect("the kernel tells what a thread sleeps in");
    call.split_whitespace().nth(1) == Some(&format!("{epoll:#x}"))
}

/// Returns when the thread sleeps in a wait for this epoll instance.
pub fn until_it_sleeps_in(thread: &str, epoll: RawFd) {
    while !sleeps_in(thread, epoll) {
        thread::yield_now();
    }
}

/// A file of the regular kind.
pub fn regular_file() -> File {
    File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).expect("the crate has one")
}
