//! Making, changing and cancelling launches.

use astrops_api::{
    ids::{LaunchId, UserId},
    launches::{EditLaunch, Launch, NewLaunch},
    vocabulary::{CapacityOperation, DomainEventKind, LaunchStatus, NotificationType},
};
use serde_json::{Map, Value, json};

use super::{
    Act, Desk, Refusal, checks,
    seats::{REMINDER, check_ahead},
};
use crate::{
    accounts,
    db::Tx,
    payments::request_refunds,
    store::{
        bookings, capacity, contacts, launches, logs,
        outbox::{self, NewEvent},
    },
};

/// A launch that was changed.
pub struct Edited {
    /// As it is now.
    pub launch: Launch,
    /// Each changed field with what it was and is, as the wire names them.
    pub changes: Map<String, Value>,
}

/// A launch that was cancelled.
pub struct Cancelled {
    /// As it is now.
    pub launch: Launch,
    /// Bookings that were cancelled with it.
    pub bookings: usize,
}

impl Desk {
    /// Makes a launch of `host` and tells the host's followers.
    pub async fn create_launch(
        &self,
        tx: &mut Tx,
        act: Act<'_>,
        host: UserId,
        new: NewLaunch,
    ) -> Result<Launch, Refusal> {
        let launch = Launch {
            id: LaunchId::from(accounts::new_entity_id(&self.clock)),
            host_id: host,
            title: new.title,
            description: new.description,
            venue: new.venue,
            category: new.category,
            start_date_time: new.start_date_time,
            end_date_time: new.end_date_time,
            capacity: new.capacity,
            number_of_attendees: 0,
            available_tickets: new.capacity,
            price: new.price,
            sales_start_at: new.sales_start_at,
            status: LaunchStatus::Scheduled,
            is_active: true,
            created_at: act.now,
            updated_at: act.now,
        };
        checks::launch(&launch, true, act.now).map_err(Refusal::Fields)?;
        let supplier = contacts::lock_supplier(tx, host).await?;
        let supplier = supplier.ok_or_else(|| Refusal::field("/hostId", "must be an active supplier"))?;
        launches::insert(tx, &launch).await?;
        let data = json!({ "title": launch.title, "availableTickets": launch.available_tickets });
        let event = NewEvent::launch(DomainEventKind::LaunchCreated, launch.id, data);
        outbox::insert(tx, &self.clock, act.now, &[event]).await?;
        let told = format!("launch {} made: {} seats", launch.title, launch.capacity);
        let entry = self.entry(told, launch.id, None).user(host);
        let followers = contacts::followers_of(tx, host).await?;
        let notice = |to| self.about_launch(NotificationType::NewLaunch, &launch, to, &supplier);
        let notices = followers.into_iter().map(notice).collect();
        self.tell(tx, act, entry, notices).await?;
        Ok(launch)
    }

    /// Changes a launch that is still to come. Everybody who has booked is told of another time or place.
    pub async fn edit_launch(
        &self,
        tx: &mut Tx,
        act: Act<'_>,
        id: LaunchId,
        edit: EditLaunch,
    ) -> Result<Edited, Refusal> {
        let before = launches::lock(tx, id).await?.ok_or(Refusal::NoLaunch(id))?;
        check_ahead(&before, act.now)?;
        let mut launch = applied(&before, edit);
        let starts = launch.start_date_time != before.start_date_time;
        checks::launch(&launch, starts, act.now).map_err(Refusal::Fields)?;
        if launch.capacity < before.number_of_attendees {
            return Err(Refusal::CapacityBelowSeats(before.number_of_attendees));
        }
        launch.available_tickets = launch.capacity - before.number_of_attendees;
        let changes = differences(&before, &launch);
        if changes.is_empty() {
            return Ok(Edited { launch, changes });
        }
        launch.updated_at = act.now;
        launches::update(tx, &launch).await?;
        let event = NewEvent::launch(DomainEventKind::LaunchUpdated, id, Value::Object(changes.clone()));
        outbox::insert(tx, &self.clock, act.now, &[event]).await?;
        let fields: Vec<&str> = changes.keys().map(String::as_str).collect();
        let told = format!("launch {} changed: {}", launch.title, fields.join(", "));
        logs::insert(tx, &[self.entry(told, id, None).into()]).await?;
        let moved: Map<String, Value> = ["startDateTime", "endDateTime", "venue"]
            .into_iter()
            .filter_map(|field| Some((field.to_owned(), changes.get(field)?.clone())))
            .collect();
        if !moved.is_empty() {
            let booked = bookings::active(tx, id).await?;
            let more = json!({ "changes": moved });
            let notice = |one| self.to_customer(NotificationType::LaunchUpdated, one, more.clone());
            self.tell(tx, act, None, booked.iter().map(notice).collect()).await?;
            if starts && launch.start_date_time - REMINDER <= act.now {
                // The mail of the change says it all.
                let ids: Vec<_> = booked.iter().map(|one| one.booking.id).collect();
                bookings::reminded(tx, &ids).await?;
            }
        }
        Ok(Edited { launch, changes })
    }

