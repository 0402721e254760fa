//! The second way: a thread for each client.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder};

use crate::Stats;
use crate::blocking::{accept, echo};

// ANCHOR: threads
/// Serves each client on a thread of its own.
///
/// A client for whom there is no room for one more thread is closed, and counts as failed.
///
/// # Errors
/// See [`Serve`](crate::Serve).
pub fn serve(listener: TcpListener, connections: usize) -> io::Result<Stats> {
    let failed = &AtomicUsize::new(0);
    let count_failure = move || failed.fetch_add(1, Ordering::Relaxed);
    thread::scope(|scope| {
        for _ in 0..connections {
            let stream = accept(&listener)?;
            // ANCHOR: thread_of_its_own
            let thread = Builder::new().spawn_scoped(scope, move || {
                if echo(stream).is_err() {
                    count_failure();
                }
            });
            if thread.is_err() {
                count_failure();
            }
            // ANCHOR_END: thread_of_its_own
        }
        Ok::<(), io::Error>(())
    })?;
    Ok(Stats { served: connections, failed: failed.load(Ordering::Relaxed), ..Stats::default() })
}
// ANCHOR_END: threads
