//! No query parameter is passed over in silence: what a route's documentation does not have is refused, since whoever
//! wrote it wanted something. A layer, so that it holds for routes that take no parameters at all.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request},
    http::Method,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use utoipa::openapi::{
    OpenApi, RefOr,
    path::{Operation, Parameter, ParameterIn},
};

use super::ApiError;

/// Refuses parameters that the route does not have (422).
pub async fn check(request: Request, next: Next) -> Response {
    match unknown(&request) {
        Some(refused) => refused.into_response(),
        None => next.run(request).await,
    }
}

fn unknown(request: &Request) -> Option<ApiError> {
    let query = request.uri().query().filter(|query| !query.is_empty())?;
    let document = request.extensions().get::<Arc<OpenApi>>()?;
    let path = request.extensions().get::<MatchedPath>()?;
    let known = parameters(operation(document, path.as_str(), request.method())?);
    let mut given = form_urlencoded::parse(query.as_bytes());
    let (name, _) = given.find(|(name, _)| !known.contains(&name.as_ref()))?;
    let name: String = name.chars().take(64).collect();
    let rule = match known.as_slice() {
        [] => "is not a parameter of this path, which takes none".to_owned(),
        known => format!("is not a parameter of this path; these are: {}", known.join(", ")),
    };
    Some(ApiError::field(name, rule))
}

fn operation<'a>(document: &'a OpenApi, path: &str, method: &Method) -> Option<&'a Operation> {
    let item = document.paths.paths.get(path)?;
    match *method {
        Method::GET | Method::HEAD => item.get.as_ref(),
        Method::POST => item.post.as_ref(),
        Method::PUT => item.put.as_ref(),
        Method::DELETE => item.delete.as_ref(),
        _ => None,
    }
}

fn parameters<'a>(operation: &'a Operation) -> Vec<&'a str> {
    let name = |one: &'a RefOr<Parameter>| match one {
        RefOr::T(Parameter { name, parameter_in: ParameterIn::Query, .. }) => Some(name.as_str()),
        _ => None,
    };
    operation.parameters.iter().flatten().filter_map(name).collect()
}
