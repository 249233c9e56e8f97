//! Writers, reconcilers and crashes in every order, against the protocol of [`super::super::intent`] in memory.
//!
//! Each step of a reconciler is one atomic thing that the engine does: read our side, read the document, one transaction,
//! one compare-and-set. Between any two of them writers write and reconcilers are torn away.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::reconcile::core::{
    intent::{Decision, Fate, Intent, Move, decide},
    mapping::Authority,
    plan::{Action, Plan},
};

const SEEDS: u64 = 10_000;
/// What writers write and a person decides when both sides did.
const MANUAL: [&str; 3] = ["title", "venue", "category"];
/// What writers write and our side decides when both did.
const PREFERRED: &str = "description";

/// `splitmix64`: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.next(times) == 0
    }
}

/// Both databases, and all that was ever in them.
#[derive(Clone, Debug)]
struct World {
    document: Option<Record>,
    /// `updatedAt`, for writers who touch it.
    touched: u64,
    ours: Option<Record>,
    link: (History, u64),
    intent: Option<(u64, Intent)>,
    /// Every value that a field of a side has held.
    held: BTreeMap<(Side, usize), BTreeSet<String>>,
    /// What reconcilers wrote: side, field, value.
    written: Vec<(Side, usize, String)>,
    /// What the change log says was written, by side.
    logged: Vec<(Side, usize, String)>,
    /// Writes of documents of which the log says that it does not know.
    unknown: BTreeSet<(usize, String)>,
    /// What a writer saw where it wrote a value.
    parents: BTreeMap<String, String>,
    /// The latest write of a writer to each field that a person decides.
    latest: BTreeMap<usize, (Side, Value)>,
    intents: u64,
    values: u64,
}

impl World {
    fn new(document: Option<Record>, ours: Option<Record>) -> Self {
        let mut world = Self {
            document: None,
            touched: 0,
            ours: None,
            link: (History::New, 0),
            intent: None,
            held: BTreeMap::new(),
            written: Vec::new(),
            logged: Vec::new(),
            unknown: BTreeSet::new(),
            parents: BTreeMap::new(),
            latest: BTreeMap::new(),
            intents: 0,
            values: 0,
        };
        world.put(Side::Document, document);
        world.put(Side::Relational, ours);
        world
    }

    fn side(&self, side: Side) -> Option<&Record> {
        match side {
            Side::Document => self.document.as_ref(),
            Side::Relational => self.ours.as_ref(),
        }
    }

    fn put(&mut self, side: Side, record: Option<Record>) {
        for (index, value) in record.iter().flat_map(|record| record.values().iter().enumerate()) {
            self.held.entry((side, index)).or_default().insert(format!("{value:?}"));
        }
        match side {
            Side::Document => self.document = record,
            Side::Relational => self.ours = record,
        }
    }

    /// A reconciler's write: it must not destroy what only this side has held, nor invent what neither has.
    fn reconciled(&mut self, mapping: &Mapping, side: Side, record: Record) {
        let before = self.side(side).cloned();
        for index in mapping.compared() {
            let (old, new) = (before.as_ref().map(|record| record.at(index)), record.at(index));
            if old == Some(new) {
                continue;
            }
            let held = |side: Side, value: &Value| {
                self.held.get(&(side, index)).is_some_and(|held| held.contains(&format!("{value:?}")))
            };
            let name = mapping.fields()[index].name;
            assert!(held(side.other(), new), "{name}: {new:?} was never on the {} side", side.other());
            if let Some(old) = old.filter(|_| MANUAL.contains(&name)) {
                assert!(held(side.other(), old), "{name}: {old:?} was only on the {side} side and is lost");
            }
            // Who wrote the old value had seen the new one, and replaced it.
            let mut seen = old.map(|old| format!("{old:?}"));
            while let Some(value) = seen {
                seen = self.parents.get(&value).cloned();
                assert!(seen != Some(format!("{new:?}")), "{name}: {old:?} was put back to {new:?}");
            }
            self.written.push((side, index, format!("{new:?}")));
        }
        self.put(side, Some(record));
    }

    fn write(&mut self, mapping: &Mapping, dice: &mut Dice) {
        let side = if dice.once_in(2) { Side::Document } else { Side::Relational };
        let name = MANUAL.get(usize::try_from(dice.next(5)).unwrap()).unwrap_or(&PREFERRED);
        let index = mapping.index(name).unwrap();
        let Some(record) = self.side(side).cloned() else { return };
        self.values += 1;
        let value = text(&format!("value {}", self.values));
        self.parents.insert(format!("{value:?}"), format!("{:?}", record.at(index)));
        self.put(side, Some(record.with(index, value.clone())));
        if *name != PREFERRED {
            self.latest.insert(index, (side, value));
        }
        // Some writers of documents forget `updatedAt`.
        if side == Side::Document && !dice.once_in(3) {
            self.touched += 1;
        }
    }
}

