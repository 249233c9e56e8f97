//! The access table: ONE place that says who may call what. A route without a row is refused for everybody; a test
//! compares the table with the paths of `/openapi.json`.

use astrops_api::vocabulary::{Role, Scope};
use axum::http::Method;

use super::Principal;

/// Who may call a route. What belongs to somebody is besides judged by its handler: *own* means that the handler
/// answers 404 for what is not the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody.
    Anyone,
    /// Every signed-in user; service keys with the scope.
    User(Option<Scope>),
    /// Customers.
    Customer,
    /// Customers for themselves; operators for somebody.
    CustomerOrOperator,
    /// Suppliers for their own; operators.
    SupplierOrOperator,
    /// Suppliers for their own; employees.
    SupplierOrEmployee,
    /// Employees, and service keys with the scope.
    Employee(Option<Scope>),
    /// Employees with the operator right, and service keys with the scope.
    Operator(Option<Scope>),
}

impl Who {
    /// Whether `principal` is among them.
    pub fn admits(self, principal: &Principal) -> bool {
        let has = |scope: Option<Scope>| scope.is_some_and(|scope| principal.has_scope(scope));
        match self {
            Self::Anyone => true,
            Self::User(scope) => principal.user().is_some() || has(scope),
            Self::Customer => principal.is(Role::Customer),
            Self::CustomerOrOperator => principal.is(Role::Customer) || principal.is_operator(),
            Self::SupplierOrOperator => principal.is(Role::Supplier) || principal.is_operator(),
            Self::SupplierOrEmployee => principal.is(Role::Supplier) || principal.is_employee(),
            Self::Employee(scope) => principal.is_employee() || has(scope),
            Self::Operator(scope) => principal.is_operator() || has(scope),
        }
    }

    /// The scope with which service keys are admitted.
    pub const fn scope(self) -> Option<Scope> {
        match self {
            Self::User(scope) | Self::Employee(scope) | Self::Operator(scope) => scope,
            _ => None,
        }
    }

    /// Those who are admitted, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::User(_) => "signed-in users",
            Self::Customer => "customers",
            Self::CustomerOrOperator => "customers, and employees with the operator right",
            Self::SupplierOrOperator => "suppliers, and employees with the operator right",
            Self::SupplierOrEmployee => "suppliers and employees",
            Self::Employee(_) => "employees",
            Self::Operator(_) => "employees with the operator right",
        }
    }
}

const fn read() -> Who {
    Who::Employee(Some(Scope::Read))
}

const EMPLOYEE: Who = Who::Employee(None);
const OPERATOR: Who = Who::Operator(None);
const RECONCILE: Who = Who::Operator(Some(Scope::ReconciliationWrite));

