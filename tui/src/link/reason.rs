//! Why the daemon refused, for a line of the console: what is particular first, and no word of HTTP or JSON.

use astrops_api::{ClientError, problem::FieldError};

/// The reason in one line. The kind of problem is said only where nothing else is.
pub fn reason(error: &ClientError) -> String {
    let Some(problem) = error.problem() else { return error.to_string() };
    if !problem.errors.is_empty() {
        return problem.errors.iter().map(fault).collect::<Vec<_>>().join("; ");
    }
    if problem.detail.is_empty() { problem.title.clone() } else { problem.detail.clone() }
}

fn fault(error: &FieldError) -> String {
    named(&error.pointer, &error.detail)
}

/// A refusal that was made one line by the daemon, `/choices/price: must be ..; /reason: ..`, as [`reason`] says it.
pub fn plain(line: &str) -> String {
    let parts = line.split("; ").map(|part| match part.split_once(": ") {
        Some((pointer, detail)) if pointer.starts_with('/') && !pointer.contains(' ') => {
            named(pointer, detail)
        }
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("; ")
}

/// What is wrong with a field: `/choices/ticketQuantity` is called `ticket quantity`.
fn named(pointer: &str, detail: &str) -> String {
    let name = pointer.rsplit('/').next().unwrap_or_default();
    let mut words = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    // The choices as a whole are what the person made just now.
    if matches!(pointer, "" | "/choices") { detail.to_owned() } else { format!("{words}: {detail}") }
}

#[cfg(test)]
mod tests {
    use astrops_api::Problem;
    use serde_json::json;

    use super::*;

    fn refused(detail: &str, errors: &serde_json::Value) -> ClientError {
        let problem = json!({"type": "/problems/x", "title": "Its state does not allow this", "status": 409,
            "detail": detail, "errors": errors});
        ClientError::Refused(Box::new(serde_json::from_value::<Problem>(problem).unwrap()))
    }

    #[test]
    fn what_is_particular_comes_first_and_fields_have_their_names() {
        assert_eq!(reason(&refused("cannot be taken back", &json!([]))), "cannot be taken back");
        assert_eq!(reason(&refused("", &json!([]))), "Its state does not allow this");
        let errors = json!([{"pointer": "/choices/ticketQuantity", "detail": "must be a number"},
            {"pointer": "until", "detail": "is no time"}]);
        let told = reason(&refused("see errors for each field", &errors));
        assert_eq!(told, "ticket quantity: must be a number; until: is no time");
        assert_eq!(plain("/choices/totalAmount: must be 1; or more"), "total amount: must be 1; or more");
        assert_eq!(plain("/choices: nothing can be written"), "nothing can be written");
        assert_eq!(plain("either side changed: look again"), "either side changed: look again");
    }
}
