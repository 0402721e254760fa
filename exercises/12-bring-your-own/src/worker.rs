use std::io;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use ch11_threads::{Config, Handle, Runtime, oneshot};

/// A thread with a runtime of its own, and what others reach it by.
pub(crate) struct Worker<T> {
    handle: Handle,
    /// Dropping it tells the thread to stop.
    stop: Mutex<Option<oneshot::Sender<()>>>,
    thread: JoinHandle<io::Result<T>>,
}

impl<T: Send + 'static> Worker<T> {
    /// Starts a thread, which runs `prepare`, makes a runtime, and runs `main` there. What `main` is
    /// given is ready when it should stop.
    ///
    /// # Errors
    /// If the system gives no thread, if `prepare` fails, or if no file descriptors are left.
    pub(crate) fn start<F>(
        name: String,
        prepare: impl FnOnce() -> io::Result<()> + Send + 'static,
        main: impl FnOnce(oneshot::Receiver<()>) -> F + Send + 'static,
    ) -> io::Result<Worker<T>>
    where
        F: Future<Output = T>,
    {
        let (stop, stopped) = oneshot::channel();
        let (started, start) = mpsc::channel();
        let thread = thread::Builder::new().name(name).spawn(move || {
            prepare()?;
            // Made here, because a runtime does not travel. Its handle does.
            let runtime = Runtime::new(Config::default())?;
            drop(started.send(runtime.handle()));
            Ok(runtime.block_on(async { main(stopped).await }))
        })?;
        match start.recv() {
            Ok(handle) => Ok(Worker { handle, stop: Mutex::new(Some(stop)), thread }),
            // The thread has ended instead, and says why.
            Err(mpsc::RecvError) => match thread.join() {
                Ok(result) => Err(result.err().expect("it has not come to `main`")),
                Err(panic) => resume_unwind(panic),
            },
        }
    }
}

impl<T> Worker<T> {
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Asks the thread to stop.
    pub(crate) fn stop(&self) {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(stop);
    }

    /// Waits until the thread has ended.
    ///
    /// # Errors
    /// With the payload, if it panicked.
    pub(crate) fn join(self) -> thread::Result<T> {
        self.thread.join().map(|result| result.expect("it has started"))
    }

    pub(crate) fn is_current(&self) -> bool {
        self.thread.thread().id() == thread::current().id()
    }
}
