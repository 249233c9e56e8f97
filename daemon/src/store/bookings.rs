//! `bookings`: seats that are held for a customer.

use astrops_api::{
    bookings::{Attendee, BookedLaunch, Booking, BookingQuery},
    ids::{BookingId, LaunchId, UserId},
    money::Money,
    vocabulary::{BookingStatus, Order, PaymentMethod, PaymentStatus},
};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{LIKE, Slice, contains_pattern};
use crate::db::{Sql, Tx, on};

/// A booking with what its notices need to know.
pub struct StoredBooking {
    /// The booking, with the customer's address.
    pub booking: Booking,
    /// The supplier of its launch.
    pub host: UserId,
    /// Where the launch lifts off.
    pub venue: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    launch_id: Uuid,
    user_id: Uuid,
    ticket_quantity: i64,
    total_amount: i64,
    #[sqlx(try_from = "String")]
    status: BookingStatus,
    booking_date: DateTime<Utc>,
    #[sqlx(try_from = "String")]
    payment_status: PaymentStatus,
    payment_method: Option<String>,
    payment_transaction_id: Option<String>,
    cancellation_reason: Option<String>,
    cancelled_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    title: String,
    starts_at: DateTime<Utc>,
    venue: Option<String>,
    host_id: Uuid,
    name: Option<String>,
    email: String,
}

impl From<Row> for StoredBooking {
    fn from(row: Row) -> Self {
        let booking = Booking {
            id: BookingId(row.id),
            launch_id: LaunchId(row.launch_id),
            user_id: UserId(row.user_id),
            launch: BookedLaunch { title: row.title, start_date_time: row.starts_at },
            user: Attendee { id: UserId(row.user_id), name: row.name, email: Some(row.email) },
            ticket_quantity: u32::try_from(row.ticket_quantity).unwrap_or(u32::MAX),
            total_amount: Money::of_minor(row.total_amount).unwrap_or_default(),
            status: row.status,
            booking_date: row.booking_date,
            payment_status: row.payment_status,
            // The table's CHECK keeps the words.
            payment_method: row.payment_method.and_then(|word| word.parse().ok()),
            payment_transaction_id: row.payment_transaction_id,
            cancellation_reason: row.cancellation_reason,
            cancelled_at: row.cancelled_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        Self { booking, host: UserId(row.host_id), venue: row.venue }
    }
}

/// A booking with its launch and its customer; `b`, `l` and `u` are their tables.
macro_rules! select {
    () => {
        "SELECT b.id, b.launch_id, b.user_id, b.ticket_quantity, b.total_amount, b.status, b.booking_date, b.payment_status, \
                b.payment_method, b.payment_transaction_id, b.cancellation_reason, b.cancelled_at, b.created_at, b.updated_at, \
                l.title, l.starts_at, l.venue, l.host_id, u.name, u.email \
           FROM bookings b JOIN launches l ON l.id = b.launch_id JOIN users u ON u.id = b.user_id"
    };
}

/// A booking to be stored.
pub struct NewBooking {
    /// Its id.
    pub id: BookingId,
    /// The launch, locked by the transaction.
    pub launch: LaunchId,
    /// The customer.
    pub user: UserId,
    /// Seats.
    pub quantity: u32,
    /// Seats times price.
    pub amount: Money,
    /// `pending`, or `paid` when nothing is to be paid.
    pub payment_status: PaymentStatus,
    /// The start that nobody needs to be reminded of, because it is too near.
    pub reminded_for: Option<DateTime<Utc>>,
    /// Now.
    pub at: DateTime<Utc>,
}

/// Stores a confirmed booking.
pub async fn insert(tx: &mut Tx, new: &NewBooking) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "INSERT INTO bookings (id, launch_id, user_id, ticket_quantity, total_amount, status, booking_date, payment_status,
                                   reminded_for, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, 'confirmed', $6, $7, $8, $6, $6)",
        )
        .bind(new.id.0)
        .bind(new.launch.0)
        .bind(new.user.0)
        .bind(i64::from(new.quantity))
        .bind(new.amount.minor())
        .bind(new.at)
        .bind(new.payment_status.as_str())
        .bind(new.reminded_for)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// The active booking of `user` for `launch`.
pub async fn active_of(
    tx: &mut Tx,
    launch: LaunchId,
    user: UserId,
) -> Result<Option<BookingId>, sqlx::Error> {
    let id: Option<Uuid> = on!(tx, |conn| {
        sqlx::query_scalar(
            "SELECT id FROM bookings WHERE user_id = $1 AND launch_id = $2 AND status IN ('confirmed', 'pending')",
        )
        .bind(user.0)
        .bind(launch.0)
        .fetch_optional(conn)
        .await
    })?;
    Ok(id.map(BookingId))
}

