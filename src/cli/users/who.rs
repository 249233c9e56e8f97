//! A user as operators name one: by id, or by e-mail address.

use std::{fmt, str::FromStr};

use astrops_api::{
    ids::{BadId, UserId},
    paging::MAX_PAGE_SIZE,
    users::UserQuery,
};

use crate::cli::{context::Context, failure::Failure};

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// The id.
    Id(UserId),
    /// The address, in lower case.
    Email(String),
}

impl FromStr for Who {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        if text.contains('@') { Ok(Self::Email(text.to_lowercase())) } else { text.parse().map(Self::Id) }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Email(email) => email.fmt(f),
        }
    }
}

/// The id of the user that was meant.
pub async fn one(context: &Context, said: &Who) -> Result<UserId, Failure> {
    let email = match said {
        Who::Id(id) => return Ok(*id),
        Who::Email(email) => email,
    };
    // Addresses sort by themselves, so a short one is not lost behind longer ones that contain it.
    let query = UserQuery {
        q: Some(email.clone()),
        sort: Some("email".to_owned()),
        page_size: Some(MAX_PAGE_SIZE),
        ..UserQuery::default()
    };
    let page = context.client.users(&query).await?;
    match page.users.iter().find(|account| account.user.email == *email) {
        Some(account) => Ok(account.user.id),
        None => Err(Failure::Usage(format!(
            "no user has the address {email}: nothing was done\n\
             find the user with astrops users list --query TEXT, and say the id"
        ))),
    }
}

/// As [`one`], when anybody was meant at all.
pub async fn maybe(context: &Context, said: Option<&Who>) -> Result<Option<UserId>, Failure> {
    match said {
        Some(said) => one(context, said).await.map(Some),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_an_id_or_an_address() {
        assert_eq!("Ana@Example.com".parse(), Ok(Who::Email("ana@example.com".to_owned())));
        let id: UserId = "507f1f77bcf86cd799439011".parse().unwrap();
        assert_eq!("507f1f77bcf86cd799439011".parse(), Ok(Who::Id(id)));
        assert_eq!(id.to_string().parse(), Ok(Who::Id(id)));
        assert!("ana".parse::<Who>().is_err());
    }
}
