//! Cancelling asks for a reason first, which the customers are told, and then for a yes.

use crate::{
    layers::{Confirm, FormLayer, Layer, Purpose},
    message::Change,
    screen::{Context, Effect},
    widgets::form::{Field, Form},
};

/// The longest reason that the daemon takes.
const LONGEST: usize = 200;

/// A form that asks why.
#[derive(Debug)]
pub struct Reason {
    /// The question behind it: "Cancel 2 bookings?".
    pub title: String,
    /// What the question says of what will happen.
    pub lines: Vec<String>,
    /// How many things are meant, for the count to be typed.
    pub items: usize,
    /// The change without its reason.
    pub change: Change,
}

impl Reason {
    /// Asks.
    pub fn ask(self) -> Vec<Effect> {
        let form = FormLayer::of(self, vec![Field::text("reason", "reason", false, "")]);
        vec![Effect::Open(Layer::Form(Box::new(form)))]
    }
}

impl Purpose for Reason {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn note(&self) -> String {
        "Told to customers and the audit log; may be empty.".to_owned()
    }

    fn submit(&self, form: &Form, context: &Context<'_>) -> Result<Effect, (&'static str, String)> {
        let typed = form.get("reason");
        if typed.chars().count() > LONGEST {
            return Err(("reason", format!("a reason has at most {LONGEST} characters")));
        }
        let reason = (!typed.is_empty()).then(|| typed.to_owned());
        let mut lines = vec![format!("Reason: {}", reason.as_deref().unwrap_or("none given"))];
        lines.extend(self.lines.iter().cloned());
        let mut change = self.change.clone();
        match &mut change {
            Change::CancelBookings(_, body) => body.reason = reason,
            Change::CancelLaunch(_, body) => body.reason = reason,
            _ => {}
        }
        Ok(Effect::Open(Layer::Confirm(Confirm::change(
            self.title.clone(),
            lines,
            self.items,
            change,
            context,
        ))))
    }

    fn is_met_by(&self, change: &Change) -> bool {
        std::mem::discriminant(change) == std::mem::discriminant(&self.change)
    }
}
