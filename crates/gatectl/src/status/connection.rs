//! Reaching the gateway: its addresses, a connection, TLS.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig, Error, InvalidMessage, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::bounded::Bounded;
use super::endpoint::Endpoint;
use super::trust::{Roots, Shown, Verifier, Wrong};

/// What requests go over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where the endpoint leads to.
pub(super) async fn lookup(host: &str, port: u16, limit: Duration) -> Result<Vec<SocketAddr>, Wrong> {
    let help = if host.ends_with(".xip.io") {
        "nobody answers for xip.io any more, but for the same names below nip.io; --connect-to ADDRESS goes without DNS"
    } else {
        "look for a typing error; as long as DNS does not know it, --connect-to ADDRESS goes without"
    };
    let wrong = |why: &str| (format!("{host} has no address: {why}"), help.to_owned());
    match timeout(limit, lookup_host((host, port))).await {
        Err(_) => Err(wrong(&format!("DNS did not answer within {}", shown(limit)))),
        Ok(Err(error)) => {
            let why = error.to_string();
            Err(wrong(why.strip_prefix("failed to lookup address information: ").unwrap_or(&why)))
        }
        Ok(Ok(found)) => {
            let mut addresses: Vec<SocketAddr> = Vec::new();
            for address in found {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
            if addresses.is_empty() {
                Err(wrong("DNS knows the name, and no address"))
            } else {
                Ok(addresses)
            }
        }
    }
}

/// # Errors
///
/// Why there is none.
pub(super) async fn connect(address: SocketAddr, limit: Duration) -> Result<Bounded, Wrong> {
    let wrong = |message: String, help: &str| Err((message, help.to_owned()));
    match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => {
            // A request is one packet; where this fails it is merely slower.
            let _ = stream.set_nodelay(true);
            Ok(Bounded::new(stream))
        }
        Err(_) => wrong(
            format!("{address} did not answer within {}", shown(limit)),
            "look whether the address is the gateway's, and for a firewall before it; --timeout waits for longer",
        ),
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => wrong(
            format!("{address} refuses connections: nobody listens there"),
            "look whether the gateway runs, and whether this is its port",
        ),
        Ok(Err(error)) => wrong(
            format!("{address} cannot be reached: {}", io::Error::from(error.kind())),
            "look at this machine's network; a proxy (HTTPS_PROXY) is not used",
        ),
    }
}

/// How TLS is spoken, and to whom.
pub(super) struct Tls {
    connector: TlsConnector,
    verifier: Arc<Verifier>,
    name: ServerName<'static>,
}

/// What came of a handshake.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) shown: Option<Shown>,
    pub(super) version: Option<&'static str>,
    /// Why there is no connection; nothing if it is for the certificate.
    pub(super) failed: Option<Wrong>,
}

impl Tls {
    /// # Errors
    ///
    /// The endpoint's host cannot be asked for.
    pub(super) fn new(
        endpoint: &Endpoint,
        roots: Roots,
        is_insecure: bool,
        now: SystemTime,
    ) -> Result<Self, String> {
        let provider = Arc::new(default_provider());
        let verifier = Arc::new(Verifier::new(Arc::clone(&provider), roots, is_insecure, now));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<Verifier>::clone(&verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Each handshake shows the certificate.
        config.resumption = rustls::client::Resumption::disabled();
        let name = ServerName::try_from(endpoint.host.clone()).map_err(|error| error.to_string())?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), verifier, name })
    }

    pub(super) async fn handshake(
        &self,
        stream: Bounded,
        limit: Duration,
    ) -> (Option<Box<dyn Stream>>, Handshake) {
        let done = timeout(limit, self.connector.connect(self.name.clone(), stream)).await;
        let seen = self.verifier.take();
        let version =
            |stream: &tokio_rustls::client::TlsStream<Bounded>| match stream.get_ref().1.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => Some("TLS 1.3"),
                Some(ProtocolVersion::TLSv1_2) => Some("TLS 1.2"),
                _ => None,
            };
        match done {
            Ok(Ok(stream)) => {
                let version = version(&stream);
                (Some(Box::new(stream)), Handshake { shown: seen, version, failed: None })
            }
            Ok(Err(error)) => {
                let is_for_certificate = seen.as_ref().is_some_and(|shown| !shown.wrong.is_empty());
                let failed = (!is_for_certificate).then(|| self.failed(&error));
                (None, Handshake { shown: seen, version: None, failed })
            }
            Err(_) => {
                let failed = (
                    format!("no TLS within {}", shown(limit)),
                    "look what is behind this port; --timeout waits for longer".to_owned(),
                );
                (None, Handshake { shown: seen, version: None, failed: Some(failed) })
            }
        }
    }

    fn failed(&self, error: &io::Error) -> Wrong {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        let (message, help) = match (error.kind(), tls) {
            (_, Some(Error::InvalidMessage(InvalidMessage::InvalidContentType))) => (
                "this port does not speak TLS".to_owned(),
                "give the port for https, or http:// for this one",
            ),
            (_, Some(Error::AlertReceived(AlertDescription::UnrecognisedName))) => (
                format!("the gateway knows no {}", self.name.to_str()),
                "look whether the Gateway, or the listener, names this host",
            ),
            (_, Some(Error::AlertReceived(alert))) => {
                (format!("the gateway ends the handshake: {alert:?}"), "the gateway's log says why")
            }
            (_, Some(other)) => (format!("the handshake fails: {other}"), "look what is behind this port"),
            (
                ErrorKind::UnexpectedEof
                | ErrorKind::ConnectionReset
                | ErrorKind::BrokenPipe
                | ErrorKind::ConnectionAborted,
                None,
            ) => (
                "the connection was closed in the middle of the handshake".to_owned(),
                "look whether the gateway has a certificate (in Istio: the Secret that it mounts), and knows this host",
            ),
            (kind, None) => {
                (format!("the handshake fails: {}", io::Error::from(kind)), "look what is behind this port")
            }
        };
        (message, help.to_owned())
    }
}

/// As `--timeout` takes it.
pub(super) fn shown(limit: Duration) -> String {
    humantime::format_duration(limit).to_string()
}

/// How long `done` takes.
pub(super) async fn timed<T>(done: impl Future<Output = T>) -> (T, Duration) {
    let begin = Instant::now();
    let done = done.await;
    (done, begin.elapsed())
}
