//! Every way in which a mail server can misbehave, and what may be said of the mail then.

use std::time::Instant;

use super::{
    villain::{Act, Phase, Protection, Seen, Villain, say},
    *,
};
use crate::notify::{
    Transport,
    mail::tests::{mail_to, noon},
    transport::tests::Marks,
};

/// The verdicts, without their texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Sent,
    Later,
    Never,
    Unknown,
}

use Verdict::{Later, Never, Sent, Unknown};

pub(super) fn verdict(delivered: &Delivered) -> Verdict {
    match delivered {
        Delivered::Sent { .. } => Sent,
        Delivered::NotSent { permanent: false, .. } => Later,
        Delivered::NotSent { permanent: true, .. } => Never,
        Delivered::Unknown { .. } => Unknown,
    }
}

pub(super) fn text(delivered: &Delivered) -> &str {
    match delivered {
        Delivered::Sent { response } => response,
        Delivered::NotSent { error, .. } | Delivered::Unknown { error } => error,
    }
}

const LONG: Duration = Duration::from_secs(20);
pub(super) const SHORT: Duration = Duration::from_millis(60);

pub(super) const PATIENT: TimeLimits = TimeLimits { connect: LONG, command: LONG, data: LONG, verdict: LONG };

pub(super) fn config(host: &str, port: u16, tls: TlsMode) -> SmtpConfig {
    let mut config = crate::config::Config::defaults(Path::new("unused")).unwrap().mail.smtp;
    (config.host, config.port, config.tls) = (Some(host.to_owned()), port, tls);
    config
}

fn to_villain(villain: &Villain, limits: TimeLimits) -> Transport {
    let config = config("127.0.0.1", villain.address.port(), TlsMode::None);
    Transport::Smtp(SmtpTransport::new(&config).unwrap().with_limits(limits))
}

pub(super) async fn send(transport: &Transport, mail: &Mail) -> Delivered {
    transport.deliver(mail, noon(), &Marks::default(), &CancellationToken::new()).await
}

/// Delivers one mail to a villain that does `acts`; a phase that is silent gets a short time limit.
async fn meet(acts: &[(Phase, Act)]) -> (Delivered, Seen) {
    let mut limits = PATIENT;
    for (phase, act) in acts {
        if matches!(act, Act::Silence) {
            match phase {
                Phase::Data => limits.data = SHORT,
                Phase::Content | Phase::Dot => limits.verdict = SHORT,
                _ => limits.command = SHORT,
            }
        }
    }
    let villain = Villain::with(acts).await;
    let delivered = send(&to_villain(&villain, limits), &mail_to("ada@example.org")).await;
    (delivered, villain.seen())
}

