//! api-service 0.6.2: the token, events, projects, the log stream.

use super::{
    ConfigurationService,
    answer::{Answer, error, json_body, method_not_allowed, not_found, produced, required},
    jwt,
    log_stream::LogStream,
    orders::Reply,
    request::Request,
    server::{Handler, Settings, StandIn},
    store::{Project, Stage, Store},
    swagger::Swagger,
};
use crate::Result;
use base64::{Engine, prelude::BASE64_STANDARD};
use saphyr::LoadableYamlNode;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, OnceLock, atomic::Ordering::Relaxed},
};

/// api-service. It knows one token, its `SECRET_TOKEN`, and those that a test adds.
pub struct ApiService {
    stand_in: StandIn,
    handler: Arc<ApiHandler>,
}

impl ApiService {
    /// On a port of its own.
    ///
    /// # Errors
    /// The system refuses the socket.
    pub async fn start(secret_token: &str) -> Result<Self> {
        Self::start_with(secret_token, &Settings::default()).await
    }

    /// As [`ApiService::start`], with other settings.
    ///
    /// # Errors
    /// The system refuses the socket.
    #[expect(
        clippy::unused_async,
        reason = "it spawns, so it needs a runtime: async says so in the signature"
    )]
    pub async fn start_with(secret_token: &str, settings: &Settings) -> Result<Self> {
        let handler = Arc::new(ApiHandler {
            secret: secret_token.to_owned(),
            tokens: Mutex::new(BTreeSet::from([secret_token.to_owned()])),
            events: Mutex::default(),
            log_stream: Arc::default(),
            swagger: Swagger::of_api_service(settings),
            store: OnceLock::new(),
        });
        Ok(Self { stand_in: StandIn::start(handler.clone(), settings)?, handler })
    }

    /// From now on what is created and deleted here happens in configuration-service, as shipyard-service and
    /// helm-service make it happen.
    pub fn wire(&self, configuration: &ConfigurationService) {
        let _ = self.handler.store.set(configuration.store.clone());
    }

    /// Accepts one more token.
    pub fn add_token(&self, token: &str) {
        self.handler.tokens.lock().unwrap().insert(token.to_owned());
    }

    /// No longer accepts a token, `SECRET_TOKEN` included.
    pub fn revoke_token(&self, token: &str) {
        self.handler.tokens.lock().unwrap().remove(token);
    }

    /// A token for the log stream.
    pub fn channel_token(&self) -> String {
        jwt::sign(&self.handler.secret)
    }

    /// Sends a message to the readers of a Keptn context, or keeps it for the first one.
    pub fn publish(&self, keptn_context: &str, text: &str) {
        self.handler.log_stream.publish(keptn_context, text);
    }

    /// From now on (or no longer) new WebSockets send back every message.
    pub fn echo_websockets(&self, echo: bool) {
        self.handler.log_stream.echo.store(echo, Relaxed);
    }

    /// How many WebSockets are open.
    pub fn websockets(&self) -> usize {
        self.handler.log_stream.open.load(Relaxed)
    }
}

impl Deref for ApiService {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.stand_in
    }
}

impl fmt::Debug for ApiService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stand_in.fmt(f)
    }
}

struct ApiHandler {
    secret: String,
    tokens: Mutex<BTreeSet<String>>,
    events: Mutex<Vec<Value>>,
    log_stream: Arc<LogStream>,
    swagger: Swagger,
    store: OnceLock<Arc<Mutex<Store>>>,
}

const MEDIA_TYPES: &[&str] = &["application/json", "application/cloudevents+json"];

impl Handler for ApiHandler {
    fn answer(&self, request: &Request) -> Answer {
        match request.path() {
            "/" => return self.log_stream.answer(request, &self.secret),
            "/swagger-ui" => return Reply::status(302).header("location", "/swagger-ui/").into(),
            "/v1/docs" => {
                let page = "<!DOCTYPE html><title>keptn api</title><redoc spec-url='/swagger.json'></redoc>";
                return Reply::status(200).body("text/html; charset=utf-8", page).into();
            }
            _ => {}
        }
        if let Some(file) = self.swagger.file(request) {
            return file.into();
        }
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let allowed: &[&str] = match segments[..] {
            ["v1", "auth" | "project"]
            | ["v1", "project", _, "service"]
            | ["v1", "configure", "bridge", "expose"] => &["POST"],
            ["v1", "event"] => &["GET", "POST"],
            ["v1", "project", _] => &["DELETE"],
            _ => return not_found(request.path()).into(),
        };
        if let Some(refusal) = method_not_allowed(&request.method, allowed).or_else(|| self.refused(request))
        {
            return refusal.into();
        }
        match (request.method.as_str(), &segments[1..]) {
            (_, ["auth"]) => Reply::status(200).into(),
            ("GET", ["event"]) => self.latest_event(request).into(),
            (_, ["event"]) => self.with_body(request, &["data", "source", "type"], |event| {
                let context = context_of(&event);
                self.events.lock().unwrap().push(with_context(event, &context));
                self.event_context(&context)
            }),
            (_, ["project"]) => self.with_body(request, &["name", "shipyard"], |project| {
                self.change(|store| create_project(store, &project));
                self.finished("sh.keptn.internal.event.project.create")
            }),
            ("DELETE", ["project", name]) => {
                self.change(|store| {
                    store.projects.remove(*name);
                });
                self.finished("sh.keptn.internal.event.project.delete").into()
            }
            (_, ["project", name, "service"]) => self.with_body(request, &["serviceName"], |service| {
                self.change(|store| create_service(store, name, &service));
                self.finished("sh.keptn.internal.event.service.create")
            }),
            _ => match json_body(request, MEDIA_TYPES) {
                Ok(_) => produced(200, &json!("bridge.keptn.example.com")).into(),
                Err(refusal) => refusal.into(),
            },
        }
    }
}

