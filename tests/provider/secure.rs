//! TLS: a server that is not trusted, one that is, and one that speaks something else.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use agent::config::ProviderKind;
use agent::provider::ProviderError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::server::{Say, Server, events};
use super::{OPENAI, Outcome, ask, chosen_with, config, hello};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/provider")
        .join(name)
}

/// The port of a server with a certificate of its own making, for `localhost`.
fn secure_server() -> u16 {
    let certificate = CertificateDer::from_pem_file(file("localhost.cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("localhost.key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let tls = Arc::new(tls);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(tls.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            // A client that does not trust this one goes away.
            let mut request = Vec::new();
            let mut part = [0; 4096];
            while !request.ends_with(b"}") {
                match stream.read(&mut part) {
                    Ok(read @ 1..) => request.extend_from_slice(&part[..read]),
                    _ => break,
                }
            }
            let _ = stream.write_all(&events(OPENAI));
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    port
}

async fn over_tls(port: u16, tls_ca_file: Option<PathBuf>) -> Outcome {
    let url = format!("https://localhost:{port}");
    let mut config = config(ProviderKind::OpenAi, &url);
    config.tls_ca_file = tls_ca_file;
    ask(&chosen_with(&config)).await
}

#[tokio::test]
async fn a_certificate_of_the_persons_own_file_is_trusted_and_no_other() {
    let port = secure_server();
    let (_, failed) = over_tls(port, None).await;
    assert!(
        matches!(failed, Some(ProviderError::Tls { .. })),
        "{failed:?}"
    );
    let (events, failed) = over_tls(port, Some(file("localhost.cert.pem"))).await;
    assert!(failed.is_none(), "{failed:?}");
    assert_eq!(events, hello());
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_told_apart() {
    let server = Server::new(vec![Say::Bytes(events(OPENAI))]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read(&mut [0; 4096]);
    });
    let (_, failed) = over_tls(port, None).await;
    assert!(
        matches!(failed, Some(ProviderError::Tls { .. })),
        "{failed:?}"
    );
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_certificate_file_that_is_not_there_is_named() {
    let (_, failed) = over_tls(1, Some(file("none.pem"))).await;
    assert!(matches!(failed, Some(ProviderError::Certificates { .. })));
}
