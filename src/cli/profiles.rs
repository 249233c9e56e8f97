//! Profiles: the daemons an operator knows, in `console.toml` of the OS configuration directory.
//!
//! ```toml
//! [profiles.prod]
//! url = "https://astrops.example.com"
//! production = true   # commands that change something ask first
//! read_only = false   # true: refuse every command that changes something
//! ```
//!
//! Other tables of the file belong to the console. Within a profile nothing unknown is accepted: a misspelt
//! `read_only` must not leave the daemon unprotected.

use std::{collections::BTreeMap, fs, io, path::Path};

use reqwest::Url;
use serde::Deserialize;

use super::failure::Failure;

/// What is known about one daemon.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its address.
    pub url: String,
    /// Refuse whatever changes something.
    #[serde(default)]
    pub read_only: bool,
    /// Ask before anything is changed.
    #[serde(default)]
    pub production: bool,
}

/// Every profile by name.
#[derive(Debug, Default, Deserialize)]
pub struct Profiles {
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

impl Profiles {
    /// Reads the file; none is no profiles.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let wrong =
            |why: String| Failure::Usage(format!("cannot use the profiles in {}: {why}", path.display()));
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(wrong(error.to_string())),
        };
        let mut read: Self = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        for (name, profile) in &mut read.profiles {
            profile.url = address(&profile.url).map_err(|why| wrong(format!("[profiles.{name}] {why}")))?;
        }
        Ok(read)
    }

    /// The profile with this name.
    pub fn named(&self, name: &str) -> Result<&Profile, Failure> {
        self.profiles.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.profiles.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "there are none".to_owned() } else { known.join(", ") };
            Failure::Usage(format!("no profile is named {name:?}; known: {known}"))
        })
    }

    /// What protects the daemon at `url`, however it was named.
    ///
    /// A profile `named` by the operator decides for itself whether it is read-only: one may look through `watch`
    /// and act through `prod` on the same daemon. Being in production is the daemon's, whoever says so. When none
    /// was named, the strictest of all that fit the address holds.
    pub fn protections(&self, url: &str, named: Option<&str>) -> Protections {
        let place = place(url);
        let fit: Vec<(&String, &Profile)> =
            self.profiles.iter().filter(|(_, profile)| self::place(&profile.url) == place).collect();
        let chosen = fit.iter().copied().find(|(name, _)| Some(name.as_str()) == named);
        // The named one first, so that it is the one to be told of when several agree.
        let first = |wanted: fn(&Profile) -> bool| {
            let found = chosen.into_iter().chain(fit.iter().copied()).find(|(_, profile)| wanted(profile));
            found.map(|(name, _)| name.clone())
        };
        let production = first(|profile| profile.production);
        let read_only = match chosen {
            Some((name, profile)) => profile.read_only.then(|| name.clone()),
            None => first(|profile| profile.read_only),
        };
        let name = named.map(str::to_owned).or_else(|| production.clone()).or_else(|| first(|_| true));
        Protections { name, read_only, production }
    }
}

/// What protects a daemon, and which profile says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protections {
    /// What the daemon is called.
    pub name: Option<String>,
    /// The profile that lets nothing be changed.
    pub read_only: Option<String>,
    /// The profile to ask for before anything is changed.
    pub production: Option<String>,
}

/// An address by what it leads to: every name of this machine is the same one.
fn place(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else { return url.to_owned() };
    if matches!(parsed.host_str(), Some("localhost" | "[::1]")) && parsed.set_host(Some("127.0.0.1")).is_err()
    {
        return url.to_owned();
    }
    parsed.as_str().trim_end_matches('/').to_owned()
}

/// An address in its one spelling, without a final slash.
pub fn address(text: &str) -> Result<String, String> {
    let bad = |why: &str| format!("{text:?} is not an address of a daemon: {why}");
    let url = Url::parse(text).map_err(|_| bad("say http://HOST:PORT or https://HOST"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(bad("say http://HOST:PORT or https://HOST"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // The text is not repeated: it holds a password.
        return Err("an address must not hold a user or password: use astrops login".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it must end before ? and #"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Profiles, Failure> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Profiles::load(file.path())
    }

    #[test]
    fn a_profile_is_found_by_name_and_by_address() {
        let profiles =
            load("theme = 'mono'\n[profiles.prod]\nurl = 'HTTP://Example.com:80/'\nproduction = true")
                .unwrap();
        assert!(profiles.named("prod").unwrap().production);
        assert_eq!(profiles.protections("http://example.com", None).production.as_deref(), Some("prod"));
        assert_eq!(profiles.protections("http://example.org", None), Protections::default());
        let refusal = profiles.named("test").unwrap_err().to_string();
        assert_eq!(refusal, r#"no profile is named "test"; known: prod"#);
    }

    #[test]
    fn of_several_profiles_the_named_one_and_else_the_strictest_decides() {
        let profiles = load(
            "[profiles.dev]\nurl = 'http://localhost:7700'\n\
             [profiles.prod]\nurl = 'http://127.0.0.1:7700'\nproduction = true\n\
             [profiles.watch]\nurl = 'http://localhost:7700/'\nread_only = true",
        )
        .unwrap();
        let decided = |named| {
            let found = profiles.protections("http://127.0.0.1:7700", named);
            (found.read_only, found.production)
        };
        let (prod, watch) = (Some("prod".to_owned()), Some("watch".to_owned()));
        assert_eq!(decided(None), (watch.clone(), prod.clone()));
        assert_eq!(decided(Some("watch")), (watch, prod.clone()));
        assert_eq!(decided(Some("prod")), (None, prod.clone()));
        assert_eq!(decided(Some("dev")), (None, prod), "production is the daemon's");
        assert_eq!(profiles.protections("http://127.0.0.1:7701", None), Protections::default());
    }

    #[test]
    fn a_misspelt_protection_is_an_error() {
        let refusal = load("[profiles.prod]\nurl = 'http://x'\nreadonly = true").unwrap_err();
        assert!(refusal.to_string().contains("readonly"), "{refusal}");
    }

    #[test]
    fn an_address_names_a_daemon_and_nothing_else() {
        assert_eq!(address("http://127.0.0.1:7700/").unwrap(), "http://127.0.0.1:7700");
        assert_eq!(address("https://example.com/ops/").unwrap(), "https://example.com/ops");
        for bad in ["127.0.0.1:7700", "ftp://example.com", "http://", "http://x/?a=1", ""] {
            assert!(address(bad).is_err(), "{bad}");
        }
        assert!(!address("http://ana:hunter2@example.com").unwrap_err().contains("hunter2"));
    }
}