    /// Cancels a launch with its bookings: seats go back, what was paid is refunded, everybody booked is told.
    pub async fn cancel_launch(
        &self,
        tx: &mut Tx,
        act: Act<'_>,
        id: LaunchId,
        reason: Option<&str>,
    ) -> Result<Cancelled, Refusal> {
        let mut launch = launches::lock(tx, id).await?.ok_or(Refusal::NoLaunch(id))?;
        match launch.status {
            LaunchStatus::Cancelled => return Err(Refusal::LaunchCancelled),
            LaunchStatus::Completed => return Err(Refusal::LaunchStarted(launch.start_date_time)),
            LaunchStatus::Scheduled => {}
        }
        let booked = bookings::active(tx, id).await?;
        let why = reason.map_or_else(
            || "the launch is cancelled".to_owned(),
            |why| format!("the launch is cancelled: {why}"),
        );
        bookings::cancel_all(tx, id, &why, act.now).await?;
        let ids: Vec<_> = booked.iter().map(|one| one.booking.id).collect();
        request_refunds(tx, &self.clock, act, &ids).await?;
        let changes: Vec<_> = booked
            .iter()
            .map(|one| {
                let (id, quantity) = (one.booking.id, one.booking.ticket_quantity);
                self.change(CapacityOperation::Release, launch.id, id, quantity, act.now)
            })
            .collect();
        capacity::insert(tx, &changes).await?;
        launches::take_seats(tx, id, -i64::from(launch.number_of_attendees), act.now).await?;
        launch.status = LaunchStatus::Cancelled;
        (launch.number_of_attendees, launch.available_tickets) = (0, launch.capacity);
        launch.updated_at = act.now;
        launches::update(tx, &launch).await?;
        let mut events =
            vec![NewEvent::launch(DomainEventKind::LaunchCancelled, id, json!({ "title": launch.title }))];
        events.extend(booked.iter().map(|one| {
            let booking = &one.booking;
            let data =
                json!({ "launchId": id, "status": "cancelled", "ticketQuantity": booking.ticket_quantity });
            NewEvent::booking(DomainEventKind::BookingCancelled, booking.id, booking.user_id, one.host, data)
        }));
        outbox::insert(tx, &self.clock, act.now, &events).await?;
        let told = format!("launch {} cancelled with {} bookings", launch.title, booked.len());
        let entry = self.entry(told, id, None);
        let more = json!({ "reason": reason });
        let notice = |one| self.to_customer(NotificationType::LaunchCancelled, one, more.clone());
        self.tell(tx, act, entry, booked.iter().map(notice).collect()).await?;
        Ok(Cancelled { launch, bookings: booked.len() })
    }
}

fn applied(before: &Launch, edit: EditLaunch) -> Launch {
    Launch {
        title: edit.title.unwrap_or_else(|| before.title.clone()),
        description: edit.description.unwrap_or_else(|| before.description.clone()),
        venue: edit.venue.unwrap_or_else(|| before.venue.clone()),
        category: edit.category.unwrap_or_else(|| before.category.clone()),
        start_date_time: edit.start_date_time.unwrap_or(before.start_date_time),
        end_date_time: edit.end_date_time.unwrap_or(before.end_date_time),
        capacity: edit.capacity.unwrap_or(before.capacity),
        price: edit.price.unwrap_or(before.price),
        sales_start_at: edit.sales_start_at.unwrap_or(before.sales_start_at),
        ..before.clone()
    }
}

/// Each field that differs, with what it was and is.
fn differences(before: &Launch, after: &Launch) -> Map<String, Value> {
    let fields = |launch: &Launch| match json!(launch) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let (old, new) = (fields(before), fields(after));
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| (name.clone(), json!({ "from": old.get(name), "to": new.get(name) })))
        .collect()
}
