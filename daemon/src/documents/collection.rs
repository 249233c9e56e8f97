//! The five collections: their names, indexes and validators, as the entity-relationship document has them.
//!
//! Limits: `users.lockedUntil` is a plain index although the document calls it TTL: a TTL there would delete the user,
//! not the lock. The unique index of active bookings needs MongoDB 6.0 (`$in` in a partial filter).

use bson::{Document, doc};

/// One collection of the customer document database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Collection {
    /// People, with their password hashes: see who may read an export.
    Users,
    /// Devices that are signed in.
    Sessions,
    /// What people book; our word is launch.
    Events,
    /// Seats of a person on an event.
    Bookings,
    /// Seats taken and given back.
    EventCapacityLogs,
}

/// An index as MongoDB describes it.
pub struct Index {
    /// Paths, each ascending (1) or descending (-1).
    pub keys: &'static [(&'static str, i32)],
    /// What it is for besides speed.
    pub kind: IndexKind,
}

/// What an index does besides being fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexKind {
    /// Nothing.
    Plain,
    /// Two documents may not share the values.
    Unique,
    /// Two documents with an active status may not share the values.
    UniqueWhileActive,
    /// Documents go so many seconds after the time at the path.
    Expires(u32),
}

/// A booking with one of these takes seats.
pub const ACTIVE: [&str; 2] = ["confirmed", "pending"];
/// How long the capacity log is kept.
pub const CAPACITY_LOG_SECONDS: u32 = 365 * 24 * 3600;

const fn index(keys: &'static [(&'static str, i32)], kind: IndexKind) -> Index {
    Index { keys, kind }
}

use IndexKind::{Expires, Plain, Unique, UniqueWhileActive};

impl Collection {
    /// All of them, in the order in which they refer to each other.
    pub const ALL: [Self; 5] =
        [Self::Users, Self::Sessions, Self::Events, Self::Bookings, Self::EventCapacityLogs];

