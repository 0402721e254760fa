//! The runs that this chapter's pages replay, recorded anew and compared.

use conformance::replay::{self, Program, WAKERS_COME_AND_GO};
use trace::Cast;

#[test]
fn a_library_that_reads_ahead() {
    replay::demo(
        "whose_runtime",
        Program {
            failing: "A library that has chosen tokio",
            mended: "A library that takes what it finds",
            cast: Cast { tasks: &[(1, "the library's task")], ..Cast::NAMELESS },
            skip: WAKERS_COME_AND_GO,
        },
    );
}
