//! A shop waits for a customer. Nobody comes, so it closes, and drops the future. A bank opens, and waits
//! for a client, in the place of the table that has become free. Now somebody comes to the shop.
//!
//! Predict: what does the customer of the shop hear?
//!
//! Run `cargo run -p ch13-completion --example who_was_that_for`, and then with `-- mended`.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::ExitCode;
use std::ptr;

use ch13_completion::{Key, Slab, open};
use conformance::demo::{self, Version};
use io_uring::types::Fd;
use io_uring::{IoUring, opcode};
use trace::{Event, OpKind, emit};

fn main() -> ExitCode {
    demo::run(shop_and_bank)
}

/// The place of a key in the table, without what was there before.
fn place(key: Key) -> u64 {
    u64::from(key) & u64::from(u32::MAX)
}

// ANCHOR: street
fn shop_and_bank(version: Version) -> Result<(), Box<dyn Error>> {
    let mut ring = open(&IoUring::builder(), 8)?;
    // Who waits, and what they say to those who come.
    let mut waiting: Slab<&str> = Slab::default();
    let wait_at = |ring: &mut IoUring, listener: &TcpListener, key: Key| {
        let accept =
            opcode::Accept::new(Fd(listener.as_raw_fd()), ptr::null_mut(), ptr::null_mut());
        // What the kernel hands back with the completion.
        let data = match version {
            Version::Failing => place(key),
            Version::Mended => u64::from(key),
        };
        // SAFETY: the entry points to nothing, and the listeners stay open.
        unsafe { ring.submission().push(&accept.build().user_data(data)) }?;
        emit!(Event::Sqe { op: data, kind: OpKind::Accept });
        let count = ring.submit()?;
        emit!(Event::Submit { count });
        Ok::<(), Box<dyn Error>>(())
    };

    let shop = TcpListener::bind("127.0.0.1:0")?;
    let key = waiting.insert("Good morning! Fresh bread?");
    wait_at(&mut ring, &shop, key)?;
    println!("shop: I wait for a customer.");
    waiting.remove(key);
    println!("shop: nobody comes. I close.");

    let bank = TcpListener::bind("127.0.0.1:0")?;
    let key = waiting.insert("Your account holds 1,000,000 coins.");
    wait_at(&mut ring, &bank, key)?;
    println!("bank: I wait for a client.");

    let mut customer = TcpStream::connect(shop.local_addr()?)?;
    println!("customer: here I am, at the shop.");
    ring.submit_and_wait(1)?;
    let completion = ring.completion().next().ok_or("a completion was waited for")?;
    // SAFETY: the kernel has just made this descriptor, and told nobody else.
    let connection = unsafe { OwnedFd::from_raw_fd(completion.result()) };
    let data = completion.user_data();
    emit!(Event::Cqe { op: data, ok: true });
    let greeting = match version {
        Version::Failing => {
            let key = waiting.keys().find(|key| place(*key) == data);
            key.and_then(|key| waiting.remove(key))
        }
        Version::Mended => waiting.remove(Key::from(data)),
    };
    match greeting {
        Some(greeting) => TcpStream::from(connection).write_all(greeting.as_bytes())?,
        None => drop(connection),
    }
    let mut heard = String::new();
    customer.read_to_string(&mut heard)?;
    match heard.as_str() {
        "" => println!("customer: the shop is closed. Well."),
        heard => return Err(format!("The customer of the shop hears: {heard}").into()),
    }
    Ok(())
}
// ANCHOR_END: street
