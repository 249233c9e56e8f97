//! Nothing leaves without the protection that was asked for; passwords stay secret.

use super::{
    tests::{
        PATIENT, SHORT,
        Verdict::{Later, Sent},
        config, send, text, verdict,
    },
    villain::{Act, FEATURES, Phase, Protection, Villain, say},
    *,
};
use crate::notify::{Transport, mail::tests::mail_to};

/// A transport with TLS that trusts the villain's authority, if `trusting`.
fn secure(villain: &Villain, host: &str, tls: TlsMode, trusting: bool, limits: TimeLimits) -> Transport {
    let mut config = config(host, villain.address.port(), tls);
    let authority = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/notify/smtp/testdata/ca.pem");
    config.ca_file = trusting.then_some(authority);
    config.username = Some("ops".to_owned());
    config.password = Some("s3cret".into());
    Transport::Smtp(SmtpTransport::new(&config).unwrap().with_limits(limits))
}

const WITH_AUTH: &str = "8BITMIME AUTH_PLAIN_LOGIN";

#[tokio::test]
async fn with_tls_password_and_mail_travel_encrypted() {
    for (protection, tls) in
        [(Protection::StartTls, TlsMode::StartTls), (Protection::Implicit, TlsMode::Implicit)]
    {
        let villain = Villain::start(&[], protection, WITH_AUTH).await;
        let transport = secure(&villain, "localhost", tls, true, PATIENT);
        let delivered = send(&transport, &mail_to("ada@example.org")).await;
        assert_eq!(delivered, Delivered::Sent { response: "250 2.0.0 queued as 42".to_owned() });
        let bare = villain.seen().commands.into_iter().filter(|(_, is_secure)| !is_secure);
        assert!(bare.map(|(command, _)| command).all(|c| c.starts_with("EHLO") || c == "STARTTLS"));
        let port = villain.address.port();
        assert_eq!(transport.check().await, Ok(format!("localhost:{port} answers")));
    }
}

#[tokio::test]
async fn without_the_tls_that_was_asked_for_nothing_is_sent() {
    use Protection::{Implicit, Plain, StartTls};
    let injected = (Phase::StartTls, say("220 go\r\n250 said before TLS\r\n"));
    let rows = [
        (
            Plain,
            vec![],
            "localhost",
            true,
            "the server offers no STARTTLS, and nothing is sent in plain text",
        ),
        (
            StartTls,
            vec![(Phase::StartTls, say("454 not now\r\n"))],
            "localhost",
            true,
            "STARTTLS: 454 not now",
        ),
        (StartTls, vec![injected], "localhost", true, "TLS: the server spoke before TLS was there"),
        (StartTls, vec![(Phase::StartTls, Act::Drop)], "localhost", true, "STARTTLS: the server closed"),
        (StartTls, vec![], "localhost", false, "TLS: invalid peer certificate"),
        (StartTls, vec![], "127.0.0.1", true, "TLS: invalid peer certificate"),
        (Implicit, vec![], "localhost", false, "TLS: invalid peer certificate"),
    ];
    for (protection, acts, host, trusting, told) in rows {
        let villain = Villain::start(&acts, protection, WITH_AUTH).await;
        let tls = if protection == Implicit { TlsMode::Implicit } else { TlsMode::StartTls };
        let delivered =
            send(&secure(&villain, host, tls, trusting, PATIENT), &mail_to("ada@example.org")).await;
        assert_eq!(verdict(&delivered), Later, "{delivered:?}");
        assert!(text(&delivered).starts_with(told), "{delivered:?} is not {told}");
        let commands = villain.seen().commands;
        assert!(
            !commands.iter().any(|(c, _)| c.starts_with("AUTH") || c.starts_with("MAIL")),
            "{commands:?}"
        );
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_has_a_time_limit() {
    let villain = Villain::start(&[], Protection::Plain, FEATURES).await;
    let limits = TimeLimits { command: SHORT, ..PATIENT };
    // The villain waits for a command, we wait for its part of the handshake.
    let delivered =
        send(&secure(&villain, "localhost", TlsMode::Implicit, true, limits), &mail_to("ada@example.org"))
            .await;
    assert_eq!(verdict(&delivered), Later);
}

#[tokio::test]
async fn a_refused_sign_in_is_told_without_the_password() {
    let plain = |villain: &Villain| {
        let mut config = config("127.0.0.1", villain.address.port(), TlsMode::None);
        (config.username, config.password) = (Some("ops".to_owned()), Some("s3cret".into()));
        Transport::Smtp(SmtpTransport::new(&config).unwrap().with_limits(PATIENT))
    };
    for (features, acts, expected, told) in [
        ("AUTH_PLAIN", vec![], Sent, "250 2.0.0 queued as 42"),
        ("AUTH_LOGIN", vec![], Sent, "250 2.0.0 queued as 42"),
        ("AUTH_PLAIN", vec![(Phase::Auth, say("535 no\r\n"))], Later, "AUTH: 535 no"),
        ("AUTH_LOGIN", vec![(Phase::Auth, say("535 no\r\n"))], Later, "AUTH: 535 no"),
        ("AUTH_PLAIN", vec![(Phase::Auth, say("250 hm\r\n"))], Sent, "250 2.0.0 queued as 42"),
        ("AUTH_CRAM-MD5", vec![], Later, "the server offers neither AUTH PLAIN nor AUTH LOGIN"),
        ("8BITMIME", vec![], Later, "the server offers neither AUTH PLAIN nor AUTH LOGIN"),
    ] {
        let villain = Villain::start(&acts, Protection::Plain, features).await;
        let delivered = send(&plain(&villain), &mail_to("ada@example.org")).await;
        assert_eq!((verdict(&delivered), text(&delivered)), (expected, told), "{features}");
    }
}

#[test]
fn a_certificate_file_without_certificates_is_refused_at_start() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("ca.pem");
    let mut config = config("localhost", 587, TlsMode::StartTls);
    config.ca_file = Some(file.clone());
    let refused = |config: &SmtpConfig| format!("{:#}", SmtpTransport::new(config).err().unwrap());
    assert!(refused(&config).contains("No such file"), "{}", refused(&config));
    fs::write(&file, "nothing here").unwrap();
    assert!(refused(&config).ends_with("holds no certificate"), "{}", refused(&config));
}
