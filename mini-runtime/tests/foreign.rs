//! Wakers and buffers of others, which run any code when they are cloned, woken or dropped: also such as
//! runs the runtime, or drops it.
#![expect(clippy::async_yields_async, reason = "futures are taken out of the runtime")]

mod common;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::io::Write;
use std::mem::ManuallyDrop;
use std::net;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::sync::mpsc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::time::Duration;

use common::{Buffer, Count, Dice, OnDrop, descriptors, half, on_both_drivers, runtime, turns};
use conformance::Probe;
use futures::channel::oneshot;
use futures::{AsyncReadExt as Polled, FutureExt};
use mini_runtime::io::AsyncReadOwned;
use mini_runtime::net::{TcpListener, TcpStream};
use mini_runtime::task::{JoinSet, spawn_blocking};
use mini_runtime::time::{self, Instant, sleep, sleep_until};
use mini_runtime::{Builder, DriverKind, Handle, Runtime, spawn};

const LONG: Duration = Duration::from_secs(1000);

type Act = Box<dyn FnOnce()>;
type Wait = Pin<Box<dyn Future<Output = bool>>>;

/// What a waker does, once, when it is cloned, woken and dropped. It never leaves its thread, and it counts its
/// wakers: each has to be dropped once.
#[derive(Default)]
struct Script {
    clones: Cell<Option<Act>>,
    wakes: Cell<Option<Act>>,
    drops: Cell<Option<Act>>,
    woken: Cell<usize>,
}

impl Script {
    fn new() -> Rc<Script> {
        Rc::default()
    }

    fn waker(self: &Rc<Script>) -> Waker {
        // SAFETY: the pointer stands for a share, and each of the functions treats it as one. The tests that
        // use this have one thread.
        unsafe { Waker::new(Rc::into_raw(self.clone()).cast(), &SCRIPT) }
    }

    /// How many wakers there are.
    fn wakers(self: &Rc<Script>) -> usize {
        Rc::strong_count(self) - 1
    }
}

static SCRIPT: RawWakerVTable = RawWakerVTable::new(
    |data| {
        let script = borrowed(data);
        run(&script.clones);
        RawWaker::new(Rc::into_raw(Rc::clone(&script)).cast(), &SCRIPT)
    },
    |data| wake(&owned(data)),
    |data| wake(&borrowed(data)),
    |data| run(&owned(data).drops),
);

fn owned(data: *const ()) -> Rc<Script> {
    // SAFETY: this is the share of a waker, which is gone after this.
    unsafe { Rc::from_raw(data.cast()) }
}

fn borrowed(data: *const ()) -> ManuallyDrop<Rc<Script>> {
    ManuallyDrop::new(owned(data))
}

fn wake(script: &Script) {
    script.woken.set(script.woken.get() + 1);
    run(&script.wakes);
}

fn run(act: &Cell<Option<Act>>) {
    if let Some(act) = act.take() {
        act();
    }
}

/// Something that waits. Its output says whether it has got what it waits for.
struct Waits {
    what: &'static str,
    wait: Wait,
    /// Makes it happen.
    happens: Act,
}

fn waits<F>(what: &'static str, wait: F, happens: impl FnOnce() + 'static) -> Waits
where
    F: Future<Output = bool> + 'static,
{
    Waits { what, wait: Box::pin(wait), happens: Box::new(happens) }
}

fn advances() {
    time::pause();
    drop(spawn(time::advance(LONG)));
}

