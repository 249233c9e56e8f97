//! What becomes of decisions: as jobs, while they are held, and when they end.

use astrops_api::jobs::JobDetail;

use crate::{
    app::Settings,
    message::Update,
    testing::{Harness, decided_job, detail, job, jobs},
};

#[test]
fn a_decision_is_a_job_that_nobody_retries() {
    let mut harness = Harness::new(Settings::default());
    harness.press("3");
    let mut page = jobs(2);
    page.jobs[0] = decided_job(600, "cancelled", None);
    page.jobs[1] = job(0);
    harness.answer_jobs(page);
    assert!(harness.screen(130, 24).contains("decision on booking 00000000"), "{}", harness.screen(130, 24));
    harness.press("R");
    assert!(harness.screen(120, 24).contains("retry: a decision is not retried: decide anew in Drift"));
    harness.press("ctrl-a R");
    let screen = harness.screen(80, 24);
    assert!(screen.contains("Retry 1 job?") && screen.contains("What was taken back stays so"), "{screen}");
    harness.press("Esc Esc Enter");
    let of_decision = JobDetail { job: decided_job(600, "cancelled", None), ..(*detail(1)).clone() };
    harness.tell(&Update::Job(of_decision.into()));
    let screen = harness.screen(80, 24);
    assert!(
        screen.contains("entity   decision on booking") && screen.contains("decide anew in Drift"),
        "{screen}"
    );
    assert!(!screen.contains("private fields"), "only mails have some: {screen}");
}
