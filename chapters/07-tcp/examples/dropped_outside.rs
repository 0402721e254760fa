//! Fault S7. A stream leaves `block_on` as its result, and is dropped by the caller.
//!
//! Predict: the stream has to tell the reactor that it goes. Where does its `Drop` find the reactor,
//! if a thread-local names it, and only while `block_on` runs?
//!
//! Run `cargo run -p ch07-tcp --example dropped_outside`, and then with `-- mended`.

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::rc::Rc;

use ch06_reactor::Reactor;
use ch07_tcp::Runtime;
use conformance::demo::{self, Version};
use scoped_tls::scoped_thread_local;

scoped_thread_local!(static REACTOR: Rc<Reactor>);

fn main() -> ExitCode {
    demo::run(|version| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let stream = TcpStream::connect(listener.local_addr()?)?;
        match version {
            Version::Failing => finding(stream)?,
            Version::Mended => holding(stream)?,
        }
        println!("The stream was dropped, and nothing happened.");
        Ok(())
    })
}

// ANCHOR: finding
// ANCHOR: finding_drop
/// Looks for the reactor when it is dropped, as the article's stream does.
struct FindingStream(Rc<TcpStream>);

impl Drop for FindingStream {
    fn drop(&mut self) {
        println!("The stream is dropped, and looks for its reactor.");
        let fd = self.0.as_raw_fd();
        REACTOR.with(|reactor| reactor.delete(fd)).expect("the stream was registered");
    }
}
// ANCHOR_END: finding_drop

fn finding(stream: TcpStream) -> Result<(), Box<dyn Error>> {
    let reactor = Rc::new(Reactor::new()?);
    let stream = REACTOR.set(&reactor, || {
        let stream = Rc::new(stream);
        reactor.add(stream.clone())?;
        std::io::Result::Ok(FindingStream(stream))
    })?;
    println!("The runtime has ended. The stream is still here.");
    drop(stream);
    Ok(())
}
// ANCHOR_END: finding

// ANCHOR: holding
fn holding(stream: TcpStream) -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::new()?;
    let stream = runtime.block_on(async { ch07_tcp::TcpStream::from_std(stream) })?;
    drop(runtime);
    println!("The runtime has ended. The stream is still here, with a share of the reactor.");
    drop(stream);
    Ok(())
}
// ANCHOR_END: holding
