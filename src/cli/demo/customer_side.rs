//! What other services write into the customer documents without telling us: this is where both databases drift apart.
//!
//! The first acts come in a fixed order, so that a sweep soon finds, repairs and asks; then they are random. Some are
//! told to `POST /reconciliation/events`, as a careful service does; the others are for the sweeps.
//!
//! Limits: nothing is removed, for the document port knows no way to.

use std::collections::HashSet;

use anyhow::Context as _;
use astrops_api::{
    Client,
    ids::{EntityId, embed, extract},
    reconciliation::NewEvent,
    vocabulary::{EntityType, ReconAction},
};
use astrops_daemon::{
    Clock,
    documents::{Change, Collection, Documents, Inserted},
};
use bson::{Bson, DateTime, Document, doc, oid::ObjectId};
use chrono::TimeDelta;
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};

use super::{
    catalogue::{ELSEWHERE, REWORDED, WORDS_OF_SUPPLIERS},
    market::Market,
    sample,
};

/// Documents that are looked at to choose from.
const LOOKED_AT: u32 = 200;
/// So many conflicts are made; an operator of the demo is not to drown in them.
const MOST_CONFLICTS: usize = 8;
/// More seats than any launch of the demo has.
const TOO_MANY: i32 = 500;

/// What may happen there.
#[derive(Clone, Copy)]
enum Act {
    /// A field of a launch is changed, there alone.
    Edit,
    /// A booking is made there.
    Book,
    /// A launch is put on sale there alone.
    Announce,
    /// The description of a launch is changed on both sides: a person decides.
    Dispute,
    /// A booking is made larger than its launch: critical.
    Overbook,
    /// What was paid is said to be unpaid: a person decides.
    Unpay,
}

/// What comes first.
const FIRST: [Act; 6] = [Act::Edit, Act::Book, Act::Dispute, Act::Announce, Act::Edit, Act::Overbook];

/// The services that write the customer documents.
pub struct CustomerSide {
    documents: Documents,
    clock: Clock,
    acts: usize,
    announced: usize,
    /// What was made to conflict.
    disputed: HashSet<ObjectId>,
}

impl CustomerSide {
    /// On the documents of the demo.
    pub fn new(documents: Documents, clock: Clock) -> Self {
        Self { documents, clock, acts: 0, announced: 0, disputed: HashSet::new() }
    }

    /// One act; nothing while the documents hold nothing to act on. `service` may tell reconciliation of it.
    pub async fn act(
        &mut self,
        market: &mut Market,
        service: &Client,
        dice: &mut StdRng,
    ) -> anyhow::Result<()> {
        let act = FIRST.get(self.acts).copied().unwrap_or_else(|| match dice.random_range(0..100) {
            0..45 => Act::Edit,
            45..80 => Act::Book,
            80..88 => Act::Dispute,
            88..93 => Act::Announce,
            93..98 => Act::Unpay,
            _ => Act::Overbook,
        });
        let changed = match act {
            Act::Edit => self.edit(dice).await?,
            Act::Book => self.book(dice).await?,
            Act::Announce => self.announce(dice).await?,
            _ if self.disputed.len() >= MOST_CONFLICTS => self.edit(dice).await?,
            Act::Dispute => self.dispute(market, dice).await?,
            Act::Overbook => {
                let larger = doc! { "ticketQuantity": TOO_MANY };
                self.spoil(dice, larger, |booking| text(booking, "status") == "confirmed").await?
            }
            Act::Unpay => {
                let unpaid = doc! { "paymentStatus": "pending" };
                self.spoil(dice, unpaid, |booking| text(booking, "paymentStatus") == "paid").await?
            }
        };
        let Some((entity_type, id, action)) = changed else { return Ok(()) };
        self.acts += 1;
        if dice.random_bool(0.25) {
            let entity_id = EntityId(embed(id.bytes()));
            service.nominate(&NewEvent { entity_type, entity_id, action }).await?;
        }
        Ok(())
    }

    /// One of the documents for which `fits` holds.
    async fn some(
        &self,
        collection: Collection,
        dice: &mut StdRng,
        fits: impl Fn(&Document) -> bool,
    ) -> anyhow::Result<Option<Document>> {
        let page = self.documents.page(collection, None, LOOKED_AT, None).await?;
        let documents = page.rows.iter().filter_map(|row| row.document().ok());
        let fitting: Vec<Document> = documents.filter(fits).collect();
        Ok(fitting.choose(dice).cloned())
    }

    async fn some_launch(&self, dice: &mut StdRng) -> anyhow::Result<Option<Document>> {
        let now = DateTime::from_millis(self.clock.now().timestamp_millis());
        let fits = |launch: &Document| {
            launch.get_bool("isActive").unwrap_or(true)
                && launch.get_datetime("dateTime").is_ok_and(|start| *start > now)
                && launch.get_object_id("_id").is_ok_and(|id| !self.disputed.contains(&id))
        };
        self.some(Collection::Events, dice, fits).await
    }

    async fn edit(&self, dice: &mut StdRng) -> anyhow::Result<Option<Changed>> {
        let Some(launch) = self.some_launch(dice).await? else { return Ok(None) };
        let change = match dice.random_range(0..4) {
            // Ours is the truth about these: they are put back.
            0 => doc! { "price": number(&launch, "price") + 10.0 },
            1 => doc! { "capacity": 3 },
            2 => doc! { "venue": format!("{}, gate {}", text(&launch, "venue"), dice.random_range(2..9)) },
            _ => doc! { "description": REWORDED.choose(dice).copied().unwrap_or_default() },
        };
        self.set(Collection::Events, &launch, change).await?;
        changed(EntityType::Launch, &launch, ReconAction::Update)
    }

