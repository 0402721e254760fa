use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use trace::{Cause, Event, MAIN, PollResult, emit};

/// The main future's waker: says that it was called, and calls the one inside.
struct MainWaker(Waker);

impl Wake for MainWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        emit!(Event::Wake { task: MAIN, by: Cause::Outside });
        self.0.wake_by_ref();
    }
}

/// A future around `future` that records its polls, its wakes, and after each poll how many wakers
/// of it are left in the world. At zero, nothing can wake it any more.
pub(crate) async fn traced<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let inner = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
    let main = Arc::new(MainWaker(inner));
    let waker = Waker::from(main.clone());
    poll_fn(|_| {
        emit!(Event::PollStart { task: MAIN });
        let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
        emit!(Event::PollEnd {
            task: MAIN,
            result: match poll {
                Poll::Ready(_) => PollResult::Ready,
                Poll::Pending => PollResult::Pending,
            },
            // `main` and `waker` are ours.
            wakers: Arc::strong_count(&main) - 2,
        });
        poll
    })
    .await
}
