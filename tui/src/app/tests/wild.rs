//! Keys in any order.

use proptest::prelude::*;

use crate::{
    app::Settings,
    keys::{Action, Chord, Scope, TABLE, bindings},
    message::{Change, Outcome, Request, Update},
    testing::{Harness, answer_of, detail, jobs, logs},
};

/// Every key of the table, and letters that are typed into fields.
fn keys() -> impl Strategy<Value = String> {
    let mut keys: Vec<String> = TABLE.iter().flat_map(|row| row.keys).map(|key| (*key).to_owned()).collect();
    keys.retain(|key| key != "ctrl-c");
    keys.extend("aby0159!(*é東".chars().map(String::from));
    keys.sort();
    keys.dedup();
    proptest::sample::select(keys)
}

/// Answers everything that was asked, as a daemon would.
fn answer(harness: &mut Harness) {
    for request in std::mem::take(&mut harness.asked) {
        assert!(!request.is_mutating(), "a read-only console asked for {request:?}");
        let update = match request {
            Request::Jobs(number, _) => Update::Jobs(number, jobs(100)),
            Request::Job(..) => Update::Job(detail(98)),
            Request::Runs(name) => Update::Runs(name, Vec::new()),
            other => answer_of(&other).unwrap_or_else(|| Update::Failed(Box::new(other), "not today".into())),
        };
        harness.tell(&update);
    }
}

fn play(settings: Settings, keys: &[String], size: (u16, u16)) -> Harness {
    let mut harness = Harness::new(settings);
    harness.press("7 s s s 6 a 6 5 4").answer_all();
    harness.press("3");
    harness.answer_jobs(jobs(100));
    for (place, key) in keys.iter().enumerate() {
        harness.press(key);
        if harness.app.session.settings.read_only {
            answer(&mut harness);
        } else {
            harness.answer_all();
        }
        if place % 7 == 0 {
            harness.tell(&logs(120 + place..121 + place));
        }
        harness.screen(size.0, size.1);
    }
    harness
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_keys_make_it_panic_or_change_data_in_a_read_only_profile(
        keys in proptest::collection::vec(keys(), 1..80),
        width in 1u16..140,
        height in 1u16..50,
    ) {
        play(Settings { read_only: true, ..Settings::default() }, &keys, (width, height));
    }

    #[test]
    fn without_a_yes_nothing_changes(keys in proptest::collection::vec(keys(), 1..60)) {
        let keys: Vec<String> = keys.into_iter().filter(|key| key != "y").collect();
        let harness = play(Settings::default(), &keys, (80, 24));
        prop_assert!(harness.changes().is_empty());
    }
}

#[test]
fn every_action_of_the_table_can_be_pressed_where_it_holds() {
    let ways: [(Scope, &str); 17] = [
        (Scope::Dashboard, "1"),
        (Scope::Logs, "2"),
        (Scope::Jobs, "3"),
        (Scope::Bookings, "4"),
        (Scope::Launches, "5"),
        (Scope::Users, "6"),
        (Scope::Keys, "6 a"),
        (Scope::Drift, "7"),
        (Scope::Sweeps, "7 s s"),
        (Scope::Resolve, "7 Enter"),
        (Scope::History, "7 Enter h"),
        (Scope::Schedules, "8"),
        (Scope::Menu, "1 ?"),
        (Scope::Confirm, "8 T"),
        (Scope::Form, "8 E"),
        (Scope::Prompt, "ctrl-k"),
        (Scope::Page, "2 Enter"),
    ];
    let mut pressed = Vec::new();
    for (scope, way) in ways {
        for row in bindings(scope) {
            for key in row.keys {
                let mut harness = Harness::new(Settings::default());
                harness.screen(80, 24);
                for step in way.split_whitespace() {
                    harness.press(step).answer_all();
                }
                if scope == Scope::Jobs {
                    harness.answer_jobs(jobs(100));
                }
                harness.answer_all();
                assert_eq!(harness.app.scope(), scope);
                let chord: Chord = key.parse().unwrap();
                assert_eq!(harness.app.keys.action(scope, chord), Some(row.action), "{key} in {scope:?}");
                harness.press(key);
                harness.screen(80, 24);
            }
            pressed.push(row.action);
        }
    }
    for action in Action::ALL {
        assert!(pressed.contains(action), "{action:?} was never pressed");
    }
}

#[test]
fn any_outcome_is_reported() {
    let mut harness = Harness::new(Settings::default());
    let outcome = |result: Result<&str, &str>| Outcome {
        target: "x".into(),
        result: result.map(String::from).map_err(String::from),
    };
    for outcomes in
        [vec![], vec![outcome(Ok(""))], vec![outcome(Err("no"))], vec![outcome(Ok("")), outcome(Err("no"))]]
    {
        harness.tell(&Update::Done(Change::Trigger("x".into()), outcomes));
        harness.screen(80, 24);
    }
}
