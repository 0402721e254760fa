//! No file descriptor left. Alone in its file, because it lowers the limit of the whole process.

mod common;

use std::fs::File;
use std::net;
use std::time::{Duration, Instant};

use ch08_timers::Clock;
use ch14_swap::{Config, DriverKind, PollListener, Runtime, TimerQueue};
use common::{all_is_home, driver, runtime};
use conformance::watch;
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use trace::{Event, OpKind, Recording};

/// How long the listener pauses, by its documentation.
const PAUSE: Duration = Duration::from_millis(20);

fn all_that_are_left() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

/// How many operations of this kind were submitted.
fn submitted(kind: OpKind) -> usize {
    let events = Recording::current().expect("`watch` records").events();
    events
        .iter()
        .filter(|event| matches!(event, Event::Sqe { kind: of, .. } if *of == kind))
        .count()
}

#[test]
fn a_listener_tells_once_pauses_and_goes_on() {
    watch(|| {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit can be read");
        setrlimit(Resource::RLIMIT_NOFILE, 64, hard).expect("the limit can be lowered");
        if driver(8).is_none() {
            return;
        }
        let runtime = runtime(DriverKind::Ring, TimerQueue::Wheel, Clock::real());
        runtime.block_on(async {
            let mut listener = PollListener::bind("127.0.0.1:0").expect("a free port");
            let address = listener.local_addr().expect("it is bound");
            let mut served = net::TcpStream::connect(address).expect("it listens");
            let mut server = listener.next().await.expect("no end").expect("a connection");

            for _shortage in 0..2 {
                let waiting = net::TcpStream::connect(address).expect("it listens");
                let files = all_that_are_left();
                let began = Instant::now();
                let error = listener.next().await.expect("no end").expect_err("no room");
                assert!(error.to_string().contains("Too many open files"), "{error}");
                let tries = submitted(OpKind::Accept);

                // It is not told again, and the others are served, however long that takes.
                let mut next = listener.next().fuse();
                let mut rounds = 0;
                while began.elapsed() < 3 * PAUSE || rounds < 100 {
                    std::io::Write::write_all(&mut served, b"x").expect("the connection holds");
                    let mut byte = [0];
                    futures::select_biased! {
                        early = next => panic!("no descriptor is left, and yet: {early:?}"),
                        read = server.read_exact(&mut byte).fuse() => read.expect("it holds"),
                    }
                    server.write_all(&byte).await.expect("the connection holds");
                    std::io::Read::read_exact(&mut served, &mut byte).expect("it holds");
                    rounds += 1;
                }
                if trace::ENABLED {
                    // One try after each pause, and not one after the other.
                    let most = 1 + began.elapsed().as_millis() / PAUSE.as_millis();
                    let tries = submitted(OpKind::Accept) - tries;
                    assert!((1..=most).contains(&(tries as u128)), "{tries} tries");
                }

                drop(files);
                let accepted = next.await.expect("no end").expect("there is room again");
                let peer = accepted.get_ref().peer_addr().expect("connected");
                assert_eq!(peer, waiting.local_addr().expect("connected"));
            }
        });
        drop(runtime);
        all_is_home();

        // A runtime that cannot be had is an error, wherever the descriptors end.
        let mut files = all_that_are_left();
        for driver in [DriverKind::Epoll, DriverKind::Ring] {
            let missing = (0..10).find(|left| {
                let without: Vec<File> = files.drain(..*left).collect();
                drop(without);
                let made = Runtime::new(Config { driver, ..Config::default() });
                let error = made.as_ref().err().map(ToString::to_string);
                drop(made);
                files.extend(all_that_are_left());
                match error {
                    Some(text) => {
                        assert!(text.contains("Too many open files"), "{text}");
                        false
                    }
                    None => true,
                }
            });
            assert!(missing >= Some(2), "a runtime of {missing:?} descriptors");
        }
    });
}
