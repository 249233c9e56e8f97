//! `password`: change one's own.

use astrops_api::auth::ChangePassword;

use super::{
    context::{Context, Sure},
    failure::Failure,
    prompt,
};

/// Arguments of `password`.
#[derive(clap::Args)]
pub struct Args {
    /// Read the password that is valid now from the first line of stdin and the new one from the second
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    sure: Sure,
}

impl Args {
    /// Changes it.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        context.danger("change your password", self.sure)?;
        let current_password = prompt::secret("Current password", self.password_stdin)?;
        let new_password = prompt::secret("New password", self.password_stdin)?;
        if !self.password_stdin {
            prompt::again(&new_password)?;
        }
        context.client.change_password(&ChangePassword { current_password, new_password }).await?;
        context.out.done("the password is changed; your other sessions have ended")
    }
}
