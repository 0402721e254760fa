//! The runs that this chapter's pages replay, recorded anew and compared.

use conformance::replay::{self, Program, WAKERS_COME_AND_GO};
use trace::Cast;

#[test]
fn a_reader_and_a_writer_of_one_socket() {
    replay::demo(
        "reader_disarms_writer",
        Program {
            failing: "Asks for what was armed",
            mended: "Asks for what the slots hold",
            cast: Cast {
                tasks: &[(1, "the writer"), (2, "the reader"), (3, "the peer")],
                fds: &[(1, "the socket")],
                ..Cast::NAMELESS
            },
            skip: WAKERS_COME_AND_GO,
        },
    );
}
