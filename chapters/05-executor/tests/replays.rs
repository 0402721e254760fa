//! The runs that this chapter's pages replay, recorded anew and compared.

#[path = "../examples/first_draft/mod.rs"]
mod first_draft;

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Waker;
use std::time::Duration;

use ch03_block_on::{Parker, signal};
use ch05_executor::{Executor, Park, spawn};
use conformance::replay::{self, Others, Program, Scenario, WAKERS_COME_AND_GO, say};
use trace::Cast;

/// A park that lets the other thread come first, to its end.
struct Patient {
    parker: Parker,
    other_is_done: Receiver<()>,
}

impl Park for Patient {
    fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        // It says so by letting go of its end.
        let _ = self.other_is_done.recv();
        Park::park(&self.parker, timeout)
    }

    fn unparker(&self) -> Waker {
        self.parker.unparker()
    }
}

/// What the example `noop_main_waker` does, with a thread that answers before the executor's own is asleep.
async fn two_answers(others: Others, done: Sender<()>) {
    let (setter, answer) = signal();
    spawn(async move { setter.set("the task") });
    say("main: I wait for the task.");
    say(format!("main: {} has answered.", answer.await.unwrap_or("nobody")));

    let (setter, answer) = signal();
    others.when_asleep(move || {
        say("thread: the executor goes to sleep. I answer, and call main's waker.");
        setter.set("the thread");
        drop(done);
    });
    say("main: I wait for the thread.");
    say(format!("main: {} has answered.", answer.await.unwrap_or("nobody")));
}

#[test]
#[cfg_attr(miri, ignore = "reads files, and leaves a thread behind")]
fn an_answer_from_a_task_and_one_from_a_thread() {
    let program = |others: &Others| {
        let (done, other_is_done) = channel();
        (Patient { parker: Parker::new(), other_is_done }, two_answers(others.clone(), done))
    };
    let failing = Scenario {
        name: "noop_main_waker-failing",
        title: "The first draft",
        cast: Cast { threads: &[(1, "the other thread")], ..Cast::NAMELESS },
        skip: WAKERS_COME_AND_GO,
    };
    failing.hangs(move |others| {
        let (park, program) = program(others);
        first_draft::block_on(park, program);
    });
    let mended = Scenario { name: "noop_main_waker-mended", title: "The executor", ..failing };
    mended.ends(move |others| {
        let (park, program) = program(others);
        Executor::new(park).block_on(program);
    });
}

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
