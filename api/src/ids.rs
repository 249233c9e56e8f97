//! Ids. Users, launches and bookings live in both databases, so their UUIDs carry the twelve bytes of the
//! document database's `ObjectId` in order: both primary keys sort alike and each is computed from the other.
//! Wherever an id is accepted, the 24-hex form is accepted too.

use std::{fmt, str::FromStr};

use uuid::Uuid;

/// A text that is neither a UUID nor 24 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a UUID nor a 24-digit hexadecimal id")]
pub struct BadId(pub String);

/// The `UUIDv8` that carries `object_id` in order: bits 0-47, version 8, bits 48-59, variant 10, bits 60-95,
/// then 26 zero bits.
#[must_use]
pub fn embed(object_id: [u8; 12]) -> Uuid {
    let mut wide = [0u8; 16];
    wide[4..].copy_from_slice(&object_id);
    let bits = u128::from_be_bytes(wide);
    let (head, middle, tail) = (bits >> 48, (bits >> 36) & 0xFFF, bits & 0xF_FFFF_FFFF);
    Uuid::from_u128(head << 80 | 0x8 << 76 | middle << 64 | 0b10 << 62 | tail << 26)
}

/// The `ObjectId` that `id` carries, or `None` when it was not made by [`embed`].
#[must_use]
pub fn extract(id: Uuid) -> Option<[u8; 12]> {
    let bits = id.as_u128();
    let ours = (bits >> 76) & 0xF == 0x8 && (bits >> 62) & 0b11 == 0b10 && bits.trailing_zeros() >= 26;
    if !ours {
        return None;
    }
    let wide = (bits >> 80) << 48 | ((bits >> 64) & 0xFFF) << 36 | (bits >> 26) & 0xF_FFFF_FFFF;
    let mut object_id = [0u8; 12];
    object_id.copy_from_slice(&wide.to_be_bytes()[4..]);
    Some(object_id)
}

/// The `ObjectId` that `id` carries, as the document database writes it: 24 hexadecimal digits.
#[must_use]
pub fn object_hex(id: Uuid) -> Option<String> {
    let bytes = extract(id)?;
    Some(bytes.iter().fold(String::with_capacity(24), |hex, byte| hex + &format!("{byte:02x}")))
}

fn parse(text: &str) -> Result<Uuid, BadId> {
    let bad = || BadId(text.chars().take(64).collect());
    if text.len() != 24 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Uuid::try_parse(text).map_err(|_| bad());
    }
    let mut object_id = [0u8; 12];
    for (place, pair) in object_id.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
        *place = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
    }
    Ok(embed(object_id))
}

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "String", into = "Uuid")]
        #[schema(value_type = String, format = Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The last eight digits: what differs between neighbours, for narrow columns. Of an id that carries
            /// an `ObjectId`, the last eight of that: its UUID ends in zeros.
            #[must_use]
            pub fn short(&self) -> String {
                let whole = object_hex(self.0).unwrap_or_else(|| self.0.simple().to_string());
                whole[whole.len() - 8..].to_owned()
            }
        }
        impl From<$name> for Uuid { fn from(id: $name) -> Self { id.0 } }
        impl From<Uuid> for $name { fn from(id: Uuid) -> Self { Self(id) } }
        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> { text.parse() }
        }
        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> { parse(text).map(Self) }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
    )+ };
}

ids! {
    /// A user: `UUIDv8` that carries an `ObjectId`.
    UserId,
    /// A job: `UUIDv7`.
    JobId,
    /// A system log entry: `UUIDv7`.
    LogId,
    /// A sign-in session: `UUIDv7`.
    SessionId,
    /// One run of a daemon: `UUIDv7`.
    NodeId,
    /// A launch: `UUIDv8` that carries an `ObjectId`.
    LaunchId,
    /// A booking: `UUIDv8` that carries an `ObjectId`.
    BookingId,
    /// A service key: `UUIDv7`.
    KeyId,
    /// Any entity that is reconciled: `UUIDv8` that carries an `ObjectId`.
    EntityId,
}

macro_rules! entities {
    ($($name:ident),+) => { $(
        impl From<$name> for EntityId { fn from(id: $name) -> Self { Self(id.0) } }
        impl From<EntityId> for $name { fn from(id: EntityId) -> Self { Self(id.0) } }
    )+ };
}

entities!(UserId, LaunchId, BookingId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_id_survives_the_round_trip_and_keeps_its_order() {
        let texts = [
            "000000000000000000000000",
            "507f1f77bcf86cd799439011",
            "507f1f77bcf86cd799439012",
            "ffffffffffffffffffffffff",
        ];
        let ids: Vec<Uuid> = texts.iter().map(|t| parse(t).unwrap()).collect();
        assert!(ids.windows(2).all(|w| w[0] < w[1]));
        for (text, id) in texts.iter().zip(&ids) {
            assert_eq!(object_hex(*id).as_deref(), Some(*text));
            assert_eq!(UserId(*id).short(), text[16..]);
            assert_eq!(id.get_version_num(), 8);
            assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        }
    }

    #[test]
    fn a_foreign_uuid_carries_no_object_id_and_nonsense_is_refused() {
        assert_eq!(extract(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001)), None);
        assert!("zz7f1f77bcf86cd799439011".parse::<JobId>().is_err());
        assert!("".parse::<JobId>().is_err());
    }
}
