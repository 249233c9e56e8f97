//! Which document field is which column, how both are read, and who wins. One table per entity; decoding, merging, the
//! change log, digests and the API's mapping page all go by it.
//!
//! To add a field: one line. Members of a group stand next to each other: they are decided together.

use std::{collections::BTreeMap, fmt, ops::Range, str::FromStr};

use astrops_api::vocabulary::{BookingStatus, EntityType, PaymentMethod, PaymentStatus, Role, UnknownWord};

/// Who wins when a field differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The document: a change on the relational side alone is put back.
    DocAlways,
    /// The relational row: a change of the document alone is put back.
    RelAlways,
    /// Whoever changed; the document when both did. Nothing never overwrites something then.
    DocPrefer,
    /// Whoever changed; the relational row when both did. Nothing never overwrites something then.
    RelPrefer,
    /// Whoever changed; the row that was updated later by more than this when both did, else a person.
    Newest {
        /// Clocks of two databases differ by less than this, in milliseconds.
        threshold: i64,
    },
    /// Whoever changed; a person when both did.
    Manual,
    /// Computed from other rows or fields; never merged.
    Derived,
    /// Neither compared nor written.
    Ignore,
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DocAlways => "doc_always",
            Self::RelAlways => "rel_always",
            Self::DocPrefer => "doc_prefer",
            Self::RelPrefer => "rel_prefer",
            Self::Manual => "manual",
            Self::Derived => "derived",
            Self::Ignore => "ignore",
            Self::Newest { threshold } => return write!(f, "newest:{}", threshold / 1000),
        })
    }
}

impl FromStr for Authority {
    type Err = BadAuthority;

    fn from_str(text: &str) -> Result<Self, BadAuthority> {
        let bad = || BadAuthority(text.chars().take(40).collect());
        Ok(match text {
            "doc_always" => Self::DocAlways,
            "rel_always" => Self::RelAlways,
            "doc_prefer" => Self::DocPrefer,
            "rel_prefer" => Self::RelPrefer,
            "manual" => Self::Manual,
            "ignore" => Self::Ignore,
            _ => {
                let seconds = text.strip_prefix("newest:").ok_or_else(bad)?;
                let seconds: u32 = seconds.parse().map_err(|_| bad())?;
                Self::Newest { threshold: i64::from(seconds) * 1000 }
            }
        })
    }
}

/// A text that is no authority that may be configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not one of: doc_always, rel_always, doc_prefer, rel_prefer, newest:SECONDS, manual, ignore"
)]
pub struct BadAuthority(pub String);

/// What a field is, and how it is read on both sides.
#[derive(Clone, Copy, Debug)]
pub enum Codec {
    /// A text; blank is null.
    Text,
    /// An e-mail address, trimmed and in lower case.
    Email,
    /// A time: a BSON date, a timestamp.
    Time,
    /// An amount: a number, minor units.
    Money,
    /// A whole number within these bounds.
    Int {
        /// The smallest.
        least: i64,
        /// The largest.
        most: i64,
    },
    /// Yes or no.
    Bool,
    /// A reference: an `ObjectId`, a UUID.
    Id,
    /// A word; synonyms are understood.
    Word {
        /// The canonical word, which the documents use too.
        read: fn(&str) -> Result<&'static str, UnknownWord>,
        /// How the relational side writes it.
        relational: fn(&'static str) -> &'static str,
    },
}

/// What it means that a field is missing or null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// It is null.
    Null,
    /// The row cannot be understood.
    Refused,
    /// Yes, as the document schema's default says.
    True,
}

/// One canonical field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in the API.
    pub name: &'static str,
    /// What the change log calls it.
    pub label: &'static str,
    /// In the document; `None`: the documents do not have it.
    pub document: Option<&'static str>,
    /// The column; `None`: the relational side does not have it.
    pub relational: Option<&'static str>,
    /// How it is read.
    pub codec: Codec,
    /// Who wins unless configured otherwise.
    pub authority: Authority,
    /// Decided together with its neighbours of the same group.
    pub group: Option<&'static str>,
    /// When it is not there.
    pub absent: Absent,
    /// It never changes: a difference is a conflict.
    pub immutable: bool,
    /// The authority is a rule of safety and cannot be configured.
    pub pinned: bool,
    /// A text has at most so many bytes.
    pub most: usize,
    /// The relational value counts as "no" while this column holds this word.
    pub hidden_by: Option<(&'static str, &'static str)>,
}

impl Field {
    const fn new(
        name: &'static str,
        document: &'static str,
        relational: &'static str,
        codec: Codec,
        authority: Authority,
    ) -> Self {
        let (document, relational) = (Some(document), Some(relational));
        let (group, absent, hidden_by) = (None, Absent::Null, None);
        let (immutable, pinned, most) = (false, false, LONGEST);
        Self {
            name,
            label: name,
            document,
            relational,
            codec,
            authority,
            group,
            absent,
            immutable,
            pinned,
            most,
            hidden_by,
        }
    }

