//! Launches: what people book. The documents also call them events; `/events` is the same resource.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    ids::{BookingId, LaunchId, UserId},
    money::Money,
    paging::{list_query, page_of},
    vocabulary::{CapacityOperation, LaunchStatus},
};

/// A launch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Launch {
    /// Its id.
    pub id: LaunchId,
    /// The supplier that sells it.
    pub host_id: UserId,
    /// What it is called.
    pub title: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it lifts off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub venue: Option<String>,
    /// Its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// When it starts.
    pub start_date_time: DateTime<Utc>,
    /// When it ends.
    pub end_date_time: DateTime<Utc>,
    /// Seats in all.
    pub capacity: u32,
    /// Seats that active bookings hold.
    pub number_of_attendees: u32,
    /// Seats that are left.
    pub available_tickets: u32,
    /// Of one seat.
    pub price: Money,
    /// When the sale starts; on sale at once when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sales_start_at: Option<DateTime<Utc>>,
    /// Where it stands.
    pub status: LaunchStatus,
    /// False hides it from the public list and closes its sale.
    pub is_active: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// POST /launches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewLaunch {
    /// One line, at most 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub title: String,
    /// At most 5,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 5_000)]
    pub description: Option<String>,
    /// One line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub venue: Option<String>,
    /// One line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub category: Option<String>,
    /// In the future.
    pub start_date_time: DateTime<Utc>,
    /// After the start.
    pub end_date_time: DateTime<Utc>,
    /// 1 to 1,000,000.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub capacity: u32,
    /// Of one seat; 0 unless said.
    #[serde(default)]
    pub price: Money,
    /// Before the end; on sale at once when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sales_start_at: Option<DateTime<Utc>>,
    /// The supplier: only when an operator makes it, and then required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_id: Option<UserId>,
}

/// PUT /launches/{id}: what is absent stays; `null` empties what may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EditLaunch {
    /// One line, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub title: Option<String>,
    /// At most 5,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 5_000)]
    pub description: Option<Option<String>>,
    /// One line.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    pub venue: Option<Option<String>>,
    /// One line.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    pub category: Option<Option<String>>,
    /// In the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_date_time: Option<DateTime<Utc>>,
    /// After the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_date_time: Option<DateTime<Utc>>,
    /// Not below the seats that are held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub capacity: Option<u32>,
    /// Of one seat; bookings that exist keep their amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// `null`: on sale at once.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub sales_start_at: Option<Option<DateTime<Utc>>>,
}

/// Tells `null` from absent.
#[expect(clippy::option_option, reason = "absent leaves a field, null empties it, a value replaces it")]
pub(crate) fn given<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// DELETE /launches/{id}; the body may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelLaunch {
    /// Told to everybody who had booked; one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub reason: Option<String>,
}

list_query! {
    /// GET /launches: by start, the next first unless `order=desc`.
    LaunchQuery {
        /// Starting at or after this time.
        from: DateTime<Utc>,
        /// Starting at or before this time.
        to: DateTime<Utc>,
        /// Of this supplier.
        #[param(value_type = Option<String>)]
        host_id: UserId,
        /// Of this category, whatever the case.
        category: String,
        /// With this text in title, description or venue, whatever the case.
        q: String,
        /// With this status.
        #[param(value_type = Option<String>)]
        status: LaunchStatus,
        /// `true`: bookable now, with seats left; `false`: the others.
        available: bool,
        /// `date` (startDateTime), the default; `title`, `createdAt`, `occupancy`.
        sort: String,
    }
}

page_of! {
    /// The answer to GET /launches.
    LaunchPage { launches: Launch }
}

page_of! {
    /// The answer to GET /events: the same rows under the documents' other name.
    EventPage { events: Launch }
}

/// One change of the seats that are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityChange {
    /// Its id.
    pub id: Uuid,
    /// The launch.
    pub launch_id: LaunchId,
    /// Seats taken or given back.
    pub operation: CapacityOperation,
    /// How many.
    pub quantity: u32,
    /// The booking that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booking_id: Option<BookingId>,
    /// When.
    pub timestamp: DateTime<Utc>,
}

list_query! {
    /// GET /launches/{id}/capacity-log: newest first unless `order=asc`.
    CapacityLogQuery {}
}

page_of! {
    /// The answer to GET /launches/{id}/capacity-log.
    CapacityLogPage { changes: CapacityChange }
}
