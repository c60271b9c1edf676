//! Octets in JSON: a string if they are UTF-8, otherwise an object with their Base64 encoding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Octets that are recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Octets(pub(super) Vec<u8>);

/// The representation in JSON.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum OctetsJson<'a> {
    Text(std::borrow::Cow<'a, str>),
    Base64 { base64: String },
}

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = match std::str::from_utf8(&self.0) {
            Ok(text) => OctetsJson::Text(text.into()),
            Err(_) => OctetsJson::Base64 {
                base64: STANDARD.encode(&self.0),
            },
        };
        json.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match OctetsJson::deserialize(deserializer)? {
            OctetsJson::Text(text) => Ok(Self(text.into_owned().into_bytes())),
            OctetsJson::Base64 { base64 } => {
                STANDARD.decode(base64).map(Self).map_err(D::Error::custom)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_other_octets_come_back() {
        for octets in [&b""[..], b"Subject: x\r\n", "é".as_bytes(), b"\xff\0"] {
            let written = serde_json::to_string(&Octets(octets.to_vec())).unwrap();
            let read: Octets = serde_json::from_str(&written).unwrap();
            assert_eq!(read.0, octets, "{written}");
        }
    }
}
