//! Load, decide, commit.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use shop_contracts::users::{UserChanged, UserCreated, UserDeleted};
use shop_edge::{Auth, AuthError, Deps, Problem, Seek};
use switchboard_core::{Clock, Context, Id, Rng, Timestamp};
use switchboard_store::{CommitError, Expect, Row, Select, Store, StoreError, Unit, Value};

use crate::passwords::{CannotHash, Passwords};
use crate::tables::{EMAILS, USERS};

/// How long a token is good.
pub const TOKEN_TTL: Duration = Duration::from_secs(24 * 3600);
/// Tries to commit a change that others keep overtaking.
const TRIES: u32 = 20;

/// What the service can do, whoever asks.
#[derive(Clone, Debug)]
pub struct App {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    rng: Arc<Mutex<Rng>>,
    auth: Arc<Auth>,
    passwords: Passwords,
}

/// A customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Their e-mail address, as they wrote it.
    pub email: String,
    /// When they signed up.
    pub created_at: Timestamp,
    /// When they were last changed.
    pub updated_at: Timestamp,
    /// Characters of the name that are the given name, if somebody has said so.
    pub given: Option<usize>,
}

/// What of a user is to be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// A new name.
    pub name: Option<String>,
    /// A new address.
    pub email: Option<String>,
    /// A new password.
    pub password: Option<String>,
}

