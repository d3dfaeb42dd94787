//! How connections are made, and with whom not.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use curio::net::{TcpListener, TcpStream, UnixStream};
use curio::tls::rustls::server::WebPkiClientVerifier;
use curio::tls::rustls::{
    self, AlertDescription, CertificateError, ProtocolVersion, RootCertStore, ServerConfig,
};
use curio::tls::{self, Acceptor, Connector, TlsStream};
use curio::{
    Clock, Error, Task, clock, open_connection, open_unix_connection, sleep, spawn, timeout_after, yield_now,
};

use crate::{
    AUTHORITY, CERTIFICATE, EXPIRED, KEY, cleanly, cleanly_on, client, complaint, kind, pair, pair_of,
    server, sockets,
};

#[test]
fn both_know_what_was_agreed_upon() {
    cleanly(async || {
        let mut config = server();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let serving = spawn(tls::run_server(listener, config, async |client: TlsStream, _| {
            assert_eq!(client.alpn_protocol().as_deref(), Some(&b"http/1.1"[..]));
            assert_eq!(client.server_name().as_deref(), Some("localhost"));
            assert!(client.peer_certificates().is_none());
            client.write_all(b"hello").await?;
            client.shutdown().await
        }));
        let s = open_connection(("localhost", addr.port()))
            .tls(client())
            .alpn_protocols(["spdy", "http/1.1"])
            .await?;
        assert_eq!(s.alpn_protocol().as_deref(), Some(&b"http/1.1"[..]));
        assert_eq!(s.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        assert_eq!(s.server_name(), None);
        assert_eq!(s.peer_certificates().unwrap().len(), 1);
        assert_eq!(s.get_ref().peer_addr()?, addr);
        s.read_exact(&mut [0; 5]).await?;
        assert_eq!(s.read(&mut [0; 5]).await?, 0);
        // Nothing in common.
        let failed = open_connection(("localhost", addr.port()))
            .tls(client())
            .alpn_protocols(["spdy"])
            .await;
        let refusal = rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol);
        assert_eq!(complaint(failed), refusal);
        serving.cancel().await
    });
}

#[test]
fn a_server_must_be_who_it_should_be() {
    cleanly(async || {
        // An address is as good as a name, if the certificate has it.
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let serving = spawn(tls::run_server(
            listener,
            server(),
            async |_: TlsStream, _| Ok(()),
        ));
        open_connection(addr).tls(client()).await?;
        let error = complaint(
            open_connection(addr)
                .tls(client())
                .server_hostname("example.org")
                .await,
        );
        let rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. }) = error else {
            panic!("{error:?}");
        };
        let nameless = open_connection(addr)
            .tls(client())
            .server_hostname("no name")
            .await;
        assert_eq!(kind(nameless), ErrorKind::InvalidInput);
        // Somebody else's word counts for nothing.
        let stranger = tls::client_config(EXPIRED)?;
        let error = complaint(open_connection(addr).tls(stranger).await);
        assert!(matches!(error, rustls::Error::InvalidCertificate(_)), "{error:?}");
        serving.cancel().await
    });
}

#[test]
fn a_certificate_ends_and_the_server_is_told() {
    cleanly(async || {
        let (one, two) = sockets().await?;
        let expired = Acceptor::from(tls::server_config(EXPIRED, KEY)?);
        let accepting = spawn(async move { Ok(expired.accept(two).await.map(drop)) });
        let error = complaint(Connector::from(client()).connect("localhost", one).await);
        let rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { .. }) = error else {
            panic!("{error:?}");
        };
        let told = complaint(accepting.join().await?);
        assert_eq!(
            told,
            rustls::Error::AlertReceived(AlertDescription::CertificateExpired)
        );
        Ok(())
    });
}

#[test]
fn a_path_says_no_name() {
    cleanly(async || {
        let path = std::env::temp_dir().join(format!("curio-tls-name-{}", std::process::id()));
        let serving = spawn(tls::unix_server(
            &path,
            server(),
            async |client: TlsStream<UnixStream>, _| client.write_all(b"hello").await,
        ));
        yield_now().await?;
        let nameless = open_unix_connection(&path).tls(client()).await;
        assert_eq!(kind(nameless), ErrorKind::InvalidInput);
        let s = open_unix_connection(&path)
            .tls(client())
            .server_hostname("localhost")
            .await?;
        s.read_exact(&mut [0; 5]).await?;
        serving.cancel().await
    });
}

#[test]
fn clients_can_be_asked_for_certificates() {
    cleanly(async || {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        let read = |pem: &str| {
            use rustls::pki_types::pem::PemObject;
            rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
        };
        let key = || {
            use rustls::pki_types::pem::PemObject;
            rustls::pki_types::PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap()
        };
        roots.add(read(AUTHORITY)).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone().into(), provider.clone())
            .build()
            .unwrap();
        let asking = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![read(CERTIFICATE)], key())
            .unwrap();
        let asking = Acceptor::from(asking);
        let answering = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![read(CERTIFICATE)], key())
            .unwrap();
        let (_one, two) = pair_of(Connector::from(answering), asking.clone()).await?;
        assert_eq!(two.peer_certificates().unwrap(), [read(CERTIFICATE)]);
        // A client without one believes to be in, until it reads.
        let (one, two) = sockets().await?;
        let accepting = spawn(async move { Ok(asking.accept(two).await.map(drop)) });
        let one = Connector::from(client()).connect("localhost", one).await?;
        let refusal = rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
        assert_eq!(complaint(one.read(&mut [0; 10]).await), refusal);
        assert_eq!(
            complaint(accepting.join().await?),
            rustls::Error::NoCertificatesPresented
        );
        Ok(())
    });
}

