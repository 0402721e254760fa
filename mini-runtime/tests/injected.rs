//! Errors exactly where they hurt: strace answers in the kernel's place, and what should be there in the end is
//! there all the same.
//!
//! What strace answers, the kernel has not done. So only such answers are played that a kernel gives when it has
//! done nothing. That leaves out two on epoll: `EINTR` of `connect`, after which the kernel goes on connecting,
//! and `EAGAIN` of a call on a socket that is ready, after which no edge would come.
//!
//! On a ring, the only call is `io_uring_enter`. The result of an operation is in memory that the kernel writes,
//! and strace cannot answer there. So there the kernel itself has to be brought to run out of buffers: it finds
//! none for a datagram that is larger than what it can allocate in one piece.

mod common;

use std::cell::Cell;
use std::env;
use std::future::poll_fn;
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::process::Output;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use common::{CHILD, descriptors, has_ring, on_both_drivers, runtime, said, start, strace};
use conformance::{skip, watch};
use futures::channel::oneshot;
use futures::future::join_all;
use futures::{AsyncRead, AsyncWrite};
use mini_runtime::io::{AsyncReadOwned, AsyncWriteOwned, BufResult};
use mini_runtime::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram};
use mini_runtime::time::sleep;
use mini_runtime::{Builder, DriverKind, spawn};
use nix::sys::socket::{setsockopt, sockopt};
use rustix::io::Errno;

const CONNECTIONS: usize = 40;
const ROUNDS: usize = 12;

/// What a call of a program is answered, and which are let through.
#[derive(Clone)]
struct Patience {
    /// The error that is no surprise: whoever is told of it tries again.
    expected: Option<Errno>,
    told: Rc<Cell<usize>>,
}

