//! HTTP endpoints that speak TLS: who they are is proven, or nothing is sent.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use lessor_plugins::{Endpoint, Misfit};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::endpoints::answer;
use crate::rig::{Rig, component, spec};

/// A certificate authority of a lab: its key, and its certificate in a file.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    fn new(folder: &Path, name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let file = folder.join(format!("{name}.pem"));
        let own = parameters.self_signed(&key).expect("a certificate");
        std::fs::write(&file, own.pem()).expect("room for it");
        Self { issuer: Issuer::new(parameters, key), file }
    }

    /// Starts a server on loopback that proves to be `host`, with a certificate that was valid up to a year.
    async fn server(&self, host: &str, until: i32) -> Lab {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new([host.to_owned()]).expect("a name");
        parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![certificate.der().clone()], key).expect("they fit");
        Lab::start(TlsAcceptor::from(Arc::new(config))).await
    }
}

/// An HTTPS server on loopback that remembers what it was asked.
struct Lab {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Lab {
    async fn start(acceptor: TlsAcceptor) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a port");
        let port = listener.local_addr().expect("it is bound").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, log) = (acceptor.clone(), Arc::clone(&log));
                tokio::spawn(async move {
                    // A client that does not believe it goes away.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        answer(stream, port, log).await;
                    }
                });
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panics with it").clone()
    }
}

/// A plugin that knows one endpoint, `lab`.
async fn rig(lab: &Lab, host: &str, ca_file: Option<&Path>) -> Rig {
    let mut spec = spec("fetcher");
    spec.secrets.insert("token".to_owned(), "hunter2".to_owned().into());
    let endpoint = Endpoint {
        url: format!("https://{host}:{}/api", lab.port),
        bearer_secret: Some("token".to_owned()),
        private: true,
        ca_file: ca_file.map(Path::to_owned),
    };
    spec.grants.http.insert("lab".to_owned(), endpoint);
    Rig::with(spec, component("fetcher")).await
}

async fn fetch(rig: &Rig, path: &str) -> String {
    let errand = json!({"endpoint": "lab", "path": path});
    rig.acquire("fetcher", &errand).await.expect("it tells")[0].id.clone()
}

fn authority() -> (TempDir, Authority) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let authority = Authority::new(folder.path(), "lab-ca");
    (folder, authority)
}

#[tokio::test]
async fn a_server_is_believed_whom_the_authority_of_its_endpoint_vouches_for() {
    let (_folder, authority) = authority();
    let lab = authority.server("localhost", 4000).await;
    let rig = rig(&lab, "localhost", Some(&authority.file)).await;
    assert_eq!(fetch(&rig, "/hosts").await, "200 2 bytes");
    let asked = lab.asked().remove(0).to_ascii_lowercase();
    assert!(asked.starts_with("get /api/hosts http/1.1\r\n"), "{asked}");
    assert!(asked.contains(&format!("host: localhost:{}\r\n", lab.port)), "{asked}");
    assert!(asked.contains("authorization: bearer hunter2\r\n"), "{asked}");
}

#[tokio::test]
async fn an_address_is_believed_if_the_certificate_says_so() {
    let (_folder, authority) = authority();
    let lab = authority.server("127.0.0.1", 4000).await;
    assert_eq!(fetch(&rig(&lab, "127.0.0.1", Some(&authority.file)).await, "/").await, "200 2 bytes");
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_that_cannot_prove_who_it_is() {
    let (folder, authority) = authority();
    let other = Authority::new(folder.path(), "other-ca");
    let lab = authority.server("localhost", 4000).await;
    let elsewhere = authority.server("rack.example", 4000).await;
    let expired = authority.server("localhost", 2000).await;
    let cases = [
        ("of another authority", &lab, Some(&*other.file)),
        ("of no authority that the system trusts", &lab, None),
        ("of another name", &elsewhere, Some(&*authority.file)),
        ("of the past", &expired, Some(&*authority.file)),
    ];
    for (what, lab, ca_file) in cases {
        assert_eq!(fetch(&rig(lab, "localhost", ca_file).await, "/").await, "failed not sent", "{what}");
        assert_eq!(lab.asked(), [""; 0], "{what}");
    }
}

#[tokio::test]
async fn a_redirect_is_shown_and_not_followed() {
    let (_folder, authority) = authority();
    let lab = authority.server("localhost", 4000).await;
    let rig = rig(&lab, "localhost", Some(&authority.file)).await;
    assert_eq!(fetch(&rig, "/away").await, "302 0 bytes");
    assert_eq!(lab.asked().len(), 1, "{:?}", lab.asked());
}

#[tokio::test]
async fn a_file_of_authorities_that_is_of_no_use_is_refused_with_the_reason() {
    let (folder, authority) = authority();
    let file = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("room for it");
        file
    };
    let missing = folder.path().join("missing.pem");
    let garbled = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cases = [
        ("https://lab", missing, "cannot be read: No such file or directory (os error 2)"),
        ("https://lab", folder.path().to_owned(), "cannot be read: it is not a regular file"),
        ("https://lab", file("empty.pem", "# nobody\n"), "has no certificate"),
        ("https://lab", file("garbled.pem", garbled), "has a certificate that cannot be used: "),
        ("https://lab", PathBuf::from("lab-ca.pem"), "does not begin with /"),
        ("http://lab", authority.file.clone(), "a ca_file is for https, and this is http"),
    ];
    for (url, ca_file, expected) in cases {
        let mut spec = spec("list");
        let endpoint =
            Endpoint { url: url.to_owned(), bearer_secret: None, private: true, ca_file: Some(ca_file) };
        spec.grants.http.insert("lab".to_owned(), endpoint);
        let unfit = Rig::new().prepare(spec, component("target-list")).await.unwrap_err();
        let [Misfit::Endpoint { why, .. }] = &unfit.misfits[..] else { panic!("{unfit}") };
        assert!(why.contains(expected), "{why}");
    }
}
