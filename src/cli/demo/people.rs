//! Customers and suppliers with accounts, each calling with a token of their own.

use astrops_api::{
    Client, ClientError,
    auth::{Login, Register},
    ids::UserId,
    vocabulary::Role,
};
use rand::rngs::StdRng;

use super::staff::{self, Account};

/// Somebody who registered.
pub struct Person {
    /// How they sign in.
    pub account: Account,
    /// Their id.
    pub id: UserId,
    /// Signed in as them.
    pub client: Client,
}

impl Person {
    /// Registers somebody at the daemon of `public`.
    pub async fn register(
        public: &Client,
        role: Role,
        name: &str,
        email: String,
        dice: &mut StdRng,
    ) -> Result<Self, ClientError> {
        let account = Account { email, password: staff::password(dice) };
        let body = Register {
            email: account.email.clone(),
            password: account.password.clone(),
            role: Some(role),
            name: Some(name.to_owned()),
            right: None,
        };
        let registered = public.register(&body).await?;
        let client = registered.token.map_or_else(|| public.clone(), |token| public.with_token(token));
        Ok(Self { account, id: registered.user.id, client })
    }

    /// What they were answered: when their session has ended, they sign in for the next time.
    pub async fn heard<T>(&mut self, answer: Result<T, ClientError>) -> Result<T, ClientError> {
        if let Err(ClientError::Refused(problem)) = &answer
            && problem.status == 401
        {
            let login = Login::new(&self.account.email, self.account.password.clone());
            self.client = self.client.with_token(self.client.login(&login).await?.token);
        }
        answer
    }
}
