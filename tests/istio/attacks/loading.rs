//! The filter that cannot be loaded, and the filter that dies.

use super::strangers::Strangers;
use crate::agent::Agent;
use crate::support::{CARTS, HTTP, Lab, Mode, get, send, stranger, variable};
use std::fs;
use testbed::{
    Error, Result,
    client::{Raw, Request, Response},
    keptn::{Gate, Order, Received, Scope},
    wait::until,
};

fn carts() -> Request {
    Request::get("/carts").header("host", CARTS)
}

/// Waits for an answer to a request with a good token that is as it should be.
async fn until_answer(what: &str, is_so: impl Fn(&Response) -> bool) -> Result<Response> {
    until(what, async || send(&get("/v1/event")).await.ok().filter(|answer| is_so(answer))).await
}

/// What the agent puts in the place of a filter that it cannot fetch refuses every request of the gateway.
async fn all_are_refused(lab: &Lab, strangers: Option<&Strangers>, what: &str) -> Result<()> {
    until_answer(what, |answer| answer.status == 403).await?;
    lab.api.records.take();
    lab.carts.records.take();
    let requests = [
        get("/v1/event"),
        get("/configuration-service/v1/project"),
        stranger("/swagger.json"),
        stranger("/v1/event"),
        carts(),
    ];
    for request in requests {
        let answer = send(&request).await?;
        let was_refused = answer.status == 403 && answer.text() == "RBAC: access denied";
        assert!(was_refused, "{what}: {request:?}: {answer:?}");
    }
    if let Some(strangers) = strangers {
        strangers.keep_trying().await?;
    }
    lab.nothing_arrived();
    assert!(lab.api.records.all().is_empty(), "{what}: {:?}", lab.api.records);
    assert!(lab.carts.records.all().is_empty(), "{what}: {:?}", lab.carts.records);
    Ok(())
}

