//! Bookings: seats of a launch that are held for a customer, and their payment.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Secret,
    ids::{BookingId, LaunchId, UserId},
    launches::CapacityChange,
    money::Money,
    paging::{list_query, page_of},
    vocabulary::{BookingStatus, PaymentMethod, PaymentState, PaymentStatus, Provider},
};

/// A booking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Booking {
    /// Its id.
    pub id: BookingId,
    /// The launch.
    pub launch_id: LaunchId,
    /// The customer.
    pub user_id: UserId,
    /// The launch in short.
    pub launch: BookedLaunch,
    /// The customer in short.
    pub user: Attendee,
    /// Seats, 1 or more.
    pub ticket_quantity: u32,
    /// Seats times price at the time of booking.
    pub total_amount: Money,
    /// Where it stands.
    pub status: BookingStatus,
    /// When it was made.
    pub booking_date: DateTime<Utc>,
    /// Where its payment stands.
    pub payment_status: PaymentStatus,
    /// How it was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<PaymentMethod>,
    /// The provider's reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_transaction_id: Option<String>,
    /// Why it was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellation_reason: Option<String>,
    /// When it was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_at: Option<DateTime<Utc>>,
    /// When the row was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a booking says of its launch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BookedLaunch {
    /// What it is called.
    pub title: String,
    /// When it starts.
    pub start_date_time: DateTime<Utc>,
}

/// What a booking says of its customer: a supplier sees the name, the customer and employees the address too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attendee {
    /// The user.
    pub id: UserId,
    /// What to call the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The address; masked for viewers, absent for suppliers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// GET /bookings/{id}: the booking with its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BookingDetail {
    /// The booking.
    #[serde(flatten)]
    pub booking: Booking,
    /// Every attempt to pay it, oldest first.
    pub payments: Vec<Payment>,
    /// The seats it took and gave back, oldest first.
    pub capacity_log: Vec<CapacityChange>,
}

/// POST /bookings: `launchId`, or `eventId` as the documents say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewBooking {
    /// The launch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_id: Option<LaunchId>,
    /// The launch, under its other name; one of the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<LaunchId>,
    /// Seats; 1 unless said.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 1_000_000, default = 1)]
    pub ticket_quantity: u32,
    /// The customer: only when an operator books, and then required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
}

const fn one() -> u32 {
    1
}

/// DELETE /bookings/{id}; the body may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelBooking {
    /// Why; one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub reason: Option<String>,
}

list_query! {
    /// GET /bookings: newest first unless `order=asc`.
    BookingQuery {
        /// With this status.
        #[param(value_type = Option<String>)]
        status: BookingStatus,
        /// With this payment status.
        #[param(value_type = Option<String>)]
        payment_status: PaymentStatus,
        /// Of this launch.
        #[param(value_type = Option<String>)]
        launch_id: LaunchId,
        /// Of this launch, under its other name.
        #[param(value_type = Option<String>)]
        event_id: LaunchId,
        /// Of this customer.
        #[param(value_type = Option<String>)]
        user_id: UserId,
        /// Booked at or after this time.
        from: DateTime<Utc>,
        /// Booked at or before this time.
        to: DateTime<Utc>,
        /// With this text in the launch's title, the customer's name or address, or the payment reference.
        q: String,
        /// `date` (bookingDate), the default; `amount`, `seats`.
        sort: String,
    }
}

page_of! {
    /// The answer to GET /bookings and GET /launches/{id}/bookings.
    BookingPage { bookings: Booking }
}

/// POST /bookings/{id}/payment: a published test card, or a payment method of the provider.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pay {
    /// The number of a published Stripe test card, and no other number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 30)]
    pub card: Option<Secret>,
    /// Such as `pm_card_visa`; one of the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub payment_method_id: Option<String>,
}

/// The answer to [`Pay`]: 200 when it is paid, 202 when the customer or the provider has to do something first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Paid {
    /// The booking as it is now.
    pub booking: Booking,
    /// This attempt.
    pub payment: Payment,
    /// What the customer has to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_action: Option<NextAction>,
}

/// What a customer has to do before a payment goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextAction {
    /// `redirect`: open `url` and confirm (3-D Secure). `use_stripe_sdk`: Stripe's script in the customer's browser asks.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// One attempt to pay a booking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// Its id.
    pub id: Uuid,
    /// Who moves the money.
    pub provider: Provider,
    /// The provider's reference; absent until it has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// How much.
    pub amount: Money,
    /// ISO 4217 in lower case.
    pub currency: String,
    /// Where it stands.
    pub status: PaymentState,
    /// The card's or method's public name, such as `visa 4242`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Why it was refused, in the provider's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// Why it was refused, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The provider's reference of the refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<String>,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}
