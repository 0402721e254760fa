use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::house::House;
use crate::tasks::in_a_task;

/// How many others wait, where a timeout is set.
const WAITING: usize = 10_000;

/// The same numbers on every run: `xorshift`.
struct Dice(u64);

impl Dice {
    /// A time between two others.
    fn between(&mut self, from: Duration, to: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        from + Duration::from_nanos(self.0 % (to - from).as_nanos() as u64)
    }

    /// A timeout that never comes as long as this program runs.
    fn far(&mut self) -> Duration {
        self.between(Duration::from_secs(1000), Duration::from_secs(2000))
    }
}

/// Asks a future once, which has to wait.
async fn begin<F: Future<Output = ()> + Unpin>(future: &mut F) {
    poll_fn(|cx| {
        assert!(pin!(&mut *future).poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

/// `n` timeouts that are set, and cancelled before their time, beside many that wait.
pub fn sets_and_cancels<H: House>(house: &H, n: usize) {
    in_a_task(house, async move {
        let mut dice = Dice(1);
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(H::sleep(dice.far()))).collect();
        for sleep in &mut waiting {
            begin(sleep).await;
        }
        for _ in 0..n {
            begin(&mut pin!(H::sleep(dice.far()))).await;
        }
    });
}

/// `n` sleeps, one after the other. Says by how much they were late.
pub fn sleeps<H: House>(house: &H, n: usize) {
    let late = in_a_task(house, async move {
        let mut dice = Dice(1);
        let mut late = Vec::with_capacity(n);
        for _ in 0..n {
            let long = dice.between(Duration::from_millis(1), Duration::from_millis(3));
            let began = Instant::now();
            H::sleep(long).await;
            let slept = began.elapsed();
            assert!(slept >= long, "a sleep of {long:?} has ended after {slept:?}");
            late.push(slept - long);
        }
        late
    });
    say_percentiles(late);
}

/// Prints the one in the middle, and the one that 99 of 100 do not exceed.
pub fn say_percentiles(mut times: Vec<Duration>) {
    times.sort();
    for percent in [50, 99] {
        if let Some(time) = times.get(times.len() * percent / 100) {
            println!("p{percent}_ns {}", time.as_nanos());
        }
    }
}
