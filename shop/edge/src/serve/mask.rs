//! Bodies as the access log may show them: what is secret or about a person is masked, and the rest is cut off.

use serde_json::Value;

/// Characters of a body that are written, at most.
const SHOWN: usize = 2_048;
/// What stands in the place of what is not shown.
const MASK: &str = "***";

/// Names of fields that are never shown, whatever they hold. A field is also masked when one of the
/// [`PARTS`] is in its name.
const MASKED: [&str; 17] = [
    "name",
    "given_name",
    "family_name",
    "address",
    "city",
    "to",
    "recipient",
    "subject",
    "body",
    "phone",
    "cookie",
    "cursor",
    "next",
    "ship_to",
    // In GraphQL a secret has whatever name its document gives it.
    "query",
    "variables",
    "data",
];
/// What makes a field's name the name of a secret, or of a way to reach somebody.
const PARTS: [&str; 5] = ["password", "token", "secret", "authorization", "email"];

/// A JSON body without what nobody should read in a log, cut off; what is not JSON is only counted.
pub(super) fn masked(bytes: &[u8]) -> String {
    let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else {
        return format!("({} bytes that are not JSON)", bytes.len());
    };
    mask(&mut value);
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if is_masked(name) {
                    *value = MASK.into();
                } else {
                    mask(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

fn is_masked(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    MASKED.contains(&&*name) || PARTS.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &str) {
        assert_eq!(masked(body.as_bytes()), expected);
    }

    #[test]
    fn secrets_and_personal_data_are_masked_at_any_depth() {
        check(r#"{"Email":"a@b.c","n":1}"#, r#"{"Email":"***","n":1}"#);
        check(r#"[{"new_password":{"x":1}}]"#, r#"[{"new_password":"***"}]"#);
        check(r#"{"a":{"access_token":"t"}}"#, r#"{"a":{"access_token":"***"}}"#);
        check(r#"{"ship_to":{"city":"Bern"}}"#, r#"{"ship_to":"***"}"#);
        let sign_in =
            r#"{"operationName":"S","query":"mutation S{signIn(password:\"p\"){t:token}}"}"#;
        check(sign_in, r#"{"operationName":"S","query":"***"}"#);
        check(r#"[{"variables":{"p":"x"}}]"#, r#"[{"variables":"***"}]"#);
        check(r#"{"data":{"signIn":{"t":"x"}}}"#, r#"{"data":"***"}"#);
        check(r#"{"sku":"tea","tokens":[1]}"#, r#"{"sku":"tea","tokens":"***"}"#);
    }

    #[test]
    fn what_is_long_is_cut_off_and_what_is_not_json_is_not_shown() {
        check("password=1", "(10 bytes that are not JSON)");
        let long = format!("{{\"n\":\"{}\"}}", "ä".repeat(5_000));
        let shown = masked(long.as_bytes());
        assert!(shown.chars().count() < SHOWN + 30 && shown.ends_with("bytes)"), "{shown}");
    }
}
