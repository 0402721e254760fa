use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::channel::mpsc::{Receiver, channel};
use futures::{SinkExt, Stream, StreamExt};

use crate::{Exec, NoExecutor};

/// A stream that is read in the background, up to `depth` items ahead of whoever consumes it.
///
/// This is the kind of thing for which an IO library wants an executor: the user calls it, and it has
/// something to do also when the user does something else. Dropping it ends the background task at its
/// next item. If the source panics, or the executor goes, the stream ends early: it cannot tell.
///
/// See the section "A library that asks" of chapter 12.
///
/// # Cancel safety
/// An item that was not returned yet is still there for the next poll.
pub struct ReadAhead<T>(Receiver<T>);

impl<T: Send + 'static> ReadAhead<T> {
    /// Begins to read. A `depth` of 0 counts as 1.
    ///
    /// # Errors
    /// If there is no executor.
    pub fn new(
        source: impl Stream<Item = T> + Send + 'static,
        depth: usize,
        exec: &Exec,
    ) -> Result<ReadAhead<T>, NoExecutor> {
        // The channel has room for one more item per sender, and there is one.
        let (mut sender, receiver) = channel(depth.saturating_sub(1));
        exec.execute(async move {
            let mut items = Box::pin(source);
            while let Some(item) = items.next().await {
                if sender.send(item).await.is_err() {
                    return;
                }
            }
        })?;
        Ok(ReadAhead(receiver))
    }
}

impl<T> Stream for ReadAhead<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_next_unpin(cx)
    }
}

impl<T> fmt::Debug for ReadAhead<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadAhead").finish_non_exhaustive()
    }
}
