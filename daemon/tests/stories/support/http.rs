//! Requests as a stranger writes them: text in, text out.

use astrops_api::{Problem, Secret};
use serde_json::Value;

use super::{TestDaemon, login};

/// A raw caller with a token.
pub struct Raw {
    http: reqwest::Client,
    base: String,
    token: Option<Secret>,
}

/// A raw answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn problem(&self) -> Problem {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let problem: Problem =
            serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert_eq!(problem.status, self.status);
        problem
    }
}

impl TestDaemon {
    /// Raw requests by the operator.
    pub async fn raw(&self) -> Raw {
        let token = self.anyone.login(&login("ana@example.com")).await.unwrap().token;
        Raw { token: Some(token), ..self.raw_anyone() }
    }

    /// Raw requests by nobody.
    pub fn raw_anyone(&self) -> Raw {
        let http = astrops_api::client::http_client().unwrap();
        Raw { http, base: self.anyone.base().to_owned(), token: None }
    }
}

impl Raw {
    pub async fn send(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let headers: &[(&str, &str)] =
            if body.is_some() { &[("content-type", "application/json")] } else { &[] };
        self.send_with(method, path, headers, body.unwrap_or_default().as_bytes().to_vec()).await
    }

    pub async fn send_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let mut request =
            self.http.request(method.parse().unwrap(), format!("{}{path}", self.base)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }
}

/// Whether `actual` has at least the fields of `sample`, of the same kinds, with the same words where `words` names
/// them.
pub fn has_fields_of(actual: &Value, sample: &Value, words: &[&str], path: &str) {
    match (actual, sample) {
        (Value::Object(actual), Value::Object(sample)) => {
            for (name, value) in sample {
                let found =
                    actual.get(name).unwrap_or_else(|| panic!("{path}.{name} is missing in {actual:?}"));
                if words.contains(&name.as_str()) {
                    assert_eq!(found, value, "{path}.{name}");
                }
                has_fields_of(found, value, words, &format!("{path}.{name}"));
            }
        }
        (Value::Array(actual), Value::Array(sample)) => {
            if let Some(first) = sample.first() {
                assert!(!actual.is_empty(), "{path} is empty");
                for one in actual {
                    has_fields_of(one, first, words, path);
                }
            }
        }
        (a, s) => {
            assert_eq!(std::mem::discriminant(a), std::mem::discriminant(s), "{path}: {a} is not like {s}");
        }
    }
}