impl Patience {
    /// The result. `None` if the call is to be made again.
    #[track_caller]
    fn of<T>(&self, result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) if self.expected.is_some_and(|it| it.raw_os_error() == code(&error)) => {
                self.told.set(self.told.get() + 1);
                None
            }
            Err(error) => panic!("nobody should be told of this: {error}"),
        }
    }

    /// Makes a call until it is answered.
    async fn persist<T>(&self, mut call: impl AsyncFnMut() -> io::Result<T>) -> T {
        loop {
            if let Some(value) = self.of(call().await) {
                return value;
            }
        }
    }

    /// The same with a buffer, which comes back with the error as it was.
    async fn persist_with<T>(
        &self,
        mut bytes: Vec<u8>,
        mut call: impl AsyncFnMut(Vec<u8>) -> BufResult<T, Vec<u8>>,
    ) -> (T, Vec<u8>) {
        let before = bytes.clone();
        loop {
            let (result, buf) = call(bytes).await;
            if let Some(value) = self.of(result) {
                return (value, buf);
            }
            assert_eq!(buf, before);
            bytes = buf;
        }
    }

    /// Writes all of a message, in one of the ways that there are.
    async fn write(&self, stream: &mut TcpStream, message: &[u8], way: usize) {
        let length = match way {
            0 => self.persist_with(message.to_vec(), async |it| stream.write(it).await).await.0,
            1 => {
                let (head, tail) = message.split_at(message.len() / 2);
                let bufs = || vec![head.to_vec(), tail.to_vec()];
                self.persist(async || stream.write_vectored(bufs()).await.0).await
            }
            2 => {
                self.persist(async || {
                    loop {
                        stream.writable().await?;
                        // What does not wait is told of an interruption, too.
                        match stream.try_write(message) {
                            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                            result => break result,
                        }
                    }
                })
                .await
            }
            _ => {
                let mut stream = Pin::new(stream);
                self.persist(async || poll_fn(|cx| stream.as_mut().poll_write(cx, message)).await)
                    .await
            }
        };
        assert_eq!(length, message.len(), "there is room for all of it");
    }

    /// Reads a message, in one of the ways that there are.
    async fn read(&self, stream: &mut TcpStream, length: usize, way: usize) -> Vec<u8> {
        let mut message = Vec::new();
        while message.len() < length {
            let room = length - message.len();
            let bytes = match way {
                0 => {
                    let buf = Vec::with_capacity(room);
                    self.persist_with(buf, async |it| stream.read(it).await).await.1
                }
                1 => {
                    let bufs = || vec![Vec::with_capacity(1), Vec::with_capacity(room - 1)];
                    let mut bytes = Vec::new();
                    self.persist(async || {
                        let (read, bufs) = stream.read_vectored(bufs()).await;
                        bytes = bufs.concat();
                        read
                    })
                    .await;
                    bytes
                }
                _ => {
                    let (mut stream, mut bytes) = (Pin::new(&mut *stream), vec![0; room]);
                    let read = self
                        .persist(async || {
                            poll_fn(|cx| stream.as_mut().poll_read(cx, &mut bytes)).await
                        })
                        .await;
                    bytes.truncate(read);
                    bytes
                }
            };
            assert!(!bytes.is_empty(), "the other side is there");
            message.extend(bytes);
        }
        message
    }

    /// Many connections that are all there at once, and each message comes back as it went.
    async fn echo(&self) {
        let listener = self.persist(async || TcpListener::bind("127.0.0.1:0")).await;
        let address = listener.local_addr().expect("it is bound");
        let patience = self.clone();
        let server = spawn(async move {
            let mut tasks = Vec::new();
            for number in 0..CONNECTIONS {
                let (mut stream, _) = patience.persist(async || listener.accept().await).await;
                let patience = patience.clone();
                tasks.push(spawn(async move {
                    for round in 0..ROUNDS {
                        let message = patience.read(&mut stream, 100, (number + round) % 3).await;
                        patience.write(&mut stream, &message, (number + round) % 4).await;
                    }
                    stream
                }));
            }
            join_all(tasks).await
        });
        let clients = (0..CONNECTIONS).map(|number| async move {
            let mut stream = self.persist(async || TcpStream::connect(address).await).await;
            for round in 0..ROUNDS {
                let message: Vec<u8> = (0..100).map(|it| (number + round + it) as u8).collect();
                self.write(&mut stream, &message, round % 4).await;
                assert_eq!(self.read(&mut stream, 100, round % 3).await, message);
            }
            stream
        });
        drop(join_all(clients).await);
        drop(server.await.expect("no panic"));
    }

    /// Datagrams in turns: not one is lost.
    async fn datagrams(&self) {
        let bind = async || UdpSocket::bind("127.0.0.1:0");
        let (one, two) = (self.persist(bind).await, self.persist(bind).await);
        let address = two.local_addr().expect("it is bound");
        for round in 0..ROUNDS as u8 {
            self.persist_with(vec![round; 50], async |it| one.send_to(it, address).await).await;
            let room = Vec::with_capacity(100);
            let (_, bytes) = self.persist_with(room, async |it| two.recv_from(it).await).await;
            assert_eq!(bytes, [round; 50]);
            self.persist(async || one.try_send_to(&[round], address)).await;
            let room = Vec::with_capacity(100);
            let (_, byte) = self.persist_with(room, async |it| two.recv(it).await).await;
            assert_eq!(byte, [round]);
        }
    }
}

fn code(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or_default()
}

async fn nap(length: Duration) {
    let start = Instant::now();
    sleep(length).await;
    assert!(start.elapsed() >= length);
}

/// Sleeps, and is woken by another thread.
async fn naps() {
    for _ in 0..ROUNDS {
        nap(Duration::from_micros(200)).await;
        let (sender, receiver) = oneshot::channel();
        let other = thread::spawn(move || sender.send(7));
        assert_eq!(receiver.await, Ok(7));
        other.join().expect("no panic").expect("somebody waits");
    }
}