/// One of each kind, begun by nobody.
async fn all_kinds() -> Vec<Waits> {
    let mut all = Vec::new();

    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    all.push(waits("accept", async move { listener.accept().await.is_ok() }, move || {
        drop(net::TcpStream::connect(address).expect("it listens"));
    }));

    let (stream, peer) = half().await;
    let read = async move { stream.read(Vec::with_capacity(1)).await.0.is_ok() };
    all.push(waits("read", read, move || drop(peer)));

    let (stream, peer) = half().await;
    let bufs = vec![Vec::with_capacity(1), Vec::with_capacity(1)];
    let read = async move { stream.read_vectored(bufs).await.0.is_ok() };
    all.push(waits("vectored", read, move || drop(peer)));

    let (mut stream, peer) = half().await;
    let read = async move { Polled::read(&mut stream, &mut [0]).await.is_ok() };
    all.push(waits("polled", read, move || drop(peer)));

    let (stream, peer) = half().await;
    let readable = async move {
        if stream.try_read(&mut [0]).is_ok() {
            return true;
        }
        stream.readable().await.is_ok()
    };
    all.push(waits("readable", readable, move || drop(peer)));

    let (send, receive) = oneshot::channel::<()>();
    let task = spawn(receive);
    let join = async move { task.await.is_ok() };
    all.push(waits("join", join, move || send.send(()).expect("it waits")));

    let (send, receive) = oneshot::channel::<()>();
    let mut set = JoinSet::new();
    set.spawn(receive);
    let join = async move { set.join_next().await.expect("there is one").is_ok() };
    all.push(waits("set", join, move || send.send(()).expect("it waits")));

    let (send, receive) = oneshot::channel::<()>();
    let task = Handle::current().spawn(|| receive);
    let join = async move { task.await.is_ok() };
    all.push(waits("remote", join, move || send.send(()).expect("it waits")));

    // It panics when its runtime is gone.
    let nap = AssertUnwindSafe(sleep(LONG)).catch_unwind().map(|slept| slept.is_ok());
    all.push(waits("sleep", nap, advances));
    all
}

/// A runtime that somebody else may drop.
#[derive(Clone)]
struct Shared(Rc<RefCell<Option<Runtime>>>);

impl Shared {
    fn new(runtime: Runtime) -> Shared {
        Shared(Rc::new(RefCell::new(Some(runtime))))
    }

    fn drops(&self) -> Option<Act> {
        let same = self.clone();
        Some(Box::new(move || {
            let runtime = same.0.borrow_mut().take();
            drop(runtime);
        }))
    }

    fn is_gone(&self) -> bool {
        self.0.borrow().is_none()
    }
}

fn poll(wait: &mut Wait, waker: &Waker) -> Poll<bool> {
    wait.as_mut().poll(&mut Context::from_waker(waker))
}

