//! What is to be done about one row: an outcome that is decided once and then only carried out. Every write names the
//! value it replaces, so it can be applied by compare-and-set, and after a crash each side is told by its values to stand
//! before or behind it.

use std::fmt;

use astrops_api::vocabulary::EntityType;
use bson::Document;

use super::{
    codec::{self, Columns, Fault, Links},
    mapping::{Authority, Mapping},
    value::{Base, Id, Pair, Record, Side, Value, hex},
};

/// What is known of the row's past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum History {
    /// Both sides never agreed.
    #[default]
    New,
    /// What both were last seen to hold.
    Agreed(Base),
    /// It was deleted on both sides; what is left of it stays as it is.
    Deleted,
}

/// One field of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Its place in the mapping.
    pub index: usize,
    /// The document's field or the column.
    pub place: &'static str,
    /// What it replaces.
    pub before: Value,
    /// What it writes.
    pub after: Value,
}

/// What is done to one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    #[default]
    Keep,
    /// The row is made.
    Create(Record),
    /// Some fields are written.
    Update(Vec<Write>),
    /// The row, which holds this, is deleted softly.
    Delete(Record),
}

impl Action {
    /// Where a side that now holds `record` stands.
    pub fn standing(&self, record: Option<&Record>) -> Standing {
        let holds =
            |write: &Write, value: &Value| record.is_some_and(|record| record.at(write.index) == value);
        match self {
            Self::Keep => Standing::After,
            Self::Update(writes) if writes.iter().all(|write| holds(write, &write.after)) => Standing::After,
            Self::Update(writes) if writes.iter().all(|write| holds(write, &write.before)) => {
                Standing::Before
            }
            Self::Create(made) if record == Some(made) => Standing::After,
            Self::Create(_) if record.is_none() => Standing::Before,
            Self::Delete(_) if record.is_none() => Standing::After,
            Self::Delete(held) if record == Some(held) => Standing::Before,
            Self::Update(_) | Self::Create(_) | Self::Delete(_) => Standing::Neither,
        }
    }
}

/// Where a side stands in relation to its action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The action is still to be done.
    Before,
    /// It has been done, or nothing was to be done.
    After,
    /// Somebody else wrote meanwhile: look and plan again.
    Neither,
}

/// By which rule a field was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// One side changed; the other follows.
    Mirror,
    /// Nothing was there.
    Fill,
    /// The field's authority.
    Authority(Authority),
    /// Computed from bookings, or an end that keeps its distance from the start.
    Derived,
    /// The row is new on that side.
    Create,
    /// The row is gone on the other side.
    Delete,
    /// A person.
    Decision,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mirror => f.write_str("mirror"),
            Self::Fill => f.write_str("fill"),
            Self::Authority(authority) => authority.fmt(f),
            Self::Derived => f.write_str("derived"),
            Self::Create => f.write_str("create"),
            Self::Delete => f.write_str("delete"),
            Self::Decision => f.write_str("decision"),
        }
    }
}

/// One field that is written, as the change log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place in the mapping.
    pub index: usize,
    /// The canonical field.
    pub field: &'static str,
    /// As people call it.
    pub label: &'static str,
    /// What each side held.
    pub before: Pair<Value>,
    /// What both last agreed on.
    pub base: Option<Value>,
    /// What is written.
    pub after: Value,
    /// Where.
    pub written: Side,
    /// Why.
    pub rule: Rule,
    /// A value that somebody set on that side is discarded.
    pub overridden: bool,
}

