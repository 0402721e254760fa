use std::task::Poll;

use trace::{Event, PollResult, emit};

use crate::Task;

/// Records the beginning of a poll and its end, even if the end is a panic.
pub(crate) struct TracedPoll<'a> {
    task: &'a Task,
    result: PollResult,
}

impl<'a> TracedPoll<'a> {
    pub(crate) fn start(task: &'a Task) -> TracedPoll<'a> {
        emit!(Event::PollStart { task: task.id() });
        // Unless `end` says otherwise, it is unwinding that drops this.
        let result = PollResult::Panicked;
        TracedPoll { task, result }
    }

    pub(crate) fn end(mut self, poll: Poll<()>) {
        self.result = match poll {
            Poll::Ready(()) => PollResult::Ready,
            Poll::Pending => PollResult::Pending,
        };
    }
}

impl Drop for TracedPoll<'_> {
    fn drop(&mut self) {
        emit!(Event::PollEnd {
            task: self.task.id(),
            result: self.result,
            wakers: self.task.wakers()
        });
    }
}