/// One booking.
pub async fn find(tx: &mut Tx, id: BookingId) -> Result<Option<StoredBooking>, sqlx::Error> {
    let row: Option<Row> = on!(tx, |conn| {
        sqlx::query_as(concat!(select!(), " WHERE b.id = $1")).bind(id.0).fetch_optional(conn).await
    })?;
    Ok(row.map(StoredBooking::from))
}

const LOCK: Sql = Sql {
    sqlite: concat!(select!(), " WHERE b.id = $1"),
    postgres: concat!(select!(), " WHERE b.id = $1 FOR UPDATE OF b"),
};

/// One booking, held until the write transaction ends. Who also needs its launch locks that first.
pub async fn lock(tx: &mut Tx, id: BookingId) -> Result<Option<StoredBooking>, sqlx::Error> {
    let sql = tx.text(&LOCK);
    let row: Option<Row> = on!(tx, |conn| sqlx::query_as(sql).bind(id.0).fetch_optional(conn).await)?;
    Ok(row.map(StoredBooking::from))
}

const ACTIVE: Sql = Sql {
    sqlite: concat!(
        select!(),
        " WHERE b.launch_id = $1 AND b.status IN ('confirmed', 'pending') ORDER BY b.id"
    ),
    postgres: concat!(
        select!(),
        " WHERE b.launch_id = $1 AND b.status IN ('confirmed', 'pending') ORDER BY b.id FOR UPDATE OF b"
    ),
};

/// The active bookings of a launch, held until the write transaction ends.
pub async fn active(tx: &mut Tx, launch: LaunchId) -> Result<Vec<StoredBooking>, sqlx::Error> {
    let sql = tx.text(&ACTIVE);
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(sql).bind(launch.0).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(StoredBooking::from).collect())
}

/// The active bookings of a customer, each with its launch.
pub async fn active_of_user(tx: &mut Tx, user: UserId) -> Result<Vec<(BookingId, LaunchId)>, sqlx::Error> {
    let rows: Vec<(Uuid, Uuid)> = on!(tx, |conn| {
        sqlx::query_as(
            "SELECT id, launch_id FROM bookings WHERE user_id = $1 AND status IN ('confirmed', 'pending') ORDER BY launch_id",
        )
        .bind(user.0)
        .fetch_all(conn)
        .await
    })?;
    Ok(rows.into_iter().map(|(booking, launch)| (BookingId(booking), LaunchId(launch))).collect())
}

/// Cancels a booking that the transaction has locked.
pub async fn cancel(
    tx: &mut Tx,
    id: BookingId,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "UPDATE bookings SET status = 'cancelled', cancellation_reason = $2, cancelled_at = $3, updated_at = $3,
                    version = version + 1
              WHERE id = $1",
        )
        .bind(id.0)
        .bind(reason)
        .bind(now)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Cancels every active booking of a launch that the transaction has locked.
pub async fn cancel_all(
    tx: &mut Tx,
    launch: LaunchId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "UPDATE bookings SET status = 'cancelled', cancellation_reason = $2, cancelled_at = $3, updated_at = $3,
                    version = version + 1
              WHERE launch_id = $1 AND status IN ('confirmed', 'pending')",
        )
        .bind(launch.0)
        .bind(reason)
        .bind(now)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// What a payment has made of a booking.
pub struct PaymentOutcome<'a> {
    /// Where it stands now.
    pub status: PaymentStatus,
    /// How; what was there stays when absent.
    pub method: Option<PaymentMethod>,
    /// The provider's reference; what was there stays when absent.
    pub transaction: Option<&'a str>,
}

