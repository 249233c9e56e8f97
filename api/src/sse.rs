//! Server-Sent Events as the console reads them.

use std::{pin::Pin, time::Duration};

use eventsource_stream::Eventsource;
use futures::{Stream, StreamExt, stream};
use serde::de::DeserializeOwned;

use crate::client::ClientError;

/// Keep-alives come every 15 s.
const SILENCE: Duration = Duration::from_secs(45);

/// One thing that a stream told.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamItem<T> {
    /// A value; `id` resumes behind it (empty when this event cannot be resumed from).
    Value {
        /// The event's `id:`.
        id: String,
        /// What it carried.
        value: T,
    },
    /// History between the requested id and the first event was pruned: so many entries are gone.
    Gap(u64),
    /// The reader was too slow; so many events were dropped and the stream ends. Resume by the last id.
    Lagged(u64),
}

/// A stream of typed events; ends when the daemon ends it.
pub type EventStream<T> = Pin<Box<dyn Stream<Item = Result<StreamItem<T>, ClientError>> + Send>>;

/// Reads the body of `response` as typed events. Values come as events without a name.
pub(crate) fn read<T: DeserializeOwned + Send + 'static>(response: reqwest::Response) -> EventStream<T> {
    // The daemon says something every 15 s; a connection that is silent for three of them is dead, whatever TCP says.
    let bytes = stream::unfold(Some(Box::pin(response.bytes_stream())), |bytes| async {
        let mut bytes = bytes?;
        match tokio::time::timeout(SILENCE, bytes.next()).await {
            Ok(Some(Ok(chunk))) => Some((Ok(chunk), Some(bytes))),
            Ok(Some(Err(error))) => Some((Err(error.to_string()), None)),
            Ok(None) => None,
            Err(_) => Some((Err("the stream fell silent".to_owned()), None)),
        }
    });
    let events = bytes.eventsource().map(|event| {
        let event = event.map_err(|error| ClientError::Unreachable(error.to_string()))?;
        let count = || event.data.trim().parse().unwrap_or(0);
        match event.event.as_str() {
            "gap" => Ok(StreamItem::Gap(count())),
            "lagged" => Ok(StreamItem::Lagged(count())),
            _ => match serde_json::from_str(&event.data) {
                Ok(value) => Ok(StreamItem::Value { id: event.id, value }),
                Err(error) => Err(ClientError::Unexpected(format!("event that cannot be read: {error}"))),
            },
        }
    });
    Box::pin(events)
}