/// What the processes do that the tests below start. They are told how big the ring is, and which error is no
/// surprise.
#[test]
fn child() {
    let Ok(what) = env::var(CHILD) else { return };
    watch(move || {
        let (what, numbers) = what.split_once(' ').expect("three words");
        let (entries, expected) = numbers.split_once(' ').expect("three words");
        let entries = entries.parse().expect("it is a number");
        let expected = expected.parse().expect("it is a number");
        let expected = (expected != 0).then(|| Errno::from_raw_os_error(expected));
        let patience = Patience { expected, told: Rc::default() };
        let runtime = Builder::new().ring_entries(entries).build().expect("descriptors are left");
        let before = descriptors();
        runtime.block_on(async {
            match what {
                "echo" => _ = futures::join!(patience.echo(), naps()),
                // On a slow machine, a short one is over before the thread can sleep.
                "sleeps" => {
                    for power in 0..7 {
                        nap(Duration::from_millis(1 << power)).await;
                    }
                }
                "sockets" => {
                    let bind = async || UdpSocket::bind("127.0.0.1:0");
                    let mut sockets = Vec::new();
                    for _ in 0..40 {
                        sockets.push(patience.persist(bind).await);
                    }
                    assert_eq!(sockets.len() + before, descriptors());
                }
                "datagrams" => _ = futures::join!(patience.datagrams(), naps()),
                _ => unreachable!("nobody says {what}"),
            }
        });
        println!("told={} {runtime:?}", patience.told.get());
    });
}

/// What has become of a process to whose calls strace has given such answers.
struct Played {
    /// How many calls were answered so.
    answers: usize,
    /// Of how many the program was told.
    told: usize,
}

/// Starts a child, and lets calls of it be answered. `None` if there is no strace here.
fn run(what: &str, driver: DriverKind, calls: &str, answer: &str) -> Option<Output> {
    let (watched, inject) = (format!("trace={calls}"), format!("inject={calls}:{answer}"));
    let strace = strace(&["-e", &watched, "-e", &inject])?;
    Some(start(what, Some(&driver.to_string()), &strace))
}

/// The same, and it has to come to a good end.
fn play(
    (what, driver, entries): (&str, DriverKind, u32),
    calls: &str,
    answer: &str,
    expected: Option<Errno>,
) -> Option<Played> {
    let expected = expected.map_or(0, Errno::raw_os_error);
    let output = run(&format!("{what} {entries} {expected}"), driver, calls, answer)?;
    let said = said(&output);
    let (_, told) = said.split_once("told=").expect("it says so in the end");
    let (told, runtime) = told.split_once(' ').expect("it says more");
    assert!(runtime.contains(&format!("driver: {driver:?}, tasks: 0, timers: 0")), "{runtime}");
    let log = String::from_utf8_lossy(&output.stderr);
    let is_answer = |line: &&str| line.ends_with("(INJECTED)") || line.contains("--- SIGWINCH");
    let answers = log.lines().filter(is_answer).count();
    Some(Played { answers, told: told.parse().expect("it is a number") })
}

const EPOLL: DriverKind = DriverKind::Epoll;
const RING: DriverKind = DriverKind::IoUring;
/// The calls of epoll that wait. A `?` is for kernels that do not have such a call.
const WAITS: &str = "?epoll_wait,?epoll_pwait,?epoll_pwait2";

#[test]
fn on_epoll_nobody_hears_of_a_call_that_was_interrupted() {
    let calls = [
        ("echo", format!("{WAITS},accept4,recvfrom,recvmsg,sendto,sendmsg")),
        // A datagram that is sent without waiting is never interrupted.
        ("datagrams", format!("{WAITS},recvfrom,recvmsg")),
    ];
    for (what, calls) in calls {
        for when in ["1+2", "2+3"] {
            let answer = format!("error=EINTR:when={when}");
            let Some(played) = play((what, EPOLL, 1), &calls, &answer, None) else { return };
            assert!(played.answers >= ROUNDS, "{} answers", played.answers);
        }
    }
}

