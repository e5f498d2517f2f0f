//! shop-notifications
