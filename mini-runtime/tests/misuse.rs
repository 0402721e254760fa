//! Mistakes of the caller: the panic names the caller's line, and none of ours.

use std::panic::{self, AssertUnwindSafe, Location, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

use mini_runtime::net::{
    TcpListener, TcpSocket, UdpSocket, UnixDatagram, UnixListener, UnixStream,
};
use mini_runtime::task::{JoinSet, spawn_blocking};
use mini_runtime::time::{
    self, Instant, interval, interval_at, sleep, sleep_until, timeout, timeout_at,
};
use mini_runtime::{Builder, Handle, Runtime, spawn};

/// Where the last panic was.
static LAST: Mutex<Option<(String, u32)>> = Mutex::new(None);

/// That it panics in the line from which this is called.
#[track_caller]
fn blames_the_caller(what: &str, mistake: impl FnOnce()) {
    let here = Location::caller();
    LAST.lock().expect("nobody panics with it").take();
    let panic = catch_unwind(AssertUnwindSafe(mistake));
    assert!(panic.is_err(), "{what} should panic");
    let last = LAST.lock().expect("nobody panics with it").take();
    assert_eq!(last, Some((here.file().to_owned(), here.line())), "{what}");
}

// One test, because the hook is the process's.
#[test]
#[rustfmt::skip]
fn a_mistake_is_told_with_the_line_of_its_caller() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let at = info.location().expect("all panics have one");
        *LAST.lock().expect("nobody panics with it") = Some((at.file().to_owned(), at.line()));
        before(info);
    }));
    let second = Duration::from_secs(1);

    blames_the_caller("spawn", || drop(spawn(async {})));
    blames_the_caller("spawn_blocking", || drop(spawn_blocking(|| ())));
    blames_the_caller("JoinSet::spawn", || JoinSet::new().spawn(async {}));
    blames_the_caller("Handle::current", || _ = Handle::current());
    blames_the_caller("sleep", || drop(sleep(second)));
    blames_the_caller("sleep_until", || drop(sleep_until(Instant::now())));
    blames_the_caller("timeout", || drop(timeout(second, async {})));
    blames_the_caller("timeout_at", || drop(timeout_at(Instant::now(), async {})));
    blames_the_caller("interval", || drop(interval(second)));
    blames_the_caller("interval, of no time", || drop(interval(Duration::ZERO)));
    blames_the_caller("interval_at", || drop(interval_at(Instant::now(), second)));
    blames_the_caller("pause", || time::pause());
    blames_the_caller("resume", || time::resume());
    blames_the_caller("TcpListener::bind", || drop(TcpListener::bind("127.0.0.1:0")));
    let socket = TcpSocket::new_v4().expect("descriptors are left");
    blames_the_caller("TcpSocket::listen", || drop(socket.listen(1)));
    blames_the_caller("UdpSocket::bind", || drop(UdpSocket::bind("127.0.0.1:0")));
    blames_the_caller("UnixListener::bind", || drop(UnixListener::bind("nowhere")));
    blames_the_caller("UnixStream::pair", || drop(UnixStream::pair()));
    blames_the_caller("UnixDatagram::unbound", || drop(UnixDatagram::unbound()));
    blames_the_caller("UnixDatagram::bind", || drop(UnixDatagram::bind("nowhere")));
    blames_the_caller("ring_entries", || _ = Builder::new().ring_entries(0));
    blames_the_caller("run_budget", || _ = Builder::new().run_budget(1));
    blames_the_caller("max_blocking_threads", || _ = Builder::new().max_blocking_threads(0));

    let runtime = Runtime::new().expect("descriptors are left");
    runtime.block_on(async {
        blames_the_caller("block_on, inside of itself", || runtime.block_on(async {}));
        blames_the_caller("Handle::block_on", || drop(runtime.handle().block_on(|| async {})));
        blames_the_caller("join", || drop(spawn_blocking(|| ()).join()));
        blames_the_caller("resume, of a clock that goes", || time::resume());
        time::pause();
        blames_the_caller("pause, of a clock that stands", || time::pause());
        let cancelled = runtime.handle().spawn(std::future::pending::<()>);
        drop(cancelled);
    });
}