/// Writes what became of the payment of a booking that the transaction has locked.
pub async fn set_payment(
    tx: &mut Tx,
    id: BookingId,
    outcome: &PaymentOutcome<'_>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    on!(tx, |conn| {
        sqlx::query(
            "UPDATE bookings SET payment_status = $2, payment_method = COALESCE($3, payment_method),
                    payment_transaction_id = COALESCE($4, payment_transaction_id), updated_at = $5, version = version + 1
              WHERE id = $1",
        )
        .bind(id.0)
        .bind(outcome.status.as_str())
        .bind(outcome.method.map(PaymentMethod::as_str))
        .bind(outcome.transaction)
        .bind(now)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Whose bookings a caller may see.
#[derive(Clone, Copy)]
pub enum Scope {
    /// All: employees.
    All,
    /// One's own.
    Customer(UserId),
    /// Those of one's launches.
    Supplier(UserId),
}

/// What a list of bookings is ordered by, for the words of `sort`.
pub const SORTS: &[(&str, &str)] =
    &[("date", "b.booking_date"), ("amount", "b.total_amount"), ("seats", "b.ticket_quantity")];

macro_rules! push_filter {
    ($builder:expr, $query:expr, $scope:expr, $like:expr) => {{
        let (builder, query) = (&mut $builder, $query);
        let mut addresses = true;
        match $scope {
            Scope::All => {
                builder.push(" WHERE 1 = 1");
            }
            Scope::Customer(user) => {
                builder.push(" WHERE b.user_id = ").push_bind(user.0);
            }
            Scope::Supplier(user) => {
                // A supplier does not see addresses, so must not find by them.
                addresses = false;
                builder.push(" WHERE l.host_id = ").push_bind(user.0);
            }
        }
        if let Some(status) = query.status {
            builder.push(" AND b.status = ").push_bind(status.as_str());
        }
        if let Some(status) = query.payment_status {
            builder.push(" AND b.payment_status = ").push_bind(status.as_str());
        }
        if let Some(launch) = query.launch_id.or(query.event_id) {
            builder.push(" AND b.launch_id = ").push_bind(launch.0);
        }
        if let Some(user) = query.user_id {
            builder.push(" AND b.user_id = ").push_bind(user.0);
        }
        if let Some(from) = query.from {
            builder.push(" AND b.booking_date >= ").push_bind(from);
        }
        if let Some(to) = query.to {
            builder.push(" AND b.booking_date <= ").push_bind(to);
        }
        if let Some(text) = &query.q {
            let pattern = contains_pattern(text);
            let places = ["l.title", "u.name", "b.payment_transaction_id", "u.email"];
            for (n, place) in places[..if addresses { 4 } else { 3 }].iter().enumerate() {
                builder.push(if n == 0 { " AND (" } else { " OR " }).push(*place);
                builder.push($like).push_bind(pattern.clone()).push(r" ESCAPE '\'");
            }
            builder.push(")");
        }
    }};
}

/// Bookings that match, and how many match in all; ordered by `sort`, an expression of [`SORTS`].
pub async fn list(
    tx: &mut Tx,
    query: &BookingQuery,
    scope: Scope,
    sort: &'static str,
    slice: Slice,
) -> Result<(Vec<Booking>, u64), sqlx::Error> {
    let like = tx.text(&LIKE);
    let direction = if query.order == Some(Order::Asc) { " ASC" } else { " DESC" };
    on!(tx, |conn| {
        let mut count = QueryBuilder::<DB>::new(
            "SELECT COUNT(*) FROM bookings b JOIN launches l ON l.id = b.launch_id JOIN users u ON u.id = b.user_id",
        );
        push_filter!(count, query, scope, like);
        let total: i64 = count.build_query_scalar().fetch_one(&mut *conn).await?;
        let mut rows = QueryBuilder::<DB>::new(select!());
        push_filter!(rows, query, scope, like);
        rows.push(" ORDER BY ").push(sort).push(direction).push(", b.id").push(direction);
        rows.push(" LIMIT ").push_bind(slice.limit).push(" OFFSET ").push_bind(slice.offset);
        let rows: Vec<Row> = rows.build_query_as().fetch_all(conn).await?;
        Ok((rows.into_iter().map(|row| StoredBooking::from(row).booking).collect(), total.unsigned_abs()))
    })
}

const DUE: Sql = Sql {
    sqlite: concat!(
        select!(),
        " WHERE b.status = 'confirmed' AND l.status = 'scheduled' AND l.starts_at > $1 AND l.starts_at <= $2 \
            AND (b.reminded_for IS NULL OR b.reminded_for <> l.starts_at) ORDER BY b.id LIMIT $3"
    ),
    postgres: concat!(
        select!(),
        " WHERE b.status = 'confirmed' AND l.status = 'scheduled' AND l.starts_at > $1 AND l.starts_at <= $2 \
            AND (b.reminded_for IS NULL OR b.reminded_for <> l.starts_at) ORDER BY b.id LIMIT $3 \
            FOR UPDATE OF b SKIP LOCKED"
    ),
};

/// Up to `limit` bookings whose launch starts within `ahead` and whose customer was not reminded of that start.
pub async fn unreminded(
    tx: &mut Tx,
    now: DateTime<Utc>,
    ahead: TimeDelta,
    limit: i64,
) -> Result<Vec<StoredBooking>, sqlx::Error> {
    let sql = tx.text(&DUE);
    let rows: Vec<Row> = on!(tx, |conn| {
        sqlx::query_as(sql).bind(now).bind(now + ahead).bind(limit).fetch_all(conn).await
    })?;
    Ok(rows.into_iter().map(StoredBooking::from).collect())
}

/// Remembers that the customers of `bookings` were reminded of the present start of their launch.
pub async fn reminded(tx: &mut Tx, bookings: &[BookingId]) -> Result<(), sqlx::Error> {
    if bookings.is_empty() {
        return Ok(());
    }
    on!(tx, |conn| {
        let mut query = QueryBuilder::<DB>::new(
            "UPDATE bookings SET reminded_for = (SELECT starts_at FROM launches WHERE id = launch_id) WHERE id IN (",
        );
        let mut list = query.separated(", ");
        for id in bookings {
            list.push_bind(id.0);
        }
        query.push(")").build().execute(conn).await.map(drop)
    })
}
