//! The filter in each of the ways it can be brought in.

use crate::support::{API, BRIDGE, CARTS, Lab, Mode, chains, get, send, stranger};
use testbed::{Result, client::Request};

/// Each upstream once, a refusal, and other applications.
#[tokio::test(flavor = "multi_thread")]
async fn every_mode_serves() -> Result<()> {
    for mode in Mode::ALL {
        let lab = Lab::with(mode).await?;
        let response = send(&get("/v1/event")).await?;
        assert_eq!(lab.api.records.forwarded().len(), 1, "{mode:?}: {response:?}");
        let response = send(&get("/configuration-service/v1/project")).await?;
        assert_eq!(response.status, 200, "{mode:?}: {response:?}");
        let [received] = &lab.configuration.records.take()[..] else { panic!("{mode:?}: not one request") };
        assert_eq!(received.path(), "/v1/project");
        assert_eq!(received.header("x-token"), None, "{mode:?}");
        let response = send(&stranger("/swagger-ui/")).await?;
        assert_eq!(response.status, 200, "{mode:?}: {response:?}");

        let response = send(&stranger("/v1/event")).await?;
        assert_eq!((response.status, response.json()["code"].as_u64()), (401, Some(401)), "{mode:?}");

        for (host, application) in [(CARTS, &lab.carts), (BRIDGE, &lab.bridge)] {
            send(&Request::get("/swagger-ui/").header("host", host)).await?;
            assert_eq!(application.records.take().len(), 1, "{mode:?}: {host}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mode_puts_the_filter_at_the_same_place() -> Result<()> {
    let mut seen = Vec::new();
    for mode in Mode::ALL {
        let lab = Lab::with(mode).await?;
        let ours = |name: &String| name.contains("keptn-gateway");
        let places: Vec<_> = chains(&lab.dump().await?)
            .into_iter()
            .map(|(listener, names)| {
                let place =
                    names.iter().position(ours).unwrap_or_else(|| panic!("{mode:?}: {listener}: {names:?}"));
                assert_eq!(names.iter().filter(|name| ours(name)).count(), 1, "{mode:?}: {names:?}");
                let others: Vec<_> = names.into_iter().filter(|name| !ours(name)).collect();
                (listener, place, others)
            })
            .collect();
        seen.push((mode, places));
    }
    let (_, first) = &seen[0];
    assert!(!first.is_empty(), "there are listeners");
    for (mode, places) in &seen {
        assert_eq!(places, first, "{mode:?}");
    }
    for (_, place, others) in first {
        for after in ["envoy.filters.http.fault", "envoy.filters.http.cors", "envoy.filters.http.router"] {
            let index = others.iter().position(|name| name == after).expect("Istio's filter");
            assert!(index >= *place, "{after} stands before ours: {others:?}");
        }
    }
    let _ = API;
    Ok(())
}