on_both_drivers! {
    /// Who leaves a waker has looked before that, and nobody else is there to be woken meanwhile.
    fn what_comes_while_a_waker_is_cloned_is_not_missed(driver) {
        let runtime = Rc::new(runtime(driver));
        for Waits { what, mut wait, happens } in runtime.block_on(all_kinds()) {
            // It is begun, and what was queued has been done.
            assert!(poll(&mut wait, Waker::noop()).is_pending(), "{what}");
            runtime.block_on(turns(200));
            let (script, same) = (Script::new(), runtime.clone());
            script.clones.set(Some(Box::new(move || {
                same.block_on(async {
                    happens();
                    turns(200).await;
                });
            })));
            let waker = script.waker();
            let mut polled = poll(&mut wait, &waker);
            if polled.is_pending() {
                runtime.block_on(turns(200));
                assert!(script.woken.get() > 0, "{what}: nobody was woken");
                polled = poll(&mut wait, Waker::noop());
            }
            assert_eq!(polled, Poll::Ready(true), "{what}");
            drop((wait, waker));
            assert_eq!(script.wakers(), 0, "{what}");
        }
    }

    /// In the first poll, after a look at the clock that is an old one then. The time is that of the runtime.
    fn a_sleep_whose_time_comes_while_its_waker_is_cloned_is_over(driver) {
        let runtime = Rc::new(runtime(driver));
        let (naps, far) = runtime.block_on(async {
            time::pause();
            // The wheel turns for this one, and the deadlines of the others are behind it.
            let mut far: Wait = Box::pin(sleep(5 * LONG).map(|()| true));
            assert!(poll(&mut far, Waker::noop()).is_pending());
            (vec![sleep(LONG), sleep_until(Instant::now() + 2 * LONG)], far)
        });
        for nap in naps {
            let mut nap: Wait = Box::pin(nap.map(|()| true));
            let (script, same) = (Script::new(), runtime.clone());
            script.clones.set(Some(Box::new(move || same.block_on(time::advance(LONG)))));
            assert_eq!(poll(&mut nap, &script.waker()), Poll::Ready(true));
            assert_eq!(script.wakers(), 0);
        }
        drop(far);
    }

    /// In the middle of waking those whose time has come by an earlier move.
    fn a_waker_may_move_the_clock(driver) {
        runtime(driver).block_on(async {
            time::pause();
            let script = Script::new();
            script.wakes.set(Some(Box::new(|| {
                let mut cx = Context::from_waker(Waker::noop());
                assert!(pin!(time::advance(LONG)).poll(&mut cx).is_pending());
            })));
            let deadlines = [1, 2, 3].map(|number| sleep(number * LONG));
            let mut naps = deadlines.map(|nap| -> Wait { Box::pin(nap.map(|()| true)) });
            for nap in &mut naps {
                assert!(poll(nap, &script.waker()).is_pending());
            }
            time::advance(LONG).await;
            assert_eq!(script.woken.get(), 2);
            time::advance(LONG).await;
            assert_eq!(script.woken.get(), 3);
            for mut nap in naps {
                assert_eq!(poll(&mut nap, Waker::noop()), Poll::Ready(true));
            }
        });
    }

    /// When it is cloned, and when it makes room for another one, in the middle of their polls.
    fn a_waker_may_use_the_listener_and_the_stream_that_it_waits_for(driver) {
        let runtime = runtime(driver);
        runtime.block_on(async {
            let listener = Rc::new(TcpListener::bind("127.0.0.1:0").expect("a port is free"));
            let (mut stream, peer) = half().await;
            // On a ring, the stream has asked for more than was fetched, which is what others meet then.
            let begun = Polled::read(&mut stream, &mut [0]).now_or_never();
            assert!(begun.is_none());
            let stream = Rc::new(stream);
            let (accepts, reads) = (listener.clone(), stream.clone());
            let mut waits: Vec<Wait> = vec![
                Box::pin(async move { accepts.accept().await.is_ok() }),
                Box::pin(async move { reads.readable().await.is_ok() }),
            ];
            let used = Count::default();
            for wait in &mut waits {
                let uses = || {
                    let (listener, stream, used) = (listener.clone(), stream.clone(), used.clone());
                    let act: Act = Box::new(move || {
                        let mut cx = Context::from_waker(Waker::noop());
                        assert!(pin!(listener.accept()).poll(&mut cx).is_pending());
                        assert!(stream.try_read(&mut [0]).is_err());
                        assert!(pin!(stream.readable()).poll(&mut cx).is_pending());
                        assert!(pin!(stream.peek(&mut [0])).poll(&mut cx).is_pending());
                        used.add();
                    });
                    Some(act)
                };
                let (first, second, third) = (Script::new(), Script::new(), Script::new());
                second.clones.set(uses());
                second.drops.set(uses());
                for script in [&first, &second, &third] {
                    assert!(poll(wait, &script.waker()).is_pending());
                }
            }
            assert_eq!(used.get(), 2 * waits.len());
            drop(net::TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens"));
            drop(peer);
            for wait in waits {
                assert!(wait.await);
            }
        });
    }

    /// In the first poll, in a later one, when it makes room for another one, and with its future.
    fn a_waker_may_drop_the_runtime_when_it_is_cloned_or_dropped(driver) {
        let before = descriptors();
        for moment in 0..4 {
            for which in 0.. {
                let runtime = runtime(driver);
                let mut kinds = runtime.block_on(all_kinds());
                if which == kinds.len() {
                    break;
                }
                let Waits { what, mut wait, happens } = kinds.swap_remove(which);
                drop(kinds);
                let shared = Shared::new(runtime);
                let (first, second) = (Script::new(), Script::new());
                match moment {
                    0 => first.clones.set(shared.drops()),
                    1 => second.clones.set(shared.drops()),
                    _ => {}
                }
                let waker = first.waker();
                let mut last = &first;
                let mut polled = poll(&mut wait, &waker);
                drop(waker);
                if moment > 1 {
                    first.drops.set(shared.drops());
                }
                if moment == 1 || moment == 2 {
                    let waker = second.waker();
                    last = &second;
                    polled = poll(&mut wait, &waker);
                    drop(waker);
                }
                if moment < 3 {
                    assert!(shared.is_gone(), "{what}: at {moment}, it was not cloned or dropped");
                    if polled.is_pending() {
                        assert!(last.woken.get() > 0, "{what}: at {moment}, nobody was woken");
                        polled = poll(&mut wait, Waker::noop());
                    }
                    assert_eq!(polled, Poll::Ready(false), "{what}: at {moment}");
                }
                drop((wait, happens));
                run(&Cell::new(shared.drops()));
                assert_eq!((first.wakers(), second.wakers()), (0, 0), "{what}: at {moment}");
                assert_eq!(descriptors(), before, "{what}: at {moment}");
            }
        }
    }

    /// The work that nobody waits for any more goes on, and has no use for it.
    fn a_handle_that_is_dropped_gives_back_the_waker_of_who_has_waited(driver) {
        let runtime = runtime(driver);
        let script = Script::new();
        let (send, receive) = oneshot::channel::<()>();
        let (end, ends) = mpsc::channel::<()>();
        let (remote, blocking, local) = runtime.block_on(async {
            let blocking = spawn_blocking(move || _ = ends.recv());
            (Handle::current().spawn(|| receive), blocking, spawn(pending::<()>()))
        });
        let waits: [Wait; 3] = [
            Box::pin(remote.map(|ended| ended.is_ok())),
            Box::pin(blocking.map(|ended| ended.is_ok())),
            Box::pin(local.map(|ended| ended.is_ok())),
        ];
        for mut wait in waits {
            assert!(poll(&mut wait, &script.waker()).is_pending());
            assert_eq!(script.wakers(), 1);
            drop(wait);
            assert_eq!(script.wakers(), 0);
        }
        drop((send, end));
    }

    /// The task ends while the waker is cloned, and is queued once more: it has woken itself in its last poll.
    fn a_handle_that_is_ready_leaves_no_waker_in_the_task(driver) {
        // So few polls that the main future has its turn before the task is looked at again.
        let built = Builder::new().driver(driver).run_budget(2).build();
        let runtime = Rc::new(built.expect("descriptors are left"));
        let probe = Probe::default();
        let task = runtime.block_on(async {
            let mut task = probe.clone();
            let task = spawn(poll_fn(move |cx| {
                let polled = Pin::new(&mut task).poll(cx);
                cx.waker().wake_by_ref();
                polled
            }));
            turns(2).await;
            task
        });
        let mut wait: Wait = Box::pin(task.map(|ended| ended.is_ok()));
        let (script, same) = (Script::new(), runtime.clone());
        script.clones.set(Some(Box::new(move || {
            probe.done.set(true);
            same.block_on(turns(1));
        })));
        assert_eq!(poll(&mut wait, &script.waker()), Poll::Ready(true));
        assert_eq!(script.wakers(), 0);
        runtime.block_on(turns(2));
    }

    /// The stream stays, and nobody will ever wake who asks it.
    fn a_stream_whose_runtime_is_gone_keeps_no_waker(driver) {
        let script = Script::new();
        let runtime = runtime(driver);
        let (stream, _peer) = runtime.block_on(half());
        runtime.block_on(async { assert!(stream.read(vec![0]).now_or_never().is_none()) });
        drop(runtime);
        let waker = script.waker();
        let told = pin!(stream.readable()).poll(&mut Context::from_waker(&waker));
        assert!(matches!(told, Poll::Ready(Err(_))), "{told:?}");
        drop(waker);
        assert_eq!(script.wakers(), 0);
    }

    /// Two tasks have the same place and the same generation, each in its own runtime.
    fn an_operation_of_another_runtime_wakes_who_polls_it_and_no_namesake(driver) {
        let (one, two) = (runtime(driver), runtime(driver));
        let namesake = Probe::default();
        let (read, mut peer) = one.block_on(async {
            drop(spawn(namesake.clone()));
            turns(1).await;
            let (stream, peer) = half().await;
            (async move { stream.read(Vec::with_capacity(1)).await.0 }, peer)
        });
        let task = two.block_on(async {
            let task = spawn(read);
            turns(1).await;
            task
        });
        peer.write_all(b"1").expect("it is connected");
        one.block_on(turns(200));
        assert_eq!(namesake.polls.get(), 1);
        // Only the wake gets it polled.
        assert_eq!(two.block_on(task).expect("no panic").expect("it is connected"), 1);
    }

    /// That of a future that was never begun, of one that flies, and of one that has landed.
    fn a_buffer_may_run_the_runtime_when_it_is_dropped(driver) {
        let before = descriptors();
        let runtime = Rc::new(runtime(driver));
        let runs = Count::default();
        for moment in 0..4 {
            let (same, counts) = (runtime.clone(), runs.clone());
            let lively = Buffer::with(Vec::with_capacity(1), move || {
                let talk = async {
                    let (stream, mut peer) = half().await;
                    peer.write_all(b"1").expect("it is connected");
                    assert_eq!(stream.read(Vec::with_capacity(1)).await.0.expect("a byte"), 1);
                };
                let counts = counts.clone();
                let talk = talk.map(move |()| counts.add());
                if Handle::try_current().is_some() {
                    drop(spawn(talk));
                } else {
                    same.block_on(talk);
                }
            });
            let (stream, mut peer) = runtime.block_on(half());
            let mut read: Wait = Box::pin(async move { stream.read(lively).await.0.is_ok() });
            if moment > 0 {
                assert!(poll(&mut read, Waker::noop()).is_pending());
            }
            if moment > 1 {
                runtime.block_on(turns(200));
            }
            if moment > 2 {
                peer.write_all(b"1").expect("it is connected");
                runtime.block_on(turns(200));
            }
            drop(read);
            runtime.block_on(async {
                while runs.get() == moment {
                    turns(1).await;
                }
            });
        }
        assert!(format!("{runtime:?}").contains("slots: 0,"), "{runtime:?}");
        drop(runtime);
        assert_eq!(descriptors(), before);
    }

    /// What the kernel gives back then runs the code of others: it begins, polls and drops what is in flight.
    fn a_runtime_that_goes_gives_back_what_drops_and_polls_the_rest(driver) {
        let before = descriptors();
        let (made, freed) = (Count::default(), Count::default());
        for abandoned in [0, 10, 20] {
            let runtime = runtime(driver);
            let others: Rc<RefCell<Vec<Option<Wait>>>> = Rc::default();
            let scripts: Vec<_> = (0..20).map(|_| Script::new()).collect();
            for (number, script) in scripts.iter().enumerate() {
                let (stream, peer) = runtime.block_on(half());
                let (buffer, others_too) = (Buffer::new(8, &freed), others.clone());
                made.add();
                let meddles = move || {
                    // The one before is polled, and the one behind is dropped.
                    let before = others_too.borrow_mut().get_mut(number.wrapping_sub(1)).and_then(Option::take);
                    if let Some(mut before) = before {
                        let polled = poll(&mut before, Waker::noop());
                        assert_ne!(polled, Poll::Ready(true), "nothing has come");
                        others_too.borrow_mut()[number - 1] = polled.is_pending().then_some(before);
                    }
                    let behind = others_too.borrow_mut().get_mut(number + 1).and_then(Option::take);
                    drop(behind);
                };
                let lively = OnDrop(meddles.clone());
                script.wakes.set(Some(Box::new(meddles)));
                let mut wait: Wait = Box::pin(async move {
                    let (_peer, _lively) = (peer, lively);
                    stream.read(buffer).await.0.is_ok()
                });
                assert!(poll(&mut wait, &script.waker()).is_pending());
                others.borrow_mut().push(Some(wait));
            }
            runtime.block_on(turns(200));
            for number in 0..abandoned {
                let wait = others.borrow_mut()[number].take();
                drop(wait);
            }
            drop(runtime);
            // They hold each other.
            let left = others.take();
            drop(left);
            assert_eq!(freed.get(), made.get());
            assert!(scripts.iter().all(|script| script.wakers() == 0));
            assert_eq!(descriptors(), before);
        }
    }

    /// A ring has one slot for each, whatever the socket has kept. A socket of epoll knows one reader.
    fn several_operations_on_one_stream_each_have_their_own_end(driver) {
        let before = descriptors();
        let runtime = runtime(driver);
        runtime.block_on(async {
            let freed = Count::default();
            let mut made = 0;
            let mut dice = Dice(0xD1CE);
            let (stream, mut peer) = half().await;
            let stream = Rc::new(stream);
            for round in 0..500_usize {
                let mut reads: Vec<Wait> = Vec::new();
                let number = if driver == DriverKind::IoUring { 1 + round % 4 } else { 1 };
                for _ in 0..number {
                    let (stream, buffer) = (stream.clone(), Buffer::new(1, &freed));
                    made += 1;
                    reads.push(Box::pin(async move { stream.read(buffer).await.0.is_ok() }));
                }
                for read in &mut reads {
                    assert!(poll(read, Waker::noop()).is_pending());
                }
                turns(dice.roll(3) as usize).await;
                // The kernel may have given some of them a byte, or not.
                peer.write_all(&vec![1; reads.len()]).expect("it is connected");
                while dice.roll(2) == 0 {
                    let which = dice.roll(reads.len() as u64) as usize;
                    drop(reads.swap_remove(which));
                    if reads.is_empty() {
                        break;
                    }
                }
                for read in reads {
                    assert!(read.await);
                }
                while freed.get() < made {
                    turns(1).await;
                }
                while stream.try_read(&mut [0; 8]).is_ok() {}
            }
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    }

    /// A ring of one submission, whose wakers begin, poll and drop whatever they find.
    fn wakers_that_do_anything_at_any_time_lose_no_buffer_and_no_waker(driver) {
        let before = descriptors();
        let (made, freed) = (Count::default(), Count::default());
        for seed in 1..=20 {
            let built = Builder::new().driver(driver).ring_entries(1).build();
            let runtime = built.expect("descriptors are left");
            let world = runtime.block_on(async {
                let mut sockets = Vec::new();
                for _ in 0..4 {
                    let (stream, peer) = half().await;
                    sockets.push((Rc::new(stream), peer));
                }
                let bind = |_| TcpListener::bind("127.0.0.1:0").expect("a port is free");
                let listeners: Vec<_> = (0..4).map(bind).map(Rc::new).collect();
                let address = |listener: &Rc<TcpListener>| listener.local_addr().expect("it is bound");
                let world = Rc::new(World {
                    sockets,
                    addresses: listeners.iter().map(address).collect(),
                    listeners: RefCell::new(listeners.into_iter().map(Some).collect()),
                    waits: RefCell::new((0..8).map(|_| None).collect()),
                    scripts: RefCell::default(),
                    dice: RefCell::new(Dice(seed)),
                    depth: Cell::new(0),
                    made: made.clone(),
                    freed: freed.clone(),
                });
                for _ in 0..500 {
                    world.act();
                    turns(world.roll(3)).await;
                }
                world
            });
            // Half of the time, the runtime goes first, with all that is in flight.
            if seed % 2 == 0 {
                drop(runtime);
                world.end();
            } else {
                world.end();
                runtime.block_on(turns(200));
                drop(runtime);
            }
            assert_eq!(freed.get(), made.get(), "{seed}");
            let scripts = world.scripts.take();
            // With epoll, a socket keeps the waker of whoever has waited.
            drop(world);
            assert!(scripts.len() > 100 && scripts.iter().all(|script| script.wakers() == 0));
            assert_eq!(descriptors(), before, "{seed}");
        }
    }
}

/// Streams and listeners, and what waits for them.
struct World {
    sockets: Vec<(Rc<TcpStream>, net::TcpStream)>,
    listeners: RefCell<Vec<Option<Rc<TcpListener>>>>,
    addresses: Vec<net::SocketAddr>,
    waits: RefCell<Vec<Option<Wait>>>,
    scripts: RefCell<Vec<Rc<Script>>>,
    dice: RefCell<Dice>,
    /// How many acts are in the middle of each other.
    depth: Cell<usize>,
    made: Count,
    freed: Count,
}

impl World {
    fn roll(&self, sides: usize) -> usize {
        self.dice.borrow_mut().roll(sides as u64) as usize
    }

    /// A waker that acts whenever it is cloned, woken or dropped for the first time.
    fn waker(self: &Rc<World>) -> Waker {
        let act = || {
            let world: Weak<World> = Rc::downgrade(self);
            let act: Act = Box::new(move || {
                if let Some(world) = world.upgrade() {
                    world.act();
                }
            });
            Some(act)
        };
        let script = Script::new();
        script.clones.set(act());
        script.wakes.set(act());
        script.drops.set(act());
        self.scripts.borrow_mut().push(script.clone());
        script.waker()
    }

    /// Begins, polls or drops something, or lets something come. Nothing is borrowed meanwhile.
    fn act(self: &Rc<World>) {
        if self.depth.get() == 3 {
            return;
        }
        self.depth.set(self.depth.get() + 1);
        let (place, which) = (self.roll(8), self.roll(4));
        let (stream, peer) = &self.sockets[which];
        match self.roll(100) {
            0..25 => {
                let (stream, buffer) = (stream.clone(), Buffer::new(4, &self.freed));
                self.made.add();
                let wait: Wait = match self.roll(3) {
                    0 => {
                        Box::pin(async move { stream.read_vectored(vec![buffer]).await.0.is_ok() })
                    }
                    _ => Box::pin(async move { stream.read(buffer).await.0.is_ok() }),
                };
                self.poll(place, Some(wait));
            }
            25..35 => {
                let listener = self.listeners.borrow()[which].clone();
                let accepts = |listener: Rc<TcpListener>| -> Wait {
                    Box::pin(async move { listener.accept().await.is_ok() })
                };
                self.poll(place, listener.map(accepts));
            }
            35..60 => self.poll(place, None),
            60..75 => {
                let wait = self.waits.borrow_mut()[place].take();
                drop(wait);
            }
            75 => {
                let listener = self.listeners.borrow_mut()[which].take();
                drop(listener);
            }
            76..85 => {
                // A port that is free again may be somebody else's by now.
                if self.listeners.borrow()[which].is_some() {
                    drop(net::TcpStream::connect(self.addresses[which]).expect("it listens"));
                }
            }
            _ => drop((&*peer).write(b"12")),
        }
        self.depth.set(self.depth.get() - 1);
    }

    /// Polls what is at this place, or else this.
    fn poll(self: &Rc<World>, place: usize, wait: Option<Wait>) {
        let here = self.waits.borrow_mut()[place].take();
        let Some(mut wait) = here.or(wait) else { return };
        if poll(&mut wait, &self.waker()).is_pending() {
            let before = self.waits.borrow_mut()[place].replace(wait);
            drop(before);
        }
    }

    fn end(&self) {
        // From now on, wakers only count.
        self.depth.set(3);
        let (waits, listeners) = (self.waits.take(), self.listeners.take());
        drop((waits, listeners));
    }
}