/// A change with what its caller knows of the name's parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// What is to be changed.
    pub change: Change,
    /// Characters of the new name that are the given name.
    pub given: Option<usize>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Somebody has signed up with this address.
    #[error("this e-mail address is taken")]
    EmailTaken,
    /// There is no such user.
    #[error("there is no such user")]
    NotFound,
    /// Address or password is wrong; which one is not said.
    #[error("the e-mail address or the password is wrong")]
    WrongCredentials,
    /// Too many wrong passwords for this address.
    #[error("too many wrong passwords: wait {0:?}")]
    TooOften(Duration),
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Read(#[from] StoreError),
    /// The store cannot be written.
    #[error("the store cannot be written")]
    Commit(#[from] CommitError),
    /// A password cannot be hashed.
    #[error("the password cannot be hashed")]
    Hash(#[from] CannotHash),
    /// A token cannot be signed.
    #[error("the token cannot be signed")]
    Sign(#[from] AuthError),
    /// The user is not as the caller expects.
    #[error("the user is not as the request expects")]
    Unexpected(Box<Problem>),
}

// === impl App ===

impl App {
    /// On these seams.
    pub fn new(deps: &Deps) -> Self {
        Self {
            store: deps.store.clone(),
            clock: deps.clock.clone(),
            rng: Arc::new(Mutex::new(deps.rng.clone().fork())),
            auth: deps.auth.clone(),
            passwords: Passwords::new(),
        }
    }

    /// Signs somebody up.
    ///
    /// # Errors
    /// [`Error::EmailTaken`], or the store's.
    pub async fn sign_up(
        &self,
        context: Context,
        name: String,
        email: String,
        password: String,
    ) -> Result<User, Error> {
        self.sign_up_as(context, (name, None), email, password).await
    }

    /// The same, by a name of which so many characters are the given name.
    ///
    /// # Errors
    /// As [`App::sign_up`].
    pub async fn sign_up_as(
        &self,
        context: Context,
        (name, given): (String, Option<usize>),
        email: String,
        password: String,
    ) -> Result<User, Error> {
        let address = email.to_lowercase();
        if self.store.row(&EMAILS, &address).await?.is_some() {
            return Err(Error::EmailTaken);
        }
        let hash = self.passwords.hash(password).await?;
        let id = Id::new(&*self.clock, &mut self.rng.lock()).to_string();
        let now = self.clock.now();
        let user = User { id, name, email, created_at: now, updated_at: now, given };
        let unit = Unit::new()
            .with_context(context)
            .expect(Expect::row_absent(&EMAILS, &*address))
            .put(&EMAILS, &*address, [("user_id", Value::from(&*user.id))])
            .put(&USERS, &*user.id, user.cells())
            .put(&USERS, &*user.id, [("password", Value::from(hash))])
            .publish(&UserCreated {
                user_id: user.id.clone(),
                name: user.name.clone(),
                email: user.email.clone(),
            });
        match self.store.commit(unit).await {
            Ok(_) => Ok(user),
            // The address is the unit's only condition.
            Err(CommitError::Conflict(_)) => Err(Error::EmailTaken),
            Err(error) => Err(error.into()),
        }
    }

    /// Signs somebody in: a token and who it is for.
    ///
    /// # Errors
    /// [`Error::WrongCredentials`] and [`Error::TooOften`], or the store's.
    pub async fn sign_in(&self, email: &str, password: String) -> Result<(String, String), Error> {
        let address = email.to_lowercase();
        self.passwords.begin_guess(&address, self.clock.now()).map_err(Error::TooOften)?;
        match self.check(&address, password).await {
            Ok(user_id) => {
                self.passwords.guessed_right(&address);
                Ok((self.auth.sign(&user_id, TOKEN_TTL)?, user_id))
            }
            Err(Error::WrongCredentials) => Err(Error::WrongCredentials),
            Err(error) => {
                self.passwords.not_guessed(&address);
                Err(error)
            }
        }
    }

    /// Whose address and password these are.
    async fn check(&self, address: &str, password: String) -> Result<String, Error> {
        let known = match self.store.row(&EMAILS, address).await? {
            Some(row) => self.store.row(&USERS, row.text("user_id")).await?,
            None => None,
        };
        let hash = known.as_ref().map(|row| row.text("password").to_owned());
        let is_right = self.passwords.verify(password, hash).await?;
        known.filter(|_| is_right).map(|row| row.key).ok_or(Error::WrongCredentials)
    }

    /// One user.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn user(&self, id: &str) -> Result<User, Error> {
        let row = self.store.row(&USERS, id).await?.ok_or(Error::NotFound)?;
        Ok(User::of(&row))
    }

    /// Users by the time they signed up, those after `after`.
    ///
    /// # Errors
    /// The store's.
    pub async fn users(&self, seek: impl Into<Seek>, limit: usize) -> Result<Vec<User>, Error> {
        let select = Select::all(&USERS).ascending("created_at").limit(limit);
        let rows = self.store.select(seek.into().of(select)).await?;
        Ok(rows.iter().map(User::of).collect())
    }

    /// Changes a user. What is already so is no change, and nobody is told.
    ///
    /// # Errors
    /// [`Error::NotFound`] and [`Error::EmailTaken`], or the store's.
    pub async fn change(&self, context: Context, id: &str, change: Change) -> Result<User, Error> {
        let password = change.password.clone();
        let wanted = |_: &User| Ok(Wanted { change: change.clone(), given: None });
        self.change_if(context, id, password, wanted).await
    }

    /// Changes a user as `wanted` says of the user that is there, or not at all. The unit expects that
    /// very user, so nothing that `wanted` has judged can have changed when it is committed: it is
    /// asked again of whatever another change has made.
    ///
    /// # Errors
    /// As [`App::change`], and what `wanted` answers as [`Error::Unexpected`].
    pub async fn change_if(
        &self,
        context: Context,
        id: &str,
        password: Option<String>,
        wanted: impl Fn(&User) -> Result<Wanted, Problem>,
    ) -> Result<User, Error> {
        // The condition first: who may not change anything must not cost a hash.
        let row = self.store.row(&USERS, id).await?.ok_or(Error::NotFound)?;
        wanted(&User::of(&row)).map_err(unexpected)?;
        let hash = match password {
            Some(password) => Some(self.passwords.hash(password).await?),
            None => None,
        };
        let mut tries = 0;
        loop {
            let row = self.store.row(&USERS, id).await?.ok_or(Error::NotFound)?;
            let before = User::of(&row);
            let wanted = wanted(&before).map_err(unexpected)?;
            let (unit, user) = self.changed(&row, &wanted, hash.as_deref());
            if hash.is_none() && user.says_the_same(&before) {
                return Ok(before);
            }
            tries += 1;
            match self.store.commit(unit.with_context(context.clone())).await {
                Ok(_) => return Ok(user),
                Err(CommitError::Conflict(_)) if tries < TRIES => {
                    let taken = self.store.row(&EMAILS, &user.email.to_lowercase()).await?;
                    if taken.is_some_and(|taken| taken.text("user_id") != id) {
                        return Err(Error::EmailTaken);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn changed(&self, row: &Row, wanted: &Wanted, hash: Option<&str>) -> (Unit, User) {
        let Wanted { change, given } = wanted;
        let mut user = User::of(row);
        let before = user.email.to_lowercase();
        user.updated_at = self.clock.now();
        if let Some(name) = change.name.clone() {
            // Whoever gives the same name without its parts has not said anything about them.
            user.given = if name == user.name { given.or(user.given) } else { *given };
            user.name = name;
        }
        user.email = change.email.clone().unwrap_or(user.email);
        let address = user.email.to_lowercase();
        let mut unit = Unit::new()
            .expect(Expect::row_at(&USERS, &*user.id, row.version))
            .put(&USERS, &*user.id, user.cells())
            .publish(&UserChanged {
                user_id: user.id.clone(),
                name: user.name.clone(),
                email: user.email.clone(),
            });
        if let Some(hash) = hash {
            unit = unit.put(&USERS, &*user.id, [("password", Value::from(hash))]);
        }
        if address != before {
            unit = unit.expect(Expect::row_absent(&EMAILS, &*address)).delete(&EMAILS, before).put(
                &EMAILS,
                &*address,
                [("user_id", Value::from(&*user.id))],
            );
        }
        (unit, user)
    }

    /// Removes a user. Nobody signs in with their address again until somebody else takes it;
    /// tokens that are out still say who they were, and find nothing of theirs here.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn remove(&self, context: Context, id: &str) -> Result<(), Error> {
        self.remove_if(context, id, |_| Ok(())).await
    }

    /// Removes a user if that may be done with the user that is there.
    ///
    /// # Errors
    /// As [`App::remove`], and what `may` answers as [`Error::Unexpected`].
    pub async fn remove_if(
        &self,
        context: Context,
        id: &str,
        may: impl Fn(&User) -> Result<(), Problem>,
    ) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            let row = self.store.row(&USERS, id).await?.ok_or(Error::NotFound)?;
            may(&User::of(&row)).map_err(unexpected)?;
            let unit = Unit::new()
                .with_context(context.clone())
                .expect(Expect::row_at(&USERS, id, row.version))
                .delete(&USERS, id)
                .delete(&EMAILS, row.text("email").to_lowercase())
                .publish(&UserDeleted { user_id: id.to_owned() });
            tries += 1;
            match self.store.commit(unit).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Conflict(_)) if tries < TRIES => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn unexpected(problem: Problem) -> Error {
    Error::Unexpected(Box::new(problem))
}

// === impl User ===

impl User {
    fn of(row: &Row) -> Self {
        let given = match row.get("given") {
            Value::Integer(given) => usize::try_from(*given).ok(),
            _ => None,
        };
        Self {
            id: row.key.clone(),
            name: row.text("name").to_owned(),
            email: row.text("email").to_owned(),
            created_at: Timestamp::from_micros(row.integer("created_at")),
            updated_at: Timestamp::from_micros(row.integer("updated_at")),
            given,
        }
    }

    /// Given name and family name. Where nobody has said where the name is parted, that is before its
    /// last word; one word is a given name.
    pub fn names(&self) -> (&str, &str) {
        let said = self.given.and_then(|given| self.name.char_indices().nth(given));
        match (said, self.given) {
            (Some((at, _)), _) => (&self.name[..at], self.name[at..].trim_start()),
            (None, Some(_)) => (&self.name, ""),
            (None, None) => self.name.rsplit_once(' ').unwrap_or((&self.name, "")),
        }
    }

    /// Whether a change has changed nothing.
    fn says_the_same(&self, other: &Self) -> bool {
        (&self.name, &self.email, self.given) == (&other.name, &other.email, other.given)
    }

    fn cells(&self) -> [(&'static str, Value); 5] {
        let given = self.given.and_then(|given| i64::try_from(given).ok());
        [
            ("name", Value::from(&*self.name)),
            ("email", Value::from(&*self.email)),
            ("created_at", Value::from(self.created_at)),
            ("updated_at", Value::from(self.updated_at)),
            ("given", given.map_or(Value::Null, Value::from)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, given: Option<usize>, expected: (&str, &str)) {
        let at = Timestamp::from_micros(0);
        let (id, email) = (String::new(), String::new());
        let name = name.to_owned();
        let user = User { id, name, email, created_at: at, updated_at: at, given };
        assert_eq!(user.names(), expected);
    }

    #[test]
    fn e9_a_name_is_parted_where_somebody_said_or_before_its_last_word() {
        check("Ana de la Cruz", None, ("Ana de la", "Cruz"));
        check("Ana de la Cruz", Some(3), ("Ana", "de la Cruz"));
        check("Zoë Ångström", Some(3), ("Zoë", "Ångström"));
        check("Ana", None, ("Ana", ""));
        check("Ana Maria", Some(9), ("Ana Maria", ""));
    }
}
