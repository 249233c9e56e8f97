//! The closed vocabularies of the contract as values of flags: completed by the shell, listed by `--help`,
//! understood in any case and with the documents' synonyms.

use std::{ffi::OsStr, str::FromStr};

use clap::{
    Arg, Command, Error,
    builder::{PossibleValue, TypedValueParser},
    error::{ContextKind, ContextValue, ErrorKind},
};

/// Parses one of the words of `T`.
#[derive(Clone, Copy)]
pub struct Words<T: 'static>(pub &'static [T]);

impl<T> TypedValueParser for Words<T>
where
    T: Copy + FromStr + Into<&'static str> + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let text = value.to_string_lossy();
        let alike = || self.0.iter().copied().find(|word| (*word).into().eq_ignore_ascii_case(&text));
        text.parse().ok().or_else(alike).ok_or_else(|| {
            let mut error = Error::new(ErrorKind::InvalidValue).with_cmd(command);
            if let Some(argument) = argument {
                error.insert(ContextKind::InvalidArg, ContextValue::String(argument.to_string()));
            }
            error.insert(ContextKind::InvalidValue, ContextValue::String(text.into_owned()));
            let words = self.0.iter().map(|word| (*word).into().to_owned()).collect();
            error.insert(ContextKind::ValidValue, ContextValue::Strings(words));
            error
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(|word| PossibleValue::new((*word).into()))))
    }
}

#[cfg(test)]
mod tests {
    use astrops_api::vocabulary::{EntityType, NotificationType};

    use super::*;

    fn read<T>(words: &'static [T], text: &str) -> Result<T, Error>
    where
        T: Copy + FromStr + Into<&'static str> + Send + Sync + 'static,
    {
        let command = Command::new("test").arg(Arg::new("word").value_parser(Words(words)));
        let mut matches = command.try_get_matches_from(["test", text])?;
        Ok(matches.remove_one("word").expect("it was given"))
    }

    #[test]
    fn a_word_is_understood_in_any_case_and_by_its_synonym() {
        assert_eq!(read(EntityType::ALL, "event").unwrap(), EntityType::Launch);
        assert_eq!(read(NotificationType::ALL, "new_booking").unwrap(), NotificationType::NewBooking);
        let refusal = read(EntityType::ALL, "rocket").unwrap_err().to_string();
        assert!(refusal.contains("launch") && refusal.contains("booking"), "{refusal}");
    }
}