impl ApiHandler {
    fn refused(&self, request: &Request) -> Option<Reply> {
        let token = request.header("x-token").filter(|token| !token.is_empty());
        match token {
            None => Some(error(401, "unauthenticated for invalid credentials")),
            Some(token) if !self.tokens.lock().unwrap().contains(&token) => {
                Some(error(401, "incorrect api key auth"))
            }
            Some(_) => None,
        }
    }

    /// Without a body the real handlers dereference nil.
    fn with_body(&self, request: &Request, names: &[&str], handle: impl FnOnce(Value) -> Reply) -> Answer {
        match json_body(request, MEDIA_TYPES) {
            Ok(None) => Answer::Panic,
            Ok(Some(body)) => required(&body, names).unwrap_or_else(|| handle(body)).into(),
            Err(refusal) => refusal.into(),
        }
    }

    fn event_context(&self, context: &str) -> Reply {
        produced(200, &json!({ "keptnContext": context, "token": jwt::sign(&self.secret) }))
    }

    /// The answer to what is done asynchronously, and the log message that says it is done: Keptn's command line
    /// waits for it on the log stream.
    fn finished(&self, event_type: &str) -> Reply {
        let context = uuid::Uuid::new_v4().to_string();
        let data = json!({ "message": format!("{event_type} done"), "terminate": true, "loglevel": "INFO" });
        let event = json!({
            "contenttype": "application/json", "data": data, "id": uuid::Uuid::new_v4().to_string(),
            "shkeptncontext": context, "source": "testbed", "specversion": "0.2", "type": "sh.keptn.events.log",
        });
        self.log_stream.publish(&context, &event.to_string());
        self.event_context(&context)
    }

    fn latest_event(&self, request: &Request) -> Reply {
        let (context, kind) = (request.parameter("keptnContext"), request.parameter("type"));
        let given = |value: Option<String>| value.filter(|value| !value.is_empty());
        let Some(context) = given(context) else { return error(602, "keptnContext in query is required") };
        let Some(kind) = given(kind) else { return error(602, "type in query is required") };
        let events = self.events.lock().unwrap();
        let latest =
            events.iter().rev().find(|event| event["shkeptncontext"] == context && event["type"] == kind);
        let none = || error(500, format!("No {kind} event found for Keptn context: {context}"));
        latest.map_or_else(none, |event| produced(200, event))
    }

    fn change(&self, change: impl FnOnce(&mut Store)) {
        if let Some(store) = self.store.get() {
            change(&mut store.lock().unwrap());
        }
    }
}

fn context_of(event: &Value) -> String {
    event["shkeptncontext"].as_str().map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
}

fn with_context(mut event: Value, context: &str) -> Value {
    event["shkeptncontext"] = json!(context);
    event
}

fn create_project(store: &mut Store, body: &Value) {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let shipyard = text("shipyard");
    let yaml = BASE64_STANDARD.decode(&shipyard).unwrap_or_default();
    let yaml = saphyr::Yaml::load_from_str(&String::from_utf8_lossy(&yaml)).map_or_else(
        |_| Vec::new(),
        |documents| {
            documents
                .iter()
                .filter_map(|document| document.as_mapping_get("stages")?.as_vec().map(stage_names))
                .flatten()
                .collect()
        },
    );
    let mut project = Project {
        stages: yaml.into_iter().map(|name| (name, Stage::default())).collect(),
        ..Project::default()
    };
    project.resources.insert("shipyard.yaml".to_owned(), shipyard);
    store.projects.insert(text("name"), project);
}

fn stage_names(stages: &Vec<saphyr::Yaml<'_>>) -> Vec<String> {
    stages.iter().filter_map(|stage| Some(stage.as_mapping_get("name")?.as_str()?.to_owned())).collect()
}

fn create_service(store: &mut Store, project: &str, body: &Value) {
    let name = body["serviceName"].as_str().unwrap_or_default();
    let stages = store.projects.get_mut(project).into_iter().flat_map(|project| project.stages.values_mut());
    for stage in stages {
        stage.services.entry(name.to_owned()).or_default();
    }
}
