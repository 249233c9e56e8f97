//! A job as operators name it: by its id, or by the eight digits that tables and the console show.

use std::str::FromStr;

use astrops_api::{
    ids::{BadId, JobId},
    jobs::JobQuery,
    paging::MAX_PAGE_SIZE,
};

use crate::cli::{context::Context, failure::Failure};

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The id.
    Whole(JobId),
    /// Its last eight digits, in lower case.
    Short(String),
}

impl FromStr for Reference {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self::Short(text.to_ascii_lowercase()));
        }
        text.parse().map(Self::Whole)
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(id) => id.fmt(f),
            Self::Short(digits) => digits.fmt(f),
        }
    }
}

/// The id of the job that was meant.
pub async fn one(context: &Context, said: &Reference) -> Result<JobId, Failure> {
    match said {
        Reference::Whole(id) => Ok(*id),
        Reference::Short(digits) => pick(&latest(context).await?, digits).map_err(Failure::Usage),
    }
}

/// The ids, in order. All must be clear before any is acted on.
pub async fn resolve(context: &Context, said: &[Reference]) -> Result<Vec<JobId>, Failure> {
    let short = said.iter().any(|reference| matches!(reference, Reference::Short(_)));
    let latest = if short { latest(context).await? } else { Vec::new() };
    let id = |reference: &Reference| match reference {
        Reference::Whole(id) => Ok(*id),
        Reference::Short(digits) => pick(&latest, digits).map_err(Failure::Usage),
    };
    said.iter().map(id).collect()
}

/// Those that short ids are looked for among.
async fn latest(context: &Context) -> Result<Vec<JobId>, Failure> {
    let query = JobQuery { page_size: Some(MAX_PAGE_SIZE), ..JobQuery::default() };
    Ok(context.client.jobs(&query).await?.jobs.iter().map(|job| job.id).collect())
}

fn pick(latest: &[JobId], digits: &str) -> Result<JobId, String> {
    let fit: Vec<JobId> = latest.iter().copied().filter(|id| id.short() == digits).collect();
    match fit.as_slice() {
        [id] => Ok(*id),
        [] => Err(format!(
            "none of the latest {MAX_PAGE_SIZE} jobs ends in {digits}: nothing was done\n\
             say its whole id; find it with astrops jobs list, and older ones with --query, --to or --before"
        )),
        several => {
            let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(format!(
                "several jobs end in {digits}: nothing was done\nsay the whole id of one: {}",
                ids.join(", ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_digits_name_a_job_when_only_one_ends_in_them() {
        let ids = ["0198f000-0000-7000-8000-0000aaaaaaa1", "0198f000-0000-7000-8000-0000aaaaaaa2"]
            .map(|id| id.parse::<JobId>().unwrap());
        assert_eq!(pick(&ids, "aaaaaaa2"), Ok(ids[1]));
        assert!(pick(&ids, "aaaaaaa3").unwrap_err().contains("none of the latest 200 jobs"));
        assert!(pick(&[ids[0], ids[0]], "aaaaaaa1").unwrap_err().contains("whole id of one"));
        assert_eq!("AAAAAAA1".parse(), Ok(Reference::Short("aaaaaaa1".to_owned())));
        assert_eq!(ids[0].to_string().parse(), Ok(Reference::Whole(ids[0])));
        assert!("aaaaaaa".parse::<Reference>().is_err() && "gaaaaaaa".parse::<Reference>().is_err());
    }
}