/// Method, path and who.
pub const TABLE: &[(Method, &str, Who)] = &[
    (Method::POST, "/auth/register", Who::Anyone),
    (Method::POST, "/auth/login", Who::Anyone),
    // Whoever has the refresh token.
    (Method::POST, "/auth/refresh", Who::Anyone),
    (Method::POST, "/auth/logout", Who::User(None)),
    (Method::GET, "/auth/me", Who::User(None)),
    (Method::PUT, "/auth/password", Who::User(None)),
    (Method::GET, "/auth/sessions", Who::User(None)),
    (Method::DELETE, "/auth/sessions/{id}", Who::User(None)),
    (Method::POST, "/auth/keys", OPERATOR),
    (Method::GET, "/auth/keys", OPERATOR),
    (Method::GET, "/auth/keys/{id}", OPERATOR),
    (Method::DELETE, "/auth/keys/{id}", OPERATOR),
    (Method::POST, "/users/{id}/unlock", OPERATOR),
    (Method::GET, "/users/{id}/sessions", OPERATOR),
    (Method::DELETE, "/users/{id}/sessions", OPERATOR),
    (Method::POST, "/logs", Who::Operator(Some(Scope::LogsWrite))),
    (Method::GET, "/logs", read()),
    (Method::GET, "/logs/stream", read()),
    (Method::GET, "/logs/histogram", read()),
    (Method::POST, "/jobs", Who::Operator(Some(Scope::JobsWrite))),
    (Method::GET, "/jobs", read()),
    (Method::GET, "/jobs/stats", read()),
    (Method::GET, "/jobs/stream", read()),
    (Method::POST, "/jobs/pause", OPERATOR),
    (Method::POST, "/jobs/resume", OPERATOR),
    (Method::GET, "/jobs/{id}", read()),
    (Method::PUT, "/jobs/{id}", OPERATOR),
    (Method::DELETE, "/jobs/{id}", OPERATOR),
    (Method::PUT, "/jobs/{id}/execute", Who::Operator(Some(Scope::JobsExecute))),
    (Method::POST, "/jobs/{id}/retry", OPERATOR),
    (Method::POST, "/jobs/{id}/cancel", OPERATOR),
    (Method::POST, "/notifications", Who::Operator(Some(Scope::NotificationsWrite))),
    (Method::GET, "/notifications/types", read()),
    (Method::POST, "/notifications/preview", read()),
    (Method::POST, "/reconciliation", RECONCILE),
    (Method::POST, "/reconciliation/events", RECONCILE),
    (Method::GET, "/reconciliation/events/{id}", RECONCILE),
    (Method::GET, "/reconciliation/jobs", read()),
    (Method::GET, "/reconciliation/diff/{entityType}/{entityId}", EMPLOYEE),
    (Method::GET, "/reconciliation/mapping", EMPLOYEE),
    (Method::GET, "/reconciliation/drift", EMPLOYEE),
    (Method::GET, "/reconciliation/sweeps", EMPLOYEE),
    (Method::POST, "/reconciliation/sweeps", OPERATOR),
    (Method::GET, "/reconciliation/sweeps/{id}", EMPLOYEE),
    (Method::POST, "/reconciliation/sweeps/{id}/pause", OPERATOR),
    (Method::POST, "/reconciliation/sweeps/{id}/resume", OPERATOR),
    (Method::POST, "/reconciliation/sweeps/{id}/cancel", OPERATOR),
    (Method::POST, "/reconciliation/sweeps/{id}/approve", OPERATOR),
    (Method::GET, "/reconciliation/conflicts", EMPLOYEE),
    (Method::GET, "/reconciliation/conflicts/{id}", EMPLOYEE),
    (Method::POST, "/reconciliation/conflicts/{id}/resolve", OPERATOR),
    (Method::POST, "/reconciliation/conflicts/{id}/snooze", OPERATOR),
    (Method::POST, "/reconciliation/conflicts/bulk", OPERATOR),
    (Method::GET, "/reconciliation/changes", EMPLOYEE),
    (Method::GET, "/reconciliation/changes/verify", EMPLOYEE),
    (Method::POST, "/reconciliation/changes/{id}/revert", OPERATOR),
    (Method::GET, "/schedules", EMPLOYEE),
    (Method::GET, "/schedules/{name}", EMPLOYEE),
    (Method::GET, "/schedules/{name}/runs", EMPLOYEE),
    (Method::PUT, "/schedules/{name}", OPERATOR),
    (Method::POST, "/schedules/{name}/trigger", OPERATOR),
    (Method::POST, "/schedules/{name}/pause", OPERATOR),
    (Method::POST, "/schedules/{name}/resume", OPERATOR),
    (Method::GET, "/launches", Who::Anyone),
    (Method::POST, "/launches", Who::SupplierOrOperator),
    (Method::GET, "/launches/{id}", Who::Anyone),
    (Method::PUT, "/launches/{id}", Who::SupplierOrOperator),
    (Method::DELETE, "/launches/{id}", Who::SupplierOrOperator),
    (Method::PUT, "/launches/{id}/interest", Who::Customer),
    (Method::DELETE, "/launches/{id}/interest", Who::Customer),
    (Method::GET, "/launches/{id}/capacity-log", Who::SupplierOrEmployee),
    (Method::GET, "/launches/{id}/bookings", Who::SupplierOrEmployee),
    (Method::GET, "/bookings", Who::User(None)),
    (Method::POST, "/bookings", Who::CustomerOrOperator),
    (Method::GET, "/bookings/{id}", Who::User(None)),
    (Method::DELETE, "/bookings/{id}", Who::CustomerOrOperator),
    (Method::GET, "/users", EMPLOYEE),
    // One's own, or an employee; what changes one, its owner or an operator.
    (Method::GET, "/users/{id}", Who::User(None)),
    (Method::PUT, "/users/{id}", Who::User(None)),
    (Method::DELETE, "/users/{id}", Who::User(None)),
    (Method::PUT, "/users/{id}/follow", Who::Customer),
    (Method::DELETE, "/users/{id}/follow", Who::Customer),
    (Method::GET, "/users/{id}/followers", Who::SupplierOrEmployee),
    (Method::GET, "/audit", EMPLOYEE),
    (Method::GET, "/stream", Who::User(Some(Scope::Read))),
    (Method::POST, "/bookings/{id}/payment", Who::CustomerOrOperator),
    // The signature is judged by the handler.
    (Method::POST, "/payments/webhook", Who::Anyone),
    (Method::GET, "/status", EMPLOYEE),
    (Method::GET, "/health/live", Who::Anyone),
    (Method::GET, "/health/ready", Who::Anyone),
    // Employees only; callers on loopback are let in by the handler unless a proxy stands in front.
    (Method::GET, "/metrics", Who::Anyone),
    (Method::GET, "/openapi.json", Who::Anyone),
    (Method::GET, "/docs", Who::Anyone),
];

/// Whether anybody can make us compute a password hash or look for a secret there.
pub fn is_costly(path: &str) -> bool {
    matches!(path, "/auth/register" | "/auth/login" | "/auth/refresh")
}

/// Who may call `method` on the route with this `path` pattern; `None` when the table has no row.
pub fn who(method: &Method, path: &str) -> Option<Who> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    // The documents call launches events: the same routes, the same rows.
    let alias = path.strip_prefix("/events").map(|rest| format!("/launches{rest}"));
    let path = alias.as_deref().unwrap_or(path);
    TABLE.iter().find(|(m, p, _)| m == method && *p == path).map(|(_, _, who)| *who)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_route_has_one_row() {
        for (n, (method, path, _)) in TABLE.iter().enumerate() {
            assert!(
                TABLE[n + 1..].iter().all(|(m, p, _)| (m, p) != (method, path)),
                "{method} {path} stands twice"
            );
        }
    }

    #[test]
    fn what_has_no_row_is_for_nobody() {
        assert_eq!(who(&Method::PATCH, "/jobs"), None);
        assert_eq!(who(&Method::GET, "/secrets"), None);
        assert_eq!(who(&Method::HEAD, "/jobs"), Some(read()));
    }
}
