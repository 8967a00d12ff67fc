//! `google.protobuf.FieldMask`: some of a message's fields.

use std::fmt;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{self, Serialize, Serializer};

/// Paths of fields, such as `user.name`.
///
/// In serde's formats it is one text, with commas between the paths. Their names are those of the `.proto`, where protobuf's JSON has them in
/// camel case: fields are called so everywhere in what fibra sends.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct FieldMask {
    /// The paths. A comma in one does not travel.
    #[prost(string, repeated, tag = "1")]
    pub paths: Vec<String>,
}

/// The paths, with commas between them.
impl fmt::Display for FieldMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, path) in self.paths.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            f.write_str(path)?;
        }
        Ok(())
    }
}

impl Serialize for FieldMask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.paths.iter().any(|path| path.is_empty() || path.contains(',')) {
            return Err(ser::Error::custom("a field's path is not empty, and has no comma"));
        }
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FieldMask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self { paths: text.split(',').filter(|path| !path.is_empty()).map(str::to_owned).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::FieldMask;

    #[test]
    fn a_mask_is_one_text() {
        for (paths, json) in
            [(vec![], r#""""#), (vec!["a"], r#""a""#), (vec!["user.name", "photo"], r#""user.name,photo""#)]
        {
            let mask = FieldMask { paths: paths.into_iter().map(str::to_owned).collect() };
            assert_eq!(serde_json::to_string(&mask).expect("serializable"), json);
            assert_eq!(serde_json::from_str::<FieldMask>(json).expect("readable"), mask);
        }
    }

    #[test]
    fn a_comma_in_a_path_does_not_travel() {
        for path in ["a,b", ""] {
            assert!(serde_json::to_string(&FieldMask { paths: vec![path.to_owned()] }).is_err());
        }
    }
}