#[tokio::test]
async fn no_server_can_make_us_believe_that_a_mail_was_sent_or_was_not() {
    use Act::{Drip, Drop, Last, Silence};
    use Phase::{Content, Data, Dot, Greeting, Hello, Mail, Quit, Rcpt};

    let huge = format!("250 {}\r\n", "x".repeat(100_000));
    let endless = "250-and more\r\n".repeat(20_000);
    let rows: Vec<(Vec<(Phase, Act)>, Verdict)> = vec![
        (vec![], Sent),
        // The greeting and EHLO are about the session: the mail waits.
        (vec![(Greeting, say("421 not now\r\n"))], Later),
        (vec![(Greeting, say("554 no mail here\r\n"))], Later),
        (vec![(Greeting, say("SSH-2.0-OpenSSH_9.6\r\n"))], Later),
        (vec![(Greeting, Drop)], Later),
        (vec![(Greeting, Silence)], Later),
        (vec![(Greeting, say("220 hi\r\n250 one too many\r\n"))], Later),
        (vec![(Hello, say("451 tired\r\n"))], Later),
        (vec![(Hello, say("550 go away\r\n"))], Later),
        (vec![(Hello, Drop)], Later),
        (vec![(Hello, Silence)], Later),
        (vec![(Hello, say("250\r\n"))], Later),
        // MAIL, RCPT and DATA are about this mail.
        (vec![(Mail, say("451 try again\r\n"))], Later),
        (vec![(Mail, say("553 not you\r\n"))], Never),
        (vec![(Mail, say("354 confused\r\n"))], Later),
        (vec![(Mail, say("250 ok\r\n250 one too many\r\n"))], Later),
        (vec![(Mail, Drop)], Later),
        (vec![(Mail, Silence)], Later),
        (vec![(Rcpt, say("450 greylisted\r\n"))], Later),
        (vec![(Rcpt, say("550-5.1.1 no such\r\n550 5.1.1 user\r\n"))], Never),
        (vec![(Rcpt, say("550-mixed\r\n250 codes\r\n"))], Later),
        (vec![(Rcpt, say("251 forwarded\r\n"))], Sent),
        (vec![(Rcpt, say("250\r\n"))], Sent),
        (vec![(Rcpt, say("250 ok\n"))], Sent),
        (vec![(Rcpt, say("250 ok\r\n550 one too many\r\n"))], Never),
        (vec![(Rcpt, Last("421 closing\r\n"))], Later),
        (vec![(Rcpt, Drop)], Later),
        (vec![(Rcpt, Silence)], Later),
        (vec![(Data, say("451 disk full\r\n"))], Later),
        (vec![(Data, say("554 no valid recipients\r\n"))], Never),
        (vec![(Data, say("250 queued\r\n"))], Later),
        (vec![(Data, Drop)], Later),
        (vec![(Data, Silence)], Later),
        // A 250 that comes before the mail is no verdict on it.
        (vec![(Data, say("354 go\r\n250 queued\r\n")), (Dot, say("554 spam\r\n"))], Later),
        (vec![(Data, say("354 go\r\n250 qu")), (Dot, say("554 spam\r\n"))], Later),
        (vec![(Content, say("250 queued\r\n")), (Dot, say("554 spam\r\n"))], Unknown),
        (vec![(Content, say("250 queued\r\n")), (Dot, say("451 later\r\n"))], Unknown),
        // The verdict.
        (vec![(Dot, say("250\r\n"))], Sent),
        (vec![(Dot, say("250-2.0.0 queued\r\n250 as 42\r\n"))], Sent),
        (vec![(Dot, Drip("250 queued\r\n"))], Sent),
        (vec![(Dot, say(&huge))], Sent),
        (vec![(Dot, Act::Say(b"250 gespeichert f\xfcr sp\xe4ter\r\n".to_vec()))], Sent),
        (vec![(Dot, say("451 try again\r\n"))], Later),
        (vec![(Dot, say("421 closing\r\n"))], Later),
        (vec![(Dot, Last("452 full\r\n"))], Later),
        (vec![(Dot, say("554 spam\r\n"))], Never),
        (vec![(Dot, say("354 go on\r\n"))], Unknown),
        (vec![(Dot, say("650 what\r\n"))], Unknown),
        (vec![(Dot, say("150 maybe\r\n"))], Unknown),
        (vec![(Dot, say("250-a\r\n550 b\r\n"))], Unknown),
        (vec![(Dot, say("ok, got it\r\n"))], Unknown),
        (vec![(Dot, say("\0\0\0\r\n"))], Unknown),
        (vec![(Dot, say(&endless))], Unknown),
        (vec![(Dot, Last("250 ok"))], Unknown),
        (vec![(Dot, Last("25"))], Unknown),
        (vec![(Dot, Drop)], Unknown),
        (vec![(Dot, Silence)], Unknown),
        (vec![(Dot, say("250 queued\r\n554 or rather not\r\n"))], Unknown),
        // What happens after the verdict does not take it back.
        (vec![(Quit, Drop)], Sent),
        (vec![(Quit, Silence)], Sent),
        (vec![(Quit, say("250 bye\r\n"))], Sent),
    ];
    for (acts, expected) in rows {
        let name = format!("{acts:?}").chars().take(200).collect::<String>();
        let (delivered, seen) = meet(&acts).await;
        assert_eq!(verdict(&delivered), expected, "{name}: {delivered:?}");
        match verdict(&delivered) {
            Sent => assert_eq!(seen.taken, 1, "a false \"sent\": {name}"),
            Later | Never => assert_eq!(seen.taken, 0, "a false \"not sent\": {name}"),
            Unknown => {}
        }
        assert!(text(&delivered).chars().count() <= 500, "{name}");
        assert!(!text(&delivered).chars().any(char::is_control), "{name}: {delivered:?}");
    }
}

