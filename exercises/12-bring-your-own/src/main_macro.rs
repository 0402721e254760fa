use ch11_threads::{Config, Runtime};

/// Makes an async `main` an ordinary one: what `#[tokio::main]` does, without a procedural macro.
///
/// ```
/// ch12_bring_your_own::main! {
///     async fn main() -> Result<(), std::io::Error> {
///         ch09_fairness::yield_now().await;
///         Ok(())
///     }
/// }
/// ```
///
/// See the section "What an async main is" of chapter 12.
#[macro_export]
macro_rules! main {
    ($(#[$attribute:meta])* async fn main() $(-> $output:ty)? $body:block) => {
        $(#[$attribute])*
        fn main() $(-> $output)? {
            async fn main() $(-> $output)? $body

            $crate::run(main())
        }
    };
}

/// Runs `main` on a new runtime.
///
/// # Panics
/// If no file descriptors are left for the runtime: it takes three.
pub fn run<F: Future>(main: F) -> F::Output {
    let runtime = Runtime::new(Config::default()).expect("no runtime could be made");
    runtime.block_on(main)
}