/// Why a field, or the whole row, waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Both sides changed it, differently.
    #[error("both sides changed it since they last agreed")]
    BothChanged,
    /// No base says who changed.
    #[error("both sides hold a value and never agreed on one")]
    NeverAgreed,
    /// The later update cannot be told.
    #[error("both sides changed it at about the same time")]
    TooClose,
    /// It must not change.
    #[error("it never changes, and the sides differ")]
    Immutable,
    /// Money that arrived or went back.
    #[error("the payment would go from {from} back to {to}")]
    PaymentRegression {
        /// On the side that would be written.
        from: &'static str,
        /// What would be written.
        to: &'static str,
    },
    /// Only a person revives a launch.
    #[error("the launch is cancelled; a document cannot make it active again")]
    Cancelled,
    /// Nobody becomes an employee by a document.
    #[error("the document is a new admin; an operator makes employees")]
    NewAdmin,
    /// Deleted on one side, edited on the other.
    #[error("it was deleted on the {0} side and changed on the other")]
    DeletedAndChanged(Side),
    /// Only an operator's own route makes and unmakes employees.
    #[error("a role of ours is changed at the user, not by a decision about the sides")]
    Role,
    /// Deleted on one side while it is paid.
    #[error("it was deleted on the {0} side, and it is paid")]
    DeletedPaid(Side),
    /// Deleted on one side while bookings need it, or launches.
    #[error("it was deleted on the {0} side, and active bookings or launches refer to it")]
    DeletedBooked(Side),
    /// The document of somebody who works here is gone.
    #[error("its document was deleted, and it is an employee, whose account is ours")]
    DeletedEmployee,
    /// A booking of a launch that does not fly.
    #[error("the launch is cancelled, so nobody can have a seat on it")]
    LaunchCancelled,
    /// An address that only an erased person has.
    #[error("the document has an address that is kept for people who were erased")]
    Reserved,
    /// It cannot be understood.
    #[error("{0}")]
    Unreadable(Fault),
    /// The capacity would fall below the seats that are held.
    #[error("the capacity would be {capacity}, and bookings hold {seats} seats")]
    CapacityBelowSeats {
        /// As it would be.
        capacity: i64,
        /// Held by active bookings.
        seats: i64,
    },
    /// More seats are held than there are.
    #[error("oversold: bookings hold {seats} seats of {capacity}")]
    Oversold {
        /// As it is.
        capacity: i64,
        /// Held by active bookings.
        seats: i64,
    },
    /// A booking that does not fit.
    #[error("oversold: the booking needs {seats} seats and {free} are left")]
    NoSeats {
        /// That the booking needs.
        seats: i64,
        /// That are left for it.
        free: i64,
    },
    /// The launch would end before it starts.
    #[error("the end would not be after the start")]
    EndNotAfterStart,
    /// A second active booking.
    #[error("the customer has another active booking for this launch: {}", hex(.0))]
    SecondBooking(Id),
    /// A reference to nothing.
    #[error("{field} {} does not exist on the {side} side", hex(.id))]
    Dangling {
        /// The reference.
        field: &'static str,
        /// To what.
        id: Id,
        /// Where it is missing.
        side: Side,
    },
}

/// What a person may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// That side's values are written to the other.
    Take(Side),
    /// The deleted row is made again from the other side.
    Restore(Side),
    /// The row that is left is deleted too.
    Delete(Side),
    /// The launch gets this many seats.
    RaiseCapacity(i64),
    /// The launch gets so many seats more.
    AddSeats(i64),
    /// This booking gets no more than this many seats.
    FewerSeats(i64),
    /// Bookings of at least this many seats are cancelled.
    CancelSeats(i64),
    /// This booking is cancelled.
    CancelBooking,
    /// The bookings, or launches, that refer to the row are cancelled; then it can be deleted.
    CancelBookings,
    /// The row is put right where it is wrong, by hand.
    Correct(Side),
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Take(side) => write!(f, "take what the {side} side says"),
            Self::Restore(side) => write!(f, "make it again on the {side} side"),
            Self::Delete(side) => write!(f, "delete it on the {side} side too"),
            Self::RaiseCapacity(seats) => write!(f, "raise the capacity to {seats}"),
            Self::AddSeats(seats) => write!(f, "raise the capacity of the launch by {seats}"),
            Self::FewerSeats(seats) => write!(f, "let this booking have {seats}"),
            Self::CancelSeats(seats) => write!(f, "cancel bookings of {seats} seats"),
            Self::CancelBooking => f.write_str("cancel this booking"),
            Self::CancelBookings => f.write_str("cancel what refers to it"),
            Self::Correct(side) => write!(f, "correct it on the {side} side"),
        }
    }
}

impl Reason {
    /// Whether somebody must act now.
    pub const fn is_critical(&self) -> bool {
        matches!(self, Self::Oversold { .. } | Self::NoSeats { .. })
    }