/// What one reconciler has read.
#[derive(Clone, Debug)]
struct Ours {
    record: Option<Record>,
    link: (History, u64),
    intent: Option<(u64, Intent)>,
}

#[derive(Clone, Debug, Default)]
enum Stage {
    #[default]
    Start,
    Read(Ours),
    Looked(Ours, Option<Record>, u64, Box<Decision>),
    /// It has begun, and writes the document by what it saw of it before.
    Begun(Option<Record>, u64, Box<Decision>, (u64, Intent)),
}

#[derive(Clone, Debug, Default)]
struct Reconciler {
    stage: Stage,
    fate: Option<(u64, Fate)>,
    /// The last intent that it began.
    began: Option<u64>,
    done: bool,
}

impl Reconciler {
    fn step(&mut self, mapping: &Mapping, world: &mut World) {
        self.stage = match std::mem::take(&mut self.stage) {
            Stage::Start => Stage::Read(Ours {
                record: world.ours.clone(),
                link: world.link.clone(),
                intent: world.intent.clone(),
            }),
            Stage::Read(ours) => {
                let document = world.document.clone();
                let said =
                    |record: Option<&Record>| record.map_or(Seen::Missing, |record| seen(record.clone()));
                let situation = Situation {
                    history: ours.link.0.clone(),
                    seen: Pair { document: said(document.as_ref()), relational: said(ours.record.as_ref()) },
                    ..Situation::default()
                };
                let fate =
                    |id: u64| self.fate.filter(|(of, _)| *of == id).map_or(Fate::Unknown, |(_, fate)| fate);
                let begun = ours.intent.as_ref().map(|(id, intent)| (intent, fate(*id)));
                let decision = decide(mapping, situation, begun);
                Stage::Looked(ours, document, world.touched, Box::new(decision))
            }
            Stage::Looked(ours, document, touched, decision) => {
                self.act(mapping, world, &ours, document.as_ref(), touched, &decision);
                let begun = world.intent.clone().filter(|_| decision.next == Move::Begin);
                match begun.filter(|(id, intent)| Some(*id) == self.began && intent.document != Action::Keep)
                {
                    Some(begun) => Stage::Begun(document, touched, decision, begun),
                    None => Stage::Start,
                }
            }
            Stage::Begun(document, touched, decision, (id, intent)) => {
                let plan = &decision.plan;
                self.write_document(mapping, world, document.as_ref(), touched, plan, (id, &intent));
                Stage::Start
            }
        };
    }

    fn act(
        &mut self,
        mapping: &Mapping,
        world: &mut World,
        ours: &Ours,
        document: Option<&Record>,
        touched: u64,
        decision: &Decision,
    ) {
        match decision.next {
            Move::Begin => {
                let same = world.ours == ours.record && world.link.1 == ours.link.1;
                if !same || world.intent.is_some() {
                    return;
                }
                let plan = decision.plan.clone().softened(mapping, 0);
                world.intents += 1;
                self.began = Some(world.intents);
                world.intent = Some((world.intents, plan.intent(mapping)));
                if plan.actions.relational != Action::Keep {
                    let after = plan.after(Side::Relational, ours.record.clone()).unwrap();
                    world.reconciled(mapping, Side::Relational, after);
                }
            }
            Move::Document => {
                let (id, intent) = ours.intent.as_ref().unwrap();
                self.write_document(mapping, world, document, touched, &decision.plan, (*id, intent));
            }
            Move::Finish(fate) => {
                let (id, intent) = ours.intent.as_ref().unwrap();
                if world.intent.as_ref().is_some_and(|(open, _)| open == id) {
                    world.intent = None;
                    for moved in &intent.moved {
                        let told = (moved.index, format!("{:?}", moved.value));
                        if moved.written == Side::Relational || fate == Fate::Written {
                            world.logged.push((moved.written, told.0, told.1));
                        } else if fate == Fate::Unknown {
                            world.unknown.insert(told);
                        }
                    }
                }
                Self::agree(mapping, world, ours, decision);
                self.done = decision.plan.is_quiet();
            }
            Move::Rest => {
                Self::agree(mapping, world, ours, decision);
                self.done = true;
            }
        }
    }

