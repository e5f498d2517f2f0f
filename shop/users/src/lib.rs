//! shop-users
