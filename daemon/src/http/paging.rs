//! `page` + `pageSize` or `limit` + `offset`, checked once for every list.

use astrops_api::paging::{DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, Paging};

use chrono::{DateTime, Datelike as _, Utc};

use super::{ApiError, ApiResult};
use crate::store::Slice;

/// The largest page: what lies deeper is reached with `before` and `after`.
const MAX_PAGE: u32 = 1_000_000;

/// Checks the text of a search: what is longer finds nothing, and SQLite refuses long patterns.
pub fn check_search(text: Option<&str>) -> ApiResult<()> {
    match text.map(|text| text.chars().count()) {
        None | Some(1..=200) => Ok(()),
        Some(length) => Err(ApiError::field("q", format!("must have 1 to 200 characters, not {length}"))),
    }
}

/// Checks a time of a query: both databases and the ids hold these years.
pub fn check_time(name: &str, time: Option<DateTime<Utc>>) -> ApiResult<()> {
    match time.map(|time| time.year()) {
        None | Some(1970..=9999) => Ok(()),
        Some(year) => {
            Err(ApiError::field(name, format!("must lie in the years 1970 to 9999, not in {year}")))
        }
    }
}

/// The SQL expression that the word `sort` stands for; the first one unless said.
pub fn check_sort(sort: Option<&str>, sorts: &[(&str, &'static str)]) -> ApiResult<&'static str> {
    let Some(sort) = sort else { return Ok(sorts[0].1) };
    sorts.iter().find(|(word, _)| *word == sort).map(|(_, column)| *column).ok_or_else(|| {
        let words: Vec<&str> = sorts.iter().map(|(word, _)| *word).collect();
        ApiError::field("sort", format!("must be one of {}, not {sort:?}", words.join(", ")))
    })
}

/// What the query asks for, as the store takes it and as the answer says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the names of the answer's fields")]
pub struct Page {
    /// From 1.
    pub page: u32,
    /// Rows per page.
    pub page_size: u32,
    offset: u64,
}

impl Page {
    /// Checks `paging`.
    pub fn of(paging: Paging) -> ApiResult<Self> {
        let by_page = paging.page.is_some() || paging.page_size.is_some();
        let by_offset = paging.limit.is_some() || paging.offset.is_some();
        if by_page && by_offset {
            return Err(ApiError::field("limit", "either page and pageSize, or limit and offset, not both"));
        }
        let within = |name: &str, value: Option<u32>| match value {
            None => Ok(DEFAULT_PAGE_SIZE),
            Some(size @ 1..=MAX_PAGE_SIZE) => Ok(size),
            Some(other) => Err(ApiError::field(name, format!("must be 1 to {MAX_PAGE_SIZE}, not {other}"))),
        };
        if by_offset {
            let page_size = within("limit", paging.limit)?;
            let offset = paging.offset.unwrap_or(0);
            if offset > u64::from(MAX_PAGE) * u64::from(page_size) {
                return Err(ApiError::field("offset", "is too deep; use before or after with an id"));
            }
            let page = u32::try_from(offset / u64::from(page_size)).unwrap_or(u32::MAX) + 1;
            return Ok(Self { page, page_size, offset });
        }
        let page_size = within("pageSize", paging.page_size)?;
        let page = paging.page.unwrap_or(1);
        if !(1..=MAX_PAGE).contains(&page) {
            return Err(ApiError::field("page", format!("must be 1 to {MAX_PAGE}, not {page}")));
        }
        Ok(Self { page, page_size, offset: u64::from(page - 1) * u64::from(page_size) })
    }

    /// As the store takes it.
    pub fn slice(self) -> Slice {
        Slice { limit: i64::from(self.page_size), offset: i64::try_from(self.offset).unwrap_or(i64::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(
        page: Option<u32>,
        page_size: Option<u32>,
        limit: Option<u32>,
        offset: Option<u64>,
    ) -> Option<Page> {
        Page::of(Paging { page, page_size, limit, offset }).ok()
    }

    #[test]
    fn pages_and_offsets_say_the_same_and_do_not_mix() {
        assert_eq!(page(None, None, None, None), Some(Page { page: 1, page_size: 10, offset: 0 }));
        assert_eq!(page(Some(3), Some(20), None, None), Some(Page { page: 3, page_size: 20, offset: 40 }));
        assert_eq!(page(None, None, Some(20), Some(40)), page(Some(3), Some(20), None, None));
        assert_eq!(page(Some(1), None, Some(10), None), None);
        assert_eq!(page(Some(0), None, None, None), None);
        assert_eq!(page(None, Some(201), None, None), None);
        assert_eq!(page(None, None, Some(0), None), None);
        assert_eq!(page(None, None, None, Some(u64::MAX)), None);
    }
}
