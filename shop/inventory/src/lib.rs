//! shop-inventory
