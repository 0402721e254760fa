//! A reader has waited long enough, and drops its future. The memory that the future read into is given
//! to the next one who needs some, and that one puts a canary into it. Then, at last, the bytes come.
//!
//! Predict: how is the canary?
//!
//! Run `cargo run -p ch13-completion --example canary`, and then with `-- mended`. (The memory is never
//! really freed: two blocks that go from hand to hand. So you see what happens, and nothing breaks.)

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use ch13_completion::{Driver, IoBuf, IoBufMut, open};
use conformance::demo::{self, Version};
use io_uring::types::Fd;
use io_uring::{IoUring, opcode};
use trace::{Event, OpKind, emit};

const SIZE: usize = 6;

fn main() -> ExitCode {
    demo::run(|version| {
        let blocks = Blocks::default();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let peer = TcpStream::connect(listener.local_addr()?)?;
        let (socket, _) = listener.accept()?;
        match version {
            Version::Failing => failing(&blocks, socket, peer),
            Version::Mended => mended(&blocks, socket, peer),
        }
    })
}

/// Memory that is never freed, in blocks that are given away and come back.
#[derive(Clone, Default)]
struct Blocks(Rc<Shelf>);

#[derive(Default)]
struct Shelf {
    free: RefCell<Vec<Memory>>,
    made: Cell<usize>,
}

#[derive(Clone, Copy)]
struct Memory {
    number: usize,
    start: *mut u8,
}

/// A block, for whoever has it. It goes back when it is dropped.
struct Block {
    memory: Memory,
    blocks: Blocks,
}

impl Blocks {
    fn take(&self) -> Block {
        let free = self.0.free.borrow_mut().pop();
        let memory = free.unwrap_or_else(|| {
            self.0.made.update(|made| made + 1);
            Memory { number: self.0.made.get(), start: vec![b' '; SIZE].leak().as_mut_ptr() }
        });
        Block { memory, blocks: self.clone() }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.blocks.0.free.borrow_mut().push(self.memory);
    }
}

impl Block {
    fn number(&self) -> usize {
        self.memory.number
    }

    fn write(&mut self, text: [u8; SIZE]) {
        // SAFETY: blocks are never freed, and have this size.
        unsafe { self.memory.start.copy_from_nonoverlapping(text.as_ptr(), SIZE) };
    }

    fn read(&self) -> String {
        // SAFETY: as above. The kernel may have written to it behind our back: hence volatile.
        let byte = |place| unsafe { self.memory.start.add(place).read_volatile() };
        (0..SIZE).map(|place| char::from(byte(place))).collect()
    }
}

// ANCHOR: failing
/// The future owns the block. When it is dropped, the block goes back.
struct Receive {
    _block: Block,
}

fn failing(blocks: &Blocks, socket: TcpStream, mut peer: TcpStream) -> Result<(), Box<dyn Error>> {
    let mut ring = open(&IoUring::builder(), 8)?;
    let block = blocks.take();
    let entry = opcode::Recv::new(Fd(socket.as_raw_fd()), block.memory.start, SIZE as u32).build();
    println!("reader: the kernel writes to block {}, when something comes.", block.number());
    // SAFETY: the block is never freed. That it is given to somebody else is the point.
    unsafe { ring.submission().push(&entry) }?;
    emit!(Event::Sqe { op: 1, kind: OpKind::Recv });
    emit!(Event::BufferLent { op: 1 });
    let count = ring.submit()?;
    emit!(Event::Submit { count });
    let receive = Receive { _block: block };

    println!("reader: nothing comes. I drop the future.");
    drop(receive);
    emit!(Event::BufferHome { op: 1 });

    let canary = put_canary(blocks);
    say_something(&mut peer)?;
    ring.submit_and_wait(1)?;
    emit!(Event::Cqe { op: 1, ok: true });
    look_after(&canary)
}
// ANCHOR_END: failing

// ANCHOR: mended
fn mended(blocks: &Blocks, socket: TcpStream, mut peer: TcpStream) -> Result<(), Box<dyn Error>> {
    let driver = Rc::new(Driver::new(8)?);
    let stream = ch13_completion::TcpStream::from_fd(socket.into(), &driver);
    let block = blocks.take();
    println!("reader: the kernel writes to block {}, when something comes.", block.number());
    let receive = stream.start_recv(block);
    driver.wait(Some(Duration::ZERO))?;

    println!("reader: nothing comes. I drop the future.");
    drop(receive);

    let canary = put_canary(blocks);
    say_something(&mut peer)?;
    while driver.in_flight() > 0 {
        driver.wait(None)?;
    }
    println!("driver: the kernel has let go, and block {} is free.", blocks.take().number());
    look_after(&canary)
}
// ANCHOR_END: mended

fn put_canary(blocks: &Blocks) -> Block {
    let mut block = blocks.take();
    block.write(*b"canary");
    println!("keeper: I have got block {}, and put a canary into it.", block.number());
    block
}

fn say_something(peer: &mut TcpStream) -> Result<(), Box<dyn Error>> {
    println!("peer: here I am, with a raptor.");
    Ok(peer.write_all(b"raptor")?)
}

fn look_after(block: &Block) -> Result<(), Box<dyn Error>> {
    match block.read().as_str() {
        "canary" => println!("keeper: the canary is well."),
        other => {
            let number = block.number();
            return Err(format!("Block {number} holds a {other} now, and no canary.").into());
        }
    }
    Ok(())
}

// SAFETY: blocks are never freed, and a block is in one hand at a time.
unsafe impl IoBuf for Block {
    fn as_ptr(&self) -> *const u8 {
        self.memory.start
    }

    fn bytes_init(&self) -> usize {
        SIZE
    }
}

// SAFETY: as above. All of a block was initialized when it was made.
unsafe impl IoBufMut for Block {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        self.memory.start
    }

    fn bytes_total(&self) -> usize {
        SIZE
    }

    unsafe fn set_init(&mut self, _: usize) {}
}
