//! The runs that this chapter's pages replay, recorded anew and compared.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use ch03_block_on::block_on;
use conformance::replay::{self, Others, Program, Scenario, say};
use trace::Cast;

const CAST: Cast =
    Cast { tasks: &[(0, "the future")], threads: &[(1, "the worker")], ..Cast::NAMELESS };

#[derive(Default)]
struct Desk {
    answer: Option<u32>,
    waker: Option<Waker>,
}

/// What the example `forgotten_waker` does, with a worker who comes when the thread sleeps.
fn wait_at_the_desk(keeps_the_waker: bool, others: &Others) {
    let desk = Arc::new(Mutex::new(Desk::default()));
    others.when_asleep({
        let desk = desk.clone();
        move || {
            let mut desk = desk.lock().expect("nobody panics at the desk");
            desk.answer = Some(42);
            match desk.waker.take() {
                Some(waker) => {
                    say("worker: the answer is on the desk. I call the waker that lies there.");
                    waker.wake();
                }
                None => say("worker: the answer is on the desk. No waker lies there. I go home."),
            }
        }
    });
    let mut polls = 0;
    block_on(poll_fn(|context| {
        polls += 1;
        let mut desk = desk.lock().expect("nobody panics at the desk");
        if let Some(answer) = desk.answer {
            say(format!("poll {polls}: the answer is there. Ready."));
            return Poll::Ready(answer);
        }
        say(format!("poll {polls}: no answer on the desk. Pending."));
        if keeps_the_waker {
            desk.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }));
}

#[test]
#[cfg_attr(miri, ignore = "reads files, and leaves a thread behind")]
fn a_future_that_forgets_its_waker() {
    let failing = Scenario {
        name: "forgotten_waker-failing",
        title: "Keeps no waker",
        cast: CAST,
        skip: &[],
    };
    failing.hangs(|others| wait_at_the_desk(false, others));
    let mended = Scenario { name: "forgotten_waker-mended", title: "Leaves its waker", ..failing };
    mended.ends(|others| wait_at_the_desk(true, others));
}

#[test]
#[cfg_attr(miri, ignore = "starts processes")]
fn a_look_before_the_waker_is_left() {
    replay::demo(
        "check_then_register",
        Program {
            failing: "Looks, then leaves the waker",
            mended: "Leaves the waker, then looks",
            cast: Cast {
                tasks: &[(0, "the future")],
                threads: &[(1, "the setter")],
                ..Cast::NAMELESS
            },
            ..Program::NAMELESS
        },
    );
}