    async fn book(&self, dice: &mut StdRng) -> anyhow::Result<Option<Changed>> {
        let Some(launch) = self.some_launch(dice).await? else { return Ok(None) };
        let fits = |user: &Document| text(user, "email").ends_with("@customers.example");
        let Some(user) = self.some(Collection::Users, dice, fits).await? else { return Ok(None) };
        let seats = dice.random_range(1..=2);
        let left = launch.get_i32("availableTickets").unwrap_or_default();
        if left < seats {
            return Ok(None);
        }
        let now = DateTime::from_millis(self.clock.now().timestamp_millis());
        let booking = doc! {
            "_id": ObjectId::parse_str(sample::object_id(dice))?, "eventId": launch.get_object_id("_id")?,
            "userId": user.get_object_id("_id")?, "ticketQuantity": seats,
            "totalAmount": number(&launch, "price") * f64::from(seats), "status": "confirmed", "bookingDate": now,
            "paymentStatus": "pending", "createdAt": now, "updatedAt": now,
        };
        // Whoever has a booking of this launch already makes no second one.
        if self.insert(Collection::Bookings, &booking).await? {
            self.set(Collection::Events, &launch, doc! { "availableTickets": left - seats }).await?;
            return changed(EntityType::Booking, &booking, ReconAction::Create);
        }
        Ok(None)
    }

    async fn announce(&mut self, dice: &mut StdRng) -> anyhow::Result<Option<Changed>> {
        let Some(&(name, venue, days)) = ELSEWHERE.get(self.announced) else { return self.edit(dice).await };
        let fits = |user: &Document| text(user, "email").ends_with("@suppliers.example");
        let Some(host) = self.some(Collection::Users, dice, fits).await? else { return Ok(None) };
        self.announced += 1;
        let now = self.clock.now();
        let [now, start] =
            [now, now + TimeDelta::days(days)].map(|at| DateTime::from_millis(at.timestamp_millis()));
        let launch = doc! {
            "_id": ObjectId::parse_str(sample::object_id(dice))?, "name": name,
            "description": "Sold by our partners.", "venue": venue, "category": "suborbital", "dateTime": start,
            "capacity": 14, "availableTickets": 14, "price": 245.0, "organizerId": host.get_object_id("_id")?,
            "isActive": true, "createdAt": now, "updatedAt": now,
        };
        self.insert(Collection::Events, &launch).await?;
        changed(EntityType::Launch, &launch, ReconAction::Create)
    }

    async fn dispute(&mut self, market: &mut Market, dice: &mut StdRng) -> anyhow::Result<Option<Changed>> {
        let (theirs, ours) = (REWORDED.choose(dice).copied(), WORDS_OF_SUPPLIERS.choose(dice).copied());
        let (Some(id), Some(theirs), Some(ours)) = (market.some_launch(dice), theirs, ours) else {
            return Ok(None);
        };
        let object = ObjectId::from_bytes(extract(id.0).context("a launch of ours carries a document's id")?);
        let there = self.documents.get(Collection::Events, &[object]).await?;
        let Some(launch) = there.first().and_then(|row| row.document().ok()) else { return Ok(None) };
        if !self.disputed.insert(object) {
            return Ok(None);
        }
        self.set(Collection::Events, &launch, doc! { "description": theirs }).await?;
        market.reword(id, ours).await?;
        changed(EntityType::Launch, &launch, ReconAction::Update)
    }

    /// Writes what nobody may write by themselves into a booking.
    async fn spoil(
        &mut self,
        dice: &mut StdRng,
        change: Document,
        fits: impl Fn(&Document) -> bool,
    ) -> anyhow::Result<Option<Changed>> {
        let fresh = |booking: &Document| {
            fits(booking) && booking.get_object_id("_id").is_ok_and(|id| !self.disputed.contains(&id))
        };
        let Some(booking) = self.some(Collection::Bookings, dice, fresh).await? else { return Ok(None) };
        self.disputed.insert(booking.get_object_id("_id")?);
        self.set(Collection::Bookings, &booking, change).await?;
        changed(EntityType::Booking, &booking, ReconAction::Update)
    }

    async fn set(&self, collection: Collection, seen: &Document, fields: Document) -> anyhow::Result<()> {
        let now = DateTime::from_millis(self.clock.now().timestamp_millis());
        let mut set: Vec<(String, Bson)> = fields.into_iter().collect();
        set.push(("updatedAt".to_owned(), now.into()));
        let change = Change { id: seen.get_object_id("_id")?, set, ..Change::default() };
        self.documents.compare_and_set(collection, &[change]).await?;
        Ok(())
    }

    /// Whether it is new.
    async fn insert(&self, collection: Collection, document: &Document) -> anyhow::Result<bool> {
        let done = self.documents.insert(collection, std::slice::from_ref(document)).await?;
        Ok(done == [Inserted::Done])
    }
}

/// What was changed, and how.
type Changed = (EntityType, ObjectId, ReconAction);

fn changed(kind: EntityType, document: &Document, action: ReconAction) -> anyhow::Result<Option<Changed>> {
    Ok(Some((kind, document.get_object_id("_id")?, action)))
}

fn text<'a>(document: &'a Document, field: &str) -> &'a str {
    document.get_str(field).unwrap_or_default()
}

/// Whole amounts are stored as whole numbers.
fn number(document: &Document, field: &str) -> f64 {
    match document.get(field) {
        Some(Bson::Double(amount)) => *amount,
        Some(Bson::Int32(amount)) => f64::from(*amount),
        _ => 0.0,
    }
}