/// Each call comes back with that error once, and has taken nothing: the next one does what it should.
#[test]
fn on_epoll_who_sends_and_receives_is_told_that_there_is_no_memory_and_nothing_is_lost() {
    let cases = [
        ("sendto,sendmsg", Errno::NOBUFS, "ENOBUFS"),
        ("sendto,sendmsg", Errno::NOMEM, "ENOMEM"),
        ("recvfrom,recvmsg", Errno::NOMEM, "ENOMEM"),
    ];
    for (calls, errno, name) in cases {
        for what in ["echo", "datagrams"] {
            let answer = format!("error={name}:when=2+3");
            let played = play((what, EPOLL, 1), calls, &answer, Some(errno));
            let Some(played) = played else { return };
            assert!(played.answers >= ROUNDS / 2, "{} answers", played.answers);
            assert_eq!(played.told, played.answers, "{calls}: {name}");
        }
    }
}

#[test]
fn on_epoll_who_makes_a_connection_is_told_that_there_is_no_memory_and_gets_the_next() {
    let cases = [
        ("accept4", Some(Errno::NOBUFS), "ENOBUFS"),
        ("accept4", Some(Errno::NFILE), "ENFILE"),
        ("connect", Some(Errno::NOBUFS), "ENOBUFS"),
        ("socket", Some(Errno::NOBUFS), "ENOBUFS"),
        // This client has gone again. That is nobody's business.
        ("accept4", None, "ECONNABORTED"),
    ];
    for (calls, expected, name) in cases {
        let answer = format!("error={name}:when=2+3");
        let Some(played) = play(("echo", EPOLL, 1), calls, &answer, expected) else { return };
        assert!(played.answers >= CONNECTIONS / 3, "{} answers", played.answers);
        let told = if expected.is_some() { played.answers } else { 0 };
        assert_eq!(played.told, told, "{calls}: {name}");
    }
}

/// A descriptor that epoll does not take is closed, and whoever has made it is told.
#[test]
fn on_epoll_who_makes_a_socket_is_told_that_there_is_no_room_for_it() {
    let answer = "error=ENOSPC:when=2..40+2";
    let played = play(("sockets", EPOLL, 1), "epoll_ctl", answer, Some(Errno::NOSPC));
    let Some(played) = played else { return };
    assert_eq!((played.answers, played.told), (20, 20));
}

#[test]
fn on_epoll_a_sleep_without_a_timer_is_not_early() {
    let Some(played) = play(("sleeps", EPOLL, 1), "timerfd_create", "error=ENOMEM", None) else {
        return;
    };
    assert!(played.answers > 0, "it was asked for");
}

/// A large ring, and one that is full all the time.
#[test]
fn on_a_ring_nobody_hears_of_a_kernel_that_was_interrupted_or_is_busy() {
    if !has_ring() {
        return;
    }
    let errors = [("EINTR", None), ("EBUSY", None), ("EAGAIN", Some(Errno::NOMEM))];
    for (entries, least) in [(256, 5), (1, 200)] {
        for what in ["echo", "datagrams"] {
            for (name, in_full_queue) in errors {
                for when in ["1+2", "2+3", "1..20"] {
                    let expected = in_full_queue.filter(|_| entries == 1);
                    let answer = format!("error={name}:when={when}");
                    let calls = "io_uring_enter";
                    let played = play((what, RING, entries), calls, &answer, expected);
                    let Some(played) = played else { return };
                    let least = if what == "echo" && when != "1..20" { least } else { 5 };
                    assert!(played.answers >= least, "{} answers", played.answers);
                    // A queue that stays full takes no operation: it is told that memory is short.
                    assert!(played.told <= played.answers, "{}", played.told);
                }
            }
        }
    }
}

