//! The runs that this chapter's pages replay, recorded anew and compared.

use conformance::replay::{self, Program, WAKERS_COME_AND_GO};

#[test]
#[cfg_attr(miri, ignore = "starts processes")]
fn two_tasks_one_after_the_other() {
    replay::demo(
        "parks_with_a_task_queued",
        Program {
            failing: "The first draft",
            mended: "The executor",
            skip: WAKERS_COME_AND_GO,
            ..Program::NAMELESS
        },
    );
}