    /// What an index holds has to be short.
    const fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    const fn label(self, label: &'static str) -> Self {
        Self { label, ..self }
    }

    const fn required(self) -> Self {
        Self { absent: Absent::Refused, ..self }
    }

    const fn or_true(self) -> Self {
        Self { absent: Absent::True, ..self }
    }

    const fn group(self, group: &'static str) -> Self {
        Self { group: Some(group), ..self }
    }

    const fn immutable(self) -> Self {
        Self { immutable: true, pinned: true, ..self }
    }

    const fn pinned(self) -> Self {
        Self { pinned: true, ..self }
    }

    const fn document_only(self) -> Self {
        Self { relational: None, pinned: true, ..self }
    }

    const fn relational_only(self) -> Self {
        Self { document: None, pinned: true, ..self }
    }

    const fn hidden_by(self, column: &'static str, word: &'static str) -> Self {
        Self { hidden_by: Some((column, word)), ..self }
    }

    /// Whether both sides have it.
    pub const fn is_shared(&self) -> bool {
        self.document.is_some() && self.relational.is_some()
    }

    /// What a conflict of it is called: the group when it has one.
    pub const fn topic(&self) -> &'static str {
        match self.group {
            Some(group) => group,
            None => self.label,
        }
    }
}

/// Nobody can send our API a longer text, so a side that holds one was written by something else.
const LONGEST: usize = 64 * 1024;
const SEATS: Codec = Codec::Int { least: 1, most: 1_000_000 };
/// A counter is shown as it is, however wrong, and put right.
const COUNTER: Codec = Codec::Int { least: i64::MIN, most: i64::MAX };
const STATUS: Codec = Codec::Word { read: |text| text.parse().map(BookingStatus::as_str), relational: same };
const PAYMENT: Codec = Codec::Word { read: |text| text.parse().map(PaymentStatus::as_str), relational: same };
const METHOD: Codec = Codec::Word { read: |text| text.parse().map(PaymentMethod::as_str), relational: same };
/// The documents know users and admins. Whoever is new as a user is a customer: nobody becomes more by a document.
const ROLE: Codec = Codec::Word {
    read: |text| {
        text.parse().map(|role| match role {
            Role::Customer | Role::Supplier => "user",
            Role::Employee => "admin",
        })
    },
    relational: |word| if word == "admin" { Role::Employee.as_str() } else { Role::Customer.as_str() },
};

const fn same(word: &'static str) -> &'static str {
    word
}

use Authority::{Derived, DocAlways, DocPrefer, Manual, RelAlways, RelPrefer};
use Codec::{Bool, Email, Id, Money, Text, Time};

static LAUNCH: &[Field] = &[
    Field::new("title", "name", "title", Text, RelPrefer).required(),
    Field::new("description", "description", "description", Text, RelPrefer),
    Field::new("venue", "venue", "venue", Text, RelPrefer),
    Field::new("category", "category", "category", Text, RelPrefer).at_most(1_000),
    Field::new("date", "dateTime", "starts_at", Time, RelAlways).required(),
    Field::new("end", "", "ends_at", Time, Derived).required().relational_only(),
    Field::new("capacity", "capacity", "capacity", SEATS, RelAlways).required(),
    Field::new("price", "price", "price", Money, RelAlways).required(),
    Field::new("organizer", "organizerId", "host_id", Id, RelAlways).required(),
    Field::new("isActive", "isActive", "is_active", Bool, Manual)
        .label("active")
        .or_true()
        .hidden_by("status", "cancelled"),
    Field::new("availableTickets", "availableTickets", "", COUNTER, Derived)
        .label("available tickets")
        .document_only(),
    Field::new("numberOfAttendees", "", "number_of_attendees", COUNTER, Derived)
        .label("number of attendees")
        .relational_only(),
];

static BOOKING: &[Field] = &[
    Field::new("launch", "eventId", "launch_id", Id, Manual).required().immutable(),
    Field::new("user", "userId", "user_id", Id, Manual).required().immutable(),
    Field::new("bookingDate", "bookingDate", "booking_date", Time, Manual)
        .label("booking date")
        .required()
        .immutable(),
    Field::new("quantity", "ticketQuantity", "ticket_quantity", SEATS, DocAlways).required(),
    Field::new("amount", "totalAmount", "total_amount", Money, DocAlways).required(),
    Field::new("status", "status", "status", STATUS, DocPrefer).required().group("status"),
    Field::new("cancellationReason", "cancellationReason", "cancellation_reason", Text, DocPrefer)
        .label("cancellation reason")
        .group("status"),
    Field::new("cancelledAt", "cancelledAt", "cancelled_at", Time, DocPrefer)
        .label("cancelled at")
        .group("status"),
    Field::new("paymentStatus", "paymentStatus", "payment_status", PAYMENT, DocPrefer)
        .label("payment status")
        .required()
        .group("payment"),
    Field::new("paymentMethod", "paymentMethod", "payment_method", METHOD, DocPrefer)
        .label("payment method")
        .group("payment"),
    Field::new("paymentTransactionId", "paymentTransactionId", "payment_transaction_id", Text, DocPrefer)
        .label("payment reference")
        .group("payment"),
];

static USER: &[Field] = &[
    Field::new("email", "email", "email", Email, RelPrefer).required().at_most(254),
    Field::new("name", "name", "name", Text, RelPrefer),
    Field::new("isActive", "isActive", "is_active", Bool, RelPrefer).label("active").or_true(),
    Field::new("role", "role", "role", ROLE, RelAlways).required().pinned(),
];

/// The table of an entity with the authorities that are in force.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Of what.
    pub entity: EntityType,
    fields: &'static [Field],
    authorities: Vec<Authority>,
}

