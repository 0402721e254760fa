#![allow(dead_code, reason = "each test file takes what it needs")]

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::net;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use ch13_completion::{Driver, IoBuf, IoBufMut, Operation, TcpListener, TcpStream, block_on};
use conformance::{check_trace, watch};
use io_uring::{opcode, squeue};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll as poll_fds};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, socket,
};
use trace::{Event, OpKind, Recording, invariants};

/// The timeout of a wait that does not sleep.
pub const NOW: Option<Duration> = Some(Duration::ZERO);

/// A driver; `None`, and a line that cannot be overlooked, if this kernel has none.
pub fn driver(entries: u32) -> Option<Rc<Driver>> {
    match Driver::new(entries) {
        Ok(driver) => Some(Rc::new(driver)),
        Err(error) => {
            skip(&error);
            None
        }
    }
}

/// Says that a test is skipped because no ring can be had.
///
/// # Panics
/// If the kernel is not the reason.
pub fn skip(error: &io::Error) {
    let kernel = [ErrorKind::Unsupported, ErrorKind::PermissionDenied, ErrorKind::OutOfMemory];
    assert!(kernel.contains(&error.kind()), "{error}");
    conformance::skip(format_args!("no io_uring here: {error}"));
}

/// Runs a body with a driver. Nobody may hold the driver after it. The trace of it all has to keep the
/// rules: each operation was completed once, and each buffer came home, not before that.
pub fn driven(entries: u32, body: impl FnOnce(&Rc<Driver>) + Send + 'static) {
    watch(move || {
        let Some(driver) = driver(entries) else { return };
        or_leave_behind(&driver, || body(&driver));
        // These may hold it.
        drop(ACTIONS.take());
        assert_eq!(Rc::strong_count(&driver), 1, "the driver is held by somebody still");
        drop(driver);
        all_came_home();
    });
}

/// Runs a part of a test. If it panics, nobody waits any more for the operations of this driver: maybe
/// they never come home, and that would hide the panic.
pub fn or_leave_behind<T>(driver: &Rc<Driver>, part: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(part)).unwrap_or_else(|panic| {
        mem::forget(driver.clone());
        resume_unwind(panic)
    })
}

/// Runs a future on a driver. As [`driven`].
pub fn run<F>(body: impl FnOnce(Rc<Driver>) -> F + Send + 'static)
where
    F: Future<Output = io::Result<()>>,
{
    driven(64, |driver| {
        block_on(driver, body(driver.clone())).expect("loopback connections do not fail");
    });
}

/// Holds the trace so far against the rules: nothing is with the kernel any more.
pub fn all_came_home() {
    check_trace();
    let recording = Recording::current().expect("`watch` records");
    let records = recording.records();
    assert!(records.len() < trace::LIMIT, "the recording is full, and proves nothing");
    if let Err(violation) = invariants::operations_come_home(&records) {
        panic!("{violation}");
    }
}

/// What has been recorded of the operation with this number, a word for each step.
pub fn story(number: u64) -> String {
    let word = |event: &Event| match *event {
        Event::Sqe { op, .. } if op == number => Some("sqe"),
        Event::BufferLent { op } if op == number => Some("lent"),
        Event::OpCancel { op } if op == number => Some("cancel"),
        Event::Cqe { op, ok: true } if op == number => Some("cqe"),
        Event::Cqe { op, ok: false } if op == number => Some("cqe-failed"),
        Event::BufferHome { op } if op == number => Some("home"),
        _ => None,
    };
    let events = Recording::current().expect("`watch` records").events();
    events.iter().filter_map(word).collect::<Vec<_>>().join(" ")
}

/// Waits until nothing flies.
pub fn settle(driver: &Driver) {
    while driver.in_flight() > 0 {
        driver.wait(None).expect("the kernel waits");
    }
}

/// Polls a future once. Nobody is woken by it.
pub fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_with(future, Waker::noop())
}

pub fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(waker))
}

/// Waits until an operation has landed, and takes its output.
pub fn finish<F: Future + Unpin>(driver: &Driver, mut future: F) -> F::Output {
    loop {
        if let Poll::Ready(output) = poll(&mut future) {
            return output;
        }
        driver.wait(None).expect("the kernel waits");
    }
}

/// Waits until an operation has landed, without a look at its output.
pub fn land<F: Future + Unpin>(driver: &Driver, future: &mut F) {
    let woken = Woken::default();
    assert!(poll_with(future, &woken.waker()).is_pending(), "it has landed before");
    while woken.times() == 0 {
        driver.wait(None).expect("the kernel waits");
    }
}

