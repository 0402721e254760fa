//~ error: future cannot be sent between threads safely
//~ has type `std::sync::MutexGuard<'_, RefCell<i32>>` which is not `Send`
//! A method of a trait that returns a boxed future, as the macro `#[async_trait]` writes it.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Mutex;

// ANCHOR: trait
type BoxFuture<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

pub trait Foo {
    fn foo(&self) -> BoxFuture<'_>;
}

pub struct C(pub Mutex<RefCell<i32>>);

impl C {
    async fn bar(&self) {
        println!("bar");
    }
}
// ANCHOR_END: trait

// ANCHOR: failing
#[cfg(not(mended))]
impl Foo for C {
    fn foo(&self) -> BoxFuture<'_> {
        Box::pin(async {
            let mut guard = self.0.lock().expect("nobody panics");
            let number = guard.get_mut();
            self.bar().await;
            *number = 10;
        })
    }
}
// ANCHOR_END: failing

// ANCHOR: mended
#[cfg(mended)]
impl Foo for C {
    fn foo(&self) -> BoxFuture<'_> {
        Box::pin(async {
            self.bar().await;
            let mut guard = self.0.lock().expect("nobody panics");
            let number = guard.get_mut();
            *number = 10;
        })
    }
}
// ANCHOR_END: mended
