//! What handlers take from a request: body, query, path. Each refusal names the field.

use astrops_api::problem::FieldError;
use axum::{
    body::Bytes,
    extract::{
        FromRequest, FromRequestParts, Request, path::ErrorKind as PathError, rejection::PathRejection,
    },
    http::{HeaderMap, header, request::Parts},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{ApiError, error::Kind};

/// The deepest nesting that a body may have.
const DEPTH: usize = 32;

/// A JSON body of type `T`, with what makes a repeated request recognisable.
pub struct Body<T>(pub T, pub Fingerprint);

/// A JSON body that may be left out.
pub struct OptionalBody<T>(pub Option<T>, pub Fingerprint);

/// The caller's `Idempotency-Key` and what it belongs to.
#[derive(Clone)]
pub struct Fingerprint {
    /// The caller's key.
    pub key: Option<String>,
    /// Method and path.
    pub request: String,
    /// SHA-256 of the body, in hexadecimal.
    pub body_hash: String,
}

/// The query string as `T`.
pub struct Query<T>(pub T);

/// One path parameter as `T`; what cannot be one names nothing, so it is 404.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Serialize> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (bytes, fingerprint, headers) = read(request, state).await?;
        check_content_type(&headers)?;
        Ok(Self(parse(&bytes)?, fingerprint))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Serialize> FromRequest<S> for OptionalBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (bytes, fingerprint, headers) = read(request, state).await?;
        if bytes.is_empty() {
            return Ok(Self(None, fingerprint));
        }
        check_content_type(&headers)?;
        Ok(Self(Some(parse(&bytes)?), fingerprint))
    }
}

async fn read<S: Send + Sync>(
    request: Request,
    state: &S,
) -> Result<(Bytes, Fingerprint, HeaderMap), ApiError> {
    let headers = request.headers().clone();
    let request_line = format!("{} {}", request.method(), request.uri().path());
    let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
            ApiError::new(
                Kind::PayloadTooLarge,
                "at most 64 KiB are taken (256 KiB by POST /logs); send less at once",
            )
        } else {
            ApiError::new(Kind::BadRequest, "the body ended before it was complete")
        }
    })?;
    let key = match headers.get("idempotency-key") {
        None => None,
        Some(key) => Some(
            key.to_str()
                .ok()
                .filter(|key| (1..=200).contains(&key.len()))
                .ok_or_else(|| {
                    ApiError::field("Idempotency-Key", "must be 1 to 200 printable ASCII characters")
                })?
                .to_owned(),
        ),
    };
    let body_hash =
        Sha256::digest(&bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    Ok((bytes, Fingerprint { key, request: request_line, body_hash }, headers))
}

fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let given = if given.is_empty() { "none".to_owned() } else { format!("{given:?}") };
    Err(ApiError::new(Kind::UnsupportedMediaType, format!("the request's Content-Type is {given}")))
}

fn parse<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, ApiError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ApiError::new(Kind::BadRequest, format!("the body is not UTF-8: {error}")))?;
    if depth(bytes) > DEPTH {
        return Err(ApiError::field("", format!("is nested more than {DEPTH} levels deep")));
    }
    // PostgreSQL cannot keep U+0000 in a text, and nothing that we store needs it.
    if text.contains("\\u0000") && holds_nul(&serde_json::from_str(text).unwrap_or_default()) {
        return Err(ApiError::field("", "a text holds the character U+0000, which is not allowed"));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        let inner = error.into_inner();
        if inner.is_data() {
            ApiError::field(pointer, plain(&inner.to_string()))
        } else {
            ApiError::new(Kind::BadRequest, format!("the body is not JSON: {inner}"))
        }
    })?;
    deserializer
        .end()
        .map_err(|error| ApiError::new(Kind::BadRequest, format!("the body is not JSON: {error}")))?;
    if text.contains('[')
        && let Some(pointer) = list_for_object(
            &serde_json::from_str(text).unwrap_or_default(),
            &serde_json::to_value(&value).unwrap_or_default(),
        )
    {
        return Err(ApiError::field(pointer, "must be an object, not a list"));
    }
    Ok(value)
}

/// Where a list stands for an object: serde also takes the fields of a struct one after the other, and no schema says so.
/// `read` is what was understood, written again.
fn list_for_object(given: &Value, read: &Value) -> Option<String> {
    match (given, read) {
        (Value::Array(_), Value::Object(_)) => Some(String::new()),
        (Value::Array(given), Value::Array(read)) => given
            .iter()
            .zip(read)
            .enumerate()
            .find_map(|(n, (given, read))| list_for_object(given, read).map(|rest| format!("/{n}{rest}"))),
        (Value::Object(given), Value::Object(read)) => given.iter().find_map(|(name, given)| {
            let rest = list_for_object(given, read.get(name)?)?;
            Some(format!("/{}{rest}", name.replace('~', "~0").replace('/', "~1")))
        }),
        _ => None,
    }
}

