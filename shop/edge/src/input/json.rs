//! JSON in which every name of an object is there once: two readers of a duplicate could each see another value.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Room that is made at once; more comes with the items.
const RESERVED_AT_ONCE: usize = 64;
/// Objects and lists inside of one another, at most.
const DEPTH_MAX: usize = 32;
/// Items of one list, and names of one object, at most.
const ITEMS_MAX: usize = 10_000;

/// Parses a text. Duplicate names are an error, and so is what is deeper or longer than any request
/// needs to be.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Reads a value that lies so deep.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    /// For what lies inside of this.
    fn inside<E: Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(E::custom(format_args!("it is nested more than {DEPTH_MAX} deep")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Refuses one more than the most.
fn bounded<E: Error>(items: usize) -> Result<(), E> {
    if items < ITEMS_MAX {
        return Ok(());
    }
    Err(E::custom(format_args!("a list or an object holds more than {ITEMS_MAX} items")))
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::with_capacity(items.size_hint().unwrap_or(0).min(RESERVED_AT_ONCE));
        let inside = self.inside::<A::Error>()?;
        while let Some(item) = items.next_element_seed(inside)? {
            bounded::<A::Error>(list.len())?;
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        let inside = self.inside::<A::Error>()?;
        while let Some(name) = entries.next_key::<String>()? {
            if fields.contains_key(&name) {
                let shown: String = name.chars().take(64).collect();
                return Err(Error::custom(format_args!("the name `{shown}` is there twice")));
            }
            bounded::<A::Error>(fields.len())?;
            let value = entries.next_value_seed(inside)?;
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn e2_a_name_that_is_there_twice_is_malformed_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"\u0061":2}}]"#] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains("`a` is there twice"), "{error}");
        }
    }

    #[test]
    fn e10_depth_and_lengths_are_bounded() {
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
        let nested = |depth: usize| [vec!["["; depth], vec!["]"; depth]].concat().concat();
        assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        let error = parse(nested(DEPTH_MAX + 1).as_bytes()).unwrap_err();
        assert!(error.to_string().contains("32 deep"), "{error}");
        let list = |items: usize| format!("[{}]", vec!["1"; items].join(","));
        assert!(parse(list(ITEMS_MAX).as_bytes()).is_ok());
        let error = parse(list(ITEMS_MAX + 1).as_bytes()).unwrap_err();
        assert!(error.to_string().contains("10000 items"), "{error}");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,4}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn everything_else_is_read_as_usual(value in value()) {
            prop_assert_eq!(parse(value.to_string().as_bytes()).unwrap(), value);
        }
    }
}
