//! Every screen at three sizes.

use crate::{
    app::Settings,
    message::Update,
    testing::{Harness, detail, id, jobs, logs},
    theme::Theme,
};

const SIZES: [(u16, u16); 3] = [(60, 15), (80, 24), (120, 40)];

/// The way to a screen.
type Scene = fn(&mut Harness);

/// The way to each screen.
fn scenes() -> Vec<(&'static str, Scene)> {
    vec![
        ("dashboard", |_| {}),
        ("logs", |harness| {
            harness.press("2");
        }),
        ("logs_filtered", |harness| {
            harness.press("2 /").write("customer1.*mail|to").press("Enter k k");
            harness.tell(&logs(120..140));
        }),
        ("log_detail", |harness| {
            harness.press("2 k k Enter");
        }),
        ("jobs", |harness| {
            harness.press("3");
            harness.answer_jobs(jobs(100));
            harness.press("j Space Space j");
        }),
        ("job_detail", |harness| {
            harness.press("3");
            harness.answer_jobs(jobs(100));
            harness.press("j Enter");
            harness.tell(&Update::Job(detail(98)));
        }),
        ("job_alone", |harness| {
            harness.press("ctrl-k").write(&id(99)).press("Enter");
            harness.tell(&Update::Job(detail(99)));
        }),
        ("retry", |harness| {
            harness.press("3");
            harness.answer_jobs(jobs(100));
            harness.press("ctrl-a R");
        }),
        ("notification", |harness| {
            harness.press("3");
            harness.answer_jobs(jobs(3));
            harness.press("N Right Tab").write("ana@example.com").press("Enter");
        }),
        ("schedules", |harness| {
            harness.press("8");
        }),
        ("schedule_detail", |harness| {
            harness.press("8 Enter");
            harness.tell(&Update::Runs("log-retention".into(), Vec::new()));
        }),
        ("help", |harness| {
            harness.press("3 ?");
        }),
        ("palette", |harness| {
            harness.press("3 :").write("retr");
        }),
        ("actions", |harness| {
            harness.press("3");
            harness.answer_jobs(jobs(3));
            harness.press("j x");
        }),
    ]
}

fn shot(settings: &Settings, scene: Scene, (width, height): (u16, u16)) -> String {
    let mut harness = Harness::new(settings.clone());
    // Rooms are known from the last frame.
    harness.screen(width, height);
    scene(&mut harness);
    harness.screen(width, height)
}

#[test]
fn every_screen_at_every_size() {
    for (name, scene) in scenes() {
        for (look, ascii) in [("default", false), ("ascii", true)] {
            let settings = Settings { ascii, ..Settings::default() };
            let shots: Vec<String> = SIZES.iter().map(|size| shot(&settings, scene, *size)).collect();
            insta::assert_snapshot!(format!("{name}_{look}"), shots.join("\n\n"));
            if ascii {
                assert!(shots.concat().is_ascii(), "{name} draws more than ASCII");
            }
            let mono = Settings { theme: Theme::Mono, ascii, ..Settings::default() };
            let same: Vec<String> = SIZES.iter().map(|size| shot(&mono, scene, *size)).collect();
            assert_eq!(shots, same, "{name}: nothing is told by colour alone");
        }
    }
}

#[test]
fn signing_in() {
    let mut harness = Harness::bare(Settings::default());
    harness.tell(&Update::Link(crate::message::LinkState::SignedOut));
    harness.write("ana@example.com").press("Enter").write("secret1").press("Enter");
    let waiting = harness.screen(80, 24);
    harness.tell(&Update::SignInFailed("E-mail or password is wrong.".into()));
    let shots: Vec<String> = SIZES.iter().map(|(width, height)| harness.screen(*width, *height)).collect();
    insta::assert_snapshot!("login", format!("{waiting}\n\n{}", shots.join("\n\n")));
}

#[test]
fn styles_of_the_jobs() {
    let mut grids = Vec::new();
    for theme in [Theme::Default, Theme::Light, Theme::Mono] {
        let mut harness = Harness::new(Settings { theme, ..Settings::default() });
        harness.press("3");
        harness.answer_jobs(jobs(100));
        harness.press("j Space");
        grids.push(format!("{theme:?}\n{}", harness.styles(80, 24)));
    }
    insta::assert_snapshot!("styles_jobs", grids.join("\n\n"));
}

#[test]
fn lost_connection_on_a_production_profile() {
    let mut harness = Harness::new(Settings { production: true, read_only: true, ..Settings::default() });
    harness.tell(&Update::Link(crate::message::LinkState::Waiting {
        retry_in: std::time::Duration::from_millis(800),
        attempt: 4,
        reason: "the daemon at 127.0.0.1:7700 does not answer; trying again by itself (Connection refused)"
            .into(),
    }));
    let shots: Vec<String> = SIZES.iter().map(|(width, height)| harness.screen(*width, *height)).collect();
    insta::assert_snapshot!("lost", format!("{}\n\n{}", shots.join("\n\n"), harness.styles(80, 24)));
}