    /// The name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Sessions => "sessions",
            Self::Events => "events",
            Self::Bookings => "bookings",
            Self::EventCapacityLogs => "eventcapacitylogs",
        }
    }

    /// The collection with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|collection| collection.name() == name)
    }

    /// Where a document says when it last changed.
    pub const fn changed_at(self) -> &'static str {
        match self {
            Self::EventCapacityLogs => "timestamp",
            _ => "updatedAt",
        }
    }

    /// When a document may go by itself: the path of a time, and so many seconds after it.
    pub fn expires(self) -> Option<(&'static str, u32)> {
        self.indexes().iter().find_map(|index| match index.kind {
            Expires(seconds) => Some((index.keys[0].0, seconds)),
            _ => None,
        })
    }

    /// Its indexes, without the one on `_id`.
    pub const fn indexes(self) -> &'static [Index] {
        match self {
            Self::Users => {
                const {
                    &[
                        index(&[("email", 1)], Unique),
                        index(&[("email", 1), ("isActive", 1)], Plain),
                        index(&[("lockedUntil", 1)], Plain),
                        index(&[("updatedAt", 1), ("_id", 1)], Plain),
                    ]
                }
            }
            Self::Sessions => {
                const {
                    &[
                        index(&[("sessionId", 1)], Unique),
                        index(&[("refreshToken", 1)], Unique),
                        index(&[("userId", 1), ("isRevoked", 1)], Plain),
                        index(&[("expiresAt", 1)], Expires(0)),
                        index(&[("updatedAt", 1), ("_id", 1)], Plain),
                    ]
                }
            }
            Self::Events => {
                const {
                    &[
                        index(&[("isActive", 1), ("category", 1), ("dateTime", 1)], Plain),
                        index(&[("organizerId", 1)], Plain),
                        index(&[("updatedAt", 1), ("_id", 1)], Plain),
                    ]
                }
            }
            Self::Bookings => {
                const {
                    &[
                        index(&[("eventId", 1), ("status", 1)], Plain),
                        index(&[("userId", 1), ("status", 1)], Plain),
                        index(&[("bookingDate", -1)], Plain),
                        index(&[("status", 1), ("paymentStatus", 1)], Plain),
                        index(&[("userId", 1), ("eventId", 1)], UniqueWhileActive),
                        index(&[("updatedAt", 1), ("_id", 1)], Plain),
                    ]
                }
            }
            Self::EventCapacityLogs => {
                const {
                    &[
                        index(&[("eventId", 1), ("timestamp", -1)], Plain),
                        index(&[("timestamp", 1)], Expires(CAPACITY_LOG_SECONDS)),
                        index(&[("timestamp", 1), ("_id", 1)], Plain),
                    ]
                }
            }
        }
    }

    /// What a document should look like. MongoDB warns in its log about others (validationAction warn) and takes them.
    pub fn validator(self) -> Document {
        let text = || doc! { "bsonType": "string" };
        let or_null = |kind: &str| doc! { "bsonType": [kind, "null"] };
        let time = || doc! { "bsonType": "date" };
        let number = |least: i32| doc! { "bsonType": "number", "minimum": least };
        let id = || doc! { "bsonType": "objectId" };
        let yes_no = || doc! { "bsonType": "bool" };
        let one_of = |words: &[&str]| doc! { "enum": words.to_vec() };
        let (required, mut properties) = match self {
            Self::Users => (
                vec!["email", "password", "name", "role"],
                doc! {
                    "email": { "bsonType": "string", "pattern": "^[^A-Z]+$" }, "password": text(), "name": text(),
                    "role": one_of(&["user", "admin"]), "isActive": yes_no(), "lastLoginAt": or_null("date"),
                    "failedLoginAttempts": number(0), "lockedUntil": or_null("date"),
                },
            ),
            Self::Sessions => (
                vec!["userId", "sessionId", "refreshToken", "expiresAt"],
                doc! {
                    "userId": id(), "sessionId": text(), "refreshToken": text(),
                    "deviceInfo": { "bsonType": ["object", "null"] }, "expiresAt": time(), "isRevoked": yes_no(),
                },
            ),
            Self::Events => (
                vec!["name", "dateTime", "capacity", "availableTickets", "price", "organizerId"],
                doc! {
                    "name": text(), "description": or_null("string"), "venue": or_null("string"),
                    "dateTime": time(), "capacity": number(0), "availableTickets": number(0), "price": number(0),
                    "category": or_null("string"), "organizerId": id(), "isActive": yes_no(),
                },
            ),
            Self::Bookings => (
                vec!["eventId", "userId", "ticketQuantity", "totalAmount", "status", "paymentStatus"],
                doc! {
                    "eventId": id(), "userId": id(), "ticketQuantity": number(1), "totalAmount": number(0),
                    "status": one_of(&["confirmed", "cancelled", "pending"]), "bookingDate": time(),
                    "paymentStatus": one_of(&["paid", "pending", "failed", "refunded"]),
                    "paymentMethod": {
                        "enum": ["credit_card", "debit_card", "paypal", "stripe", "cash", bson::Bson::Null],
                    },
                    "paymentTransactionId": or_null("string"), "cancellationReason": or_null("string"),
                    "cancelledAt": or_null("date"),
                },
            ),
            Self::EventCapacityLogs => (
                vec!["eventId", "operation", "quantity", "timestamp"],
                doc! {
                    "eventId": id(), "operation": one_of(&["reserve", "release"]), "quantity": number(1),
                    "timestamp": time(), "bookingId": or_null("objectId"),
                },
            ),
        };
        if self != Self::EventCapacityLogs {
            properties.extend(doc! { "createdAt": time(), "updatedAt": time() });
        }
        doc! { "$jsonSchema": { "bsonType": "object", "required": required, "properties": properties } }
    }
}

impl Index {
    /// The name that MongoDB would give it: `email_1_isActive_1`.
    pub fn name(&self) -> String {
        let parts: Vec<String> = self.keys.iter().map(|(path, order)| format!("{path}_{order}")).collect();
        parts.join("_")
    }
}
