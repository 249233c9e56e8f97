//! `payments`, one row per attempt to pay a booking, and `payment_events`, the webhooks that were seen.
//!
//! Every change of a payment is made by a transaction that has locked its booking.

use astrops_api::{
    bookings::Payment,
    ids::BookingId,
    money::Money,
    vocabulary::{PaymentState, Provider},
};
use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::db::{Tx, on};

/// Bookings per statement.
const BATCH: usize = 500;

/// A payment as it is stored.
#[derive(Clone, Debug)]
pub struct StoredPayment {
    /// Its id, from which the idempotency keys are made.
    pub id: Uuid,
    /// What it pays.
    pub booking: BookingId,
    /// Who moves the money.
    pub provider: Provider,
    /// The provider's id; none until it has answered.
    pub intent: Option<String>,
    /// How much.
    pub amount: Money,
    /// ISO 4217 in lower case.
    pub currency: String,
    /// Where it stands.
    pub status: PaymentState,
    /// The provider's payment method, such as `pm_card_visa`.
    pub method: String,
    /// Why it was refused, in the provider's code.
    pub error_code: Option<String>,
    /// Why it was refused, in words.
    pub error_text: Option<String>,
    /// Where the customer confirms.
    pub action_url: Option<String>,
    /// The provider's id of the refund.
    pub refund: Option<String>,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    booking_id: Uuid,
    #[sqlx(try_from = "String")]
    provider: Provider,
    intent: Option<String>,
    amount: i64,
    currency: String,
    #[sqlx(try_from = "String")]
    status: PaymentState,
    method: Option<String>,
    error_code: Option<String>,
    error_text: Option<String>,
    action_url: Option<String>,
    refund: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for StoredPayment {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            booking: BookingId(row.booking_id),
            provider: row.provider,
            intent: row.intent,
            amount: Money::of_minor(row.amount).unwrap_or_default(),
            currency: row.currency,
            status: row.status,
            method: row.method.unwrap_or_default(),
            error_code: row.error_code,
            error_text: row.error_text,
            action_url: row.action_url,
            refund: row.refund,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl StoredPayment {
    /// As the API shows it; `method` is the method's public name.
    pub fn view(self, method: String) -> Payment {
        Payment {
            id: self.id,
            provider: self.provider,
            intent: self.intent,
            amount: self.amount,
            currency: self.currency,
            status: self.status,
            method: Some(method).filter(|name| !name.is_empty()),
            error_code: self.error_code,
            error: self.error_text,
            refund: self.refund,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

macro_rules! select {
    () => {
        "SELECT id, booking_id, provider, intent, amount, currency, status, method, error_code, error_text, action_url, \
                refund, created_at, updated_at FROM payments"
    };
}

/// Stores a payment that is begun.
pub async fn insert(tx: &mut Tx, new: &StoredPayment) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "INSERT INTO payments (id, booking_id, provider, amount, currency, status, method, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        )
        .bind(new.id)
        .bind(new.booking.0)
        .bind(new.provider.as_str())
        .bind(new.amount.minor())
        .bind(&new.currency)
        .bind(new.status.as_str())
        .bind(&new.method)
        .bind(new.created_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// One payment.
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<StoredPayment>, sqlx::Error> {
    let row: Option<Row> = on!(tx, |conn| {
        sqlx::query_as(concat!(select!(), " WHERE id = $1")).bind(id).fetch_optional(conn).await
    })?;
    Ok(row.map(StoredPayment::from))
}

/// The payment that the provider calls `intent`.
pub async fn by_intent(
    tx: &mut Tx,
    provider: Provider,
    intent: &str,
) -> Result<Option<StoredPayment>, sqlx::Error> {
    let row: Option<Row> = on!(tx, |conn| {
        sqlx::query_as(concat!(select!(), " WHERE provider = $1 AND intent = $2"))
            .bind(provider.as_str())
            .bind(intent)
            .fetch_optional(conn)
            .await
    })?;
    Ok(row.map(StoredPayment::from))
}

/// The payment of a booking that waits, or that has paid it.
pub async fn open_of(tx: &mut Tx, booking: BookingId) -> Result<Option<StoredPayment>, sqlx::Error> {
    let row: Option<Row> = on!(tx, |conn| {
        sqlx::query_as(concat!(
            select!(),
            " WHERE booking_id = $1 AND status IN ('pending', 'requires_action', 'paid')"
        ))
        .bind(booking.0)
        .fetch_optional(conn)
        .await
    })?;
    Ok(row.map(StoredPayment::from))
}

/// Every attempt to pay a booking, oldest first.
pub async fn of_booking(tx: &mut Tx, booking: BookingId) -> Result<Vec<StoredPayment>, sqlx::Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        sqlx::query_as(concat!(select!(), " WHERE booking_id = $1 ORDER BY id"))
            .bind(booking.0)
            .fetch_all(conn)
            .await
    })?;
    Ok(rows.into_iter().map(StoredPayment::from).collect())
}

/// Up to `limit` payments behind `after` that wait and were begun before `before`, oldest first.
pub async fn waiting(
    tx: &mut Tx,
    before: DateTime<Utc>,
    after: Uuid,
    limit: i64,
) -> Result<Vec<StoredPayment>, sqlx::Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        sqlx::query_as(concat!(
            select!(),
            " WHERE status IN ('pending', 'requires_action') AND created_at < $1 AND id > $2 ORDER BY id LIMIT $3"
        ))
        .bind(before)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await
    })?;
    Ok(rows.into_iter().map(StoredPayment::from).collect())
}