async fn all_is_well(lab: &Lab) -> Result<()> {
    lab.serves().await?;
    // Each worker has a filter of its own, and the other one's may be still waiting for its next VM.
    until("other applications", async || {
        send(&carts()).await.ok()?;
        (!lab.carts.records.take().is_empty()).then_some(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_cannot_be_fetched_refuses_everything_until_it_can() -> Result<()> {
    for mode in [Mode::EnvoyFilterHttp, Mode::WasmPlugin, Mode::TrafficExtension] {
        let lab = Lab::start().await?;
        lab.apply("tests/istio/others.yaml").await?;
        let right = lab.manifests(mode).await?;
        let (missing, sha256) = match mode {
            Mode::EnvoyFilterHttp => (right.replace("/plugin.wasm", "/nothing.wasm"), "LAB_PLUGIN_SHA256"),
            // Of an image that it has had, the agent needs no registry.
            _ => (right.replace("/keptn-gateway:1", "/nothing:1"), "LAB_IMAGE_SHA256"),
        };
        let wrong_sha256 = right.replace(&variable(sha256), &"1".repeat(64));
        assert!(missing != right && wrong_sha256 != right);

        // A gateway that never had it.
        lab.apply_text(&missing).await?;
        all_are_refused(&lab, None, &format!("{mode:?}: nothing there")).await?;
        lab.apply_text(&right).await?;
        all_is_well(&lab).await?;

        // A gateway at work.
        let strangers = Strangers::start().await?;
        for (what, wrong) in [("nothing there", &missing), ("another SHA-256", &wrong_sha256)] {
            lab.apply_text(wrong).await?;
            all_are_refused(&lab, Some(&strangers), &format!("{mode:?}, at work: {what}")).await?;
            lab.apply_text(&right).await?;
            all_is_well(&lab).await?;
        }
        strangers.stop(&lab).await;
    }
    Ok(())
}

/// The file's own name, and another.
async fn with_file(lab: &Lab, name: &str) -> Result<String> {
    let manifests = lab.manifests(Mode::EnvoyFilter).await?;
    assert!(manifests.contains("/plugin.wasm"));
    Ok(manifests.replace("/plugin.wasm", name))
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_mounted_file_nothing_arrives() -> Result<()> {
    let lab = Lab::start().await?;
    lab.apply("tests/istio/others.yaml").await?;
    // A pod that starts: a listener of an earlier test, still drained, would have kept the last filter.
    Agent::current()?.restarted(&lab, |_, value| value.to_owned(), &[]).await?;
    lab.apply_text(&with_file(&lab, "/nothing.wasm").await?).await?;
    until_answer("gateway not loaded", |answer| answer.text().contains("gateway not loaded")).await?;
    for request in [get("/v1/event"), get("/configuration-service/v1/project"), stranger("/swagger.json")] {
        let answer = send(&request).await?;
        assert_eq!(answer.status, 503, "{request:?}: {answer:?}");
    }
    lab.nothing_arrived();
    send(&carts()).await?;
    assert_eq!(lab.carts.records.take().len(), 1);
    lab.apply_mode(Mode::EnvoyFilter).await?;
    all_is_well(&lab).await?;

    // A gateway at work keeps what it has, as with any configuration that is refused.
    let strangers = Strangers::start().await?;
    let istiod = lab.istiod_log().len();
    lab.apply_text(&with_file(&lab, "/nothing.wasm").await?).await?;
    until("the refusal", async || {
        lab.istiod_log().get(istiod..)?.contains("ADS:ECDS: ACK ERROR").then_some(())
    })
    .await?;
    all_is_well(&lab).await?;
    strangers.keep_trying().await?;
    strangers.stop(&lab).await;

    // Envoy would refuse the listeners of the next test for what it has refused here, were that the latest.
    let other = lab.manifests(Mode::EnvoyFilter).await?.replace("api-service.keptn:8080", "other.keptn:8080");
    lab.apply_text(&other).await?;
    until("another configuration to be in use", async || {
        send(&get("/v1/auth")).await.ok()?;
        let checks = lab.api.records.checks();
        checks.iter().any(|check| check.header("host").as_deref() == Some("other.keptn:8080")).then_some(())
    })
    .await?;
    Ok(())
}

/// The manifests with the filter that can be told to die.
async fn with_trap(lab: &Lab, mode: Mode) -> Result<String> {
    let plugin = fs::read(variable("PLUGIN_WASM_TRAP")).map_err(Error::during("reading the filter"))?;
    fs::write("/etc/keptn-gateway/trap.wasm", plugin).map_err(Error::during("writing the filter"))?;
    let manifests = lab.manifests(mode).await?;
    let sha256 = lab.run("sha256sum", &["/etc/keptn-gateway/trap.wasm"], None).await?;
    let sha256 = sha256.split(' ').next().expect("a hash");
    let url = variable("LAB_PLUGIN_URL").replace("plugin.wasm", "trap.wasm");
    Ok(match mode {
        Mode::EnvoyFilter => manifests.replace("/plugin.wasm", "/trap.wasm"),
        Mode::EnvoyFilterHttp => manifests
            .replace(&variable("LAB_PLUGIN_URL"), &url)
            .replace(&variable("LAB_PLUGIN_SHA256"), sha256),
        _ => {
            manifests.replace(&variable("LAB_IMAGE_URL"), &url).replace(&variable("LAB_IMAGE_SHA256"), sha256)
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_filter_dies_again_and_again_nothing_arrives_unjudged() -> Result<()> {
    let agent = Agent::current()?;
    // Which filter dies, and which one a request waits in, is to be known.
    agent.with_one_worker(&Lab::start().await?).await?;
    let result = dies_again_and_again().await;
    agent.restarted(&Lab::start().await?, |_, value| value.to_owned(), &[]).await?;
    result
}

async fn dies_again_and_again() -> Result<()> {
    for mode in Mode::ALL {
        let lab = Lab::start().await?;
        lab.apply("tests/istio/others.yaml").await?;
        lab.apply_text(&with_trap(&lab, mode).await?).await?;
        // At first the last test's filter may be in this one's place, from a listener that is still drained.
        until("the filter that dies", async || {
            let answer = send(&get("/v1/event").header("x-trap", "1")).await.ok()?;
            (answer.status == 503 && answer.body.is_empty()).then_some(())
        })
        .await?;
        all_is_well(&lab).await?;
        let strangers = Strangers::start().await?;

        // One waits for its token's check, and the filter dies. It is not let through, also not by the answer.
        let gate = Gate::new();
        lab.api.add_token("another");
        lab.api.orders.set(Scope::Auth, Order::Hang(gate.clone()));
        let mut waiting = Raw::connect(HTTP).await?;
        waiting.write(&stranger("/v1/event?stranger").header("x-token", "another").bytes()).await?;
        let is_its_check = |check: &Received| check.header("x-token").as_deref() == Some("another");
        lab.api.records.wait_until("its check", |all| all.iter().any(is_its_check)).await?;

        let mut refused = 0;
        for host in [get("/v1/event?stranger"), stranger("/?stranger"), carts()].iter().cycle().take(60) {
            let answer = send(&host.clone().header("x-trap", "1")).await?;
            assert_eq!(answer.status, 503, "{mode:?}: {answer:?}");
            refused += usize::from(send(&carts()).await?.status == 503);
        }
        // Other applications too, in between.
        assert!(refused > 0, "{mode:?}: there was no back-off");
        gate.open();
        lab.api.orders.clear();
        strangers.keep_trying().await?;
        strangers.stayed_out(&lab, "while the filter died");
        lab.carts.records.take();

        // It comes back by itself.
        all_is_well(&lab).await?;
        drop(waiting);
        strangers.stop(&lab).await;
    }
    Ok(())
}
