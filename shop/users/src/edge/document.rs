//! The service's part of the interface's document: users in both versions, and sessions.

use shop_edge::openapi::{Bodies, Operation, Part, Shape, operators};

use super::shapes::{
    ChangeUser, ChangeUserV2, NewSession, ReplaceUser, ReplaceUserV2, Session, SignIn, SignUp,
    SignUpV2, User, UserV2,
};

/// A version of users: what its paths and ids are, and what it demands.
struct Version {
    users: &'static str,
    user: &'static str,
    /// Ends the ids of its operations.
    name: &'static str,
    /// Whether a change must say of which version of the user it is.
    is_strict: bool,
    is_deprecated: bool,
}

const V1: Version = Version {
    users: "/api/v1/users",
    user: "/api/v1/users/{id}",
    name: "",
    is_strict: false,
    is_deprecated: true,
};
const V2: Version = Version {
    users: "/api/v2/users",
    user: "/api/v2/users/{id}",
    name: "V2",
    is_strict: true,
    is_deprecated: false,
};

/// Every operation of the service.
pub fn openapi() -> Part {
    let part = Part::new("users", "Who the customers are: signing up, signing in, their own data.");
    let part = V1.operations::<User, SignUp, ReplaceUser, ChangeUser>(part);
    let part = V2.operations::<UserV2, SignUpV2, ReplaceUserV2, ChangeUserV2>(part);
    let part = part.with(sign_in()).with(
        Operation::get("/api/v1/sessions/current", "getSession")
            .says("Show who the token is for", "The session of the token that is shown.")
            .ok::<Session>("The session."),
    );
    operators(part, "/api/v1/operator/users", "Users")
}

// === impl Version ===

impl Version {
    fn id(&self, id: &str) -> String {
        format!("{id}{}", self.name)
    }

    /// The operations of this version on its shapes: a user, a new one, a whole one, a part of one.
    fn operations<One: Shape, New: Shape, Whole: Shape, Some: Shape>(&self, part: Part) -> Part {
        let list = Operation::get(self.users, &self.id("listUsers"))
            .says("List users", "Oneself; everybody for the operator, oldest first.")
            .page_of::<One>("The users.");
        let show = self
            .at_user(Operation::get(self.user, &self.id("getUser")))
            .says("Show a user", "Oneself, or anybody for the operator; others are hidden: 404.")
            .ok::<One>("The user.");
        let replace = self
            .at_user(Operation::put(self.user, &self.id("replaceUser")))
            .says("Replace a user's data", "The password stays, unless there is a new one.")
            .body::<Whole>(Bodies::Json)
            .ok::<One>("The user as they are now.")
            .if_match(self.is_strict)
            .refuses(&[409]);
        let change = self
            .at_user(Operation::patch(self.user, &self.id("changeUser")))
            .says("Change some of a user's data", "A merge patch: what is left out stays.")
            .body::<Some>(Bodies::Patch)
            .ok::<One>("The user as they are now.")
            .if_match(self.is_strict)
            .refuses(&[409]);
        let delete = self
            .at_user(Operation::delete(self.user, &self.id("deleteUser")))
            .says("Delete a user", "They are gone at once; their accounts close a little later.")
            .empty("204", "They are gone.")
            .if_match(false);
        let all = [list, self.sign_up::<One, New>(), show, replace, change, delete];
        let all = all.map(|it| if self.is_deprecated { it.deprecated() } else { it });
        all.into_iter().fold(part, Part::with)
    }

    fn sign_up<One: Shape, New: Shape>(&self) -> Operation {
        let sign_up = Operation::post(self.users, &self.id("createUser"))
            .says("Sign up", "Anybody may. A welcome is written to the address.")
            .public()
            .body::<New>(Bodies::Json)
            .created::<One>("The new user.")
            .shows("ETag")
            .refuses(&[409]);
        let ids = ["getUser", "replaceUser", "changeUser", "deleteUser"];
        let from = [("id", "$response.body#/id")];
        ids.iter().fold(sign_up, |it, id| it.leads_to(&self.id(id), &from))
    }

    fn at_user(&self, operation: Operation) -> Operation {
        operation.at_id("id", "The user.")
    }
}

fn sign_in() -> Operation {
    Operation::post("/api/v1/sessions", "createSession")
        .says(
            "Sign in",
            "Answers a token that is good for a while. Too many wrong passwords have to wait.",
        )
        .public()
        .body::<SignIn>(Bodies::Json)
        .created::<NewSession>("The session, with its token.")
        .refuses(&[401])
}