#[tokio::test]
async fn the_server_gets_the_mail_as_it_is_and_its_words_are_kept() {
    let (delivered, seen) = meet(&[]).await;
    assert_eq!(delivered, Delivered::Sent { response: "250 2.0.0 queued as 42".to_owned() });
    let commands: Vec<_> = seen.commands.iter().map(|(command, _)| command.as_str()).skip(1).collect();
    assert_eq!(
        commands,
        ["MAIL FROM:<noreply@astrobookings.example>", "RCPT TO:<ada@example.org>", "DATA", "QUIT"]
    );
    let sent = mail_to("ada@example.org").message(noon()).unwrap().formatted();
    // The lone dot in its text is doubled on the way (RFC 5321 section 4.5.2).
    let expected = String::from_utf8(sent).unwrap().replace("\r\n.\r\n", "\r\n..\r\n");
    assert_eq!(seen.mails[0], expected);
}

#[tokio::test]
async fn hostile_words_of_a_server_are_tamed() {
    let (delivered, _) =
        meet(&[(Phase::Rcpt, say("550 \u{1b}]0;owned\u{7}\u{9b}2J no\u{202e} such user\r\n"))]).await;
    assert_eq!(text(&delivered), "RCPT: 550 ?]0;owned???2J no??? such user");
    let (delivered, _) = meet(&[(Phase::Dot, say(&format!("554 {}\r\n", "x".repeat(9_000))))]).await;
    assert_eq!(text(&delivered).chars().count(), 500);
}

#[tokio::test]
async fn a_lost_connection_is_told_with_its_phase() {
    for (phase, told) in [
        (Phase::Greeting, "greeting: the server closed the connection"),
        (Phase::Rcpt, "RCPT: the server closed the connection"),
        (Phase::Dot, "final dot: the server closed the connection"),
    ] {
        assert_eq!(text(&meet(&[(phase, Act::Drop)]).await.0), told);
    }
}

#[tokio::test]
async fn a_server_that_leaves_before_the_dot_did_not_get_the_mail() {
    // Larger than what the sockets buffer, so that the dot is still in our hands when the server leaves.
    let mut mail = mail_to("ada@example.org");
    mail.content.text = "All work and no play makes Jack a dull boy. ".repeat(300_000);
    for act in [Act::Drop, Act::Silence] {
        let villain = Villain::with(&[(Phase::Content, act.clone())]).await;
        let limits = TimeLimits { verdict: Duration::from_millis(500), ..PATIENT };
        let delivered = send(&to_villain(&villain, limits), &mail).await;
        assert_eq!(verdict(&delivered), Later, "{act:?}: {delivered:?}");
        assert!(text(&delivered).starts_with("final dot: "), "{delivered:?}");
    }
}

#[tokio::test]
async fn a_dead_server_is_tried_again_later() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let smtp = SmtpTransport::new(&config("127.0.0.1", port, TlsMode::None)).unwrap();
    let transport = Transport::Smtp(smtp);
    let delivered = send(&transport, &mail_to("ada@example.org")).await;
    assert_eq!(verdict(&delivered), Later);
    assert!(text(&delivered).starts_with("connect: "), "{delivered:?}");
    assert!(transport.check().await.is_err_and(|error| error.contains("connect: ")));
}

#[tokio::test]
async fn smtputf8_is_asked_for_only_when_an_address_needs_it() {
    let villain = Villain::with(&[]).await;
    let transport = to_villain(&villain, PATIENT);
    assert_eq!(verdict(&send(&transport, &mail_to("josé@example.org")).await), Sent);
    let commands = villain.seen().commands;
    let from = "MAIL FROM:<noreply@astrobookings.example> BODY=8BITMIME SMTPUTF8";
    assert!(commands.iter().any(|(command, _)| command == from), "{commands:?}");

    let plain = Villain::start(&[], Protection::Plain, "8BITMIME").await;
    let delivered = send(&to_villain(&plain, PATIENT), &mail_to("josé@example.org")).await;
    assert_eq!(verdict(&delivered), Never);
    assert_eq!(text(&delivered), "the address has letters beyond ASCII and the server has no SMTPUTF8");
    assert_eq!(verdict(&send(&to_villain(&plain, PATIENT), &mail_to("jose@example.org")).await), Sent);
}

