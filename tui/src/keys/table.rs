//! The table itself. Rows of one scope stand together; their order is the order of hints, help and menus.

use super::{
    Action as A, Action, Binding,
    Scope::{
        Bookings, Confirm, Dashboard, Drift, Everywhere, Form, History, Jobs, Keys, Launches, Login, Logs,
        Menu, Page, Prompt, Resolve, Schedules, Sweeps, Users,
    },
};

const fn row(
    action: Action,
    scopes: &'static [super::Scope],
    keys: &'static [&'static str],
    name: &'static str,
) -> Binding {
    Binding { action, name, help: "", keys, scopes, mutating: false, twin: None, hint: None, menu: false }
}

impl Binding {
    /// What it does, in a sentence.
    const fn does(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

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
    row(A::Help, &[Everywhere], &["?", "F1"], "help")
        .does("Shows the keys of this place; type to narrow, Enter runs.")
        .hint("help"),
    row(A::GoDashboard, &[Everywhere], &["1"], "dashboard")
        .does("Shows health, queue and what needs attention.")
        .twin("astrops status"),
    row(A::GoLogs, &[Everywhere], &["2"], "logs")
        .does("Shows the system logs, live.")
        .twin("astrops logs --follow"),
    row(A::GoJobs, &[Everywhere], &["3"], "jobs").does("Shows the jobs.").twin("astrops jobs list"),
    row(A::GoBookings, &[Everywhere], &["4"], "bookings")
        .does("Shows the bookings.")
        .twin("astrops bookings list"),
    row(A::GoLaunches, &[Everywhere], &["5"], "launches")
        .does("Shows the launches.")
        .twin("astrops launches list"),
    row(A::GoUsers, &[Everywhere], &["6"], "users").does("Shows the users.").twin("astrops users list"),
    row(A::GoDrift, &[Everywhere], &["7"], "drift")
        .does("Shows where both databases differ, the conflicts and the sweeps.")
        .twin("astrops reconcile drift"),
    row(A::GoSchedules, &[Everywhere], &["8"], "schedules")
        .does("Shows the schedules.")
        .twin("astrops schedules list"),
    row(A::NextScreen, &[Everywhere], &["]"], "next screen").does("Goes one tab to the right."),
    row(A::PreviousScreen, &[Everywhere], &["["], "previous screen").does("Goes one tab to the left."),
    row(A::PreviousPlace, &[Everywhere], &["-"], "back").does("Goes to the screen before this one."),
    row(A::GoToId, &[Everywhere], &["ctrl-k"], "go to an id")
        .does("Asks for an id and opens the job, booking, launch or user that has it.")
        .twin("astrops jobs|bookings|launches|users show ID"),
    row(A::Palette, &[Everywhere], &[":"], "palette")
        .does("Finds any action by its name and shows its command."),
    row(A::Menu, &[Everywhere], &["x"], "actions")
        .does("Lists what can be done here, and why something cannot."),
    // Dashboard
    row(A::Open, &[Dashboard], &["Enter"], "open")
        .does("Goes where the line leads, or shows it in full.")
        .hint("open"),
    row(A::PauseType, &[Dashboard], &["P"], "pause or resume jobs")
        .does("Stops claiming jobs of the type under the cursor, or goes on.")
        .changes("astrops jobs pause|resume --type TYPE")
        .hint("pause type"),
    // Logs
    row(A::Filter, &[Logs], &["/"], "filter")
        .does("Narrows by a regular expression over every field; smart case; ! in front inverts.")
        .hint("filter"),
    row(A::Freeze, &[Logs], &["f"], "follow or freeze")
        .does("Lets new entries scroll, or holds still while they arrive.")
        .hint("follow/freeze"),
    row(A::Severity, &[Logs], &["s"], "severity")
        .does("Shows this severity and worse: info, warning, error, critical in turn.")
        .hint("severity"),
    row(A::Open, &[Logs], &["Enter", "d"], "detail").does("Shows the whole entry.").hint("detail"),
    row(A::NextMatch, &[Logs], &["n"], "next match")
        .does("Goes to the next entry that holds the text last looked for."),
    row(A::PreviousMatch, &[Logs], &["N"], "previous match").does("Goes to the previous one."),
    row(A::NextError, &[Logs], &["e"], "next error")
        .does("Goes to the next entry of severity error or critical.")
        .hint("error"),
    row(A::PreviousError, &[Logs], &["E"], "previous error")
        .does("Goes to the previous entry of severity error or critical."),
    row(A::NextWarning, &[Logs], &["w"], "next warning").does("Goes to the next entry of severity warning."),
    row(A::PreviousWarning, &[Logs], &["W"], "previous warning")
        .does("Goes to the previous entry of severity warning."),
    row(A::Time, &[Logs], &["t"], "go to a time")
        .does("Asks for a time (14:02, -15m, 2026-11-20 14:02) and goes there.")
        .hint("time")
        .twin("astrops logs --from TIME"),
    row(A::Follow, &[Logs], &["l"], "its job")
        .does("Opens the job that the entry is about.")
        .menu()
        .hint("job"),
    // Jobs
    row(A::Open, &[Jobs], &["Enter", "d"], "detail")
        .does("Shows the job with its attempts, content and logs.")
        .hint("detail")
        .twin("astrops jobs show ID"),
    row(A::Filter, &[Jobs], &["/"], "filter")
        .does("Narrows by words, status:failed type:T phase:dead delivery:unknown schedule:NAME.")
        .hint("filter")
        .twin("astrops jobs list --status failed"),
    row(A::Mark, &[Jobs, Bookings, Drift], &["Space"], "mark")
        .does("Marks the row and goes on; actions then mean the marked rows.")
        .hint("mark"),
    row(A::Retry, &[Jobs], &["R"], "retry")
        .does("Queues failed or cancelled jobs again with as many attempts as before.")
        .changes("astrops jobs retry ID...")
        .hint("retry"),
    row(A::Cancel, &[Jobs], &["C"], "cancel")
        .does("Ends jobs before they are done; a running one is asked to stop.")
        .changes("astrops jobs cancel ID...")
        .hint("cancel"),
    row(A::New, &[Jobs], &["N"], "new notification")
        .does("Writes a mail from a template, shows it, and queues it.")
        .changes("astrops notify TYPE RECIPIENT --data KEY=VALUE")
        .hint("new"),
    row(A::Execute, &[Jobs], &["E"], "run now")
        .does("Runs a queued job at once and waits for its end.")
        .changes("astrops jobs run ID"),
    row(A::Delay, &[Jobs], &["D"], "delay")
        .does("Gives queued jobs a later time.")
        .changes("astrops jobs delay ID... --until TIME"),
    row(A::Delete, &[Jobs], &["X"], "delete")
        .does("Forgets ended jobs, with their attempts.")
        .changes("astrops jobs delete ID..."),
    row(A::Reveal, &[Jobs], &["U"], "reveal")
        .does("Shows the private fields of the job; the daemon records who looked.")
        .menu()
        .twin("astrops jobs show ID --reveal"),
    row(A::Follow, &[Jobs], &["l"], "its logs")
        .does("Shows the log entries of the job.")
        .menu()
        .hint("logs")
        .twin("astrops logs --job ID"),
    row(A::Status, &[Jobs], &["s"], "status")
        .does("Shows all, failed, processing, queued, completed, cancelled jobs in turn.")
        .hint("status"),
    row(A::ToSubject, &[Jobs], &["b"], "what it is about")
        .does("Shows the booking, launch or user that the job is about.")
        .menu(),
    row(A::MarkRange, &[Jobs, Bookings, Drift], &["v"], "mark range")
        .does("Marks from the row last marked to here."),
    row(A::MarkAll, &[Jobs, Bookings, Drift], &["ctrl-a"], "mark all")
        .does("Marks every row that fits the filter, or none; loads them first."),
    row(A::MarkInvert, &[Jobs, Bookings, Drift], &["\\"], "invert marks")
        .does("Marks what is not marked, of the rows that are loaded."),
    row(A::Order, &[Jobs, Bookings, Launches, Users, Keys, Drift, Sweeps, Schedules], &["o"], "order")
        .does("Orders by the next column."),
    row(A::Reverse, &[Jobs, Bookings, Launches, Users, Keys, Drift, Sweeps, Schedules], &["O"], "reverse")
        .does("Reverses the order."),
    row(
        A::Json,
        &[Jobs, Logs, Bookings, Launches, Users, Keys, Drift, Sweeps, Resolve, History, Schedules],
        &["J"],
        "JSON",
    )
    .does("Shows the object as the daemon sends it."),
    // Bookings
    row(A::Open, &[Bookings], &["Enter", "d"], "detail")
        .does("Shows the booking with its payments, seats and history.")
        .hint("detail")
        .twin("astrops bookings show ID"),
    row(A::Filter, &[Bookings], &["/"], "filter")
        .does("Narrows by words, status:confirmed payment:paid launch:ID user:ID from:-2d to:2026-11-20.")
        .hint("filter")
        .twin("astrops bookings list --status confirmed"),
    row(A::Cancel, &[Bookings], &["C"], "cancel")
        .does("Cancels bookings with a reason: the seats go back, and what was paid too.")
        .changes("astrops bookings cancel ID... --reason TEXT")
        .hint("cancel"),
    row(A::ToLaunch, &[Bookings], &["e"], "its launch")
        .does("Shows the launch of the booking.")
        .menu()
        .hint("launch")
        .twin("astrops launches show ID"),
    row(A::ToUser, &[Bookings], &["u"], "its customer")
        .does("Shows the account of the customer.")
        .menu()
        .hint("customer")
        .twin("astrops users show ID"),
    row(A::Follow, &[Bookings], &["l"], "its jobs")
        .does("Shows the jobs that name the booking.")
        .menu()
        .twin("astrops jobs list --query ID"),
    row(A::Status, &[Bookings], &["s"], "status")
        .does("Shows all, pending, confirmed, cancelled bookings in turn.")
        .hint("status"),
    row(A::Compare, &[Bookings, Launches, Users], &["c"], "both sides")
        .does("Compares it with its document, and shows what waits for a decision.")
        .menu()
        .twin("astrops reconcile diff TYPE ID"),
    // Launches
    row(A::Open, &[Launches], &["Enter", "d"], "detail")
        .does("Shows the launch with its bookings, seats and history.")
        .hint("detail")
        .twin("astrops launches show ID"),
    row(A::Filter, &[Launches], &["/"], "filter")
        .does("Narrows by words, status:scheduled host:ID category:C available:yes from:TIME to:+7d.")
        .hint("filter")
        .twin("astrops launches list --status scheduled"),
    row(A::Cancel, &[Launches], &["C"], "cancel")
        .does("Cancels the launch with a reason, and every booking of it; all who booked are told.")
        .changes("astrops launches cancel ID --reason TEXT")
        .hint("cancel"),
    row(A::ToBookings, &[Launches], &["b"], "its bookings")
        .does("Shows the bookings of the launch.")
        .menu()
        .hint("bookings")
        .twin("astrops bookings list --launch ID"),
    row(A::ToUser, &[Launches], &["u"], "its host")
        .does("Shows the account of the supplier.")
        .menu()
        .hint("host")
        .twin("astrops users show ID"),
    row(A::Follow, &[Launches], &["l"], "its jobs")
        .does("Shows the jobs that name the launch.")
        .menu()
        .twin("astrops jobs list --query ID"),
    row(A::Status, &[Launches], &["s"], "status")
        .does("Shows all, scheduled, cancelled, completed launches in turn.")
        .hint("status"),
    // Users
    row(A::Open, &[Users], &["Enter", "d"], "detail")
        .does("Shows the account with its sessions, bookings and history.")
        .hint("detail")
        .twin("astrops users show ID"),
    row(A::Filter, &[Users], &["/"], "filter")
        .does("Narrows by words in e-mail and name, role:customer active:no locked:yes.")
        .hint("filter")
        .twin("astrops users list --role customer"),
    row(A::Unlock, &[Users], &["U"], "unlock")
        .does("Lets a user sign in again whom wrong passwords have locked.")
        .changes("astrops users unlock ID")
        .hint("unlock"),
    row(A::RevokeSessions, &[Users], &["K"], "sign out everywhere")
        .does("Ends every session of the user.")
        .changes("astrops users revoke-sessions ID")
        .hint("sign out"),
    row(A::Disable, &[Users], &["D"], "disable or enable")
        .does("Keeps the user from signing in, or lets the user sign in again.")
        .changes("astrops users disable|enable ID")
        .hint("disable"),
    row(A::ChangeRole, &[Users], &["E"], "role and right")
        .does("Makes the user a customer, supplier or employee; an employee a viewer or an operator.")
        .changes("astrops users role ID ROLE --right RIGHT"),
    row(A::ToBookings, &[Users], &["b"], "its bookings")
        .does("Shows the bookings of the user.")
        .menu()
        .hint("bookings")
        .twin("astrops bookings list --user ID"),
    row(A::ToLaunch, &[Users], &["e"], "its launches")
        .does("Shows the launches of a supplier.")
        .menu()
        .twin("astrops launches list --host ID"),
    row(A::Follow, &[Users], &["l"], "its jobs")
        .does("Shows the mails to the user.")
        .menu()
        .twin("astrops jobs list --query EMAIL"),
    row(A::Status, &[Users], &["s"], "role")
        .does("Shows all users, employees, suppliers, customers in turn.")
        .hint("role"),
    row(A::ServiceKeys, &[Users], &["a"], "service keys")
        .does("Shows the keys with which other programs call.")
        .menu()
        .hint("keys")
        .twin("astrops keys list"),
    // Service keys
    row(A::Filter, &[Keys], &["/"], "filter")
        .does("Narrows by a regular expression on name and scopes.")
        .hint("filter"),
    row(A::New, &[Keys], &["N"], "new key")
        .does("Makes a key and shows its secret, once.")
        .changes("astrops keys create NAME --scope SCOPE...")
        .hint("new"),
    row(A::Delete, &[Keys], &["X"], "revoke")
        .does("Ends a key for good: whatever calls with it is refused.")
        .changes("astrops keys revoke ID")
        .hint("revoke"),
    row(A::ServiceKeys, &[Keys], &["a"], "users")
        .does("Shows the users again.")
        .menu()
        .twin("astrops users list"),
    // Drift
    row(A::Open, &[Drift], &["Enter", "d"], "both sides")
        .does("Shows both sides field by field, and takes decisions.")
        .hint("sides")
        .twin("astrops reconcile diff TYPE ID"),
    row(A::Status, &[Drift, Sweeps], &["s"], "view")
        .does("Shows open differences, conflicts, sweeps in turn.")
        .hint("view")
        .twin("astrops reconcile drift|conflicts|sweeps"),
    row(A::Filter, &[Drift], &["/"], "filter")
        .does("Narrows by type:booking kind:missing_document id:ID; conflicts by snoozed:yes, too.")
        .hint("filter")
        .twin("astrops reconcile drift --type booking"),
    row(A::Reconcile, &[Drift, Resolve], &["R"], "reconcile now")
        .does("Queues jobs that make these entities agree by the rules.")
        .changes("astrops reconcile entity TYPE ID")
        .hint("reconcile"),
    row(A::TakeAll, &[Drift], &["T"], "take one side")
        .does("Lets one side win in every field of these conflicts; shows first what that writes.")
        .changes("astrops reconcile resolve --many ID.. --take SIDE --reason TEXT")
        .hint("take side"),
    row(A::Snooze, &[Drift, Resolve], &["Z"], "snooze")
        .does("Hides conflicts until a time, unless they become critical.")
        .changes("astrops reconcile snooze CONFLICT --until TIME --reason TEXT")
        .hint("snooze"),
    row(A::ToSubject, &[Drift], &["b"], "what it is about").does("Shows the booking, launch or user.").menu(),
    row(A::New, &[Drift, Sweeps], &["N"], "new sweep")
        .does("Compares whole collections with whole tables, and repairs what the rules allow.")
        .changes("astrops reconcile sweep --full --type TYPE --dry-run")
        .hint("new sweep"),
    // Sweeps
    row(A::Open, &[Sweeps], &["Enter", "d"], "detail")
        .does("Shows how far the sweep is and what it has met.")
        .hint("detail")
        .twin("astrops reconcile sweeps show ID"),
    row(A::Filter, &[Sweeps], &["/"], "filter")
        .does("Narrows by status:running mode:full.")
        .hint("filter")
        .twin("astrops reconcile sweeps list"),
    row(A::PauseSweep, &[Sweeps], &["P"], "pause or resume")
        .does("Stops the sweep behind the page that it is at, or lets it go on.")
        .changes("astrops reconcile sweeps pause|resume ID")
        .hint("pause/resume"),
    row(A::Cancel, &[Sweeps], &["C"], "cancel")
        .does("Ends the sweep; what it repaired stays repaired.")
        .changes("astrops reconcile sweeps cancel ID")
        .hint("cancel"),
    row(A::Approve, &[Sweeps], &["A"], "approve")
        .does("Lets the sweep change as much as it found; says why that needs a person.")
        .changes("astrops reconcile sweeps approve ID")
        .hint("approve"),
    row(A::Follow, &[Sweeps], &["l"], "its job")
        .does("Shows the job that does the sweep.")
        .menu()
        .twin("astrops jobs show ID"),
    // Both sides of one entity
    row(A::TakeDocument, &[Resolve], &["<", "Left"], "take document")
        .does("Chooses what the document holds; again leaves the field open.")
        .hint("document")
        .twin("astrops reconcile resolve CONFLICT --set FIELD=document"),
    row(A::TakeRelational, &[Resolve], &[">", "Right"], "take relational")
        .does("Chooses what the relational row holds; again leaves the field open.")
        .hint("relational")
        .twin("astrops reconcile resolve CONFLICT --set FIELD=relational"),
    row(A::TakeBase, &[Resolve], &["b"], "take base")
        .does("Chooses what both last agreed on; again leaves the field open.")
        .hint("base")
        .twin("astrops reconcile resolve CONFLICT --set FIELD=base"),
    row(A::EditValue, &[Resolve], &["e"], "another value")
        .does("Chooses a value that neither side holds.")
        .hint("edit")
        .twin("astrops reconcile resolve CONFLICT --set FIELD==VALUE"),
    row(A::Preview, &[Resolve], &["p"], "preview")
        .does("Shows exactly what the choices write, and where; again shows all of it. Writes nothing.")
        .hint("preview")
        .menu()
        .twin("astrops reconcile resolve CONFLICT --set FIELD=SIDE --reason TEXT --dry-run"),
    row(A::Write, &[Resolve], &["W"], "write")
        .does("Writes what the preview shows, after 10 seconds in which u takes it back.")
        .changes("astrops reconcile resolve CONFLICT --set FIELD=SIDE --reason TEXT --hold 10")
        .hint("write"),
    row(A::Undo, &[Drift, Sweeps, Resolve, History], &["u"], "take back")
        .does("Takes back what is not written yet; on a change that is written it asks to revert that.")
        .menu()
        .twin("astrops jobs cancel ID"),
    row(A::History, &[Resolve, Drift], &["h"], "changes")
        .does("Shows what was changed of it, when and by whom.")
        .hint("changes")
        .menu()
        .twin("astrops reconcile changes --type TYPE --entity ID"),
    row(A::Open, &[Resolve], &["Enter", "d"], "field").does("Shows everything about the field."),
    // Changes of one entity
    row(A::History, &[History], &["h"], "both sides").does("Shows both sides again.").hint("both sides"),
    row(A::Revert, &[History], &["U"], "revert")
        .does("Writes again what the change overwrote, on both sides; shows first what that is.")
        .changes("astrops reconcile revert CHANGE --reason TEXT")
        .hint("revert"),
    row(A::Follow, &[History], &["l"], "its job")
        .does("Shows the job that made the change.")
        .menu()
        .hint("job")
        .twin("astrops jobs show ID"),
    row(A::Open, &[History], &["Enter", "d"], "change").does("Shows the change in full.").hint("in full"),
    // Schedules
    row(A::Open, &[Schedules], &["Enter", "d"], "detail")
        .does("Shows the next fires and the last runs.")
        .hint("detail")
        .twin("astrops schedules show NAME"),
    row(A::Filter, &[Schedules], &["/"], "filter")
        .does("Narrows by a regular expression on name and description.")
        .hint("filter"),
    row(A::Trigger, &[Schedules], &["T"], "trigger")
        .does("Makes its job now; the cron line goes on as before.")
        .changes("astrops schedules trigger NAME")
        .hint("trigger"),
    row(A::PauseSchedule, &[Schedules], &["P"], "pause or resume")
        .does("Stops the schedule, or lets it go on.")
        .changes("astrops schedules pause|resume NAME")
        .hint("pause/resume"),
    row(A::EditSchedule, &[Schedules], &["E"], "edit")
        .does("Edits cron line, time zone and policies.")
        .changes("astrops schedules edit NAME --cron LINE")
        .hint("edit"),
    row(A::Follow, &[Schedules], &["l"], "its jobs")
        .does("Shows the jobs that the schedule made.")
        .menu()
        .hint("jobs")
        .twin("astrops jobs list --schedule NAME"),
    // Moving
    row(A::Down, &[Everywhere, Page, Confirm], &["j", "Down"], "down").does("Goes one row down."),
    row(A::Up, &[Everywhere, Page, Confirm], &["k", "Up"], "up").does("Goes one row up."),
    row(A::Down, &[Menu], &["Down", "ctrl-n", "Tab"], "down").does("Goes one row down."),
    row(A::Up, &[Menu], &["Up", "ctrl-p", "BackTab"], "up").does("Goes one row up."),
    row(A::Top, &[Everywhere, Page, Confirm], &["g", "Home"], "first").does("Goes to the first row."),
    row(A::Bottom, &[Everywhere, Page, Confirm], &["G", "End"], "last")
        .does("Goes to the last row; on Logs it follows again."),
    row(A::HalfDown, &[Everywhere, Page, Confirm], &["ctrl-d"], "half a page down")
        .does("Scrolls half a page down."),
    row(A::HalfUp, &[Everywhere, Page, Confirm], &["ctrl-u"], "half a page up")
        .does("Scrolls half a page up."),
    row(A::PageDown, &[Everywhere, Page, Menu, Confirm], &["PageDown"], "page down")
        .does("Scrolls a page down."),
    row(A::PageUp, &[Everywhere, Page, Menu, Confirm], &["PageUp"], "page up").does("Scrolls a page up."),
    row(A::Focus, &[Everywhere], &["Tab"], "next panel").does("Gives the keys to the next panel."),
    row(A::FocusBack, &[Everywhere], &["BackTab"], "previous panel")
        .does("Gives the keys to the previous panel."),
    row(A::Zoom, &[Everywhere], &["z"], "zoom")
        .does("Lets the panel fill the screen, or gives the room back."),
    row(A::Copy, &[Everywhere, Page], &["y"], "copy")
        .does("Copies the row or page to your terminal's clipboard (OSC 52)."),
    row(A::CopyAll, &[Everywhere], &["ctrl-y"], "copy all").does("Copies every row that is on the screen."),
    row(A::Refresh, &[Everywhere], &["ctrl-r"], "refresh").does("Asks the daemon again."),
    row(A::Redraw, &[Everywhere], &["ctrl-l"], "redraw").does("Draws everything again."),
    row(A::Mouse, &[Everywhere], &["F2"], "mouse")
        .does("Takes the wheel for scrolling, or leaves the mouse to your terminal."),
    row(A::Suspend, &[Everywhere], &["ctrl-z"], "suspend").does("Goes to the shell; `fg` comes back."),
    row(A::Messages, &[Everywhere], &["m"], "messages")
        .does("Shows in full what the status line says and said."),
    row(A::Diagnostics, &[Everywhere], &[], "diag")
        .does("Shows latency, frame time, rows and drops of the console."),
    row(A::SignOut, &[Everywhere], &[], "sign out")
        .does("Ends the session and shows the sign-in form.")
        .twin("astrops logout"),
    row(A::Close, &[Everywhere, Menu, Form, Prompt, Page], &["Esc"], "close")
        .does("Backs out of the innermost thing: layer, detail, marks, filter."),
    row(A::Leave, &[Everywhere], &["q"], "back or quit")
        .does("Closes what is open; on a bare screen it asks to quit.")
        .hint("back"),
    row(A::Quit, &[Everywhere, Menu, Form, Prompt, Page, Confirm, Login], &["ctrl-c"], "quit")
        .does("Ends the console at once. Daemon and jobs go on, but those of the demo end with it."),
    // Layers
    row(A::Close, &[Page], &["q", "Enter"], "close").does("Closes the page.").hint("close"),
    row(A::Open, &[Menu], &["Enter"], "run").does("Does what the line says.").hint("run"),
    row(A::Open, &[Login], &["Enter"], "sign in")
        .does("Goes to the next field, and from the last one signs in.")
        .hint("sign in"),
    row(A::Open, &[Form], &["Enter"], "next")
        .does("Goes to the next field, and from the last one on to the question.")
        .hint("next"),
    row(A::Open, &[Prompt], &["Enter"], "accept").does("Takes what was typed.").hint("accept"),
    row(A::Yes, &[Confirm], &["y"], "yes").does("Does it.").hint("yes"),
    row(A::No, &[Confirm], &["n", "q", "Esc"], "no").does("Does nothing.").hint("no"),
    row(A::Open, &[Confirm], &["Enter"], "default")
        .does("Does nothing either; where a number is asked for, accepts the right one."),
    row(A::Focus, &[Form, Login], &["Tab", "Down"], "next field")
        .does("Goes to the next field.")
        .hint("next field"),
    row(A::FocusBack, &[Form, Login], &["BackTab", "Up"], "previous field")
        .does("Goes to the previous field."),
    row(A::Submit, &[Form], &["ctrl-s"], "go on")
        .does("Goes on from any field, to the question.")
        .hint("go on"),
    row(A::ChoiceBack, &[Form], &["Left"], "previous choice")
        .does("Chooses the previous value of the field."),
    row(A::ChoiceNext, &[Form], &["Right"], "next choice").does("Chooses the next value of the field."),
    row(A::Up, &[Prompt], &["Up"], "recall").does("Brings back what was typed before."),
    row(A::Down, &[Prompt], &["Down"], "newer").does("Goes on to what was typed later."),
];