/// Two ends of a connection: one on the ring, and one that the test reads and writes as it likes.
pub fn pair(driver: &Rc<Driver>) -> (TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let far = net::TcpStream::connect(address).expect("it listens");
    let (near, _) = listener.accept().expect("somebody has connected");
    (TcpStream::from_fd(near.into(), driver), far)
}

/// The same, and nothing can be sent from the end on the ring until the other one reads. These are Unix
/// sockets: what is full stays full. TCP moves bytes from one side to the other whenever it likes.
pub fn stuffed_pair(driver: &Rc<Driver>) -> (TcpStream, UnixStream) {
    let (mut near, far) = UnixStream::pair().expect("descriptors are left");
    near.set_nonblocking(true).expect("a socket can be non-blocking");
    while near.write(&[0; 4096]).is_ok() {}
    near.set_nonblocking(false).expect("a socket can be blocking");
    (TcpStream::from_fd(near.into(), driver), far)
}

/// The address of a listener to whom nobody can connect, because those who have connected fill its
/// queue. It is all over when the result is dropped.
pub fn full_listener() -> (net::SocketAddr, impl Sized) {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None).expect("a descriptor");
    bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).expect("a port is free");
    listen(&socket, Backlog::new(0).expect("it is a length")).expect("it is bound");
    let listener = net::TcpListener::from(socket);
    let address = listener.local_addr().expect("it is bound");
    // There is room for one more than was asked for. It is there when the listener can be read.
    let inside = net::TcpStream::connect(address).expect("it listens");
    let mut arrives = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    poll_fds(&mut arrives, PollTimeout::NONE).expect("a listener can be waited for");
    (address, (listener, inside))
}

/// A listener on the ring.
pub fn listener(driver: &Rc<Driver>) -> TcpListener {
    let listener = net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    ch13_completion::enter(driver, || TcpListener::from_std(listener))
}

/// Two ends of a connection, both on the ring of this thread.
pub async fn both_ends() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let connect = TcpStream::connect(listener.local_addr()?);
    let (accepted, connected) = futures::future::join(listener.accept(), connect).await;
    Ok((accepted?.0, connected?))
}

/// Bytes that repeat with a period which no buffer size shares.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place % 251) as u8).collect()
}

/// Does nothing, by way of the kernel.
pub struct Nop;

// SAFETY: the entry points to nothing.
unsafe impl Operation for Nop {
    const KIND: OpKind = OpKind::Nop;
    type Output = io::Result<u32>;

    fn entry(&mut self) -> squeue::Entry {
        opcode::Nop::new().build()
    }

    fn complete(self, result: io::Result<u32>) -> io::Result<u32> {
        result
    }
}

/// A waker that counts.
#[derive(Clone, Default)]
pub struct Woken(Arc<AtomicUsize>);

impl Woken {
    pub fn waker(&self) -> Waker {
        Arc::new(self.clone()).into()
    }

