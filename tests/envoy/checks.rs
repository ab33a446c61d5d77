//! The check: what api-service is asked, and what each of its answers means to the client.

use crate::support::{Bed, honest};

#[tokio::test]
async fn a_good_token_opens_the_gate() {
    let bed = Bed::start().await;
    let answer = bed.send(&honest()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(bed.api.records.checks().len(), 1);
    assert_eq!(bed.configuration.records.count(), 1);
}