/// A real signal each time: a wait ends early, and what was begun comes to its end.
#[test]
fn a_signal_at_every_call_is_heard_by_nobody() {
    let calls = format!("{WAITS},accept4,connect,recvfrom,recvmsg,sendto,sendmsg");
    for what in ["echo", "datagrams"] {
        let played = play((what, EPOLL, 1), &calls, "signal=WINCH", None);
        let Some(played) = played else { return };
        assert!(played.answers >= ROUNDS, "{} signals", played.answers);
    }
    if !has_ring() {
        return;
    }
    for what in ["echo", "datagrams"] {
        for entries in [256, 1] {
            let played = play((what, RING, entries), "io_uring_enter", "signal=WINCH", None);
            let Some(played) = played else { return };
            assert!(played.answers >= ROUNDS, "{} signals", played.answers);
        }
    }
}

/// With the flags of 5.19, and with none.
#[test]
fn kernels_that_do_not_know_the_flags_of_a_ring_have_a_ring_all_the_same() {
    if !has_ring() {
        return;
    }
    for refused in 1..=2 {
        let answer = format!("error=EINVAL:when=1..{refused}");
        for what in ["echo", "datagrams"] {
            let played = play((what, RING, 4), "io_uring_setup", &answer, None);
            let Some(played) = played else { return };
            assert_eq!(played.answers, refused);
        }
    }
}

/// Whatever was in flight then.
#[test]
fn a_kernel_that_refuses_to_wait_ends_the_program_and_does_not_hang_it() {
    for (driver, calls) in [(EPOLL, WAITS), (RING, "io_uring_enter")] {
        if driver == RING && !has_ring() {
            return;
        }
        for when in ["1+1", "5+1"] {
            let answer = format!("error=ENXIO:when={when}");
            let Some(output) = run("echo 256 0", driver, calls, &answer) else { return };
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(
                !output.status.success() && text.contains("the kernel refuses to wait"),
                "{text}"
            );
            assert!(!text.contains("still running"), "{text}");
        }
    }
}

on_both_drivers! {
    /// The kernel finds no room for it in one piece. The buffer comes back, and the next datagram arrives.
    fn a_datagram_that_the_kernel_has_no_buffer_for_is_an_error_of_that_one_alone(driver) {
        runtime(driver).block_on(async {
            let (one, two) = UnixDatagram::pair().expect("descriptors are left");
            // More than one allocation can have. So much may a socket hold only if it is forced to.
            const LENGTH: usize = 16 << 20;
            if let Err(error) = setsockopt(&one, sockopt::SndBufForce, &(2 * LENGTH)) {
                skip(format_args!("a socket's buffer cannot be as large as this needs: {error}"));
                return;
            }
            for round in 0..20 {
                let (sent, buf) = one.send(vec![7; LENGTH]).await;
                let error = sent.expect_err("there is no such buffer");
                assert_eq!(Errno::from_io_error(&error), Some(Errno::NOBUFS), "{error}");
                assert!(buf.len() == LENGTH && buf.iter().all(|byte| *byte == 7));
                let error = one.try_send(&buf).expect_err("there is no such buffer");
                assert_eq!(Errno::from_io_error(&error), Some(Errno::NOBUFS), "{error}");
                one.send(vec![round; 10]).await.0.expect("there is a buffer for this");
                assert_eq!(two.recv(Vec::with_capacity(20)).await.1, [round; 10]);
            }
        });
    }

    /// The kernel lets a socket join so many groups and no more.
    fn a_group_too_many_is_an_error_and_the_next_can_be_joined_when_one_was_left(driver) {
        runtime(driver).block_on(async {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
            let join = |number| {
                let group = Ipv4Addr::from(u32::from(Ipv4Addr::new(239, 255, 0, 0)) + number);
                socket.join_multicast_v4(group, Ipv4Addr::LOCALHOST).map_err(|error| (group, error))
            };
            let (group, error) = (0..10_000).find_map(|number| join(number).err()).expect("a limit");
            assert_eq!(Errno::from_io_error(&error), Some(Errno::NOBUFS), "{error}");
            let first = Ipv4Addr::new(239, 255, 0, 0);
            socket.leave_multicast_v4(first, Ipv4Addr::LOCALHOST).expect("it was joined");
            socket.join_multicast_v4(group, Ipv4Addr::LOCALHOST).expect("there is room again");
        });
    }
}
