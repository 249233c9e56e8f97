//! The table itself. Rows of one scope stand together; their order is the order of hints, help and menus.

use super::{
    Action as A, Action, Binding,
    Scope::{Confirm, Dashboard, Everywhere, Form, Jobs, Login, Logs, Menu, Page, Prompt, Schedules},
};

const fn row(
    action: Action,
    scopes: &'static [super::Scope],
    keys: &'static [&'static str],
    name: &'static str,
    help: &'static str,
) -> Binding {
    Binding { action, name, help, keys, scopes, mutating: false, twin: None, hint: None, menu: false }
}

impl Binding {
    /// In the hint bar, as this word.
    const fn hint(self, word: &'static str) -> Self {
        Self { hint: Some(word), ..self }
    }

    /// In the `x` menu.
    const fn menu(self) -> Self {
        Self { menu: true, ..self }
    }

    /// With this command-line twin.
    const fn twin(self, command: &'static str) -> Self {
        Self { twin: Some(command), ..self }
    }

    /// Changes data: in the `x` menu, and asks.
    const fn changes(self, command: &'static str) -> Self {
        Self { mutating: true, ..self.twin(command).menu() }
    }
}

/// Every action with its keys, places and words.
pub const TABLE: &[Binding] = &[
    row(A::Help, &[Everywhere], &["?", "F1"], "help", "Shows the keys of this place; type to narrow, Enter runs.")
        .hint("help"),
    row(A::GoDashboard, &[Everywhere], &["1"], "dashboard", "Shows health, queue and what needs attention.")
        .twin("astrops status"),
    row(A::GoLogs, &[Everywhere], &["2"], "logs", "Shows the system logs, live.").twin("astrops logs --follow"),
    row(A::GoJobs, &[Everywhere], &["3"], "jobs", "Shows the jobs.").twin("astrops jobs list"),
    row(A::GoSchedules, &[Everywhere], &["8"], "schedules", "Shows the schedules.").twin("astrops schedules list"),
    row(A::NextScreen, &[Everywhere], &["]"], "next screen", "Goes one tab to the right."),
    row(A::PreviousScreen, &[Everywhere], &["["], "previous screen", "Goes one tab to the left."),
    row(A::PreviousPlace, &[Everywhere], &["-"], "back", "Goes to the screen before this one."),
    row(A::GoToId, &[Everywhere], &["ctrl-k"], "go to a job", "Asks for an id and opens that job.")
        .twin("astrops jobs show ID"),
    row(A::Palette, &[Everywhere], &[":"], "palette", "Finds any action by its name and shows its command."),
    row(A::Menu, &[Everywhere], &["x"], "actions", "Lists what can be done here, and why something cannot."),
    // Dashboard
    row(A::Open, &[Dashboard, Menu, Form, Prompt, Login], &["Enter"], "open", "Goes where the line leads; runs, sends or accepts in menus and forms.")
        .hint("open"),
    row(A::PauseType, &[Dashboard], &["P"], "pause or resume jobs", "Stops claiming jobs of the type under the cursor, or goes on.")
        .changes("astrops jobs pause|resume --type TYPE")
        .hint("pause type"),
    // Logs
    row(A::Filter, &[Logs, Jobs, Schedules], &["/"], "filter", "Narrows the list: a regular expression with smart case, `!` in front inverts; on Jobs words and status:failed type:NOTIFICATION phase:dead delivery:unknown schedule:NAME.")
        .hint("filter"),
    row(A::Freeze, &[Logs], &["f"], "follow or freeze", "Lets new entries scroll, or holds still while they arrive.")
        .hint("follow/freeze"),
    row(A::Severity, &[Logs], &["s"], "severity", "Shows this severity and worse: info, warning, error, critical in turn.")
        .hint("severity"),
    row(A::Open, &[Logs], &["Enter", "d"], "detail", "Shows the whole entry.").hint("detail"),
    row(A::NextMatch, &[Logs], &["n"], "next match", "Goes to the next entry that holds the text last looked for."),
    row(A::PreviousMatch, &[Logs], &["N"], "previous match", "Goes to the previous one."),
    row(A::NextError, &[Logs], &["e"], "next error", "Goes to the next entry of severity error or critical.").hint("error"),
    row(A::PreviousError, &[Logs], &["E"], "previous error", "Goes to the previous entry of severity error or critical."),
    row(A::NextWarning, &[Logs], &["w"], "next warning", "Goes to the next entry of severity warning."),
    row(A::PreviousWarning, &[Logs], &["W"], "previous warning", "Goes to the previous entry of severity warning."),
    row(A::Time, &[Logs], &["t"], "go to a time", "Asks for a time (14:02, -15m, 2026-11-20 14:02) and goes there.")
        .hint("time")
        .twin("astrops logs --from TIME"),
    row(A::Follow, &[Logs], &["l"], "its job", "Opens the job that the entry is about.").menu().hint("job"),
    // Jobs
    row(A::Open, &[Jobs], &["Enter", "d"], "detail", "Shows the job with its attempts, content and logs.")
        .hint("detail")
        .twin("astrops jobs show ID"),
    row(A::Mark, &[Jobs], &["Space"], "mark", "Marks the row and goes on; actions then mean the marked rows.").hint("mark"),
    row(A::Retry, &[Jobs], &["R"], "retry", "Queues failed or cancelled jobs again with as many attempts as before.")
        .changes("astrops jobs retry ID...")
        .hint("retry"),
    row(A::Cancel, &[Jobs], &["C"], "cancel", "Ends jobs before they are done; a running one is asked to stop.")
        .changes("astrops jobs cancel ID...")
        .hint("cancel"),
    row(A::New, &[Jobs], &["N"], "new notification", "Writes a mail from a template, shows it, and queues it.")
        .changes("astrops notify TYPE RECIPIENT --data KEY=VALUE")
        .hint("new"),
    row(A::Execute, &[Jobs], &["E"], "run now", "Runs a queued job at once and waits for its end.")
        .changes("astrops jobs run ID"),
    row(A::Delay, &[Jobs], &["D"], "delay", "Gives queued jobs a later time.")
        .changes("astrops jobs delay ID... --until TIME"),
    row(A::Delete, &[Jobs], &["X"], "delete", "Forgets ended jobs, with their attempts.")
        .changes("astrops jobs delete ID..."),
    row(A::Reveal, &[Jobs], &["U"], "reveal", "Shows the private fields of the job; the daemon records who looked.")
        .menu()
        .twin("astrops jobs show ID --reveal"),
    row(A::Follow, &[Jobs], &["l"], "its logs", "Shows the log entries of the job.")
        .menu()
        .hint("logs")
        .twin("astrops logs --job ID"),
    row(A::Status, &[Jobs], &["s"], "status", "Shows jobs of one status: all, failed, processing, queued, completed, cancelled in turn.")
        .hint("status"),
    row(A::MarkRange, &[Jobs], &["v"], "mark range", "Marks from the row last marked to here."),
    row(A::MarkAll, &[Jobs], &["ctrl-a"], "mark all", "Marks every row that is loaded, or none."),
    row(A::MarkInvert, &[Jobs], &["\\"], "invert marks", "Marks what is not marked, of the rows that are loaded."),
    row(A::Order, &[Jobs, Schedules], &["o"], "order", "Orders by the next column."),
    row(A::Reverse, &[Jobs, Schedules], &["O"], "reverse", "Reverses the order."),
    row(A::Json, &[Jobs, Logs, Schedules], &["J"], "JSON", "Shows the object as the daemon sends it."),
    // Schedules
    row(A::Open, &[Schedules], &["Enter", "d"], "detail", "Shows the next fires and the last runs.")
        .hint("detail")
        .twin("astrops schedules show NAME"),
    row(A::Trigger, &[Schedules], &["T"], "trigger", "Makes its job now; the cron line goes on as before.")
        .changes("astrops schedules trigger NAME")
        .hint("trigger"),
    row(A::PauseSchedule, &[Schedules], &["P"], "pause or resume", "Stops the schedule, or lets it go on.")
        .changes("astrops schedules pause|resume NAME")
        .hint("pause/resume"),
    row(A::EditSchedule, &[Schedules], &["E"], "edit", "Edits cron line, time zone and policies.")
        .changes("astrops schedules edit NAME --cron LINE")
        .hint("edit"),
    row(A::Follow, &[Schedules], &["l"], "its jobs", "Shows the jobs that the schedule made.")
        .menu()
        .hint("jobs")
        .twin("astrops jobs list --schedule NAME"),
    // Moving
    row(A::Down, &[Everywhere, Page], &["j", "Down"], "down", "Goes one row down."),
    row(A::Up, &[Everywhere, Page], &["k", "Up"], "up", "Goes one row up."),
    row(A::Down, &[Menu], &["Down", "ctrl-n", "Tab"], "down", "Goes one row down."),
    row(A::Up, &[Menu], &["Up", "ctrl-p", "BackTab"], "up", "Goes one row up."),
    row(A::Top, &[Everywhere, Page], &["g", "Home"], "first", "Goes to the first row."),
    row(A::Bottom, &[Everywhere, Page], &["G", "End"], "last", "Goes to the last row; on Logs it follows again."),
    row(A::HalfDown, &[Everywhere, Page], &["ctrl-d"], "half a page down", "Scrolls half a page down."),
    row(A::HalfUp, &[Everywhere, Page], &["ctrl-u"], "half a page up", "Scrolls half a page up."),
    row(A::PageDown, &[Everywhere, Page, Menu], &["PageDown"], "page down", "Scrolls a page down."),
    row(A::PageUp, &[Everywhere, Page, Menu], &["PageUp"], "page up", "Scrolls a page up."),
    row(A::Focus, &[Everywhere], &["Tab"], "next panel", "Gives the keys to the next panel."),
    row(A::FocusBack, &[Everywhere], &["BackTab"], "previous panel", "Gives the keys to the previous panel."),
    row(A::Zoom, &[Everywhere], &["z"], "zoom", "Lets the panel fill the screen, or gives the room back."),
    row(A::Copy, &[Everywhere, Page], &["y"], "copy", "Copies the row or page to the clipboard of your terminal (OSC 52)."),
    row(A::CopyAll, &[Everywhere], &["ctrl-y"], "copy all", "Copies every row that is on the screen."),
    row(A::Refresh, &[Everywhere], &["ctrl-r"], "refresh", "Asks the daemon again."),
    row(A::Redraw, &[Everywhere], &["ctrl-l"], "redraw", "Draws everything again."),
    row(A::Mouse, &[Everywhere], &["F2"], "mouse", "Takes the mouse wheel for scrolling, or leaves it to your terminal (the start)."),
    row(A::Suspend, &[Everywhere], &["ctrl-z"], "suspend", "Goes to the shell; `fg` comes back."),
    row(A::Diagnostics, &[Everywhere], &[], "diag", "Shows latency, frame time, rows and drops of the console."),
    row(A::SignOut, &[Everywhere], &[], "sign out", "Ends the session and shows the sign-in form.").twin("astrops logout"),
    row(A::Close, &[Everywhere, Menu, Form, Prompt, Page], &["Esc"], "close", "Backs out of the innermost thing: layer, detail, marks, filter."),
    row(A::Leave, &[Everywhere], &["q"], "back or quit", "Closes what is open; on a bare screen it asks to quit.").hint("back"),
    row(A::Quit, &[Everywhere, Menu, Form, Prompt, Page, Confirm, Login], &["ctrl-c"], "quit", "Ends the console at once. Jobs go on: the daemon runs them."),
    // Layers
    row(A::Close, &[Page], &["q", "Enter"], "close", "Closes the page.").hint("close"),
    row(A::Yes, &[Confirm], &["y"], "yes", "Does it.").hint("yes"),
    row(A::No, &[Confirm], &["n", "q", "Esc"], "no", "Does nothing.").hint("no"),
    row(A::Open, &[Confirm], &["Enter"], "default", "Does nothing either; where a number is asked for, accepts the right one."),
    row(A::Focus, &[Form, Login], &["Tab", "Down"], "next field", "Goes to the next field.").hint("next field"),
    row(A::FocusBack, &[Form, Login], &["BackTab", "Up"], "previous field", "Goes to the previous field."),
    row(A::ChoiceBack, &[Form], &["Left"], "previous choice", "Chooses the previous value of the field."),
    row(A::ChoiceNext, &[Form], &["Right"], "next choice", "Chooses the next value of the field."),
    row(A::Up, &[Prompt], &["Up"], "recall", "Brings back what was typed before."),
    row(A::Down, &[Prompt], &["Down"], "newer", "Goes on to what was typed later."),
];
