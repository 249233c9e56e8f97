//! Rules that need more than one key, or that protect the operator from a quiet mistake.

use std::net::IpAddr;

use astrops_api::vocabulary::Provider;

use super::{Config, MailTransport, PaymentsConfig, Refusal, SmtpConfig, TlsMode};

/// Everything that is wrong with `config`; `source_of` names where a key's value came from.
pub(super) fn judge(config: &Config, source_of: impl Fn(&str) -> String) -> Vec<Refusal> {
    let refuse = |key: &str, wrong: String, allowed: &str| Refusal::new(source_of(key), wrong, allowed);
    let mut refusals = Vec::new();
    let bind = config.server.bind;
    if !bind.ip().to_canonical().is_loopback() && !config.server.behind_proxy {
        refusals.push(refuse(
            "server.bind",
            format!("server.bind is {bind}, which others can reach, and the API speaks no TLS"),
            "a loopback address, or server.behind_proxy = true when a proxy with TLS stands in front",
        ));
    }
    if !bind.ip().to_canonical().is_loopback() && !config.auth.rate_limit.is_on() {
        refusals.push(refuse(
            "auth.rate_limit",
            format!("auth.rate_limit is \"off\" and server.bind is {bind}, which others can reach"),
            "on, or a loopback address for server.bind",
        ));
    }
    let smtp = &config.mail.smtp;
    match &smtp.host {
        None if config.mail.transport == MailTransport::Smtp => refusals.push(refuse(
            "mail.transport",
            "mail.transport is \"smtp\" and mail.smtp.host is missing".to_owned(),
            "mail.smtp.host = \"smtp.example.org\", or mail.transport = \"file\"",
        )),
        Some(host) if smtp.tls == TlsMode::None && !smtp.allow_plain_text && !is_loopback(host) => {
            refusals.push(refuse(
                "mail.smtp.tls",
                format!(
                    "mail.smtp.tls is \"none\" and mail.smtp.host is {host:?}, which is not this machine"
                ),
                "starttls, implicit, or mail.smtp.allow_plain_text = true",
            ));
        }
        _ => {}
    }
    refusals.extend(refuse_half_a_sign_in(smtp, refuse));
    refusals.extend(refuse_payments(&config.payments, refuse));
    refusals
}

fn refuse_half_a_sign_in(
    smtp: &SmtpConfig,
    refuse: impl Fn(&str, String, &str) -> Refusal,
) -> Option<Refusal> {
    let (there, missing) = match (&smtp.username, &smtp.password) {
        (Some(_), None) => ("mail.smtp.username", "mail.smtp.password"),
        (None, Some(_)) => ("mail.smtp.password", "mail.smtp.username"),
        _ => return None,
    };
    Some(refuse(there, format!("{there} is there and {missing} is missing"), "both or neither"))
}

fn refuse_payments(
    payments: &PaymentsConfig,
    refuse: impl Fn(&str, String, &str) -> Refusal,
) -> Vec<Refusal> {
    let stripe = &payments.stripe;
    let mut refusals = Vec::new();
    if let Some(authority) = stripe.api_base.strip_prefix("http://") {
        let authority = authority.trim_end_matches('/');
        // The port comes last, and an IPv6 address has colons of its own inside its brackets.
        let host = authority
            .rsplit_once(':')
            .filter(|(_, port)| !port.contains(']'))
            .map_or(authority, |(host, _)| host);
        if !is_loopback(host) {
            refusals.push(refuse(
                "payments.stripe.api_base",
                format!(
                    "payments.stripe.api_base is {:?}, which would send the key in plain text",
                    stripe.api_base
                ),
                "https://HOST, or http:// on this machine",
            ));
        }
    }
    if payments.provider == Provider::Stripe {
        for (key, value) in [
            ("payments.stripe.secret_key", &stripe.secret_key),
            ("payments.stripe.webhook_secret", &stripe.webhook_secret),
        ] {
            if value.is_none() {
                refusals.push(refuse(
                    "payments.provider",
                    format!("payments.provider is \"stripe\" and {key} is missing"),
                    &format!("a credential named {key}, or payments.provider = \"sandbox\""),
                ));
            }
        }
    }
    refusals
}

fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}
