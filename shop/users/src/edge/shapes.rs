//! What users and sessions look like on the wire, for the document: see [`openapi`](super::document::openapi).
//!
//! Handlers write their answers themselves; a test of the platform holds them to these shapes.

use serde::Serialize;
use shop_edge::openapi::{Email, ID, Link, Links, Secret, Shape, Text, WHEN, links};
use utoipa::ToSchema;

/// Somebody who has signed up.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct User {
    /// Their id.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Their e-mail address, as they wrote it.
    pub email: String,
    /// When they signed up.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When they were last changed.
    #[schema(format = "date-time")]
    pub updated_at: String,
    /// Where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// What is needed to sign up.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignUp {
    /// Their name, 1 to 100 characters.
    #[schema(value_type = Text<1, 100>, inline)]
    pub name: String,
    /// Their e-mail address, at most 254 characters; nobody else may have it.
    #[schema(value_type = Email, inline)]
    pub email: String,
    /// 8 to 256 characters, taken exactly as they are.
    #[schema(value_type = Secret<8, 256>, inline)]
    pub password: String,
}

/// A user as they are to be from now on.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplaceUser {
    /// Their name, 1 to 100 characters.
    #[schema(value_type = Text<1, 100>, inline)]
    pub name: String,
    /// Their e-mail address, at most 254 characters; nobody else may have it.
    #[schema(value_type = Email, inline)]
    pub email: String,
    /// A new password, 8 to 256 characters; left out, the old one stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Secret<8, 256>, inline, required = false)]
    pub password: Option<String>,
}

/// What of a user is to be changed; what is left out stays.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeUser {
    /// Their name, 1 to 100 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Text<1, 100>, inline, required = false)]
    pub name: Option<String>,
    /// Their e-mail address, at most 254 characters; nobody else may have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Email, inline, required = false)]
    pub email: Option<String>,
    /// A new password, 8 to 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Secret<8, 256>, inline, required = false)]
    pub password: Option<String>,
}

/// Somebody who has signed up, with their name in two parts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UserV2 {
    /// Their id.
    pub id: String,
    /// Their given name, or all of their name if it has no parts.
    pub given_name: String,
    /// Their family name; empty for those who have none.
    pub family_name: String,
    /// Their e-mail address, as they wrote it.
    pub email: String,
    /// When they signed up.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// When they were last changed.
    #[schema(format = "date-time")]
    pub updated_at: String,
    /// What can be done now, and where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// What is needed to sign up. Both names have at most 99 characters together.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignUpV2 {
    /// Their given name, 1 to 100 characters.
    #[schema(value_type = Text<1, 100>, inline)]
    pub given_name: String,
    /// Their family name, which may be empty.
    #[schema(value_type = Text<0, 100>, inline)]
    pub family_name: String,
    /// Their e-mail address, at most 254 characters; nobody else may have it.
    #[schema(value_type = Email, inline)]
    pub email: String,
    /// 8 to 256 characters, taken exactly as they are.
    #[schema(value_type = Secret<8, 256>, inline)]
    pub password: String,
}

/// A user as they are to be from now on. Both names have at most 99 characters together.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplaceUserV2 {
    /// Their given name, 1 to 100 characters.
    #[schema(value_type = Text<1, 100>, inline)]
    pub given_name: String,
    /// Their family name, which may be empty.
    #[schema(value_type = Text<0, 100>, inline)]
    pub family_name: String,
    /// Their e-mail address, at most 254 characters; nobody else may have it.
    #[schema(value_type = Email, inline)]
    pub email: String,
    /// A new password, 8 to 256 characters; left out, the old one stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Secret<8, 256>, inline, required = false)]
    pub password: Option<String>,
}

/// What of a user is to be changed; what is left out stays.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeUserV2 {
    /// Their given name, 1 to 100 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Text<1, 100>, inline, required = false)]
    pub given_name: Option<String>,
    /// Their family name; null takes it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Text<0, 100>>)]
    pub family_name: Option<String>,
    /// Their e-mail address, at most 254 characters; nobody else may have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Email, inline, required = false)]
    pub email: Option<String>,
    /// A new password, 8 to 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Secret<8, 256>, inline, required = false)]
    pub password: Option<String>,
}

