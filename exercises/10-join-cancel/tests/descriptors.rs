//! A server that has ended leaves nothing open. Alone in its file: the descriptors are the process's.

mod common;

use std::cell::Cell;
use std::fs;
use std::future::pending;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use ch07_tcp::servers::{Site, http};
use ch07_tcp::{TcpListener, TcpStream};
use ch10_join_cancel::{AbortOnDrop, Drained, UntilStopped, serve, spawn};
use common::{no_task_is_left, virtual_runtime};
use conformance::{check_trace, watch};
use futures::channel::oneshot;
use futures::{AsyncReadExt, AsyncWriteExt};

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("there is a /proc").count()
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").expect("there is a /proc").count()
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\n\
    Content-Type: text/html; charset=utf-8\r\n\
    Content-Length: 7\r\n\
    Connection: keep-alive\r\n\
    \r\n\
    <p>home";

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";

async fn client(server: std::net::SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(GET).await?;
    stream.read_exact(&mut [0; ANSWER.len()]).await?;
    Ok(stream)
}

#[test]
fn no_descriptor_no_task_and_no_thread_is_left() {
    watch(|| {
        let before = (descriptors(), threads());
        let runtime = virtual_runtime();
        let result: io::Result<()> = runtime.block_on(async {
            let in_runtime = descriptors();
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            let served = Rc::new(Cell::new(0));
            let mut site = Site::default();
            site.add("/index.html", "<p>home");
            let site = Rc::new(site);
            let handle = |stream: UntilStopped<TcpStream>| {
                served.set(served.get() + 1);
                let (number, site) = (served.get(), site.clone());
                async move {
                    // A client that breaks the connection would be no matter for this test.
                    let _ = http(stream, &site).await;
                    assert_ne!(number, 1, "this one panics at its end, as it should");
                    // These never end, and are aborted.
                    if number % 2 == 0 {
                        pending::<()>().await;
                    }
                }
            };
            let (stop, told) = oneshot::channel::<()>();
            let patience = Duration::from_secs(3600);
            let clients = async move {
                let mut stay = Vec::new();
                for number in 1..=20 {
                    let mut stream = client(address).await?;
                    if number % 2 == 0 {
                        stay.push(stream);
                    } else {
                        stream.close().await?;
                        stream.read_to_end(&mut Vec::new()).await?;
                    }
                }
                stop.send(()).expect("the server runs");
                io::Result::Ok(stay)
            };
            let serving = serve(listener, told, patience, handle, |error| panic!("{error}"));
            let clients = AbortOnDrop(spawn(clients));
            assert_eq!(serving.await, Drained { finished: 0, aborted: 10 });
            let stay = clients.await.expect("the clients do not panic")?;
            for mut stream in stay {
                assert_eq!(stream.read(&mut [0]).await?, 0);
            }
            assert_eq!(descriptors(), in_runtime);
            Ok(())
        });
        result.expect("loopback connections do not fail");
        drop(runtime);
        assert_eq!((descriptors(), threads()), before);
        check_trace();
        no_task_is_left();
    });
}
