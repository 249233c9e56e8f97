//! Closed vocabularies. Each word is one text on the wire, in the databases and on the screen.
//! The words come from the source documents; those marked *extension* are ours.

/// A text that is not a word of a closed vocabulary; says which words are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not one of: {allowed}")]
pub struct UnknownWord {
    /// What was given.
    pub given: String,
    /// The words that are allowed, separated by commas.
    pub allowed: String,
}

/// Declares an enum whose wire, SQL and display forms are one string per variant.
/// Further spellings after `|` are accepted on input only.
macro_rules! words {
    ($($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal $(| $alias:literal)*),+ $(,)? })+) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "String", into = "&'static str")]
        pub enum $name { $($(#[$vmeta])* #[schema(rename = $text)] $variant),+ }

        impl $name {
            /// Every word, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The one spelling that is written.
            #[must_use]
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $text),+ } }
        }
        impl From<$name> for &'static str { fn from(word: $name) -> Self { word.as_str() } }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(self.as_str()) }
        }
        impl std::str::FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($text $(| $alias)* => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { given: text.to_owned(), allowed: [$($text),+].join(", ") }),
                }
            }
        }
        impl TryFrom<String> for $name {
            type Error = UnknownWord;
            fn try_from(text: String) -> Result<Self, UnknownWord> { text.parse() }
        }
    )+ };
}

