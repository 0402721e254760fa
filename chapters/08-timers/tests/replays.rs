//! The runs that this chapter's pages replay, recorded anew and compared.

use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ch08_timers::{Runtime, sleep_until};
use conformance::replay::{self, Program, Scenario, WAKERS_COME_AND_GO, say};
use futures::future::select;
use trace::Cast;

#[test]
fn a_sleep_that_moves_to_another_task() {
    replay::demo(
        "waker_kept_once",
        Program {
            failing: "Leaves its waker once",
            mended: "Leaves its waker at each poll",
            cast: Cast { timers: &[(1, "the deadline")], ..Cast::NAMELESS },
            skip: WAKERS_COME_AND_GO,
        },
    );
}

/// As in the example `duplicate_entries`: adds a deadline at each poll.
struct Piling {
    deadline: Instant,
}

impl Future for Piling {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut entry = sleep_until(self.deadline);
        let poll = Pin::new(&mut entry).poll(cx);
        mem::forget(entry);
        poll
    }
}

/// Is ready at the fourth poll.
async fn answer() {
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        if polls == 4 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

fn ask_once<S: Future<Output = ()> + Unpin>(sleep_until: impl Fn(Instant) -> S) {
    let runtime = Runtime::new().expect("descriptors are left");
    runtime.block_on(async {
        let in_a_minute = Instant::now() + Duration::from_secs(60);
        select(pin!(answer()), sleep_until(in_a_minute)).await;
        say("I have asked once, and had my answer. No timeout was needed.");
    });
    say(format!("Deadlines that are kept: {}.", runtime.timers().len()));
}

#[test]
fn one_question_with_a_timeout() {
    let failing = Scenario {
        name: "duplicate_entries-failing",
        title: "A deadline for each poll",
        cast: Cast::NAMELESS,
        skip: WAKERS_COME_AND_GO,
    };
    failing.ends(|_| ask_once(|deadline| Piling { deadline }));
    let mended = Scenario {
        name: "duplicate_entries-mended",
        title: "A deadline for each sleep",
        ..failing
    };
    mended.ends(|_| ask_once(sleep_until));
}