    pub fn times(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// How many wakers there are.
    pub fn kept(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

thread_local! {
    static ACTIONS: RefCell<Vec<Rc<dyn Fn()>>> = const { RefCell::new(Vec::new()) };
}

/// A waker that runs code of this thread: a waker must be `Send`, and the code is not.
struct Acting {
    action: usize,
    on_drop: bool,
}

impl Acting {
    fn act(&self) {
        // A waker that is left over finds no actions any more.
        let action = ACTIONS.try_with(|actions| actions.borrow().get(self.action).cloned());
        if let Ok(Some(action)) = action {
            action();
        }
    }
}

impl Wake for Acting {
    fn wake(self: Arc<Self>) {
        if !self.on_drop {
            self.act();
        }
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        if self.on_drop {
            self.act();
        }
    }
}

fn acting(on_drop: bool, action: impl Fn() + 'static) -> Waker {
    let action = ACTIONS.with_borrow_mut(|actions| {
        actions.push(Rc::new(action));
        actions.len() - 1
    });
    Arc::new(Acting { action, on_drop }).into()
}

/// A waker that runs this when it is woken.
pub fn on_wake(action: impl Fn() + 'static) -> Waker {
    acting(false, action)
}

/// A waker whose last clone runs this when it is dropped.
pub fn on_waker_drop(action: impl Fn() + 'static) -> Waker {
    acting(true, action)
}

/// What the memory of a buffer is filled with when the buffer is dropped.
const DEAD: u8 = 0xdd;

/// Room for buffers that are watched: how many live, and whether somebody writes to one that was
/// dropped. The memory is never freed. So a fault in what is tested is seen here, and does no harm.
#[derive(Clone, Default)]
pub struct Arena(Rc<Watched>);

#[derive(Default)]
struct Watched {
    live: Cell<usize>,
    dropped: Cell<usize>,
    dead: RefCell<Vec<Block>>,
}

#[derive(Clone, Copy)]
struct Block {
    start: *mut u8,
    length: usize,
}

/// Where all blocks can be found, so that a search for leaks does not complain of them.
static BLOCKS: Mutex<Vec<AtomicPtr<u8>>> = Mutex::new(Vec::new());

impl Block {
    fn new(length: usize) -> Block {
        let bytes: &'static mut [u8] = vec![0; length].leak();
        let block = Block { start: bytes.as_mut_ptr(), length };
        BLOCKS.lock().expect("nobody panics with it").push(AtomicPtr::new(block.start));
        block
    }

    fn bytes(&self) -> Vec<u8> {
        // SAFETY: a block is never freed, and no reference to it is kept.
        let at = |place| unsafe { self.start.add(place).read_volatile() };
        (0..self.length).map(at).collect()
    }
}

impl Arena {
    /// A buffer with room for so many bytes, and nothing in it.
    pub fn room(&self, length: usize) -> Watch {
        self.0.live.set(self.0.live.get() + 1);
        Watch { arena: self.clone(), block: Block::new(length), init: 0, on_drop: None }
    }

    /// A buffer with these bytes in it.
    pub fn bytes(&self, bytes: &[u8]) -> Watch {
        let mut buffer = self.room(bytes.len());
        // SAFETY: the block has room for just these bytes, and nobody else has it.
        unsafe { buffer.block.start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        buffer.init = bytes.len();
        buffer
    }

    /// How many buffers live.
    pub fn live(&self) -> usize {
        self.0.live.get()
    }

    /// How many buffers were dropped.
    pub fn dropped(&self) -> usize {
        self.0.dropped.get()
    }

    /// # Panics
    /// If somebody has written to a buffer after it was dropped.
    #[track_caller]
    pub fn nobody_wrote_to_the_dead(&self) {
        for block in self.0.dead.borrow().iter() {
            let bytes = block.bytes();
            assert!(
                bytes.iter().all(|byte| *byte == DEAD),
                "a buffer was written to after it was dropped: {bytes:x?}"
            );
        }
    }
}

/// A buffer of an [`Arena`].
pub struct Watch {
    arena: Arena,
    block: Block,
    init: usize,
    on_drop: Option<fn()>,
}

impl Watch {
    /// Runs this, too, when it is dropped.
    pub fn on_drop(mut self, action: fn()) -> Watch {
        self.on_drop = Some(action);
        self
    }

    /// The bytes in it.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = self.block.bytes();
        bytes.truncate(self.init);
        bytes
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Watch").field(&self.to_vec()).finish()
    }
}

// SAFETY: a block stays where it is for ever, and belongs to one buffer.
unsafe impl IoBuf for Watch {
    fn as_ptr(&self) -> *const u8 {
        self.block.start
    }

    fn bytes_init(&self) -> usize {
        self.init
    }
}

// SAFETY: as above. All of a block was initialized when it was made.
unsafe impl IoBufMut for Watch {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        self.block.start
    }

    fn bytes_total(&self) -> usize {
        self.block.length
    }

    unsafe fn set_init(&mut self, length: usize) {
        assert!(length <= self.block.length, "more than there is room for");
        self.init = length;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SAFETY: the block is never freed, and this is its only buffer.
        unsafe { self.block.start.write_bytes(DEAD, self.block.length) };
        self.arena.0.live.set(self.arena.0.live.get() - 1);
        self.arena.0.dropped.set(self.arena.0.dropped.get() + 1);
        self.arena.0.dead.borrow_mut().push(self.block);
        if let Some(action) = self.on_drop {
            action();
        }
    }
}

/// xorshift: the same numbers on every run.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Ends a connection with a reset, as a client does whose power was cut.
pub fn reset(stream: net::TcpStream) {
    let at_once = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    nix::sys::socket::setsockopt(&stream, nix::sys::socket::sockopt::Linger, &at_once)
        .expect("a socket can linger");
}