#[tokio::test]
async fn the_marks_are_made_in_time_and_a_mark_that_fails_stops_the_mail() {
    let villain = Villain::with(&[]).await;
    let transport = to_villain(&villain, PATIENT);
    let mail = mail_to("ada@example.org");
    let cancel = CancellationToken::new();
    for (broken, sessions, made) in [
        ("dialling", 0, vec![]),
        ("at the dot", 1, vec!["dialling"]),
        ("", 2, vec!["dialling", "at the dot"]),
    ] {
        let marks = Marks { broken, ..Marks::default() };
        let delivered = transport.deliver(&mail, noon(), &marks, &cancel).await;
        assert_eq!(verdict(&delivered), if broken.is_empty() { Sent } else { Later });
        assert_eq!(*marks.made.lock().unwrap(), made);
        assert_eq!(villain.seen().sessions, sessions);
        assert_eq!(villain.seen().mails.len(), usize::from(broken.is_empty()));
    }
}

#[tokio::test]
async fn a_refused_recipient_never_reaches_the_dot() {
    let villain = Villain::with(&[(Phase::Rcpt, say("550 no\r\n"))]).await;
    let marks = Marks::default();
    let transport = to_villain(&villain, PATIENT);
    transport.deliver(&mail_to("ada@example.org"), noon(), &marks, &CancellationToken::new()).await;
    assert_eq!(*marks.made.lock().unwrap(), ["dialling"]);
}

#[tokio::test]
async fn cancelling_stops_a_mail_before_the_dot_at_once() {
    for (phase, commands) in [(Phase::Greeting, 0), (Phase::Rcpt, 3), (Phase::Data, 4)] {
        let villain = Villain::with(&[(phase, Act::Silence)]).await;
        let (transport, mail, marks) =
            (to_villain(&villain, PATIENT), mail_to("ada@example.org"), Marks::default());
        let cancel = CancellationToken::new();
        let start = Instant::now();
        let stop = async {
            while (villain.seen().sessions, villain.seen().commands.len()) != (1, commands) {
                tokio::task::yield_now().await;
            }
            cancel.cancel();
        };
        let (delivered, ()) = tokio::join!(transport.deliver(&mail, noon(), &marks, &cancel), stop);
        assert_eq!(delivered, Delivered::not_sent("cancelled before anything was sent"));
        assert!(start.elapsed() < LONG && villain.seen().mails.is_empty());
    }
}

#[tokio::test]
async fn cancelling_at_the_dot_does_not_tear_the_mail() {
    let villain = Villain::with(&[(Phase::Dot, Act::Drip("250 it took me a while to say so\r\n"))]).await;
    let (transport, mail, marks) =
        (to_villain(&villain, PATIENT), mail_to("ada@example.org"), Marks::default());
    let cancel = CancellationToken::new();
    let stop = async {
        while villain.seen().mails.is_empty() {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (delivered, ()) = tokio::join!(transport.deliver(&mail, noon(), &marks, &cancel), stop);
    assert_eq!(delivered, Delivered::Sent { response: "250 it took me a while to say so".to_owned() });
}

#[tokio::test]
async fn check_tells_whether_the_server_answers() {
    let villain = Villain::with(&[]).await;
    let transport = to_villain(&villain, PATIENT);
    assert_eq!(transport.check().await, Ok(format!("127.0.0.1:{} answers", villain.address.port())));
    assert_eq!(villain.seen().commands.last().unwrap().0, "QUIT");
    let silent = Villain::with(&[(Phase::Greeting, Act::Silence)]).await;
    let limits = TimeLimits { command: SHORT, ..PATIENT };
    assert!(
        to_villain(&silent, limits).check().await.is_err_and(|error| error.contains("no answer within 60ms"))
    );
}
