//! The access table: ONE place that says who may call what. A route without a row is refused for everybody; a test
//! compares the table with the paths of `/openapi.json`.

use astrops_api::vocabulary::Scope;
use axum::http::Method;

use super::Principal;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody.
    Anyone,
    /// Every signed-in user.
    User,
    /// Employees, and service keys with the scope.
    Employee(Option<Scope>),
    /// Employees with the operator right, and service keys with the scope.
    Operator(Option<Scope>),
}

impl Who {
    /// Whether `principal` is among them.
    pub fn admits(self, principal: &Principal) -> bool {
        match self {
            Self::Anyone => true,
            Self::User => principal.user().is_some(),
            Self::Employee(_) => principal.is_employee(),
            Self::Operator(_) => principal.is_operator(),
        }
    }

    /// Those who are admitted, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::User => "signed-in users",
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

/// Method, path and who.
pub const TABLE: &[(Method, &str, Who)] = &[
    (Method::POST, "/auth/register", Who::Anyone),
    (Method::POST, "/auth/login", Who::Anyone),
    (Method::POST, "/auth/logout", Who::User),
    (Method::GET, "/auth/me", Who::User),
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
    (Method::GET, "/schedules", EMPLOYEE),
    (Method::GET, "/schedules/{name}", EMPLOYEE),
    (Method::GET, "/schedules/{name}/runs", EMPLOYEE),
    (Method::PUT, "/schedules/{name}", OPERATOR),
    (Method::POST, "/schedules/{name}/trigger", OPERATOR),
    (Method::POST, "/schedules/{name}/pause", OPERATOR),
    (Method::POST, "/schedules/{name}/resume", OPERATOR),
    (Method::GET, "/status", EMPLOYEE),
    (Method::GET, "/health/live", Who::Anyone),
    (Method::GET, "/health/ready", Who::Anyone),
    // Employees only; callers on loopback are let in by the handler unless a proxy stands in front.
    (Method::GET, "/metrics", Who::Anyone),
    (Method::GET, "/openapi.json", Who::Anyone),
    (Method::GET, "/docs", Who::Anyone),
];

/// Who may call `method` on the route with this `path` pattern; `None` when the table has no row.
pub fn who(method: &Method, path: &str) -> Option<Who> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
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
