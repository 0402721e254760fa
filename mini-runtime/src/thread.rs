use std::fmt;
use std::io;
use std::mem;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use crate::task::remote::{Outcome, remote};
use crate::{Builder, Handle};

/// A runtime on a thread of its own: by [`Builder::start`]. Work comes to it by its [`Handle`].
///
/// Dropping this ends the runtime: tasks that are not done are dropped, and the thread is waited for. (Unless it
/// is dropped by one of its own tasks: then the runtime ends when that has given the thread back.)
///
/// Built in chapter 12, section "Work that computes".
pub struct RuntimeThread {
    handle: Handle,
    /// Dropped to end the runtime.
    stop: Option<Outcome<()>>,
    thread: Option<JoinHandle<()>>,
}

impl RuntimeThread {
    pub(crate) fn start(builder: Builder, name: String) -> io::Result<RuntimeThread> {
        let (tell, told) = mpsc::channel();
        let body = move || {
            let runtime = match builder.build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(tell.send(Err(error))),
            };
            let (stop, stopped) = remote();
            if tell.send(Ok((runtime.handle(), stop))).is_ok() {
                // It never has an output: it is cancelled when its other end is dropped.
                drop(runtime.block_on(stopped));
            }
        };
        let thread = thread::Builder::new().name(name).spawn(body)?;
        let built = told.recv().expect("the thread tells what came of building");
        let (handle, stop) = built?;
        Ok(RuntimeThread { handle, stop: Some(stop), thread: Some(thread) })
    }

    /// Reaches the runtime.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for RuntimeThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        let thread = self.thread.take();
        if let Some(thread) = thread.filter(|it| it.thread().id() != thread::current().id()) {
            // A panic of the driver was told by the hook; the tasks' own are in their handles.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for RuntimeThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thread = self.thread.as_ref().map(|it| it.thread());
        f.debug_struct("RuntimeThread").field("thread", &thread).finish_non_exhaustive()
    }
}

/// Keeps the calling thread on one CPU.
///
/// # Errors
/// If there is no such CPU, or this process may not use it.
pub(crate) fn stay_on(cpu: usize) -> io::Result<()> {
    let refused = |error: io::Error| {
        io::Error::new(error.kind(), format!("this thread cannot be kept on CPU {cpu}: {error}"))
    };
    if cpu >= libc::CPU_SETSIZE as usize {
        return Err(refused(io::ErrorKind::InvalidInput.into()));
    }
    // SAFETY: the set is plain bits, of which none is set. There is one for this CPU. The call reads the set,
    // and is told its size. 0 is the thread that calls.
    let result = unsafe {
        let mut only: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(cpu, &mut only);
        libc::sched_setaffinity(0, mem::size_of_val(&only), &only)
    };
    match result {
        0 => Ok(()),
        _ => Err(refused(io::Error::last_os_error())),
    }
}
