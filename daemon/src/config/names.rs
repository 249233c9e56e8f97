//! What can be named: keys, sections, environment variables; and the refusal of everything else.

use figment::value::{Dict, Value};

use super::{
    Refusal,
    keys::{KEYS, Key},
    reconcile::AUTHORITY,
};

/// The beginning of our environment variables.
pub(super) const PREFIX: &str = "ASTROPS__";

/// Walks a layer and refuses every name that is neither a key nor a section.
pub(super) fn refuse_unknown(values: &Dict, section: &str, source: &str, refusals: &mut Vec<Refusal>) {
    for (name, value) in values {
        let path = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
        let is_section =
            KEYS.iter().any(|key| key.path.strip_prefix(&path).is_some_and(|rest| rest.starts_with('.')));
        match value {
            // Its fields are refused by serde, which knows them.
            Value::Array(..) if path == "schedules" => {}
            // Its entities and fields are judged by the mapping.
            Value::Dict(..) if path == AUTHORITY => {}
            Value::Dict(_, inner) if is_section => refuse_unknown(inner, &path, source, refusals),
            _ if Key::find(&path).is_some() => {}
            _ if path == "schedules" => {
                refusals.push(Refusal::new(source, "schedules is not a list", "[[schedules]]"));
            }
            _ if is_section => {
                let wrong = format!("{path} is not a table");
                refusals.push(Refusal::new(source, wrong, siblings(&format!("{path}.")).join(", ")));
            }
            _ => {
                let wrong = format!("{} is not a key", path.escape_debug());
                refusals.push(Refusal::new(source, wrong, siblings(&path).join(", ")));
            }
        }
    }
}

/// What could have been meant by `path`: the keys of the nearest section above it, or else the sections.
pub(super) fn siblings(path: &str) -> Vec<&'static str> {
    let mut above = path;
    while let Some((section, _)) = above.rsplit_once('.') {
        let below = |path: &&str| path.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'));
        let keys: Vec<_> = KEYS.iter().map(|key| key.path).filter(below).collect();
        if !keys.is_empty() {
            return keys;
        }
        above = section;
    }
    sections().chain(["schedules"]).collect()
}

/// The names of the top sections, once each.
pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    KEYS.iter().filter_map(move |key| {
        let section = key.path.split('.').next().unwrap_or_default();
        (section != std::mem::replace(&mut last, section)).then_some(section)
    })
}

/// The environment variable that stands for a key.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"))
}
