//! Waiting for conditions. No test sleeps and hopes.

use crate::{Error, Result};
use std::{fmt::Display, future::Future, time::Duration};

/// The longest that anything is awaited. Reaching it is a failure and never a measurement: it is far above what
/// a loaded machine needs, and above every timeout of the gateway that a test waits through.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// How often [`until`] looks. Only for what cannot notify, such as a file that Envoy writes.
const LOOK: Duration = Duration::from_millis(10);

/// Awaits `future`, for at most [`DEADLINE`].
///
/// # Errors
/// The deadline passed; the error names `what`.
pub async fn within<T>(what: impl Display, future: impl Future<Output = T>) -> Result<T> {
    let passed = |_| Error::new(format!("waited {} s for {what}", DEADLINE.as_secs()));
    tokio::time::timeout(DEADLINE, future).await.map_err(passed)
}

/// Calls `look` until it returns a value, for at most [`DEADLINE`].
///
/// # Errors
/// The deadline passed; the error names `what`.
pub async fn until<T>(what: impl Display, mut look: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    within(what, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    })
    .await
}
