//! No file descriptor left, seen from the inside. Alone in its file, because it lowers the limit of
//! the whole process.

use std::cell::Cell;
use std::fs::File;
use std::future::pending;
use std::io;
use std::net;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ch05_executor::spawn;
use ch07_tcp::servers::{echo, serve};
use ch07_tcp::{Runtime, TcpListener, TcpStream};
use conformance::{check_trace, watch};
use futures::{AsyncReadExt, AsyncWriteExt};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use trace::{Event, Io, Recording};

/// How long the listener pauses, by its documentation.
const PAUSE: Duration = Duration::from_millis(20);

async fn says(client: &mut TcpStream) -> io::Result<()> {
    client.write_all(b"hello").await
}

async fn hears(client: &mut TcpStream) -> io::Result<()> {
    let mut answer = [0; 5];
    client.read_exact(&mut answer).await?;
    assert_eq!(answer, *b"hello");
    Ok(())
}

/// How many tries of any kind have failed. Nothing but `accept` fails in here.
fn failed_tries() -> usize {
    let events = Recording::current().expect("the watchdog records").events();
    let failed = |event: &&Event| matches!(event, Event::Try { result: Io::Failed, .. });
    events.iter().filter(failed).count()
}

#[test]
fn while_no_descriptor_is_left_there_is_one_report_and_one_try_after_each_pause() {
    watch(|| {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit can be read");
        setrlimit(Resource::RLIMIT_NOFILE, 64, hard).expect("the limit can be lowered");
        let runtime = Runtime::new().expect("descriptors are left");
        runtime
            .block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0")?;
                let address = listener.local_addr()?;
                let reports = Rc::new(Cell::new(0));
                let reported = reports.clone();
                let handle = |stream| async { echo(stream).await.expect("the client stays") };
                let report = move |_| reported.set(reported.get() + 1);
                spawn(serve(listener, pending::<()>(), handle, report));
                let mut served = TcpStream::connect(address).await?;
                says(&mut served).await?;
                hears(&mut served).await?;

                // Nothing is awaited in here, so the server sees this client when no descriptor is left.
                let mut waiting = TcpStream::from_std(net::TcpStream::connect(address)?)?;
                let files: Vec<File> =
                    std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
                let start = Instant::now();

                says(&mut waiting).await?;
                while failed_tries() < 3 {
                    says(&mut served).await?;
                    hears(&mut served).await?;
                }
                let (tries, elapsed) = (failed_tries(), start.elapsed());
                let most = 1 + elapsed.as_millis() / PAUSE.as_millis();
                assert!(
                    tries as u128 <= most,
                    "`accept` has failed {tries} times in {elapsed:?}, with a pause after each"
                );
                assert_eq!(reports.get(), 1, "reports of one and the same shortage");

                drop(files);
                hears(&mut waiting).await
            })
            .expect("loopback connections do not fail");
        drop(runtime);
        check_trace();
    });
}