words! {
    /// What a job does.
    JobType {
        /// Sends one mail to one recipient.
        Notification = "NOTIFICATION",
        /// Makes one entity agree between the two databases.
        Reconciliation = "RECONCILIATION",
        /// Housekeeping: retention, expiry (*extension*).
        Maintenance = "MAINTENANCE",
    }
    /// Where a job stands, in the words of the domain document.
    JobStatus {
        /// Waits for its time or for a free worker.
        Queued = "queued",
        /// Claimed by a node.
        Processing = "processing",
        /// Ended well.
        Completed = "completed",
        /// Ended badly; an operator may retry it.
        Failed = "failed",
        /// Ended by an operator before it was done (*extension*).
        Cancelled = "cancelled",
    }
    /// Says more than [`JobStatus`] about the same moment (*extension*).
    JobPhase {
        /// Queued for a time that has not come.
        Scheduled = "scheduled",
        /// Queued and due.
        Waiting = "waiting",
        /// Queued again after an error; runs when the backoff is over.
        Retrying = "retrying",
        /// Claimed: running, or next to run on its node.
        Running = "running",
        /// Running, and asked to stop.
        Cancelling = "cancelling",
        /// Ended well.
        Done = "done",
        /// Ended badly; nothing more happens by itself.
        Dead = "dead",
        /// Ended by an operator.
        Cancelled = "cancelled",
    }
    /// What is known about a job's mail (*extension*).
    Delivery {
        /// The server took it.
        Sent = "sent",
        /// It certainly did not leave.
        NotSent = "not_sent",
        /// Contact was lost after the last byte: only a person can decide.
        Unknown = "unknown",
    }
    /// How one attempt ended (*extension*).
    AttemptOutcome {
        /// The work is done.
        Ok = "ok",
        /// An error; more attempts follow.
        Retry = "retry",
        /// An error; no attempt follows.
        Failed = "failed",
        /// Stopped on request.
        Cancelled = "cancelled",
        /// Its node vanished.
        Crashed = "crashed",
    }
    /// What kind of event a log entry tells.
    EventType {
        /// Signing in and out, keys, locks.
        Auth = "AUTH",
        /// Something went wrong.
        Error = "ERROR",
        /// Reconciliation.
        Reconcile = "RECONCILE",
        /// Mail.
        Notify = "NOTIFY",
        /// Jobs and schedules (*extension*).
        Job = "JOB",
        /// Launches, bookings, payments (*extension*).
        Booking = "BOOKING",
        /// The daemon itself (*extension*).
        System = "SYSTEM",
    }
    /// How bad a log entry is, in rising order.
    Severity {
        /// Normal.
        Info = "info",
        /// Worth a look.
        Warning = "warning",
        /// Something failed.
        Error = "error",
        /// Somebody must act.
        Critical = "critical",
    }
    /// What a user is. The documents' synonyms are accepted on input.
    Role {
        /// Books seats.
        Customer = "customer" | "user" | "attendee",
        /// Sells launches.
        Supplier = "supplier" | "host" | "organizer",
        /// Staff: the IT operators.
        Employee = "employee" | "admin",
    }
    /// What an employee may do (*extension*).
    Right {
        /// Reads everything, changes nothing.
        Viewer = "viewer",
        /// Reads and changes.
        Operator = "operator",
    }
    /// What a service key may do (*extension*).
    Scope {
        /// POST /logs.
        LogsWrite = "logs:write",
        /// POST /notifications.
        NotificationsWrite = "notifications:write",
        /// POST /jobs.
        JobsWrite = "jobs:write",
        /// PUT /jobs/{id}/execute.
        JobsExecute = "jobs:execute",
        /// POST /reconciliation and its events.
        ReconciliationWrite = "reconciliation:write",
        /// Every list and stream.
        Read = "read",
    }
    /// What is reconciled. The document side says `event` for a launch.
    EntityType {
        /// A launch that people book.
        Launch = "launch" | "event",
        /// A customer's booking.
        Booking = "booking",
        /// A user (*extension*).
        User = "user",
    }
    /// What was done to an entity on the caller's side.
    ReconAction {
        /// It is new.
        Create = "create",
        /// It changed.
        Update = "update",
        /// It is gone.
        Delete = "delete",
    }
    /// How much a sweep compares (*extension*).
    SweepMode {
        /// Everything on both sides.
        Full = "full",
        /// What changed since the last sweep, and what differed then.
        Incremental = "incremental",
    }
    /// Where a sweep stands (*extension*).
    SweepStatus {
        /// A job does it, or will at once.
        Running = "running",
        /// Somebody paused it.
        Paused = "paused",
        /// It would change more than it may without a person; nothing was written.
        NeedsApproval = "needs_approval",
        /// It is through.
        Completed = "completed",
        /// Somebody ended it.
        Cancelled = "cancelled",
        /// It could not go on.
        Failed = "failed",
    }
    /// What a sweep does (*extension*).
    SweepStage {
        /// Reads both sides and notes what differs.
        Compare = "compare",
        /// Waits, then looks again at what differs, and plans.
        Recheck = "recheck",
        /// Writes.
        Apply = "apply",
        /// Nothing any more.
        Done = "done",
    }
    /// How an entity differs (*extension*).
    DriftKind {
        /// Both sides have it and it is not the same.
        Differs = "differs",
        /// The documents lack it.
        MissingDocument = "missing_document",
        /// The relational database lacks it.
        MissingRelational = "missing_relational",
        /// It waits for a person.
        Conflict = "conflict",
    }
    /// The mails that we send; each has a template and required data.
    NotificationType {
        /// To a supplier: somebody booked.
        NewBooking = "NEW_BOOKING",
        /// To a customer: the seats are theirs.
        BookingConfirmed = "BOOKING_CONFIRMED",
        /// To a customer: the booking is cancelled.
        BookingCancelled = "BOOKING_CANCELLED",
        /// To a customer: the money arrived.
        PaymentReceived = "PAYMENT_RECEIVED",
        /// To a customer: the payment was refused.
        PaymentFailed = "PAYMENT_FAILED",
        /// To a customer: the money goes back.
        RefundIssued = "REFUND_ISSUED",
        /// To everybody booked: date or venue changed.
        LaunchUpdated = "LAUNCH_UPDATED",
        /// To everybody booked: it does not happen.
        LaunchCancelled = "LAUNCH_CANCELLED",
        /// To the interested: seats are on sale.
        SaleStarted = "SALE_STARTED",
        /// To a supplier's followers: a new launch.
        NewLaunch = "NEW_LAUNCH",
        /// To a customer, a day before.
        LaunchReminder = "LAUNCH_REMINDER",
        /// To a user whose account is locked.
        AccountLocked = "ACCOUNT_LOCKED",
        /// To a new user.
        Welcome = "WELCOME",
    }
    /// The housekeeping that a MAINTENANCE job does.
    MaintenanceTask {
        /// Deletes system logs past their retention.
        PruneLogs = "prune-logs",
        /// Deletes ended jobs past their retention, with their attempts.
        PruneJobs = "prune-jobs",
        /// Deletes sessions that have expired and idempotency keys older than a day.
        ExpireSessions = "expire-sessions",
        /// Forgets wrong passwords that no longer count and locks that are past.
        ExpireLocks = "expire-locks",
        /// Deletes rows of the capacity log after a year.
        PruneCapacityLog = "prune-capacity-log",
        /// Tells the interested of sales that have started.
        OpenSales = "open-sales",
        /// Reminds customers of launches that start within a day.
        SendReminders = "send-reminders",
        /// Marks launches whose end has passed as completed.
        CompleteLaunches = "complete-launches",
        /// Asks the provider what became of payments that were not answered, and forgets old webhooks.
        CheckPayments = "check-payments",
        /// Sends the money of one payment back; only the cancellation of its booking asks for it.
        RefundPayment = "refund-payment",
        /// Compares what changed in the documents or here since the last time, and repairs it.
        ReconcileIncremental = "reconcile-incremental",
        /// Compares every document with its row, and repairs what differs.
        ReconcileFull = "reconcile-full",
        /// Deletes sessions and capacity log entries of an embedded document database whose time has come.
        ExpireDocuments = "expire-documents",
    }
    /// What a schedule does about fires that passed while no daemon ran.
    MissedPolicy {
        /// One job stands for all of them.
        Coalesce = "coalesce",
        /// One job each, at most 100.
        All = "all",
        /// None.
        Skip = "skip",
    }
    /// What a schedule does when its last job has not ended.
    OverlapPolicy {
        /// No new job.
        Skip = "skip",
        /// A new job behind it.
        Queue = "queue",
    }
    /// What became of one fire of a schedule.
    FireOutcome {
        /// It made a job at its time.
        Fired = "fired",
        /// An operator asked for it.
        Triggered = "triggered",
        /// It was late (no daemon ran) and made a job all the same.
        CaughtUp = "caught-up",
        /// It was late and the policy leaves it out.
        Missed = "missed",
        /// The last job had not ended.
        Overlapped = "overlapped",
    }
    /// Where a launch stands.
    LaunchStatus {
        /// It will happen.
        Scheduled = "scheduled",
        /// It will not.
        Cancelled = "cancelled",
        /// It has happened.
        Completed = "completed",
    }
    /// Where a booking stands. Confirmed and pending ones hold seats.
    BookingStatus {
        /// The seats are the customer's.
        Confirmed = "confirmed",
        /// The seats are free again.
        Cancelled = "cancelled",
        /// The seats are held, the customer side has not confirmed.
        Pending = "pending",
    }
    /// Where the payment of a booking stands.
    PaymentStatus {
        /// The money is here.
        Paid = "paid",
        /// Not yet paid.
        Pending = "pending",
        /// The last attempt was refused.
        Failed = "failed",
        /// The money went back.
        Refunded = "refunded",
    }
    /// How a booking was paid.
    PaymentMethod {
        /// A credit card.
        CreditCard = "credit_card",
        /// A debit card.
        DebitCard = "debit_card",
        /// `PayPal`; arrives only from the document side.
        Paypal = "paypal",
        /// A payment method that Stripe keeps.
        Stripe = "stripe",
        /// Cash; arrives only from the document side.
        Cash = "cash",
    }
    /// Who moves the money (*extension*).
    Provider {
        /// Embedded: behaves like Stripe's published test cards.
        Sandbox = "sandbox",
        /// Stripe.
        Stripe = "stripe",
    }
    /// Where one attempt to pay stands (*extension*).
    PaymentState {
        /// Asked for; the provider has not answered.
        Pending = "pending",
        /// The customer has to confirm (3-D Secure).
        RequiresAction = "requires_action",
        /// The money is here.
        Paid = "paid",
        /// It was refused.
        Failed = "failed",
        /// The money is to go back; a job does it.
        Refunding = "refunding",
        /// The money went back.
        Refunded = "refunded",
    }
    /// What happened to the seats of a launch.
    CapacityOperation {
        /// Taken.
        Reserve = "reserve",
        /// Given back.
        Release = "release",
    }
    /// What a domain event tells (*extension*).
    DomainEventKind {
        /// A launch is new.
        LaunchCreated = "launch.created",
        /// A launch has changed, or the seats that are left.
        LaunchUpdated = "launch.updated",
        /// A launch does not happen.
        LaunchCancelled = "launch.cancelled",
        /// A launch is over.
        LaunchCompleted = "launch.completed",
        /// The sale of a launch has started.
        LaunchSaleStarted = "launch.sale-started",
        /// A booking is new.
        BookingCreated = "booking.created",
        /// A booking has changed, or its payment.
        BookingUpdated = "booking.updated",
        /// A booking is cancelled.
        BookingCancelled = "booking.cancelled",
        /// A user is new.
        UserCreated = "user.created",
        /// A user has changed.
        UserUpdated = "user.updated",
        /// A user is erased.
        UserDeleted = "user.deleted",
    }
    /// The direction of a list.
    Order {
        /// Smallest or oldest first.
        Asc = "asc",
        /// Largest or newest first.
        Desc = "desc",
    }
}

