//! Every screen at three sizes.

use crate::{
    app::Settings,
    message::{Request, Update},
    testing::{Harness, bookings, detail, id, jobs, key_made, logs, resolution},
    theme::Theme,
};

const SIZES: [(u16, u16); 3] = [(60, 15), (80, 24), (120, 40)];

/// The sizes of what came with the bookings: a large screen too.
const MORE_SIZES: [(u16, u16); 4] = [(60, 15), (80, 24), (120, 40), (200, 60)];

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

/// The way to each screen of bookings, launches and users.
fn entity_scenes() -> Vec<(&'static str, Scene)> {
    vec![
        ("bookings", |harness| {
            harness.press("4").answer_all();
            harness.press("j Space Space j");
        }),
        ("booking", |harness| {
            harness.press("4").answer_all();
            harness.press("j j Enter").answer_all();
        }),
        ("booking_cancel", |harness| {
            harness.press("4").answer_all();
            harness.press("Space Space Space C").write("the rocket is late").press("Enter");
        }),
        ("bookings_filtered", |harness| {
            harness.press("4").answer_all();
            harness.press("/").write("status:pending nobody").press("Enter");
            let Some(Request::Bookings(number, _)) = harness.asked.pop() else { panic!("not asked") };
            harness.tell(&Update::Bookings(number, bookings(0)));
        }),
        ("launches", |harness| {
            harness.press("5").answer_all();
        }),
        ("launch", |harness| {
            harness.press("5").answer_all();
            harness.press("Enter").answer_all();
        }),
        ("launch_cancel", |harness| {
            harness.press("5").answer_all();
            harness.press("C").write("storm").press("Enter");
        }),
        ("users", |harness| {
            harness.press("6").answer_all();
        }),
        ("user", |harness| {
            harness.press("6").answer_all();
            harness.press("j j Enter").answer_all();
        }),
        ("user_actions", |harness| {
            harness.press("6").answer_all();
            harness.press("j x");
        }),
        ("user_role", |harness| {
            harness.press("6").answer_all();
            harness.press("E");
        }),
        ("keys", |harness| {
            harness.press("6 a").answer_all();
        }),
        ("key_new", |harness| {
            harness.press("6 a").answer_all();
            harness.press("N").write("scheduler").press("Tab Right");
        }),
        ("key_secret", |harness| {
            harness.press("6 a").answer_all();
            harness.tell(&Update::KeyMade(Box::new(key_made())));
        }),
    ]
}

/// The way to each view of what differs.
fn drift_scenes() -> Vec<(&'static str, Scene)> {
    /// Both sides of the first difference.
    fn open(harness: &mut Harness) -> &mut Harness {
        harness.press("7").answer_all().press("Enter").answer_all()
    }
    vec![
        ("drift", |harness| {
            harness.press("7").answer_all().press("j Space Space");
        }),
        ("conflicts", |harness| {
            harness.press("7").answer_all().press("s").answer_all();
        }),
        ("sweeps", |harness| {
            harness.press("7").answer_all().press("s s").answer_all();
        }),
        ("sweep", |harness| {
            harness.press("7").answer_all().press("s s").answer_all().press("Enter");
        }),
        ("sweep_approve", |harness| {
            harness.press("7").answer_all().press("s s").answer_all().press("j A");
        }),
        ("sweep_new", |harness| {
            harness.press("7").answer_all().press("N Right");
        }),
        ("resolve", |harness| {
            open(harness);
        }),
        ("resolve_beside", |harness| {
            open(harness).press("Tab");
        }),
        ("resolve_preview", |harness| {
            open(harness).press("<").press("p").answer_all();
        }),
        ("resolve_write", |harness| {
            open(harness).press("<").press("p").answer_all();
            harness.press("W").write("the customer paid for four").press("Enter");
        }),
        ("resolve_held", |harness| {
            open(harness).tell(&Update::Held(vec![("booking 00000000".into(), resolution(Some(600)))]));
        }),
        ("resolve_menu", |harness| {
            open(harness).press("x");
        }),
        ("history", |harness| {
            open(harness).press("h").answer_all();
        }),
        ("drift_bulk", |harness| {
            harness.press("7").answer_all().press("s").answer_all();
            harness.press("Space Space Space T Right Tab").write("the customer side is right").press("Enter");
            harness.answer_all();
        }),
        ("drift_snooze", |harness| {
            harness.press("7").answer_all().press("Z Tab").write("waits for the supplier").press("Enter");
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
        shoot(name, scene, &SIZES);
    }
}

#[test]
fn every_screen_of_bookings_launches_and_users_at_every_size() {
    for (name, scene) in entity_scenes() {
        shoot(name, scene, &MORE_SIZES);
    }
}

#[test]
fn every_view_of_what_differs_at_every_size() {
    for (name, scene) in drift_scenes() {
        shoot(name, scene, &MORE_SIZES);
    }
}

#[test]
fn styles_of_what_differs() {
    let mut grids = Vec::new();
    for (name, way) in
        [("drift", "7"), ("conflicts", "7 s"), ("sweeps", "7 s s"), ("both sides", "7 Enter <")]
    {
        for theme in [Theme::Default, Theme::Light, Theme::Mono] {
            let mut harness = Harness::new(Settings { theme, ..Settings::default() });
            for step in way.split(' ') {
                harness.press(step).answer_all();
            }
            grids.push(format!("{name} {theme:?}\n{}", harness.styles(80, 24)));
        }
    }
    insta::assert_snapshot!("styles_drift", grids.join("\n\n"));
}

fn shoot(name: &str, scene: Scene, sizes: &[(u16, u16)]) {
    for (look, ascii) in [("default", false), ("ascii", true)] {
        let settings = Settings { ascii, ..Settings::default() };
        let shots: Vec<String> = sizes.iter().map(|size| shot(&settings, scene, *size)).collect();
        insta::assert_snapshot!(format!("{name}_{look}"), shots.join("\n\n"));
        if ascii {
            assert!(shots.concat().is_ascii(), "{name} draws more than ASCII");
        }
        let mono = Settings { theme: Theme::Mono, ascii, ..Settings::default() };
        let same: Vec<String> = sizes.iter().map(|size| shot(&mono, scene, *size)).collect();
        assert_eq!(shots, same, "{name}: nothing is told by colour alone");
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
fn styles_of_bookings_launches_and_users() {
    let mut grids = Vec::new();
    for (name, way) in [("bookings", "4"), ("launches", "5"), ("users", "6"), ("keys", "6 a")] {
        for theme in [Theme::Default, Theme::Light, Theme::Mono] {
            let mut harness = Harness::new(Settings { theme, ..Settings::default() });
            harness.screen(120, 24);
            harness.press(way).answer_all();
            harness.press("Enter").answer_all();
            grids.push(format!("{name} {theme:?}\n{}", harness.styles(120, 24)));
        }
    }
    insta::assert_snapshot!("styles_entities", grids.join("\n\n"));
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