/// How deep arrays and objects are nested. A stored body is wrapped in further levels, and what is deeper than 127 in
/// all can be written but not read again.
fn depth(json: &[u8]) -> usize {
    let (mut now, mut most, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                now += 1;
                most = most.max(now);
            }
            b'}' | b']' if !in_text => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

fn holds_nul(value: &Value) -> bool {
    use Value::{Array, Object, String};
    match value {
        String(text) => text.contains('\0'),
        Array(values) => values.iter().any(holds_nul),
        Object(map) => map.iter().any(|(key, value)| key.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

/// A path of serde as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } => format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => pointer,
    })
}

/// What stands in a path and cannot.
fn misplaced(kind: PathError) -> String {
    match kind {
        // A word of a closed vocabulary says which there are.
        PathError::Message(message) | PathError::DeserializeError { message, .. }
            if message.contains("is not one of: ") =>
        {
            format!("in the path, {message}")
        }
        PathError::DeserializeError { value, .. } | PathError::ParseError { value, .. } => {
            let value: String = value.chars().take(64).collect();
            format!("the path holds {value:?}, which is no id")
        }
        _ => "the path holds an id that cannot be one".to_owned(),
    }
}

/// serde's message without its position, which means nothing to the caller of an API.
fn plain(message: &str) -> String {
    explained(message.rsplit_once(" at line ").map_or(message, |(text, _)| text))
}

/// A parser's message in the words of whoever writes JSON, with what would have been right.
fn explained(message: &str) -> String {
    const TIMES: &[&str] = &[
        "premature end of input",
        "input contains invalid characters",
        "input is out of range",
        "trailing input",
    ];
    const NUMBERS: &[&str] = &[
        "invalid digit found in string",
        "cannot parse integer from empty string",
        "number too large to fit in target type",
    ];
    if TIMES.contains(&message) {
        return format!("is not a time ({message}); write RFC 3339, such as 2026-03-01T12:00:00Z");
    }
    if NUMBERS.contains(&message) {
        return format!("is not a whole number that fits ({message})");
    }
    if message.starts_with("UUID parsing failed") {
        return "is not an id, such as 0198f000-0000-7000-8000-000000000001".to_owned();
    }
    if message.starts_with("invalid length") && message.contains("expected struct") {
        return "must be an object, not a list".to_owned();
    }
    if let Some(rest) = message.strip_prefix("unknown variant ")
        && let Some((given, allowed)) = rest.split_once(", expected ")
    {
        let allowed = allowed.strip_prefix("one of ").unwrap_or(allowed);
        return format!("must be one of {}, not {}", allowed.replace('`', "\""), given.replace('`', "\""));
    }
    let wrong = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    match wrong.and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((found, expected)) => format!("must be {}, not {}", in_json(expected), in_json(found)),
        None => message.to_owned(),
    }
}

/// What a parser calls a kind of value, as JSON calls it.
fn in_json(name: &str) -> String {
    let quoted =
        |word: &str, noun: &str| Some(format!("{noun} {}", name.strip_prefix(word)?.trim_matches('`')));
    match name {
        "a map" | "map" => "an object".to_owned(),
        "a sequence" | "sequence" => "a list".to_owned(),
        "a string" | "string" => "a text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "unit value" => "null".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 that fits".to_owned(),
        "i8" | "i16" | "i32" | "i64" => "a whole number that fits".to_owned(),
        "f64" => "a number".to_owned(),
        _ if name.starts_with("struct ") => "an object".to_owned(),
        _ => quoted("integer ", "the number")
            .or_else(|| quoted("floating point ", "the number"))
            .or_else(|| quoted("boolean ", "the value"))
            .or_else(|| quoted("string ", "the text"))
            .unwrap_or_else(|| name.to_owned()),
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        if query.contains("%00") {
            return Err(ApiError::field("", "a parameter holds the character U+0000, which is not allowed"));
        }
        let deserializer = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        match serde_path_to_error::deserialize(deserializer) {
            Ok(value) => Ok(Self(value)),
            Err(error) => {
                let name = pointer(error.path()).trim_start_matches('/').to_owned();
                let detail = explained(&error.into_inner().to_string());
                Err(ApiError::fields(vec![FieldError { pointer: name, detail }]))
            }
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if parts.uri.path().contains("%00") {
            return Err(ApiError::new(Kind::NotFound, "the path holds the character U+0000"));
        }
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(refused)) => {
                Err(ApiError::new(Kind::NotFound, misplaced(refused.into_kind())))
            }
            Err(_) => Err(ApiError::new(Kind::NotFound, "the path holds what cannot stand there")),
        }
    }
}
