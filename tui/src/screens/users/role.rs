//! The form that gives a user another role or right.

use astrops_api::{
    ids::UserId,
    users::{Account, EditUser},
    vocabulary::{Right, Role},
};

use crate::{
    layers::{Confirm, FormLayer, Layer, Purpose},
    message::Change,
    screen::{Context, Effect},
    widgets::form::{Field, Form},
};

/// Whose role it is, and what it is now.
#[derive(Debug)]
struct ChangeRole {
    id: UserId,
    name: String,
    role: Role,
    right: Option<Right>,
}

/// Opens the form.
pub fn ask(account: &Account) -> Vec<Effect> {
    let user = &account.user;
    let roles: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
    let rights: Vec<&str> = Right::ALL.iter().map(|right| right.as_str()).collect();
    let fields = vec![
        Field::choice("role", "role", &roles, user.role.as_str()),
        Field::choice("right", "right of an employee", &rights, user.right.unwrap_or(Right::Viewer).as_str()),
    ];
    let purpose = ChangeRole { id: user.id, name: user.email.clone(), role: user.role, right: user.right };
    vec![Effect::Open(Layer::Form(Box::new(FormLayer::of(purpose, fields))))]
}

impl Purpose for ChangeRole {
    fn title(&self) -> String {
        format!("Role of {}", self.name)
    }

    fn note(&self) -> String {
        "A viewer reads everything, an operator changes it.".to_owned()
    }

    fn submit(&self, form: &Form, context: &Context<'_>) -> Result<Effect, (&'static str, String)> {
        let role: Role = form.get("role").parse().map_err(|error| ("role", format!("{error}")))?;
        let right: Right = form.get("right").parse().map_err(|error| ("right", format!("{error}")))?;
        // Only employees have a right.
        let right = (role == Role::Employee).then_some(right);
        if (role, right) == (self.role, self.right) {
            return Err(("role", "nothing was changed".to_owned()));
        }
        let words = |role: Role, right: Option<Right>| match right {
            Some(right) => format!("{role} ({right})"),
            None => role.to_string(),
        };
        let mut lines = vec![format!("{} -> {}", words(self.role, self.right), words(role, right))];
        if right == Some(Right::Operator) {
            lines.push("An operator may do everything that you may, this too.".to_owned());
        }
        let edit = EditUser {
            role: (role != self.role).then_some(role),
            right: right.filter(|_| right != self.right),
            ..EditUser::default()
        };
        let change = Change::EditUser(self.id, self.name.clone(), edit);
        Ok(Effect::Open(Layer::Confirm(Confirm::change(
            format!("Change the role of {}?", self.name),
            lines,
            1,
            change,
            context,
        ))))
    }

    fn is_met_by(&self, change: &Change) -> bool {
        matches!(change, Change::EditUser(id, ..) if *id == self.id)
    }
}
