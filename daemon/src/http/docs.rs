//! /openapi.json and /docs: made from the same types as the routes; the page needs no script and loads nothing.

use std::sync::Arc;

use astrops_api::Problem;
use axum::{
    Extension, Json,
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::Value;
use utoipa::{
    IntoResponses, PartialSchema as _, ToSchema as _,
    openapi::{
        Components, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr, ResponseBuilder,
        content::ContentBuilder,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{ApiResult, App, error::Kind};

const PAGE: &str = include_str!("docs.html");

/// The document before the routes join it.
pub fn frame() -> OpenApi {
    let info = InfoBuilder::new()
        .title("astrops")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Job daemon of AstroBookings: notifications, schedules, system logs. Errors are RFC 9457 problems."))
        .build();
    let mut components = Components::new();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    components.schemas.insert("FieldError".to_owned(), astrops_api::problem::FieldError::schema());
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .security(Some([SecurityRequirement::new("bearer", Vec::<String>::new())]))
        .build()
}

/// `/events` is `/launches` under the documents' other name: the same operations, each with an id of its own.
pub fn describe_aliases(document: &mut OpenApi) {
    let renamed = |item: &PathItem| {
        let mut item = item.clone();
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete]
            .into_iter()
            .filter_map(Option::as_mut);
        for operation in operations {
            operation.operation_id = operation.operation_id.as_ref().map(|id| format!("{id}_as_event"));
        }
        item
    };
    let paths = &mut document.paths.paths;
    let aliases: Vec<(String, PathItem)> = paths
        .iter()
        .filter_map(|(path, item)| {
            Some((format!("/events{}", path.strip_prefix("/launches")?), renamed(item)))
        })
        .collect();
    for (path, mut alias) in aliases {
        let own = paths.entry(path).or_default();
        // The list has an answer of its own.
        alias.get = own.get.take().or(alias.get);
        *own = alias;
    }
}

/// Every refusal that a route may give.
pub struct Problems;

impl IntoResponses for Problems {
    fn responses() -> std::collections::BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        Kind::ALL
            .iter()
            .map(|kind| {
                let (status, _, _) = kind.facts();
                let same = Kind::ALL.iter().filter(|other| other.facts().0 == status);
                let titles: Vec<&str> = same.map(|other| other.facts().2).collect();
                let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
                let response = ResponseBuilder::new()
                    .description(titles.join(" / "))
                    .content("application/problem+json", content)
                    .build();
                (status.as_str().to_owned(), RefOr::T(response))
            })
            .collect()
    }
}

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(openapi)).routes(routes!(page))
}

/// This document
#[utoipa::path(get, path = "/openapi.json", tag = "docs", security(()), responses((status = 200, body = Object)))]
async fn openapi(Extension(document): Extension<Arc<OpenApi>>) -> Json<Arc<OpenApi>> {
    Json(document)
}

/// This document as a page
#[utoipa::path(get, path = "/docs", tag = "docs", security(()), responses((status = 200, body = String, content_type = "text/html")))]
async fn page(Extension(document): Extension<Arc<OpenApi>>) -> ApiResult<Response> {
    let document: Value = serde_json::to_value(&*document).map_err(anyhow::Error::from)?;
    let mut environment = minijinja::Environment::new();
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
    let html = environment
        .render_str(PAGE, minijinja::context! { document => minijinja::value::Serde(&document) })
        .map_err(anyhow::Error::from)?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
    ];
    Ok((headers, html).into_response())
}
