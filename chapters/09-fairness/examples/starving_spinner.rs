//! A task that wakes itself in each poll, beside an echo client. (Fault S6.)
//!
//! Client and server are tasks of one runtime, connected by a real socket, and they have had an echo
//! already. Then the spinner starts. It goes on until the client has had ten more echoes, but gives up
//! after 50,000 polls. Predict: how many echoes are there by then, on chapter 5's executor?
//!
//! `cargo run -p ch09-fairness --example starving_spinner`
//! `cargo run -p ch09-fairness --example starving_spinner -- mended`

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::Poll;

use ch05_executor::spawn;
use ch07_tcp::servers::echo;
use ch07_tcp::{TcpListener, TcpStream};
use ch09_fairness::Config;
use conformance::demo::{self, Version};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};

// ANCHOR: spinner
async fn spin(echoes: Rc<Cell<usize>>, patience: usize) {
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        if echoes.get() == 10 || polls == patience {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    println!("spinner: I end. There have been {} echoes.", echoes.get());
}
// ANCHOR_END: spinner

// ANCHOR: program
async fn program(patience: usize) -> io::Result<usize> {
    let mut stream = connect_to_an_echo_server().await?;
    let mut byte = [0];
    stream.write_all(b"x").await?;
    stream.read_exact(&mut byte).await?;
    println!("client: I have had an echo. Now I spawn the spinner, and ask for ten more.");

    let echoes = Rc::new(Cell::new(0));
    let spinner = echoes.clone();
    let (tell, told) = futures::channel::oneshot::channel();
    spawn(async move {
        spin(spinner.clone(), patience).await;
        // The client is still there: it waits for this.
        let _ = tell.send(spinner.get());
    });
    while echoes.get() < 10 {
        stream.write_all(b"x").await?;
        stream.read_exact(&mut byte).await?;
        echoes.set(echoes.get() + 1);
    }
    println!("client: I have had all ten.");
    Ok(told.await.expect("the spinner ends"))
}
// ANCHOR_END: program

async fn connect_to_an_echo_server() -> io::Result<TcpStream> {
    let mut listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    spawn(async move {
        if let Some(Ok(stream)) = listener.next().await {
            // It ends with the program.
            let _ = echo(stream).await;
        }
    });
    TcpStream::connect(address).await
}

// ANCHOR: main
fn main() -> ExitCode {
    demo::run(|version| {
        let while_it_spun = match version {
            Version::Failing => ch08_timers::Runtime::new()?.block_on(program(50_000))?,
            Version::Mended => {
                ch09_fairness::Runtime::new(Config::default())?.block_on(program(usize::MAX))?
            }
        };
        match while_it_spun {
            10 => Ok(()),
            _ => Err("While the spinner ran, nobody looked at the sockets.".into()),
        }
    })
}
// ANCHOR_END: main
