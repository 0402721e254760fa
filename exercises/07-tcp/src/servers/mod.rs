//! Two servers, written over any stream of connections: nothing in them knows which driver the
//! bytes come from, so that chapter 14 can run them on another one.

mod echo;
mod http;
mod site;

use std::io;
use std::pin::pin;

use ch05_executor::spawn;
use futures::future::{Either, select};
use futures::{Stream, StreamExt};

pub use echo::echo;
pub use http::http;
pub use site::Site;

/// Runs a task of `handle` for each connection, until `shutdown` is done or no connections come any
/// more. Tasks that still run then are left to their executor.
///
/// An error of the stream goes to `report`, and the next connection is waited for.
pub async fn serve<C, S, F>(
    mut connections: C,
    shutdown: impl Future,
    handle: impl Fn(S) -> F,
    report: impl Fn(io::Error),
) where
    C: Stream<Item = io::Result<S>> + Unpin,
    F: Future<Output = ()> + 'static,
{
    let mut shutdown = pin!(shutdown);
    loop {
        match select(shutdown.as_mut(), connections.next()).await {
            Either::Left(_) | Either::Right((None, _)) => return,
            Either::Right((Some(Ok(stream)), _)) => spawn(handle(stream)),
            Either::Right((Some(Err(error)), _)) => report(error),
        }
    }
}
