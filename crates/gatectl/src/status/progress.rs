//! What is under way, where it takes long and somebody looks.
//!
//! The one thing that is printed before the run has ended; it is gone by then.

use core::pin::pin;
use core::time::Duration;
use std::io::{self, IsTerminal as _, Write as _};

use tokio::time::timeout;

/// How long nobody wonders.
const SOON: Duration = Duration::from_secs(1);

/// Waits for `done`, and tells after a while what for.
pub(super) async fn telling<T>(what: &str, done: impl Future<Output = T>) -> T {
    let mut done = pin!(done);
    if !io::stderr().is_terminal() {
        return done.await;
    }
    match timeout(SOON, &mut done).await {
        Ok(done) => done,
        Err(_) => {
            // Where it cannot be told it is not.
            let _ = write!(io::stderr(), "{what} …");
            let done = done.await;
            // To the line's begin, and all after it erased.
            let _ = write!(io::stderr(), "\r\x1b[K");
            done
        }
    }
}
