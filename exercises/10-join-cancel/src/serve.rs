use std::io;
use std::pin::pin;
use std::time::Duration;

use ch08_timers::sleep;
use futures::future::{Either, select};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, Stream, StreamExt, select_biased};

use crate::{AbortOnDrop, Stop, UntilStopped, spawn};

/// What became of the connections that were open when the server was told to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Those that came to an end by themselves.
    pub finished: usize,
    /// Those that were still open at the deadline, and were cut off.
    pub aborted: usize,
}

/// Serves connections until `shutdown` is done, or no more come. Then accepts no more, lets each task
/// answer what its client has sent, and cuts off those that are not done after `patience`.
///
/// An error of the stream of connections goes to `report`. A task that panics ends alone.
///
/// See the section "Serving, draining, cutting off" of chapter 10.
///
/// # Panics
/// If no executor with a clock runs on this thread.
///
/// # Cancel safety
/// Dropping the future aborts all tasks.
pub async fn serve<C, S, F>(
    mut connections: C,
    shutdown: impl Future,
    patience: Duration,
    handle: impl Fn(UntilStopped<S>) -> F,
    report: impl Fn(io::Error),
) -> Drained
where
    C: Stream<Item = io::Result<S>> + Unpin,
    F: Future<Output = ()> + 'static,
{
    let stop = Stop::new();
    let mut tasks = FuturesUnordered::new();
    let mut shutdown = pin!(shutdown.fuse());
    loop {
        select_biased! {
            _ = shutdown => break,
            // A task has ended, and is let go.
            _ = tasks.select_next_some() => {}
            next = connections.next().fuse() => match next {
                Some(Ok(stream)) => {
                    let task = spawn(handle(UntilStopped::new(stream, &stop)));
                    tasks.push(AbortOnDrop(task));
                }
                Some(Err(error)) => report(error),
                None => break,
            },
        }
    }
    // Nobody is accepted any more: the kernel resets those who wait in the backlog.
    drop(connections);
    stop.stop();
    drain(tasks, patience).await
}

async fn drain(mut tasks: FuturesUnordered<AbortOnDrop<()>>, patience: Duration) -> Drained {
    let mut drained = Drained::default();
    let mut deadline = pin!(sleep(patience));
    // EXERCISE 10.3: Drain, and then cut off
    todo!("10.3: let the tasks end until the deadline, then abort the others and wait for them, too");
    // END 10.3
    drained
}
