//! People as the notices need them: whom to write to and how to call them.

use crate::db::{Sql, Tx, on};
use astrops_api::ids::UserId;

/// Somebody who can be told.
#[derive(Clone, Debug)]
pub struct Contact {
    /// The address.
    pub email: String,
    /// What to call the person.
    pub name: Option<String>,
}

type Row = (String, Option<String>);

impl From<Row> for Contact {
    fn from((email, name): Row) -> Self {
        Self { email, name }
    }
}

/// An active user.
pub async fn find(tx: &mut Tx, id: UserId) -> Result<Option<Contact>, sqlx::Error> {
    let row: Option<Row> = on!(tx, |conn| {
        sqlx::query_as("SELECT email, name FROM users WHERE id = $1 AND is_active")
            .bind(id.0)
            .fetch_optional(conn)
            .await
    })?;
    Ok(row.map(Contact::from))
}

const CUSTOMER: Sql = Sql {
    sqlite: "SELECT email, name FROM users WHERE id = $1 AND is_active AND role = 'customer'",
    // Against being disabled or erased at this moment; others may book for themselves beside it.
    postgres: "SELECT email, name FROM users WHERE id = $1 AND is_active AND role = 'customer' FOR SHARE",
};

/// An active customer, who stays one until the write transaction ends.
pub async fn lock_customer(tx: &mut Tx, id: UserId) -> Result<Option<Contact>, sqlx::Error> {
    let sql = tx.text(&CUSTOMER);
    let row: Option<Row> = on!(tx, |conn| sqlx::query_as(sql).bind(id.0).fetch_optional(conn).await)?;
    Ok(row.map(Contact::from))
}

const SUPPLIER: Sql = Sql {
    sqlite: "SELECT email, name FROM users WHERE id = $1 AND is_active AND role = 'supplier'",
    postgres: "SELECT email, name FROM users WHERE id = $1 AND is_active AND role = 'supplier' FOR SHARE",
};

/// An active supplier, who stays one until the write transaction ends.
pub async fn lock_supplier(tx: &mut Tx, id: UserId) -> Result<Option<Contact>, sqlx::Error> {
    let sql = tx.text(&SUPPLIER);
    let row: Option<Row> = on!(tx, |conn| sqlx::query_as(sql).bind(id.0).fetch_optional(conn).await)?;
    Ok(row.map(Contact::from))
}

/// The active customers who follow `supplier`.
pub async fn followers_of(tx: &mut Tx, supplier: UserId) -> Result<Vec<Contact>, sqlx::Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        sqlx::query_as(
            "SELECT u.email, u.name FROM follows f JOIN users u ON u.id = f.customer_id
              WHERE f.supplier_id = $1 AND u.is_active ORDER BY u.id",
        )
        .bind(supplier.0)
        .fetch_all(conn)
        .await
    })?;
    Ok(rows.into_iter().map(Contact::from).collect())
}
