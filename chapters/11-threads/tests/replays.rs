//! The runs that this chapter's pages replay, recorded anew and compared.

use conformance::replay::{self, Program, WAKERS_COME_AND_GO};
use trace::Cast;

#[test]
#[cfg_attr(miri, ignore = "starts processes")]
fn only_a_clone() {
    replay::demo(
        "rc_waker_abroad",
        Program {
            failing: "Chapter 4's wakers",
            mended: "Wakers that travel",
            cast: Cast {
                tasks: &[(1, "the task")],
                threads: &[(1, "the other thread")],
                ..Cast::NAMELESS
            },
            // The thread sleeps on an eventfd. That is chapter 6's matter.
            skip: WAKERS_COME_AND_GO,
        },
    );
}

#[test]
#[cfg_attr(miri, ignore = "starts processes")]
fn a_message_between_the_look_and_the_sleep() {
    replay::demo(
        "lost_wake",
        Program {
            failing: "Unparks who sleeps",
            mended: "Unparks in any case",
            cast: Cast { threads: &[(0, "the reader"), (1, "the sender")], ..Cast::NAMELESS },
            ..Program::NAMELESS
        },
    );
}
