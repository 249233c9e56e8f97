//! Reads the layers, refuses what no key is named like, merges, judges every value.

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use figment::{
    Figment, Metadata, Profile, Provider,
    error::{Error, Kind},
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};

use super::{
    Config, ConfigError, DEFAULT_FILE, Layers, Loaded, Refusal,
    keys::{KEYS, Key},
    names,
    refusal::none_of,
    rules, schedules,
};

/// Where a configuration is read from; [`Sources::of_process`] gives this process's, tests give their own.
/// No `Debug`: the environment may hold secrets.
#[derive(Clone, Default)]
pub struct Sources {
    /// The configuration file; must exist when given.
    pub file: Option<PathBuf>,
    /// Environment variables; those that do not begin with `ASTROPS__` are ignored.
    pub environment: Vec<(OsString, OsString)>,
    /// `$STATE_DIRECTORY` of systemd: the default of `data.dir`.
    pub state_directory: Option<PathBuf>,
    /// `$CREDENTIALS_DIRECTORY` of systemd: files named like keys.
    pub credentials_directory: Option<PathBuf>,
}

impl Sources {
    /// The sources of this process; `file` as in [`Config::load`].
    pub fn of_process(file: Option<&Path>) -> Result<Self, ConfigError> {
        let fallback = Path::new(DEFAULT_FILE);
        let file = match file {
            Some(file) => Some(file.to_owned()),
            // A file that is there but cannot be looked at must not be passed over in silence.
            None if fallback.try_exists().map_err(|error| unreadable(fallback, &error))? => {
                Some(fallback.to_owned())
            }
            None => None,
        };
        let filled = |name| env::var_os(name).filter(|value| !value.is_empty());
        Ok(Self {
            file,
            environment: env::vars_os().collect(),
            // systemd separates several state directories with colons; ours is the first.
            state_directory: filled("STATE_DIRECTORY").and_then(|value| env::split_paths(&value).next()),
            credentials_directory: filled("CREDENTIALS_DIRECTORY").map(PathBuf::from),
        })
    }

    /// Reads and merges the layers.
    pub fn load(self) -> Result<Loaded, ConfigError> {
        let mut layers = self.defaults()?;
        let mut refusals = Vec::new();
        if let Some(file) = &self.file {
            let layer = file_layer(file)?;
            names::refuse_unknown(&layer.values, "", &layer.name, &mut refusals);
            layers.push(layer);
        }
        layers.extend(environment_layers(&self.environment, &mut refusals));
        if let Some(dir) = &self.credentials_directory {
            layers.extend(credential_layers(dir, &mut refusals)?);
        }
        none_of(refusals)?;

        let figment = merge(layers);
        none_of(KEYS.iter().filter_map(|key| refuse_value(&figment, key)).collect())?;
        let figment = Figment::from(data_dir_defaults(&figment)).merge(figment);
        let mut config: Config = figment.extract().map_err(|error| said_by_serde(&figment, error))?;
        let file = self.file.as_ref().map_or_else(String::new, |file| file.display().to_string());
        none_of(schedules::judge(&config.schedules, &file))?;
        config.schedules = schedules::with_built_in(config.schedules);
        config.reconcile.settle_authorities(|key| source_of(&figment, key))?;
        none_of(rules::judge(&config, |key| source_of(&figment, key)))?;
        Ok(Loaded { config, file: self.file, layers: Layers(figment) })
    }

    fn defaults(&self) -> Result<Vec<Layer>, ConfigError> {
        let mut defaults = Layer::new("default");
        for key in KEYS {
            if let Some(text) = key.default {
                defaults.set(key.path, key.read(text));
            }
        }
        defaults.set("data.dir", "./var".into());
        let Some(dir) = &self.state_directory else { return Ok(vec![defaults]) };
        let mut state = Layer::new("environment variable STATE_DIRECTORY");
        let Some(dir) = dir.to_str() else {
            return Err(Refusal::new(state.name, "data.dir is not UTF-8", "a path").into());
        };
        state.set("data.dir", dir.into());
        Ok(vec![defaults, state])
    }
}

/// One layer of values and what its source is called.
struct Layer {
    name: String,
    values: Dict,
}

