//! The runs that this chapter's pages replay, recorded anew and compared.

mod common;

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, Write};
use std::net;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use ch05_executor::{Park, spawn};
use ch06_reactor::Reactor;
use ch08_timers::{Deadlines, Key};
use ch09_fairness::{Config, Executor};
use ch14_swap::{Doorbell, RingPark, TimeLimit, Wheel};
use common::driver;
use conformance::demo::Version;
use conformance::replay::{self, Program, Scenario, WAKERS_COME_AND_GO, say};
use trace::Cast;

#[test]
fn seven_deadlines() {
    replay::demo(
        "off_by_one_cascade",
        Program {
            failing: "Looks, then cascades",
            mended: "Cascades, then looks",
            ..Program::NAMELESS
        },
    );
}

#[test]
fn one_deadline_in_two_wheels() {
    let wheel = Scenario {
        name: "wheel",
        title: "The wheel of this chapter",
        cast: Cast { timers: &[(130, "the deadline of tick 130")], ..Cast::NAMELESS },
        skip: &[],
    };
    wheel.ends(|_| {
        let start = Instant::now();
        let at = |tick| start + Duration::from_micros(tick);
        let mut wheel = Wheel::new(start);
        assert!(wheel.pop_until(at(100)).is_none());
        say("It is tick 100.");
        wheel.insert(Key { deadline: at(130), id: 130 }, Waker::noop().clone());
        while let Some(next) = wheel.next_deadline() {
            say(format!("The thread sleeps until tick {}.", (next - start).as_micros()));
            match wheel.pop_until(next) {
                Some((key, _)) => say(format!("The deadline of tick {} has come.", key.id)),
                None => say("Nobody is due."),
            }
        }
    });
}

/// As in the example `starved_completions`: a ring that is not looked at unless somebody can sleep.
struct Shortcut {
    ring: RingPark,
    version: Version,
}

impl Park for Shortcut {
    fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        let somebody_can_run = timeout == Some(Duration::ZERO);
        if somebody_can_run && self.version == Version::Failing {
            return Ok(());
        }
        self.ring.park(timeout)
    }

    fn unparker(&self) -> Waker {
        self.ring.unparker()
    }
}

/// What the example does, with a receive for an echo, and a spinner whose patience has an end.
fn a_receive_beside_a_spinner(version: Version) {
    let driver = driver(8).expect("there was one a moment ago");
    let listener = net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let mut peer = net::TcpStream::connect(address).expect("it listens");
    let (stream, _) = listener.accept().expect("somebody has connected");
    peer.write_all(b"x").expect("the socket has room");

    let stream = ch13_completion::TcpStream::from_fd(stream.into(), &driver);
    let reactor = Rc::new(Reactor::new().expect("descriptors are left"));
    let bell = Doorbell::multishot().expect("descriptors are left");
    let ring = RingPark::new(driver.clone(), bell, TimeLimit::Argument, reactor);
    let config = Config { run_budget: 3, ..Config::default() };
    let executor = Executor::new(Shortcut { ring, version }, config);
    executor.block_on(async {
        let has_received = Rc::new(Cell::new(false));
        let seen = has_received.clone();
        spawn(async move {
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                if seen.get() || polls == 8 {
                    say(format!("spinner: I end. Has the byte been received? {}.", seen.get()));
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        });
        say("main: a byte is there for me. I start a receive.");
        let (received, _) = stream.start_recv(vec![0; 1]).await;
        say(format!("main: I have received {} byte.", received.expect("the peer is there")));
        has_received.set(true);
    });
}

#[test]
fn a_spinner_and_a_receive() {
    if driver(1).is_none() {
        return;
    }
    let failing = Scenario {
        name: "starved_completions-failing",
        title: "A visit that does nothing",
        cast: Cast {
            tasks: &[(1, "the spinner")],
            ops: &[(1, "the receive"), (2, "the doorbell"), (3, "the reactor")],
            ..Cast::NAMELESS
        },
        skip: WAKERS_COME_AND_GO,
    };
    failing.ends(|_| a_receive_beside_a_spinner(Version::Failing));
    let mended =
        Scenario { name: "starved_completions-mended", title: "A visit to the kernel", ..failing };
    mended.ends(|_| a_receive_beside_a_spinner(Version::Mended));
}
