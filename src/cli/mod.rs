//! The command line: what can be said, and who does it.
//!
//! - [`context`] turns the global flags into a client, the protections of a profile and an [`output`].
//! - [`failure`] decides exit codes and words of every failure, once.
//! - every other file is one family of commands.

mod audit;
mod bookings;
mod console;
mod context;
mod demo;
mod each;
mod events;
mod failure;
mod follow;
mod jobs;
mod keys;
mod launches;
mod listing;
mod logs;
mod machine;
mod notify;
mod output;
mod password;
mod profiles;
mod prompt;
mod reconcile;
mod schedules;
mod session;
mod sessions;
mod shell;
mod status;
mod table;
mod times;
mod tokens;
mod users;
mod words;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::{
    context::{Context, Global},
    failure::Failure,
    output::Output,
};

/// Everything that can be said.
#[derive(Parser)]
#[command(about = "Operations console and job daemon of AstroBookings")]
#[command(name = "astrops", version, long_about = None, arg_required_else_help = true, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 daemon unreachable, 4 refused by the \
    daemon, 5 waits for a person or for time, 78 wrong configuration."
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Remote(Remote),
    #[command(flatten)]
    Machine(machine::Command),
    #[command(flatten)]
    Shell(shell::Command),
}

/// Commands that speak to a running daemon.
#[derive(Subcommand)]
enum Remote {
    /// Sign in and keep the token for this address.
    Login(session::Login),
    /// End the session and forget its token.
    Logout,
    /// Show who is signed in.
    Whoami,
    /// Show how the daemon, its nodes and their parts are doing.
    Status(status::Args),
    /// Show system logs, or follow them.
    Logs(logs::Args),
    /// Look at jobs and act on them.
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// Look at schedules and act on them.
    #[command(subcommand)]
    Schedules(schedules::Command),
    /// Send a notification, list the types, or preview one.
    Notify(notify::Args),
    /// Look at launches, and sell, change or cancel them.
    #[command(subcommand)]
    Launches(launches::Command),
    /// Look at bookings; book, pay and cancel for customers.
    #[command(subcommand)]
    Bookings(bookings::Command),
    /// Look at users and act on their accounts.
    #[command(subcommand)]
    Users(users::Command),
    /// Make, list and revoke the keys of other programs.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Look at your own sessions and end them.
    #[command(subcommand)]
    Sessions(sessions::Command),
    /// Change your password; your other sessions end.
    Password(password::Args),
    /// Make both databases agree, and see what was done and what waits.
    #[command(subcommand)]
    Reconcile(reconcile::Command),
    /// Show who changed what, latest first.
    Audit(audit::Args),
    /// Follow what happens to users, launches and bookings.
    Events(events::Args),
    /// Open the console.
    Console(console::Args),
}

/// Does what was asked for; whatever goes wrong has been told when this returns.
pub async fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Machine(command) => command.run(Output::new(cli.global.json, cli.global.quiet)).await,
        Command::Shell(command) => command.run(),
        // No daemon is asked.
        Command::Remote(Remote::Reconcile(reconcile::Command::Compare(args))) => {
            args.run(Output::new(cli.global.json, cli.global.quiet)).await
        }
        Command::Remote(command) => remote(&cli.global, command).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

async fn remote(global: &Global, command: Remote) -> Result<(), Failure> {
    let mut context = Context::open(global)?;
    // Signing in needs no token, and the console refreshes its own.
    if !matches!(command, Remote::Login(_) | Remote::Console(_)) {
        context.refresh().await;
    }
    let done = match command {
        Remote::Login(args) => args.run(&context).await,
        Remote::Logout => session::logout(&context).await,
        Remote::Whoami => session::whoami(&context).await,
        Remote::Status(args) => args.run(&context).await,
        Remote::Logs(args) => args.run(&context).await,
        Remote::Jobs(command) => command.run(&context).await,
        Remote::Schedules(command) => command.run(&context).await,
        Remote::Notify(args) => args.run(&context).await,
        Remote::Launches(command) => command.run(&context).await,
        Remote::Bookings(command) => command.run(&context).await,
        Remote::Users(command) => command.run(&context).await,
        Remote::Keys(command) => command.run(&context).await,
        Remote::Sessions(command) => command.run(&context).await,
        Remote::Password(args) => args.run(&context).await,
        Remote::Reconcile(command) => command.run(&context).await,
        Remote::Audit(args) => args.run(&context).await,
        Remote::Events(args) => args.run(&context).await,
        Remote::Console(args) => args.run(&context).await,
    };
    done.map_err(|failure| context.explain(failure))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    #[test]
    fn the_command_line_is_consistent_and_every_command_and_flag_says_what_it_does() {
        fn walk(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{}: {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(walk);
        }
        super::Cli::command().debug_assert();
        walk(&super::Cli::command());
    }

    #[test]
    fn every_command_that_the_console_names_is_one() {
        let document = astrops_tui::keys_document();
        let twins: std::collections::BTreeSet<&str> =
            document.split('`').filter(|code| code.starts_with("astrops ")).collect();
        assert!(twins.len() > 15, "{twins:?}");
        for twin in twins {
            let id = "0198f000-0000-7000-8000-000000000001";
            let said = [
                ("diff TYPE", "diff launch"),
                ("entity TYPE", "entity booking"),
                ("changes --type TYPE", "changes --type user"),
                ("sweep --full --type TYPE", "sweep --full --type launch"),
                ("drift\\|conflicts\\|sweeps", "drift"),
                ("CONFLICT", id),
                ("CHANGE", id),
                ("FIELD==VALUE", "price==120.50"),
                ("FIELD=SIDE", "price=base"),
                ("SIDE", "document"),
                ("--many ID..", "--many 0198f000-0000-7000-8000-000000000001"),
                ("ID...", id),
                ("ID", id),
                ("TIME", "2h"),
                ("STATUS", "failed"),
                ("WORDS", "leo"),
                ("NAME", "prune-logs"),
                ("LINE", "*"),
                ("--type TYPE", "--type NOTIFICATION"),
                ("EMAIL", "leo@example.com"),
                ("RIGHT", "viewer"),
                ("ROLE", "employee"),
                ("SCOPE...", "read"),
                ("TEXT", "wind"),
                ("jobs\\|bookings\\|launches\\|users", "bookings"),
                ("disable\\|enable", "disable"),
                ("TYPE", "WELCOME"),
                ("RECIPIENT", "leo@example.com"),
                ("pause\\|resume", "pause"),
            ];
            let line = said.iter().fold(twin.to_owned(), |line, (word, value)| line.replace(word, value));
            if let Err(error) = super::Cli::try_parse_from(line.split(' ')) {
                panic!("{twin}: {error}");
            }
        }
    }
}
