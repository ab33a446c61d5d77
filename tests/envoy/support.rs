//! A gateway between stand-ins.

use serde_json::{Value, json};
use testbed::{
    Bootstrap, Envoy,
    bootstrap::Listener,
    client::{Raw, Request, Response},
    envoy::Options,
    keptn::{ApiService, ConfigurationService},
};

/// The token that api-service knows.
pub(crate) const TOKEN: &str = "c2VjcmV0LXNlY3JldA==";

/// A `GET` with [`TOKEN`].
pub(crate) fn get(target: impl AsRef<[u8]>) -> Request {
    Request::get(target).header("x-token", TOKEN)
}

/// A `POST` with [`TOKEN`].
pub(crate) fn post(target: impl AsRef<[u8]>) -> Request {
    Request::post(target).header("x-token", TOKEN)
}

/// An honest request, which everybody with a good token gets 200 for: `GET /configuration-service/v1/project`.
pub(crate) fn honest() -> Request {
    with_token(TOKEN)
}

/// [`honest`] with another token.
pub(crate) fn with_token(token: &str) -> Request {
    Request::get("/configuration-service/v1/project").header("x-token", token)
}

/// An event for api-service, which keeps the token, so that the filter changes nothing of the request.
pub(crate) fn event() -> Request {
    let request = post("/v1/event").header("content-type", "application/json");
    request.body(r#"{"data":{},"source":"s","type":"t"}"#)
}

/// Settings for checks that hang until a test lets them go on: they must not run into the time limits of a machine that is busy.
pub(crate) fn patient(mut settings: Value) -> Value {
    settings["auth"]["timeout"] = json!("60s");
    settings["auth"]["deadline"] = json!("60s");
    settings
}

/// Settings under which nothing is remembered and nobody is throttled: every request with a token has it checked, or
/// waits for a check that is under way. `/v1/auth` still repeats for a second what a token was answered.
pub(crate) fn asking(mut settings: Value) -> Value {
    let auth = &mut settings["auth"];
    auth["allow"] = json!("0s");
    auth["deny"] = json!("0s");
    auth["throttle"]["burst"] = json!(0);
    settings
}

/// The gateway in a real Envoy, and the services behind it.
pub(crate) struct Bed {
    pub(crate) api: ApiService,
    pub(crate) configuration: ConfigurationService,
    pub(crate) envoy: Envoy,
}

impl Bed {
    /// As shipped.
    pub(crate) async fn start() -> Self {
        Self::edited(|bootstrap| bootstrap).await
    }

    /// With this configuration of the filter.
    pub(crate) async fn with(configuration: Value) -> Self {
        Self::edited(|bootstrap| bootstrap.configuration(configuration)).await
    }

    /// With the listener `gateway` edited.
    pub(crate) async fn listener(edit: impl FnOnce(Listener) -> Listener) -> Self {
        Self::edited(|bootstrap| bootstrap.listener("gateway", edit)).await
    }

    /// With the bootstrap edited after the stand-ins are in it.
    pub(crate) async fn edited(edit: impl FnOnce(Bootstrap) -> Bootstrap) -> Self {
        Self::start_with(&Options::default(), edit).await
    }

    /// As [`Bed::edited`], with options of Envoy's.
    pub(crate) async fn start_with(options: &Options, edit: impl FnOnce(Bootstrap) -> Bootstrap) -> Self {
        let api = ApiService::start(TOKEN).await.unwrap();
        let configuration = ConfigurationService::start().await.unwrap();
        api.wire(&configuration);
        let bootstrap = edit(Self::bootstrap(&api, &configuration));
        let envoy = Envoy::start_with(&bootstrap, options).await.unwrap();
        Self { api, configuration, envoy }
    }

    /// What is shipped, with these services.
    pub(crate) fn bootstrap(api: &ApiService, configuration: &ConfigurationService) -> Bootstrap {
        Bootstrap::shipped()
            .cluster("api-service", api.address())
            .cluster("configuration-service", configuration.address())
    }

    /// A connection to the gateway.
    pub(crate) async fn connect(&self) -> Raw {
        Raw::connect(self.envoy.listener("gateway")).await.unwrap()
    }

    /// The answer to a request on a connection of its own.
    pub(crate) async fn send(&self, request: &Request) -> Response {
        self.connect().await.send(request).await.unwrap()
    }

    /// Sends a request whose answer is read later, on a connection of its own. It may not have arrived yet: see
    /// [`Bed::under_way`].
    pub(crate) async fn begin(&self, request: &Request) -> Raw {
        let mut client = self.connect().await;
        client.write(&request.bytes()).await.unwrap();
        client
    }

    /// Awaits that so many requests are under way at the listener `gateway`. Envoy counts a request in the same turn of
    /// a worker's loop in which the filter sees its headers: whatever happens next, happens after.
    pub(crate) async fn under_way(&self, count: u64) {
        let active = "http.gateway.downstream_rq_active";
        self.envoy.wait_for_counter(active, |now| now == count).await.unwrap();
    }

    /// Awaits one of the filter's counters. Unlike [`Bed::denials`] they are written now and then, for many requests
    /// together.
    pub(crate) async fn wait_for_count(&self, name: &str, count: u64) {
        let name = format!("wasmcustom.keptn_gateway.{name}");
        self.envoy.wait_for_counter(&name, |now| now == count).await.unwrap();
    }

    /// How often the filter has refused for this reason.
    pub(crate) async fn denials(&self, reason: &str) -> u64 {
        self.envoy.counter(&format!("wasmcustom.keptn_gateway.refused.{reason}")).await.unwrap()
    }

    /// Sends a request that the filter refuses with this status for this reason, as its own counter says.
    pub(crate) async fn refused(&self, request: &Request, status: u16, reason: &str) -> Response {
        let before = self.denials(reason).await;
        let answer = self.send(request).await;
        assert_eq!(answer.status, status, "{reason}: {answer:?}");
        assert_eq!(self.denials(reason).await, before + 1, "not refused as {reason}: {answer:?}");
        answer
    }

    /// Everything that was forwarded, to either service.
    pub(crate) fn forwarded(&self) -> usize {
        self.api.records.forwarded().len() + self.configuration.records.count()
    }
}
