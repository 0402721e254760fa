//! The runs that this chapter's pages replay, recorded anew and compared.

mod common;

use std::mem;
use std::rc::Rc;

use ch13_completion::Driver;
use common::{NOW, driver, pair};
use conformance::replay::{self, Program, Scenario, say};
use trace::Cast;

#[test]
fn a_read_that_nobody_waits_for() {
    if driver(1).is_none() {
        return;
    }
    replay::demo(
        "canary",
        Program {
            failing: "The future owns the buffer",
            mended: "The operation owns the buffer",
            cast: Cast { ops: &[(1, "the receive")], ..Cast::NAMELESS },
            ..Program::NAMELESS
        },
    );
}

#[test]
fn an_accept_that_nobody_waits_for() {
    if driver(1).is_none() {
        return;
    }
    replay::demo(
        "dropped_accept",
        Program {
            failing: "The number is thrown away",
            mended: "The output is dropped",
            ..Program::NAMELESS
        },
    );
}

#[test]
fn a_place_that_is_used_again() {
    if driver(1).is_none() {
        return;
    }
    replay::demo(
        "who_was_that_for",
        Program {
            failing: "Known by their place",
            mended: "Known by place and generation",
            cast: Cast {
                ops: &[(1 << 32, "operation 0 of the second generation")],
                ..Cast::NAMELESS
            },
            ..Program::NAMELESS
        },
    );
}

/// A receive for which nobody waits any more, when its driver goes.
fn an_abandoned_receive(go: fn(Rc<Driver>)) {
    let driver = Rc::new(Driver::new(8).expect("there was one a moment ago"));
    let (stream, peer) = pair(&driver);
    let receive = stream.start_recv(vec![0; 16]);
    driver.wait(NOW).expect("the kernel takes an operation");
    say("I drop the future, the stream and the driver.");
    drop((receive, stream));
    go(driver);
    drop(peer);
}

#[test]
fn a_driver_that_is_forgotten() {
    if driver(1).is_none() {
        return;
    }
    let forgotten = Scenario {
        name: "driver-forgotten",
        title: "Forgotten",
        cast: Cast { ops: &[(1, "the receive")], ..Cast::NAMELESS },
        skip: &[],
    };
    forgotten.ends(|_| an_abandoned_receive(mem::forget));
    let dropped = Scenario { name: "driver-dropped", title: "Dropped", ..forgotten };
    dropped.ends(|_| an_abandoned_receive(drop));
}