    /// By compare-and-set with what was seen.
    fn write_document(
        &mut self,
        mapping: &Mapping,
        world: &mut World,
        document: Option<&Record>,
        touched: u64,
        plan: &Plan,
        (id, intent): (u64, &Intent),
    ) {
        let mut plan = plan.clone();
        plan.actions.document = intent.document.clone();
        let fits = match &intent.document {
            Action::Create(_) => world.document.is_none(),
            Action::Update(writes) => writes.iter().all(|write| {
                let at = |record: Option<&Record>| record.map(|record| record.at(write.index).clone());
                at(world.document.as_ref()) == at(document) && world.touched == touched
            }),
            Action::Keep | Action::Delete(_) => unreachable!("an intent does not"),
        };
        if fits {
            let after = plan.after(Side::Document, world.document.clone()).unwrap();
            world.reconciled(mapping, Side::Document, after);
            world.touched += 1;
        }
        self.fate = Some((id, if fits { Fate::Written } else { Fate::Unknown }));
    }

    fn agree(mapping: &Mapping, world: &mut World, ours: &Ours, decision: &Decision) {
        let Some(agreed) = decision.agreed(mapping) else { return };
        if world.link.1 == ours.link.1 && world.link.0 != agreed {
            world.link = (agreed, ours.link.1 + 1);
        }
    }

    /// Goes through to the end, with nobody beside it.
    fn finish(mapping: &Mapping, world: &mut World) {
        let mut fresh = Self::default();
        for _ in 0..60 {
            fresh.step(mapping, world);
            if fresh.done {
                return;
            }
        }
        panic!("it does not come to an end: {world:?}");
    }
}

fn mapping() -> Mapping {
    let manual = MANUAL.iter().map(|field| ((*field).to_owned(), Authority::Manual)).collect();
    Mapping::with(LAUNCH, &manual).unwrap()
}

fn play(mapping: &Mapping, seed: u64) {
    let mut dice = Dice(seed);
    let starts = [
        ("title", text("Moon")),
        ("venue", text("Kourou")),
        ("category", text("orbital")),
        ("description", text("Three orbits")),
    ];
    let both = |side| Some(row(side, LAUNCH, &starts));
    let mut world = match dice.next(4) {
        0 => World::new(both(Side::Document), None),
        1 => World::new(None, both(Side::Relational)),
        _ => World::new(both(Side::Document), both(Side::Relational)),
    };
    if !dice.once_in(4) {
        Reconciler::finish(mapping, &mut world);
    }
    let mut two = [Reconciler::default(), Reconciler::default()];
    for _ in 0..40 + dice.next(40) {
        let one = &mut two[usize::try_from(dice.next(2)).unwrap()];
        match dice.next(12) {
            0 | 1 => world.write(mapping, &mut dice),
            2 => *one = Reconciler::default(),
            _ if one.done => *one = Reconciler::default(),
            _ => one.step(mapping, &mut world),
        }
    }
    Reconciler::finish(mapping, &mut world);
    // A conflict that a crash left behind is seen by the next look; after that nothing changes any more.
    let settled = world.clone();
    Reconciler::finish(mapping, &mut world);
    assert_eq!(
        (&world.document, &world.ours),
        (&settled.document, &settled.ours),
        "a second run writes nothing"
    );
    assert!(world.intent.is_none(), "nothing is left under way");

    let (document, ours) = (world.document.as_ref().unwrap(), world.ours.as_ref().unwrap());
    for (index, (side, value)) in &world.latest {
        assert_eq!(world.side(*side).unwrap().at(*index), value, "the last word is kept where it was said");
        let name = mapping.fields()[*index].name;
        if document.at(*index) != ours.at(*index) {
            let situation = Situation {
                history: world.link.0.clone(),
                seen: Pair { document: seen(document.clone()), relational: seen(ours.clone()) },
                ..Situation::default()
            };
            let conflicts = merge(mapping, &situation).conflicts;
            assert!(
                conflicts.iter().any(|conflict| conflict.fields.contains(index)),
                "{name} differs and nobody asks"
            );
        }
    }
    // The change log has each write once; of a document it may say that it does not know.
    let mut missing = world.written.clone();
    for logged in &world.logged {
        match missing.iter().position(|written| written == logged) {
            Some(at) => drop(missing.remove(at)),
            // A creation logs fields that the row had as its default.
            None => assert!(logged.2 == "Null", "{logged:?} was logged and not written"),
        }
    }
    for (side, index, value) in missing {
        let is_unknown = side == Side::Document && world.unknown.contains(&(index, value.clone()));
        assert!(is_unknown, "{side} {}: {value} was written and not logged", mapping.fields()[index].name);
    }
}

#[test]
fn nothing_is_lost_or_invented_however_writers_reconcilers_and_crashes_interleave() {
    let mapping = mapping();
    for seed in 0..SEEDS {
        let played = std::panic::catch_unwind(|| play(&mapping, seed));
        assert!(played.is_ok(), "seed {seed}");
    }
}
