//! Traffic that goes on while something is changed.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use crate::support::{HTTP, Lab, TOKEN};
use serde_json::json;
use testbed::{
    Error, Result,
    client::{Raw, Request, Response},
    keptn::Received,
    wait::until,
};
use tokio::task::JoinHandle;

/// What strangers' requests carry, so that a service that got one can be told.
const MARK: &str = "x-stranger";
/// How many more answers each client gets before a step is judged: more than one round of what it asks for.
const ENOUGH: usize = 20;

/// Clients of the API's hosts, each asking one thing after the other: with a token, on a connection for each request and on
/// one that is kept; and without a token or with a wrong one.
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

struct Shared {
    stop: AtomicBool,
    /// Answers, by client.
    answered: Vec<Mutex<usize>>,
    wrong: Mutex<Vec<String>>,
}

impl Load {
    /// Starts asking for `hosts`. What is asked for must be there: see [`Load::prepare`].
    pub(crate) fn start(hosts: &[&str]) -> Self {
        let kinds: Vec<_> =
            hosts.iter().flat_map(|host| Kind::ALL.map(|kind| (kind, (*host).to_owned()))).collect();
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            answered: kinds.iter().map(|_| Mutex::default()).collect(),
            wrong: Mutex::default(),
        });
        let clients = kinds
            .into_iter()
            .enumerate()
            .map(|(index, (kind, host))| tokio::spawn(client(shared.clone(), index, kind, host)))
            .collect();
        Self { shared, clients }
    }

    /// The project whose resources are asked for.
    pub(crate) async fn prepare(lab: &Lab) -> Result<()> {
        let request = Request::post("/v1/project").json(&json!({ "projectName": PROJECT }));
        let response = Raw::connect(lab.configuration.address()).await?.send(&request).await?;
        lab.configuration.records.take();
        if response.status == 204 { Ok(()) } else { Err(Error::new(format!("no project: {response:?}"))) }
    }

    /// Waits until every client has had some more answers, and says what was wrong with any since the last call.
    ///
    /// # Errors
    /// An answer was wrong, or none came; the error names the step that was taken before.
    pub(crate) async fn goes_on(&self, step: &str) -> Result<()> {
        let counts = || self.shared.answered.iter().map(|count| *count.lock().unwrap()).collect::<Vec<_>>();
        let before = counts();
        let all = until(format!("more answers, after: {step}"), async || {
            let wrong = self.wrong(step);
            if wrong.is_err() {
                return Some(wrong);
            }
            let enough = counts().iter().zip(&before).all(|(now, before)| *now >= before + ENOUGH);
            enough.then_some(Ok(()))
        });
        all.await?
    }

    fn wrong(&self, step: &str) -> Result<()> {
        let wrong = std::mem::take(&mut *self.shared.wrong.lock().unwrap());
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Error::new(format!(
            "after: {step}: {} answers were wrong: {:#?}",
            wrong.len(),
            &wrong[..wrong.len().min(9)]
        )))
    }

    /// Ends it.
    ///
    /// # Errors
    /// As [`Load::goes_on`].
    pub(crate) async fn stop(self, step: &str) -> Result<()> {
        self.shared.stop.store(true, Relaxed);
        for client in self.clients {
            client.await.map_err(Error::during("a client's work"))?;
        }
        let wrong = std::mem::take(&mut *self.shared.wrong.lock().unwrap());
        if wrong.is_empty() { Ok(()) } else { Err(Error::new(format!("after: {step}: {wrong:#?}"))) }
    }
}

/// Those of the requests that came from a stranger.
pub(crate) fn from_strangers(received: Vec<Received>) -> Vec<Received> {
    received.into_iter().filter(|request| request.header(MARK).is_some()).collect()
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A connection for each request.
    Fresh,
    /// One connection, until the gateway closes it.
    Kept,
    Stranger,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Fresh, Self::Kept, Self::Stranger];
}

const PROJECT: &str = "sockshop";

/// What honest clients ask for, and what must be in the answer.
fn honest(host: &str, turn: usize) -> (Request, &'static str) {
    let (request, contains) = match turn % 4 {
        0 => (Request::post("/v1/auth"), ""),
        1 => (Request::get("/configuration-service/v1/project"), "projects"),
        2 => {
            let event =
                json!({ "data": {}, "source": "a test", "type": "sh.keptn.event.configuration.change" });
            (Request::post("/v1/event").json(&event), "keptnContext")
        }
        _ => (Request::get(format!("/v1/project/{PROJECT}/resource")), "resources"),
    };
    (request.header("host", host).header("x-token", TOKEN), contains)
}

fn of_stranger(host: &str, turn: usize) -> Request {
    let targets = ["/configuration-service/v1/project", "/v1/project/sockshop/resource", "/v1/event"];
    let request = Request::get(targets[turn % targets.len()]).header("host", host).header(MARK, "1");
    if turn.is_multiple_of(2) { request } else { request.header("x-token", "d3Jvbmc=") }
}

async fn client(shared: Arc<Shared>, index: usize, kind: Kind, host: String) {
    let mut kept: Option<Raw> = None;
    for turn in 0.. {
        if shared.stop.load(Relaxed) {
            return;
        }
        let (request, contains) = match kind {
            Kind::Fresh | Kind::Kept => honest(&host, turn),
            Kind::Stranger => (of_stranger(&host, turn), ""),
        };
        let answer = match kept.take() {
            Some(mut connection) => connection.send(&request).await.map(|answer| (connection, answer)),
            None => ask(&request).await,
        };
        let wrong = match &answer {
            Err(error) => Some(error.to_string()),
            Ok((_, answer)) => what_is_wrong(kind, answer, contains),
        };
        if let Some(why) = wrong {
            shared.wrong.lock().unwrap().push(format!("{kind:?}, {host}: {request:?}: {why}"));
        }
        if let (Kind::Kept, Ok((connection, answer))) = (kind, answer)
            && answer.header("connection").as_deref() != Some("close")
        {
            kept = Some(connection);
        }
        *shared.answered[index].lock().unwrap() += 1;
        // The machine's other work goes on as well.
        tokio::time::sleep(PAUSE).await;
    }
}

/// Between two requests of a client.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(4);

async fn ask(request: &Request) -> Result<(Raw, Response)> {
    let mut connection = Raw::connect(HTTP).await?;
    let answer = connection.send(request).await?;
    Ok((connection, answer))
}

fn what_is_wrong(kind: Kind, answer: &Response, contains: &str) -> Option<String> {
    let is_right = match kind {
        Kind::Fresh | Kind::Kept => {
            answer.status == 200 && answer.complete && answer.text().contains(contains)
        }
        // 429: it has had too many wrong tokens checked.
        Kind::Stranger => matches!(answer.status, 401 | 429),
    };
    (!is_right).then(|| format!("{answer:?} {}", answer.text()))
}
