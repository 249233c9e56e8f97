//! Money: whole minor units inside, a JSON number with at most two decimals on the wire.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The largest amount: ten thousand million, so that seats times price never overflows and a float holds it exactly.
const MOST: i64 = 1_000_000_000_000;

/// An amount in minor units (cents), 0 or more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

impl Money {
    /// `minor` units; `None` when negative or too large.
    #[must_use]
    pub const fn of_minor(minor: i64) -> Option<Self> {
        if minor < 0 || minor > MOST { None } else { Some(Self(minor)) }
    }

    /// Minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// This much for each of `count`; `None` when that is too large.
    #[must_use]
    pub fn times(self, count: i64) -> Option<Self> {
        self.0.checked_mul(count).and_then(Self::of_minor)
    }

    /// The amount that a JSON number stands for.
    ///
    /// # Errors
    /// Says what is allowed.
    pub fn of_number(number: f64) -> Result<Self, &'static str> {
        let minor = number * 100.0;
        if !(0.0..=1e12).contains(&minor) {
            return Err("must be an amount from 0 to 10000000000");
        }
        // Two decimals as a float are off by less than this; a third decimal is off by a tenth.
        if (minor - minor.round()).abs() > 1e-3 {
            return Err("must have at most two decimals");
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked to lie between 0 and 1e12")]
        Ok(Self(minor.round() as i64))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{:02}", self.0 / 100, self.0 % 100))
    }
}

impl std::str::FromStr for Money {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::of_number(text.parse().map_err(|_| "must be a number such as 120 or 120.50")?)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 100 == 0 {
            return serializer.serialize_i64(self.0 / 100);
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 1e12: a float holds it exactly")]
        serializer.serialize_f64(self.0 as f64 / 100.0)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of_number(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl utoipa::PartialSchema for Money {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::Number)
            .description(Some("An amount with at most two decimals"))
            .minimum(Some(0))
            .maximum(Some(10_000_000_000_i64))
            .into()
    }
}

impl utoipa::ToSchema for Money {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<i64> {
        serde_json::from_str::<Money>(text).ok().map(Money::minor)
    }

    #[test]
    fn amounts_have_at_most_two_decimals() {
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("120.5"), Some(12_050));
        assert_eq!(read("0.29"), Some(29));
        assert_eq!(read("10000000000"), Some(MOST));
        for wrong in ["0.001", "9999999999.999", "-1", "-0.01", "10000000000.01", "1e300", "\"1\"", "null"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for minor in [0, 1, 29, 99, 100, 101, 12_345_678_901, 999_999_999_999, MOST] {
            let text = serde_json::to_string(&Money(minor)).unwrap();
            assert_eq!(read(&text), Some(minor), "{text}");
        }
        assert_eq!(Money(12_050).to_string(), "120.50");
        assert_eq!("7.05".parse(), Ok(Money(705)));
    }
}
