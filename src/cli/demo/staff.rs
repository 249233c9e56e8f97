//! Who works in the demo: an operator, a viewer, and the Customer API.

use astrops_api::{
    Secret,
    vocabulary::{Right, Role},
};
use astrops_daemon::{
    Clock,
    admin::{NewUser, add_user},
    config::Config,
};
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};

/// Somebody who can sign in.
#[derive(Clone)]
pub struct Account {
    /// The address.
    pub email: String,
    /// The password.
    pub password: Secret,
}

/// Everybody with an account from the start.
pub struct Staff {
    /// May do everything.
    pub operator: Account,
    /// May look.
    pub viewer: Account,
    /// The program that customers use.
    pub service: Account,
}

impl Staff {
    /// Adds them to the database, with passwords of this demo only.
    pub async fn hire(config: &Config, clock: &Clock, dice: &mut StdRng) -> anyhow::Result<Self> {
        let mut accounts = Vec::new();
        for (name, right) in
            [("ana", Right::Operator), ("vera", Right::Viewer), ("customer-api", Right::Operator)]
        {
            let account =
                Account { email: format!("{name}@astrobookings.example"), password: password(dice) };
            let new = NewUser {
                email: account.email.clone(),
                password: account.password.clone(),
                role: Role::Employee,
                right: Some(right),
                name: Some(name.to_owned()),
                by: "demo".to_owned(),
            };
            add_user(config, clock, new).await?;
            accounts.push(account);
        }
        let [operator, viewer, service] =
            accounts.try_into().map_err(|_| anyhow::anyhow!("somebody is missing"))?;
        Ok(Self { operator, viewer, service })
    }
}

/// Two words and four digits: easy to type from the screen, and worth nothing after the demo.
pub fn password(dice: &mut StdRng) -> Secret {
    const WORDS: &[&str] =
        &["apogee", "booster", "cosmos", "fairing", "gantry", "orbit", "perigee", "rover", "umbra"];
    let mut word = || WORDS.choose(dice).copied().unwrap_or("launch");
    let (first, second) = (word(), word());
    format!("{first}-{second}-{:04}", dice.random_range(0..10_000)).into()
}
