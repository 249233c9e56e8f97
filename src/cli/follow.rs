//! Following a stream of the daemon over broken connections, without losing or doubling anything.
//!
//! Every value has an id; after a break the stream is opened again behind the last one. What the daemon has
//! pruned meanwhile is told as a gap. The first connection must succeed; after that it is tried again without
//! end, with pauses that grow to [`PACE`]'s longest. What trying cannot mend (the session ended) ends it.

use std::{ops::ControlFlow, time::Duration};

use astrops_api::{
    ClientError,
    sse::{EventStream, StreamItem},
};
use futures::StreamExt;

use super::{context::Context, failure::Failure, output::Output};

/// How long to wait before trying again: the first time, and at most.
#[derive(Clone, Copy, Debug)]
struct Pace {
    shortest: Duration,
    longest: Duration,
}

const PACE: Pace = Pace { shortest: Duration::from_millis(250), longest: Duration::from_secs(10) };

impl Pace {
    /// The pause before try number `tries`, shortened by `chance` so that many readers do not come back at once.
    fn pause(self, tries: u32, chance: f64) -> Duration {
        self.shortest.saturating_mul(1 << tries.min(10)).min(self.longest).mul_f64(chance)
    }
}

/// What the stream brought.
pub enum Event<T> {
    /// A value.
    Value(T),
    /// So many values are gone from history.
    Gap(u64),
}

/// Gives each event of the streams that `open` makes to `each`, until that breaks or fails.
/// `open` gets the id to resume behind, or `None` while there is none.
pub async fn follow<T>(
    context: &Context,
    open: impl AsyncFnMut(Option<&str>) -> Result<EventStream<T>, ClientError>,
    each: impl FnMut(Event<T>) -> Result<ControlFlow<()>, Failure>,
) -> Result<(), Failure> {
    follow_at(PACE, context.out, context.client.base(), open, each).await
}

async fn follow_at<T>(
    pace: Pace,
    out: Output,
    address: &str,
    mut open: impl AsyncFnMut(Option<&str>) -> Result<EventStream<T>, ClientError>,
    mut each: impl FnMut(Event<T>) -> Result<ControlFlow<()>, Failure>,
) -> Result<(), Failure> {
    let mut last: Option<String> = None;
    let mut stream = open(None).await?;
    loop {
        let mut tries = 0;
        // What the library says about a broken connection helps nobody.
        let why = loop {
            let event = match stream.next().await {
                Some(Ok(StreamItem::Value { id, value })) => {
                    last = Some(id).filter(|id| !id.is_empty()).or(last);
                    Event::Value(value)
                }
                Some(Ok(StreamItem::Gap(count))) => Event::Gap(count),
                // Resuming brings what was dropped; without an id to resume behind it is lost.
                Some(Ok(StreamItem::Lagged(count))) if last.is_none() => Event::Gap(count),
                Some(Ok(StreamItem::Lagged(_))) => break "this reader was too slow: ",
                Some(Err(error)) => {
                    transient(error)?;
                    break "";
                }
                None => break "",
            };
            if each(event)?.is_break() {
                return Ok(());
            }
        };
        out.note(&format!("{why}the connection to {address} is lost; trying again"));
        stream = loop {
            tokio::time::sleep(pace.pause(tries, rand::random_range(0.5..1.0))).await;
            tries += 1;
            match open(last.as_deref()).await {
                Ok(stream) => break stream,
                Err(error) => transient(error)?,
            }
        };
        out.note("connected again");
    }
}

/// Well, if trying again may help.
fn transient(error: ClientError) -> Result<(), ClientError> {
    match error {
        ClientError::Unreachable(_) => Ok(()),
        ClientError::Refused(problem) if problem.status == 429 || problem.status >= 500 => Ok(()),
        error => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn value(id: &str, value: u32) -> StreamItem<u32> {
        StreamItem::Value { id: id.to_owned(), value }
    }

    fn quiet() -> Output {
        Output { json: false, quiet: true, width: None, colour: false }
    }

    #[tokio::test]
    async fn a_broken_stream_is_resumed_behind_the_last_id_and_gaps_are_told() {
        let refused = ClientError::Unreachable("refused".to_owned());
        let script = RefCell::new(vec![
            Ok(vec![Ok(StreamItem::Gap(7)), Ok(value("b", 3))]),
            Err(refused.clone()),
            Ok(vec![]),
            Ok(vec![Ok(value("a", 1)), Ok(value("", 2)), Err(refused)]),
        ]);
        let mut asked = Vec::new();
        let mut seen = Vec::new();
        let at_once = Pace { shortest: Duration::ZERO, longest: Duration::ZERO };
        let done = follow_at(
            at_once,
            quiet(),
            "http://x",
            async |after: Option<&str>| {
                asked.push(after.map(str::to_owned));
                let items = script.borrow_mut().pop().unwrap()?;
                Ok(Box::pin(futures::stream::iter(items)) as EventStream<u32>)
            },
            |event| {
                seen.push(match event {
                    Event::Value(value) => format!("value {value}"),
                    Event::Gap(count) => format!("gap {count}"),
                });
                Ok(if seen.len() == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            },
        );
        done.await.unwrap();
        assert_eq!(seen, ["value 1", "value 2", "gap 7", "value 3"]);
        let behind_a = Some("a".to_owned());
        assert_eq!(asked, [None, behind_a.clone(), behind_a.clone(), behind_a]);
    }

    #[test]
    fn pauses_grow_to_a_bound() {
        assert_eq!(PACE.pause(0, 1.0), PACE.shortest);
        assert_eq!(PACE.pause(2, 1.0), PACE.shortest * 4);
        assert_eq!(PACE.pause(u32::MAX, 1.0), PACE.longest);
        assert_eq!(PACE.pause(u32::MAX, 0.5), PACE.longest / 2);
    }
}