/// Why a configured authority is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOverride {
    /// No such field.
    #[error("{entity} has no field {field:?}; its fields are: {fields}")]
    Unknown {
        /// Of what.
        entity: EntityType,
        /// As given.
        field: String,
        /// Those that there are.
        fields: String,
    },
    /// A rule of safety.
    #[error("the authority of {entity}.{field} is fixed: it is a rule of safety, not a preference")]
    Pinned {
        /// Of what.
        entity: EntityType,
        /// Which.
        field: &'static str,
    },
    /// Members of a group are decided together.
    #[error("{entity}.{field} belongs to the group {group}, whose authority is set twice; set it once")]
    Divided {
        /// Of what.
        entity: EntityType,
        /// Which.
        field: &'static str,
        /// Of which group.
        group: &'static str,
    },
}

impl Mapping {
    /// With the authorities of the tables above.
    pub fn of(entity: EntityType) -> Self {
        let fields = match entity {
            EntityType::Launch => LAUNCH,
            EntityType::Booking => BOOKING,
            EntityType::User => USER,
        };
        Self { entity, fields, authorities: fields.iter().map(|field| field.authority).collect() }
    }

    /// With other authorities, by field name. One for any member of a group is one for the group.
    pub fn with(entity: EntityType, overrides: &BTreeMap<String, Authority>) -> Result<Self, BadOverride> {
        let mut mapping = Self::of(entity);
        let mut groups: Vec<(&'static str, Authority)> = Vec::new();
        for (name, &authority) in overrides {
            let index = mapping.index(name).ok_or_else(|| BadOverride::Unknown {
                entity,
                field: name.chars().take(64).collect(),
                fields: mapping.fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", "),
            })?;
            let field = &mapping.fields[index];
            if field.pinned || authority == Authority::Derived {
                return Err(BadOverride::Pinned { entity, field: field.name });
            }
            if let Some(group) = field.group {
                if groups.iter().any(|&(other, already)| other == group && already != authority) {
                    return Err(BadOverride::Divided { entity, field: field.name, group });
                }
                groups.push((group, authority));
            }
            for member in mapping.unit_at(index) {
                mapping.authorities[member] = authority;
            }
        }
        Ok(mapping)
    }

    /// The fields, in the order of records.
    pub const fn fields(&self) -> &'static [Field] {
        self.fields
    }

    /// Where a field stands.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// Who wins at that place.
    pub fn authority(&self, index: usize) -> Authority {
        self.authorities[index]
    }

    /// Whether that place is compared: both sides have it and nobody ignores it.
    pub fn is_compared(&self, index: usize) -> bool {
        self.fields[index].is_shared()
            && !matches!(self.authorities[index], Authority::Derived | Authority::Ignore)
    }

    /// The places that are compared.
    pub fn compared(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.fields.len()).filter(|&index| self.is_compared(index))
    }

    /// What is decided together: a field, or a group.
    pub fn units(&self) -> Vec<Range<usize>> {
        let mut units: Vec<Range<usize>> = Vec::new();
        while let Some(unit) =
            Some(units.last().map_or(0, |unit| unit.end)).filter(|&at| at < self.fields.len())
        {
            units.push(self.unit_at(unit));
        }
        units
    }

    fn unit_at(&self, index: usize) -> Range<usize> {
        let Some(group) = self.fields[index].group else { return index..index + 1 };
        let member = |field: &Field| field.group == Some(group);
        let start = self.fields.iter().position(member).unwrap_or(index);
        start..start + self.fields[start..].iter().take_while(|field| member(field)).count()
    }

    /// In the order of the change log: capacity, price, date, then the table's.
    pub fn log_order(&self, index: usize) -> (usize, usize) {
        const FIRST: [&str; 3] = ["capacity", "price", "date"];
        let name = self.fields[index].name;
        (FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len()), index)
    }
}
