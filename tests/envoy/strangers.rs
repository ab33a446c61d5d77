//! What those without a token can take from those with one.

use crate::support::{Bed, asking, event, honest};
use serde_json::json;
use testbed::{
    client::Request,
    keptn::{Gate, Order, Scope},
};

/// Found by attack: public documents, the checks and the API shared their connections to api-service, so whoever
/// held enough of them (a body that never came, a window of 0) stopped everybody's authentication.
#[tokio::test]
async fn strangers_at_public_documents_hold_up_nobody_with_a_token() {
    let bed = Bed::edited(|bootstrap| {
        bootstrap.configuration(asking(json!({}))).edit(|json| {
            for cluster in json["static_resources"]["clusters"].as_array_mut().unwrap() {
                for limits in cluster["circuit_breakers"]["thresholds"].as_array_mut().unwrap() {
                    limits["max_connections"] = json!(2);
                }
            }
        })
    })
    .await;
    let gate = Gate::new();
    let documents = ["/swagger.json", "/swagger-ui/", "/v1/docs"];
    for document in documents {
        bed.api.orders.set(Scope::Path(document.to_owned()), Order::Hang(gate.clone()));
    }
    bed.configuration
        .orders
        .set(Scope::Path("/swagger-ui/swagger.yaml".to_owned()), Order::Hang(gate.clone()));

    let mut strangers = Vec::new();
    for _ in 0..2 {
        for document in documents.iter().chain(&["/configuration-service/swagger-ui/swagger.yaml"]) {
            strangers.push(bed.begin(&Request::get(document)).await);
        }
    }
    gate.wait_for(4).await.unwrap();
    bed.under_way(strangers.len() as u64).await;

    assert_eq!(bed.send(&honest()).await.status, 200);
    assert_eq!(bed.send(&event()).await.status, 200);
    gate.open();
    for mut stranger in strangers {
        assert_eq!(stranger.read_response(false).await.unwrap().status, 200);
    }
}
