//! The runs that this chapter's pages replay, recorded anew and compared.

use conformance::replay::{self, Program, WAKERS_COME_AND_GO};
use trace::Cast;

#[test]
#[cfg_attr(miri, ignore = "starts processes")]
fn two_wakes_and_then_ready() {
    replay::demo(
        "polled_after_completion",
        Program {
            failing: "A future that is always there",
            mended: "A future that steps out",
            cast: Cast { tasks: &[(1, "the task")], ..Cast::NAMELESS },
            skip: WAKERS_COME_AND_GO,
        },
    );
}
