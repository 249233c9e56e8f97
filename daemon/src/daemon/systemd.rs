//! What systemd hears: ready, stopping, and the watchdog, which is fed only while scheduler and workers turn. Without
//! systemd nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use crate::http::App;

/// A loop that has not come round for so long does not turn.
const STILL: Duration = Duration::from_secs(20);

/// The daemon serves.
pub fn ready() {
    notify(NotifyState::Ready);
}

/// The daemon drains.
pub fn stopping() {
    notify(NotifyState::Stopping);
}

fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(error = %error, "systemd cannot be told");
    }
}

/// Feeds the watchdog until `stop`.
pub async fn watch(app: App, stop: CancellationToken) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    while stop.run_until_cancelled(tokio::time::sleep(limit / 3)).await.is_some() {
        if app.queue.beat().age() < STILL && app.scheduler.beat().age() < STILL {
            notify(NotifyState::Watchdog);
        } else {
            tracing::error!("scheduler or workers stand still; the watchdog is not fed");
        }
    }
}