/// What is needed to sign in.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The e-mail address of the user, 1 to 254 characters.
    #[schema(value_type = Text<1, 254>, inline)]
    pub email: String,
    /// Their password, at most 256 characters.
    #[schema(value_type = Secret<1, 256>, inline)]
    pub password: String,
}

/// A session that has just begun. It is nowhere but in its token.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NewSession {
    /// Always `current`.
    pub id: String,
    /// What to send as `Authorization: Bearer …`.
    pub token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Seconds for which the token is good.
    pub expires_in: u64,
    /// Who has signed in.
    pub user_id: String,
    /// Where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// The session of the token that is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Session {
    /// Always `current`.
    pub id: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Who has signed in; `operator` for the operator.
    pub user_id: String,
    /// What they may do.
    pub role: Role,
    /// Where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// What somebody may do.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Their own things.
    Customer,
    /// Everything.
    Operator,
}

impl Shape for User {
    fn example() -> Self {
        let own = format!("/api/v1/users/{ID}");
        Self {
            id: ID.to_owned(),
            name: "Ada Lovelace".to_owned(),
            email: "ada@example.org".to_owned(),
            created_at: WHEN.to_owned(),
            updated_at: WHEN.to_owned(),
            links: links([("self", &own), ("orders", "/api/v1/orders")]),
        }
    }
}

impl Shape for SignUp {
    fn example() -> Self {
        Self {
            name: "Ada Lovelace".to_owned(),
            email: "ada@example.org".to_owned(),
            password: "correct horse battery".to_owned(),
        }
    }
}

impl Shape for ReplaceUser {
    fn example() -> Self {
        let SignUp { name, email, .. } = SignUp::example();
        Self { name, email, password: None }
    }
}

impl Shape for ChangeUser {
    fn example() -> Self {
        Self { name: Some("Ada King".to_owned()), email: None, password: None }
    }
}

impl Shape for UserV2 {
    fn example() -> Self {
        let SignUpV2 { given_name, family_name, email, .. } = SignUpV2::example();
        Self {
            id: ID.to_owned(),
            given_name,
            family_name,
            email,
            created_at: WHEN.to_owned(),
            updated_at: WHEN.to_owned(),
            links: links([("self", &format!("/api/v2/users/{ID}"))]),
        }
    }
}

impl Shape for SignUpV2 {
    fn example() -> Self {
        Self {
            given_name: "Ada".to_owned(),
            family_name: "Lovelace".to_owned(),
            email: "ada@example.org".to_owned(),
            password: "correct horse battery".to_owned(),
        }
    }
}

impl Shape for ReplaceUserV2 {
    fn example() -> Self {
        let SignUpV2 { given_name, family_name, email, .. } = SignUpV2::example();
        Self { given_name, family_name, email, password: None }
    }
}

impl Shape for ChangeUserV2 {
    fn example() -> Self {
        let family_name = Some("King".to_owned());
        Self { given_name: None, family_name, email: None, password: None }
    }
}

impl Shape for SignIn {
    fn example() -> Self {
        let SignUp { email, password, .. } = SignUp::example();
        Self { email, password }
    }
}

impl Shape for NewSession {
    fn example() -> Self {
        Self {
            id: "current".to_owned(),
            token: "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIwMTlhIn0.c2lnbmF0dXJl".to_owned(),
            token_type: "Bearer".to_owned(),
            expires_in: 86_400,
            user_id: ID.to_owned(),
            links: links([("user", &format!("/api/v1/users/{ID}"))]),
        }
    }
}

impl Shape for Session {
    fn example() -> Self {
        let NewSession { id, token_type, user_id, links, .. } = NewSession::example();
        Self { id, token_type, user_id, role: Role::Customer, links }
    }
}