    /// What a person may choose.
    pub fn proposals(&self) -> Vec<Proposal> {
        let either = || vec![Proposal::Take(Side::Document), Proposal::Take(Side::Relational)];
        match self {
            Self::BothChanged
            | Self::NeverAgreed
            | Self::TooClose
            | Self::Immutable
            | Self::PaymentRegression { .. } => either(),
            Self::Cancelled | Self::Role => vec![Proposal::Take(Side::Relational)],
            Self::NewAdmin | Self::Reserved => vec![Proposal::Correct(Side::Document)],
            Self::DeletedEmployee => {
                vec![Proposal::Restore(Side::Document), Proposal::Delete(Side::Relational)]
            }
            Self::DeletedBooked(gone) => vec![Proposal::Restore(*gone), Proposal::CancelBookings],
            Self::DeletedAndChanged(gone) | Self::DeletedPaid(gone) => {
                vec![Proposal::Restore(*gone), Proposal::Delete(gone.other())]
            }
            Self::Unreadable(fault) => vec![Proposal::Correct(fault.side)],
            Self::CapacityBelowSeats { capacity, seats } | Self::Oversold { capacity, seats } => {
                vec![Proposal::RaiseCapacity(*seats), Proposal::CancelSeats(seats - capacity)]
            }
            Self::NoSeats { seats, free } => {
                // Whether other bookings could make room is not known here.
                let fewer = (*free > 0).then_some(Proposal::FewerSeats(*free));
                let others = [Proposal::AddSeats(seats - free), Proposal::CancelBooking];
                fewer.into_iter().chain(others).collect()
            }
            Self::EndNotAfterStart => vec![Proposal::Correct(Side::Relational)],
            Self::SecondBooking(_) | Self::LaunchCancelled => vec![Proposal::CancelBooking],
            Self::Dangling { side, .. } => vec![Proposal::Restore(*side), Proposal::Correct(side.other())],
        }
    }
}

/// Something that a person decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What the change log calls it: a field, a group, or what of the whole row is wrong.
    pub topic: &'static str,
    /// The places in the mapping that it is about.
    pub fields: Vec<usize>,
    /// Why.
    pub reason: Reason,
    /// Nothing of the row is written until it is resolved.
    pub whole_row: bool,
}

/// What is to be done about one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Of what.
    pub entity: EntityType,
    /// What is done to each side.
    pub actions: Pair<Action>,
    /// Every field that is written, in the order of the change log.
    pub changes: Vec<Change>,
    /// What waits for a person, in the order of the change log.
    pub conflicts: Vec<Conflict>,
    /// What is known afterwards, when both sides were seen to hold it.
    pub history: History,
    /// It is missing on this side, and not yet for as long as it takes to believe it.
    pub waits: Option<Side>,
}

impl Plan {
    /// That nothing is to be done.
    pub fn nothing(mapping: &Mapping, history: History) -> Self {
        Self {
            entity: mapping.entity,
            actions: Pair::default(),
            changes: Vec::new(),
            conflicts: Vec::new(),
            history,
            waits: None,
        }
    }

    /// Whether neither side is written.
    pub fn is_quiet(&self) -> bool {
        self.actions == Pair::default()
    }

    /// The changes that discard what somebody set: they are logged even when nobody asked.
    pub fn overrides(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.overridden)
    }

    /// Where a side that now holds `record` stands.
    pub fn standing(&self, side: Side, record: Option<&Record>) -> Standing {
        self.actions.of(side).standing(record)
    }

    /// The document's fields to set, in the types that `current` has; all of them when the document is new. A null of
    /// a new document is left out.
    pub fn document_fields(&self, mapping: &Mapping, current: &Document) -> Document {
        let mut fields = Document::new();
        match &self.actions.document {
            Action::Keep | Action::Delete(_) => {}
            Action::Update(writes) => writes.iter().for_each(|write| {
                fields.insert(write.place, codec::to_bson(&write.after, current.get(write.place)));
            }),
            Action::Create(made) => {
                let places = mapping.fields().iter().map(|field| field.document);
                for (path, value) in places.zip(made.values()).filter(|(_, value)| !value.is_blank()) {
                    path.and_then(|path| fields.insert(path, codec::to_bson(value, None)));
                }
            }
        }
        fields
    }

    /// The columns to set; all of them when the row is new.
    pub fn columns(&self, mapping: &Mapping, links: &Links) -> Columns {
        let column = |index: usize, value: &Value| {
            let field = &mapping.fields()[index];
            Some((field.relational?, codec::to_column(field, value, links)))
        };
        match &self.actions.relational {
            Action::Keep | Action::Delete(_) => Columns::new(),
            Action::Update(writes) => {
                writes.iter().filter_map(|write| column(write.index, &write.after)).collect()
            }
            Action::Create(made) => {
                made.values().iter().enumerate().filter_map(|(index, value)| column(index, value)).collect()
            }
        }
    }

    /// What a side that holds `record` holds afterwards.
    pub fn after(&self, side: Side, record: Option<Record>) -> Option<Record> {
        match self.actions.of(side) {
            Action::Keep => record,
            Action::Create(made) => Some(made.clone()),
            Action::Delete(_) => None,
            Action::Update(writes) => writes
                .iter()
                .fold(record, |record, write| Some(record?.with(write.index, write.after.clone()))),
        }
    }
}