impl Layer {
    fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), values: Dict::new() }
    }

    fn set(&mut self, path: &str, value: Value) {
        let (sections, last) = path.rsplit_once('.').unwrap_or(("", path));
        let mut dict = &mut self.values;
        for section in sections.split('.').filter(|section| !section.is_empty()) {
            let entry = dict.entry(section.to_owned()).or_insert_with(|| Dict::new().into());
            let Value::Dict(_, inner) = entry else { return };
            dict = inner;
        }
        dict.insert(last.to_owned(), value);
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn merge(layers: Vec<Layer>) -> Figment {
    layers.into_iter().fold(Figment::new(), Figment::merge)
}

/// What a value's source is called: a file, an environment variable, a credential, `default`.
pub(super) fn source_of(figment: &Figment, path: &str) -> String {
    figment.find_metadata(path).map_or_else(|| "default".to_owned(), |from| from.name.to_string())
}

fn file_layer(file: &Path) -> Result<Layer, ConfigError> {
    let text = fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    let mut layer = Layer::new(file.display().to_string());
    layer.values = Toml::from_str(&text).map_err(|error| {
        // The error's own Display quotes the line, and the line may hold a password.
        let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        Refusal::new(format!("{}:{line}", file.display()), error.message(), "TOML")
    })?;
    Ok(layer)
}

/// One layer per variable, so that each value remembers the name of its own.
fn environment_layers(environment: &[(OsString, OsString)], refusals: &mut Vec<Refusal>) -> Vec<Layer> {
    let mut layers = Vec::new();
    for (name, value) in environment {
        let name = name.to_string_lossy();
        let Some(rest) = name.strip_prefix(names::PREFIX) else { continue };
        let source = format!("environment variable {}", name.escape_debug());
        let path = rest.to_lowercase().replace("__", ".");
        let Some(key) = Key::find(&path) else {
            let allowed =
                names::siblings(&path).into_iter().map(names::variable).collect::<Vec<_>>().join(", ");
            refusals.push(Refusal::new(source, "names no key", allowed));
            continue;
        };
        let Some(value) = value.to_str() else {
            refusals.push(Refusal::new(source, format!("{path} is not UTF-8"), key.allowed()));
            continue;
        };
        let mut layer = Layer::new(source);
        layer.set(key.path, key.read(value));
        layers.push(layer);
    }
    layers
}

/// One layer per file that is named like a key. A name in one of our sections that is no key is refused: a
/// misspelt password file would otherwise be no password at all. Other files are somebody else's.
fn credential_layers(dir: &Path, refusals: &mut Vec<Refusal>) -> Result<Vec<Layer>, ConfigError> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|error| unreadable(dir, &error))?;
    files.sort();
    let mut layers = Vec::new();
    for file in files {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let source = format!("credential {}", file.display());
        let Some(key) = Key::find(&name) else {
            if names::sections().any(|section| name.starts_with(&format!("{section}."))) {
                refusals.push(Refusal::new(source, "names no key", names::siblings(&name).join(", ")));
            }
            continue;
        };
        let text = fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let mut layer = Layer::new(source);
        layer.set(key.path, key.read(text.strip_suffix('\r').unwrap_or(text)));
        layers.push(layer);
    }
    Ok(layers)
}

/// The defaults that live below `data.dir`, wherever that came from.
fn data_dir_defaults(figment: &Figment) -> Layer {
    let dir = figment.extract_inner::<PathBuf>("data.dir").unwrap_or_default();
    let mut layer = Layer::new("default, in data.dir");
    for (path, prefix, name) in [
        ("database.url", "sqlite:", "astrops.db"),
        ("documents.url", "sqlite:", "customer.db"),
        ("mail.dir", "", "mail"),
    ] {
        layer.set(path, format!("{prefix}{}", dir.join(name).display()).into());
    }
    layer
}

fn refuse_value(figment: &Figment, key: &Key) -> Option<Refusal> {
    let value = figment.find_value(key.path).ok()?;
    let wrong = key.judge(&value)?;
    Some(Refusal::new(source_of(figment, key.path), wrong, key.allowed()))
}

/// Only `[[schedules]]` and authorities get here: every other key was judged by the table. No secret lives there.
fn said_by_serde(figment: &Figment, error: Error) -> Refusal {
    let source =
        error.metadata.as_ref().map_or_else(|| source_of(figment, "schedules"), |from| from.name.to_string());
    // serde numbers the schedules; the name of an unknown field is the last part of the path already.
    let at = error.path.iter().fold(String::new(), |path, part| match part.parse::<usize>() {
        Ok(place) => format!("{path}[{place}]"),
        Err(_) if path.is_empty() => part.clone(),
        Err(_) => format!("{path}.{}", part.escape_debug()),
    });
    match error.kind {
        Kind::UnknownField(_, known) => Refusal::new(source, format!("{at} is not a key"), known.join(", ")),
        Kind::MissingField(field) => Refusal::new(source, format!("{at}.{field} is missing"), ""),
        kind => Refusal::new(source, format!("{at}: {kind}"), ""),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Refusal {
    Refusal::new(path.display().to_string(), format!("cannot be read: {error}"), "")
}
