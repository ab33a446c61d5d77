//! Port 443: the documented commands make and replace its certificate, and clients that verify it are served.

use std::{fs, net::SocketAddr, os::unix::fs::symlink, path::Path, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use testbed::{
    Error, Result,
    client::{Message, Raw, Request, WebSocket},
    wait::until,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use crate::{
    corpus_istio,
    support::{API, CERTIFICATES, HTTPS, Lab, Mode, TOKEN, get, output},
};

/// A port on which everything is sent on to port 443 through TLS, from the same address, by who trusts one certificate.
struct Encrypted {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Encrypted {
    async fn trusting(certificate: &str) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let der = CertificateDer::from_pem_slice(certificate.as_bytes());
        roots
            .add(der.map_err(Error::during("reading a certificate"))?)
            .map_err(Error::during("trusting a certificate"))?;
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Error::during("listening"))?;
        let address = listener.local_addr().map_err(Error::during("listening"))?;
        let accepting = tokio::spawn(async move {
            while let Ok((client, from)) = listener.accept().await {
                tokio::spawn(forward(client, from, connector.clone()));
            }
        });
        Ok(Self { address, accepting })
    }
}

impl Drop for Encrypted {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Who is at the other end sees a failure as a closed connection.
async fn forward(mut client: TcpStream, from: SocketAddr, connector: TlsConnector) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from.ip(), 0).into())?;
    let server = socket.connect(HTTPS).await?;
    // What comes in small pieces is sent on in small pieces.
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let name = ServerName::try_from(API).expect("a name");
    let mut server = connector.connect(name, server).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// What `kubelet` does with the Secret that the gateway's pod has mounted; the certificate in it.
pub(crate) async fn mount(lab: &Lab) -> Result<String> {
    let secret = lab.object("istio-system", "secret/istio-ingressgateway-certs").await?;
    let value =
        |name: &str| BASE64_STANDARD.decode(secret["data"][name].as_str().expect("a value")).expect("base64");
    let folder = Path::new(CERTIFICATES);
    let version = format!("..{}", secret["metadata"]["resourceVersion"].as_str().expect("a version"));
    let write = || {
        fs::create_dir(folder.join(&version))?;
        for name in ["tls.crt", "tls.key"] {
            fs::write(folder.join(&version).join(name), value(name))?;
        }
        symlink(&version, folder.join("..data_tmp"))?;
        let before = fs::read_link(folder.join("..data")).ok();
        fs::rename(folder.join("..data_tmp"), folder.join("..data"))?;
        match before {
            Some(before) => fs::remove_dir_all(folder.join(before)),
            None => ["tls.crt", "tls.key"]
                .iter()
                .try_for_each(|name| symlink(format!("..data/{name}"), folder.join(name))),
        }
    };
    write().map_err(Error::during("mounting the certificate"))?;
    Ok(String::from_utf8(value("tls.crt")).expect("PEM"))
}

/// `curl` with this certificate as the only one it trusts: its exit code, and what it printed.
async fn curl(certificate: &str, arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let file = tempfile::NamedTempFile::new().map_err(Error::during("making a temporary file"))?;
    fs::write(file.path(), certificate).map_err(Error::during("writing a temporary file"))?;
    let (resolve, url) = (format!("{API}:443:{}", HTTPS.ip()), format!("https://{API}/v1/auth"));
    let token = format!("x-token: {TOKEN}");
    let path = file.path().to_str().expect("a path");
    let common = [
        "-sS",
        "--cacert",
        path,
        "--resolve",
        &resolve,
        "-H",
        &token,
        "-o",
        "/dev/null",
        "-w",
        "%{http_version} %{http_code}",
        &url,
    ];
    let output = output("curl", &[&common, arguments].concat(), None).await?;
    Ok((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// Waits until new connections get this certificate, and are served.
async fn in_use(certificate: &str) -> Result<()> {
    until("the certificate to be in use", async || {
        let answer = curl(certificate, &["--http1.1"]).await.ok()?;
        (answer == (Some(0), "1.1 200".to_owned())).then_some(())
    })
    .await
}

/// What goes through port 443 with the certificate that is in use.
async fn serves(lab: &Lab, certificate: &str) -> Result<()> {
    // Both by ALPN.
    for (protocol, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        assert_eq!(curl(certificate, &[protocol]).await?, (Some(0), format!("{version} 200")));
    }
    let encrypted = Encrypted::trusting(certificate).await?;
    lab.api.records.take();
    let response = Raw::connect(encrypted.address).await?.send(&get("/v1/event")).await?;
    let [received] = &lab.api.records.forwarded()[..] else { panic!("not one request: {response:?}") };
    assert_eq!(received.header("x-forwarded-proto").as_deref(), Some("https"));
    let handshake = Request::get("/").header("host", API).header("Token", lab.api.channel_token());
    lab.api.echo_websockets(true);
    let mut socket = WebSocket::http1(Raw::connect(encrypted.address).await?, handshake).await?.open();
    let message = Message::text("through TLS");
    socket.send(message.clone()).await?;
    assert_eq!(socket.next().await?, Some(message));
    lab.api.echo_websockets(false);
    corpus_istio::sample(lab, encrypted.address).await?;
    // What the corpus has changed.
    lab.apply_mode(Mode::EnvoyFilter).await?;
    lab.serves().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_certificate_is_taken_up_without_a_restart() -> Result<()> {
    let lab = Lab::with(Mode::EnvoyFilter).await?;
    let secret = lab.run("gatectl", &["cert", "self-signed", "example.org"], None).await?;
    lab.apply_text(&secret).await?;
    let self_signed = mount(&lab).await?;
    in_use(&self_signed).await?;
    serves(&lab, &self_signed).await?;

    let encrypted = Encrypted::trusting(&self_signed).await?;
    let mut kept = Raw::connect(encrypted.address).await?;
    assert_eq!(kept.send(&get("/v1/auth")).await?.status, 200);

    let folder = tempfile::tempdir().map_err(Error::during("making a temporary folder"))?;
    let [cert, key] =
        ["cert.pem", "key.pem"].map(|name| folder.path().join(name).to_str().expect("a path").to_owned());
    lab.run(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=api.keptn.example.org",
            "-addext",
            "subjectAltName=DNS:api.keptn.example.org",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-out",
            &cert,
            "-keyout",
            &key,
        ],
        None,
    )
    .await?;
    let secret =
        lab.run("gatectl", &["cert", "own", "example.org", "--cert", &cert, "--key", &key], None).await?;
    lab.apply_text(&secret).await?;
    let own = mount(&lab).await?;
    in_use(&own).await?;
    let (code, _) = curl(&self_signed, &[]).await?;
    assert_eq!(code, Some(60), "the other certificate is no longer shown");
    assert_eq!(kept.send(&get("/v1/auth")).await?.status, 200, "an old connection goes on");
    serves(&lab, &own).await
}