/// Writes all of a payment that can change.
pub async fn update(tx: &mut Tx, payment: &StoredPayment) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "UPDATE payments SET status = $2, intent = $3, error_code = $4, error_text = $5, action_url = $6, refund = $7,
                    updated_at = $8
              WHERE id = $1",
        )
        .bind(payment.id)
        .bind(payment.status.as_str())
        .bind(&payment.intent)
        .bind(&payment.error_code)
        .bind(&payment.error_text)
        .bind(&payment.action_url)
        .bind(&payment.refund)
        .bind(payment.updated_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Marks what was paid for `bookings`, which the transaction has locked, to go back; answers those payments.
pub async fn begin_refunds(
    tx: &mut Tx,
    bookings: &[BookingId],
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let mut payments = Vec::new();
    for batch in bookings.chunks(BATCH) {
        let ids: Vec<Uuid> = on!(tx, |conn| {
            let mut query =
                QueryBuilder::<DB>::new("UPDATE payments SET status = 'refunding', updated_at = ");
            query.push_bind(now).push(" WHERE status = 'paid' AND booking_id IN (");
            let mut list = query.separated(", ");
            for id in batch {
                list.push_bind(id.0);
            }
            query.push(") RETURNING id").build_query_scalar().fetch_all(conn).await
        })?;
        payments.extend(ids);
    }
    Ok(payments)
}

/// Remembers a webhook; false when it was seen before.
pub async fn see_event(
    tx: &mut Tx,
    provider: Provider,
    event: &str,
    kind: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    on!(tx, |conn| {
        let seen = sqlx::query(
            "INSERT INTO payment_events (provider, event_id, kind, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        )
        .bind(provider.as_str())
        .bind(event)
        .bind(kind)
        .bind(now)
        .execute(conn)
        .await?;
        Ok(seen.rows_affected() == 1)
    })
}

/// Forgets up to `limit` webhooks that came before `before`; answers how many.
pub async fn prune_events(tx: &mut Tx, before: DateTime<Utc>, limit: i64) -> Result<u64, sqlx::Error> {
    on!(tx, |conn| {
        let deleted = sqlx::query(
            "DELETE FROM payment_events WHERE (provider, event_id) IN
               (SELECT provider, event_id FROM payment_events WHERE at < $1 LIMIT $2)",
        )
        .bind(before)
        .bind(limit)
        .execute(conn)
        .await?;
        Ok(deleted.rows_affected())
    })
}
