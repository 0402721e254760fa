//! What the tests of the runtime share.
#![allow(dead_code, unused_macros, unused_imports, reason = "each test file takes what it needs")]

use std::cell::Cell;
use std::env;
use std::fs;
use std::future::poll_fn;
use std::io;
use std::net;
use std::os::fd::AsRawFd;
use std::pin::{Pin, pin};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

pub use conformance::skip;
use conformance::watch;
use mini_runtime::io::{IoBuf, IoBufMut};
use mini_runtime::net::{TcpListener, TcpStream};
use mini_runtime::task::yield_now;
use mini_runtime::{Builder, DriverKind, Runtime};

/// Makes two tests of each function, one for each driver, which is its argument.
macro_rules! on_both_drivers {
    ($(#[doc = $doc:literal] fn $name:ident($driver:ident) $body:block)*) => {
        mod epoll {
            use super::*;

            $(#[doc = $doc]
            #[test]
            fn $name() {
                common::on(::mini_runtime::DriverKind::Epoll, |$driver| $body);
            })*
        }

        mod io_uring {
            use super::*;

            $(#[doc = $doc]
            #[test]
            fn $name() {
                common::on(::mini_runtime::DriverKind::IoUring, |$driver| $body);
            })*
        }
    };
}
pub(crate) use on_both_drivers;

/// Runs a test body for one driver, under a deadline. Where the driver is missing, that is said.
///
/// One test of a file after the other: they count the same descriptors.
pub fn on(driver: DriverKind, body: impl FnOnce(DriverKind) + Send + 'static) {
    let _alone = alone();
    watch(move || {
        if let Err(error) = Builder::new().driver(driver).build() {
            assert_eq!(driver, DriverKind::IoUring, "{error}");
            skip(format_args!("no io_uring here: {error}"));
            return;
        }
        body(driver);
    });
}

pub fn runtime(driver: DriverKind) -> Runtime {
    Builder::new().driver(driver).build().expect("descriptors are left")
}

/// Whether there is io_uring here. Where not, that is said.
pub fn has_ring() -> bool {
    match Builder::new().driver(DriverKind::IoUring).build() {
        Ok(_) => true,
        Err(error) => {
            skip(format_args!("no io_uring here: {error}"));
            false
        }
    }
}

/// Says what a child process should do.
pub const CHILD: &str = "MINI_RUNTIME_TEST_CHILD";

/// Runs the test `child` of the same file in a process of its own.
pub fn start(what: &str, driver: Option<&str>, wrapper: &[&str]) -> Output {
    const VARIABLE: &str = "MINI_RUNTIME_DRIVER";

    let own = env::current_exe().expect("this file has a name");
    let mut command = match wrapper {
        [] => Command::new(own),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            // A sanitizer cannot look for leaks beneath a tracer, and would fail.
            command.args(arguments).arg(own).env("ASAN_OPTIONS", "detect_leaks=0");
            command
        }
    };
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]).env(CHILD, what);
    command.env_remove(VARIABLE).env("RUST_BACKTRACE", "0");
    if let Some(driver) = driver {
        command.env(VARIABLE, driver);
    }
    command.output().expect("it can be started")
}

/// What a child process has said, if nothing went wrong in it.
pub fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The wrapper that has strace watch a child process, and tell on its standard error. `None`, and a line that
/// cannot be overlooked, if there is no strace here, or if it may not trace.
pub fn strace<'a>(arguments: &[&'a str]) -> Option<Vec<&'a str>> {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        skip("strace is missing, or is not allowed");
        return None;
    }
    Some([&["strace", "-f", "-o", "/dev/stderr"], arguments].concat())
}

/// How many descriptors this process has open.
pub fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("there is a /proc").count()
}

/// Whether a descriptor is in non-blocking mode.
pub fn is_nonblocking(fd: &impl AsRawFd) -> bool {
    const O_NONBLOCK: u32 = 0o4000;
    let path = format!("/proc/self/fdinfo/{}", fd.as_raw_fd());
    let info = fs::read_to_string(path).expect("there is a /proc, and it is open");
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).expect("it has flags");
    u32::from_str_radix(flags.trim(), 8).expect("they are octal") & O_NONBLOCK != 0
}

/// Keeps the other tests of a file away, which count the same descriptors.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Two ends of a connection.
pub async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let client = TcpStream::connect(listener.local_addr().expect("it is bound"));
    let (client, accepted) = futures::join!(client, listener.accept());
    (client.expect("it listens"), accepted.expect("there is a client").0)
}

/// A stream, and the other end of it, which no runtime knows of.
pub async fn half() -> (TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let stream = TcpStream::connect(listener.local_addr().expect("it is bound")).await;
    (stream.expect("it listens"), listener.accept().expect("there is a client").0)
}

/// Gives everybody else so many turns, and the driver now and then.
pub async fn turns(number: usize) {
    for _ in 0..number {
        yield_now().await;
    }
}

/// Polls a future once, with the waker of this task.
pub async fn poll_once<F: Future + Unpin>(mut future: F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut future).poll(cx))).await
}

/// Counts how often something happens, on any thread.
#[derive(Clone, Debug, Default)]
pub struct Count(Arc<AtomicUsize>);

impl Count {
    pub fn add(&self) {
        self.0.fetch_add(1, SeqCst);
    }

    pub fn get(&self) -> usize {
        self.0.load(SeqCst)
    }
}

/// Calls something when it is dropped.
pub struct OnDrop<F: FnMut()>(pub F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A waker that does something when it is woken, and something when it is dropped.
pub fn waker(woken: impl Fn() + Send + Sync + 'static) -> Waker {
    struct Calls<F>(F);

    impl<F: Fn() + Send + Sync + 'static> Wake for Calls<F> {
        fn wake(self: Arc<Self>) {
            (self.0)();
        }
    }

    Waker::from(Arc::new(Calls(woken)))
}

/// A buffer that does something when it is dropped.
pub struct Buffer {
    pub bytes: Vec<u8>,
    pub on_drop: OnDrop<Box<dyn FnMut()>>,
}

impl Buffer {
    /// One that counts when it is freed.
    pub fn new(length: usize, freed: &Count) -> Buffer {
        let freed = freed.clone();
        Buffer::with(Vec::with_capacity(length), move || freed.add())
    }

    pub fn with(bytes: Vec<u8>, on_drop: impl FnMut() + 'static) -> Buffer {
        Buffer { bytes, on_drop: OnDrop(Box::new(on_drop)) }
    }
}

// SAFETY: a vector's promise.
unsafe impl IoBuf for Buffer {
    fn as_ptr(&self) -> *const u8 {
        self.bytes.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.bytes.len()
    }
}

// SAFETY: a vector's promise.
unsafe impl IoBufMut for Buffer {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr()
    }

    fn bytes_total(&self) -> usize {
        self.bytes.capacity()
    }

    unsafe fn set_init(&mut self, length: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.bytes.set_len(length) };
    }
}

/// The same numbers on every run: `xorshift`.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}
