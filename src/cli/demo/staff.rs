//! Who works in the demo: an operator, a viewer, and, with a key, the Customer API.

use astrops_api::{
    Client, ClientError, Secret,
    auth::Login,
    keys::NewKey,
    vocabulary::{Right, Role, Scope},
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
}

impl Staff {
    /// Adds them to the database, with passwords of this demo only.
    pub async fn hire(config: &Config, clock: &Clock, dice: &mut StdRng) -> anyhow::Result<Self> {
        let mut accounts = Vec::new();
        for (name, right) in [("ana", Right::Operator), ("vera", Right::Viewer)] {
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
        let [operator, viewer] = accounts.try_into().map_err(|_| anyhow::anyhow!("somebody is missing"))?;
        Ok(Self { operator, viewer })
    }
}

/// The Customer API: `operator` makes a key for it.
pub async fn service(public: &Client, operator: &Account) -> Result<Client, ClientError> {
    let login = Login::new(&operator.email, operator.password.clone());
    let operator = public.with_token(public.login(&login).await?.token);
    let scopes =
        vec![Scope::LogsWrite, Scope::NotificationsWrite, Scope::JobsWrite, Scope::ReconciliationWrite];
    let made = operator.create_key(&NewKey { name: "customer-api".to_owned(), scopes }).await?;
    operator.logout().await?;
    Ok(public.with_token(made.secret))
}

/// Two words and four digits: easy to type from the screen, and worth nothing after the demo.
pub fn password(dice: &mut StdRng) -> Secret {
    const WORDS: &[&str] =
        &["apogee", "booster", "cosmos", "fairing", "gantry", "orbit", "perigee", "rover", "umbra"];
    let mut word = || WORDS.choose(dice).copied().unwrap_or("launch");
    let (first, second) = (word(), word());
    format!("{first}-{second}-{:04}", dice.random_range(0..10_000)).into()
}
