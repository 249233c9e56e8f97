//! Launches, bookings, payments and what happens to them.

use reqwest::Method;

use super::{Answer, Client};
use crate::{
    bookings::{Booking, BookingDetail, BookingPage, BookingQuery, CancelBooking, NewBooking, Paid, Pay},
    events::{DomainEvent, EventStreamQuery},
    ids::{BookingId, LaunchId},
    launches::{
        CancelLaunch, CapacityLogPage, CapacityLogQuery, EditLaunch, Launch, LaunchPage, LaunchQuery,
        NewLaunch,
    },
    sse::EventStream,
};

impl Client {
    /// GET /launches.
    pub async fn launches(&self, query: &LaunchQuery) -> Answer<LaunchPage> {
        self.get("/launches", query).await
    }

    /// GET /launches/{id}.
    pub async fn launch(&self, id: LaunchId) -> Answer<Launch> {
        self.get(&format!("/launches/{id}"), &()).await
    }

    /// POST /launches.
    pub async fn create_launch(&self, body: &NewLaunch) -> Answer<Launch> {
        self.post("/launches", body).await
    }

    /// PUT /launches/{id}.
    pub async fn edit_launch(&self, id: LaunchId, body: &EditLaunch) -> Answer<Launch> {
        self.call(Method::PUT, &format!("/launches/{id}"), body).await
    }

    /// DELETE /launches/{id}: cancels it and every booking.
    pub async fn cancel_launch(&self, id: LaunchId, body: &CancelLaunch) -> Answer<Launch> {
        self.call(Method::DELETE, &format!("/launches/{id}"), body).await
    }

    /// PUT /launches/{id}/interest.
    pub async fn express_interest(&self, id: LaunchId) -> Answer<()> {
        self.order(Method::PUT, &format!("/launches/{id}/interest")).await
    }

    /// DELETE /launches/{id}/interest.
    pub async fn withdraw_interest(&self, id: LaunchId) -> Answer<()> {
        self.order(Method::DELETE, &format!("/launches/{id}/interest")).await
    }

    /// GET /launches/{id}/capacity-log.
    pub async fn capacity_log(&self, id: LaunchId, query: &CapacityLogQuery) -> Answer<CapacityLogPage> {
        self.get(&format!("/launches/{id}/capacity-log"), query).await
    }

    /// GET /launches/{id}/bookings.
    pub async fn launch_bookings(&self, id: LaunchId, query: &BookingQuery) -> Answer<BookingPage> {
        self.get(&format!("/launches/{id}/bookings"), query).await
    }

    /// GET /bookings.
    pub async fn bookings(&self, query: &BookingQuery) -> Answer<BookingPage> {
        self.get("/bookings", query).await
    }

    /// GET /bookings/{id}.
    pub async fn booking(&self, id: BookingId) -> Answer<BookingDetail> {
        self.get(&format!("/bookings/{id}"), &()).await
    }

    /// POST /bookings.
    pub async fn book(&self, body: &NewBooking) -> Answer<Booking> {
        self.post("/bookings", body).await
    }

    /// DELETE /bookings/{id}.
    pub async fn cancel_booking(&self, id: BookingId, body: &CancelBooking) -> Answer<Booking> {
        self.call(Method::DELETE, &format!("/bookings/{id}"), body).await
    }

    /// POST /bookings/{id}/payment.
    pub async fn pay(&self, id: BookingId, body: &Pay) -> Answer<Paid> {
        self.post(&format!("/bookings/{id}/payment"), body).await
    }

    /// GET /stream: domain events; `after` resumes behind an event's id.
    pub async fn event_stream(&self, after: Option<&str>) -> Answer<EventStream<DomainEvent>> {
        let query = EventStreamQuery { after: after.map(ToOwned::to_owned), ..EventStreamQuery::default() };
        self.event_stream_of(&query).await
    }

    /// GET /stream: domain events that `query` asks for.
    pub async fn event_stream_of(&self, query: &EventStreamQuery) -> Answer<EventStream<DomainEvent>> {
        self.stream("/stream", query).await
    }
}
