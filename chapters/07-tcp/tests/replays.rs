//! The runs that this chapter's pages replay, recorded anew and compared.

use conformance::replay::{self, Program, WAKERS_COME_AND_GO};
use trace::Cast;

#[test]
fn one_byte_for_two() {
    replay::demo(
        "readiness_is_a_hint",
        Program {
            failing: "Waits, then reads",
            mended: "Tries, and waits if it has to",
            cast: Cast {
                tasks: &[(1, "task 0"), (2, "task 1")],
                fds: &[(1, "task 0's descriptor"), (2, "task 1's descriptor")],
                ..Cast::NAMELESS
            },
            skip: WAKERS_COME_AND_GO,
        },
    );
}

#[test]
fn a_stream_that_is_dropped_outside() {
    replay::demo(
        "dropped_outside",
        Program {
            failing: "Looks for its reactor",
            mended: "Holds its reactor",
            cast: Cast { fds: &[(1, "the stream")], ..Cast::NAMELESS },
            ..Program::NAMELESS
        },
    );
}
