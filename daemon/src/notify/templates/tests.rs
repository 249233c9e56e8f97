//! What mails say, and what data cannot make them say.

use serde_json::json;

use super::*;

/// A value for every field that any mail knows.
fn full() -> Value {
    json!({
        "name": "Ada Lovelace",
        "email": "ada@example.org",
        "role": "customer",
        "title": "Artemis over the bay",
        "launchId": "507f1f77bcf86cd799439011",
        "bookingId": "507f1f77bcf86cd799439012",
        "startDateTime": "2026-08-01T12:30:00+02:00",
        "salesStartAt": "2026-07-01T08:00:00Z",
        "venue": "Pier 39",
        "hostName": "Orbital Events",
        "customerName": "Grace Hopper",
        "seats": 2,
        "amount": 99.9,
        "price": 49.95,
        "currency": "usd",
        "paymentMethod": "credit_card",
        "transactionId": "pi_3Nabc",
        "changes": {"venue": {"from": "Pier 38", "to": "Pier 39"}, "price": 49.95},
        "reason": "Bad weather",
        "until": "2026-08-01T10:30:00Z",
        "ipAddress": "192.0.2.7",
    })
}

/// Only what `kind` needs.
fn minimal(kind: NotificationType) -> Value {
    let all = full();
    let required = Definition::of(kind).unwrap().required.iter();
    required.map(|&field| (field.to_owned(), all[field].clone())).collect::<serde_json::Map<_, _>>().into()
}

fn render(kind: NotificationType, data: &Value) -> Content {
    Templates::new().unwrap().render(kind, data).unwrap()
}

fn refused(kind: NotificationType, data: &Value) -> Vec<(String, String)> {
    let errors = Templates::new().unwrap().render(kind, data).unwrap_err();
    errors.into_iter().map(|error| (error.pointer, error.detail)).collect()
}

#[test]
fn every_mail_reads_well_with_little_data_and_with_all() {
    for &kind in NotificationType::ALL {
        let (little, all) = (render(kind, &minimal(kind)), render(kind, &full()));
        let picture = format!(
            "Subject: {}\n\n{}\n==== with all data\nSubject: {}\n\n{}\n==== HTML\n{}",
            little.subject,
            little.text,
            all.subject,
            all.text,
            all.html.unwrap()
        );
        insta::assert_snapshot!(kind.as_str(), picture);
    }
}

#[test]
fn every_kind_is_defined_once_and_tells_what_it_needs() {
    let types = Templates::new().unwrap().types();
    let kinds: Vec<_> = types.iter().map(|info| info.kind).collect();
    assert_eq!(kinds, NotificationType::ALL);
    let new_booking = &types[0];
    assert_eq!(new_booking.required, ["bookingId", "launchId", "seats"]);
    assert!(new_booking.optional.contains(&"venue".to_owned()));
}

#[test]
fn every_known_field_is_shown_when_given() {
    for definition in DEFINITIONS {
        let content = render(definition.kind, &full());
        for field in definition.fields() {
            let probe = match field {
                "currency" => "USD",
                "startDateTime" | "until" => "1 August 2026, 10:30 UTC",
                "salesStartAt" => "1 July 2026, 08:00 UTC",
                "seats" => "2",
                "amount" => "99.90 USD",
                "price" => "49.95 USD",
                "changes" => "venue: Pier 38 → Pier 39",
                _ => full()[field].as_str().map(|text| &*text.to_owned().leak()).unwrap(),
            };
            assert!(content.text.contains(probe), "{}: {field} is not in the text", definition.kind);
            assert!(
                content.html.as_ref().unwrap().contains(probe),
                "{}: {field} is not in the HTML",
                definition.kind
            );
        }
    }
}

#[test]
fn a_missing_field_is_told_with_all_that_are_needed() {
    assert_eq!(
        refused(NotificationType::NewBooking, &json!({"launchId": "x", "seats": null})),
        [
            (
                "/data/bookingId".to_owned(),
                "is missing; NEW_BOOKING needs bookingId, launchId, seats".to_owned()
            ),
            ("/data/seats".to_owned(), "is missing; NEW_BOOKING needs bookingId, launchId, seats".to_owned()),
        ]
    );
    for data in [json!(null), json!("x"), json!([1])] {
        assert_eq!(
            refused(NotificationType::Welcome, &data),
            [("/data".to_owned(), "must be an object; WELCOME needs name".to_owned())]
        );
    }
    assert_eq!(
        refused(NotificationType::Welcome, &json!({"name": {"first": "Ada"}})),
        [("/data/name".to_owned(), "must be text, a number or a flag".to_owned())]
    );
}

#[test]
fn hostile_data_stays_data() {
    let evil = "</a><script>alert(\"1\")</script>{{ 7 * 7 }}'&";
    let data =
        json!({"bookingId": evil, "launchId": evil, "title": evil, "reason": "a\r\n\r\nYou won.\u{1b}[2J\0"});
    let content = render(NotificationType::BookingCancelled, &data);
    let html = content.html.unwrap();
    assert!(!html.contains("<script>") && !html.contains("</a>"), "{html}");
    assert!(html.contains("&lt;script&gt;alert(&quot;1&quot;)"), "{html}");
    assert!(content.text.contains("<script>") && content.text.contains("{{ 7 * 7 }}"));
    assert!(content.text.contains("Reason: a    You won. [2J"), "{}", content.text);
    for body in [&content.text, &html] {
        assert!(!body.chars().any(|c| c.is_control() && c != '\n'), "{body:?}");
    }
}

#[test]
fn a_line_break_that_would_reach_the_subject_is_refused_with_its_field() {
    for evil in ["Party\r\nBcc: everyone@example.org", "Party\n", "Par\0ty", "Par\rty"] {
        let data = json!({"bookingId": "b", "launchId": "l", "title": evil});
        assert_eq!(
            refused(NotificationType::BookingConfirmed, &data),
            [(
                "/data/title".to_owned(),
                "has a line break or another control character; it is part of the subject".to_owned()
            )]
        );
    }
}

#[test]
fn a_long_title_shortens_the_subject_and_not_the_body() {
    let title = "ü".repeat(5_000);
    let content = render(NotificationType::LaunchCancelled, &json!({"launchId": "l", "title": title}));
    assert_eq!(content.subject.chars().count(), 200);
    assert!(content.subject.ends_with('…') && content.text.contains(&title));
}

#[test]
fn changes_may_be_a_text_a_list_or_an_object() {
    for (changes, line) in [
        (json!("new venue"), "  - new venue\n"),
        (json!(["new venue", 3]), "  - new venue\n  - 3\n"),
        (json!({"venue": "Pier 39"}), "  - venue: Pier 39\n"),
        (json!({"at": {"from": 1, "to": [2]}}), "  - at: 1 → [2]\n"),
    ] {
        let content = render(NotificationType::LaunchUpdated, &json!({"launchId": "l", "changes": changes}));
        assert!(content.text.contains(line), "{}", content.text);
    }
}
