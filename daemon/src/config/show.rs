//! `astrops config show`: every effective key, its value and where it came from.

use std::fmt::Write as _;

use super::{
    Loaded,
    keys::{KEYS, Privacy, in_short},
    layers::source_of,
    schedules,
};

/// What stands in place of a secret.
const HIDDEN: &str = "[secret]";

impl Loaded {
    /// One line per key: `key = value  # where it came from`. Secrets are hidden, passwords in URLs masked.
    #[must_use]
    pub fn show(&self) -> String {
        let figment = &self.layers.0;
        let mut lines = Vec::new();
        for key in KEYS {
            let Ok(value) = figment.find_value(key.path) else {
                lines.push((format!("{} is not set", key.path), "default".to_owned()));
                continue;
            };
            let text = match (key.privacy, value.as_str()) {
                (Privacy::Secret, _) => HIDDEN.to_owned(),
                (Privacy::MaskedUrl, Some(url)) => format!("{:?}", mask(url)),
                (_, Some(text)) => format!("{text:?}"),
                (_, None) => in_short(&value),
            };
            lines.push((format!("{} = {text}", key.path), source_of(figment, key.path)));
        }
        for (key, authority) in self.config.reconcile.authorities() {
            lines.push((format!("{key} = {:?}", authority.to_string()), source_of(figment, &key)));
        }
        let built_in = schedules::built_in();
        for schedule in &self.config.schedules {
            let source = if built_in.contains(schedule) {
                "default".to_owned()
            } else {
                source_of(figment, "schedules")
            };
            let line = format!(
                "schedules.{} = {:?} {:?}, {}, missed {}, overlap {}",
                schedule.name,
                schedule.cron,
                schedule.time_zone,
                schedule.task,
                schedule.missed,
                schedule.overlap
            );
            lines.push((line, source));
        }
        let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0).min(64);
        lines.iter().fold(String::new(), |mut text, (line, source)| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{line:width$}  # {source}");
            text
        })
    }
}

/// `url` with every password in it replaced: up to the last `@`, and in parameters that are named like secrets.
/// A password may hold any character, so too much is masked rather than too little.
fn mask(url: &str) -> String {
    let mut masked = url.to_owned();
    if let Some((scheme, rest)) = url.split_once("://")
        && let Some((who, host)) = rest.rsplit_once('@')
        && let Some((user, _)) = who.split_once(':')
    {
        masked = format!("{scheme}://{user}:***@{host}");
    }
    let Some((base, query)) = masked.split_once('?') else { return masked };
    let parameters = query.split('&').map(|parameter| match parameter.split_once('=') {
        Some((name, _)) if is_named_like_a_secret(name) => format!("{name}=***"),
        _ => parameter.to_owned(),
    });
    format!("{base}?{}", parameters.collect::<Vec<_>>().join("&"))
}

fn is_named_like_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pass", "secret", "token", "properties"].iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn a_password_in_a_url_is_masked_wherever_it_stands() {
        assert_eq!(mask("sqlite:/var/lib/astrops/astrops.db"), "sqlite:/var/lib/astrops/astrops.db");
        assert_eq!(mask("postgres://db/astrops"), "postgres://db/astrops");
        assert_eq!(mask("postgres://ops:s3cret@db/astrops"), "postgres://ops:***@db/astrops");
        assert_eq!(mask("postgres://ops:s3@cr/e?t@db/astrops"), "postgres://ops:***@db/astrops");
        assert_eq!(mask("postgres://ops@db/astrops"), "postgres://ops@db/astrops");
        assert_eq!(mask("postgres://db/a?user=ops&password=s3cret"), "postgres://db/a?user=ops&password=***");
    }
}
