//! Lists: `page` + `pageSize`, or `limit` + `offset`, with an answer `{"<plural>": [..], total, page, pageSize}`.

/// The largest page.
pub const MAX_PAGE_SIZE: u32 = 200;
/// The page when nothing is asked for.
pub const DEFAULT_PAGE_SIZE: u32 = 10;

/// The part of a list query that says which slice is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paging {
    /// From 1.
    pub page: Option<u32>,
    /// 1 to [`MAX_PAGE_SIZE`].
    pub page_size: Option<u32>,
    /// The other way to say page size.
    pub limit: Option<u32>,
    /// Rows to pass over.
    pub offset: Option<u64>,
}

/// Declares a list query: the named filters plus paging, unknown parameters refused. (serde's `flatten`
/// would turn numbers of a query string into texts, hence a macro.)
macro_rules! list_query {
    ($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident: $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, utoipa::IntoParams)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub struct $name {
            $($(#[$fmeta])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $field: Option<$ty>,)*
            /// The page, from 1 (default 1).
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[param(minimum = 1)]
            pub page: Option<u32>,
            /// Rows per page, 1 to 200 (default 10).
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[param(minimum = 1, maximum = 200)]
            pub page_size: Option<u32>,
            /// Rows to answer, 1 to 200; not together with `page` or `pageSize`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[param(minimum = 1, maximum = 200)]
            pub limit: Option<u32>,
            /// Rows to pass over; not together with `page` or `pageSize`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[param(minimum = 0)]
            pub offset: Option<u64>,
            /// `asc` or `desc`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[param(value_type = Option<String>)]
            pub order: Option<$crate::vocabulary::Order>,
        }

        impl $name {
            /// Which slice is asked for.
            #[must_use]
            pub const fn paging(&self) -> $crate::paging::Paging {
                $crate::paging::Paging { page: self.page, page_size: self.page_size, limit: self.limit, offset: self.offset }
            }
        }
    };
}

/// Declares the answer of a list under its plural name.
macro_rules! page_of {
    ($(#[$meta:meta])* $name:ident { $plural:ident: $item:ty }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The rows of this page.
            pub $plural: Vec<$item>,
            /// Rows that match in all.
            pub total: u64,
            /// This page, from 1.
            pub page: u32,
            /// Rows per page.
            pub page_size: u32,
        }
    };
}

pub(crate) use {list_query, page_of};