impl JobStatus {
    /// Whether a job with this status will never run again by itself.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl MaintenanceTask {
    /// Whether it is about one thing, so that nobody can ask for it by hand or by schedule.
    #[must_use]
    pub const fn needs_subject(self) -> bool {
        matches!(self, Self::RefundPayment)
    }
}

impl SweepMode {
    /// The housekeeping that does it.
    #[must_use]
    pub const fn task(self) -> MaintenanceTask {
        match self {
            Self::Full => MaintenanceTask::ReconcileFull,
            Self::Incremental => MaintenanceTask::ReconcileIncremental,
        }
    }
}

impl SweepStatus {
    /// Whether nothing more will come of it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Failed)
    }
}

impl PaymentState {
    /// What a booking says of a payment in this state.
    #[must_use]
    pub const fn of_booking(self) -> PaymentStatus {
        match self {
            Self::Pending | Self::RequiresAction => PaymentStatus::Pending,
            Self::Paid | Self::Refunding => PaymentStatus::Paid,
            Self::Failed => PaymentStatus::Failed,
            Self::Refunded => PaymentStatus::Refunded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_travels_as_its_text_and_synonyms_are_understood() {
        assert_eq!(serde_json::to_string(&JobType::Notification).unwrap(), r#""NOTIFICATION""#);
        assert_eq!("host".parse::<Role>().unwrap(), Role::Supplier);
        assert_eq!(serde_json::from_str::<EntityType>(r#""event""#).unwrap(), EntityType::Launch);
        let refusal = "loud".parse::<Severity>().unwrap_err().to_string();
        assert_eq!(refusal, r#""loud" is not one of: info, warning, error, critical"#);
    }

    #[test]
    fn severities_rise() {
        assert!(Severity::Info < Severity::Warning && Severity::Error < Severity::Critical);
    }
}