/// Ten seconds, or what was said: no more, no less.
#[test]
fn a_handshake_that_stalls_is_given_up() {
    for client_stalls in [true, false] {
        for (said, seconds) in [(None, 10), (Some(3), 3)] {
            cleanly_on(Clock::Virtual, async || {
                let (mut connector, mut acceptor) = (Connector::from(client()), Acceptor::from(server()));
                if let Some(said) = said {
                    connector = connector.handshake_timeout(Duration::from_secs(said));
                    acceptor = acceptor.handshake_timeout(Duration::from_secs(said));
                }
                let (one, two) = UnixStream::pair()?;
                let began = clock();
                let failed = if client_stalls {
                    // The beginning of a record.
                    one.write_all(&[22, 3, 1, 2]).await?;
                    kind(acceptor.accept(two).await)
                } else {
                    kind(connector.connect("localhost", two).await)
                };
                assert_eq!(failed, ErrorKind::TimedOut);
                assert_eq!(clock() - began, Duration::from_secs(seconds));
                Ok(())
            });
        }
    }
}

/// The timeouts of the task are its own, and its cancellation is no matter of TLS.
#[test]
fn a_handshake_can_be_interrupted() {
    cleanly_on(Clock::Virtual, async || {
        let (one, two) = UnixStream::pair()?;
        let shaking = Connector::from(client()).connect("localhost", one);
        let failed = timeout_after(Duration::from_secs(2), shaking).await;
        assert!(matches!(failed, Err(Error::Timeout(_))), "{failed:?}");
        // The connection is closed: the peer has the beginning of the conversation, and the end.
        let mut hello = Vec::new();
        two.as_stream().read_to_end(&mut hello).await?;
        assert_eq!(hello[..2], [22, 3]);

        let (one, two) = UnixStream::pair()?;
        let shaking: Task<TlsStream<UnixStream>> = spawn(Acceptor::from(server()).accept(one));
        two.write_all(&hello[..hello.len() / 2]).await?;
        sleep(Duration::from_secs(1)).await?;
        shaking.cancel().await?;
        assert!(matches!(shaking.join().await, Err(Error::Task(e)) if e.cancelled()));
        assert_eq!(two.read(&mut [0; 10]).await?, 0);
        Ok(())
    });
}

#[test]
fn a_slow_handshake_holds_up_nobody() {
    cleanly(async || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let serving = spawn(tls::run_server(
            listener,
            server(),
            async |client: TlsStream, _| client.write_all(b"hello").await,
        ));
        let mut silent = Vec::new();
        for _ in 0..20 {
            silent.push(TcpStream::connect(addr).await?);
        }
        let s = open_connection(addr).tls(client()).await?;
        s.read_exact(&mut [0; 5]).await?;
        // And they are reaped with their server.
        serving.cancel().await?;
        for stream in silent {
            assert_eq!(stream.read(&mut [0; 10]).await?, 0);
        }
        Ok(())
    });
}

#[test]
fn the_older_version_works_too() {
    cleanly(async || {
        let old =
            rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_protocol_versions(&[&rustls::version::TLS12])
                .unwrap();
        let new = server();
        let old = old
            .with_no_client_auth()
            .with_cert_resolver(new.cert_resolver.clone());
        let (one, two) = pair_of(Connector::from(client()), Acceptor::from(old)).await?;
        assert_eq!(one.protocol_version(), Some(ProtocolVersion::TLSv1_2));
        one.write_all(b"hello").await?;
        one.shutdown().await?;
        let mut all = Vec::new();
        two.as_stream().read_to_end(&mut all).await?;
        assert_eq!(all, b"hello");
        Ok(())
    });
}

#[test]
fn what_is_no_certificate_is_said_at_once() {
    for (certificate, key) in [
        ("", KEY),
        (CERTIFICATE, ""),
        (KEY, KEY),
        (CERTIFICATE, CERTIFICATE),
    ] {
        let failed = tls::server_config(certificate, key);
        assert_eq!(kind(failed), ErrorKind::InvalidInput);
    }
    assert_eq!(kind(tls::server_config(AUTHORITY, KEY)), ErrorKind::InvalidInput);
    assert_eq!(
        kind(tls::client_config("no certificate")),
        ErrorKind::InvalidInput
    );
}

#[test]
fn a_handler_gives_its_name_to_its_tasks() {
    async fn greet(_: TlsStream, _: std::net::SocketAddr) -> curio::Result<()> {
        let name = curio::current_task().name().to_string();
        assert_eq!(name, "greet");
        Ok(())
    }
    cleanly(async || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let serving = spawn(tls::run_server(listener, server(), greet));
        let s = open_connection(addr).tls(client()).tolerate_truncation().await?;
        assert_eq!(s.read(&mut [0; 10]).await?, 0);
        serving.cancel().await?;
        drop(pair().await?);
        Ok(())
    });
}
